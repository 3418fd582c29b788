"""Directives of the pages for teachers: {agenda}, a course as sessions with their cut lines; {room-cost}, the labs' bill on real AWS.

    ```{agenda} half-day
    ```

    ```{room-cost} 40
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
from labs.facts.register import DATA as FACTS
from labs.workshop import agenda, money
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


class RoomCost(SphinxDirective):
    """Each lab's bill for one person and for so many, and the quotas that a new account lacks."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Two tables."""
        for path in (*FACTS.rglob("*.yaml"), money.DATA, *Path(str(checks.__file__)).parent.glob("*.py")):
            self.env.note_dependency(str(path))
        try:
            sheet = money.sheet([], int(self.arguments[0]))
        except (Refusal, ValueError) as wrong:
            logger.warning("%s", wrong, location=self.get_location(), type="room-cost", subtype="room-cost")
            return []
        holder = nodes.Element()
        text = StringList(list(cost_tables(sheet)), source=money.__file__)
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children


def cost_tables(sheet: money.Sheet) -> Iterator[str]:
    """The sheet, line by line."""
    yield from (
        "",
        f"| Lab | Stands (hours) | Each (USD) | {sheet.people} people (USD) | Without |",
        "|---|--:|--:|--:|---|",
    )
    for row in sheet.rows:
        usd = f"{row.bill.usd:,.2f} | {sheet.people * row.bill.usd:,.2f}"
        yield f"| [](/labs/{row.slug}.md) | {row.hours:.1f} | {usd} | {'; '.join(row.without) or '–'} |"
    yield f"| **Together** | | **{sheet.each_usd:,.2f}** | **{sheet.room_usd:,.2f}** | |"
    yield from ("", f"List prices, the oldest as of {sheet.prices_as_of}.", "")
    yield from ("| Quota | A new account has | One account needs |", "|---|--:|--:|")
    yield from (f"| {need.name} | {need.default:g} | {need.amount:g} |" for need in sheet.needs)
    yield ""


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
    yield from (
        "````{dropdown} When it is late: what to drop",
        "| Late, from | Drop | Then everyone |",
        "|---|---|---|",
    )
    for late, each in sorted(lines, key=lambda line: (line[1].at_min, line[0])):
        drop = agenda.listed(each.drop) + (f"; {each.rest}" if each.rest else "")
        yield f"| {late} minutes, {clock(each.at_min)} | {drop} | {'; '.join(f'`{one}`' for one in each.catch_up) or '–'} |"
    yield from ("````", "")


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
    app.add_directive("room-cost", RoomCost)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
