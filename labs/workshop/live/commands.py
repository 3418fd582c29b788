"""`lab room`: a seat in a workshop's room, from a terminal.

lab room join http://192.168.1.10:8000 --name Anna     # from then on `lab check` says how far you are
lab room send checks.jsonl --name Anna                 # a log that came on a stick
"""

import hashlib
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import terminal
from labs.check import log
from labs.check import room as client
from labs.check.room import Joined
from labs.errors import FALSE, USAGE, Refusal

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def room() -> None:
    """A seat in a workshop's room: while you have one, 'lab check' tells it lab, task, and passed or not. Nothing else is sent."""


@room.command()
@click.argument("url")
@click.option("--name", help="Under which the instructor sees you: a short name, or a number.")
@click.option("--seat", help="The seat that you have taken in the browser; the room's page shows it.")
@JSON_OPTION
def join(url: str, name: str | None, seat: str | None, as_json: bool) -> None:
    """Take a seat in the room at URL, or use the one that you have taken in the browser. Again: the same seat."""
    where, kept = client.address(url), client.kept()
    if seat is None:
        if name is None:
            raise Refusal("say under which name: --name Anna, or --name 17", USAGE)
        seat = kept.seat if kept is not None and kept.url == where else secrets.token_hex(10)
        # Kept before it is sent: should the answer be lost, the next try has the same seat.
        client.keep(Joined(where, seat, name))
        said = client.post(where, "api/join", {"seat": seat, "name": name})
    else:
        said = client.post(where, "api/me", {"seat": seat})
    mine = Joined(where, seat, str(said.get("name", "")))
    client.keep(mine)
    if as_json:
        terminal.emit_json({"url": mine.url, "name": mine.name, "number": said.get("number")})
        return
    terminal.say(f"You are [b]{escape(mine.name)}[/b] in {mine.url}.")
    if os.environ.get(client.ROOM):
        terminal.say(f"{client.ROOM} is set in this shell, and goes before it.")
    terminal.say("'lab check' now tells the room lab, task, and passed or not. 'lab room leave' ends that.")


@room.command()
@JSON_OPTION
def status(as_json: bool) -> int:
    """Which room is told, and whether it answers."""
    mine = client.joined()
    if mine is None:
        if as_json:
            terminal.emit_json({"url": None, "name": None, "answers": False})
        else:
            terminal.say("No room is told anything. 'lab room join URL --name NAME' takes a seat.")
        return FALSE
    said: dict[str, Any] = {}
    problem = ""
    try:
        said = client.post(mine.url, "api/me", {"seat": mine.seat})
    except Refusal as refused:
        problem = str(refused)
    if as_json:
        terminal.emit_json({"url": mine.url, "name": said.get("name", mine.name), "answers": not problem, "problem": problem})  # fmt: skip
    elif problem:
        terminal.say(escape(f"{problem[0].upper()}{problem[1:]}."))
    else:
        terminal.say(escape(f"You are {said['name']} in {mine.url}; {said['place']}."))
    return FALSE if problem else 0


@room.command()
@JSON_OPTION
def leave(as_json: bool) -> None:
    """Tell the room nothing more. Your seat stays there; joining again gives it back."""
    was = client.kept()
    with suppress(FileNotFoundError):
        client.path().unlink()
    if as_json:
        terminal.emit_json({"left": was.url if was else None})
    else:
        terminal.say(f"{was.url} is told nothing more." if was else "No room was told anything.")


@room.command()
@click.argument("logfile", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--room", "url", help="The room's address; the one that you have joined, unless you say so.")
@click.option("--name", help="Whose log it is: it gets a seat of its own, the same one each time it is sent.")
@JSON_OPTION
def send(logfile: Path | None, url: str | None, name: str | None, as_json: bool) -> None:
    """Send what is in a log of checks: your own, or LOGFILE, which came on a stick from a machine that has no network.

    A log is LAB_HOME/checks.jsonl. Times in it are that machine's, and are not sent.
    """
    mine = client.joined()
    where = client.address(url) if url else mine.url if mine else ""
    if not where:
        raise Refusal("which room? --room http://192.168.1.10:8000, or join one first", USAGE)
    if logfile is not None and name is None:
        raise Refusal(f"whose log is {logfile}? say --name", USAGE)
    reports, unread = read(logfile or log.path())
    if not reports:
        raise Refusal(f"there is nothing in {logfile or log.path()} that a check has said", FALSE)
    if name is not None:
        seat = hashlib.sha256(json.dumps([where, name, reports[0]]).encode()).hexdigest()[:20]
        name = str(client.post(where, "api/join", {"seat": seat, "name": name})["name"])
    elif mine is not None and mine.url == where:
        seat, name = mine.seat, mine.name
    else:
        raise Refusal(f"you have no seat in {where}: say --name, or join it first", USAGE)
    place, refused = "", list[str]()
    for slug, tasks in last_of(reports).items():
        try:
            place = str(client.post(where, "api/report", {"seat": seat, "lab": slug, "tasks": tasks})["place"])
        except Refusal as why:
            if why.exit_status != FALSE:
                raise
            refused.append(f"{slug}: {why}")
    if as_json:
        terminal.emit_json({"url": where, "name": name, "place": place, "labs": len(last_of(reports)) - len(refused), "refused": refused, "unread_lines": unread})  # fmt: skip
    else:
        terminal.say(escape(f"Sent to {where} for {name}: {place or 'nothing'}."))
        for line in refused:
            terminal.say(escape(f"Not taken: {line}."))
        if unread:
            terminal.say(f"{unread} lines of the log could not be read, and were passed over.")
    if refused and not place:
        raise Refusal("the room took none of it", FALSE)


Report = tuple[str, dict[str, bool]]


def read(path: Path) -> tuple[list[Report], int]:
    """What a log says, oldest first: (lab, task: passed); and how many of its lines say nothing. Raises Refusal when it is not there."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as missing:
        raise Refusal(f"{path} cannot be read ({missing.strerror})", FALSE) from None
    found: list[Report] = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            said = json.loads(line)
            if tasks := client.tasks_of(said["checks"].values()):
                found.append((str(said["lab"]), tasks))
    return found, len(lines) - len(found)


def last_of(reports: list[Report]) -> dict[str, dict[str, bool]]:
    """Of each lab, each task's best; the lab that was worked on last comes last."""
    best: dict[str, dict[str, bool]] = {}
    for slug, tasks in reports:
        known = best.pop(slug, {})
        best[slug] = known | {task: passed or known.get(task, False) for task, passed in tasks.items()}
    return best
