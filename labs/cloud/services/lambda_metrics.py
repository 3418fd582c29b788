"""What Lambda tells CloudWatch of each invocation: of the function, of the version when one was named, and of the account together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.runtime.outcome import Outcome
from labs.cloud.runtime.pool import Throttled

NAMESPACE = "AWS/Lambda"


class Measured:
    """One invocation under way."""

    def __init__(self, context: Context, function: Any, concurrent: int) -> None:
        self._context, self._function, self._concurrent = context, function, concurrent

    def ended(self, outcome: Outcome) -> None:
        """It ran."""
        self._put("Invocations", 1)
        self._put("Errors", float(outcome.error))
        self._put("Throttles", 0)
        self._put("Duration", outcome.duration_ms, "Milliseconds")
        self._put("ConcurrentExecutions", self._concurrent)

    def throttled(self) -> None:
        """It found no room, and so was not invoked."""
        self._put("Throttles", 1)

    def _put(self, name: str, value: float, unit: str = "Count") -> None:
        function = self._function
        for dimensions in dimensions_of(function):
            metrics.put(self._context, function.region, NAMESPACE, name, value, unit, **dimensions)


def dimensions_of(function: Any) -> tuple[dict[str, str], ...]:
    """The series in which an invocation counts."""
    name, version = function.function_name, str(function.version)
    own = {"FunctionName": name}
    if version == "$LATEST":
        return {}, own
    return {}, own, own | {"Resource": f"{name}:{version}"}


@contextmanager
def measured(context: Context, function: Any, concurrent: int) -> Iterator[Measured]:
    """Counts a throttled invocation as such; `concurrent` is how many run, this one included."""
    invocation = Measured(context, function, concurrent)
    try:
        yield invocation
    except Throttled:
        invocation.throttled()
        raise
