"""Facts in a page: the role {fact}`id` writes a figure into a sentence, the directive {facts} makes a table of them.

In MyST:

    A message may have at most {fact}`sqs.message.max_bytes`. A million writes cost {fact}`dynamodb.price.per_million_writes|dollars`.

    ```{facts} sqs.message.max_bytes, dynamodb.item.max_bytes
    ```

    ```{facts}
    :prefix: sagemaker.realtime
    ```

    ```{claims}
    :section: 5
    ```

A figure in a sentence is a link: to its row on the register's page (the document named by the configuration value
`facts_reference`, if it shows the fact), else to its source. Its title says from when it is, how firm, and what another
source says. An unknown id is a warning with the nearest ids, and a page that shows a fact is built again when the data change.
{claims} is in labs/facts/sphinx_claims.py.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.typing import ExtensionMetadata

from labs import facts
from labs.errors import Refusal
from labs.facts import catalogue, claims, register, units
from labs.facts.schema import CONFIDENCE, Fact
from labs.facts.sphinx_claims import ClaimsTable

logger = logging.getLogger(__name__)
WEB = Path(__file__).parent / "web"

FORMATS: dict[str, Callable[[Fact], str]] = {
    "text": lambda fact: fact.readable,
    "number": lambda fact: units.plain(fact.value),
    "dollars": lambda fact: units.dollars(fact.value),
    "as-of": lambda fact: fact.as_of,
    "says": lambda fact: fact.says,
    "source": lambda fact: fact.sources[0].title,
}
"""what may follow the bar in {fact}`id|...`"""


class FactLink(nodes.reference):
    """A fact in a sentence, until we know which page holds its row."""


class FactRole(SphinxRole):
    """{fact}`id` or {fact}`id|format`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The figure as a link that says where it comes from."""
        id, _, form = (part.strip() for part in self.text.partition("|"))
        depend_on(self.env, id)
        if form and form not in FORMATS:
            return self._wrong(f"a fact cannot be shown as '{form}'; there are {', '.join(FORMATS)}")
        try:
            fact = facts.get(id)
        except Refusal as refusal:
            return self._wrong(str(refusal))
        shown = FORMATS[form or "text"](fact)
        link = FactLink("", shown, refuri=fact.source, reftitle=title(fact), classes=["fact"], fact=id)
        return [link], []

    def _wrong(self, reason: str) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        logger.warning(reason, location=self.get_location(), type="facts", subtype="unknown")
        return [nodes.literal(self.rawtext, self.text, classes=["fact-unknown"])], []


class FactsTable(SphinxDirective):
    """A table of facts: the ids of its argument or content, or all that begin with `:prefix:`, or all there are."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {"prefix": directives.unchanged_required, "caption": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """One table, or one per group when every fact is shown."""
        ids = [id for line in (*self.arguments, *self.content) for id in line.replace(",", " ").split()]
        prefix = self.options.get("prefix")
        caption = self.options.get("caption")
        depend_on(self.env, *ids, *([prefix] if prefix else []))
        try:
            if ids:
                return [self._table([facts.get(id) for id in ids], caption)]
            if prefix is not None:
                found = facts.where(prefix)
                if not found:
                    raise facts.UnknownFact(prefix, register.installed().nearest(prefix))
                return [self._table(found, caption)]
            installed = register.installed()
            depend_on(self.env, *installed.groups())
            return [self._table(installed.group(name).values(), name) for name in installed.groups()]
        except Refusal as refusal:
            logger.warning(str(refusal), location=self.get_location(), type="facts", subtype="unknown")
            return []

    def _table(self, shown: Iterable[Fact], caption: str | None) -> nodes.table:
        heads = {"What": 48, "Value": 20, "From when, where and whom": 32}
        table = nodes.table(classes=["facts", "colwidths-given"])
        if caption:
            table += nodes.title("", caption)
        group = nodes.tgroup(cols=len(heads))
        table += group
        group += [nodes.colspec(colwidth=width) for width in heads.values()]
        group += nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph("", head)) for head in heads)))
        rows = nodes.tbody()
        group += rows
        for fact in shown:
            row = nodes.row(ids=self._anchor(fact.id))
            row += [nodes.entry("", *cell) for cell in _cells(fact)]
            rows += row
        self.set_source_info(table)
        return table

    def _anchor(self, id: str) -> list[str]:
        """The row's anchor, once a page; it is noted so that sentences can link to it."""
        docs = rows_of(self.env).setdefault(id, [])
        if self.env.docname in docs:
            return []
        docs.append(self.env.docname)
        return [anchor(id)]


