"""Checks over an account: what is there counts, in part where it is there in part, and a missing thing gets a sentence."""

import json

import boto3
import pytest

from labs.check import model
from labs.check.labs import load
from labs.check.labs import small_00 as small
from labs.cloud.context import Context
from labs.errors import Refusal

pytestmark = pytest.mark.usefixtures("in_process_cloud")


def report(task: int | None = None) -> dict[str, model.Result]:
    return {result.id: result for result in model.run(load("00"), model.Account(), task)}


def make_queue(receives: int | None) -> None:
    sqs = boto3.client("sqs")
    attributes = {}
    if receives is not None:
        dead = sqs.create_queue(QueueName="small-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        attributes = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})}
    sqs.create_queue(QueueName=small.QUEUE, Attributes=attributes)


def test_an_empty_account_fails_every_check_with_what_to_do() -> None:
    for result in report().values():
        assert result.score == 0
        assert "Create it" in result.message


@pytest.mark.parametrize(("receives", "credit"), [(None, 0.0), (1, 0.5), (5, 1.0)])
def test_a_queue_earns_what_it_has(receives: int | None, credit: float) -> None:
    make_queue(receives)
    assert report(1)["queue"].credit == credit


def test_another_task_does_not_suffer() -> None:
    make_queue(None)
    boto3.client("dynamodb").create_table(
        TableName=small.TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "job_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
    )
    assert {name: result.passed for name, result in report().items()} == {"queue": False, "table": True}


def test_an_unknown_task_and_an_unknown_lab_are_refused(in_process_cloud: Context) -> None:  # noqa: ARG001
    with pytest.raises(Refusal, match="no task 9"):
        report(9)
    with pytest.raises(Refusal, match="no checks for a lab"):
        load("99")


def test_lab_6_without_its_stack_fails_every_check_with_a_sentence() -> None:
    results = model.run(load("06"), model.Account())
    assert {result.score for result in results} == {0}
    assert all(len(result.message) > 40 for result in results)
