"""The policy of the queue allows what its life was seen to call, and so does the reaper's; CloudFormation's own calls are seen as well."""

from pathlib import Path

import pytest

from labs.squid import deploy
from labs.squid.client import Squid
from labs.squid.policy_command import Pattern
from labs.squid.spending import Money
from labs.targets import permissions, standing
from labs.targets.bedrock_on_demand import BedrockOnDemand
from labs.targets.reaper import deploying
from tests.labs.targets import own_kit

OF_THE_MODEL = {"bedrock-runtime.Converse"}
"""Allowed by the policy of the target behind the queue."""


def test_what_the_life_of_the_queue_and_of_the_reaper_calls_is_in_their_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labs.targets.leftovers.PATIENCE_S", 1.0)
    with permissions.recording() as calls, own_kit.quick_cloud(tmp_path):
        site = own_kit.site("queued")
        where = site.cloud
        deploying.ensure(where, len)
        reaping = set(calls)
        deploy.deploy(where, BedrockOnDemand(), "queued", {"ReservedConcurrency": "4"}, tell=len)
        squid = Squid("queued")
        job_id = squid.submit("Why?")
        squid.cancel(job_id)
        assert [answer.job_id for answer in squid.results([job_id], timeout_s=30)] == [job_id]
        squid._sqs.send_message(QueueUrl=squid.dead_letter_queue_url, MessageBody="{}")
        squid.redrive()
        Money(squid, where, 1.0).look()
        assert standing.remove(where, "queued", len) == []
        in_life = set(calls)
        calls.clear()
        assert deploying.remove_if_last(where, len) == []
    assert {"apigatewayv2.CreateApi", "appsync.CreateApi", "dynamodb.Scan", "lambda.PutFunctionConcurrency"} <= in_life
    assert "scheduler.CreateSchedule" in reaping
    assert permissions.missing(reaping | calls, deploying.Reaper(), site) == set()
    beside = reaping | OF_THE_MODEL
    assert permissions.missing(in_life - beside, Pattern(), site) == set()
