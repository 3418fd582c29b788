"""`lab bench`: how fast is it really? Offers load to a target, an endpoint or a server, and says what came of it."""

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from labs import targets, terminal
from labs.bench import calibrate, where
from labs.bench.compare import compare as judge
from labs.bench.compare_commands import write_page
from labs.bench.crew import Outcome, measure
from labs.bench.endpoints.bedrock import OPERATIONS as BEDROCK_OPERATIONS
from labs.bench.endpoints.openai import APIS
from labs.bench.endpoints.sagemaker import FORMATS
from labs.bench.endpoints.sagemaker import OPERATIONS as SAGEMAKER_OPERATIONS
from labs.bench.knee import find_knee
from labs.bench.loops import loop_name
from labs.bench.money import Meter, Watch, meter_of
from labs.bench.opened import load
from labs.bench.parameters import JsonType, LengthsType, RatesType
from labs.bench.progress import Progress
from labs.bench.records import Header
from labs.bench.schedule import ARRIVALS
from labs.bench.show import show
from labs.bench.summary import summarise
from labs.bench.where import Clouds, Options, Place
from labs.bench.workload import Offered, Workload, build
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from labs.spread.options import SCHEDULER
from labs.targets.commands import AwsCommand

CALIBRATE = "--calibrate"
INTERRUPTED = 130
STDOUT = "-"


above_0 = click.FloatRange(0, min_open=True)
a_file = click.Path(path_type=Path, dir_okay=False)


class Bench(AwsCommand):
    """`--calibrate` hands over to a command with options of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """For the command that the arguments are of."""
        if CALIBRATE not in args:
            return super().make_context(info_name, args, parent, **extra)
        rest = [arg for arg in args if arg != CALIBRATE]
        return calibrate.main.make_context(f"{info_name} {CALIBRATE}", rest, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """By whichever command it is."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command("bench", cls=Bench, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[TARGET]...")
