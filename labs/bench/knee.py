"""The highest rate that still meets the objective, with its interval, in a bounded number of runs that are noisy.

    found = find_knee(lambda rate, seed: summarise(offer(rate, seed), objective), low=1.0, high=100.0)
    found.rate_per_s, found.interval, found.says

A rate *meets* the objective in a run when at least `share` of all its requests (failed ones too) kept every limit. That is noisy near the
knee, and more likely the lower the rate. So: halve the ratio of the two ends until they are close, then repeat at both ends. The interval
goes from a rate at which every repetition met it to one at which none did; what the repetitions prove by the sign test is its confidence.
A run that the client spoiled says nothing of the service: it ends the search on that side, and is said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from labs.errors import USAGE, Refusal

Summary = Mapping[str, Any]
RunAt = Callable[[float, int], Summary]
"""(requests per second, seed) -> the summary of a run that had an objective"""
SHARE = 0.99
RESOLUTION = 1.05
"""ratio of the two ends at which halving stops and repeating begins"""
CONFIRM = 6
"""runs in agreement at an end: by the sign test 6 of 6 are wrong in 1.6 % of cases, so that both ends make 97 %"""
MOST_RUNS = 40


@dataclass(frozen=True)
class Trial:
    """One run of the search."""

    rate_per_s: float
    share: float | None
    """of requests that kept every limit"""
    met: bool
    valid: bool
    summary: Summary


@dataclass(frozen=True)
class Knee:
    """What was found."""

    rate_per_s: float | None
    """the highest rate that met the objective more often than not; None: no rate that was tried did"""
    interval: tuple[float, float | None] | None
    """from a rate that always met it to one that never did; None above: no rate that was tried failed"""
    confidence: float | None
    share: float
    trials: tuple[Trial, ...]
    says: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON, without the summaries of the runs."""
        return {
            "rate_per_s": self.rate_per_s,
            "interval": list(self.interval) if self.interval else None,
            "confidence": self.confidence,
            "share": self.share,
            "runs": len(self.trials),
            "trials": [
                {"rate_per_s": t.rate_per_s, "share": t.share, "met": t.met, "valid": t.valid} for t in self.trials
            ],
            "says": self.says,
        }


class _Search:
    """The trials so far, and whether another may be made."""

    def __init__(self, run_at: RunAt, share: float, most_runs: int, seed: int) -> None:
        self.run_at, self.share, self.most_runs, self.seed = run_at, share, most_runs, seed
        self.trials: list[Trial] = []

    @property
    def spent(self) -> bool:
        return len(self.trials) >= self.most_runs

    def at(self, rate: float) -> Trial:
        summary = self.run_at(rate, self.seed + len(self.trials))
        objective = summary.get("objective")
        if objective is None:
            raise Refusal(
                "a knee is the highest rate that meets an objective: state one, --objective-ttft-ms 500", USAGE
            )
        # A client that came late says nothing of the service; a run without a steady state does: it is beyond the knee.
        valid = bool(summary.get("valid", True))
        trial = Trial(rate, objective["share"], valid and objective["share"] >= self.share, valid, summary)
        self.trials.append(trial)
        return trial

    def counts(self, rate: float) -> tuple[int, int]:
        """(met, not met) at a rate, of valid runs."""
        here = [t for t in self.trials if t.rate_per_s == rate and t.valid]
        return sum(t.met for t in here), sum(not t.met for t in here)


def find_knee(
    run_at: RunAt,
    *,
    low: float,
    high: float,
    share: float = SHARE,
    resolution: float = RESOLUTION,
    confirm: int = CONFIRM,
    most_runs: int = MOST_RUNS,
    seed: int = 0,
) -> Knee:
    """Search between two rates. Raises Refusal for ends that are none, and where a run has no objective."""
    if not 0 < low < high:
        raise Refusal(f"a knee is looked for between two rates, the lower first: not {low:g} and {high:g}", USAGE)
    if most_runs < 3 or confirm < 1 or resolution <= 1:
        raise ValueError("a search takes at least 3 runs, 1 repetition, and a resolution above 1")
    search = _Search(run_at, share, most_runs, seed)
    first = search.at(low)
    if not first.valid:
        return _none(
            search, f"the client spoiled the run at {low:g} requests/s already: nothing can be said of the service"
        )
    below, above = low, high
    if not first.met:
        return _none(
            search,
            f"{_share(first)} of the requests met the objective at {low:g}/s, and {100 * share:g} % should: look below it",
        )
    last = search.at(high)
    if last.met:
        return _unbounded(
            search, high, f"the objective was still met at {high:g} requests/s, the highest rate tried: look above it"
        )
    limited = not last.valid
    while above / below > resolution and not search.spent:
        middle = sqrt(below * above)
        trial = search.at(middle)
        if trial.met:
            below = middle
        else:
            above, limited = middle, not trial.valid
    if limited:
        return _unbounded(
            search,
            below,
            f"this client cannot offer much more than {below:.3g} requests/s without being late: use more --workers",
        )
    step = above / below
    lower = _settle(search, below, 1 / step, confirm, met=True, stop=low)
    upper = _settle(search, above, step, confirm, met=False, stop=high)
    return _found(search, lower, upper)


def _settle(search: _Search, rate: float, step: float, confirm: int, *, met: bool, stop: float) -> tuple[float, int]:
    """Repeat at a rate; move outwards from the knee where runs disagree. The rate, and how many agreed there."""
    while True:
        while not search.spent:
            yes, no = search.counts(rate)
            agree, against = (yes, no) if met else (no, yes)
            if against or agree >= confirm:
                break
            search.at(rate)
        yes, no = search.counts(rate)
        agree, against = (yes, no) if met else (no, yes)
        if not against or search.spent or rate == stop:
            return rate, 0 if against else agree
        rate = max(stop, rate * step) if met else min(stop, rate * step)


def _found(search: _Search, lower: tuple[float, int], upper: tuple[float, int]) -> Knee:
    (low, agreed_low), (high, agreed_high) = lower, upper
    rates = sorted({t.rate_per_s for t in search.trials})
    often = [rate for rate in rates if search.counts(rate)[0] > search.counts(rate)[1]]
    best = max((rate for rate in often if rate <= high), default=low)
    # Under "met half of the time", so many in agreement have probability 2**-n.
    confidence = max(0.0, 1.0 - 0.5**agreed_low - 0.5**agreed_high) if agreed_low and agreed_high else 0.0
    sure = f"{100 * confidence:.0f} % sure" if confidence >= 0.5 else "too few runs to be sure"
    says = (
        f"the highest rate that meets the objective is about {best:.3g} requests/s, between {low:.3g} and {high:.3g} "
        f"({sure}, {len(search.trials)} runs)"
    )
    return Knee(best, (low, high), confidence, search.share, tuple(search.trials), says)


def _none(search: _Search, says: str) -> Knee:
    return Knee(None, None, None, search.share, tuple(search.trials), says)


def _unbounded(search: _Search, rate: float, says: str) -> Knee:
    return Knee(rate, (rate, None), None, search.share, tuple(search.trials), says)


def _share(trial: Trial) -> str:
    return "none" if trial.share is None else f"{100 * trial.share:.1f} %"
