"""What a person sees while a run goes on: how far it is, how fast it answers, and a sparkline of the p90 of each moment."""

from collections import deque
from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleRenderable
from rich.live import Live
from rich.text import Text

from labs.bench.records import Record
from labs.serving.statistics import percentile

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 30


def sparkline(values: Iterable[float | None]) -> str:
    """One character a value, from the least to the most; a blank where there is none."""
    shown = list(values)
    known = [value for value in shown if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    step = (high - low) / (len(BARS) - 1) or 1.0
    return "".join(" " if value is None else BARS[round((value - low) / step)] for value in shown)


class Progress:
    """A line that lives on standard error while standard error is a terminal, and is silent otherwise."""

    def __init__(self, console: Console, name: str, expected: int | None, seconds: float | None) -> None:
        self._name, self._expected = name, expected
        self._moment_s = max(0.5, (seconds or 30.0) / WIDTH)
        self._moments: deque[float | None] = deque(maxlen=WIDTH)
        self._now: list[float] = []
        self._answered = self._failed = 0
        self._at = 0.0
        self._live = (
            Live(Text(""), console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, elapsed_s: float, new: Sequence[Record]) -> None:
        """What is new, so many seconds into the run."""
        for record in new:
            if record.ok:
                self._answered += 1
                self._now.append(record.ttft_s or 0.0)
            else:
                self._failed += 1
        while elapsed_s > self._at + self._moment_s:
            self._at += self._moment_s
            self._moments.append(percentile(sorted(self._now), 0.9) if self._now else None)
            self._now = []
        if self._live is not None:
            self._live.update(self.line(elapsed_s))

    def line(self, elapsed_s: float) -> ConsoleRenderable:
        """The line as it is now."""
        of = f" of {self._expected:,}" if self._expected else ""
        failed = f", {self._failed:,} failed" if self._failed else ""
        known = [value for value in self._moments if value is not None]
        last = f"  TTFT p90 {sparkline(self._moments)} {1e3 * known[-1]:,.0f} ms" if known else ""
        return Text(f"{self._name}  {max(0.0, elapsed_s):.0f} s  {self._answered:,} answered{of}{failed}{last}")
