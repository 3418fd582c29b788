"""One submission, from its bytes to its marks: a cloud, a confined run of its cells in front of it, and then the checks.

Three processes that know little of one another. The *cloud* and the *run* are confined each by itself, so that the run can neither end
the cloud nor read its memory; they meet on a loopback of their own. The run is ended, with whatever it left running, before the *checks*
look; these are the only one of the three that can see the checks' files, and whose word is the score.
"""

import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labs.check import confine, nursery, rehearsal, submissions
from labs.check.confine import Child, Limits, View, Walls
from labs.check.submissions import CodeCell, Notebook, Submission, Unreadable
from labs.cloud import environment

ROOT = Path(__file__).parents[2]
CHECKS = Path(__file__).parent / "labs"
CLOUD_UP_S, CHECKS_S = 60.0, 180.0
MOST_OUTPUT_BYTES = 50 * 1024 * 1024
KEPT_OUTPUT_BYTES = 4_000
MOST_PROCESSES = 150
LOOK_EVERY_S = 0.1
SOME_NOTES = 20


@dataclass(frozen=True)
class Layout:
    """What the grader knows of a lab without having imported its checks."""

    slug: str
    time_limit_s: float
    max: float
    checks: dict[str, str]
    """Id: title of its task."""
    tasks: dict[str, str]
    """Number: title."""
    version: str
    """Of the checks; results of another version are not kept."""
    cells: dict[str, int] = field(default_factory=dict)
    """Id: task, of the cells of the student's copy that a learner fills in."""
    clean_up: tuple[str, ...] = ()
    """Ids and texts of cells that are not run: some editors keep neither ids nor tags."""
    blank: str = ""
    """The digest of the copy as it is handed out."""


@dataclass(frozen=True)
class Allowed:
    """What a submission may use."""

    time_limit_s: float | None = None
    """None: what the lab says."""
    memory_mb: int = 2048
    room_mb: int = 256


def grade(
    submission: Submission, layouts: dict[str, Layout], lab: str | None, walls: Walls, allowed: Allowed, scratch: Path
) -> dict[str, Any]:
    """The result of one submission. Runs in a process of its own, a fork of a prepared one (see `prepare`), and says everything in the result."""
    began = time.monotonic()
    result: dict[str, Any] = {
        "submission": submission.name,
        "student": submission.student,
        "lab": lab,
        "problem": None,
        "score": 0.0,
        "max": 0.0,
        "checks": [],
        "notes": [],
        "errors": [],
        "unconfined": walls.missing(),
    }
    try:
        data = submissions.content(submission)
        result["sha256"] = hashlib.sha256(data).hexdigest()
        notebook = submissions.read(data)
        del data
        result["lab"] = slug = notebook.lab if notebook.lab in layouts else lab
        if slug not in layouts:
            said = f"says that it is of lab '{notebook.lab}'" if notebook.lab else "does not say of which lab it is"
            raise Unreadable(f"{said}; there are checks for {', '.join(layouts)}. Name one with --lab.")
        layout = layouts[slug]
        if lab not in (None, slug):
            result["notes"].append(f"It says that it is of lab {slug}, not {lab}, and was graded as that.")
        result.update(max=layout.max, code=notebook.digest, version=layout.version)
        result["notes"] += [*notebook.notes, *compared(notebook, layout)]
        _run(notebook, layout, walls, allowed, scratch, result)
    except Unreadable as why:
        result["problem"] = f"It {why}."
    except OSError as failed:
        result["problem"], result["again"] = f"It was not graded: {failed}.", True
    result["seconds"] = round(time.monotonic() - began, 2)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    result["cpu_s"] = round(sum(each.ru_utime + each.ru_stime for each in used), 2)
    return result


def compared(notebook: Notebook, layout: Layout) -> list[str]:
    """What is not as in the copy that was handed out."""
    notes = []
    if notebook.digest == layout.blank:
        notes.append("It is the copy as it was handed out: nothing is filled in.")
    missing = [number for number in layout.tasks if int(number) not in notebook.tasks]
    for number in missing:
        notes.append(f"Task {number} ({layout.tasks[number]}) is not in it.")
    gone = {identifier: task for identifier, task in layout.cells.items() if identifier not in notebook.ids}
    if gone and len(gone) == len(layout.cells):
        notes.append("Its cells carry other names than those of the copy handed out; we went by its headings.")
    elif tasks := {task for task in gone.values() if str(task) not in missing}:
        notes.append(f"Cells to fill in were removed or renamed, of task {', '.join(map(str, sorted(tasks)))}.")
    return notes


