"""The directive {claims}: what is taught beside what is so, by section of the textbook view, or the common teaching."""

from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from labs.errors import Refusal
from labs.facts import claims, register
from labs.facts.claims import VERDICTS, Claim

logger = logging.getLogger(__name__)


class ClaimsTable(SphinxDirective):
    """```{claims}``` with `:section: 5`, or `:origin: common`, or ids as its argument or content."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {"section": directives.unchanged_required, "origin": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """One table: what is said, our verdict, what is so."""
        self._depend()
        ids = [id for line in (*self.arguments, *self.content) for id in line.replace(",", " ").split()]
        section, origin = self.options.get("section"), self.options.get("origin")
        try:
            if ids:
                chosen = [claims.get(id) for id in ids]
            else:
                every = claims.all().values()
                chosen = [c for c in every if section in (None, c.section) and origin in (None, c.origin)]
        except Refusal as refusal:
            logger.warning(str(refusal), location=self.get_location(), type="facts", subtype="unknown")
            return []
        if not chosen:
            logger.warning("no claim fits these options", location=self.get_location(), type="facts", subtype="unknown")
            return []
        return [self._table(chosen)]

    def _depend(self) -> None:
        installed = register.installed()
        for path in (installed.folder / "claims.yaml", installed.folder / "sources.yaml", *installed.files()):
            self.env.note_dependency(str(path))

    def _table(self, chosen: list[Claim]) -> nodes.table:
        heads = {"What is said": 30, "Verdict": 20, "What is so": 50}
        table = nodes.table(classes=["claims", "colwidths-given"])
        group = nodes.tgroup(cols=len(heads))
        table += group
        group += [nodes.colspec(colwidth=width) for width in heads.values()]
        group += nodes.thead("", nodes.row("", *(nodes.entry("", nodes.paragraph("", head)) for head in heads)))
        rows = nodes.tbody()
        group += rows
        for claim in chosen:
            verdict = nodes.paragraph(
                "", "", nodes.strong("", claim.verdict), nodes.Text(f": {VERDICTS[claim.verdict]}")
            )
            cells = (nodes.paragraph("", claim.says), verdict, nodes.paragraph("", claim.truth))
            rows += nodes.row("", *(nodes.entry("", cell) for cell in cells))
        self.set_source_info(table)
        return table
