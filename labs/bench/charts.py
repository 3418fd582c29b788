"""The charts of a report, as Altair specifications: latency against throughput, distributions, a run along its time, cost against latency.

Series are told apart by letter first (the same as in the report's table), then by shape, dash and their family's colour. Each chart is
drawn twice, wide and narrow, so that its letters keep their size on a telephone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

import altair as alt

from labs.bench.compare import pareto
from labs.bench.opened import Compared

INK, SOFT, LINE, PAPER, SURFACE = "#1c1d22", "#555a66", "#dad7ce", "#ffffff", "#f6f5f1"
COLOURS = {"bedrock": "#1b6b3a", "sagemaker": "#8a5300", "own": "#a8271f"}
ACCENT = "#3a43a8"
SHAPES = {"bedrock": "circle", "sagemaker": "square", "own": "triangle-up"}
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))
WIDE, NARROW = 660, 340
FONT = "Liberation Sans, Arial, sans-serif"
MOST_TICKS, MOST_TICKS_NARROW = 7, 4
LABELLED_AT = (0.9, 0.7, 0.5, 0.3, 0.8, 0.6, 0.4, 0.2)
"""shares at which one curve after another has its label, so that they do not lie on each other"""

Row = Mapping[str, Any]


def _base(chart: Any) -> dict[str, Any]:
    """The look that all have, and the specification."""
    made = (
        chart.configure(font=FONT, background="transparent", padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=SOFT,
            titleColor=INK,
            gridColor=LINE,
            domainColor=SOFT,
            tickColor=SOFT,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
            gridOpacity=0.7,
            labelOverlap="greedy",
        )
        .configure_legend(disable=True)
    )
    return dict(made.to_dict())


def _chart(rows: Sequence[Row]) -> Any:
    data: Any = alt.Data
    return alt.Chart(data(values=list(rows)))


def _colour(rows: Sequence[Row]) -> Any:
    families = sorted({row["family"] for row in rows})
    return alt.Color("family:N", scale=alt.Scale(domain=families, range=[COLOURS[f] for f in families]))


def _shape(rows: Sequence[Row]) -> Any:
    families = sorted({row["family"] for row in rows})
    return alt.Shape("family:N", scale=alt.Scale(domain=families, range=[SHAPES[f] for f in families]))


def _dash(rows: Sequence[Row]) -> Any:
    """Series of one family by dash."""
    letters = sorted({row["letter"] for row in rows})
    seen: dict[str, int] = {}
    dashes = []
    for letter in letters:
        family = next(row["family"] for row in rows if row["letter"] == letter)
        dashes.append(list(DASHES[seen.get(family, 0) % len(DASHES)]))
        seen[family] = seen.get(family, 0) + 1
    return alt.StrokeDash("letter:N", scale=alt.Scale(domain=letters, range=dashes))


def _log(title: str, axis: str, values: Sequence[float], field: str, width: int = WIDE) -> Any:
    """A logarithmic axis that says so, with as many lines as are easily read."""
    positive = [value for value in values if value > 0]
    low, high = (min(positive) / 1.3, max(positive) * 1.3) if positive else (1.0, 10.0)
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1,)):
        ticks = [m * 10.0**power for power in powers for m in steps if low <= m * 10.0**power <= high]
        if len(ticks) <= (MOST_TICKS if width > NARROW else MOST_TICKS_NARROW):
            break
    encoding = alt.X if axis == "x" else alt.Y
    return encoding(
        f"{field}:Q",
        title=f"{title}, log scale",
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=ticks, format=",~r" if high >= 1 else "~r"),
    )


# Rows: what a chart shows is what the table behind it holds


def _of(run: Compared) -> dict[str, Any]:
    return {"letter": run.letter, "family": run.family, "run": run.label, "provenance": str(run.summary["provenance"])}


def throughput_rows(runs: Sequence[Compared], figure: str = "p99") -> list[Row]:
    """Answers a second beside TTFT, a row a run."""
    rows = []
    for run in runs:
        value, rate = run.figure("ttft_ms", figure), run.summary.get("requests_per_s")
        if value is not None and value > 0 and rate:
            low, high = run.interval("ttft_ms", figure) or (None, None)
            rows.append({**_of(run), "answers_per_s": rate, "ms": value, "low": low, "high": high})
    return sorted(rows, key=lambda row: (row["letter"], row["answers_per_s"]))


def distribution_rows(runs: Sequence[Compared], name: str = "e2e_ms") -> list[Row]:
    """Points of each run's distribution; of a summary without one, its three percentiles."""
    rows: list[Row] = []
    for run in runs:
        points = (run.summary.get("distribution") or {}).get(name)
        if not points:
            points = [
                {
                    "share": share,
                    "ms": value,
                    **dict(zip(("low", "high"), run.interval(name, p) or (None, None), strict=True)),
                }
                for p, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
                if (value := run.figure(name, p)) is not None
            ]
        rows += [{**_of(run), **point} for point in points if point["ms"] > 0]
    return rows


def timeline_rows(run: Compared) -> list[Row]:
    """Slices of one run."""
    lines = run.summary.get("timeline") or {}
    return [{**_of(run), "width_s": lines["slice_s"], **each} for each in lines.get("slices", ())]


def pareto_rows(runs: Sequence[Compared]) -> list[Row]:
    """Cost beside latency, a row a run that has both."""
    front = pareto(runs)
    rows = []
    for place, run in enumerate(runs):
        usd, latency = run.cost, run.figure("e2e_ms", "p99")
        if usd is not None and usd > 0 and latency is not None and latency > 0:
            rows.append({**_of(run), "ms": latency, "usd": usd, "front": place in front})
    return sorted(rows, key=lambda row: row["ms"])


# Charts


