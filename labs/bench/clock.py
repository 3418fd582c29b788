"""The harness's clock: alarms that ring when they are due, and a watch over the client itself.

Everything is timed by the monotonic clock, which all processes of a machine share and which no correction of the time of day moves.
An event loop's own timers are good to a millisecond, on uvloop a millisecond early or late; where Linux has timerfd, alarms ring within some
hundredths of that.
"""

import asyncio
import ctypes
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

now = time.monotonic
"""Seconds; comparable between processes of this machine."""

TICK_S = 0.02
"""how often the watch looks whether the event loop still turns"""
STALL_S = 0.025
"""a tick that is later than this is a stall"""


class Alarm:
    """Calls `ring` when the monotonic clock reaches the time it was last set to, never before. `close` frees it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop, self._ring = loop, ring
        self._timer = _TimerFd.make()
        self._handle: asyncio.TimerHandle | asyncio.Handle | None = None
        if self._timer is not None:
            loop.add_reader(self._timer.fd, self._rang)

    def set(self, due: float) -> None:
        """Ring at `due`; a time that has passed rings at once. Forgets what it was set to before."""
        if self._timer is not None:
            self._timer.set(due)
            return
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_later(max(0.0, due - now()), self._perhaps, due)

    def close(self) -> None:
        """Never ring again."""
        if self._handle is not None:
            self._handle.cancel()
        if self._timer is not None:
            self._loop.remove_reader(self._timer.fd)
            os.close(self._timer.fd)
            self._timer = None

    def _rang(self) -> None:
        if self._timer is not None and self._timer.expired():
            self._ring()

    def _perhaps(self, due: float) -> None:
        if now() < due:  # uvloop rounds to milliseconds, down as well as up
            self._handle = self._loop.call_later(0.001, self._perhaps, due)
        else:
            self._ring()


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


class _TimerFd:
    """timerfd(2) by ctypes: Python has it from 3.13 on."""

    ABSOLUTE = 1

    def __init__(self, libc: ctypes.CDLL, fd: int) -> None:
        self._libc, self.fd = libc, fd
        self._spec = _Itimerspec()

    @staticmethod
    def make() -> "_TimerFd | None":
        if sys.platform != "linux":
            return None
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        return _TimerFd(libc, fd) if fd >= 0 else None

    def set(self, due: float) -> None:
        seconds = int(due)
        self._spec.value.seconds = seconds
        self._spec.value.nanoseconds = max(1, int((due - seconds) * 1e9))  # all zeros would stop the timer
        self._libc.timerfd_settime(self.fd, self.ABSOLUTE, ctypes.byref(self._spec), None)

    def expired(self) -> bool:
        try:
            os.read(self.fd, 8)
        except BlockingIOError:  # set anew after it rang and before we came
            return False
        return True


def cpu_s() -> float:
    """Processor seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@dataclass
class Watch:
    """Ticks in the event loop and notes when it was not let in time: whatever else was due then was late too."""

    loop: asyncio.AbstractEventLoop
    stalls: int = 0
    stalled_s: float = 0.0
    longest_s: float = 0.0
    _due: float = 0.0
    _handle: asyncio.TimerHandle | None = field(default=None, repr=False)

    def start(self) -> None:
        """Begin, or begin anew."""
        self._due = now() + TICK_S
        self._handle = self.loop.call_later(TICK_S, self._tick)

    def stop(self) -> None:
        """No more ticks."""
        if self._handle is not None:
            self._handle.cancel()

    def _tick(self) -> None:
        late_s = now() - self._due
        self.longest_s = max(self.longest_s, late_s)
        if late_s > STALL_S:
            self.stalls += 1
            self.stalled_s += late_s
        self.start()


def wall_clock_step_s(wall_then: float, monotonic_then: float) -> float:
    """By how much the time of day was moved since then, beside the monotonic clock."""
    return (time.time() - wall_then) - (now() - monotonic_then)