@click.option(
    "--all",
    "everything_",
    is_flag=True,
    help="Deploy four targets in turn (or those named), bench each at several --rates, simulate the others, remove all, write a report.",
)
@click.option("--rates", type=RatesType(), default=(), help="With --all: a run at each; 0.5,1,2 unless said.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("bench-all"),
    show_default=True,
    help="With --all: a folder for the records and the report.",
)
@click.option(
    CALIBRATE,
    "calibrate_",
    is_flag=True,
    help="Fit the serving engine's constants to measured RUNs, and say by how much that helped: --calibrate --help.",
)
@click.option(
    "--bedrock-model",
    metavar="ID",
    help="A model id, inference profile or ARN of Bedrock, wherever AWS_ENDPOINT_URL_BEDROCK_RUNTIME is.",
)
@click.option("--sagemaker-endpoint", metavar="NAME", help="A SageMaker endpoint.")
@click.option(
    "--openai-url",
    metavar="URL",
    help="Any OpenAI-compatible server (vLLM, Triton, Ollama); its key in OPENAI_API_KEY.",
)
@click.option(
    "--through", type=click.Choice(["squid"]), help="By way of the queue: from handing in to the final answer."
)
@click.option(
    "--push",
    is_flag=True,
    help="With --through squid: listen for the pieces, instead of asking for the end; with --all, both.",
)
@click.option("--stack", default="squid", show_default=True, help="With --through squid: the stack.")
@click.option("--model", default="", help="The model: of a target, or on an OpenAI-compatible server.")
@click.option(
    "--api",
    type=click.Choice([*BEDROCK_OPERATIONS, *SAGEMAKER_OPERATIONS, *APIS]),
    metavar="API",
    help=f"Bedrock: {', '.join(BEDROCK_OPERATIONS)}. SageMaker: {', '.join(SAGEMAKER_OPERATIONS)}. Servers: {', '.join(APIS)}.",
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="SageMaker: the container's words; messages unless said."
)
@click.option("--component", default="", help="SageMaker: an inference component.")
@click.option("--bucket", default="", help="SageMaker async: where inputs are put.")
@click.option(
    "--body", type=JsonType(), help="JSON laid over every request's body, for instance '{\"ignore_eos\": true}'."
)
@click.option("--rate", type=above_0, help="Open loop: requests per second, whatever comes back.")
@click.option(
    "--arrival", type=click.Choice([a for a in ARRIVALS if a != "trace"]), default="poisson", show_default=True
)
@click.option(
    "--burstiness",
    type=click.FloatRange(0.01),
    default=2.0,
    show_default=True,
    help="Gamma: coefficient of variation of the gaps.",
)
@click.option(
    "--steps", type=RatesType(), default=(), help="With --arrival steps: rates, each for an equal part of the duration."
)
@click.option("--rate-to", type=above_0, help="With --arrival ramp: the rate at the end.")
@click.option("--trace", type=a_file, help="Replay a CSV with arrival_s, input_tokens, output_tokens.")
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    help="Closed loop: so many clients, each waiting for its answer. Hides stalls; for comparison.",
)
@click.option("--duration", type=above_0, help="Seconds of load; 30 unless --requests says how many.")
@click.option("--requests", type=click.IntRange(1))
@click.option(
    "--input-tokens",
    type=LengthsType(),
    default="500",
    show_default=True,
    help="500, uniform:100,900, normal:500,100 or lognormal:500,0.8.",
)
@click.option(
    "--output-tokens",
    type=LengthsType(),
    default="200",
    show_default=True,
    help="The ceiling that is asked for; same words.",
)
@click.option(
    "--prompts",
    type=a_file,
    help="Send these (JSON lines, as for lab squid submit) instead of words of the wanted length.",
)
@click.option(
    "--sessions",
    type=click.IntRange(0),
    default=0,
    help="Spread requests over so many sessions with a shared beginning.",
)
@click.option("--prefix-tokens", type=click.IntRange(0), default=0, help="How long that beginning is.")
@click.option(
    "--warmup",
    type=click.FloatRange(0),
    help="Seconds before it counts; a tenth of the duration, 2 at most, unless said.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the load."
)
@SCHEDULER
@click.option("--timeout", type=above_0, default=120.0, show_default=True, help="Seconds for one answer.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--objective-ttft-ms", type=above_0, help="Goodput counts requests within it.")
@click.option("--objective-tpot-ms", type=above_0)
@click.option("--objective-e2e-ms", type=above_0)
@click.option(
    "--find-knee",
    is_flag=True,
    help="Search from --rate to --rate-to for the highest rate that meets the objective, with its interval.",
)
@click.option("--real", is_flag=True, help="AWS itself, with your own credentials. It costs money.")
@click.option(
    "--ceiling-usd",
    type=above_0,
    help="What the calls may cost, where 'lab deploy --real --ceiling-usd' left nothing for them; through squid, all of the stack's.",
)
@click.option("--records", type=a_file, help="Write one line a request to this file.")
@click.option(
    "--json",
    "json_",
    is_flag=False,
    flag_value=STDOUT,
    metavar="[FILE]",
    help="Print the summary as JSON, or write it to a file.",
)
def bench(names: tuple[str, ...], **asked: Any) -> int:
    """How fast does it answer, under this load?

    Latency counts from when a request was due. Nothing is retried: every refusal is counted under its own name.

    \b
    lab bench bedrock-on-demand --rate 20 --duration 30
    lab bench bedrock-on-demand --through squid --rate 5 --records run.jsonl
    lab bench --openai-url http://127.0.0.1:8000 --model llama --arrival ramp --rate 1 --rate-to 40
    lab bench --bedrock-model amazon.nova-lite-v1:0 --concurrency 8 --requests 64 --json
    lab bench --all --through squid
    lab bench --openai-url http://10.0.0.7:8000 --model llama --rate 2000 --scheduler tcp://10.0.0.5:8786
    lab bench --calibrate run.jsonl --model llama-3.1-8b --hardware ml.g5.2xlarge
    """
    if asked["json_"] in targets.TARGETS:
        raise Refusal(f"--json {asked['json_']} would write to a file of that name; put --json last", USAGE)
    quiet = asked["json_"] == STDOUT
    if asked["push"] and not asked["through"]:
        raise Refusal("--push listens to the queue's answers: say --through squid too", USAGE)
    if asked["scheduler"] is not None:
        asked |= _spread(asked)
    if asked["everything_"]:
        return _everything(names, asked, quiet)
    if asked["rates"]:
        raise Refusal("--rates goes with --all; one run is at one --rate, or in --steps", USAGE)
    offered = _offered(asked)
    work = build(offered, asked["seed"])

    def tell(text: str) -> None:
        if not quiet:
            terminal.err.print(escape(text))

    clouds = Clouds(asked["real"], tell)
    places = _places(names, asked, clouds)
    if asked["ceiling_usd"] is not None and len(places) > 1:
        raise Refusal("--ceiling-usd is for the calls of one target; bench several one by one", USAGE)
    meters = [meter_of(place, clouds, asked["ceiling_usd"], tell) for place in places]
    if asked["find_knee"]:
        return _find_knee(places, meters, offered, asked)
    for meter in meters if len(places) > 1 else ():
        meter.require(work, asked["timeout"])
    summaries: dict[str, Any] = {}
    status = 0
    for place, meter in zip(places, meters, strict=True):
        outcome = _run(place, offered, work, asked, meter, several=len(places) > 1)
        if outcome.full:
            raise Refusal(
                f"the records cannot be written to {asked['records']} ({outcome.full}); the run was stopped, and the "
                f"{len(outcome.run.records):,} requests until then are there as far as they fitted",
                NOT_READY,
            )
        summaries[place.name] = summary = summarise(outcome.run)
        if not quiet:
            show(summary, outcome, place)
        status = max(status, _status(outcome, summary))
        if outcome.interrupted:
            terminal.err.print("[bold red]lab:[/] stopped by you; the figures are of what was done until then.")
            break
    _emit(summaries, asked["json_"])
    return status


