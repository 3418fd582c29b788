"""Fit the serving engine's constants to measured runs, say by how much that helped, and write them where `lab simulate` reads them.

    found = fit([run], Deployed("llama-3.1-8b", hardware("ml.g5.2xlarge")))
    found.before, found.after          # mean error on the last third of each run, which was not fitted
    Path("mine.yaml").write_text(found.hardware_file("mine"))      # lab simulate --hardware-file mine.yaml

One run at one load cannot tell all constants apart (weights are read whatever the load, arithmetic shows only under prefill): those that it
says nothing of stay near the committed ones, to which every constant is gently drawn. Two runs, one light and one heavy, say much more.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import log, sqrt
from pathlib import Path
from typing import Any

import click
import yaml

from labs import terminal
from labs.bench import records
from labs.bench.overlay import engine_latencies, replay
from labs.bench.records import Run
from labs.bench.summary import LATENCIES, counted
from labs.errors import FALSE, USAGE, Refusal
from labs.serving.calibration.fit import GPU_PARAMETERS, NEURON_PARAMETERS, Parameter, least_squares
from labs.serving.engine import EngineConfig
from labs.serving.laws_neuron import NeuronConstants
from labs.serving.profiles import (
    Choices,
    Hardware,
    fitted,
    gpu_constants,
    hardware,
    hardware_from_file,
    model_shape,
    plan,
)
from labs.serving.requests import NEVER
from labs.serving.statistics import percentile

FEWEST_REQUESTS = 60
FITTED_SHARE = 2 / 3
"""of a run, by due time; the rest is held out to judge the fit by"""
PRIOR = 0.003
"""how firmly a constant is held to the committed one: in rows of a 100 % error"""
FIGURES: Mapping[str, float | None] = {"mean": None, "p50": 0.5, "p90": 0.9}


@dataclass(frozen=True)
class Deployed:
    """What answered the runs."""

    model: str
    on: Hardware
    choices: Choices = field(default_factory=Choices)
    replicas: int = 1

    def engine(self, values: Mapping[str, float]) -> EngineConfig:
        """With these constants, ingress among them."""
        constants = {name: value for name, value in values.items() if name != "ingress_s"}
        on = replace(self.on, overrides={**self.on.overrides, **constants})
        choices = replace(self.choices, ingress_s=values.get("ingress_s", self.choices.ingress_s))
        return EngineConfig(plan(model_shape(self.model), on, choices).spec, replicas=self.replicas)


@dataclass(frozen=True)
class Calibration:
    """What a fit found."""

    deployed: Deployed
    constants: Mapping[str, float]
    committed: Mapping[str, float]
    """what they were before"""
    before: Mapping[str, float]
    """figure: error of the committed constants on what was held out, a part (0.1 is 10 %)"""
    after: Mapping[str, float]
    held_out: int
    """requests that the errors are of"""
    at_a_bound: tuple[str, ...]

    @staticmethod
    def mean_error(errors: Mapping[str, float]) -> float:
        """Of the sizes of the errors."""
        return sum(abs(e) for e in errors.values()) / len(errors)

    @property
    def improved(self) -> bool:
        return self.mean_error(self.after) < self.mean_error(self.before)

    @property
    def says(self) -> str:
        before, after = 100 * self.mean_error(self.before), 100 * self.mean_error(self.after)
        verb = "brought down from" if self.improved else "not improved: it was"
        rest = f" to {after:.1f} %" if self.improved else f" and is {after:.1f} %"
        doubt = f" At the end of its range, so doubtful: {', '.join(self.at_a_bound)}." if self.at_a_bound else ""
        return (
            f"The mean error on {self.held_out:,} requests that were not fitted was {verb} {before:.1f} %{rest}.{doubt}"
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "constants": dict(self.constants),
            "committed": dict(self.committed),
            "error_before": dict(self.before),
            "error_after": dict(self.after),
            "mean_error_before": self.mean_error(self.before),
            "mean_error_after": self.mean_error(self.after),
            "held_out_requests": self.held_out,
            "at_a_bound": list(self.at_a_bound),
            "says": self.says,
        }

    def hardware_file(self, id: str) -> str:
        """YAML that `lab simulate --hardware-file` reads."""
        on = self.deployed.on
        ingress_ms = 1e3 * self.constants.get("ingress_s", 0.0)
        data: dict[str, Any] = {
            "id": id,
            "kind": on.kind,
            "family": on.family,
            "server": on.server,
            "count": on.count,
            "cores": on.cores,
            "memory": _quantity(on.memory_bytes, 1 << 30, "GiB"),
            "bandwidth": _quantity(on.bandwidth_bytes_per_s, 1e9, "GB/s"),
            "dense_bf16": _quantity(on.flops_per_s, 1e12, "TFLOPS"),
        }
        if on.flops_fp8_per_s:
            data["dense_fp8"] = _quantity(on.flops_fp8_per_s, 1e12, "TFLOPS")
        if on.interconnect:
            data["interconnect"] = on.interconnect
        if on.kind == "neuron":
            data["latency"] = on.latency
        data["constants"] = {
            **on.overrides,
            **{name: float(f"{v:.6g}") for name, v in self.constants.items() if name != "ingress_s"},
        }
        data["note"] = (
            f"Fitted to measured runs of {self.deployed.model} on {on.id}. {self.says} The way to the server takes "
            f"{ingress_ms:.2f} ms, which is no property of the hardware: give it with --ingress-ms {ingress_ms:.2f}"
        )
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def _quantity(value: float, unit: float, name: str) -> str:
    return f"{value / unit:.6f}".rstrip("0").rstrip(".") + f" {name}"


def parameters(deployed: Deployed) -> tuple[list[Parameter], dict[str, float]]:
    """The constants to fit for this hardware, starting from and drawn to what holds for it now; and those by name."""
    on = deployed.on
    now: dict[str, float] = {}
    if on.kind == "neuron":
        known = {**fitted()["neuron"], **on.overrides}
        now = {f.name: float(known[f.name]) for f in fields(NeuronConstants)}
        chosen = [p for p in NEURON_PARAMETERS if p.name in now]
    else:
        constants = gpu_constants(on, fitted())
        # A family without published rows (CPUs) has the same constants as one with, in a wider range.
        family = on.family if any(p.group == on.family for p in GPU_PARAMETERS) else "hbm"
        used = ("compute_efficiency_fp8", "compute_efficiency")[
            deployed.choices.dtype != "fp8" or not on.flops_fp8_per_s
        ]
        names = {"step_overhead_s", "per_sequence_s", "ingress_s", "bandwidth_efficiency", used}
        chosen = [
            p if p.group in ("gpu", on.family) else replace(p, low=p.low / 5)
            for p in GPU_PARAMETERS
            if p.group in ("gpu", family) and p.name in names
        ]
        if used == "compute_efficiency_fp8" and not any(p.name == used for p in chosen):
            chosen += [replace(p, group=family) for p in GPU_PARAMETERS if p.group == "hbm" and p.name == used]
        ingress = deployed.choices.ingress_s
        now = {p.name: getattr(constants, p.name) for p in chosen if p.name != "ingress_s"}
        now["ingress_s"] = fitted()["gpu"]["ingress_s"] if ingress is None else max(ingress, 1e-4)
    made = []
    for p in chosen:
        # Hardware that is on the way (a network, an older driver) may be far from what was published: leave it room.
        low, high = min(p.low, now[p.name]), max(p.high, now[p.name])
        low, high = (low / 5, high * 5) if p.name.endswith("_s") else (low / 2, high)
        made.append(replace(p, start=now[p.name], low=low, high=high, strength=PRIOR))
    return made, now


def fit(runs: Sequence[Run], deployed: Deployed) -> Calibration:
    """Fit to one or several runs of one deployment. Raises Refusal for runs that cannot tell anything."""
    if not runs:
        raise Refusal("a calibration needs at least one measured run", USAGE)
    for run in runs:
        if run.header.provenance != "measured":
            raise Refusal(
                "this run was answered by the serving engine itself (predicted), and fitting the engine to itself says nothing: "
                "calibrate with a run on a real endpoint",
                USAGE,
            )
        if (n := sum(r.ok for r in counted(run)[0])) < FEWEST_REQUESTS:
            raise Refusal(
                f"a calibration needs {FEWEST_REQUESTS} answered requests in each run, and this one has {n}", FALSE
            )
    chosen, now = parameters(deployed)
    start = {p.path: p.start for p in chosen}
    halves = [_halves(run) for run in runs]

    def named(trial: Mapping[str, float]) -> dict[str, float]:
        return {p.name: trial[p.path] for p in chosen}

    def residuals(trial: dict[str, float]) -> list[float]:
        engine = deployed.engine(named(trial))
        found: list[float] = []
        for run, (fitting, _) in zip(runs, halves, strict=True):
            found += _errors(run, engine, fitting).values()
        return [log(1.0 + error) for error in found] + [sqrt(p.strength) * log(trial[p.path] / p.start) for p in chosen]

    values = least_squares(start, chosen, residuals)
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for number, (run, (_, held)) in enumerate(zip(runs, halves, strict=True), 1):
        prefix = f"run {number}: " if len(runs) > 1 else ""
        for trial, errors in ((start, before), (values, after)):
            errors |= {f"{prefix}{name}": e for name, e in _errors(run, deployed.engine(named(trial)), held).items()}
    bound = [p.name for p in chosen if values[p.path] <= p.low * 1.01 or values[p.path] >= p.high * 0.99]
    return Calibration(deployed, named(values), now, before, after, sum(len(held) for _, held in halves), tuple(bound))


def _halves(run: Run) -> tuple[frozenset[int], frozenset[int]]:
    """Ids of the answered requests that are fitted, and of those that are held out: the run's beginning and its end."""
    ids = [r.id for r in counted(run)[0] if r.ok]
    cut = int(FITTED_SHARE * len(ids))
    return frozenset(ids[:cut]), frozenset(ids[cut:])


