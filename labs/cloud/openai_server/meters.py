"""What /metrics tells: vLLM's own names, in Prometheus' text format.

https://docs.vllm.ai/en/latest/usage/metrics.html
"""

import threading
from dataclasses import dataclass, field

from labs.serving.engine import Event

TTFT_BUCKETS = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    40.0,
    80.0,
    160.0,
    640.0,
    2560.0,
)
TPOT_BUCKETS = (
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    40.0,
    80.0,
)
E2E_BUCKETS = (
    0.3,
    0.5,
    0.8,
    1.0,
    1.5,
    2.0,
    2.5,
    5.0,
    10.0,
    15.0,
    20.0,
    30.0,
    40.0,
    50.0,
    60.0,
    120.0,
    240.0,
    480.0,
    960.0,
    1920.0,
    7680.0,
)


@dataclass
class Histogram:
    """Counts by upper bound, and their sum."""

    buckets: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.buckets) + 1)

    def observe(self, value: float) -> None:
        self.total += value
        for i, bound in enumerate(self.buckets):
            if value <= bound:
                self.counts[i] += 1
                return
        self.counts[-1] += 1

    def lines(self, name: str, labels: str) -> list[str]:
        lines, cumulative = [f"# TYPE {name} histogram"], 0
        for bound, count in zip((*map(str, self.buckets), "+Inf"), self.counts, strict=True):
            cumulative += count
            lines.append(f'{name}_bucket{{le="{bound}",{labels}}} {cumulative}')
        return [*lines, f"{name}_count{{{labels}}} {cumulative}", f"{name}_sum{{{labels}}} {self.total}"]


@dataclass
class InFlight:
    """One request, from its arrival to its end."""

    input_tokens: int
    submitted_at: float
    started: bool = False
    tokens: int = 0
    first_at: float | None = None
    last_at: float = 0.0


class Meters:
    """Counts what goes through a server. Safe to share between threads."""

    def __init__(self, served_name: str, cache_tokens: int) -> None:
        self._labels = f'engine="0",model_name="{served_name}"'
        self._cache_tokens = cache_tokens
        self._lock = threading.Lock()
        self._requests: dict[str, InFlight] = {}
        self._prompt_tokens = 0
        self._generation_tokens = 0
        self._finished: dict[str, int] = {"stop": 0, "length": 0, "abort": 0}
        self._ttft, self._tpot, self._e2e = Histogram(TTFT_BUCKETS), Histogram(TPOT_BUCKETS), Histogram(E2E_BUCKETS)

    def submitted(self, request_id: str, input_tokens: int, at: float) -> None:
        with self._lock:
            self._requests[request_id] = InFlight(input_tokens, at)

    def saw(self, event: Event, finish_reason: str) -> None:
        """An event of the engine's; `finish_reason` is how the request will end."""
        with self._lock:
            request = self._requests.get(event.request_id)
            if request is None:
                return
            if event.kind == "started":
                request.started = True
            elif event.kind == "tokens":
                request.started = True
                request.tokens += event.tokens
                self._generation_tokens += event.tokens
                request.last_at = event.t
                if request.first_at is None:
                    request.first_at = event.t
                    self._prompt_tokens += request.input_tokens
                    self._ttft.observe(event.t - request.submitted_at)
            elif event.kind == "finished":
                self._end(event.request_id, finish_reason, event.t)

    def aborted(self, request_id: str) -> None:
        """Its client has gone, if it had not ended."""
        with self._lock:
            if self._requests.pop(request_id, None) is not None:
                self._finished["abort"] += 1

    def _end(self, request_id: str, reason: str, t: float) -> None:
        request = self._requests.pop(request_id)
        self._finished[reason] = self._finished.get(reason, 0) + 1
        self._e2e.observe(t - request.submitted_at)
        if request.first_at is not None and request.tokens > 1:
            self._tpot.observe((request.last_at - request.first_at) / (request.tokens - 1))

    def text(self) -> str:
        """The page."""
        with self._lock:
            running = [request for request in self._requests.values() if request.started]
            waiting = len(self._requests) - len(running)
            used = sum(request.input_tokens + request.tokens for request in running)
            usage = min(1.0, used / self._cache_tokens)
            lines = []
            for name, value in (
                ("num_requests_running", len(running)),
                ("num_requests_waiting", waiting),
                ("kv_cache_usage_perc", usage),
                ("gpu_cache_usage_perc", usage),  # its name before 2025; dashboards ask for either
            ):
                lines += [f"# TYPE vllm:{name} gauge", f"vllm:{name}{{{self._labels}}} {float(value)}"]
            for name, value in (
                ("prompt_tokens_total", self._prompt_tokens),
                ("generation_tokens_total", self._generation_tokens),
            ):
                lines += [f"# TYPE vllm:{name} counter", f"vllm:{name}{{{self._labels}}} {float(value)}"]
            lines.append("# TYPE vllm:request_success_total counter")
            lines += [
                f'vllm:request_success_total{{finished_reason="{reason}",{self._labels}}} {float(count)}'
                for reason, count in self._finished.items()
            ]
            lines += self._ttft.lines("vllm:time_to_first_token_seconds", self._labels)
            lines += self._tpot.lines("vllm:time_per_output_token_seconds", self._labels)
            lines += self._e2e.lines("vllm:e2e_request_latency_seconds", self._labels)
        return "\n".join(lines) + "\n"
