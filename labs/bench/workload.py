"""A workload: what is asked and when, settled before the first request is sent. Open loop (a schedule) or closed (so many clients).

    offered = Offered(arrival="poisson", rate_per_s=20, duration_s=30, input_tokens=Lengths.parse("500"), output_tokens=Lengths.parse("200"))
    work = build(offered, seed=1)

The first requests are warm-up: measured like the others and left out of every statistic. They come on top of the workload, so that the
workload itself is the same with and without them.
"""

from array import array
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from labs.bench.lengths import Lengths
from labs.bench.schedule import Arrival, schedule
from labs.errors import USAGE, Refusal
from labs.serving.arrivals import read_trace

WARMUP_SHARE, LONGEST_WARMUP_S = 0.1, 2.0
CLOSED_ROWS = 1 << 14
"""lengths drawn for a closed loop, which does not know how many requests it will make; then they repeat"""


@dataclass(frozen=True)
class Offered:
    """A workload in words."""

    input_tokens: Lengths
    output_tokens: Lengths
    arrival: Arrival = "poisson"
    rate_per_s: float | None = None
    duration_s: float | None = None
    requests: int | None = None
    concurrency: int | None = None
    burstiness: float = 2.0
    steps_per_s: tuple[float, ...] = ()
    rate_to_per_s: float | None = None
    trace: Path | None = None
    prompts: Path | None = None
    sessions: int = 0
    prefix_tokens: int = 0
    warmup_s: float | None = None
    """None: a tenth of the duration, two seconds at most"""

    def describe(self) -> dict[str, Any]:
        """For the record of a run: what was asked for, and nothing that was not."""
        given: dict[str, Any] = {
            "arrival": None if self.concurrency else self.arrival,
            "rate_per_s": self.rate_per_s,
            "duration_s": self.duration_s,
            "requests": self.requests,
            "concurrency": self.concurrency,
            "burstiness": self.burstiness if self.arrival == "gamma" else None,
            "steps_per_s": list(self.steps_per_s) or None,
            "rate_to_per_s": self.rate_to_per_s,
            "trace": str(self.trace) if self.trace else None,
            "prompts": str(self.prompts) if self.prompts else None,
            "sessions": self.sessions or None,
            "prefix_tokens": self.prefix_tokens or None,
            "input_tokens": str(self.input_tokens),
            "output_tokens": str(self.output_tokens),
            "warmup_s": self.warmup,
        }
        if self.trace:
            given |= {"input_tokens": None, "output_tokens": None}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def warmup(self) -> float:
        """Seconds of warm-up."""
        if self.warmup_s is not None:
            return self.warmup_s
        duration_s = self.duration_s or (self.requests or 0) / (self.rate_per_s or float("inf"))
        return min(LONGEST_WARMUP_S, WARMUP_SHARE * duration_s)


@dataclass(frozen=True)
class Workload:
    """A workload request by request; travels to the workers as it is."""

    due_s: "array[float] | None"
    """from the run's start, ascending; None: closed loop"""
    input_tokens: "array[int]"
    output_tokens: "array[int]"
    sessions: "array[int] | None"
    texts: tuple[str, ...]
    warmup_s: float
    duration_s: float | None
    """of a closed loop: when the last request may begin, warm-up included"""
    requests: int | None
    """of a closed loop: how many, warm-up not included"""
    concurrency: int
    prefix_tokens: int
    seed: int

    @property
    def loop(self) -> str:
        return "closed" if self.due_s is None else "open"

    def expected(self) -> int | None:
        """How many requests there will be, where that is known beforehand."""
        return self.requests if self.due_s is None else len(self.due_s)


