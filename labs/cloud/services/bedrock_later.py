"""What happens to a resource by itself after a while: it comes into service, a job ends.

    later = Later(in_thread=True)
    later.after(60.0, finish)      # calls finish() a minute from now

In a cloud with a server a thread does it. A cloud inside a process has none to give (a browser lends none): there whoever
asks for a result calls `settle` first.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable
from itertools import count

logger = logging.getLogger(__name__)


class Later:
    """A list of things to do, each at its time. Safe to share between threads; things are done one at a time."""

    def __init__(self, *, in_thread: bool, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._in_thread = in_thread
        self._waiting: list[tuple[float, int, Callable[[], object]]] = []
        self._number = count()
        self._changed = threading.Condition()
        self._doing = threading.RLock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do it so many real seconds from now."""
        with self._changed:
            heapq.heappush(self._waiting, (self._now() + seconds, next(self._number), action))
            if self._in_thread and self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="bedrock-later", daemon=True)
                self._thread.start()
            self._changed.notify()

    def settle(self) -> None:
        """Do everything that is due, in order, unless a thread does it: then nobody has to wait for it."""
        if not self._in_thread:
            self._do_due()

    def close(self) -> None:
        """Nothing is done any more."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()

    def _do_due(self) -> None:
        with self._doing:
            while (action := self._due()) is not None:
                try:
                    action()
                except Exception:  # one job that breaks must not stop the others
                    logger.exception("something that Bedrock does later failed")

    def _due(self) -> Callable[[], object] | None:
        with self._changed:
            if not self._waiting or self._waiting[0][0] > self._now():
                return None
            return heapq.heappop(self._waiting)[2]

    def _run(self) -> None:
        while True:
            self._do_due()
            with self._changed:
                if self._closed:
                    return
                if not self._waiting:
                    self._changed.wait()
                elif (rest := self._waiting[0][0] - self._now()) > 0:
                    self._changed.wait(rest)
