"""How sure a taker was, against how right: certainty marks, and the calibration curve.

    levels = calibration(answers(attempts.folder()))
    levels[2].share, levels[2].low, levels[2].high      # of the answers called "sure", so many were right

The three levels and their marks are A. R. Gardner-Medwin's (certainty-based marking, London): right gives 1, 2 or 3, wrong costs 0, 2 or 6. Under
these marks it pays to say 2 from a chance of 2/3 on (4p - 2 > p) and 3 from 4/5 on (9p - 6 > 4p - 2); so a level is a promise about p.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quizzes import attempts
from quizzes.results import wilson
from quizzes.take import CERTAINTIES

GAIN = {1: 1, 2: 2, 3: 3}
LOSS = {1: 0, 2: -2, 3: -6}
PROMISED = {1: (0.0, 2 / 3), 2: (2 / 3, 0.8), 3: (0.8, 1.0)}
"""certainty: the chance of being right for which it is the best thing to say"""
WIDTH = 28
FEW = 5


def mark(correct: bool, certainty: int | None) -> int:
    """Marks of one answer; no answer gives none."""
    if certainty is None:
        return 0
    return GAIN[certainty] if correct else LOSS[certainty]


@dataclass(frozen=True)
class Level:
    """The answers of one certainty."""

    certainty: int
    n: int
    right: int

    @property
    def share(self) -> float:
        """Right of all, 0 to 1."""
        return self.right / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share."""
        return wilson(self.right, self.n)

    @property
    def verdict(self) -> str:
        """What the interval says about the promise."""
        low, high = self.interval
        from_, to = PROMISED[self.certainty]
        if self.n < FEW:
            return "too few to say"
        if high < from_:
            return "too sure"
        if low > to:
            return "surer than you say"
        return "as promised"

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "share": self.share, "interval": list(self.interval), "verdict": self.verdict}


def answers(folder: Path) -> Iterator[tuple[int, bool]]:
    """(certainty, right) of every answer in the logs of this folder that has both."""
    for path in sorted(folder.glob("*.jsonl")):
        for said in attempts.Log(path):
            extensions = said.get("context", {}).get("extensions", {})
            certainty, success = extensions.get(f"{attempts.URN}certainty"), said.get("result", {}).get("success")
            if certainty in CERTAINTIES and isinstance(success, bool):
                yield certainty, success


def calibration(given: Iterable[tuple[int, bool]]) -> dict[int, Level]:
    """Level by level."""
    counts: dict[int, list[int]] = {certainty: [0, 0] for certainty in CERTAINTIES}
    for certainty, right in given:
        counts[certainty][0] += 1
        counts[certainty][1] += right
    return {certainty: Level(certainty, n, right) for certainty, (n, right) in counts.items()}


def curve(levels: Mapping[int, Level]) -> list[str]:
    """The curve in text: for each level the promised stretch (░), the interval (─) and the share (●)."""
    rows = [f"{'':13}0 %{'50 %':>{WIDTH // 2 - 1}}{'100 %':>{WIDTH // 2 + 1}}"]
    for certainty, level in levels.items():
        cells = [" "] * (WIDTH + 1)
        for place in range(_column(PROMISED[certainty][0]), _column(PROMISED[certainty][1]) + 1):
            cells[place] = "░"
        said = "no answer yet"
        if level.n:
            low, high = level.interval
            for place in range(_column(low), _column(high) + 1):
                cells[place] = "─"
            cells[_column(level.share)] = "●"
            said = f"{level.right} of {level.n} right: {level.verdict}"
        rows.append(f"{CERTAINTIES[certainty]:13}{''.join(cells)}  {said}")
    return rows


def _column(share: float) -> int:
    return round(share * WIDTH)


def chart(levels: Mapping[int, Level]) -> Any:
    """The same as an Altair chart, for a notebook: promised on the one axis, right on the other."""
    import altair as alt  # only a notebook needs it

    rows = [
        {
            "said": CERTAINTIES[level.certainty],
            "from": PROMISED[level.certainty][0],
            "to": PROMISED[level.certainty][1],
            "promised": sum(PROMISED[level.certainty]) / 2,
            "right": level.share,
            "low": level.interval[0],
            "high": level.interval[1],
            "n": level.n,
        }
        for level in levels.values()
        if level.n
    ]
    axis = alt.Axis(format="%")
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(alt.InlineData(values=json.loads(json.dumps(rows))))
    x = alt.X("promised:Q", title="promised chance of being right (middle of the level)", scale=scale, axis=axis)
    y = alt.Y("right:Q", title="share that was right, with its 95 % interval", scale=scale, axis=axis)
    diagonal = alt.Chart(alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])).mark_line(
        strokeDash=[4, 4], color="gray"
    )
    return (
        diagonal.encode(x=alt.X("x:Q", scale=scale), y=alt.Y("y:Q", scale=scale))
        + base.mark_rule().encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q")
        + base.mark_line(opacity=0.4).encode(x=x, y=y)
        + base.mark_point(filled=True, size=90).encode(x=x, y=y, tooltip=["said:N", "n:Q"])
        + base.mark_text(align="left", dx=9).encode(x=x, y=y, text="said:N")
    ).properties(title="How sure you were, and how right", width=360, height=280)
