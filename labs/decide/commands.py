"""`lab decide`: where should this model run? Two views side by side, every target ranked or ruled out, and a record to sign."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, get_args

import click

from labs import terminal
from labs.decide.advisor import advise
from labs.decide.record import write
from labs.decide.requirements import Control, Dtype, Profile, Requirements, Residency, Team, Weights
from labs.decide.show import show
from labs.errors import FALSE, USAGE, Refusal


def _of(kinds: Any) -> click.Choice[str]:
    return click.Choice(get_args(kinds))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--model", help="A model of the catalogue: llama-3-70b, nova-lite, qwen3-32b ...")
@click.option("--parameters-b", type=float, help="Its size in billions of parameters, for any other model.")
@click.option("--custom-weights", is_flag=True, help="The weights are your own: fine-tuned, or trained by you.")
@click.option("--weights-format", type=_of(Weights), help="Merged safetensors, an adapter, or something else.")
@click.option("--architecture", help="As in config.json, for a model known by its size: LlamaForCausalLM ...")
@click.option(
    "--training-data-kept/--training-data-lost",
    "training_data_kept",
    default=None,
    help="Could the tuning be done again elsewhere?",
)
@click.option(
    "--already-in-bedrock", is_flag=True, help="In use on Bedrock today; with custom weights: customised there already."
)
@click.option("--dtype", type=_of(Dtype), help="Precision of the weights on hardware that you choose [as published].")
@click.option("--region", default="us-east-1", show_default=True)
@click.option("--requests-per-minute", type=float, default=60.0, show_default=True, help="While they come.")
@click.option("--profile", type=_of(Profile), default="steady", show_default=True, help="When they come.")
@click.option("--input-tokens", type=int, default=500, show_default=True, help="Of one request.")
@click.option("--output-tokens", type=int, default=200, show_default=True, help="Of one answer.")
@click.option("--ttft-ms", type=float, help="Objective for the first token, 99 of 100 requests.")
@click.option("--e2e-ms", type=float, help="Objective for the last token, 99 of 100 requests.")
@click.option("--answer-can-wait", is_flag=True, help="Nobody waits: hours are fine.")
@click.option("--guaranteed-throughput", is_flag=True, help="Best effort within a quota is not enough.")
@click.option(
    "--control",
    type=_of(Control),
    default="none",
    show_default=True,
    help="What must be set by hand, down to the host.",
)
@click.option("--kubernetes", "kubernetes_estate", is_flag=True, help="Everything else runs on Kubernetes.")
@click.option("--proprietary-engine", is_flag=True, help="An inference engine of your own.")
@click.option("--residency", type=_of(Residency), default="anywhere", show_default=True, help="Where data may go.")
@click.option("--edge", is_flag=True, help="On devices, or where the network fails.")
@click.option("--team", type=_of(Team), default="small", show_default=True, help="Who runs it.")
@click.option("--redundancy", type=int, default=1, show_default=True, help="Instances that must be up.")
@click.option("--budget", "budget_usd_per_month", type=float, help="US dollars a month.")
@click.option("--json", "as_json", is_flag=True, help="For programs: everything, with reasons and facts.")
@click.option(
    "--record", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write a one-page decision record here."
)
@click.option("--force", is_flag=True, help="Overwrite that file.")
def decide(as_json: bool, path: Path | None, force: bool, **given: Any) -> int:
    """Where should this model run? What the exam wants to hear, and what the arithmetic says.

    Exit status 1 when no target satisfies everything that is asked.
    """
    if force and path is None:
        raise Refusal("--force overwrites a record, and none is asked for: say --record FILE too", USAGE)
    advice = advise(Requirements(**{name: given[name] for name in REQUIREMENTS}))
    if path is not None:
        write(advice, path, date.today(), force=force)
    if as_json:
        terminal.emit_json(advice.as_dict())
    else:
        show(advice)
        if path is not None:
            terminal.say(f"The record is in {path}: read it, correct it, sign it.")
    return 0 if advice.best is not None else FALSE


REQUIREMENTS = tuple(field.name for field in fields(Requirements))

__all__ = ["decide"]