def throughput(rows: Sequence[Row], width: int, figure: str = "p99") -> dict[str, Any]:
    """Latency as the load grows: a line for a series, a bar for a 95 % interval."""
    base = _chart(rows)
    values = [v for row in rows for v in (row["ms"], row["low"], row["high"]) if v]
    x = _log("answers per second", "x", [row["answers_per_s"] for row in rows], field="answers_per_s", width=width)
    y = _log(f"TTFT {figure}, ms", "y", values, field="ms")
    colour = _colour(rows)
    last = _chart(list({row["letter"]: row for row in rows}.values()))
    layers = [
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.5, opacity=0.6)
        .encode(x=x, y=_log(f"TTFT {figure}, ms", "y", values, field="low"), y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=_dash(rows), detail="letter:N"),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, color=colour, shape=_shape(rows)),
        _letters(last, x, y, colour),
    ]
    return _base(alt.layer(*layers).properties(width=width - 70, height=300))


def distribution(rows: Sequence[Row], width: int, what: str = "E2E") -> dict[str, Any]:
    """So many percent of the answered requests within so many milliseconds, with the 95 % band of each."""
    base = _chart(rows)
    values = [v for row in rows for v in (row["ms"], row.get("low"), row.get("high")) if v]
    y = alt.Y(
        "share:Q", title="answered requests", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5)
    )
    x = _log(f"{what}, ms", "x", values, field="ms", width=width)
    colour = _colour(rows)
    ends = []
    for place, run in enumerate(dict.fromkeys(row["run"] for row in rows)):
        own = [row for row in rows if row["run"] == run]
        at = LABELLED_AT[place % len(LABELLED_AT)]
        ends.append(min(own, key=lambda row: abs(row["share"] - at)))
    last = _chart(ends)
    layers = [
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=3, opacity=0.25)
        .encode(y=y, x=_log(f"{what}, ms", "x", values, field="low", width=width), x2="high:Q", color=colour),
        base.mark_line(strokeWidth=2).encode(
            x=x, y=y, color=colour, strokeDash=_dash(rows), detail="run:N", order="share:Q"
        ),
        _letters(last, x, y, colour),
    ]
    return _base(alt.layer(*layers).properties(width=width - 70, height=300))


def pareto_front(rows: Sequence[Row], width: int) -> dict[str, Any]:
    """Cost against latency; the runs that no other beats in both are joined."""
    base = _chart(rows)
    x = _log("E2E p99, ms", "x", [row["ms"] for row in rows], field="ms", width=width)
    y = _log("US dollars per million output tokens", "y", [row["usd"] for row in rows], field="usd")
    colour = _colour(rows)
    layers = [
        base.transform_filter("datum.front")
        .mark_line(interpolate="step-after", color=SOFT, strokeWidth=1.5, strokeDash=[2, 2])
        .encode(x=x, y=y, order="ms:Q"),
        base.mark_point(filled=True, size=90).encode(
            x=x,
            y=y,
            color=colour,
            shape=_shape(rows),
            opacity=alt.condition("datum.front", alt.value(1), alt.value(0.45)),
        ),
        _letters(base, x, y, colour),
    ]
    return _base(alt.layer(*layers).properties(width=width - 80, height=300))


def along_time(rows: Sequence[Row], width: int) -> dict[str, Any]:
    """One run: the median and slowest first token of each slice above, and below what was turned away, cold or failed."""
    family = rows[0]["family"]
    spread = [row for row in rows if row["ttft_p50_ms"]]
    values = [v for row in spread for v in (row["ttft_p50_ms"], row["ttft_max_ms"])]
    x = alt.X("from_s:Q", title=None, axis=alt.Axis(tickCount=6), scale=alt.Scale(nice=False))
    over = _chart(spread)
    above = alt.layer(
        over.mark_rule(strokeWidth=2, opacity=0.35, color=COLOURS[family]).encode(
            x=x, y=_log("TTFT, ms", "y", values, field="ttft_p50_ms"), y2="ttft_max_ms:Q"
        ),
        over.mark_line(strokeWidth=2, color=COLOURS[family], interpolate="monotone").encode(
            x=x, y=_log("TTFT, ms", "y", values, field="ttft_p50_ms")
        ),
    ).properties(width=width - 70, height=180)
    kinds = (("answered", SOFT), ("throttled", ACCENT), ("cold", COLOURS["sagemaker"]), ("failed", COLOURS["own"]))
    boxes = []
    for row in rows:
        below_it = 0
        for kind, _ in kinds:
            if row[kind]:
                box = {"from_s": row["from_s"], "to_s": row["from_s"] + row["width_s"], "kind": kind}
                boxes.append({**box, "requests": below_it, "top": below_it + row[kind]})
                below_it += row[kind]
    below = (
        _chart(boxes)
        .mark_rect(stroke=PAPER, strokeWidth=0.5)
        .encode(
            x=alt.X(
                "from_s:Q", title="seconds since the start", axis=alt.Axis(tickCount=6), scale=alt.Scale(nice=False)
            ),
            x2="to_s:Q",
            y=alt.Y("requests:Q", title="requests", axis=alt.Axis(tickCount=4, format="d")),
            y2="top:Q",
            color=alt.Color("kind:N", scale=alt.Scale(domain=[k for k, _ in kinds], range=[c for _, c in kinds])),
        )
        .properties(width=width - 70, height=100)
    )
    return _base(alt.vconcat(above, below, spacing=8).resolve_scale(x="shared"))


def _letters(base: Any, x: Any, y: Any, colour: Any) -> Any:
    """Each point's letter beside it."""
    return base.mark_text(align="left", dx=8, dy=-8, fontSize=13, fontWeight="bold").encode(
        x=x, y=y, text="letter:N", color=colour
    )
