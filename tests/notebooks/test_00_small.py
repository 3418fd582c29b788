"""The kit for labs' tests, on the smallest lab there is; what it proves of this one it proves of every lab."""

import json

import boto3
import pytest
from click.testing import CliRunner

from labs.check import catchup, exchanges, replay_commands, student
from labs.check.commands import catch_up
from labs.check.labs import load
from labs.check.nursery import Nursery
from labs.errors import Refusal
from tests.notebooks import kit

NO_REDRIVE = kit.Wrong(
    "a queue that never gives up", cells={"redrive =": 'sqs.create_queue(QueueName="small-jobs")'}, fails={"queue"}
)

lab, test_the_checks = kit.proof(
    "00-small",
    NO_REDRIVE,
    kit.Wrong("gives up at once", edits={'"maxReceiveCount": 5': '"maxReceiveCount": 1'}, fails={"queue"}),
    kit.Wrong("the queue under another name", edits={'QueueName="small-jobs"': 'QueueName="jobs"'}, fails={"queue"}),
    kit.Wrong("a key of two parts", edits={'["job_id"]': '["job_id", "owner"]'}, fails={"table"}, after=()),
    kit.Wrong("no table, and an exception", cells={"BillingMode": "raise ValueError('no')"}, fails={"table"}),
    quick=99,
)


def test_names_and_leftovers_of_the_solution_are_there_to_look_at(lab: kit.Solved) -> None:
    assert lab["redrive"]["maxReceiveCount"] == 5
    assert [result.id for result in lab.results] == ["queue", "table"]
    assert lab.left == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            kit.Wrong("no mistake at all", edits={'"maxReceiveCount": 5': '"maxReceiveCount": 6'}, fails={"queue"}),
            "should fail",
        ),
        (
            kit.Wrong("seen by another check", edits={'"maxReceiveCount": 5': '"maxReceiveCount": 1'}, fails={"table"}),
            "should fail",
        ),
        (kit.Wrong("in no cell", edits={"no such text": ""}, fails={"queue"}), "stands in 0 solution cells"),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_the_proof_refuses(wrong: kit.Wrong, said: str, nursery: Nursery, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with kit.new_cloud(nursery, tmp_path), pytest.raises(AssertionError, match=said):
        kit.fails_exactly(kit.find("00-small"), load("00-small"), wrong)


def test_a_lab_with_three_wrong_solutions_is_refused() -> None:
    with pytest.raises(AssertionError, match="needs 4"):
        kit.proof("00-small", NO_REDRIVE)


def test_catch_up_makes_what_a_task_starts_from(nursery: Nursery, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(student, "NOTEBOOKS", kit.HERE)
    with kit.new_cloud(nursery, tmp_path):
        done = CliRunner().invoke(
            catch_up, ["00", "--task", "2", "--json"], standalone_mode=False, catch_exceptions=False
        )
        assert json.loads(done.stdout)["cells"] == 5  # the preamble's two, and Task 1 with its solution
        assert [queue.rpartition("/")[2] for queue in boto3.client("sqs").list_queues()["QueueUrls"]] == [
            "small-dead",
            "small-jobs",
        ]
        assert boto3.client("dynamodb").list_tables()["TableNames"] == []
        names: dict[str, object] = {}
        catchup.catch_up("00-small", 1, names)
        assert "sqs" in names
        assert "redrive" not in names
        with pytest.raises(Refusal, match="has no task 9; it has 1, 2"):
            catchup.catch_up("00-small", 9, {})


def test_a_cell_that_fails_while_catching_up_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    broken = tmp_path / "00-small.md"
    broken.write_text(
        kit.find("00-small").read_text().replace("from labs import cloud\n", "raise OSError('the disk')\n")
    )
    with pytest.raises(Refusal, match=r"cell 1 of 00-small.md \(task 0\) failed: OSError: the disk"):
        catchup.catch_up("00-small", 2, {}, path=broken)


def test_a_lab_is_recorded_as_far_as_a_task(nursery: Nursery, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(student, "NOTEBOOKS", kit.HERE)
    with kit.new_cloud(nursery, tmp_path / "home"):
        file = tmp_path / "run.jsonl"
        CliRunner().invoke(
            replay_commands.record, ["00", str(file), "--task", "2"], standalone_mode=False, catch_exceptions=False
        )
        operations = {said["operation"] for said in exchanges.read(file)}
        assert operations == {"sqs.CreateQueue", "sqs.GetQueueAttributes"}
        assert {said["cloud"] for said in exchanges.read(file)} == {exchanges.LOCAL}
