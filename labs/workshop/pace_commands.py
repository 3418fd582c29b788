"""`lab agenda`, `lab reveal`: what whoever runs a session looks up before it and during it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import terminal
from labs.check import student
from labs.errors import FALSE, Refusal
from labs.workshop import agenda as agendas
from labs.workshop import reveal as reveals
from labs.workshop.agenda import Agenda, Row, Session, clock

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
LATE_MIN = (15, 30)
"""How late a session is, in the cut lines that are printed unless somebody says otherwise."""


@click.command()
@click.argument("name", required=False)
@click.option("--start", default="", metavar="H:MM", help="When the sessions begin, instead of when the data says.")
@click.option("--end", default="", metavar="H:MM", help="When the room has to be left; an agenda that is longer fails.")
@click.option(
    "--late", "late", type=click.IntRange(1, 240), multiple=True, metavar="MINUTES", help="Cut lines for so late."
)
@click.option("--tasks", is_flag=True, help="Show each task of the labs, and the command that catches up with it.")
@json_option
def agenda(name: str | None, start: str, end: str, late: tuple[int, ...], tasks: bool, as_json: bool) -> None:
    """A session's agenda with its slack, and what to drop when it is late. Without a name: the agendas there are."""
    if name is None:
        _list(as_json)
        return
    made = agendas.plan(name, start, end)
    agendas.require_fit(made)
    lateness = sorted(set(late)) or list(LATE_MIN)
    if as_json:
        terminal.emit_json(
            asdict(made) | {"sessions": [_session_as_json(session, lateness) for session in made.sessions]}
        )
        return
    terminal.say(f"[b]{escape(made.title)}.[/] {escape(made.audience)}")
    for session in made.sessions:
        _show(session, lateness, tasks)
    if not tasks:
        terminal.say(f"Next: lab agenda {made.name} --tasks shows each task and the command that catches up with it.")


def _list(as_json: bool) -> None:
    known: list[Agenda] = [agendas.plan(name) for name in agendas.names()]
    if as_json:
        terminal.emit_json([{"name": one.name, "title": one.title, "sessions": len(one.sessions)} for one in known])
        return
    rows = [
        (one.name, one.title, ", ".join(f"{clock(s.rows[0].at_min)}-{clock(s.end_min)}" for s in one.sessions))
        for one in known
    ]
    terminal.table("Agendas", ["name", "what", "sessions"], rows)
    terminal.say("Next: lab agenda NAME, and --start 10:00 to move it.")


def _session_as_json(session: Session, lateness: list[int]) -> dict[str, Any]:
    return {
        "title": session.title,
        "ends": clock(session.end_min),
        "until": clock(session.until_min),
        "rows": [_row_as_json(row) for row in session.rows],
        "cuts": [
            {
                "at": clock(cut.at_min),
                "late_min": cut.late_min,
                "drop": [asdict(each) for each in cut.drop],
                "missing_min": cut.missing_min,
                "slack_min": cut.slack_min,
                "catch_up": cut.catch_up,
            }
            for late in lateness
            for cut in agendas.cuts(session, late)
        ],
    }


def _row_as_json(row: Row) -> dict[str, Any]:
    said: dict[str, Any] = {"at": clock(row.at_min), "minutes": row.minutes, "kind": row.kind, "title": row.title}
    if row.slug:
        said["lesson"] = row.slug
    if row.tasks:
        said["tasks"] = [
            asdict(task) | {"at": clock(at), "catch_up": agendas.catch_up(row.slug, task.number)}
            for at, task in agendas.timed(row)
        ]
    return said


def _show(session: Session, lateness: list[int], tasks: bool) -> None:
    rows: list[tuple[object, ...]] = []
    for row in session.rows:
        rows.append((clock(row.at_min), escape(agendas.called(row)), row.minutes))
        for at, task in agendas.timed(row) if tasks else ():
            name = f"  {task.number} {task.title}{' (stretch)' if task.stretch else ''}"
            command = f"\n  [dim]{agendas.catch_up(row.slug, task.number)}[/]" if task != row.tasks[0] else ""
            rows.append((f"  {clock(at)}", escape(name) + command, task.minutes))
    rows.append(
        (f"[b]{clock(session.end_min)}[/]", f"[b]End[/] (the room is yours until {clock(session.until_min)})", "")
    )
    terminal.table(session.title, ["from", "what", "(min)"], rows)
    for late in lateness:
        for cut in agendas.cuts(session, late):
            words = f"{late} minutes late from {clock(cut.at_min)} on: drop {agendas.listed(cut.drop)}"
            missing = f"; {cut.rest}" if cut.rest else ""
            then = f". Then everyone: {'; '.join(cut.catch_up)}" if cut.catch_up else ""
            terminal.say(escape(f"{words}{missing}{then}."))


@click.group()
def reveal() -> None:
    """A lab's solutions, locked; a code for each task, to show in class when its time is up."""


@reveal.command("make")
@click.argument("slug")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; by default SLUG.reveal."
)
@click.option("--force", is_flag=True, help="Write over a file that is there: its codes open nothing any more.")
@json_option
def make(slug: str, out: Path | None, force: bool, as_json: bool) -> None:
    """Lock a lab's solutions into a file for the kit, and print the code of each task. Nobody keeps the codes but you."""
    lab = student.find(slug)
    bundle = out or Path(f"{lab.stem}{reveals.SUFFIX}")
    if bundle.exists() and not force:
        raise Refusal(f"{bundle} is there, with codes that you may have written down; --force makes new ones", FALSE)
    codes = reveals.seal(lab, bundle)
    if as_json:
        terminal.emit_json({"lab": lab.stem, "bundle": str(bundle), "codes": codes})
        return
    titles = reveals.solutions(lab)
    terminal.table(
        f"Codes of {lab.stem}",
        ["task", "title", "code"],
        [(n, escape(titles[n].title), code) for n, code in codes.items()],
    )
    terminal.say(f"{escape(str(bundle))} goes into the kit. Write the codes down: they are kept nowhere else.")
    terminal.say("Next, when a task's time is up, show its code; everyone types: lab reveal open CODE")


@reveal.command("open")
@click.argument("code", nargs=-1, required=True)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="The file of locked solutions; by default every one here, in kit/ or LAB_HOME.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the cells into this Python file instead."
)
@json_option
def open_(code: tuple[str, ...], bundle: Path | None, out: Path | None, as_json: bool) -> None:
    """Print, or write, the solution that a code opens."""
    if out is not None and out.exists():
        raise Refusal(f"{out} is there and is left as it is; name another file", FALSE)
    opened = reveals.unseal("".join(code), reveals.bundles(bundle))
    if out is not None:
        out.write_text(opened.as_python(), "utf-8")
    if as_json:
        terminal.emit_json(asdict(opened) | ({"file": str(out)} if out else {}))
    elif out is not None:
        terminal.say(
            f"Task {opened.task} of {opened.lab}, {escape(opened.title)}: {len(opened.cells)} cells are in {escape(str(out))}."
        )
    else:
        terminal.out.print(opened.as_python(), markup=False, end="")
