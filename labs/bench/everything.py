"""`lab bench --all`: targets deployed one after the other, offered the same load directly and through the queue, the rest simulated, all removed.

    made = everything(Clouds(False, print), Trip(rates_per_s=(0.5, 1.0, 2.0)), Path("bench-all"), bench, print)
    made.files, made.left          # records of every run; what could not be removed

One target stands at a time: two would share this machine's cores. A simulated run is of the very same requests as those beside it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from labs import targets, terminal
from labs.bench import records, where
from labs.bench.compare import Comparison
from labs.bench.cost import price_of
from labs.bench.crew import Outcome
from labs.bench.lengths import Lengths
from labs.bench.opened import Compared
from labs.bench.overlay import engine_for
from labs.bench.records import OK, Header, Quality, Record, Run
from labs.bench.where import Clouds, Options, Place
from labs.bench.workload import Offered, build
from labs.cloud import Cloud
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from labs.facts import catalogue
from labs.serving.requests import NEVER, Table
from labs.serving.simulate import simulate
from labs.squid import deploy as queue
from labs.targets import Kind, Site, Target, guard, quota, stacks
from labs.targets import options as target_options
from labs.targets import standing as deployments

WEIGHTS = "mistral-7b"
LIVE: Mapping[str, Mapping[str, Any]] = {
    "bedrock-on-demand": {},
    "sagemaker-gpu": {"model": WEIGHTS},
    "sagemaker-inferentia": {"model": WEIGHTS},
    "ec2-vllm": {"model": WEIGHTS},
}
"""One of each kind. The same open weights wherever they are one's own to choose, so that what differs is where they run."""
NAME = "bench-all"
QUOTA_PATIENCE_S = 120.0
"""the local cloud grants a quota within seconds"""
DRAIN_S = 60.0
"""for one answer: whoever waits longer at these rates is in a queue that does not end"""


@dataclass(frozen=True)
class Trip:
    """What every target is offered."""

    rates_per_s: tuple[float, ...] = (0.5, 1.0, 2.0)
    duration_s: float = 10.0
    input_tokens: Lengths = field(default_factory=lambda: Lengths.parse("200"))
    output_tokens: Lengths = field(default_factory=lambda: Lengths.parse("100"))
    live: tuple[str, ...] = tuple(LIVE)
    through_queue: bool = True
    push: bool = False
    """through the queue a second time: listening for the pieces, instead of asking for the end"""
    seed: int = 0
    objective: Mapping[str, float] = field(default_factory=dict)

    def offered(self, rate_per_s: float) -> Offered:
        """A run's load; an open loop, as users are."""
        return Offered(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            arrival="poisson",
            rate_per_s=rate_per_s,
            duration_s=self.duration_s,
        )


@dataclass(frozen=True)
class Made:
    """What came of it."""

    files: tuple[Path, ...]
    left: tuple[str, ...]
    """deployments that could not be removed, each with the reason"""
    failed: tuple[str, ...]
    """targets that could not be deployed or benched, each with the reason; the others were"""
    not_simulated: tuple[str, ...]
    """targets of which the engine has nothing to say, each with the reason"""
    interrupted: bool = False


Bench = Callable[[Place, Offered, Path], Outcome]
"""Offers a load to a place, and keeps the records in the file."""


