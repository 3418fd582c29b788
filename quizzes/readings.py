"""Second readings: which items somebody who did not write them has read against their sources, in which wording, and what that changed.

    python -m quizzes.readings                        how many items were read twice, and which were not
    python -m quizzes.readings record ID... --changed "distractor 'unit' could be defended; now says six months"

The record is `quizzes/readings.yaml`. It holds a print of the item's text, so that an item which was changed afterwards counts as unread
until somebody reads it again. Computed items (`family`, `seed`) are not in it: their second reading is the second implementation of
their key in the tests.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import click
import yaml

from labs import terminal
from labs.errors import FALSE, USAGE, Refusal
from labs.facts import documents
from quizzes import bank
from quizzes.model import AnyItem, CaseSet, Drawn, Reference

FILE = Path(__file__).parent / "readings.yaml"
NOT_TEXT = {"history", "allow", "est_seconds", "difficulty_prior", "bloom", "scored_in", "mode"}
"""what may change without another reading"""

State = Literal["read", "changed since", "unread"]


@dataclass(frozen=True)
class Reading:
    """One second reading of one item."""

    on: date
    changed: str
    """what it changed, in a sentence; "nothing" where nothing was wrong"""
    print: str
    """of the text that was read, after the change"""


def text_print(item: AnyItem, scenario: str = "") -> str:
    """Ten hexadecimal digits that change with any word, figure or key of the item (and of its case's scenario)."""
    said = [scenario, item.model_dump(mode="json", exclude=NOT_TEXT)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:10]


def authored(folder: Path = bank.BANK) -> dict[str, str]:
    """The print of every written item of the bank: id → print. Drawn items and references are left out."""
    prints: dict[str, str] = {}
    for slug in bank.slugs(folder):
        for entry in bank.written(slug, folder).items:
            if isinstance(entry, CaseSet):
                prints |= {item.id: text_print(item, entry.scenario) for item in entry.items}
            elif not isinstance(entry, Drawn | Reference):
                prints[entry.id] = text_print(entry)
    return prints


def load(file: Path = FILE) -> dict[str, Reading]:
    """The record. Refusal with file and line if it is not as it must be."""
    if not file.exists():
        return {}
    document = documents.read(file)
    readings: dict[str, Reading] = {}
    for name, row in (document.data or {}).items():
        problem = _problem(row)
        if problem:
            raise Refusal(f"{documents.shown(file)}:{document.line((name,))}: {name}: {problem}", FALSE)
        readings[str(name)] = Reading(row["on"], row["changed"], row["print"])
    return readings


def _problem(row: Any) -> str:
    if not isinstance(row, dict) or set(row) != {"on", "changed", "print"}:
        return "a reading has `on`, `changed` and `print`"
    if not isinstance(row["on"], date):
        return "`on` is a date"
    if not all(isinstance(row[name], str) and row[name].strip() for name in ("changed", "print")):
        return "`changed` and `print` are texts"
    return ""


def states(folder: Path = bank.BANK, file: Path = FILE) -> dict[str, State]:
    """How each written item stands."""
    readings = load(file)
    return {
        name: "unread" if name not in readings else "read" if readings[name].print == now else "changed since"
        for name, now in authored(folder).items()
    }


def record(names: Iterable[str], changed: str, on: date, folder: Path = bank.BANK, file: Path = FILE) -> None:
    """Write readings down. Refusal for an id that no written item has, or an empty `changed`."""
    prints, readings = authored(folder), load(file)
    if not changed.strip():
        raise Refusal("say what the reading changed, or `nothing`", USAGE)
    for name in names:
        if name not in prints:
            raise Refusal(f"no written item of the bank has the id '{name}'", USAGE)
        readings[name] = Reading(on, changed.strip(), prints[name])
    rows = {name: vars(readings[name]) for name in sorted(readings) if name in prints}
    head = "# Second readings of the bank's items; written by `python -m quizzes.readings record`.\n"
    file.write_text(head + yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, width=1000), "utf-8")


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """How many items were read a second time, in their present wording."""
    if context.invoked_subcommand:
        return
    found = states()
    for name, state in found.items():
        if state != "read":
            click.echo(f"{name}: {state}")
    terminal.say(f"{sum(state == 'read' for state in found.values())} of {len(found)} written items were read twice.")


@main.command("record")
@click.argument("names", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--changed", required=True, help="What the reading changed, in a sentence; `nothing` where nothing was wrong."
)
def record_command(names: tuple[str, ...], changed: str) -> None:
    """Record a second reading of these items, as they stand now."""
    record(names, changed, date.today())


if __name__ == "__main__":
    main()
