"""What the test of a lab needs: its cells run against a new cloud, and the proof that its checks see what they should.

    from tests.notebooks import kit

    lab, test_the_checks = kit.proof(
        "05-economics",
        kit.Wrong("forgot the output tokens", cells={"month_usd =": "month_usd = input_usd"}, fails={"whole-bill"}),
        kit.Wrong("a year for a month", edits={"* 730": "* 8760"}, fails={"whole-bill"}),
        ...
    )

    def test_more(lab: kit.Solved) -> None:
        assert lab["break_even"] > 0

`test_the_checks` is one test for each of: the solution has full marks and leaves nothing behind; a student's blank copy fails every check
with a sentence that helps; each wrong solution fails exactly the checks that are meant for it. Each has a cloud of its own, new and empty.
Cells run in this process with `exec`, so no magics in labs; `check(...)` in a notebook is silent here, because the proof itself runs the checks.
"""

import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from labs.check import model, source, student
from labs.check.feedback import GRADING
from labs.check.labs import load
from labs.check.nursery import Nursery
from labs.check.source import Cell
from labs.cloud import environment, server

HERE = Path(__file__).parent
FEWEST_WRONG = 4


@dataclass(frozen=True)
class Wrong:
    """A wrong solution: what somebody believes who writes it, and the checks that must see it."""

    name: str
    fails: set[str]
    """Ids of checks; those that give part of their points count as failed."""
    cells: Mapping[str, str] = field(default_factory=dict)
    """Text that stands in one solution cell alone: what the whole cell is instead."""
    edits: Mapping[str, str] = field(default_factory=dict)
    """Text that stands in one solution cell alone: what that text is instead."""
    after: Sequence[int] | None = None
    """The tasks that are done rightly before, where not all earlier ones are needed: it saves their time."""
    slow: bool = False
    """Left to `make soak`: for one that takes half a minute."""


@dataclass
class Solved:
    """The lab after its last cell, with all solutions in."""

    names: dict[str, Any] = field(default_factory=dict)
    results: list[model.Result] = field(default_factory=list)
    looked: Any = None
    """What `look` returned before the clean-up."""
    left: list[str] = field(default_factory=list)
    """What the clean-up left in the cloud."""

    def __getitem__(self, name: str) -> Any:
        return self.names[name]


def proof(
    slug: str,
    *wrong: Wrong,
    look: Callable[[dict[str, Any]], Any] | None = None,
    twice: Sequence[str] = (),
    time_scale: float = server.DEFAULT_TIME_SCALE,
    timeout_s: float = 300,
    slow_blank: bool = False,
    quick: int = 2,
) -> tuple[Any, Any]:
    """A fixture named `lab` and a parametrised test, for a test module to keep as two of its names.

    `look` is called with the notebook's names before its clean-up. `twice`: beginnings of cells that are run a second time at once, since
    any cell may be (the first and the clean-up are anyway). `timeout_s` is for the whole lab, and again for each wrong solution.
    `slow_blank` leaves the blank copy to `make soak`: for a lab whose given cells take half a minute. Of the wrong solutions the first
    `quick` that are not `slow` are in `make test`, the others in `make soak`.
    """
    path = find(slug)
    brief = [each.name for each in wrong if not each.slow][:quick]
    names = [each.name for each in wrong]
    assert len(set(names)) == len(names) >= FEWEST_WRONG, f"{slug} needs {FEWEST_WRONG} wrong solutions with names"
    graded = load(slug)
    known = {check.id for task in graded.tasks for check in task.checks}
    for each in wrong:
        assert each.fails, f"'{each.name}' fails no check: what is wrong with it?"
        assert each.fails <= known, f"'{each.name}' is to fail {each.fails - known}; the lab has {known}"

    @pytest.fixture(scope="module", name="lab")
    def lab(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Solved]:
        with new_cloud(nursery, tmp_path_factory.mktemp(slug), time_scale):
            yield solve(path, graded, look, twice)

    @pytest.mark.timeout(timeout_s)
    @pytest.mark.parametrize(
        "solution",
        [
            "ours",
            pytest.param("none", marks=[pytest.mark.soak] * slow_blank),
            *(pytest.param(each, marks=[pytest.mark.soak] * (each.name not in brief), id=each.name) for each in wrong),
        ],
    )
    def test_the_checks(
        solution: "str | Wrong",
        request: pytest.FixtureRequest,
        nursery: Nursery,
        tmp_path: Path,
    ) -> None:
        if solution == "ours":
            solved: Solved = request.getfixturevalue("lab")
            short = [f"{result.id}: {result.message}" for result in solved.results if not result.passed]
            assert not short, "\n".join(["our own solution does not have full marks", *short])
            assert solved.left == [], f"the clean-up leaves something in the cloud: {solved.left}"
            return
        with new_cloud(nursery, tmp_path / "home", time_scale):
            if isinstance(solution, Wrong):
                fails_exactly(path, graded, solution)
            else:
                blank_fails_everything(path, graded, tmp_path)

    return lab, test_the_checks