def _cells(fact: Fact) -> list[list[nodes.Node]]:
    what: list[nodes.Node] = [nodes.paragraph("", fact.says)]
    if fact.conflict:
        value = units.write(fact.conflict.value, fact.conflict.unit)
        other = nodes.paragraph(classes=["fact-conflict"])
        other += [nodes.strong("", f"Another source says {value}: "), nodes.Text(fact.conflict.says), nodes.Text(" ")]
        other += nodes.reference("", fact.conflict.source.title, refuri=fact.conflict.source.url)
        what.append(other)
    if fact.note:
        what.append(nodes.paragraph("", fact.note, classes=["fact-note"]))
    what.append(nodes.paragraph("", "", nodes.literal("", fact.id), classes=["fact-id"]))
    region = "" if fact.region == "any" else f" · {fact.region}"
    standing: list[nodes.Node] = [nodes.paragraph("", f"{fact.as_of}{region}", classes=["fact-as-of"])]
    for source in fact.sources:
        link = nodes.reference("", source.title, refuri=source.url, reftitle=source.read)
        standing.append(nodes.paragraph("", "", link))
    label = CONFIDENCE[fact.confidence][0]
    standing.append(nodes.paragraph("", label, classes=["fact-confidence", f"fact-{fact.confidence}"]))
    return [what, [nodes.paragraph("", fact.readable)], standing]


def title(fact: Fact) -> str:
    """What the reader is told about a figure in a sentence: what it is, from when, how firm, from where."""
    return f"{fact.says} ({fact.standing}; {fact.sources[0].title})"


def anchor(id: str) -> str:
    """The HTML id of a fact's row."""
    return f"fact-{id.replace('.', '-').replace('_', '-')}"


def rows_of(env: BuildEnvironment) -> dict[str, list[str]]:
    """fact id: the documents with a row for it"""
    rows: dict[str, list[str]] | None = getattr(env, "fact_rows", None)
    if rows is None:
        rows = {}
        env.fact_rows = rows  # type: ignore[attr-defined]  # extensions keep what they know on the environment
    return rows


def depend_on(env: BuildEnvironment, *ids: str) -> None:
    """Build this page again when the data behind these ids, or behind their sources, change."""
    installed = register.installed()
    env.note_dependency(str(installed.folder / "sources.yaml"))
    for id in ids:
        for path in installed.files(id.partition(".")[0]):
            env.note_dependency(str(path))


def _resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Point every fact in a sentence to its row in the register's page, if there is one in this book."""
    reference = app.config.facts_reference
    for link in list(doctree.findall(FactLink)):
        id = link["fact"]
        plain = nodes.reference("", link.astext(), reftitle=link["reftitle"], classes=["fact"], refuri=link["refuri"])
        if reference in rows_of(app.env).get(id, ()):
            target = app.builder.get_relative_uri(docname, reference) if reference != docname else ""
            plain["refuri"] = f"{target}#{anchor(id)}"
            plain["internal"] = True
        link.replace_self(plain)


def _assets(
    app: Sphinx, page: str, _template: str, _context: dict[str, object], _doctree: nodes.document | None
) -> None:
    """The filter's script on the register's own page, and on no other."""
    if page == app.config.facts_reference:
        # Of the builder, not of the application: the latter would note it down as a file of every page.
        app.builder.add_js_file("facts.js", defer="defer")  # type: ignore[attr-defined]


def _purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:  # noqa: ARG001 - the event's shape
    for docs in rows_of(env).values():
        if docname in docs:
            docs.remove(docname)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: Iterable[str], other: BuildEnvironment) -> None:  # noqa: ARG001
    for id, docs in rows_of(other).items():
        mine = rows_of(env).setdefault(id, [])
        mine.extend(doc for doc in docs if doc in docnames and doc not in mine)


def _fresh(app: Sphinx) -> None:
    """Read the data anew: a server that rebuilds in one process must not show yesterday's price."""
    register.installed.cache_clear()
    catalogue.forget()
    claims.forget()
    if str(WEB) not in app.config.html_static_path:
        app.config.html_static_path.append(str(WEB))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point."""
    app.add_config_value("facts_reference", "reference/facts", "env")
    app.add_node(FactLink)
    app.add_role("fact", FactRole())
    app.add_directive("facts", FactsTable)
    app.add_directive("claims", ClaimsTable)
    app.connect("builder-inited", _fresh)
    app.connect("doctree-resolved", _resolve)
    app.connect("html-page-context", _assets)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
    app.add_css_file("facts.css")
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
