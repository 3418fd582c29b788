"""`lab invoke`, `lab list`, `lab teardown`, and deploying a target: everything that stands, whoever made it."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from labs import cloud, targets, terminal
from labs.economics import instances
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from labs.targets import (
    Kind,
    Reply,
    Site,
    asking,
    ceiling,
    guard,
    ledger,
    options,
    quota,
    removing,
    spend,
    stacks,
    staging,
    standing,
)
from labs.targets.ceiling import NO_CALLS, Calls
from labs.targets.reaper import deploying

QUOTA_PATIENCE_S = 600.0


class AwsCommand(click.Command):
    """A command whose AWS errors are sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ClientError as refused:
            error = refused.response["Error"]
            raise Refusal(
                f"{refused.operation_name} was refused: {error.get('Message', '')} ({error['Code']})", FALSE
            ) from refused
        except (BotoCoreError, Boto3Error) as broken:
            raise Refusal(f"no way to the cloud: {broken}", NOT_READY) from broken


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
real_option = click.option(
    "--real", is_flag=True, help="The AWS account of your own credentials. What is made there costs money."
)
ceiling_option = click.option(
    "--ceiling-usd",
    type=click.FloatRange(0, min_open=True),
    help="What all of it may cost at most; --real asks for it.",
)


@dataclass(frozen=True)
class Money:
    """Where it is spent, how much it may be, and the calls that are planned."""

    real: bool = False
    ceiling_usd: float | None = None
    calls: Calls = NO_CALLS

    @property
    def matters(self) -> bool:
        """Can it cost anything, or did somebody ask what it would?"""
        return self.real or self.ceiling_usd is not None


LOCAL = Money()


def deploy_target(
    what: str,
    name: str,
    pairs: Sequence[str],
    hours: float,
    request_quota: bool,
    as_json: bool,
    money: Money = LOCAL,
    **given: Any,
) -> None:
    """Deploy a target under a name, with options as a person wrote them and as flags gave them."""
    target = options.make(what, targets.get(what), pairs, **given)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,39}", name):
        raise Refusal(
            f"'{name}' cannot name a deployment: a letter first, then letters, digits and hyphens, 40 at most", USAGE
        )
    where = connect(real=money.real, quiet=as_json)
    began = time.monotonic()
    plan = ceiling.plan(target, Site(where, name, hours), money.calls) if money.matters else None
    if plan is not None:
        admit(plan, money.ceiling_usd, as_json)
    with _status(f"deploying {name}") as tell:
        site = Site(where, name, hours, tell)
        try:
            guard.deploy_admitted(target, site)
        except quota.TooSmall as small:
            if not request_quota:
                raise
            quota.request(small.need)
            quota.wait(small.need, QUOTA_PATIENCE_S, tell)
            guard.deploy_admitted(target, site)
        location = "" if Kind.ONLINE not in target.kinds else target.address(site).location
    if as_json:
        said = {"name": name, "target": what, "location": location, "kinds": sorted(target.kinds), "status": "READY"}
        bill = {} if plan is None else {"worst_case": plan.bill.as_dict(), "ceiling_usd": money.ceiling_usd}
        terminal.emit_json(said | bill)
        return
    took = f"after {time.monotonic() - began:.1f} s"
    if Kind.ONLINE not in target.kinds:  # a place for batches, or something made to run elsewhere: nobody can be asked
        terminal.say(f"[b]{name}[/] is made ({', '.join(sorted(target.kinds))}), {took}. {_why_silent(target, site)}")
        terminal.say(f"Next: lab list, then lab teardown {name}{_flag(where)}")
        return
    terminal.say(f"[b]{name}[/] answers ({escape(location)}) {took}.")
    terminal.say(f'Next: lab invoke {name} "Name three rivers."{_flag(where)}, then lab teardown {name}{_flag(where)}')


def admit(plan: ceiling.Plan, ceiling_usd: float | None, as_json: bool) -> None:
    """Show what it can cost at most, and return when that fits."""
    if not as_json:
        _show_plan(plan, ceiling_usd)
    guard.admit(plan, ceiling_usd)


