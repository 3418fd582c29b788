"""`lab room-cost`, `lab room-accounts`, `lab left`: a room's money, before it is spent and after."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import cloud, targets, terminal
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import options
from labs.targets.commands import AwsCommand
from labs.workshop import accounts, agenda, left, money
from labs.workshop.money import Share, Sheet

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("room-cost")
@click.argument("slugs", nargs=-1, metavar="[LAB|AGENDA]...")
@click.option("--people", type=click.IntRange(1, 10_000), required=True, help="Heads in the room.")
@click.option("--shared", metavar="TARGET", help="One target behind the queue for everybody, instead of the labs' own.")
@click.option("--set", "pairs", multiple=True, metavar="OPTION=VALUE", help="An option of the shared target.")
@click.option("--jobs", type=click.IntRange(1), default=20, show_default=True, help="Of each person (with --shared).")
@click.option(
    "--input-tokens", type=click.IntRange(1), default=500, show_default=True, help="Of a job (with --shared)."
)
@click.option(
    "--output-tokens", type=click.IntRange(1), default=200, show_default=True, help="Of a job (with --shared)."
)
@click.option(
    "--hours", type=click.FloatRange(1), default=4, show_default=True, help="It stands so long (with --shared)."
)
@json_option
def room_cost(
    slugs: tuple[str, ...],
    people: int,
    shared: str | None,
    pairs: tuple[str, ...],
    jobs: int,
    input_tokens: int,
    output_tokens: int,
    hours: float,
    as_json: bool,
) -> None:
    """What a room's labs would cost on real AWS, and which quotas they need; or one target that everybody shares. Calls nobody."""
    if shared is not None:
        if slugs:
            raise Refusal(
                "a shared target is for jobs through the queue, not for a lab's own cells: leave the labs away", USAGE
            )
        target = options.make(shared, targets.get(shared), pairs)
        share = money.share(target, people, jobs, input_tokens, output_tokens, hours, pairs)
        if as_json:
            terminal.emit_json(_share_as_json(share))
        else:
            _show_share(share)
        return
    if pairs:
        raise Refusal("--set is an option of the shared target: name it with --shared TARGET", USAGE)
    sheet = money.sheet(agenda.labs_of(slugs), people)
    if as_json:
        terminal.emit_json(_sheet_as_json(sheet))
    else:
        _show_sheet(sheet)


def _sheet_as_json(sheet: Sheet) -> dict[str, Any]:
    rows = [
        {"lab": row.slug, "hours": round(row.hours, 2), "usd": row.bill.usd, "room_usd": sheet.people * row.bill.usd}
        | {"bill": row.bill.as_dict(), "without": row.without}
        for row in sheet.rows
    ]
    quotas = [asdict(need) | {"command": need.command} for need in sheet.needs]
    return {
        "people": sheet.people,
        "labs": rows,
        "usd_each": sheet.each_usd,
        "usd_room": sheet.room_usd,
        "local_cloud_usd": 0,
        "quotas_of_each_account": quotas,
        "prices_as_of": sheet.prices_as_of,
    }


def _show_sheet(sheet: Sheet) -> None:
    rows = [
        (row.slug, f"{row.hours:.1f}", f"{row.bill.usd:,.2f}", f"{sheet.people * row.bill.usd:,.2f}")
        for row in sheet.rows
    ]
    rows.append(("[b]together[/]", "", f"[b]{sheet.each_usd:,.2f}[/]", f"[b]{sheet.room_usd:,.2f}[/]"))
    terminal.table(
        f"{sheet.people} people on real AWS, each in an account of their own, at the very most",
        ["lab", "stands (h)", "each (USD)", "room (USD)"],
        rows,
    )
    for row in sheet.rows:
        for said in row.without:
            terminal.say(f"{row.slug}: {said} for each.")
    if sheet.needs:
        needs = [(need.name, f"{need.default:g}", f"{need.amount:g}") for need in sheet.needs]
        terminal.table(
            "Quotas to ask for, days before, in every account",
            ["quota", "default (new account)", "needed (one account)"],
            needs,
        )
        for need in sheet.needs:
            terminal.say(f"  {escape(need.command)}")
    if sheet.prices_as_of:
        terminal.say(
            f"List prices of the register, the oldest as of {sheet.prices_as_of}. On the local cloud all of it costs nothing."
        )
    else:
        terminal.say("Nothing that is billed by the hour or the token. On the local cloud it costs nothing either way.")
    terminal.say(f"Next: lab room-cost --people {sheet.people} --shared bedrock-on-demand, one target for everybody.")


