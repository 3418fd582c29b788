"""Bedrock targets that are made by hand: a whole life of each, nothing left of it, and what is refused before anything is created."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from labs import cloud, facts
from labs.cloud import environment, faults, server
from labs.cloud.state import ServerRecord
from labs.errors import Refusal
from labs.targets import Site, asking, batching, quota, removing, steps
from labs.targets.bedrock_batch import BedrockBatch, Record
from labs.targets.bedrock_custom_import import BedrockCustomImport
from labs.targets.bedrock_provisioned import QUOTAS, BedrockProvisioned
from labs.targets.handmade import Handmade


def suppressed(call: Callable[[], object]) -> Exception | None:
    """What it raised, if it did."""
    try:
        call()
    except Exception as failed:
        return failed
    return None


@pytest.fixture(scope="module", autouse=True)
def quick_cloud(local_cloud: ServerRecord, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cloud of its own, ten times as fast in its control plane, because a commitment stays in it for a month."""
    before, home = Path(os.environ["LAB_HOME"]), tmp_path_factory.mktemp("quick-home")
    record = server.start(home, port=0, time_scale=600, die_with_parent=True)
    environment.enter(record.endpoint_url, home=home)
    try:
        with pytest.raises(quota.TooSmall) as small:
            quota.require(quota.Need("bedrock", QUOTAS[False], 2))
        quota.request(small.value.need)
        quota.wait(small.value.need, patience_s=60)
        yield
    finally:
        environment.enter(local_cloud.endpoint_url, home=before)
        server.stop(home)


def test_it_answers_under_its_own_address_once_and_not_when_it_is_gone() -> None:
    target = BedrockProvisioned()
    site = Site(cloud.connect(), "life-units")
    target.deploy(site)
    held = steps.entries(site.cloud, site.name)
    assert asking.ask(target, site, "Name three rivers.", max_tokens=5).output_tokens == 5
    [statement] = target.statements(site)
    assert statement["Resource"] == [target.address(site).location]
    with pytest.raises(Refusal, match="is deployed already"):
        target.deploy(site)
    target.remove(site)
    assert steps.entries(site.cloud, site.name) == []
    assert not [entry for entry in held if removing.there(entry.kind, entry.name)]
    with pytest.raises(Refusal, match="is not deployed as"):
        target.address(site)


def test_a_batch_answers_every_record_and_says_what_it_cost() -> None:
    target, site = BedrockBatch(), Site(cloud.connect(), "life-batch")
    target.deploy(site)
    few = int(facts.number("bedrock.batch.records_min"))
    with pytest.raises(Refusal, match=f"at least {few} records"):
        target.run(site, [Record("only", "one")])
    assert boto3.client("bedrock").list_model_invocation_jobs()["invocationJobSummaries"] == []
    run = target.run(site, [Record(f"r{n}", f"Name river {n}.", 4) for n in range(few)])
    assert [answer.id for answer in run.answers] == [f"r{n}" for n in range(few)]
    assert run.answered == few
    assert run.bill.usd > 0
    with pytest.raises(Refusal, match="answers files"):
        asking.ask(target, site, "x", 1)
    target.remove(site)
    assert steps.entries(site.cloud, site.name) == []


def test_a_commitment_wants_its_total_named_and_then_cannot_be_ended() -> None:
    site = Site(cloud.connect(), "committed")
    unsure = BedrockProvisioned(term="1-month", usd_per_unit_hour=10)
    total = unsure.commitment_usd(site)
    assert total == 7300
    for wrong in (None, total - 1):
        with pytest.raises(Refusal, match=r"commit_usd=7300\.00"):
            BedrockProvisioned(term="1-month", usd_per_unit_hour=10, commit_usd=wrong).deploy(site)
    with pytest.raises(Refusal, match="usd_per_unit_hour=PRICE"):
        BedrockProvisioned(term="1-month", commit_usd=total).deploy(site)
    assert steps.entries(site.cloud, site.name) == []
    sure = BedrockProvisioned(term="1-month", usd_per_unit_hour=10, commit_usd=total)
    sure.deploy(site)
    with pytest.raises(Refusal, match="committed for OneMonth"):
        sure.remove(site)
    assert len(steps.entries(site.cloud, site.name)) == 1


@pytest.mark.parametrize("make", [BedrockCustomImport, BedrockBatch])
@pytest.mark.parametrize("k", [4, 9])
def test_a_call_that_fails_leaves_nothing_or_the_ledger_names_it(
    make: Callable[[], Handmade], k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    target, site = make(), Site(cloud.connect(), f"kth-{k}")
    with faults.inject("server-error", nth=k):
        failed = suppressed(lambda: target.deploy(site))
    assert failed is None or isinstance(failed, Refusal) or steps.entries(site.cloud, site.name) == []
    target.remove(site)
    assert steps.entries(site.cloud, site.name) == []


def test_jobs_are_divided_so_that_none_is_too_small() -> None:
    for waiting in range(0, 60):
        batches, rest = batching.divide(range(waiting), 4, 10)
        assert [*(n for batch in batches for n in batch), *rest] == list(range(waiting))
        assert all(4 <= len(batch) <= 10 for batch in batches)
        assert len(rest) < 4