def find(slug: str) -> Path:
    """A lab's source; `00-small` lies beside this file."""
    return HERE / f"{slug}.md" if (HERE / f"{slug}.md").exists() else student.find(slug)


@contextmanager
def new_cloud(nursery: Nursery, home: Path, time_scale: float = server.DEFAULT_TIME_SCALE) -> Iterator[None]:
    """A cloud that nobody has used, which this process's environment points to while it lasts."""
    before, entered = dict(os.environ), environment._before
    record = nursery.cloud(home, time_scale)
    try:
        environment.enter(record.endpoint_url, home=home)
        os.environ[GRADING] = "1"
        yield
    finally:
        environment.leave()
        if entered is not None:  # the cloud that this process's other tests share
            environment._before, environment._only_loopback = entered, True
        environment._replace_environment(before)
        server.stop(home)


def solve(path: Path, lab: model.Lab, look: Callable[[dict[str, Any]], Any] | None, twice: Sequence[str]) -> Solved:
    """Every cell in order, with all solutions; the checks before the clean-up. A cell that raises fails the test."""
    done = Solved()
    cells = source.cells(path)
    for number, cell in enumerate(cells):
        if cell.is_clean_up:
            continue
        run(cell, path, done.names)
        if number == 0 or cell.source.startswith(tuple(twice)):
            run(cell, path, done.names)
    done.results = model.run(lab, model.Account())
    done.looked = look(done.names) if look else None
    for _ in range(2):
        for cell in cells:
            if cell.is_clean_up:
                run(cell, path, done.names)
    done.left = leftovers()
    return done


def run(cell: Cell, path: Path, names: dict[str, Any]) -> None:
    """Run one cell among these names."""
    names.setdefault("__name__", "__main__")
    exec(compile(cell.source, f"{path.name}, cell {cell.number}", "exec"), names)


def run_all(cells: Sequence[Cell], path: Path) -> str:
    """Run cells as a grader does: one that raises does not stop the next. Returns what was raised."""
    names: dict[str, Any] = {}
    raised = []
    for cell in cells:
        try:
            run(cell, path, names)
        except Exception:  # what a student's cell raises is part of the run
            raised.append(f"cell {cell.number}: {traceback.format_exc(limit=-1)}")
    return "\n".join(raised)