def _show_plan(plan: ceiling.Plan, ceiling_usd: float | None) -> None:
    rows = [[line.name, _much(line.quantity, line.unit), _usd(line.usd)] for line in plan.bill.lines]
    rows.append(["[b]at the very most[/]", "", f"[b]{_usd(plan.usd)}[/]"])
    if ceiling_usd is not None:
        rows.append(["ceiling", "", _usd(ceiling_usd)])
    terminal.say(
        f"{plan.site.name} for {plan.site.hours:g} hours with {plan.calls.requests:,} planned calls, at list prices:"
    )
    terminal.table("What it can cost", ["what", "how much", "(USD)"], rows)


def _much(quantity: float, unit: str) -> str:
    return f"{quantity:,.4g} {unit}{'s' if quantity != 1 and unit.endswith(('hour', 'window', 'call', 'minute', 'month')) else ''}"


def _usd(usd: float) -> str:
    return f"{usd:,.2f}" if usd >= 0.01 or not usd else f"{usd:.6f}"


def _why_silent(target: targets.Target, site: Site) -> str:
    """Why nobody can be asked: the target's own sentence."""
    try:
        target.address(site)
    except Refusal as reason:
        return escape(f"{str(reason)[:1].upper()}{str(reason)[1:]}.")
    return "It answers no calls."


def _flag(where: cloud.Cloud) -> str:
    return " --real" if where.real else ""


@click.command(cls=AwsCommand)
@click.argument("what", metavar="TARGET|NAME")
@click.argument("prompt")
@click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True, help="Most tokens of the answer.")
@click.option("--stream", is_flag=True, help="Print the answer while it is written.")
@click.option("--set", "pairs", multiple=True, metavar="OPTION=VALUE", help="An option of the target.")
@click.option("--model", help="Model, where the target is called with one.")
@real_option
@ceiling_option
@as_json_option
def invoke(
    what: str,
    prompt: str,
    max_tokens: int,
    stream: bool,
    pairs: tuple[str, ...],
    model: str | None,
    real: bool,
    ceiling_usd: float | None,
    as_json: bool,
) -> None:
    """Ask a deployed target one thing."""
    where = connect(real=real, quiet=as_json)
    target, name = _standing(where, what, pairs, model)
    site = Site(where, name)
    if Kind.ONLINE not in target.kinds:
        target.address(site)  # its own sentence: why there is nobody to ask, and what to do instead
        raise Refusal(f"{target.name} does not answer calls ({', '.join(sorted(target.kinds))})", USAGE)
    if stream and Kind.STREAMING not in target.kinds:
        raise Refusal(f"{target.name} does not stream; ask without --stream", USAGE)
    if ceiling_usd is not None:
        spend.open_for(site, target, ceiling_usd)
    guard.require_admitted(site)
    began = time.monotonic()
    first_s: float | None = None
    reply: Reply | None = None
    if stream:
        for piece in asking.stream(target, site, prompt, max_tokens):
            if isinstance(piece, Reply):
                reply = piece
                continue
            first_s = time.monotonic() - began if first_s is None else first_s
            if not as_json:
                click.echo(piece, nl=False)
    else:
        reply = asking.ask(target, site, prompt, max_tokens)
    took_s = time.monotonic() - began
    if reply is None:
        raise Refusal(f"{target.name}: the stream ended without an answer", FALSE)
    if as_json:
        times = {"e2e_ms": took_s * 1000, **({"ttft_ms": first_s * 1000} if first_s is not None else {})}
        terminal.emit_json({"name": name, "target": target.name, **asdict(reply), **times})
        return
    if stream:
        click.echo()
    else:
        terminal.out.print(reply.text, markup=False)
    first = f", first after {first_s * 1000:.0f} ms" if first_s is not None else ""
    terminal.out.print(
        f"{reply.input_tokens} tokens read, {reply.output_tokens} written in {took_s:.2f} s{first} ({reply.stop_reason})",
        style="dim",
        markup=False,
    )


