"""Runs as one page that needs nothing else: no network, no script, no colour. Charts are inline SVG, each with its table behind it.

Path("report.html").write_text(page(compare(load(paths))))
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from labs.bench import charts, report_svg
from labs.bench.compare import COLUMNS, Comparison, rows
from labs.bench.opened import Compared
from labs.bench.overlay import Overlay
from labs.decide.card import SHAPES
from labs.decide.words import FAMILIES

MOST_TIMELINES = 8


def page(compared: Comparison, overlays: Sequence[Overlay] = (), title: str | None = None) -> str:
    """The report. Everything that comes from outside is escaped."""
    runs = compared.runs
    many = f"{len(runs)} runs compared" if len(runs) > 1 else "One run"
    heading = title or f"{many}: latency, throughput and cost"
    parts = [
        f"<h1>{escape(heading)}</h1>",
        f'<p class="lead">{escape(compared.says)}</p>',
        f'<p class="soft">{escape(_origin(runs))}</p>',
        _cautions(compared.cautions),
        _table_of_runs(compared),
        *_figures(compared),
        _repeats(compared),
        *(_overlay(overlay) for overlay in overlays),
        _runs(runs),
        _how_to_read(),
    ]
    style = (Path(__file__).parent / "report.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _origin(runs: Sequence[Compared]) -> str:
    """What the figures are, and of when: each origin once, with the letters whose runs it is of."""
    of: dict[str, list[Compared]] = {}
    for run in runs:
        of.setdefault(run.origin, []).append(run)
    if len(of) == 1:
        return f"All figures: {runs[0].origin}."
    split = {
        run.letter
        for group in of.values()
        for run in group
        if any(o.letter == run.letter and o.origin != run.origin for o in runs)
    }
    said = []
    for origin, group in of.items():
        names = dict.fromkeys(run.label if run.letter in split else run.letter for run in group)
        said.append(f"{', '.join(names)}: {origin}")
    return "; ".join(said) + "."


def _cautions(cautions: Sequence[str]) -> str:
    if not cautions:
        return ""
    items = "".join(f"<li>{escape(line[0].upper() + line[1:])}.</li>" for line in cautions)
    return f'<section class="cautions" aria-label="Read this first"><ul>{items}</ul></section>'


def mark(family: str) -> str:
    """The family's shape and letter, and its name for who does not see it."""
    name, letter = FAMILIES[family]
    y = 16 if family == "own" else 14  # a triangle has its middle lower
    return (
        f'<svg class="mark" viewBox="0 0 20 20" role="img" aria-label="{escape(name)}">{SHAPES[family]}'
        f'<text x="10" y="{y}" aria-hidden="true">{letter}</text></svg>'
    )


