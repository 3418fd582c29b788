"""The ledger remembers what may exist, per cloud, until a look has shown that it does not."""

import threading
from pathlib import Path

import pytest

from labs.cloud import Cloud
from labs.targets import ledger
from labs.targets.ledger import Entry

HERE = Cloud("http://127.0.0.1:4580", "us-east-1", "123456789012")
ELSEWHERE = Cloud(None, "eu-west-1", "111122223333", real=True)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))


def entry(name: str, cloud: Cloud = HERE, kind: str = "stack") -> Entry:
    return Entry(
        kind, name, cloud.account_id, cloud.region, cloud.real, "2026-11-22T10:00:00+00:00", "2026-11-23T10:00Z"
    )


def test_what_was_entered_is_there_until_it_is_struck_out() -> None:
    ledger.enter(entry("squid"))
    ledger.enter(entry("code", kind="bucket"))
    assert [e.name for e in ledger.entries(HERE)] == ["squid", "code"]
    assert [e.name for e in ledger.entries(HERE, "bucket")] == ["code"]
    ledger.strike(HERE, "stack", "squid")
    ledger.strike(HERE, "stack", "squid")
    assert [e.name for e in ledger.entries(HERE)] == ["code"]


def test_a_resource_is_entered_once_however_often_it_is_tried() -> None:
    ledger.enter(entry("squid"))
    ledger.enter(entry("squid"))
    assert len(ledger.entries(HERE)) == 1


def test_clouds_are_kept_apart() -> None:
    ledger.enter(entry("squid", HERE))
    ledger.enter(entry("squid", ELSEWHERE))
    ledger.strike(HERE, "stack", "squid")
    assert ledger.entries(HERE) == []
    assert len(ledger.entries(ELSEWHERE)) == 1


def test_nothing_is_lost_when_many_write_at_once() -> None:
    threads = [threading.Thread(target=ledger.enter, args=(entry(f"s{n}"),)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.entries(HERE)) == 20