def _run(
    notebook: Notebook, layout: Layout, walls: Walls, allowed: Allowed, scratch: Path, result: dict[str, Any]
) -> None:
    confine.own_network(walls)
    if not walls.namespaces:
        confine.adopt_strays()
    work = Path(tempfile.mkdtemp(dir=scratch))
    cloud: Child | None = None
    try:
        (work / "stage").mkdir()
        cloud, endpoint_url = _start_cloud(work, walls, allowed)
        undone = {
            cell.number for cell in notebook.cells if cell.clean_up or {cell.id, cell.source} & set(layout.clean_up)
        }
        cells = [replace(cell, clean_up=cell.number in undone) for cell in notebook.cells]
        limit_s = allowed.time_limit_s or layout.time_limit_s
        _rehearse(cells, endpoint_url, work, walls, allowed, limit_s, cloud, result)
        report = _check(layout.slug, endpoint_url, work)
        result.update(score=report["score"], checks=report["checks"])
    finally:
        if cloud is not None:
            cloud.end()
        shutil.rmtree(work, ignore_errors=True)


def _view(work: Path, name: str, walls: Walls, allowed: Allowed) -> View:
    home = Path("/lab") / name if walls.namespaces else work / name
    ours = [path for path in (ROOT / "labs").iterdir() if path.name != "__pycache__"]
    python = [Path(sys.prefix), Path(sys.base_prefix), *(Path(path) for path in sys.path if path.endswith("-packages"))]
    return View(work / "stage", [*ours, *python], [CHECKS], home, allowed.room_mb)


def _start_cloud(work: Path, walls: Walls, allowed: Allowed) -> tuple[Child, str]:
    view = _view(work, "cloud", walls, allowed)
    told, tell = os.pipe()

    def be() -> None:
        def report(answer: dict[str, Any]) -> None:
            # Its address and no more: the token of its control routes stays with it.
            os.write(tell, str(answer.get("endpoint_url", "")).encode())
            os.close(tell)

        nursery.be_cloud(view.home, 60.0, report)

    cloud = confine.start(walls, view, None, be, keep=[tell])
    os.close(tell)
    address = os.read(told, 200).decode() if confine.readable([told], CLOUD_UP_S) else ""
    os.close(told)
    if not address:
        cloud.end()
        raise OSError("its cloud did not come up")
    return cloud, address


def _rehearse(
    cells: list[CodeCell],
    endpoint_url: str,
    work: Path,
    walls: Walls,
    allowed: Allowed,
    limit_s: float,
    cloud: Child,
    result: dict[str, Any],
) -> None:
    view = _view(work, "student", walls, allowed)
    heard, tell = os.pipe()
    printed, output = os.pipe()

    def run() -> None:
        rehearsal.at_home(view.home, endpoint_url)
        rehearsal.run(cells, rehearsal.teller(tell))

    limits = Limits(cpu_s=int(limit_s) + 1, memory_mb=allowed.memory_mb, file_mb=allowed.room_mb)
    child = confine.start(walls, view, limits, run, keep=[tell], output=output)
    for ours in (tell, output):
        os.close(ours)
    watch = _Watch(heard, printed, child, cloud, allowed.memory_mb, time.monotonic() + limit_s)
    try:
        stopped = watch.until_it_ends(limit_s)
    finally:
        child.end(spare=[cloud.waiter])
        os.close(heard)
        os.close(printed)
    result["errors"] = watch.errors
    result["output"] = watch.tail.decode("utf-8", "replace")
    if stopped:
        result["stopped"] = asdict(allowed)  # with other limits it is worth another run
        result["notes"].append(f"{stopped} in cell {watch.cell}; what its cloud held then was graded.")
    elif not watch.done:
        result["notes"].append(f"Its run ended by itself in cell {watch.cell}, before the last cell.")
    for error in watch.errors:
        if error["error"].startswith("does not parse"):
            result["notes"].append(f"Cell {error['cell']} {error['error']}.")