def _spread(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The workers of a scheduler in the place of our own processes, as long as the command runs."""
    from labs.spread import cluster

    context = click.get_current_context()
    source = context.get_parameter_source("workers")
    if source is not None and source.name == "COMMANDLINE":
        raise Refusal("--workers is for this machine; the workers of a --scheduler are started with it", USAGE)
    workers = context.with_resource(cluster.connect(asked["scheduler"]))
    return {"spread": workers, "workers": len(workers.there())}


def _offered(asked: Mapping[str, Any]) -> Offered:
    by_steps = asked["steps"] and asked["rate"] is None and asked["arrival"] == "poisson"
    duration = asked["duration"]
    if duration is None and asked["requests"] is None and asked["trace"] is None:
        duration = 30.0
    return Offered(
        input_tokens=asked["input_tokens"],
        output_tokens=asked["output_tokens"],
        arrival="trace" if asked["trace"] else "steps" if by_steps else asked["arrival"],
        rate_per_s=asked["rate"],
        duration_s=duration,
        requests=asked["requests"],
        concurrency=asked["concurrency"],
        burstiness=asked["burstiness"],
        steps_per_s=asked["steps"],
        rate_to_per_s=asked["rate_to"],
        trace=asked["trace"],
        prompts=asked["prompts"],
        sessions=asked["sessions"],
        prefix_tokens=asked["prefix_tokens"],
        warmup_s=asked["warmup"],
    )


def _places(names: tuple[str, ...], asked: Mapping[str, Any], clouds: Clouds) -> list[Place]:
    options = Options(
        asked["api"],
        asked["model"],
        asked["format_"] or "",
        asked["component"],
        asked["bucket"],
        asked["body"],
        asked["real"],
    )
    direct = [asked["bedrock_model"], asked["sagemaker_endpoint"], asked["openai_url"]]
    if asked["through"]:
        if any(direct) or len(names) > 1:
            raise Refusal("--through squid measures one stack; name its target, or nothing", USAGE)
        return [where.through_squid(asked["stack"], clouds, names[0] if names else None, push=asked["push"])]
    places = [where.target(name, options, clouds) for name in names]
    if asked["bedrock_model"]:
        places.append(where.bedrock(asked["bedrock_model"], options, clouds))
    if asked["sagemaker_endpoint"]:
        places.append(where.sagemaker(asked["sagemaker_endpoint"], options, clouds))
    if asked["openai_url"]:
        places.append(where.openai(asked["openai_url"], options))
    if not places:
        raise Refusal(
            f"name what to measure: a target ({', '.join(sorted(targets.TARGETS))}), --bedrock-model, --sagemaker-endpoint or --openai-url",
            USAGE,
        )
    return places


NOT_COUNTED = Meter()


def _run(
    place: Place,
    offered: Offered,
    work: Workload,
    asked: Mapping[str, Any],
    meter: Meter = NOT_COUNTED,
    *,
    several: bool,
) -> Outcome:
    header = Header(
        target=place.describe(),
        offered=offered.describe(),
        loop="closed" if work.due_s is None else "open",
        provenance=place.provenance,
        provenance_note=place.note,
        seed=asked["seed"],
        workers=asked["workers"],
        timeout_s=asked["timeout"],
        started_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        versions=versions(),
        price=price.as_dict() if (price := place.price()) else None,
        objective=_objective(asked) or None,
    )
    more: dict[str, Any] = {}
    if asked.get("spread") is not None:
        from labs.bench.spread_crew import spread

        more["gather"] = spread(asked["spread"], place, real=asked["real"])
    records: Path | None = asked["records"]
    if records is not None and several:
        records = records.with_stem(f"{records.stem}-{re.sub('[^A-Za-z0-9.-]+', '-', place.name)}")
    with Progress(terminal.err, place.name, work.expected(), work.duration_s) as progress:

        def run(watch: Watch) -> Outcome:
            return measure(
                header, work, place.endpoint, only_loopback=place.only_loopback, record_to=records, watch=watch, **more
            )

        return meter.measure(work, asked["timeout"], progress, run)


def versions() -> dict[str, str]:
    """What measured."""
    return {
        "deployment-dilemma": version("deployment-dilemma"),
        "python": platform.python_version(),
        "loop": loop_name(),
        "botocore": version("botocore"),
        "platform": platform.platform(terse=True),
    }


def _everything(names: tuple[str, ...], asked: Mapping[str, Any], quiet: bool) -> int:
    """The whole comparison."""
    from labs.bench import everything

    given = click.get_current_context().get_parameter_source
    own = (
        "rate",
        "steps",
        "trace",
        "concurrency",
        "requests",
        "prompts",
        "records",
        "find_knee",
        "bedrock_model",
        "ceiling_usd",
    )
    if wrong := [f"--{name.replace('_', '-')}" for name in own if asked[name]]:
        raise Refusal(
            f"--all has its own loads and files (--rates, --duration, --into): leave out {', '.join(wrong)}", USAGE
        )
    said = {
        name: asked[name]
        for name in ("input_tokens", "output_tokens")
        if (source := given(name)) is not None and source.name == "COMMANDLINE"
    }
    trip = everything.Trip(
        rates_per_s=asked["rates"] or everything.Trip.rates_per_s,
        duration_s=asked["duration"] or everything.Trip.duration_s,
        live=names or tuple(everything.LIVE),
        through_queue=asked["through"] == "squid",
        push=asked["push"],
        seed=asked["seed"],
        objective=_objective(asked),
        **said,
    )
    told = [""]

    def tell(text: str) -> None:
        if not quiet and text != told[0]:
            terminal.err.print(escape(text), style="dim")
        told[0] = text

    def bench_one(place: Place, offered: Offered, file: Path) -> Outcome:
        settings = {**asked, "records": file, "timeout": everything.DRAIN_S}
        return _run(place, offered, build(offered, trip.seed), settings, several=False)

    made = everything.everything(Clouds(asked["real"], tell), trip, asked["into"], bench_one, tell)
    if not made.files:
        return INTERRUPTED
    compared = judge(load(made.files))
    page = asked["into"] / "report.html"
    write_page(page, compared, [])
    if asked["json_"]:
        _write_json({**everything.as_dict(made, compared, page)}, asked["json_"])
    if not quiet:
        everything.show(made, compared, page)
    return INTERRUPTED if made.interrupted else FALSE if made.left or made.failed else 0


def _find_knee(places: list[Place], meters: list[Meter], offered: Offered, asked: Mapping[str, Any]) -> int:
    """The saturation search: run after run at rates in between, until it is known where the objective is no longer met."""
    if len(places) != 1 or asked["rate"] is None or asked["rate_to"] is None or not _objective(asked):
        raise Refusal(
            "--find-knee searches one target between two rates for an objective: --rate 1 --rate-to 100 --objective-ttft-ms 500",
            USAGE,
        )
    (place,), (meter,) = places, meters

    def run_at(rate_per_s: float, seed: int) -> dict[str, Any]:
        there = replace(offered, rate_per_s=rate_per_s, rate_to_per_s=None)
        outcome = _run(place, there, build(there, seed), {**asked, "seed": seed}, meter, several=False)
        if outcome.interrupted:
            raise KeyboardInterrupt
        summary = summarise(outcome.run)
        good = summary["objective"]["share"]
        invalid = "" if summary["valid"] else ", spoiled by the client"
        terminal.err.print(
            f"{rate_per_s:,.2f} requests/s: {100 * good:.1f} % met {summary['objective']['words']}{invalid}"
        )
        return summary

    knee = find_knee(run_at, low=asked["rate"], high=asked["rate_to"], seed=asked["seed"])
    data = {
        "knee": knee.as_dict(),
        "target": place.describe(),
        "provenance": place.provenance,
        "objective": _objective(asked),
    }
    if asked["json_"] is None:
        terminal.say(f"{escape(place.name)}, {escape(place.note)}: {knee.says}")
        terminal.say("Next: lab bench at that rate, for longer, with --records F.jsonl.")
    else:
        _write_json(data, asked["json_"])
    return 0 if knee.rate_per_s is not None else FALSE


def _objective(asked: Mapping[str, Any]) -> dict[str, float]:
    limits = {name: asked[f"objective_{name}"] for name in ("ttft_ms", "tpot_ms", "e2e_ms")}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _status(outcome: Outcome, summary: Mapping[str, Any]) -> int:
    if outcome.interrupted:
        return INTERRUPTED
    return 0 if summary["answered"] else FALSE


def _emit(summaries: Mapping[str, Any], to: str | None) -> None:
    if to is None:
        return
    _write_json(next(iter(summaries.values())) if len(summaries) == 1 else {"runs": summaries}, to)


def _write_json(data: Mapping[str, Any], to: str) -> None:
    if to == STDOUT:
        terminal.emit_json(data)
        return
    try:
        Path(to).write_text(json.dumps(data, indent=2, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise Refusal(f"the summary cannot be written to {to}: {error.strerror}", NOT_READY) from None
