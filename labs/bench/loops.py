"""The event loop: uvloop where it exists, asyncio's own where it does not."""

import asyncio
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any, TypeVar

Result = TypeVar("Result")


def loop_name() -> str:
    """Which one `run` uses."""
    return f"uvloop {version('uvloop')}" if _uvloop() else "asyncio"


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end in a loop of its own."""
    uvloop = _uvloop()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        return runner.run(main)


def _uvloop() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop
