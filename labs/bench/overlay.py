"""The serving engine's own figures laid over a run: the same arrivals and lengths, in virtual time.

    laid = overlay(run, engine_for(run.header.target, hardware="ml.g5.2xlarge"))
    laid.kind           # 'prediction' over a real endpoint or a recorded trace; over the local cloud only a 'consistency check'
    laid.rows[0].error  # ours over theirs, less one

The local cloud answers with this same engine. That both agree shows that the harness and the cloud work; it is no evidence about AWS.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labs.bench.records import Record, Run
from labs.bench.statistics import latency
from labs.bench.summary import LATENCIES, counted
from labs.errors import USAGE, Refusal
from labs.serving.engine import EngineConfig
from labs.serving.profiles import Choices, Deployment, hardware, model_shape, plan
from labs.serving.requests import NEVER, Table
from labs.serving.services import service, services
from labs.serving.simulate import simulate

FIGURES = ("mean", "p50", "p90", "p99")
CHECK, PREDICTION = "consistency check", "prediction"


@dataclass(frozen=True)
class Row:
    """One figure, both ways, in milliseconds."""

    figure: str
    """'TTFT p99'"""
    observed: float
    engine: float
    error: float | None
    inside: bool | None
    """Is the engine's figure in the run's 95 % interval? None: the run has none there"""


@dataclass(frozen=True)
class Overlay:
    """What the engine says of a run."""

    kind: str
    of: str
    """the run, in words"""
    observed_as: str
    """what the run's own figures are: 'measured', 'local cloud'"""
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        return (
            "Consistency check: the engine beside the local cloud"
            if self.kind == CHECK
            else "The engine's prediction, and its error"
        )

    @property
    def worst(self) -> Row | None:
        """The figure with the largest error."""
        return max(
            (row for row in self.rows if row.error is not None), key=lambda row: abs(row.error or 0.0), default=None
        )

    @property
    def says(self) -> str:
        worst = self.worst
        if worst is None or worst.error is None:
            return "The engine and the run have no figure in common."
        largest = f"the largest difference is {100 * worst.error:+.1f} % ({worst.figure})"
        if self.kind == CHECK:
            return f"The local cloud answers with this engine, so this is a consistency check and no evidence about AWS: {largest}."
        return f"The engine's prediction of this run: {largest}."

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "of": self.of,
            "errors": {
                row.figure: {
                    "observed_ms": row.observed,
                    "engine_ms": row.engine,
                    "error": row.error,
                    "inside_ci": row.inside,
                }
                for row in self.rows
            },
            "says": self.says,
            "notes": list(self.notes),
        }


def engine_for(
    target: Mapping[str, Any],
    *,
    model: str | None = None,
    hardware_name: str | None = None,
    choices: Choices | None = None,
    replicas: int | None = None,
    seed: int = 0,
) -> tuple[EngineConfig, tuple[str, ...]]:
    """An engine for what a run's header says of its target, with what is known better in its place; and what was assumed.

    Raises Refusal where neither says what hardware answers.
    """
    model = model or target.get("model_name") or target.get("model")
    name = hardware_name or target.get("hardware") or target.get("instance_type") or target.get("instance")
    if name is None and str(target.get("name") or target.get("endpoint") or "").startswith("bedrock"):
        name = target["name"] if target.get("name") in services() else "bedrock-on-demand"
    if model is None or name is None:
        raise Refusal(
            "the run does not say what model and hardware answered it, so nothing can be predicted: add --model and --hardware",
            USAGE,
        )
    if name in services():
        offered = service(str(name), str(model), "central", seed=seed)
        return EngineConfig(offered.spec, admission=offered.admission, seed=seed), offered.assumptions
    made: Deployment = plan(model_shape(str(model)), hardware(str(name)), choices or _choices(target))
    return EngineConfig(made.spec, replicas=replicas or int(target.get("replicas") or 1), seed=seed), made.notes


def _choices(target: Mapping[str, Any]) -> Choices:
    return Choices(**{name: target.get(name) for name in ("tensor_parallel", "dtype", "max_num_seqs")})


def overlay(run: Run, engine: EngineConfig, notes: tuple[str, ...] = ()) -> Overlay:
    """Offer the run's requests to an engine and set its figures beside the run's. Raises Refusal where there is nothing to offer."""
    table, rows = replay(run, engine)
    wanted = {r.id for r in counted(run)[0] if r.ok}
    found = []
    ours: dict[str, list[float]] = {name: [] for name in LATENCIES}
    theirs: dict[str, list[float]] = {name: [] for name in LATENCIES}
    for place, r in enumerate(rows):
        if r.id not in wanted or table.finish[place] == NEVER:
            continue
        for name, value in zip(LATENCIES, engine_latencies(table, place, r), strict=True):
            seen = LATENCIES[name](r)
            if seen is not None and value is not None:
                ours[name].append(value)
                theirs[name].append(seen)
    for name in LATENCIES:
        observed, said = latency(theirs[name]), latency(ours[name])
        for figure in FIGURES:
            if observed[figure] is None:
                continue
            interval = observed["ci"][figure]
            error = said[figure] / observed[figure] - 1.0 if observed[figure] > 0 else None
            inside = interval[0] <= said[figure] <= interval[1] if interval else None
            found.append(Row(f"{name[:-3].upper()} {figure}", observed[figure], said[figure], error, inside))
    local = run.header.provenance == "predicted"
    target = run.header.target
    return Overlay(
        CHECK if local else PREDICTION,
        str(target.get("name") or target.get("endpoint") or "the run"),
        "local cloud" if local else "measured",
        tuple(found),
        notes,
    )


def replay(run: Run, engine: EngineConfig) -> tuple[Table, list[Record]]:
    """The run's requests, warm-up too, through an engine; and the records in the table's order.

    A request that failed is not offered: how long its answer would have been nobody knows. The server may have worked on it.
    """
    rows = sorted((r for r in run.records if r.ok and (r.output_tokens or len(r.token_s))), key=lambda r: r.intended_s)
    if not rows:
        raise Refusal("no request of this run was answered, so there is nothing to lay a prediction over")
    if missing := sum(r.input_tokens is None for r in rows):
        raise Refusal(
            f"{missing:,} of {len(rows):,} answers do not say how many input tokens they had, and a prediction needs that of all"
        )
    origin = rows[0].intended_s
    table = Table.of(
        [r.intended_s - origin for r in rows],
        [max(1, r.input_tokens or 1) for r in rows],
        [r.output_tokens or len(r.token_s) for r in rows],
    )
    simulate(engine, table)
    return table, rows


def engine_latencies(table: Table, row: int, record: Record) -> tuple[float, float | None, float]:
    """TTFT, TPOT and E2E in seconds, as the record's client would have seen them: an answer in one piece comes when it is done."""
    due, first, last, tokens = table.arrival[row], table.first[row], table.finish[row], table.output_tokens[row]
    whole = record.first_token_s == record.last_token_s and tokens > 1
    return (last if whole else first) - due, None if whole or tokens < 2 else (last - first) / (tokens - 1), last - due