def _errors(run: Run, engine: EngineConfig, wanted: frozenset[int]) -> dict[str, float]:
    """Relative error of each figure over the wanted requests; the engine serves all of them, as the server did."""
    table, rows = replay(run, engine)
    ours: dict[str, list[float]] = {name: [] for name in LATENCIES}
    theirs: dict[str, list[float]] = {name: [] for name in LATENCIES}
    for place, record in enumerate(rows):
        if record.id not in wanted or table.finish[place] == NEVER:
            continue
        for name, value in zip(LATENCIES, engine_latencies(table, place, record), strict=True):
            seen = LATENCIES[name](record)
            if seen is not None and value is not None:
                ours[name].append(value)
                theirs[name].append(seen)
    errors = {}
    for name in LATENCIES:
        if not ours[name]:
            continue
        one, other = sorted(ours[name]), sorted(theirs[name])
        for figure, q in FIGURES.items():
            a, b = (sum(v) / len(v) if q is None else percentile(v, q) for v in (one, other))
            if b > 0:
                errors[f"{name[:-3].upper()} {figure}"] = a / b - 1.0
    if not errors:
        raise Refusal(
            "the engine, so deployed, answers none of these requests: are model, hardware and choices right?", USAGE
        )
    return errors


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", required=True, help="The model that answered: llama-3.1-8b ...")
@click.option("--hardware", "hardware_name", help="What it ran on: an accelerator or an instance type.")
@click.option("--hardware-file", type=click.Path(path_type=Path, dir_okay=False), help="Ratings of any other hardware.")
@click.option("--tensor-parallel", type=click.IntRange(1))
@click.option("--dtype")
@click.option("--replicas", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--write", "out", type=click.Path(path_type=Path, dir_okay=False), help="A file for 'lab simulate --hardware-file'."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def main(
    runs: tuple[Path, ...],
    model: str,
    hardware_name: str | None,
    hardware_file: Path | None,
    tensor_parallel: int | None,
    dtype: str | None,
    replicas: int,
    out: Path | None,
    as_json: bool,
) -> int:
    """Fit the serving engine's constants to measured RUNS (JSONL records) of one deployment."""
    if (hardware_name is None) == (hardware_file is None):
        raise Refusal("name one piece of hardware: --hardware ml.g5.2xlarge, or --hardware-file FILE", USAGE)
    on = hardware_from_file(hardware_file) if hardware_file else hardware(str(hardware_name))
    deployed = Deployed(model, on, Choices(tensor_parallel=tensor_parallel, dtype=dtype), replicas)
    found = fit([records.read(path) for path in runs], deployed)
    if out is not None:
        out.write_text(found.hardware_file(out.stem), "utf-8")
    if as_json:
        terminal.emit_json(found.as_dict())
    else:
        show(found, out)
    return 0 if found.improved else FALSE


def show(found: Calibration, out: Path | None) -> None:
    """A fit, for people."""
    terminal.table(
        f"Constants of {found.deployed.on.id} for {found.deployed.model}",
        ("constant", "committed ()", "fitted ()"),
        ((name, f"{found.committed[name]:.4g}", f"{value:.4g}") for name, value in found.constants.items()),
    )
    terminal.table(
        "Errors on what was not fitted",
        ("figure", "before (%)", "after (%)"),
        (
            (name, f"{100 * e:+.1f}", f"{100 * found.after[name]:+.1f}")
            for name, e in found.before.items()
            if name in found.after
        ),
    )
    terminal.say(found.says)
    ingress = f" --ingress-ms {1e3 * found.constants['ingress_s']:.2f}" if "ingress_s" in found.constants else ""
    if out is None:
        terminal.say("Next: --write FILE keeps the constants for 'lab simulate --hardware-file FILE'.")
    else:
        terminal.say(f"Next: lab simulate --hardware-file {out} --model {found.deployed.model}{ingress} --rate 5")


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m labs.bench.calibrate"))
