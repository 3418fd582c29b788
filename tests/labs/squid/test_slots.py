"""A tenant has so many jobs with the model and no more; a worker that dies gives its slot back in time; nobody is given up for waiting."""

from types import ModuleType

import pytest

from labs.squid.functions.slots import Slots
from tests.labs.squid.conftest import MAX_RECEIVES, Line

NOW = 1_000_000


@pytest.fixture
def slots(line: Line) -> Slots:
    return Slots(line.dynamodb, "desk", most=2)


@pytest.fixture
def worker(line: Line) -> ModuleType:
    return line.new_worker()


def test_so_many_and_no_more(slots: Slots) -> None:
    assert slots.take("acme", "a", NOW + 10, NOW)
    assert slots.take("acme", "b", NOW + 10, NOW)
    assert not slots.take("acme", "c", NOW + 10, NOW)
    assert slots.take("globex", "c", NOW + 10, NOW), "another tenant has its own"
    slots.give_back("acme", "a")
    assert slots.take("acme", "c", NOW + 10, NOW)


def test_the_slot_of_a_worker_that_is_gone_goes_to_the_next(slots: Slots) -> None:
    slots.take("acme", "killed", NOW + 10, NOW)
    slots.take("acme", "alive", NOW + 90, NOW)
    assert not slots.take("acme", "next", NOW + 60, NOW + 10), "its time is not over yet"
    assert slots.take("acme", "next", NOW + 60, NOW + 11)
    slots.give_back("acme", "killed")  # it was only slow
    assert not slots.take("acme", "more", NOW + 60, NOW + 12), "a slot that was taken over is not given back twice"


def test_the_same_delivery_twice_takes_one_slot(slots: Slots) -> None:
    for _ in range(2):
        assert slots.take("acme", "a", NOW + 10, NOW)
    assert slots.take("acme", "b", NOW + 10, NOW)


def test_a_job_that_waits_for_its_tenants_slot_uses_no_delivery_up(line: Line, worker: ModuleType) -> None:
    busy_until = worker.table.now_ms() + 60_000
    for lease in ("one", "two"):
        worker.slots.take("acme", lease, busy_until, worker.table.now_ms())
    line.send({"job_id": "j1", "prompt": "Why a queue?", "tenant": "acme"})
    line.send({"job_id": "j2", "prompt": "Why a table?", "tenant": "globex"})
    for times in range(1, MAX_RECEIVES + 3):
        event = line.receive()
        assert event is not None, "it comes again, however often"
        assert line.handle(worker, event) == []
        [message] = [each for each in event["Records"] if "j1" in each["body"]]
        counted = message["messageAttributes"].get("Deferred", {"stringValue": "0"})["stringValue"]
        assert int(counted) == times - 1, "so that its pauses grow"
    assert line.item("j1") == {}, "it was not even claimed"
    assert line.item("j2")["status"] == "DONE", "another tenant's job did not wait"
    worker.slots.give_back("acme", "one")
    event = line.receive()
    assert event is not None
    assert line.handle(worker, event) == []
    assert line.item("j1")["status"] == "DONE"
    assert worker.slots.take("acme", "three", busy_until, worker.table.now_ms()), "the job's own slot is free again"


def test_a_tenants_slot_is_free_after_a_failure_too(line: Line, worker: ModuleType) -> None:
    from tests.labs.squid.conftest import model_error

    line.model.script = [model_error("ValidationException", 400), model_error("ThrottlingException", 429)]
    for n in range(2):
        line.send({"job_id": f"j{n}", "prompt": "Why a queue?", "tenant": "acme"})
        event = line.receive(most=1)
        assert event is not None
        line.handle(worker, event)
    leases = line.dynamodb.get_item(TableName="desk", Key={"id": {"S": "tenant/acme"}})["Item"]["leases"]["M"]
    assert leases == {}
