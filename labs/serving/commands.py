"""`lab simulate`: how fast would this model answer there, under this load? In virtual time, from calibrated laws.

`build_simulate(price)` makes the command. A room above this one that knows prices passes a function that prices a run:

    simulate = build_simulate(lambda run: {"usd_per_hour": ..., "usd_per_request": ..., "usd_per_million_output_tokens": ...})
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any

import click

from labs import terminal
from labs.errors import USAGE, Refusal
from labs.serving.admission import Admission, TokenQuota
from labs.serving.arrivals import PROCESSES, arrivals, lengths, read_trace
from labs.serving.autoscaling import METRICS, Policy, ScaleToZero, StepScaling, TargetTracking
from labs.serving.engine import EngineConfig
from labs.serving.memory import KV_BYTES, WEIGHT_BYTES
from labs.serving.profiles import (
    Choices,
    Deployment,
    hardware,
    hardware_from_file,
    model_from_file,
    model_shape,
    plan,
    profiles,
    unknown,
)
from labs.serving.requests import NEVER, Table
from labs.serving.router import ROUTERS
from labs.serving.services import LEVELS, ServicePlan, service, services
from labs.serving.simulate import Closed, Simulation, as_json, simulate
from labs.serving.statistics import Objective


@dataclass(frozen=True)
class PricedRun:
    """What a price needs to know of a run."""

    model: str
    hardware: str
    """an instance type, an accelerator, or a service"""
    accelerators: float | None
    """accelerators of one replica; None for a service"""
    replicas: int
    replica_hours: float
    duration_s: float
    requests: int
    input_tokens: int
    output_tokens: int


Price = Callable[[PricedRun], Mapping[str, Any] | None]
DEFAULT_REQUESTS = 1000


def _no_price(run: PricedRun) -> None:  # noqa: ARG001
    return None


def build_simulate(price: Price = _no_price) -> click.Command:
    """The command, with whatever prices the runs."""

    @click.command("simulate", context_settings={"help_option_names": ["-h", "--help"]})
    @click.option("--model", help="A model of the catalogue: llama-3-8b, llama-3.3-70b, mixtral-8x7b ...")
    @click.option(
        "--model-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The shape of any other model, as YAML or JSON.",
    )
    @click.option(
        "--hardware",
        "hardware_name",
        help="An accelerator (h100), an instance type (ml.inf2.48xlarge) or a service (bedrock-on-demand).",
    )
    @click.option(
        "--hardware-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Ratings of any other hardware, as YAML or JSON.",
    )
    @click.option("--tensor-parallel", type=click.IntRange(1), help="Devices for one replica: GPUs, or NeuronCores.")
    @click.option("--dtype", type=click.Choice(list(WEIGHT_BYTES)), help="Precision of the weights.")
    @click.option("--kv-dtype", type=click.Choice(list(KV_BYTES)), help="Precision of the KV cache.")
    @click.option(
        "--concurrency", type=click.IntRange(1), help="Closed loop: so many clients, each waiting for its answer."
    )
    @click.option("--requests", type=click.IntRange(1), help="How many requests.")
    @click.option(
        "--rate", type=click.FloatRange(0, min_open=True), help="Open loop: requests per second, whatever comes back."
    )
    @click.option(
        "--arrival", type=click.Choice(PROCESSES), default="poisson", show_default=True, help="How they arrive."
    )
    @click.option(
        "--burstiness",
        type=click.FloatRange(0.01),
        default=2.0,
        show_default=True,
        help="Gamma arrivals: coefficient of variation of the gaps.",
    )
    @click.option("--duration", type=click.FloatRange(0, min_open=True), help="Open loop: seconds of arrivals.")
    @click.option(
        "--trace",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Open loop: CSV with arrival_s, input_tokens, output_tokens.",
    )
    @click.option("--input-tokens", type=click.IntRange(1), default=500, show_default=True)
    @click.option("--output-tokens", type=click.IntRange(1), default=200, show_default=True)
    @click.option(
        "--length-cv",
        type=click.FloatRange(0),
        default=0.0,
        show_default=True,
        help="Open loop: spread of the token counts (lognormal).",
    )
    @click.option(
        "--max-tokens",
        type=click.IntRange(1),
        help="Ceiling that the caller sets: cuts answers, and is what a quota reserves.",
    )
    @click.option("--seed", type=int, default=0, show_default=True)
    @click.option(
        "--replicas",
        type=click.IntRange(0),
        default=1,
        show_default=True,
        help="Replicas, model copies or model units.",
    )
    @click.option("--router", type=click.Choice(ROUTERS), default="least_outstanding", show_default=True)
    @click.option(
        "--autoscale",
        help="'concurrency=8', 'invocations=60', 'cpu=70', or steps: 'step:concurrency@8:0=+1,10=+3,-4=-1'.",
    )
    @click.option("--min-replicas", type=click.IntRange(0), default=1, show_default=True)
    @click.option("--max-replicas", type=click.IntRange(1), default=10, show_default=True)
    @click.option(
        "--metric-period",
        type=click.FloatRange(10),
        default=60.0,
        show_default=True,
        help="Seconds of one datapoint; 10 is high resolution.",
    )
    @click.option(
        "--scale-to-zero",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="Remove every replica after so long without a request.",
    )
    @click.option("--cold-start", type=click.FloatRange(0), help="Seconds until a new replica answers.")
    @click.option("--batching", type=click.Choice(["continuous", "static"]))
    @click.option(
        "--max-num-seqs", type=click.IntRange(1), help="Sequences at once on a replica; a static batch's size."
    )
    @click.option(
        "--token-budget", type=click.IntRange(2), help="Tokens in one step: longer prompts are prefilled in chunks."
    )
    @click.option("--kv-tokens", type=click.IntRange(1), help="Tokens that the KV cache holds.")
    @click.option(
        "--admission",
        type=click.Choice(["recompute", "no-evict"]),
        help="When the cache is full: preempt and recompute, or never admit more than fits.",
    )
    @click.option("--buckets", help="Static batches: contexts that are compiled, '128,512,2048'.")
    @click.option("--interconnect", help="Between GPUs: nvlink4, nvlink3, pcie4.")
    @click.option("--memory-utilisation", type=click.FloatRange(0.1, 1.0), help="Share of the memory that may be used.")
    @click.option("--ingress-ms", type=click.FloatRange(0), help="From a request's arrival to the server's queue.")
    @click.option("--tokens-per-minute", type=click.IntRange(1), help="Quota.")
    @click.option("--tokens-per-day", type=click.IntRange(1), help="Quota.")
    @click.option("--requests-per-minute", type=click.IntRange(1), help="Quota.")
    @click.option(
        "--burndown",
        type=click.FloatRange(0),
        default=1.0,
        show_default=True,
        help="What an output token costs of the quota.",
    )
    @click.option(
        "--max-concurrency", type=click.IntRange(1), help="Requests at the replicas at once; more wait in front."
    )
    @click.option("--max-queue", type=click.IntRange(0), help="Requests that may wait in front; more are rejected.")
    @click.option("--reject-when-cold", is_flag=True, help="Reject while no replica is ready, instead of queueing.")
    @click.option(
        "--objective-ttft-ms", type=click.FloatRange(0, min_open=True), help="Goodput counts requests within it."
    )
    @click.option("--objective-tpot-ms", type=click.FloatRange(0, min_open=True))
    @click.option("--objective-e2e-ms", type=click.FloatRange(0, min_open=True))
    @click.option("--json", "json_", is_flag=True, help="Print the result as JSON.")
    def command(**asked: Any) -> int:
        """How fast would this model answer there, under this load?

        Everything is predicted in virtual time from laws fitted to published measurements; nothing is called and nothing costs.

        \b
        lab simulate --model llama-3-8b --hardware inf2.48xlarge --tensor-parallel 24 --dtype int8 --concurrency 8 --requests 64
        lab simulate --model llama-3.1-8b --hardware ml.g5.2xlarge --rate 5 --duration 600 --input-tokens 500 --output-tokens 200
        lab simulate --model nova-lite --hardware bedrock-on-demand --rate 20 --tokens-per-minute 400000
        """
        runs = _run(asked)
        result = _result(runs, price)
        if asked["json_"]:
            terminal.emit_json(result)
        else:
            _print(result, runs["central"], asked)
        return 0

    return command


def predicted(asked: Mapping[str, Any], price: Price = _no_price) -> dict[str, Any]:
    """What `--json` prints, for options as the command has read them. Raises Refusal for what cannot be run."""
    return _result(_run(asked), price)


def _result(runs: Mapping[str, "_Run"], price: Price) -> dict[str, Any]:
    central = runs["central"]
    result = central.json(price)
    if len(runs) > 1:
        keep = ("ttft_ms", "tpot_ms", "e2e_ms", "output_tokens_per_s", "requests_per_s", "goodput_per_s", "errors")
        spread = {level: run.json(price) for level, run in runs.items() if level != "central"}
        result["range"] = {level: {name: values[name] for name in keep} for level, values in spread.items()}
    return result


@dataclass(frozen=True)
class _Run:
    """A finished run and what it was of."""

    simulation: Simulation
    config: EngineConfig
    model: str
    hardware: str
    deployment: Deployment | None
    notes: tuple[str, ...]
    assumptions: tuple[str, ...]

    def json(self, price: Price) -> dict[str, Any]:
        """The shared shape, with what was assumed and chosen."""
        result = as_json(self.simulation)
        table = self.simulation.table
        answered, inputs, outputs = len(table), table.input_tokens, table.output_tokens
        if self.simulation.statistics.finished < answered:
            done = [t < NEVER for t in table.finish]
            answered, inputs, outputs = (
                sum(done),
                array("i", compress(inputs, done)),
                array("i", compress(outputs, done)),
            )
        result["cost"] = price(
            PricedRun(
                model=self.model,
                hardware=self.hardware,
                accelerators=self.deployment.accelerators if self.deployment else None,
                replicas=self.config.replicas,
                replica_hours=result["replica_hours"],
                duration_s=result["duration_s"],
                requests=answered,
                input_tokens=sum(inputs),
                output_tokens=sum(outputs),
            )
        )
        return {
            **result,
            "settings": {
                **(self.deployment.settings if self.deployment else {"model": self.model, "hardware": self.hardware}),
                "replicas": self.config.replicas,
                "router": self.config.router,
                "autoscaling": asdict(self.config.autoscaling) if self.config.autoscaling else None,  # type: ignore[call-overload]
                "limits": asdict(self.config.admission) if self.config.admission else None,
            },
            "notes": list(self.notes),
            "assumptions": list(self.assumptions),
        }


def _run(asked: Mapping[str, Any]) -> dict[str, _Run]:
    """One run; for a service whose inside is not public one at each end of the range and one in the middle."""
    if (asked["model"] is None) == (asked["model_file"] is None):
        raise Refusal("name one model: --model llama-3-8b, or --model-file FILE", USAGE)
    if (asked["hardware_name"] is None) == (asked["hardware_file"] is None):
        raise Refusal("name one piece of hardware: --hardware ml.g5.2xlarge, or --hardware-file FILE", USAGE)
    name = (asked["hardware_name"] or "").lower()
    if name in services():
        if asked["model"] is None:
            raise Refusal(f"{name} takes models by name (--model), not by file", USAGE)
        return {
            level: _finish(asked, service(name, asked["model"], level, units=asked["replicas"], seed=asked["seed"]))
            for level in LEVELS
        }
    model = model_shape(asked["model"]) if asked["model"] else model_from_file(asked["model_file"])
    on = hardware_from_file(asked["hardware_file"]) if asked["hardware_file"] else _hardware(asked["hardware_name"])
    choices = _choices(asked)
    made = plan(model, on, choices)
    settings = made.settings
    if settings["batching"] == "static" and choices.max_num_seqs is None and asked["concurrency"]:
        # A static batch is compiled for a size; who says how many clients there are has said which.
        made = plan(model, on, replace(choices, max_num_seqs=asked["concurrency"]))
        made = replace(
            made,
            notes=(
                *made.notes,
                f"static batches are compiled for {asked['concurrency']} sequences, as many as clients",
            ),
        )
    return {"central": _finish(asked, made)}


def _hardware(name: str) -> Any:
    try:
        return hardware(name)
    except Refusal as refusal:
        raise Refusal(f"{refusal}; services are {', '.join(services())}", USAGE) from None


def _choices(asked: Mapping[str, Any]) -> Choices:
    buckets = None
    if asked["buckets"]:
        try:
            buckets = tuple(sorted(int(part) for part in asked["buckets"].split(",")))
        except ValueError:
            raise Refusal(
                f"--buckets '{asked['buckets']}': write whole numbers with commas, '128,512,2048'", USAGE
            ) from None
        if buckets[0] < 1:
            raise Refusal("--buckets: a context bucket holds at least one token", USAGE)
    if asked["interconnect"] and asked["interconnect"] not in profiles()["interconnects"]:
        raise unknown("interconnect", asked["interconnect"], profiles()["interconnects"])
    return Choices(
        tensor_parallel=asked["tensor_parallel"],
        dtype=asked["dtype"],
        kv_dtype=asked["kv_dtype"],
        batching=asked["batching"],
        max_num_seqs=asked["max_num_seqs"],
        token_budget=asked["token_budget"],
        kv_capacity_tokens=asked["kv_tokens"],
        evict=None if asked["admission"] is None else asked["admission"] == "recompute",
        buckets=buckets,
        interconnect=asked["interconnect"],
        memory_utilisation=asked["memory_utilisation"],
        cold_start_s=asked["cold_start"],
        ingress_s=None if asked["ingress_ms"] is None else asked["ingress_ms"] / 1e3,
    )


def _finish(asked: Mapping[str, Any], made: Deployment | ServicePlan) -> _Run:
    """Put the limits and the workload to a deployment or service, and run."""
    is_service = isinstance(made, ServicePlan)
    deployment = made.deployment if isinstance(made, ServicePlan) else made
    replicas = asked["replicas"]
    if isinstance(made, ServicePlan) and deployment is None:
        replicas = 1  # on demand there is one service; model units are in its quota
    policy = _policy(asked)
    if replicas == 0 and policy is None:
        raise Refusal("no replica would ever answer: --replicas 0 needs --autoscale or --scale-to-zero", USAGE)
    given = made.admission if isinstance(made, ServicePlan) else None
    config = EngineConfig(
        replica=made.spec,
        replicas=replicas,
        router=asked["router"],
        admission=_limits(asked, given),
        autoscaling=policy,
        seed=asked["seed"],
    )
    objective = Objective(asked["objective_ttft_ms"], asked["objective_tpot_ms"], asked["objective_e2e_ms"])
    simulation = simulate(config, _workload(asked), objective)
    return _Run(
        simulation,
        config,
        model=made.model,
        hardware=made.service if isinstance(made, ServicePlan) else made.hardware,
        deployment=deployment,
        notes=made.notes if isinstance(made, Deployment) else (deployment.notes if deployment else ()),
        assumptions=made.assumptions if isinstance(made, ServicePlan) and is_service else (),
    )


def _limits(asked: Mapping[str, Any], given: Admission | None) -> Admission | None:
    """What the service has by itself, with what was asked for in its place."""
    limits = given or Admission()
    quota = limits.quota or TokenQuota()
    quota = TokenQuota(
        tokens_per_minute=asked["tokens_per_minute"] or quota.tokens_per_minute,
        tokens_per_day=asked["tokens_per_day"] or quota.tokens_per_day,
        requests_per_minute=asked["requests_per_minute"] or quota.requests_per_minute,
        burndown=asked["burndown"],
    )
    limited = any((quota.tokens_per_minute, quota.tokens_per_day, quota.requests_per_minute))
    limits = Admission(
        quota=quota if limited else None,
        max_concurrency=asked["max_concurrency"],
        max_queue=asked["max_queue"],
        reject_when_cold=asked["reject_when_cold"] or limits.reject_when_cold,
    )
    return None if limits == Admission() else limits


def _policy(asked: Mapping[str, Any]) -> Policy | None:
    inner: TargetTracking | StepScaling | None = None
    if asked["autoscale"]:
        try:
            inner = _step_scaling(asked) if asked["autoscale"].startswith("step:") else _target_tracking(asked)
        except ValueError as wrong:
            raise Refusal(
                f"--autoscale '{asked['autoscale']}': {wrong}. Write METRIC=TARGET with one of {', '.join(METRICS)}, "
                "or step:METRIC@THRESHOLD:0=+1,10=+3,-4=-1",
                USAGE,
            ) from None
    if asked["scale_to_zero"] is not None:
        return ScaleToZero(idle_s=asked["scale_to_zero"], then=inner)
    return inner


def _metric(name: str) -> Any:
    if name not in METRICS:
        raise ValueError(f"there is no metric '{name}'")
    return name


def _target_tracking(asked: Mapping[str, Any]) -> TargetTracking:
    name, _, target = asked["autoscale"].partition("=")
    return TargetTracking(
        metric=_metric(name),
        target=float(target),
        minimum=asked["min_replicas"],
        maximum=asked["max_replicas"],
        period_s=asked["metric_period"],
    )


def _step_scaling(asked: Mapping[str, Any]) -> StepScaling:
    what, _, steps = asked["autoscale"].removeprefix("step:").partition(":")
    name, _, threshold = what.partition("@")
    pairs = [step.split("=") for step in steps.split(",")]
    return StepScaling(
        metric=_metric(name),
        threshold=float(threshold),
        steps=tuple((float(begin), int(change)) for begin, change in pairs),
        minimum=asked["min_replicas"],
        maximum=asked["max_replicas"],
        period_s=asked["metric_period"],
    )


def _workload(asked: Mapping[str, Any]) -> Closed | Table:
    kinds = [name for name in ("concurrency", "rate", "trace") if asked[name] is not None]
    if len(kinds) != 1:
        raise Refusal(
            "say how requests come, one way: --concurrency 8 --requests 64, or --rate 5 --arrival poisson, or --trace FILE",
            USAGE,
        )
    if asked["trace"] is not None:
        return read_trace(asked["trace"])
    inputs, outputs = asked["input_tokens"], asked["output_tokens"]
    ceiling = asked["max_tokens"]
    if asked["concurrency"] is not None:
        return Closed(asked["concurrency"], asked["requests"] or 8 * asked["concurrency"], inputs, outputs, ceiling)
    requests, duration = asked["requests"], asked["duration"]
    if requests is None and duration is None:
        requests = DEFAULT_REQUESTS
    times = arrivals(
        asked["arrival"],
        asked["rate"],
        requests=requests,
        duration_s=duration,
        seed=asked["seed"],
        cv=asked["burstiness"],
    )
    if not times:
        raise Refusal(
            f"no request arrives in {duration:g} s at {asked['rate']:g} a second: make --duration longer", USAGE
        )
    n, cv, seed = len(times), asked["length_cv"], asked["seed"]
    answers = lengths(outputs, n, cv, seed + 2, ceiling)
    if ceiling is not None and cv == 0:
        answers = lengths(min(outputs, ceiling), n)
    return Table.of(times, lengths(inputs, n, cv, seed + 1), answers, None if ceiling is None else lengths(ceiling, n))


# For people


def _print(result: Mapping[str, Any], run: _Run, asked: Mapping[str, Any]) -> None:
    settings = result["settings"]
    title = f"{run.model} on {settings['replicas']} x {run.hardware}, predicted by the serving model"
    columns = ["", "mean (ms)", "p50 (ms)", "p90 (ms)", "p99 (ms)"]
    ends = [(level, result["range"][level]) for level in ("low", "high")] if "range" in result else []
    columns += ["p50, low to high (ms)"] if ends else []
    names = {"ttft_ms": "TTFT, first token", "tpot_ms": "TPOT, each later token *", "e2e_ms": "E2E, last token"}
    terminal.table(
        title,
        columns,
        (
            [
                label,
                *(_milliseconds(result[name][figure]) for figure in ("mean", "p50", "p90", "p99")),
                *([" to ".join(_milliseconds(values[name]["p50"]) for _, values in ends)] if ends else []),
            ]
            for name, label in names.items()
        ),
    )
    facts = [
        ("requests", f"{result['requests']:,}"),
        ("requests per second", f"{result['requests_per_s']:,.2f}"),
        ("output tokens per second", f"{result['output_tokens_per_s']:,.1f}"),
    ]
    if result["goodput_per_s"] is not None:
        facts.append(("within the objective, per second", f"{result['goodput_per_s']:,.2f}"))
    facts += [(f"errors: {name}", f"{count:,}") for name, count in result["errors"].items()]
    for level, values in ends:
        if values["errors"] or result["errors"]:
            facts.append((f"errors, {level} end", f"{sum(values['errors'].values()):,}"))
    if run.deployment is not None:
        facts.append(("busy", f"{100 * (result['utilisation'] or 0):.0f} % of the replicas' time"))
        chosen = [
            f"{settings['dtype']} weights",
            f"{settings['tensor_parallel']}-way parallel",
            f"{settings['batching']} batches",
        ]
        facts.append(("deployed as", ", ".join(chosen)))
    if result["preemptions"]:
        facts.append(("preemptions", f"{result['preemptions']:,}"))
    if result["cold_starts"]:
        facts.append(("cold starts", f"{result['cold_starts']:,}"))
    for name, value in (result["cost"] or {}).items():
        facts.append((name.replace("_", " "), f"${value:,.4f}" if isinstance(value, int | float) else str(value)))
    terminal.table("", ("what", "value"), facts)
    for line in (*run.notes, *run.assumptions):
        terminal.say(f"[dim]note: {line}[/dim]")
    terminal.say("[dim]* median and percentiles are over requests, not over tokens[/dim]")
    terminal.say(_meaning(result))
    terminal.say(f"Next: {_advice(result, run, asked)}")


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if value < 1e4 else f"{value:,.0f}"


def _meaning(result: Mapping[str, Any]) -> str:
    ttft, tpot = result["ttft_ms"]["p50"], result["tpot_ms"]["p50"]
    if ttft is None:
        return "Nobody was answered."
    pace = f", then {1e3 / tpot:,.0f} tokens a second" if tpot else ""
    errors = sum(result["errors"].values())
    refused = f" {100 * errors / result['requests']:.0f} % of the requests were turned away." if errors else ""
    return f"Half of the users see their first token within {ttft / 1e3:.2f} s{pace}; 1 in 100 waits longer than {result['ttft_ms']['p99'] / 1e3:.2f} s.{refused}"


def _advice(result: Mapping[str, Any], run: _Run, asked: Mapping[str, Any]) -> str:
    errors = result["errors"]
    if "ThrottlingException" in errors:
        return "lower --max-tokens, which the quota reserves, or see what a larger --tokens-per-minute would change."
    if "ModelNotReadyException" in errors:
        return "keep a replica warm: leave out --scale-to-zero, or set --min-replicas 1."
    if "ValidationException" in errors:
        return "shorter prompts, or hardware with a larger KV cache: --kv-tokens says how large it is."
    ttft = result["ttft_ms"]
    if ttft["p50"] is not None and ttft["p99"] > 10 * max(ttft["p50"], 1.0):
        return f"requests queue; try --replicas {run.config.replicas + 1}, or --autoscale concurrency=8."
    if asked["rate"] is not None:
        queued = ttft["p50"] is not None and run.deployment is not None and (result["utilisation"] or 0) > 0.99
        more = (
            f"--replicas {run.config.replicas + 1}"
            if queued and ttft["p50"] > 2000
            else f"--rate {2 * asked['rate']:g}"
        )
        return f"find where it breaks: {more}. `python -m labs.serving.calibration --committed` says how far off this may be."
    return "`python -m labs.serving.calibration --committed` says how far off this may be; --json has every setting."


simulate_command = build_simulate()
"""`lab simulate` without prices"""
