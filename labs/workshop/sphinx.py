"""Directives of the pages for teachers: {agenda}, a course as sessions with their cut lines.

    ```{agenda} half-day
    ```

A session that is longer than its room is a warning, and a warning fails the build.
"""

from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from labs.check import labs as checks
from labs.errors import Refusal
from labs.workshop import agenda
from labs.workshop.agenda import WORDS, Agenda, Row, Session, clock

logger = logging.getLogger(__name__)
LATE_MIN = (15, 30)


class AgendaTables(SphinxDirective):
    """An agenda's sessions: a timetable each, cut lines, and its tasks with their commands folded away."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """What the page's own Markdown would give."""
        book = Path(self.env.srcdir)
        for path in (agenda.DATA, *Path(str(checks.__file__)).parent.glob("*.py")):
            self.env.note_dependency(str(path))
        try:
            made = agenda.plan(self.arguments[0], book=book)
        except Refusal as wrong:
            self._warn(str(wrong))
            return []
        for session in made.sessions:
            for row in session.rows:
                if row.slug:
                    self.env.note_dependency(str(book / f"{row.slug}.md"))
        for said in agenda.overruns(made):
            self._warn(said)
        holder = nodes.Element()
        text = StringList(list(markdown(made)), source=agenda.__file__)
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children

    def _warn(self, said: str) -> None:
        logger.warning("%s", said, location=self.get_location(), type="agenda", subtype="agenda")


def markdown(made: Agenda) -> Iterator[str]:
    """The sessions, line by line."""
    for session in made.sessions:
        if len(made.sessions) > 1:
            yield from ("", f"**{session.title}**", "")
        yield from ("", "| From | What | Minutes |", "|--:|---|--:|")
        yield from (f"| {clock(row.at_min)} | {_what(row)} | {row.minutes} |" for row in session.rows)
        taught, slack, labs = (
            session.minutes("read", "lab", "quiz", "do"),
            session.minutes("slack"),
            session.minutes("lab"),
        )
        said = f"{taught} minutes taught{f', {labs} of them in labs' if labs else ''}; {slack} of slack"
        yield from (f"| **{clock(session.end_min)}** | **End** | {said} |", "")
        yield from _cut_lines(session)
        yield from _tasks(session)


def _what(row: Row) -> str:
    return f"[](/{row.slug}.md): {WORDS[row.kind]}" if row.slug else row.title if row.taught else f"*{row.title}*"


def _cut_lines(session: Session) -> Iterator[str]:
    lines = [(late, each) for late in LATE_MIN for each in agenda.cuts(session, late)]
    if not lines:
        return
    yield from ("| Late, from | Drop | Then everyone |", "|---|---|---|")
    for late, each in sorted(lines, key=lambda line: (line[1].at_min, line[0])):
        drop = agenda.listed(each.drop) + (f"; {each.rest}" if each.rest else "")
        yield f"| {late} minutes, {clock(each.at_min)} | {drop} | {'; '.join(f'`{one}`' for one in each.catch_up) or '–'} |"
    yield ""


def _tasks(session: Session) -> Iterator[str]:
    labs = [row for row in session.rows if row.tasks]
    if not labs:
        return
    yield from (
        "````{dropdown} Task by task, and who comes late",
        "| From | Task | Minutes | To begin there |",
        "|--:|---|--:|---|",
    )
    for row in labs:
        for at, task in agenda.timed(row):
            name = f"{int(row.slug[:2])}.{task.number} {task.title}{' (stretch)' if task.stretch else ''}"
            command = f"`{agenda.catch_up(row.slug, task.number)}`" if task != row.tasks[0] else "from the top"
            yield f"| {clock(at)} | {name} | {task.minutes} | {command} |"
    yield from ("````", "")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point."""
    app.add_directive("agenda", AgendaTables)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
