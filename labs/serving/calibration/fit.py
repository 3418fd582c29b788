"""The fit: weighted logarithmic errors, gentle priors, least squares.

    constants = as_constants(fit(published()))

Nothing here knows a row by name: the laws are fitted, not the rows. A prior pulls a constant that few rows determine toward a
plausible value; its strength says how many rows' worth of a 100 % error it stands against.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

from labs.serving.calibration.points import (
    CORRECTED_TPOT_MS,
    Point,
    Prediction,
    measured_trace,
    predict,
    replayed_trace,
    trace_figures,
)
from labs.serving.profiles import Constants


@dataclass(frozen=True)
class Parameter:
    """One constant to fit."""

    group: str
    name: str
    start: float
    low: float
    high: float
    strength: float
    """of the prior at `start`"""
    what: str

    @property
    def path(self) -> str:
        """'hbm.bandwidth_efficiency'"""
        return f"{self.group}.{self.name}"


GPU_PARAMETERS = (
    Parameter("gpu", "step_overhead_s", 5e-4, 1e-4, 3e-3, 0.01, "launching and scheduling a step"),
    Parameter("gpu", "per_sequence_s", 1e-5, 1e-6, 1e-4, 0.01, "sampling and bookkeeping of a sequence"),
    Parameter("gpu", "ingress_s", 5e-3, 1e-4, 5e-2, 1e-4, "from the request to the scheduler's queue"),
    Parameter("hbm", "bandwidth_efficiency", 0.8, 0.5, 1.0, 0.01, "share of rated HBM bandwidth"),
    Parameter("hbm", "compute_efficiency", 0.65, 0.3, 0.95, 0.05, "share of rated BF16 arithmetic"),
    Parameter("hbm", "compute_efficiency_fp8", 0.6, 0.3, 0.95, 0.01, "share of rated FP8 arithmetic"),
    Parameter("gddr", "bandwidth_efficiency", 0.85, 0.5, 1.0, 0.01, "share of rated GDDR bandwidth"),
    Parameter("gddr", "compute_efficiency", 0.85, 0.3, 1.0, 0.01, "share of rated BF16 arithmetic"),
)
NEURON_PARAMETERS = (
    Parameter("neuron", "bandwidth_efficiency", 0.7, 0.5, 0.95, 0.02, "share of rated bandwidth, weights"),
    Parameter("neuron", "layer_s", 1.5e-4, 1e-5, 1e-3, 1e-4, "latency of a layer"),
    Parameter(
        "neuron",
        "decode_compute_efficiency",
        0.05,
        0.005,
        1.0,
        0.0,
        "share of rated arithmetic, one token of a sequence",
    ),
    Parameter("neuron", "cache_efficiency", 0.3, 0.02, 1.0, 0.005, "share of rated bandwidth, a bucket's cache"),
    Parameter("neuron", "prefill_compute_efficiency", 0.5, 0.1, 0.95, 0.005, "share of rated arithmetic in a prefill"),
    Parameter(
        "neuron", "prefill_collective_bytes_per_s", 2e10, 1e9, 5e11, 1e-4, "all-reduce of a prefill's activations"
    ),
    Parameter(
        "neuron",
        "prefill_attention_efficiency",
        0.1,
        0.01,
        0.95,
        0.02,
        "share of rated arithmetic in a prefill's attention",
    ),
    Parameter("neuron", "prefill_host_s", 1e-2, 1e-4, 5e-2, 1e-4, "set-up of a prefill"),
    Parameter("neuron", "trainium1_latency", 1.0, 0.3, 1.0, 1e-4, "Trainium1's collectives, relative to Inferentia2's"),
)
PARAMETERS = GPU_PARAMETERS + NEURON_PARAMETERS

TTFT_WEIGHT, TPOT_WEIGHT, THROUGHPUT_WEIGHT, TRACE_WEIGHT = 1.0, 2.0, 1.0, 2.0


def errors(point: Point, said: Prediction) -> Iterable[tuple[float, float]]:
    """(weight, logarithmic error) of each figure of a point that is fitted."""
    if point.ttft_ms is not None:
        yield TTFT_WEIGHT, log(said.ttft_ms / point.ttft_ms)
    if point.tpot_ms is not None:
        ours = said.token_ms if point.per_token_median else said.tpot_ms
        yield TPOT_WEIGHT, log(ours / CORRECTED_TPOT_MS.get(point.id, point.tpot_ms))
    if point.output_tokens_per_s is not None and (point.per_token_median or point.concurrency is None):
        yield THROUGHPUT_WEIGHT, log(said.output_tokens_per_s / point.output_tokens_per_s)


def as_constants(values: dict[str, float], parameters: Sequence[Parameter] = PARAMETERS) -> Constants:
    """The nested form that profiles take."""
    nested: dict[str, dict[str, float]] = {}
    for parameter in parameters:
        nested.setdefault(parameter.group, {})[parameter.name] = values[parameter.path]
    return nested


Residuals = Callable[[dict[str, float]], list[float]]


def least_squares(start: dict[str, float], parameters: Sequence[Parameter], residuals: Residuals) -> dict[str, float]:
    """Levenberg and Marquardt's method on the logarithms of the constants, with derivatives from steps of 2 %.

    The step is that wide because an engine that preempts answers in small jumps, not smoothly.
    """
    values = dict(start)
    now = residuals(values)
    cost = sum(r * r for r in now)
    damping = 1e-2
    for _ in range(30):
        columns = []
        for p in parameters:
            moved = min(p.high, values[p.path] * 1.02)
            if moved == values[p.path]:
                moved = values[p.path] / 1.02
            width = log(moved / values[p.path])
            columns.append([(b - a) / width for a, b in zip(now, residuals({**values, p.path: moved}), strict=True)])
        gradient = [sum(c * r for c, r in zip(column, now, strict=True)) for column in columns]
        squares = [[sum(a * b for a, b in zip(one, two, strict=True)) for two in columns] for one in columns]
        while damping < 1e4:
            damped = [
                [x * (1.0 + damping) + 1e-12 if i == j else x for j, x in enumerate(row)]
                for i, row in enumerate(squares)
            ]
            step = _solve(damped, [-g for g in gradient])
            trial = {
                **values,
                **{
                    p.path: min(p.high, max(p.low, values[p.path] * exp(max(-0.5, min(0.5, d)))))
                    for p, d in zip(parameters, step, strict=True)
                },
            }
            got = residuals(trial)
            if (new := sum(r * r for r in got)) < cost:
                break
            damping *= 4.0
        else:
            break
        gain = cost - new
        values, now, cost, damping = trial, got, new, max(1e-4, damping / 4.0)
        if gain < 1e-4 * cost:
            break
    return values


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gaussian elimination with pivoting."""
    n = len(right)
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    answer = [0.0] * n
    for i in reversed(range(n)):
        answer[i] = (rows[i][n] - sum(rows[i][k] * answer[k] for k in range(i + 1, n))) / rows[i][i]
    return answer