def everything(clouds: Clouds, trip: Trip, into: Path, bench: Bench, tell: Callable[[str], object]) -> Made:
    """All of it. Whatever was deployed is removed, also when a part fails or the user stops it. Raises Refusal."""
    where_ = clouds.main()
    if where_.real:
        raise Refusal(
            "--all deploys several accelerators in a row and is meant for the local cloud; on AWS deploy one target under a ceiling "
            "('lab deploy TARGET --real --ceiling-usd N'), bench it by name, and tear it down",
            USAGE,
        )
    for name in trip.live:
        if Kind.ONLINE not in targets.get(name)().kinds:
            raise Refusal(f"{name} answers no calls, so it cannot be benched; name targets that are online", USAGE)
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(f"the runs cannot be kept in {into}: {error.strerror}", NOT_READY) from None
    files: list[Path] = []
    left: list[str] = []
    failed: list[str] = []
    interrupted = False
    try:
        for name in trip.live:
            target = target_options.make(name, targets.get(name), **LIVE.get(name, {}))
            try:
                for made in _live(clouds, target, trip, into, bench, left, tell):
                    files.append(made)
            except Refusal as why:
                failed.append(f"{name}: {why}")
    except KeyboardInterrupt:
        interrupted = True
    not_simulated = []
    for name, entry in catalogue.targets().items():
        if name in trip.live or "online" not in entry.kinds:
            continue
        if "streaming" not in entry.kinds:
            not_simulated.append(f"{name}, whose way in and out is no part of the engine")
            continue
        try:
            files += [_simulated(name, entry, trip, rate, into) for rate in trip.rates_per_s]
        except Refusal as why:
            not_simulated.append(f"{name}, {why}")
    _, more = deployments.finish(where_, tell)
    return Made(tuple(files), (*left, *more), tuple(failed), tuple(not_simulated), interrupted)


def _live(
    clouds: Clouds,
    target: Target,
    trip: Trip,
    into: Path,
    bench: Bench,
    left: list[str],
    tell: Callable[[str], object],
) -> Iterator[Path]:
    """One target from its deployment to its removal; yields the file of each run once it is there."""
    where_, name = clouds.main(), target.name
    with _deployed(where_, target, left, tell) as site:
        place = replace(where.standing(target, site, Options()), name=name)
        yield from _runs(place, trip, into, bench)
        if trip.through_queue:
            with _queued(where_, target, site, left, tell) as stack:
                for push in (False, True) if trip.push else (False,):
                    through = where.through_squid(stack.name, clouds, name, push=push)
                    yield from _runs(replace(through, name=name, hardware=place.hardware), trip, into, bench)


@contextmanager
def _deployed(where_: Cloud, target: Target, left: list[str], tell: Callable[[str], object]) -> Iterator[Site]:
    """A target while the block lasts; its quota is asked for where it is too small, as it is in a new account."""
    name = f"{NAME}-{target.name}"
    _free(name)
    site = Site(where_, name, 1, lambda how: tell(f"{target.name}: {how}"))
    tell(f"{target.name}: deploying")
    try:
        while True:
            try:
                guard.deploy_admitted(target, site)
                break
            except quota.TooSmall as small:
                quota.request(small.need)
                quota.wait(small.need, QUOTA_PATIENCE_S, site.tell)
        yield site
    finally:
        left += deployments.remove(where_, name, site.tell)


@contextmanager
def _queued(
    where_: Cloud, target: Target, site: Site, left: list[str], tell: Callable[[str], object]
) -> Iterator[stacks.Stack]:
    """The queue pattern in front of it, while the block lasts."""
    name = f"{NAME}-squid"
    _free(name)
    tell(f"{target.name}: the queue in front of it")
    try:
        yield queue.deploy(
            where_, target, name, target_name=site.name, hours=1, tell=lambda how: tell(f"{target.name}, queue: {how}")
        )
    finally:
        left += deployments.remove(where_, name, site.tell)


def _free(name: str) -> None:
    if stacks.find(name) is not None:
        raise Refusal(f"'{name}' stands already, from a run that was killed; 'lab teardown {name}' removes it", FALSE)


def _runs(place: Place, trip: Trip, into: Path, bench: Bench) -> Iterator[Path]:
    said = place.describe()
    way = ("through-queue-pushed" if said.get("pushed") else "through-queue") if said.get("through") else "direct"
    for rate in trip.rates_per_s:
        file = into / f"{_file_name(place.name, way, rate)}.jsonl"
        outcome = bench(place, trip.offered(rate), file)
        if outcome.full:
            raise Refusal(f"the records cannot be written to {file} ({outcome.full})", NOT_READY)
        if outcome.interrupted:
            raise KeyboardInterrupt
        yield file


def _file_name(*parts: Any) -> str:
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", f"{part:g}" if isinstance(part, float) else part) for part in parts)