def table(caption: str, heads: Sequence[str], body: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> str:
    """A table that scrolls in its own frame; columns whose head ends in a unit are numbers. Cells are text, not HTML."""
    head = "".join(f'<th scope="col"{_num(name)}>{escape(name)}</th>' for name in heads)
    lines = []
    for place, cells in enumerate(body):
        symbol = marks[place] if marks else ""
        first = f'<th scope="row">{symbol}{escape(cells[0])}</th>'
        lines.append(
            f"<tr>{first}{''.join(f'<td{_num(name)}>{_cell(cell)}</td>' for name, cell in zip(heads[1:], cells[1:], strict=True))}</tr>"
        )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _num(head: str) -> str:
    return ' class="num"' if head.endswith(")") else ""


def _cell(text: str) -> str:
    """A figure, its interval in small type below it."""
    figure, bracket, interval = text.partition(" [")
    return f"{escape(figure)} <small>[{escape(interval)}</small>" if bracket else escape(text)


def _table_of_runs(compared: Comparison) -> str:
    marks = [mark(run.family) for run in compared.runs]
    caption = "The runs; in brackets 95 % intervals, a dash where there is no figure"
    return f"<h2>Side by side</h2>{table(caption, COLUMNS, rows(compared.runs), marks)}<p class='soft'>Next: {escape(compared.next)}.</p>"


# Figures

Draw = Callable[[Sequence[charts.Row], int], dict[str, Any]]


def _figures(compared: Comparison) -> list[str]:
    runs = compared.runs
    found = ["<h2>Charts</h2>", _key(runs)]
    if rows_ := charts.throughput_rows(runs):
        found.append(
            _figure(
                "load",
                "How slow does the first token get as the load grows?",
                runs,
                rows_,
                charts.throughput,
                "TTFT p99 beside answers per second, both on log scales; bars are 95 % intervals.",
                ("run", "answers (1/s)", "TTFT p99 (ms)", "low (ms)", "high (ms)"),
                ("run", "answers_per_s", "ms", "low", "high"),
            )
        )
    for name, what, question in (
        ("e2e_ms", "E2E", "How many have their whole answer by when?"),
        ("ttft_ms", "TTFT", "How many have their first token by when?"),
    ):
        if rows_ := charts.distribution_rows(runs, name):

            def draw(rows: Sequence[charts.Row], width: int, what: str = what) -> dict[str, Any]:
                return charts.distribution(rows, width, what)

            found.append(
                _figure(
                    name[:4],
                    question,
                    runs,
                    rows_,
                    draw,
                    f"Share of answered requests within a time ({what}, log scale); the broad bars are 95 % intervals.",
                    ("run", "answered (share)", f"{what} (ms)", "low (ms)", "high (ms)"),
                    ("run", "share", "ms", "low", "high"),
                )
            )
    if rows_ := charts.pareto_rows(runs):
        found.append(
            _figure(
                "front",
                "What does being faster cost?",
                runs,
                rows_,
                charts.pareto_front,
                "US dollars per million output tokens beside E2E p99, both on log scales. The dotted line joins the runs that no other "
                "beats in both; faint points are beaten.",
                ("run", "E2E p99 (ms)", "per million output tokens ($)", "on the front"),
                ("run", "ms", "usd", "front"),
            )
        )
    timed = [run for run in runs if charts.timeline_rows(run)]
    for number, run in enumerate(timed[:MOST_TIMELINES]):
        found.append(_timeline(run, number))
    if len(timed) > MOST_TIMELINES:
        found.append(f'<p class="soft">The time lines of {len(timed) - MOST_TIMELINES} more runs are not drawn.</p>')
    return found


def _key(runs: Sequence[Compared]) -> str:
    """Which letter is what."""
    series = {run.letter: run for run in runs}
    items = "".join(
        f"<li>{mark(run.family)}<strong>{escape(letter)}</strong> {escape(run.series)}</li>"
        for letter, run in series.items()
    )
    return f'<ul class="key" aria-label="Letters in the charts">{items}</ul>'


def _timeline(run: Compared, number: int) -> str:
    kinds = (("answered", "ink-soft"), ("throttled", "accent"), ("cold", "sagemaker"), ("failed", "own"))
    shown = [(kind, token) for kind, token in kinds if any(row[kind] for row in charts.timeline_rows(run))]
    key = "".join(
        f'<li><span class="swatch" style="background:var(--dd-{token})"></span>{kind}</li>' for kind, token in shown
    )
    width = (run.summary.get("timeline") or {}).get("slice_s")
    return _figure(
        f"time{number}", f"What happened when? {run.label}", [run], charts.timeline_rows(run), charts.along_time,
        f"Above: median to slowest TTFT of each {width:g} s (log scale). Below: requests due in it, by what became of them.",
        ("from (s)", "offered (n)", "answered (n)", "throttled (n)", "cold (n)", "failed (n)", "TTFT p50 (ms)", "slowest (ms)"),
        ("from_s", "offered", "answered", "throttled", "cold", "failed", "ttft_p50_ms", "ttft_max_ms"),
        after=f'<ul class="key" aria-label="Colours of the bars, from the bottom">{key}</ul>',
    )  # fmt: skip


def _figure(
    id: str,
    question: str,
    runs: Sequence[Compared],
    rows: Sequence[charts.Row],
    draw: Draw,
    caption: str,
    heads: Sequence[str],
    fields: Sequence[str],
    after: str = "",
) -> str:
    """A chart at two widths, what it is of, and its table."""
    drawings = "".join(
        f'<div class="{name}">{report_svg.inline(draw(rows, width), f"Chart: {question} The table below has its figures.", f"{id}-{name}")}</div>'
        for name, width in (("wide", charts.WIDE), ("narrow", charts.NARROW))
    )
    body = [[_text(row.get(field)) for field in fields] for row in rows]
    return (
        f'<figure id="{id}"><h3>{escape(question)}</h3><figcaption>{escape(caption)} <em>{escape(_origin(runs))}</em></figcaption>'
        f"{drawings}{after}<details><summary>The figures behind it</summary>{table(question, heads, body)}</details></figure>"
    )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


# Words


def _repeats(compared: Comparison) -> str:
    if not compared.repeats:
        return ""
    body = [
        (
            label,
            str(spread["runs"]),
            _text(spread["mean"]),
            f"{100 * spread['spread']:.1f}",
            "{} to {}".format(*map(_text, spread["ci"])) if spread["ci"] else str(spread["no_ci"]),
        )
        for label, spread in compared.repeats
    ]
    heads = ("runs alike", "runs (n)", "mean of TTFT p99 (ms)", "spread (%)", "95 % interval of the mean (ms)")
    return f"<h2>Repeated runs</h2>{table('What differs from run to run', heads, body)}"


def _overlay(overlay: Overlay) -> str:
    body = [
        (
            row.figure,
            _text(row.observed),
            _text(row.engine),
            "-" if row.error is None else f"{100 * row.error:+.1f}",
            {None: "no interval", True: "yes", False: "no"}[row.inside],
        )
        for row in overlay.rows
    ]
    heads = ("figure", f"{overlay.observed_as} (ms)", "engine (ms)", "error (%)", "inside the 95 % interval?")
    return (
        f"<h2>{escape(overlay.title)}</h2><p>{escape(overlay.says)}</p>"
        f"{table(f'{overlay.kind.capitalize()}: {overlay.of}', heads, body)}"
    )  # fmt: skip


def _runs(runs: Sequence[Compared]) -> str:
    parts = []
    for run in runs:
        entries = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _described(run) if value
        )
        parts.append(f"<details><summary>{escape(run.label)}</summary><dl>{entries}</dl></details>")
    return f"<h2>What each run was</h2>{''.join(parts)}"


