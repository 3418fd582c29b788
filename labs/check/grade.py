"""A class: every submission in a folder graded, several at a time, each in a process tree and a cloud of its own.

    for result in grade.run(folder, Plan(workers=2)): ...

This process imports everything that a cloud and a notebook need, once; each submission is then a fork of it. Results are kept in
`_grades/` in the folder, one file each; what has one, of the same bytes and the same checks, is not run again.
"""

import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labs.check import confine, nursery, rehearsal, submissions, supervise
from labs.check.confine import Walls
from labs.check.submissions import Submission
from labs.check.supervise import Allowed, Layout
from labs.errors import USAGE, Refusal
from labs.spread import cluster

RESULTS = "_grades"
SPARE_S = 300.0
"""A supervisor that has not ended so long after its submission had to is taken for dead."""


@dataclass(frozen=True)
class Plan:
    """How to grade."""

    workers: int = 1
    lab: str | None = None
    """The lab of notebooks that do not say theirs."""
    again: bool = False
    """Run those too that have a result."""
    sources: Path | None = None
    """Where the labs' own notebooks are, if elsewhere."""
    allowed: Allowed = field(default_factory=Allowed)
    scheduler: str | None = None
    """Of Dask: its workers grade in the place of this machine."""


def layouts(sources: Path | None) -> dict[str, Layout]:
    """Every lab that has checks. They are imported in a fork: none of them may be in the memory that submissions are forked from."""

    def look() -> dict[str, Any]:
        from labs.check import labs, student

        found = {}
        for slug, module in labs.known().items():
            lab = labs.load(slug)
            version = hashlib.sha256()
            for path in (Path(labs.__path__[0]) / f"{module}.py", *sorted(Path(__file__).parent.glob("*.py"))):
                version.update(path.read_bytes())
            about: dict[str, Any] = {
                "slug": slug,
                "time_limit_s": lab.time_limit_s,
                "max": sum(check.points for task in lab.tasks for check in task.checks),
                "checks": {check.id: task.title for task in lab.tasks for check in task.checks},
                "tasks": {str(task.number): task.title for task in lab.tasks},
                "version": version.hexdigest()[:16],
            }
            if (path := (sources or student.NOTEBOOKS) / f"{slug}.md").exists():
                copy = submissions.read(student.render(path).encode())
                filled_in = {
                    cell["id"]
                    for cell in student.copy_of(path.read_text("utf-8"), slug).cells
                    if "exercise" in cell.metadata.get("tags", [])
                }
                about["cells"] = {cell.id: cell.task for cell in copy.cells if cell.id in filled_in}
                about["clean_up"] = [text for cell in copy.cells if cell.clean_up for text in (cell.id, cell.source)]
                about["blank"] = copy.digest
            found[slug] = about
        return found

    return {slug: Layout(**about) for slug, about in supervise.in_a_fork(look, 120).items()}


def run(folder: Path, plan: Plan) -> Generator[dict[str, Any], None, None]:
    """The results, each as soon as it is there; closing the iterator stops what is under way.

    Raises Refusal where `plan` names a scheduler that is not there, or that has no worker of this make.
    """
    if plan.scheduler is not None:
        cluster.reach(plan.scheduler)  # before the seconds that the labs take to be looked at
    known = layouts(plan.sources)
    found = submissions.find(folder)
    waiting: list[Submission] = []
    for submission in found:
        kept = None if plan.again else _kept(folder, submission, known, plan.allowed)
        if kept is None:
            waiting.append(submission)
        else:
            yield kept | {"kept": True}
    with closing(_all(waiting, known, plan) if plan.scheduler is None else _elsewhere(waiting, known, plan)) as coming:
        for result in coming:
            _keep(folder, result)
            yield result


def _elsewhere(
    waiting: list[Submission], known: dict[str, Layout], plan: Plan
) -> Generator[dict[str, Any], None, None]:
    """The results of these from the workers of a scheduler."""
    if waiting:
        from labs.check.spreading import spread

        yield from spread(waiting, known, plan)


def one(path: Path, plan: Plan) -> dict[str, Any]:
    """The result of one notebook or zip file, which is kept nowhere. Raises Refusal when a zip file holds several notebooks."""
    found = submissions.found_at(path, path.name)
    if len(found) != 1:
        raise Refusal(f"{path.name} holds {len(found)} notebooks; 'lab grade' takes a folder of them", USAGE)
    return next(_all(found, layouts(plan.sources), plan))


