"""What a deck of slides is drawn with: the lessons' own boxes, charts, diagrams and facts, and votes in place of questions.

`binding` runs Sphinx with its builder for reveal.js, `votes` shows an item of the bank to a room, `halves` lays out tall diagrams, `web` has the look. The decks' sources come
from `labs.workshop.slides`.
"""

from typing import Any, ClassVar

from bookbinding import boxes, diagrams, mathematics, runs
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.typing import ExtensionMetadata

from slidedeck import halves, votes
from slidedeck.votes import Notes

LONG_CHARS = {"long": 480, "longer": 760, "longest": 1_080}
"""class: from how many characters on a slide's text is set smaller"""


ROW_CHARS = 60
"""An option of a vote takes as much room as so many characters more."""


class Body(nodes.Element):
    """All of a slide below its heading."""


class SlideDirective(SphinxDirective):
    """```{slide} KIND```: the slide's body, set as large as its length allows."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """A container whose classes are its kind and its length."""
        holder = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, holder)
        apart = [each for each in holder.children if isinstance(each, Notes)]
        shown = [each for each in holder.children if not isinstance(each, Notes)]
        length = sum(len(votes.text_of(each)) + ROW_CHARS * votes.rows_of(each) for each in shown)
        classes = ["slide-body", self.arguments[0], *(name for name, chars in LONG_CHARS.items() if length > chars)]
        if self.arguments[0] == "chart":  # the room says first what it should look like
            classes.append("fragment")
        return [Body("", *shown, classes=classes), *apart]


class NotesDirective(SphinxDirective):
    """```{notes}```: the speaker's."""

    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """An aside that reveal.js keeps from the room."""
        node = Notes()
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class Left(SphinxDirective):
    """What a page folds away and a slide leaves out."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Nothing."""
        return []


class Deck(SphinxRole):
    """A link from the list to a deck, by the lesson's slug."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The deck's title comes when all are read."""
        link = nodes.reference("", self.text, refuri=f"{self.text}.html", internal=True, deck=self.text)
        return [link], []


def _resolve(app: Sphinx, doctree: nodes.document, docname: str) -> None:  # noqa: ARG001 - the event's shape
    """Titles for the list's links; every other link becomes its text, since a room may have no network."""
    for link in list(doctree.findall(nodes.reference)):
        if deck := link.get("deck"):
            link.children = [nodes.Text(f"{int(deck[:2])} · {app.env.titles[deck].astext()}")]
        else:
            link.replace_self(nodes.inline("", "", *link.children, classes=["figure"]))


def _visit_notes(self: Any, node: Notes) -> None:  # noqa: ARG001
    self.body.append('<aside class="notes">\n')


def _depart_notes(self: Any, node: Notes) -> None:  # noqa: ARG001
    self.body.append("</aside>\n")


def _visit_body(self: Any, node: Body) -> None:
    self.body.append(self.starttag(node, "div"))


def _depart_body(self: Any, node: Body) -> None:  # noqa: ARG001
    self.body.append("</div>\n")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point."""
    for part in (boxes, runs, diagrams, mathematics):
        part.setup(app)
    app.add_node(Notes, html=(_visit_notes, _depart_notes))
    app.add_node(Body, html=(_visit_body, _depart_body))
    app.add_directive("slide", SlideDirective)
    app.add_directive("notes", NotesDirective)
    app.add_directive("diagram", halves.SlideDiagram, override=True)
    app.add_directive("vote", votes.Vote)
    app.add_directive("verdict", votes.Verdict)
    for name in ("dropdown", "claims", "toc"):
        app.add_directive(name, Left, override=True)
    app.add_role("deck", Deck())
    app.connect("doctree-resolved", _resolve, priority=900)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
