"""A decision record: one page of Markdown that a team could sign and somebody else could check a year later."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from labs import facts
from labs.decide import words
from labs.decide.advisor import Advice
from labs.decide.option import Option
from labs.errors import USAGE, Refusal

MOST_FACTS = 10


def write(advice: Advice, path: Path, on: date, *, force: bool = False) -> None:
    """Write the record. Raises Refusal rather than overwrite a file, unless told to."""
    if path.exists() and not force:
        raise Refusal(f"{path} exists; choose another name, or say --force to overwrite it", USAGE)
    try:
        path.write_text(record(advice, on), encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}", USAGE) from None


def record(advice: Advice, on: date) -> str:
    """The page."""
    best = advice.best
    parts = [
        f"# Where {advice.case.name} runs",
        f"Status: proposed on {on.isoformat()}. Latencies are predicted by a serving model, not measured. "
        "Prices and limits are those of a dated register, listed below.",
        "## Context",
        f"{words.workload(advice)}. That is {advice.case.traffic().requests_per_month:,.0f} requests a month.",
        _bullets([f"{line[0].upper()}{line[1:]}." for line in words.conditions(advice)]),
        "## Options",
        _options(advice),
        _out(advice),
        "## Decision",
        f"**{advice.says}.**" if best else f"**{advice.says}**",
        advice.agrees,
        *([_bill(best)] if best and best.bill else []),
        f"In the exam's wording the answer is: {advice.exam.says}.",
        "## What would flip it",
        _bullets(_flips(advice)),
        "## What is unknown",
        _bullets([words.unknown_line(unknown) for unknown in advice.unknowns] or ["Nothing that moves a cost."]),
        "## Before it works",
        _bullets(_before(advice)),
        "## Facts it rests on",
        _facts(advice),
        "## Signed",
        "| role | name | date |\n|---|---|---|\n| decides | | |\n| pays | | |\n| runs it at night | | |",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _options(advice: Advice) -> str:
    if not advice.ranked:
        return "Nothing satisfies all of it."
    head = "| | target | a month | range | first token, p99 (s) | last token, p99 (s) | in use |\n|---|---|--:|--:|--:|--:|--:|"
    return "\n".join([head, *(_row(option) for option in advice.ranked)])


def _row(option: Option) -> str:
    prediction = option.prediction
    cells = (
        f"{option.rank}{'=' if option.tied else ''}",
        "; ".join([f"{option.target}, {option.what}", *words.marks(option)]),
        words.money(option.usd),
        words.money_range(option) or "-",
        words.seconds(prediction.ttft_p99 if prediction else None),
        words.seconds(prediction.e2e_p99 if prediction else None),
        words.used(option),
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _out(advice: Advice) -> str:
    if not advice.ruled_out:
        return ""
    lines = [
        f"{', '.join(option.target for option in options)}: {because}."
        for options, because in words.grouped_out(advice)
    ]
    return "Out:\n\n" + _bullets(lines)


def _bill(best: Option) -> str:
    assert best.bill is not None
    lines = [
        f"{line.name} {words.money(line.usd)}{f' ({line.assumption})' if line.assumption else ''}"
        for line in best.bill.lines
    ]
    return f"A month of it: {'; '.join(lines)}."


def _flips(advice: Advice) -> list[str]:
    lines = [*words.flip_lines(advice), *words.break_evens(advice)]
    lines += [f"{what.says[0].upper()}{what.says[1:]}." for what in advice.what_ifs[:4]]
    if nothing := words.nothing_flips(advice):
        lines.append(nothing)
    return lines or ["No single requirement, dropped alone, opens a target."]


def _before(advice: Advice) -> list[str]:
    best = advice.best
    if best is None:
        return ["Change the requirements."]
    lines = [f"Mind: {caution.because}." for caution in best.cautions]
    lines += [f"{todo[0].upper()}{todo[1:]}." for todo in words.to_do(advice)]
    return [*lines, f"Deploy: `{best.deploy}`. Then measure, and put the measured figures beside the predicted ones."]


def _facts(advice: Advice) -> str:
    """Those behind the decision first, then those behind the rest, as many as a page takes."""
    first = advice.best.facts() if advice.best else ()
    ids = list(dict.fromkeys((*first, *advice.facts())))
    rows = ["| fact | value | as of | source |", "|---|---|---|---|"]
    for id in ids[:MOST_FACTS]:
        fact = facts.get(id)
        rows.append(
            f"| `{id}` | {fact.readable} | {fact.as_of} ({fact.confidence}) | [{fact.sources[0].title}]({fact.source}) |"
        )
    rest = len(ids) - MOST_FACTS
    more = f"\n\nAnd {rest} more: `lab decide ... --json` lists them all." if rest > 0 else ""
    return "\n".join(rows) + more