def fit(points: Sequence[Point], *, trace: bool = True) -> dict[str, float]:
    """Fit every constant to these points and, with `trace`, to the run on the RTX 4090. GPUs and Neuron have none in common."""
    values = {p.path: p.start for p in PARAMETERS}
    was = trace_figures(measured_trace())

    def misses(chosen: Sequence[Point], trial: dict[str, float], parameters: Sequence[Parameter]) -> list[float]:
        constants = as_constants(trial)
        found = [sqrt(weight) * error for point in chosen for weight, error in errors(point, predict(point, constants))]
        return found + [sqrt(p.strength) * log(trial[p.path] / p.start) for p in parameters if p.strength]

    neuron = [point for point in points if point.group.startswith("neuron")]
    gpu = [point for point in points if not point.group.startswith("neuron")]

    def gpu_misses(trial: dict[str, float]) -> list[float]:
        found = misses(gpu, trial, GPU_PARAMETERS)
        if trace:
            now = trace_figures(replayed_trace(as_constants(trial)))
            found += [sqrt(TRACE_WEIGHT) * log(a / b) for a, b in zip(now, was, strict=True)]
        return found

    values = least_squares(values, NEURON_PARAMETERS, lambda trial: misses(neuron, trial, NEURON_PARAMETERS))
    return least_squares(values, GPU_PARAMETERS, gpu_misses)