def _described(run: Compared) -> list[tuple[str, str]]:
    summary = run.summary
    cost, lag = summary.get("cost") or {}, (summary.get("schedule_lag_ms") or {}).get("p99")
    quality = [
        f"late by {lag:.2f} ms at p99" if lag is not None else "",
        f"{100 * summary['client_cpu']:.0f} % of a core" if summary.get("client_cpu") is not None else "",
        "; ".join(summary.get("invalid") or ()),
    ]
    missing = [
        f"{name[:-3].upper()} {why}"
        for name in ("ttft_ms", "tpot_ms", "e2e_ms")
        for why in dict.fromkeys(((summary.get(name) or {}).get("no_ci") or {}).values())
    ]
    left = summary.get("left_out") or {}
    return [
        ("provenance", run.origin),
        ("file", run.path),
        ("target", _pairs(summary.get("target") or summary.get("settings"))),
        ("offered", _pairs(summary.get("offered"))),
        ("loop", str(summary.get("loop") or "")),
        ("seed", str(summary.get("seed", ""))),
        ("objective", (summary.get("objective") or {}).get("words", "none")),
        ("errors", _pairs(summary.get("errors")) or "none"),
        ("left out", _pairs({k.replace("_", " "): v for k, v in left.items() if v})),
        ("steady state", (summary.get("steady_state") or {}).get("says", "")),
        ("Little's law", (summary.get("littles_law") or {}).get("says", "")),
        ("the harness", ", ".join(filter(None, quality))),
        ("without interval", "; ".join(missing)),
        ("cost", f"{cost['at']}; prices as of {cost['as_of']}: {', '.join(cost['facts'])}" if cost.get("facts") else _pairs(cost)),
        ("versions", _pairs(summary.get("versions"))),
    ]  # fmt: skip


def _pairs(data: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (data or {}).items() if value not in (None, "", {}, []))


def _how_to_read() -> str:
    return (
        "<h2>How to read this</h2><p>TTFT is the time from when a request was <em>due</em> to its first token, E2E to its last; TPOT is the mean time "
        "of a token after the first. A late client or a stalled server is in them, because the clock starts when the request was due, not when it could "
        "be sent. Percentiles are of answered requests; failed ones stay in every share. A 95 % interval is one that would hold the true value in 95 of "
        "100 such runs; where a run is too short for one, or its requests waited on each other for too long, none is printed.</p>"
        "<p>Predicted means: by the serving model, simulated or offered to the local cloud. It is no measurement.</p>"
    )
