"""A scheduler and its workers, as a user starts them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Up:
    """`lab spread up`, running."""

    address: str
    process: "subprocess.Popen[str]"


@contextmanager
def spread_up(workers: int, port: str = "0") -> Iterator[Up]:
    command = [sys.executable, "-m", "labs.cli", "spread", "up", "--port", port, "--json", "--workers", str(workers)]
    # A piece of work that loses its worker twice is given up, so that tests need not start workers by the dozen.
    surroundings = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=surroundings) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n") and (line := process.stdout.readline()):
            said += line
        try:
            yield Up(json.loads(said)["scheduler"], process)
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Up]:
    with spread_up(2) as running:
        yield running
