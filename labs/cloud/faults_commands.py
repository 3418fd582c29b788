"""`lab cloud faults`: break the local cloud on purpose."""

from typing import Any

import click

from labs import terminal
from labs.cloud import faults as plan
from labs.errors import FALSE, USAGE, Refusal

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def faults() -> None:
    """Faults on purpose: throttling, 5xx, lateness, dropped connections, killed workers, duplicate messages."""


@faults.command("list")
@JSON
def list_(as_json: bool) -> None:
    """The faults in the plan, and how often each has struck."""
    lines = plan.local().plan()
    if as_json:
        terminal.emit_json(lines)
        return
    if not lines:
        terminal.say("No faults in the plan.")
        return
    columns = ("id", "kind", "where", "when", "seen (calls)", "struck (calls)")
    terminal.table("Faults", columns, [(f["id"], f["kind"], _where(f), _when(f), f["seen"], f["fired"]) for f in lines])


@faults.command()
@click.argument("kind", type=click.Choice(list(plan.KINDS)))
@click.option("--service", default="*", help="boto3's name: sqs, lambda, dynamodb, bedrock-runtime...")
@click.option("--operation", default="*", help="For example ConverseStream.")
@click.option("--resource", default="*", help="kill-worker: a function's name; duplicate: a queue's.")
@click.option(
    "--caller",
    type=click.Choice(plan.CALLERS),
    default="*",
    help="cloudformation: only calls that it makes for a stack.",
)
@click.option("--nth", type=int, help="Only the nth call.")
@click.option("--every", type=int, help="Every nth call.")
@click.option("--probability", type=float, help="By chance, 0 to 1.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of that chance.")
@click.option("--times", type=int, help="At most so often.")
@click.option("--seconds", type=float, default=1.0, show_default=True, help="latency: how late.")
@click.option("--after", type=int, default=3, show_default=True, help="cut: after how many events.")
@click.option("--moment", type=click.Choice(plan.MOMENTS), help="kill-worker: when; by chance if not said.")
@JSON
def add(as_json: bool, **rule: Any) -> None:
    """Add a fault of KIND to the plan; without --nth, --every or --probability it strikes at every call."""
    try:
        fault = plan.Fault(**rule)
    except ValueError as wrong:
        raise Refusal(str(wrong), USAGE) from None
    fault_id = plan.local().add(fault)
    if as_json:
        terminal.emit_json({"id": fault_id})
        return
    terminal.say(f"Fault {fault_id}: {plan.KINDS[fault.kind]}.")
    terminal.say(f"'lab cloud faults clear {fault_id}' takes it out again.")


@faults.command()
@click.argument("fault_id", type=int, required=False)
@JSON
def clear(fault_id: int | None, as_json: bool) -> None:
    """Take one fault out of the plan, or all of them."""
    cloud = plan.local()
    if fault_id is None:
        cloud.clear()
    elif not cloud.remove(fault_id):
        raise Refusal(f"There is no fault {fault_id} in the plan; 'lab cloud faults list' shows it.", FALSE)
    if as_json:
        terminal.emit_json({"removed": "all" if fault_id is None else fault_id})
    else:
        terminal.say("The plan is empty." if fault_id is None else f"Fault {fault_id} is out of the plan.")


def _where(line: dict[str, Any]) -> str:
    only = plan.WHERE.get(line["kind"], (line["service"], line["operation"]))
    by = [f"by {line['caller']}"] if line["caller"] != "*" else []
    return " ".join([*only, *([line["resource"]] if line["resource"] != "*" else []), *by])


def _when(line: dict[str, Any]) -> str:
    for name, text in (("nth", "call {}"), ("every", "every {}th call"), ("probability", "with probability {}")):
        if line[name] is not None:
            return text.format(line[name])
    return "every call"