def build(offered: Offered, seed: int) -> Workload:
    """Settle everything that chance has a say in. Raises Refusal when what is offered makes no workload."""
    if offered.prompts is not None and offered.sessions:
        raise Refusal("--sessions puts prompts together from words: leave out --prompts", USAGE)
    if offered.prefix_tokens and not offered.sessions:
        raise Refusal("--prefix-tokens is what the requests of a session share: say how many --sessions", USAGE)
    texts: tuple[str, ...] = ()
    ceilings: array[int] | None = None
    if offered.prompts is not None:
        # Not at the top: the worker processes import this module for its Workload only, and start in a third of the time without.
        from labs.squid import prompts as prompt_files

        found = prompt_files.read(offered.prompts)
        texts = tuple(prompt.prompt for prompt in found)
        if all(prompt.max_tokens for prompt in found):
            ceilings = array("i", (prompt.max_tokens or 1 for prompt in found))
    if offered.concurrency is not None:
        _refuse_both_loops(offered)
        due, inputs, outputs = None, *_lengths(offered, CLOSED_ROWS, seed)
    elif offered.trace is not None:
        due, inputs, outputs = _from_trace(offered)
    else:
        measured = _due(offered, seed)
        if not measured:
            raise Refusal(
                f"no request is due in {offered.duration_s:g} s at {offered.rate_per_s:g} a second: make --duration longer",
                USAGE,
            )
        early = _warmup_due(offered, seed, len(measured))
        due = early + array("d", (offered.warmup + t for t in measured))
        inputs, outputs = _lengths(offered, len(measured), seed)
        if early:
            warm_inputs, warm_outputs = _lengths(offered, len(early), seed + 104_729)
            inputs, outputs = warm_inputs + inputs, warm_outputs + outputs
    rows = len(inputs)
    if ceilings is not None:
        outputs = array("i", (ceilings[n % len(ceilings)] for n in range(rows)))
    sessions = None
    if offered.sessions:
        random = Random(f"sessions {seed}")
        sessions = array("i", (random.randrange(offered.sessions) for _ in range(rows)))
    return Workload(
        due_s=due,
        input_tokens=inputs,
        output_tokens=outputs,
        sessions=sessions,
        texts=texts,
        warmup_s=offered.warmup,
        duration_s=None if offered.duration_s is None else offered.warmup + offered.duration_s,
        requests=offered.requests,
        concurrency=offered.concurrency or 0,
        prefix_tokens=offered.prefix_tokens,
        seed=seed,
    )


def _refuse_both_loops(offered: Offered) -> None:
    if offered.rate_per_s is not None or offered.trace is not None or offered.steps_per_s:
        raise Refusal(
            "--concurrency is a closed loop, whose clients wait for their answers; --rate, --steps and --trace send whatever comes back. Choose one",
            USAGE,
        )
    if offered.requests is None and offered.duration_s is None:
        raise Refusal("a closed loop needs an end: --duration SECONDS or --requests N", USAGE)


def _lengths(offered: Offered, n: int, seed: int) -> "tuple[array[int], array[int]]":
    return offered.input_tokens.draw(n, seed + 1), offered.output_tokens.draw(n, seed + 2)


def _due(offered: Offered, seed: int) -> "array[float]":
    if offered.arrival == "steps":
        if not offered.steps_per_s:
            raise Refusal("--arrival steps needs its rates: --steps 5,10,20", USAGE)
    elif offered.rate_per_s is None:
        raise Refusal("say how much load: --rate 20, or --concurrency 8, or --trace F.csv", USAGE)
    if offered.arrival == "ramp" and offered.rate_to_per_s is None:
        raise Refusal("--arrival ramp needs where it goes: --rate 5 --rate-to 50", USAGE)
    if offered.arrival in ("steps", "ramp", "daily") and offered.duration_s is None:
        raise Refusal(f"--arrival {offered.arrival} needs --duration", USAGE)
    return schedule(
        offered.arrival,
        rate_per_s=offered.rate_per_s or 0.0,
        duration_s=offered.duration_s,
        requests=offered.requests,
        seed=seed,
        cv=offered.burstiness,
        steps_per_s=offered.steps_per_s,
        rate_to_per_s=offered.rate_to_per_s,
    )


def _warmup_due(offered: Offered, seed: int, measured: int) -> "array[float]":
    """Warm-up at the rate with which the run begins, by the same process where that is one of a steady rate."""
    if offered.warmup <= 0:
        return array("d")
    rate = offered.steps_per_s[0] if offered.arrival == "steps" else offered.rate_per_s or 0.0
    if offered.arrival == "daily" and offered.duration_s:
        rate = measured / offered.duration_s
    steady = offered.arrival if offered.arrival in ("constant", "poisson", "gamma") else "poisson"
    return schedule(steady, rate_per_s=rate, duration_s=offered.warmup, seed=seed + 104_729, cv=offered.burstiness)


def _from_trace(offered: Offered) -> "tuple[array[float], array[int], array[int]]":
    assert offered.trace is not None
    if offered.rate_per_s is not None or offered.steps_per_s:
        raise Refusal("a trace says when its requests come: leave out --rate and --steps", USAGE)
    table = read_trace(offered.trace)
    rows = range(len(table))
    end = float("inf") if offered.duration_s is None else offered.duration_s + offered.warmup
    kept = [row for row in rows if table.arrival[row] - table.arrival[0] < end][: offered.requests]
    return (
        array("d", (table.arrival[row] - table.arrival[0] for row in kept)),
        array("i", (table.input_tokens[row] for row in kept)),
        array("i", (table.ceiling(row) for row in kept)),
    )
