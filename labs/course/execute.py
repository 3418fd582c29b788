"""Run the labs from top to bottom on a local cloud of their own, and keep what they print where the book finds it.

A lab runs in the course's own kernel, in a child process (`python -m labs.course.execute TASK`); results are kept by jupyter-cache,
keyed by the lab's cells, in a folder keyed by the code they call. A lab that raises fails the build, with the cell named.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from labs.course import stamp, workers
from labs.course.layout import Layout
from labs.errors import FALSE, NOT_READY, Refusal

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_TIMEOUT_S = 300
LANES = 4
"""labs that run side by side: they wait for most of their time"""
KEPT_CACHES = 2
"""Results of this many versions of the code are kept, the newest."""


@dataclass(frozen=True)
class Step:
    """How far a lab is."""

    lab: str
    cell: int
    cells: int
    seconds: float
    done: bool = False


def cache_folder(layout: Layout) -> Path:
    """Where the results of the code as it is now are kept."""
    return layout.build / "cache" / stamp.lab_code(layout)


def waiting(layout: Layout, cache: Path) -> list[Path]:
    """The labs whose results are not in the cache."""
    known = stamp.read(cache / "labs.json")
    return [path for path in layout.labs() if known.get(path.stem) != _digest(path)]


def execute(layout: Layout, labs: list[Path], cache: Path, on_step: Callable[[Step], None]) -> None:
    """Run these labs, several at a time, since a lab waits for most of its time. Raises Refusal with the cell that failed."""
    cache.mkdir(parents=True, exist_ok=True)
    os.utime(cache)
    _forget_old(cache)
    # Each lab's cloud lives in a folder of its own; what a killed run left goes first.
    homes = layout.build / "homes"
    shutil.rmtree(homes, ignore_errors=True)
    homes.mkdir(parents=True)
    if not labs:
        return
    _results(cache).list_cache_records()  # makes the database, before two children would
    paths = {path.stem: path for path in labs}
    # The book shows a lab through a link; results are entered under the path that Sphinx will ask for.
    tasks = {
        stem: {"source": str(layout.book / "labs" / path.name), "cache": str(cache), "homes": str(homes), "lab": stem}
        for stem, path in paths.items()
    }
    last = ""
    try:
        with closing(workers.run_several("labs.course.execute", tasks, layout.root, LANES)) as events:
            for last, event in events:
                if "failed" in event:
                    failed = event["failed"]
                    raise Refusal(_explain(layout, paths[last], failed), failed.get("exit_status", FALSE))
                if event:
                    on_step(Step(last, **event))
                else:
                    known = stamp.read(cache / "labs.json")
                    stamp.write(cache / "labs.json", **{**known, last: _digest(paths[last])})
    except workers.WorkerError as broken:
        raise Refusal(f"Lab {broken.name or last} was not run: {broken}.", NOT_READY) from broken


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:20]


def _forget_old(cache: Path) -> None:
    others = sorted(
        (path for path in cache.parent.iterdir() if path.is_dir() and path != cache),
        key=lambda path: path.stat().st_mtime,
    )
    for path in others[: -(KEPT_CACHES - 1)]:
        shutil.rmtree(path, ignore_errors=True)


def _explain(layout: Layout, path: Path, failed: Mapping[str, Any]) -> str:
    """One sentence that names the cell; what the cell printed as it failed goes to standard error before it."""
    if "cell" not in failed:
        return escape(f"Lab {path.stem} was not run: {failed['error']}")
    if failed["traceback"]:
        sys.stderr.write(f"{failed['traceback'].rstrip()}\n")
    place = f"{path.relative_to(layout.root)}, line {failed['line']}"
    return escape(
        f"Lab {path.stem} failed in code cell {failed['cell']} of {failed['cells']} ({place}): {failed['error'].rstrip('.')}."
    )


# ---- in the child ----


def _run(task: dict[str, Any]) -> None:
    from jupyter_client.kernelspec import NoSuchKernel

    from labs.check import room
    from labs.cloud import environment, server

    source, cache = Path(task["source"]), Path(task["cache"])
    notebook, read_format = read(source)
    if _is_kept(notebook, cache):
        cells = _count(notebook)
        workers.report(cell=cells, cells=cells, seconds=0.0, done=True)
        return
    with tempfile.TemporaryDirectory(dir=task["homes"]) as folder:
        home = Path(folder)
        # A lab that waits for machines may say how fast those waits pass while the book is built; a learner has the usual cloud.
        scale = float(notebook.metadata.get("time_scale", server.DEFAULT_TIME_SCALE))
        record = server.start(home, port=0, time_scale=scale, die_with_parent=True)
        try:
            surroundings = environment.local_environment(record.endpoint_url, home=home)
            surroundings[room.ROOM] = "off"  # these are our solutions, and nobody's progress
            seconds = _execute(notebook, source.parent, surroundings)
        except NoSuchKernel as missing:
            raise Refusal(
                f"the kernel '{missing.name}' is not installed; 'make setup' installs it.", NOT_READY
            ) from missing
        finally:
            server.stop(home)
    _keep(notebook, source, read_format, cache, seconds)
    cells = _count(notebook)
    workers.report(cell=cells, cells=cells, seconds=seconds, done=True)


def read(source: Path) -> "tuple[NotebookNode, dict[str, Any] | None]":
    """A lab as MyST-NB will read it when it builds the page: what it looks up must be what we put in."""
    from myst_nb.core.config import NbParserConfig
    from myst_nb.core.read import create_nb_reader
    from myst_parser.config.main import MdParserConfig

    text = source.read_text("utf-8")
    reader = create_nb_reader(str(source), MdParserConfig(), NbParserConfig(), text)
    if reader is None:
        raise Refusal(f"{source.name} is not a notebook: its front matter names no kernel.", FALSE)
    return reader.read(text), reader.read_fmt


def _count(notebook: "NotebookNode") -> int:
    return sum(1 for cell in notebook.cells if cell.cell_type == "code")


def _execute(notebook: "NotebookNode", folder: Path, surroundings: Mapping[str, str]) -> float:
    """Run all cells, reporting each; returns seconds. Raises CellError."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    started = time.monotonic()
    cells = _count(notebook)
    numbers = {
        place: number
        for number, place in enumerate((i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"), 1)
    }
    current = {"number": 0, "line": 0}

    def began(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - nbclient names them
        current.update(number=numbers.get(cell_index, current["number"]), line=_line(notebook, cell_index))
        workers.report(cell=current["number"] - 1, cells=cells, seconds=time.monotonic() - started)

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        record_timing=False,  # it would enter the cells' metadata, and with it the key under which the results are looked up
        resources={"metadata": {"path": str(folder)}},
        # Or each kernel warns that it talks over loopback.
        extra_arguments=["--log-level=ERROR"],
        on_cell_execute=began,
    )
    try:
        client.execute(env=dict(surroundings))
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise CellError(_failure(error, current["number"], cells, current["line"])) from error
    return time.monotonic() - started


class CellError(Exception):
    """A cell raised, took too long, or took its kernel with it."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__(failure["error"])
        self.failure = failure


def _failure(error: Exception, number: int, cells: int, line: int) -> dict[str, Any]:
    if hasattr(error, "ename"):
        said, trace = f"{error.ename}: {getattr(error, 'evalue', '')}", getattr(error, "traceback", "")
    else:
        said, trace = str(error).splitlines()[0] if str(error) else type(error).__name__, ""
    return {"cell": number, "cells": cells, "line": line, "error": said, "traceback": trace}


def _line(notebook: "NotebookNode", cell_index: int) -> int:
    """The line of the source file where a cell's code begins; 0 when the reader has not noted it."""
    lines = notebook.metadata.get("source_map", [])
    return int(lines[cell_index]) + 1 if cell_index < len(lines) else 0


def _results(cache: Path) -> Any:
    from jupyter_cache import get_cache

    return get_cache(str(cache))  # type: ignore[no-untyped-call]


def _is_kept(notebook: "NotebookNode", cache: Path) -> bool:
    try:
        _results(cache).match_cache_notebook(notebook)
    except KeyError:
        return False
    return True


def _keep(
    notebook: "NotebookNode", source: Path, read_format: dict[str, Any] | None, cache: Path, seconds: float
) -> None:
    from jupyter_cache.base import CacheBundleIn

    kept = _results(cache)
    record = kept.add_nb_to_project(str(source), **({"read_data": read_format} if read_format else {}))
    bundle = CacheBundleIn(notebook, record.uri, data={"execution_seconds": seconds})
    kept.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


if __name__ == "__main__":
    workers.skip_uri_grammars()
    try:
        _run(workers.task())
    except CellError as failed:
        workers.report(failed=failed.failure)
    except Refusal as refusal:
        workers.report(failed={"error": str(refusal), "exit_status": refusal.exit_status})
    sys.exit(0)