def _share_as_json(share: Share) -> dict[str, Any]:
    return {
        "target": share.target.name,
        "people": share.people,
        "jobs": share.calls.requests,
        "hours": share.hours,
        "usd": share.usd,
        "usd_each": share.usd / share.people,
        "standing": share.standing.bill.as_dict(),
        "queued": share.queued.bill.as_dict(),
        "at_once": share.at_once,
        "workers": share.workers,
        "batch": share.batch,
        "slots_each": share.slots,
        "alone_s": share.alone_s,
        "everybody_s": share.everybody_s,
        "beside_a_greedy_one_s": share.greedy_s,
        "why": share.why,
        "provenance": "predicted by the serving model",
        "commands": share.commands(),
    }


def _show_share(share: Share) -> None:
    lines = [*share.standing.bill.lines, *share.queued.bill.lines]
    rows = [(line.name, f"{line.quantity:,.4g} {line.unit}", f"{line.usd:,.4f}") for line in lines]
    rows.append(("[b]at the very most[/]", "", f"[b]{share.usd:,.2f}[/]"))
    rows.append((f"for each of {share.people}", "", f"{share.usd / share.people:,.4f}"))
    terminal.table(
        f"{share.target.name} behind the queue for {share.people} people, {share.calls.requests:,} jobs in {share.hours:g} hours",
        ["what", "how much", "(USD)"],
        rows,
    )
    terminal.say(escape(f"At once: {share.at_once} ({share.workers} workers of {share.batch} jobs). From {share.why}."))
    terminal.say(
        f"Fair: one person has at most {share.slots} of these {share.at_once} (TenantConcurrency), however many jobs he sends. When all {share.people} "
        f"ask in the same moment, the last has an answer after {share.everybody_s:.1f} s; while one of them keeps all their slots busy, after "
        f"about {share.greedy_s:.1f} s."
    )
    terminal.say(
        "Commands, in order; ISSUER and CLIENT_ID are those of your own user pool, whose 'sub' names the person:"
    )
    for command in share.commands():
        terminal.say(f"  {escape(command)}")


@click.command("left", cls=AwsCommand)
@click.option("--regions", help="These Regions, with commas; by default the one you are in.")
@click.option(
    "--real", is_flag=True, help="The AWS account of your own credentials. It is looked at, and nothing is changed."
)
@json_option
def left_(regions: str | None, real: bool, as_json: bool) -> None:
    """What costs money in this account, whoever made it: after a session, the proof that nothing runs on. Exit status 1 when something is there."""
    where = cloud.connect(real=real or None)
    names = list(dict.fromkeys(name.strip() for name in (regions or where.region).split(",") if name.strip()))
    if not names:
        raise Refusal("name a Region: --regions us-east-1,us-west-2", USAGE)
    found = [left.look(name) for name in names]
    if as_json:
        terminal.emit_json({"cloud": str(where), "regions": [asdict(each) for each in found]})
    else:
        terminal.out.print(str(where), style="bold" if where.real else "dim", markup=False)
        rows = [
            (
                each.region,
                thing.kind,
                escape(thing.name),
                "" if thing.usd_per_hour is None else f"{thing.usd_per_hour:.2f}",
            )
            for each in found
            for thing in each.things
        ]
        if rows:
            terminal.table("What is there", ["region", "what", "name", "(USD/h)"], rows)
        for each in found:
            for problem in each.problems:
                terminal.say(f"{each.region}: {escape(problem)}")
    count, unseen = sum(len(each.things) for each in found), sum(len(each.problems) for each in found)
    if count or unseen:
        flag = " --real" if where.real else ""
        unknown = f", and {unseen} kinds could not be looked for" if unseen else ""
        raise Refusal(
            f"{count} things that cost money are there{unknown}; run the labs' clean-up cells, then 'lab teardown --all{flag}', then this again",
            FALSE,
        )
    if not as_json:
        terminal.say(f"Nothing that costs money is there: {len(left.LOOKS)} kinds looked for in {', '.join(names)}.")


@click.command("room-accounts")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--lab", "slugs", multiple=True, metavar="LAB|AGENDA", help="What is held (repeat it); by default every lab."
)
@click.option("--regions", default="us-east-1", show_default=True, help="Where it is held, with commas.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("accounts"),
    show_default=True,
    help="Folder of the two scripts.",
)
@json_option
def room_accounts(file: Path, slugs: tuple[str, ...], regions: str, out: Path, as_json: bool) -> None:
    """Two scripts for a room with an AWS account each: set-up, and a clean-up that proves itself. Both are dry runs until you say otherwise. Calls nobody."""
    people = accounts.read(file)
    where = [each.strip() for each in regions.split(",") if each.strip()]
    if not where:
        raise Refusal("name a Region: --regions us-east-1", USAGE)
    made = accounts.write(people, agenda.labs_of(slugs), where, out)
    if as_json:
        terminal.emit_json({"people": len(people), "regions": where, "scripts": [str(path) for path in made]})
        return
    for path in made:
        terminal.say(f"{escape(str(path))}: {len(people)} accounts.")
    terminal.say(
        f"Next: sh {escape(str(made[0]))} shows what it would do; REHEARSE=yes sh {escape(str(made[1]))} rehearses the clean-up here."
    )