def fails_exactly(path: Path, lab: model.Lab, wrong: Wrong) -> None:
    """Assert that this wrong solution fails the checks that are meant for it and no other."""
    cells = source.cells(path)
    places = [_place(cells, text, wrong.name) for text in (*wrong.cells, *wrong.edits)]
    if not places:
        raise AssertionError(f"'{wrong.name}' changes no cell")
    changed = dict(enumerate(cells))
    for place, new in zip(places, wrong.cells.values(), strict=False):
        changed[place] = _with(cells[place], new)
    for place, (old, new) in zip(places[len(wrong.cells) :], wrong.edits.items(), strict=True):
        changed[place] = _with(changed[place], changed[place].source.replace(old, new))
    touched = {cells[place].task for place in places}
    after = range(1, max(touched)) if wrong.after is None else wrong.after
    tasks = sorted({*after, *touched})
    raised = run_all(source.part(changed.values(), tasks), path)
    results = [result for task in tasks for result in model.run(lab, model.Account(), task)]
    failed = {result.id for result in results if not result.passed}
    said = "\n".join(f"{result.id} {result.credit:g}: {result.message}" for result in results)
    assert failed == wrong.fails, f"'{wrong.name}' should fail {wrong.fails} and fails {failed}\n{said}\n{raised}"
    for result in results:
        if not result.passed:
            assert unhelpful(result.message) is None, f"{result.id} {unhelpful(result.message)}: {result.message}"


def _place(cells: Sequence[Cell], text: str, name: str) -> int:
    found = [place for place, cell in enumerate(cells) if cell.is_solution and text in cell.source]
    assert len(found) == 1, f"'{name}': '{text}' stands in {len(found)} solution cells, not in one"
    return found[0]


def _with(cell: Cell, text: str) -> Cell:
    return Cell(cell.number, cell.task, cell.tags, text)


def blank_fails_everything(path: Path, lab: model.Lab, folder: Path) -> None:
    """Assert that a student's copy, run as it is handed out, earns nothing and is told why."""
    copy = folder / f"{path.stem}.ipynb"
    student.write(path, copy)
    cells = [cell for cell in source.cells(copy) if not cell.is_clean_up]
    raised = run_all(cells, copy)
    results = model.run(lab, model.Account())
    earned = [f"{result.id} {result.credit:g}: {result.message}" for result in results if result.credit > 0]
    assert not earned, "\n".join(["a blank copy earns points", *earned, raised])
    wanting = {result.id: said for result in results if (said := unhelpful(result.message))}
    assert not wanting, {result.id: result.message for result in results}


def unhelpful(message: str) -> str | None:
    """Why a message helps nobody; None for one that may."""
    if re.match(r"The check could not look|What stands in the account is not in the shape", message):
        return "was surprised; say what is missing and what to do"
    if len(message) < 40:
        return "says too little"
    if message.rstrip()[-1] not in ".?!":
        return "does not end its sentence"
    return None


LISTINGS = (
    ("cloudformation", "list_stacks", "StackSummaries", "StackName"),
    ("sqs", "list_queues", "QueueUrls", ""),
    ("dynamodb", "list_tables", "TableNames", ""),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    ("sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    ("sagemaker", "list_models", "Models", "ModelName"),
    ("bedrock", "list_imported_models", "modelSummaries", "modelName"),
    ("bedrock", "list_provisioned_model_throughputs", "provisionedModelSummaries", "provisionedModelName"),
    ("application-autoscaling", "sagemaker", "ScalableTargets", "ResourceId"),
)
"""Service, operation, where its answer has a list, and the name in an entry: what costs money or stands in the way when it is left."""


def leftovers() -> list[str]:
    """What there is in the cloud."""
    found = []
    clients: dict[str, Any] = {}
    for service, operation, list_, name in LISTINGS:
        client = clients.setdefault(service, boto3.client(service))  # type: ignore[call-overload]
        if service == "application-autoscaling":
            answer = client.describe_scalable_targets(ServiceNamespace=operation)
        else:
            answer = getattr(client, operation)()
        for entry in answer.get(list_, []):
            if not (isinstance(entry, dict) and "DELETE_COMPLETE" in entry.values()):
                found.append(f"{service}: {entry[name] if name else entry}")
    return [each for each in found if not each.startswith("ssm: /aws/")]  # AWS's own, which everybody sees
