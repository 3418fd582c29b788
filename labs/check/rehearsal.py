"""The running of a submission's cells, in the confined process that is theirs: what it builds in its cloud is graded later, by another.

Cells run in an IPython shell, without a kernel around it. What this process says of its progress is for people to read, and worth no point.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from labs.check.feedback import GRADING
from labs.check.submissions import CodeCell
from labs.cloud import environment, state
from labs.cloud.state import ServerRecord

Tell = Callable[[dict[str, Any]], None]


def prepare() -> None:
    """Import what nearly every lab's cells import, before any process is forked."""
    import altair  # noqa: F401
    import boto3
    import ipywidgets  # noqa: F401

    # What the first shell and the first client import when they are made, they would import in each fork.
    _shell(instance=False)
    for service in ("sqs", "dynamodb", "ssm"):
        boto3.Session("none", "none", region_name="us-east-1").client(service, endpoint_url="http://127.0.0.1:1")
    import labs.economics.queue
    import labs.facts
    import labs.squid.deploy
    import labs.targets.stacks  # noqa: F401


def at_home(home: Path, endpoint_url: str) -> None:
    """Make `home` the state folder of a local cloud that runs, for `cloud.connect()` to find; there is no token in it."""
    state.ensure_home(home)
    state.write_record(home, ServerRecord(endpoint_url, 1, 60.0, token=""))
    state.lock_for_life(home)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    surroundings = environment.local_environment(endpoint_url, kept, home=home)
    environment._replace_environment(
        surroundings | {"HOME": str(home), GRADING: "1", "IPYTHONDIR": str(home / ".ipython"), "TMPDIR": "/tmp"}
    )


def run(cells: Sequence[CodeCell], tell: Tell) -> None:
    """Run the cells in order, those too that come after one that failed; the clean-up stays undone."""
    shell = _shell()
    for cell in cells:
        if cell.clean_up or not cell.source.strip():
            continue
        tell({"began": cell.number})
        result = shell.run_cell(cell.source, store_history=False)
        if result.error_before_exec is not None:
            tell({"cell": cell.number, "error": f"does not parse: {_said(result.error_before_exec)}"})
        elif result.error_in_exec is not None:
            tell({"cell": cell.number, "error": _said(result.error_in_exec)})
    tell({"done": True})


def _said(error: BaseException) -> str:
    with suppress(Exception):  # an exception of a submission's own making can refuse even to be printed
        return f"{type(error).__name__}: {error}"[:300]
    return "an error that cannot be printed"


def _shell(*, instance: bool = True) -> Any:
    from IPython.core import interactiveshell
    from IPython.core.displayhook import DisplayHook
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    make: Any = interactiveshell.InteractiveShell
    settings: dict[str, Any] = {"config": config, "displayhook_class": _Quiet(DisplayHook)}
    if not instance:
        return make(**settings)
    shell: Any = make.instance(**settings)
    shell.display_formatter.active_types = ["text/plain"]  # no chart is drawn that nobody sees
    shell.user_module.__dict__["__name__"] = "__main__"
    sys.modules["__main__"] = shell.user_module
    return shell


def _Quiet(base: Any) -> Any:  # noqa: N802 - it makes a class
    class Quiet(base):  # type: ignore[misc]
        """The value of a cell's last line is shown to nobody."""

        def __call__(self, result: object = None) -> None:
            pass

    return Quiet


def teller(descriptor: int) -> Tell:
    """Tell through a pipe, a line of JSON each."""

    def tell(said: dict[str, Any]) -> None:
        with suppress(OSError):
            os.write(descriptor, json.dumps(said).encode() + b"\n")

    return tell