def _standing(where: cloud.Cloud, what: str, pairs: Sequence[str], model: str | None) -> tuple[targets.Target, str]:
    """The target that a name means, and the deployment's name: of the stack, of the ledger, or the target's own."""
    stack = stacks.find(what)
    made = stack.outputs.get("TargetName", "") if stack else ""
    named = made or next((entry.target for entry in ledger.entries(where) if entry.deployment == what), "")
    target = named if named in targets.TARGETS else what
    return options.make(target, targets.get(target), pairs, model_id=model), what


@click.command("list", cls=AwsCommand)
@real_option
@as_json_option
def list_(real: bool, as_json: bool) -> None:
    """What is deployed, and what its calls have cost so far."""
    where = connect(real=real, quiet=as_json)
    spent = spend.total(where)
    stacked = stacks.listed(where)
    found = [stack for stack in stacked if stack.name != deploying.NAME]
    names = {stack.name for stack in found}
    made = [
        entry
        for entry in ledger.entries(where)
        if entry.deployment not in ("", deploying.NAME) and entry.deployment not in names
    ]
    buckets = [each for each in ledger.entries(where, "bucket") if not each.deployment] if staging.exists(where) else []
    if as_json:
        terminal.emit_json(
            {
                "cloud": asdict(where),
                "stacks": [
                    {**asdict(stack), "outputs": dict(stack.outputs), "usd_per_hour": _usd_per_hour(stack)}
                    for stack in stacked
                ],
                "steps": [asdict(entry) for entry in made],
                "buckets": [bucket.name for bucket in buckets],
                "spent": {name: asdict(each) for name, each in spent.items()},
            }
        )
        return
    if not stacked and not buckets and not made:
        _say_spent(spent)
        terminal.say("Nothing is deployed. 'lab deploy squid' deploys the queue pattern.")
        return
    rows = [
        [
            stack.name,
            "up" if stack.status == "CREATE_COMPLETE" else stack.status,
            stack.outputs.get("TargetName", ""),
            stack.outputs.get("ModelId", ""),
            _hours_left(stack.expires_at),
            "" if (usd := _usd_per_hour(stack)) is None else f"{usd:.2f}",
        ]
        for stack in found
    ] + [[entry.deployment, entry.kind, entry.target, entry.name, _hours_left(entry.expires_at), ""] for entry in made]
    terminal.table("Deployed", ["name", "status", "target", "model", "left (h)", "from (USD/h)"], rows)
    for stack in found:
        if "FAILED" in stack.status or "ROLLBACK" in stack.status:
            terminal.say(f"{stack.name} is {stack.status}: {escape(stack.reason or 'no reason given')}")
    for entry in made:
        if not _is_there(entry):
            terminal.say(f"{entry.deployment}: the {entry.kind} {escape(entry.name)} is written down and not there.")
    _say_spent(spent)
    if len(stacked) > len(found):
        terminal.say(
            "The reaper looks every 15 minutes for what has expired and removes it; it goes with the last deployment."
        )
    for bucket in buckets:
        terminal.say(f"Bucket {bucket.name} holds the workers' code; it goes with the last stack.")
    terminal.say(f"Next: lab teardown NAME{_flag(where)}, or lab teardown --all{_flag(where)}")


def _say_spent(spent: Mapping[str, spend.Spent]) -> None:
    for name, each in spent.items():
        most = "" if each.limit_usd is None else f" of ${each.limit_usd:,.2f} that its ceiling leaves for calls"
        unpriced = f"; {each.unpriced_calls} of them have no price in the register" if each.unpriced_calls else ""
        terminal.say(f"{escape(name)}: {each.calls} calls, ${each.usd:,.4f}{most}{unpriced}")


def _is_there(entry: ledger.Entry) -> bool:
    return entry.kind not in removing.KINDS or removing.there(entry.kind, entry.name)


def _usd_per_hour(stack: stacks.Stack) -> float | None:
    """List price of the instances that a stack begins with; None where it has none or no price is known."""
    kind, count = stack.outputs.get("InstanceType", ""), float(stack.outputs.get("Instances", "1"))
    try:
        if kind.startswith("ml."):
            return instances.endpoint(kind, count, 1).usd
        return instances.machines(kind, count, 1).usd if kind else None
    except Refusal:
        return None


def _hours_left(expires_at: str) -> str:
    try:
        until = datetime.fromisoformat(expires_at)
    except ValueError:
        return ""
    return f"{(until - datetime.now(UTC)).total_seconds() / 3600:.1f}"


@click.command(cls=AwsCommand)
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All of it, also what no ledger here knows and tags show.")
@click.option("--regions", help="With --all: these Regions, with commas; by default the one you are in.")
@real_option
@as_json_option
def teardown(name: str | None, everything: bool, regions: str | None, real: bool, as_json: bool) -> None:
    """Remove what was deployed, then look for what is left."""
    if (name is None) is not everything:
        raise Refusal("say which: 'lab teardown NAME', or 'lab teardown --all'", USAGE)
    if regions is not None and not everything:
        raise Refusal("--regions goes with --all", USAGE)
    where = connect(real=real, quiet=as_json)
    done, there = [], [where.region] if name is None else standing.deployments(where)
    if name is not None:
        _check_known(where, name, there)
        done = [_remove_one(where, name, there)]
    for region in (regions or where.region).split(",") if everything else ():
        with standing.in_region(where, region.strip()) as here, _status(f"removing all in {here.region}") as tell:
            done.append(standing.remove_all(here, tell))
    left = [one for each in done for one in each.left]
    if as_json:
        terminal.emit_json(
            {
                "removed": [one for each in done for one in each.removed],
                "bucket_removed": any(each.bucket for each in done),
                "left": left,
                "regions": {each.region: asdict(each) for each in done},
            }
        )
    else:
        for each in done:
            _say_removal(each, name, in_region=f" in {each.region}" if regions else "")
    if left:
        raise Refusal(
            f"{len(left)} of its resources are left (above); run 'lab teardown --all{_flag(where)}' again in a minute",
            FALSE,
        )


def _check_known(where: cloud.Cloud, name: str, there: list[str]) -> None:
    """Return when there is something to remove under this name, or to close, or never was. Raises Refusal when nobody knows it."""
    if name in there or name in spend.total(where):
        return
    if name in targets.TARGETS and getattr(targets.get(name), "creates_nothing", False):
        return
    if not there and staging.exists(where):  # a removal that was cut off left the bucket
        return
    has = f"there is: {', '.join(there)}" if there else "nothing is deployed here"
    raise Refusal(f"there is no '{name}', so there was nothing to remove; {has}", FALSE)


def _remove_one(where: cloud.Cloud, name: str, there: list[str]) -> standing.Removal:
    left: list[str] = []
    with _status(f"removing {name}") as tell:
        if name in there:
            left = standing.remove(where, name, tell)
        else:
            spend.close(where, name)
        bucket, more = (False, []) if left else standing.finish(where, tell)
    return standing.Removal(where.region, (name,) if name in there else (), (*left, *more), bucket)


def _say_removal(done: standing.Removal, name: str | None, in_region: str) -> None:
    if done.left:
        for one in done.left:
            terminal.say(f"Left{in_region}: {escape(one)}")
    elif done.removed:
        also = ", with the bucket of the functions' code" if done.bucket else ""
        proof = "Each of its resources was looked for; none is left."
        terminal.say(f"Removed{in_region}: {', '.join(done.removed)}{also}. {proof}")
    elif done.bucket:
        terminal.say(f"The last bucket is removed{in_region}; nothing is left.")
    elif name is None:
        terminal.say(f"Nothing is deployed{in_region}, so there was nothing to remove.")
    else:
        terminal.say(
            f"'{escape(name)}' keeps nothing in the account, so there was nothing to remove; its calls are counted no longer."
        )


def connect(*, real: bool, quiet: bool) -> cloud.Cloud:
    """The local cloud, or AWS where that was asked for; who and where we are is said first."""
    where = cloud.connect(real=real or None)
    if not quiet:
        terminal.out.print(str(where), style="bold" if where.real else "dim", markup=False)
    return where


@contextmanager
def _status(text: str) -> Iterator[Callable[[str], None]]:
    """A spinner on standard error, where there is somebody to see it; yields what changes its words."""
    with Console(stderr=True).status(text) as spinner:
        yield lambda now: spinner.update(f"{text}: {now}")
