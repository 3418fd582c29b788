"""Facts, serving, economics and decide must run in a browser: no NumPy, no threads, no subprocesses, not even transitively at import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import labs

ROOT = Path(labs.__file__).parent
ROOMS = ("facts", "serving", "economics", "decide")
FORBIDDEN = (
    "numpy",
    "scipy",
    "pandas",
    "altair",
    "multiprocessing",
    "concurrent.futures",
    "asyncio",
    "boto3",
    "botocore",
    "moto",
    "requests",
)

IMPORT_ALL = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"numpy", "scipy", "pandas"}:
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Refuse())
room = importlib.import_module("labs.ROOM")
for module in pkgutil.walk_packages(room.__path__, "labs.ROOM."):
    last = module.name.rpartition(".")[2]
    if last not in ("__main__", "sphinx"):  # a page of the book needs Sphinx; commands of a terminal may need more
        importlib.import_module(module.name)
print("\\n".join(sorted(sys.modules)))
"""

SERVE = """
import sys
sys.modules["numpy"] = None
from labs.serving.arrivals import arrivals, lengths
from labs.serving.engine import EngineConfig
from labs.serving.profiles import Choices, deployment
from labs.serving.requests import Table
from labs.serving.simulate import as_json, simulate
plan = deployment("llama-3-8b", "ml.inf2.48xlarge", Choices(dtype="int8"))
times = arrivals("poisson", 2.0, requests=50)
run = simulate(EngineConfig(plan.spec, replicas=2), Table.of(times, lengths(500, 50), lengths(200, 50)))
print(as_json(run)["ttft_ms"]["p50"] > 0)
"""


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("room", ROOMS)
def test_a_pure_room_imports_nothing_that_a_browser_lacks(room: str) -> None:
    loaded = set(run(IMPORT_ALL.replace("ROOM", room)).split())
    assert f"labs.{room}" in loaded
    assert not loaded & set(FORBIDDEN)


def test_the_serving_engine_runs_without_numpy() -> None:
    assert run(SERVE).strip() == "True"


def test_the_engine_knows_no_clock_and_does_no_io() -> None:
    """Whoever drives the engine owns the time; only `bench`, which measures it, may look at a clock."""
    files = [path for path in (ROOT / "serving").glob("*.py") if path.stem != "bench"]
    assert len(files) > 15
    forbidden = {"time", "datetime", "threading", "asyncio", "subprocess", "socket", "urllib", "http", "boto3"}
    offences = {
        f"{path.name} imports {name}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name.split(".")[0] in forbidden
    }
    assert not offences
