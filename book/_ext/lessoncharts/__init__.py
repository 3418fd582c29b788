"""The lessons' charts: one module a lesson, one function a chart, each a run of the course's own engine or price arithmetic.

A function returns a `Chart`: what Vega-Lite draws, where its figures come from, and the same figures as a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

INK, SOFT, LINE, PAPER = "#1c1d22", "#555a66", "#dad7ce", "#ffffff"
BEDROCK, SAGEMAKER, OWN, ACCENT = "#1b6b3a", "#8a5300", "#a8271f", "#3a43a8"
WIDTH, HEIGHT = 350, 230
"""of the plot: with its axis it still fits a telephone"""


@dataclass(frozen=True)
class Chart:
    """What a directive {chart} shows."""

    specification: dict[str, Any]
    provenance: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def data(rows: Sequence[dict[str, Any]]) -> Any:
    """A chart of these rows."""
    return alt.Chart(alt.Data(values=list(rows)))


def label(x: float, y: float, text: str, colour: str, **more: Any) -> Any:
    """Words in the plot, at a point of its axes."""
    return (
        data([{"x": x, "y": y, "text": text}])
        .mark_text(**{"align": "left", "color": colour, "fontSize": 12, **more})
        .encode(alt.X("x:Q"), alt.Y("y:Q"), alt.Text("text:N"))
    )


def drawn(layers: Any, height: int = HEIGHT) -> dict[str, Any]:
    """The course's look, and the specification."""
    text = {
        "labelColor": SOFT,
        "titleColor": SOFT,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    made = (
        layers.properties(width=WIDTH, height=height)
        .configure(font="sans-serif", background="transparent", padding=4)
        .configure_view(stroke=None)
        .configure_axis(**text, domainColor=LINE, tickColor=LINE, gridColor=LINE)
    )
    return dict(made.to_dict())
