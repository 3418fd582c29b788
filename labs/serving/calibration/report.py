"""Every point with its error, cross-validation, and where not to trust the engine: for the terminal and as a page of the book.

from labs.serving.calibration.report import markdown
text = markdown()                 # the page, from the committed constants and the committed cross-validation
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml

from labs.serving.calibration.fit import PARAMETERS, as_constants, fit
from labs.serving.calibration.points import (
    CORRECTED_TPOT_MS,
    DOUBTS,
    TRACE_FIGURES,
    Point,
    measured_trace,
    predict,
    published,
    replayed_trace,
    trace_figures,
)
from labs.serving.profiles import DATA as PROFILE_DATA
from labs.serving.profiles import Constants, fitted

CROSS_VALIDATION = Path(__file__).parent / "data" / "cross_validation.yaml"
TRACE_GROUP = "trace"


@dataclass(frozen=True)
class Bar:
    """What a set of errors must stay within, as fractions."""

    figure: str
    median: float
    worst: float


BARS = (Bar("TTFT", 0.12, 0.30), Bar("TPOT", 0.05, 0.30), Bar("saturated tokens/s", 0.12, 0.30))
TRACE_BARS = {"TTFT mean": 0.05, "TTFT p99": 0.10, "TPOT mean": 0.05, "E2E mean": 0.05}


@dataclass(frozen=True)
class Row:
    """One published figure beside ours."""

    point: str
    group: str
    figure: str
    published: float
    ours: float
    judged: bool
    """is it one of the figures that the bars are about?"""

    @property
    def error(self) -> float:
        """Ours over theirs, less one."""
        return self.ours / self.published - 1.0


def rows(constants: Constants, points: Sequence[Point] | None = None) -> list[Row]:
    """Every figure of every published point (or of these), with what the engine says.

    TPOT is the median over requests, as `lab simulate` prints it. The Neuron pages' medians are over tokens; those, as well as a figure
    that we think misprinted, have a second row that compares like with like and is not judged.
    """
    found = []
    for point in published() if points is None else points:
        said = predict(point, constants)
        if point.ttft_ms is not None:
            found.append(Row(point.id, point.group, "TTFT", point.ttft_ms, said.ttft_ms, True))
        if point.tpot_ms is not None:
            found.append(Row(point.id, point.group, "TPOT", point.tpot_ms, said.tpot_ms, True))
            like = CORRECTED_TPOT_MS.get(point.id, point.tpot_ms)
            if point.per_token_median:
                found.append(Row(point.id, point.group, "TPOT, over tokens", like, said.token_ms, False))
        if point.output_tokens_per_s is not None:
            saturated = point.concurrency is None
            name = "saturated tokens/s" if saturated else "tokens/s"
            found.append(
                Row(point.id, point.group, name, point.output_tokens_per_s, said.output_tokens_per_s, saturated)
            )
    return found


def trace_rows(constants: Constants) -> list[Row]:
    """The figures of the trace."""
    pairs = zip(TRACE_FIGURES, trace_figures(measured_trace()), trace_figures(replayed_trace(constants)), strict=True)
    return [Row("RTX 4090 trace", TRACE_GROUP, figure, was, now, True) for figure, was, now in pairs]


@dataclass(frozen=True)
class Verdict:
    """A bar and what became of it."""

    bar: Bar
    median: float
    worst: float
    n: int

    @property
    def met(self) -> bool:
        """Are both limits kept?"""
        return self.median <= self.bar.median and self.worst <= self.bar.worst


def verdicts(found: Iterable[Row]) -> list[Verdict]:
    """The bars against judged rows."""
    kept = [row for row in found if row.judged]
    made = []
    for bar in BARS:
        sizes = [abs(row.error) for row in kept if row.figure == bar.figure]
        if sizes:
            made.append(Verdict(bar, median(sizes), max(sizes), len(sizes)))
    return made


# Cross-validation


def cross_validate() -> dict[str, dict[str, dict[str, float]]]:
    """Leave out each group, then each row; fit from the start; the errors on what was left out: {left out: {point: {figure: error}}}."""
    points = published()
    table: dict[str, dict[str, dict[str, float]]] = {}

    def judge(label: str, left_out: Sequence[Point], trace: bool) -> None:
        kept = [point for point in points if point not in left_out]
        constants = as_constants(fit(kept, trace=not trace))
        found = rows(constants, left_out) + (trace_rows(constants) if trace else [])
        table[label] = {}
        for row in found:
            table[label].setdefault(row.point, {})[row.figure] = round(row.error, 4)

    for group in dict.fromkeys(point.group for point in points):
        judge(f"group: {group}", [point for point in points if point.group == group], False)
    judge(f"group: {TRACE_GROUP}", [], True)
    for point in points:
        judge(f"row: {point.id}", [point], False)
    return table


def write(constants: Constants, table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Commit constants and cross-validation to their files."""
    lines = [
        "# Constants of the laws of speed, fitted by `python -m labs.serving.calibration --write`. Do not edit by hand."
    ]
    for group, values in constants.items():
        lines += [f"{group}:", *(f"  {name}: {_yaml_number(value)}" for name, value in values.items())]
    (PROFILE_DATA / "fitted.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    head = "# Errors on what was left out of the fit, written by `python -m labs.serving.calibration --write`. Do not edit by hand.\n"
    CROSS_VALIDATION.write_text(head + yaml.safe_dump(_plain(table), sort_keys=False, width=160), "utf-8")


def _plain(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    return {label: {point: dict(errors) for point, errors in by_point.items()} for label, by_point in table.items()}


def _yaml_number(value: float) -> str:
    """Five digits, in a form that YAML reads as a number."""
    text = f"{value:.5g}"
    return text.replace("e-", ".0e-", 1) if "e" in text and "." not in text else text


def committed_cross_validation() -> dict[str, dict[str, dict[str, float]]]:
    """What `write` wrote."""
    table: dict[str, dict[str, dict[str, float]]] = yaml.safe_load(CROSS_VALIDATION.read_text("utf-8"))
    return table


# As text

TRUST = (
    (
        "Trust it",
        "for the order of magnitude and the direction of a change on the hardware and servers of the tables above: "
        "Llama models of 8 and 70 billion parameters on Inferentia2 and Trainium1 (static batches), on H100, H200 and A100 (vLLM, TensorRT-LLM).",
    ),
    (
        "A10G, L4, L40S",
        "no public row with a full configuration was found. Their memory and arithmetic are taken to be used as well as an RTX 4090's; "
        "L4 and A10G run at far lower power and are probably slower in prefill.",
    ),
    (
        "Tensor parallelism on GPUs",
        "the all-reduce's cost is assumed; one row (two H100) has it. Over PCIe (g5, g6) it is a guess.",
    ),
    ("Trainium2, Graviton", "nothing was calibrated. The figures are assumptions with the right form."),
    (
        "Neuron with continuous batching",
        "the published rows are of static batches. Newer servers are better than this.",
    ),
    ("Mixtures of experts", "no row has one. Reading only the experts touched is arithmetic, not measurement."),
    ("Prompts above 4,000 tokens", "no row has them; attention in a long prefill is extrapolated."),
    (
        "Time to first token under load",
        "the trace fits it within a percent because the server was saturated and its queue sets it. Below saturation only two rows speak, "
        "on a workload whose lengths are not stated.",
    ),
    ("Speculative decoding, prefix caching, disaggregation, LoRA", "not modelled."),
    (
        "Bedrock on demand, model units, imported models",
        "no inside is public: assumptions with a range, and results show the range.",
    ),
)
"""(what, why not to trust the engine there)"""


def percent(error: float) -> str:
    """'+3.4 %'"""
    return f"{100 * error:+.1f} %"


def _table(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> list[str]:
    right = [
        name.endswith((" ms", "ours", "published", "median", "worst", "value", "points")) or name == "error"
        for name in columns
    ]
    rule = "|".join("--:" if r else "---" for r in right)
    return [f"| {' | '.join(columns)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in cells), ""]


def markdown(
    constants: Constants | None = None, table: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None
) -> str:
    """The page: what is fitted, every point's error, cross-validation, and where not to trust the engine. Sections begin at level 2."""
    constants = constants or fitted()
    table = table or committed_cross_validation()
    found, traced = rows(constants), trace_rows(constants)
    text = [
        "## How far off it is",
        "",
        "Errors are ours over the published figure, less one. The bars were set before the fit.",
        "",
        *_table(
            ("figure", "points", "median", "bar, median", "worst", "bar, worst", "met"),
            (
                (
                    v.bar.figure,
                    str(v.n),
                    f"{100 * v.median:.1f} %",
                    f"{100 * v.bar.median:.0f} %",
                    f"{100 * v.worst:.1f} %",
                    f"{100 * v.bar.worst:.0f} %",
                    "yes" if v.met else "**no**",
                )
                for v in verdicts(found)
            ),
        ),
        "## One real run, request by request",
        "",
        "300 requests at about 10 a second, Llama-3.1-8B on one RTX 4090 under vLLM 0.19: a server far past saturation. The engine gets the "
        "arrivals, the lengths and the server's settings. The two constants of this kind of GPU are fitted to this run; what happens "
        "without it stands under cross-validation.",
        "",
        *_table(
            ("figure", "published ms", "ours ms", "error", "bar"),
            (
                (
                    r.figure,
                    f"{r.published:,.1f}",
                    f"{r.ours:,.1f}",
                    percent(r.error),
                    f"{100 * TRACE_BARS[r.figure]:.0f} %",
                )
                for r in traced
            ),
        ),
        "## Every published point",
        "",
        "TPOT is a median over requests. The Neuron pages print a median over *tokens*, which is more than the mean while context buckets "
        "grow; rows that compare like with like are marked so. They, and throughput below saturation, are fitted but not judged by a bar.",
        "",
    ]
    text += _table(
        ("point", "figure", "published", "ours", "error"),
        ((r.point, r.figure, f"{r.published:,.2f}", f"{r.ours:,.2f}", percent(r.error)) for r in found),
    )
    text += ["TTFT and TPOT are in milliseconds. The points are:", ""]
    text += _table(("point", "what was measured"), ((point.id, _describe(point)) for point in published()))
    text += ["What the rows leave unsaid, and how it is read:", ""]
    text += [f"- {id}: {doubt}." for id, doubt in DOUBTS.items()]
    text += [
        "",
        "## Cross-validation",
        "",
        "Each group of rows, then each row, is left out; everything is fitted again from the start; the errors are on what was left out.",
        "",
    ]
    text += _table(
        ("left out", "median", "worst", "every error"),
        (_summarise(label, by_point) for label, by_point in table.items()),
    )
    text += [_for_new_hardware(table), "", "## The constants", ""]
    text += _table(
        ("constant", "value", "what it is"),
        ((f"`{p.path}`", f"{constants[p.group][p.name]:.4g}", p.what) for p in PARAMETERS),
    )
    text += ["## Where not to trust it", ""]
    text += [f"- **{what}**: {why}" for what, why in TRUST]
    text += ["", "## Sources", ""]
    text += [f"- {source}" for source in dict.fromkeys(point.source for point in published())]
    text += [
        "- LLMServingSim (casys-kaist, MIT licence), `bench/examples/RTX4090/Llama-3.1-8B/vllm`, commit 5daddb2: the trace.",
        "",
    ]
    return "\n".join(text)


def _describe(point: Point) -> str:
    load = "saturated" if point.concurrency is None else f"{point.concurrency} at once"
    return (
        f"{point.model}, {point.dtype}, {point.printed}, {point.tensor_parallel}-way, "
        f"{point.input_tokens:,} in / {point.output_tokens:,} out, {load}"
    )


def _summarise(label: str, by_point: Mapping[str, Mapping[str, float]]) -> tuple[str, str, str, str]:
    errors = [abs(e) for figures in by_point.values() for figure, e in figures.items() if _is_judged(figure)]
    shown = "; ".join(
        f"{point}: " + ", ".join(f"{figure} {percent(e)}" for figure, e in figures.items() if _is_judged(figure))
        for point, figures in by_point.items()
    )
    if not errors:
        return label, "", "", shown
    return label, f"{100 * median(errors):.1f} %", f"{100 * max(errors):.1f} %", shown


def _for_new_hardware(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """What leaving whole groups out says of hardware that nobody has measured, in a sentence."""
    parts = []
    for bar in BARS:
        groups = [by_point for label, by_point in table.items() if label.startswith("group")]
        sizes = [
            abs(figures[bar.figure]) for by_point in groups for figures in by_point.values() if bar.figure in figures
        ]
        parts.append(f"{bar.figure} by a median of {100 * median(sizes):.0f} % and at worst {100 * max(sizes):.0f} %")
    return (
        f"A group left out stands for hardware that nobody has measured. There the engine is off in {', '.join(parts)}."
    )


def _is_judged(figure: str) -> bool:
    return figure in TRACE_BARS or figure in {bar.figure for bar in BARS}
