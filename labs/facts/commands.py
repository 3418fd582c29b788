"""`lab facts`: list the register, check it, compare it with today's Price List."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import click

from labs import terminal
from labs.errors import FALSE, USAGE, Refusal
from labs.facts import prices, register, where
from labs.facts.audit import MAX_AGE_DAYS, Finding, audit
from labs.facts.refresh import INDEX, Change, Client, Download, Folder, PriceList, compare, shown, write
from labs.facts.schema import Fact

NOTICEABLE_PERCENT = 5.0
"""A price that moves by more than this deserves a look at the lessons that mention it."""


@click.group()
def facts() -> None:
    """The dated register of prices, limits and quotas."""


@facts.command("list")
@click.argument("prefix", default="")
@click.option("--json", "as_json", is_flag=True, help="For programs: every field of every fact.")
def list_(prefix: str, as_json: bool) -> None:
    """Show the facts whose id begins with PREFIX ("sqs.", "bedrock.price.llama"), or all of them."""
    found = where(prefix) if prefix else register.installed().all()
    if not found:
        near = register.installed().nearest(prefix)
        raise Refusal(f"no fact begins with '{prefix}'" + (f"; nearest: {', '.join(near)}" if near else ""), FALSE)
    if as_json:
        terminal.emit_json([_record(fact) for fact in found])
        return
    rows = [(fact.id, fact.readable, fact.as_of, fact.confidence) for fact in found]
    terminal.table(f"{len(found)} facts", ("id", "value", "as of", "confidence"), rows)
    terminal.say("What one of them means and where it is from: [b]lab facts list ID --json[/b]")


@facts.command()
@click.option(
    "--max-age-days", default=MAX_AGE_DAYS, show_default=True, type=click.IntRange(min=1), help="Warn past this age."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def check(max_age_days: int, as_json: bool) -> None:
    """Look for what is wrong with the register: fail on errors, warn of what has grown old."""
    found = audit(register.installed(), date.today(), max_age_days)
    errors = [finding for finding in found if finding.level == "error"]
    facts = 0 if errors else len(register.installed().all())
    if as_json:
        terminal.emit_json({"ok": not errors, "facts": facts, "findings": [_finding(finding) for finding in found]})
    else:
        for finding in found:
            click.echo(str(finding))
        if not errors:
            terminal.say(f"{facts} facts: no errors, {len(found)} warnings.")
    if errors:
        raise Refusal(f"{len(errors)} errors in the register, the first at {errors[0]}", FALSE)


@facts.command()
@click.option(
    "--offer-files", type=click.Path(path_type=Path), help="Read offer files from this folder instead of the network."
)
@click.option(
    "--client", is_flag=True, help="Ask boto3's pricing client, with your credentials (read only, not charged)."
)
@click.option(
    "--service", "services", multiple=True, metavar="CODE", help="Only this service of the Price List; may be repeated."
)
@click.option("--write", "writes", is_flag=True, help="Write the new prices into the register's files.")
@click.option("--index", default=INDEX, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def refresh(
    offer_files: Path | None, client: bool, services: tuple[str, ...], writes: bool, index: str, as_json: bool
) -> None:
    """Compare the prices with AWS's public Price List. Nothing is written without --write."""
    if offer_files and client:
        raise Refusal("--offer-files and --client exclude each other; choose one", USAGE)
    price_list: PriceList = (
        Folder(offer_files) if offer_files else Client() if client else Download(index, frozenset(services))
    )
    installed = register.installed()
    known = sorted({lookup.service for lookup in prices.load(installed).values()})
    strange = sorted(set(services) - set(known))
    if strange:
        raise Refusal(f"no price of ours comes from '{strange[0]}'; there are {', '.join(known)}", USAGE)
    changes = compare(installed, price_list, services)
    moved = [change for change in changes if change.moved]
    confirmed = [change for change in changes if change.quote is not None and not change.moved]
    unknown = [change for change in changes if change.quote is None]
    written = write(installed, [*moved, *confirmed]) if writes else []
    if written:
        register.installed.cache_clear()
    if as_json:
        terminal.emit_json(
            {
                "moved": [change.as_json() for change in moved],
                "same": [change.fact.id for change in confirmed],
                "unknown": [change.as_json() for change in unknown],
                "written": [str(path) for path in written],
            }
        )
        return
    _say(moved, confirmed, unknown, written)


def _say(moved: list[Change], confirmed: list[Change], unknown: list[Change], written: list[Path]) -> None:
    if moved:
        terminal.table("Prices that moved", ("id", "was", "now", "change (%)"), [shown(change) for change in moved])
    far = [change for change in moved if abs(change.percent) > NOTICEABLE_PERCENT]
    if far:
        terminal.say(
            f"{len(far)} moved by more than {NOTICEABLE_PERCENT:.0f} %: read the lessons that mention them again."
        )
    reasons: dict[str, int] = {}
    for change in unknown:
        reasons[change.problem or ""] = reasons.get(change.problem or "", 0) + 1
    for reason, count in list(reasons.items())[:10]:
        click.echo(f"not compared ({count}): {reason}")
    if len(reasons) > 10:
        click.echo(f"... and {len(reasons) - 10} more reasons; --json has them all")
    terminal.say(f"{len(moved)} moved, {len(confirmed)} the same, {len(unknown)} not compared.")
    if written:
        terminal.say("Written: " + ", ".join(str(path) for path in written))
    elif moved or confirmed:
        terminal.say("Nothing was written; [b]--write[/b] does.")


def _record(fact: Fact) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(fact.model_dump_json())
    return {**record, "readable": fact.readable}


def _finding(finding: Finding) -> dict[str, Any]:
    return {"level": finding.level, "path": str(finding.path), "line": finding.line, "message": finding.message}
