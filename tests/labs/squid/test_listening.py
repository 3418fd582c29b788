"""Partial answers: spoken ten times a second at most, heard in order, and never needed."""

import json
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.squid.functions import push
from labs.squid.listening import Ear, Line, Place
from tests.labs.squid import conftest


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []

    def post(self: push.Push, body: bytes) -> None:
        del self
        published = json.loads(body)
        assert published["channel"] == "/jobs/j1"
        events.extend(json.loads(event) for event in published["events"])

    monkeypatch.setattr(push.Push, "_post", post)
    return events


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(push, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def test_pieces_go_out_together_ten_times_a_second_and_the_rest_with_the_end(
    sent: list[dict[str, Any]], clock: SimpleNamespace
) -> None:
    voice = push.Push("https://host/event", "us-east-1", "j1", attempt=2)
    for n in range(100):
        voice.hear(f"{n} ")
        clock.s += 0.02
    voice.end("DONE")
    assert "".join(event["text"] for event in sent) == "".join(f"{n} " for n in range(100))
    assert len(sent) <= 2.0 / push.LEAST_APART_S + 2
    assert [event["seq"] for event in sent] == list(range(len(sent)))
    assert {event["attempt"] for event in sent} == {2}
    assert sent[-1]["status"] == "DONE"
    assert not any("status" in event for event in sent[:-1])


def test_a_voice_that_fails_twice_falls_silent_and_the_answer_goes_on(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[bytes] = []

    def refuse(self: push.Push, body: bytes) -> None:
        del self
        tries.append(body)
        raise OSError("unreachable")

    monkeypatch.setattr(push.Push, "_post", refuse)
    voice = push.Push("https://host/event", "us-east-1", "j1", attempt=1)
    for _ in range(10):
        voice.hear("x")
        clock.s += 1
    voice.end("DONE")
    assert len(tries) == push.FAILURES_BORNE


def test_a_stack_that_pushes_nothing_says_nothing(sent: list[dict[str, Any]]) -> None:
    voice = push.Push("", "us-east-1", "j1", attempt=1)
    voice.hear("x")
    voice.end("DONE")
    assert sent == []


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", ""),
        ("abc.appsync-api.eu-west-1.amazonaws.com", "https://abc.appsync-api.eu-west-1.amazonaws.com/event"),
        ("127.0.0.1:4001", "http://127.0.0.1:4001/event"),
        ("127.evil.example", "http://127.evil.example/event"),
    ],
)
def test_only_loopback_is_spoken_to_without_tls(host: str, url: str) -> None:
    assert push.url_of(host) == url


def test_a_worker_speaks_while_it_listens_and_says_how_it_ended(
    line: conftest.Line, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "LEAST_APART_S", 0.0)
    worker = line.new_worker()
    vars(worker).update(EVENTS_URL="https://host/event")
    line.model.script = [conftest.model_error("ThrottlingException", 429)]
    line.send({"job_id": "j1", "prompt": "Why a queue?"})
    for _ in range(2):
        event = line.receive()
        assert event is not None
        line.handle(worker, event)
    assert [(event["attempt"], event.get("status")) for event in sent if "status" in event] == [
        (1, "QUEUED"),
        (2, "DONE"),
    ]
    assert "".join(event["text"] for event in sent if event["attempt"] == 2) == line.model.reply


PIECES = [{"attempt": 1, "seq": n, "text": f"{n} "} for n in range(8)]


@given(st.integers())
def test_whatever_the_order_and_however_often_each_piece_is_shown_once_in_order(seed: int) -> None:
    chance = random.Random(seed)
    events = [*PIECES, *chance.choices(PIECES, k=5)]
    chance.shuffle(events)
    line = Line()
    assert [each["seq"] for event in events for each in line.take(event)] == list(range(8))


def test_nothing_is_shown_after_a_gap_and_a_later_attempt_begins_anew() -> None:
    line = Line()
    assert [len(line.take(PIECES[n])) for n in (0, 2, 3)] == [1, 0, 0]
    assert line.take({"attempt": 2, "seq": 0, "text": "anew"})[0]["text"] == "anew"
    assert line.take(PIECES[1]) == [], "the first attempt is over"


def test_where_there_is_nothing_to_listen_to_an_ear_is_closed_and_waits() -> None:
    for place in (Place("", "", ""), Place("127.0.0.1:9", "127.0.0.1:9", "key")):
        with Ear(place, "j1") as ear:
            assert not ear.is_open
            assert list(ear.wait(0.01)) == list(ear.heard()) == []