def _all(waiting: list[Submission], known: dict[str, Layout], plan: Plan) -> Generator[dict[str, Any], None, None]:
    """The results of these, several at a time."""
    if not waiting:
        return
    walls = confine.available()
    if any(submission.problem is None for submission in waiting):
        nursery.prepare()
        rehearsal.prepare()
        nursery.hold_still()
    running: dict[int, Running] = {}
    scratch = Path(tempfile.mkdtemp(prefix="lab-grade-"))
    try:
        while waiting or running:
            while waiting and len(running) < plan.workers:
                started = Running(waiting.pop(0), known, plan, walls, scratch)
                running[started.heard] = started
            for descriptor in confine.readable([*running], 1.0):
                if running[descriptor].listen():
                    yield running.pop(descriptor).result()
            for descriptor in [each for each in running if running[each].is_overdue()]:
                yield running.pop(descriptor).result()
    finally:
        for started in running.values():
            started.stop()
        shutil.rmtree(scratch, ignore_errors=True)


class Running:
    """A supervisor at work on one submission."""

    def __init__(
        self, submission: Submission, known: dict[str, Layout], plan: Plan, walls: Walls, scratch: Path
    ) -> None:
        self._submission = submission
        longest_s = plan.allowed.time_limit_s or max(layout.time_limit_s for layout in known.values())
        self._overdue_at = time.monotonic() + longest_s + SPARE_S
        self._said = b""
        self.heard, tell = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(self.heard)
                confine._die_with_parent()
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends us
                os.setsid()
                said = json.dumps(supervise.grade(submission, known, plan.lab, walls, plan.allowed, scratch)).encode()
                while said:
                    said = said[os.write(tell, said) :]
                os._exit(0)
            finally:
                os._exit(70)
        os.close(tell)

    def listen(self) -> bool:
        """Take what it says; True when that was all."""
        part = os.read(self.heard, 1 << 16)
        self._said += part
        return not part

    def is_overdue(self) -> bool:
        """Should it have ended long ago?"""
        return time.monotonic() > self._overdue_at

    def result(self) -> dict[str, Any]:
        """What it found; a result that says so when it found nothing."""
        self.stop()
        with suppress(ValueError):
            found: dict[str, Any] = json.loads(self._said)
            return found
        return not_graded(
            self._submission, "It was not graded: its supervisor ended without a result. Run the command again."
        )

    def stop(self) -> None:
        """End it, and with it all that it started."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        with suppress(OSError):
            os.close(self.heard)


def not_graded(submission: Submission, problem: str) -> dict[str, Any]:
    """The result of one that there is no result of; it is not kept, so that the next run tries it again."""
    return {
        "submission": submission.name,
        "student": submission.student,
        "lab": None,
        "problem": problem,
        "again": True,
        "score": 0.0,
        "max": 0.0,
        "checks": [],
        "notes": [],
        "errors": [],
    }


def _place(folder: Path, name: str) -> Path:
    readable = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)[-80:]
    return folder / RESULTS / f"{readable}.{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}.json"


def _keep(folder: Path, result: dict[str, Any]) -> None:
    if result.get("again"):
        return
    path = _place(folder, result["submission"])
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    draft.replace(path)


def _kept(folder: Path, submission: Submission, known: dict[str, Layout], allowed: Allowed) -> dict[str, Any] | None:
    """The result of an earlier run, if it is of these bytes and of these checks, and was not cut short by other limits."""
    try:
        found: dict[str, Any] = json.loads(_place(folder, submission.name).read_text("utf-8"))
        if "sha256" not in found or known[found["lab"]].version != found["version"]:
            return None
        if found.get("stopped", asdict(allowed)) != asdict(allowed):
            return None
        if hashlib.sha256(submissions.content(submission)).hexdigest() != found["sha256"]:
            return None
    except (OSError, ValueError, KeyError, submissions.Unreadable):
        return None
    return found


def name_twins(results: list[dict[str, Any]]) -> None:
    """Note in each result whose code, cell for cell, is also somebody else's; a blank copy is nobody's."""
    by_code: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if result.get("code") and not any("as it was handed out" in note for note in result["notes"]):
            by_code.setdefault(result["code"], []).append(result)
    for twins in by_code.values():
        for result in twins:
            for other in twins:
                if other is not result:
                    note = f"Its code is the same as that of {other['submission']}."
                    if note not in result["notes"]:
                        result["notes"].append(note)


if __name__ == "__main__":
    # `python -m labs.check.grade SLUG FILE`: one result as JSON, for `lab check --submission`.
    try:
        print(json.dumps(one(Path(sys.argv[2]), Plan(lab=sys.argv[1]))))
    except Refusal as refusal:
        print(json.dumps({"problem": str(refusal), "notes": [], "checks": [], "score": 0.0, "max": 0.0}))