class _Watch:
    """Over one run: what it prints and says, what it uses."""

    def __init__(self, heard: int, printed: int, child: Child, cloud: Child, memory_mb: int, deadline: float) -> None:
        self._heard, self._printed, self._child, self._cloud = heard, printed, child, cloud
        self._memory_mb, self._deadline = memory_mb, deadline
        self.cell, self.done = 0, False
        self.errors: list[dict[str, Any]] = []
        self.tail = b""
        self._bytes = 0
        self._said = b""

    def until_it_ends(self, limit_s: float) -> str | None:
        """None when it ended by itself, else why it is to be stopped."""
        open_ = [self._heard, self._printed]
        looked = 0.0
        while open_:
            for descriptor in confine.readable(open_, LOOK_EVERY_S):
                data = os.read(descriptor, 1 << 16)
                if not data:
                    open_.remove(descriptor)
                elif descriptor == self._printed:
                    self._bytes += len(data)
                    self.tail = (self.tail + data)[-KEPT_OUTPUT_BYTES:]
                else:
                    self._listen(data)
            now = time.monotonic()
            if self.done or (self._child.ended() and not confine.readable(open_, 0)):
                return None
            if now > self._deadline:
                return f"It was stopped after {limit_s:g} s"
            if self._bytes > MOST_OUTPUT_BYTES:
                return f"It was stopped: it had printed more than {MOST_OUTPUT_BYTES // 1024**2} MB"
            if now - looked > LOOK_EVERY_S and (greedy := self._greedy()):
                return greedy
            if now - looked > LOOK_EVERY_S:
                looked = now
        return None

    def _greedy(self) -> str | None:
        for child, whose in ((self._child, "it"), (self._cloud, "what it started in its cloud")):
            processes = confine.tree(child.first)
            if confine.used_mb(processes, self._memory_mb) > self._memory_mb:
                return f"It was stopped: {whose} took more than {self._memory_mb:,} MB of memory"
            if len(processes) > MOST_PROCESSES:
                return f"It was stopped: {whose} had started more than {MOST_PROCESSES} processes"
        return None

    def _listen(self, data: bytes) -> None:
        """What the run says of itself, true or not: it only ever becomes a note."""
        *lines, self._said = (self._said + data)[-1_000_000:].split(b"\n")
        for line in lines:
            with suppress(ValueError, RecursionError, TypeError):
                said = json.loads(line)
                if isinstance(said.get("began"), int):
                    self.cell = said["began"]
                elif said.get("done") is True:
                    self.done = True
                elif "error" in said and len(self.errors) < SOME_NOTES:
                    self.errors.append({"cell": int(said["cell"]), "error": str(said["error"])[:300]})


def _check(slug: str, endpoint_url: str, work: Path) -> dict[str, Any]:
    """The checks' report, from a process that has seen nothing of the submission."""

    def look() -> dict[str, Any]:
        import boto3

        from labs.check import model
        from labs.check.labs import load

        environment._replace_environment(environment.local_environment(endpoint_url, home=work / "checks"))
        return model.as_json(model.run(load(slug), model.Account(boto3.Session())))

    return in_a_fork(look, CHECKS_S)


def in_a_fork(function: Callable[[], dict[str, Any]], timeout_s: float) -> dict[str, Any]:
    """What `function` returns, called in a fork of this process, which imports nothing and keeps nothing. Raises OSError."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(told)
            answer = json.dumps(function()).encode()
        except BaseException as failed:
            answer = json.dumps({"failed": f"{type(failed).__name__}: {failed}"}).encode()
        with suppress(OSError):
            while answer:
                answer = answer[os.write(tell, answer) :]
        os._exit(0)
    os.close(tell)
    deadline, said = time.monotonic() + timeout_s, b""
    while confine.readable([told], max(0.0, deadline - time.monotonic())):
        part = os.read(told, 1 << 16)
        if not part:
            break
        said += part
    os.close(told)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        raise OSError(f"its checks gave no result in {timeout_s:g} s") from None
    if "failed" in found:
        raise OSError(f"its checks failed ({found['failed']})")
    return found