def _simulated(name: str, entry: catalogue.Target, trip: Trip, rate: float, into: Path) -> Path:
    """The same requests, warm-up too, through the engine in virtual time; a run like the others, and labelled."""
    model = entry.default_model if entry.default_model.startswith("nova") else WEIGHTS
    target = {"name": name, "endpoint": "engine", "model": model, "address": "none", "streaming": True}
    if entry.default_instance is not None:
        target |= {"instance_type": entry.default_instance, "replicas": 1}
    engine, notes = engine_for(target, seed=trip.seed)
    offered = trip.offered(rate)
    work = build(offered, trip.seed)
    assert work.due_s is not None
    table = Table.of(work.due_s, work.input_tokens, work.output_tokens)
    simulate(engine, table)
    header = Header(
        {**target, "notes": list(notes)},
        offered.describe(),
        "open",
        "predicted",
        provenance_note="simulated in virtual time, nothing was called",
        seed=trip.seed,
        started_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        price=price.as_dict() if (price := price_of(target)) else None,
        objective=trip.objective or None,
    )
    made = [_record(table, row, work.warmup_s) for row in range(len(table))]
    took_s = max((r.ended_s for r in made if r.ended_s is not None), default=0.0)
    file = into / f"{_file_name(name, 'simulated', rate)}.jsonl"
    with file.open("wb") as out:
        records.write(out, Run(header, tuple(made), Quality(True, (), True, (), took_s)))
    return file


def _record(table: Table, row: int, warmup_s: float) -> Record:
    due, first, last = table.arrival[row], table.first[row], table.finish[row]
    ok = last != NEVER
    return Record(
        id=row,
        intended_s=due,
        sent_s=due,
        first_token_s=first if ok else None,
        token_s=((first, last) if table.output_tokens[row] > 1 else (first,)) if ok else (),
        last_token_s=last if ok else None,
        ended_s=last if ok else due,
        input_tokens=table.input_tokens[row],
        output_tokens=table.output_tokens[row] if ok else None,
        status=OK if ok else "NotServed",
        http_status=None,
        message="" if ok else "the engine turned it away",
        warmup=due < warmup_s,
        worker=0,
        session=None,
    )


def show(made: Made, compared: Comparison, page: Path) -> None:
    """One line for whatever answered, then what it means."""
    loads = list(dict.fromkeys(run.load for run in compared.runs))
    rows = []
    for series in dict.fromkeys(run.series for run in compared.runs):
        runs = {run.load: run for run in compared.runs if run.series == series}
        cells = [_cell(runs.get(load)) for load in loads]
        last = runs.get(loads[-1])
        rows.append([escape(series), *cells, "-" if last is None or last.cost is None else f"{last.cost:,.2f}"])
    columns = [f"at {load} (s)" for load in loads]
    terminal.table("E2E, median: the same requests everywhere", ("what", *columns, "1M output tokens (USD)"), rows)
    terminal.say(f"[dim]The price is that at {loads[-1]}, the load seen. The report has intervals.[/dim]")
    for why in made.failed:
        terminal.say(f"[bold red]Not benched:[/] {escape(why)}")
    for why in made.not_simulated:
        terminal.say(f"[dim]not simulated: {escape(why)}[/dim]")
    terminal.say(
        "All of it is predicted by the serving model, offered to the local cloud, or simulated where the name says so. "
        "Nothing here was measured on AWS."
    )
    if made.left:
        terminal.say(f"[bold red]Not removed:[/] {escape('; '.join(made.left))}. 'lab teardown --all' tries again.")
    terminal.say(f"{'' if made.left else 'Whatever was deployed is removed. '}Next: open {page}.")


def _cell(run: Compared | None) -> str:
    if run is None or (e2e := run.figure("e2e_ms", "p50")) is None:
        return "-"
    failed = run.summary["requests"] - run.summary["answered"]
    return f"{e2e / 1e3:,.2f}" + (f" ({failed} failed)" if failed else "")


def as_dict(made: Made, compared: Comparison, page: Path) -> dict[str, Any]:
    """For programs."""
    return {
        "runs": [
            {"series": run.series, "load": run.load, "family": run.family, **run.summary} for run in compared.runs
        ],
        "files": [str(file) for file in made.files],
        "report": str(page),
        "left": list(made.left),
        "failed": list(made.failed),
        "not_simulated": list(made.not_simulated),
        "interrupted": made.interrupted,
    }
