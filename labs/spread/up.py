"""A scheduler with workers, or workers for a scheduler elsewhere, in this process and its children, until it is told to stop.

A scheduler runs whatever it is sent, as the person who started it: it listens on loopback unless an address is named.
"""

import asyncio
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

from labs.errors import NOT_READY, USAGE, Refusal
from labs.spread.cluster import LOOPBACK_HTTP


def is_loopback(host: str) -> bool:
    """Does this name or address mean this machine alone?"""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


async def up(host: str, port: int, workers: int, threads: int, say: Callable[[str], object]) -> None:
    """A scheduler at `host` and `port` (0: any free one) and its workers, until Ctrl-C or SIGTERM. `say` hears its address once all are there."""
    from distributed import Scheduler

    _own_port(host, port)
    async with AsyncExitStack() as stack:
        scheduler: Any = await stack.enter_async_context(
            Scheduler(host=host, port=port, dashboard_address=LOOPBACK_HTTP)
        )
        await _workers(stack, scheduler.address, workers, threads, host)
        say(str(scheduler.address))
        await _told_to_stop()


async def join(address: str, workers: int, threads: int, host: str | None, say: Callable[[str], object]) -> None:
    """Workers for the scheduler at `address`, until Ctrl-C, SIGTERM or its end. `host` is the address of this machine that they listen on."""
    async with AsyncExitStack() as stack:
        nannies = await _workers(stack, address, workers, threads, host)
        say(address)
        ended = [asyncio.ensure_future(nanny.finished()) for nanny in nannies]
        stop = asyncio.ensure_future(_told_to_stop())
        done, _ = await asyncio.wait([stop, *ended], return_when=asyncio.FIRST_COMPLETED)
        if stop not in done:
            raise Refusal(f"the scheduler at {address} has ended, and these workers with it", NOT_READY)


async def _workers(stack: AsyncExitStack, address: str, count: int, threads: int, host: str | None) -> list[Any]:
    """Worker processes, each with a nanny that starts it again when it dies."""
    from distributed import Nanny

    made = [
        Nanny(address, nthreads=threads, host=host, silence_logs=logging.CRITICAL, dashboard_address=LOOPBACK_HTTP)
        for _ in range(count)
    ]
    await asyncio.gather(*(stack.enter_async_context(nanny) for nanny in made))
    return made


async def _told_to_stop() -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()


def _own_port(host: str, port: int) -> None:
    """Raises Refusal when nobody can listen there; Dask would take another port, and say so in its log alone."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as failed:
        raise Refusal(
            f"a scheduler cannot listen at {host}, port {port}: {failed.strerror or failed}; name another --listen or --port",
            USAGE if isinstance(failed, socket.gaierror) else NOT_READY,
        ) from None
