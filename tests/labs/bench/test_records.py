"""A run's file holds what happened, and can be read however the run ended."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.bench.records import (
    Header,
    Quality,
    Record,
    Run,
    WorkerQuality,
    header_line,
    parse,
    quality_line,
    read,
    record_line,
    write,
)
from labs.errors import Refusal

HEADER = Header(
    target={"name": "somewhere", "endpoint": "openai-chat", "streaming": True},
    offered={"arrival": "poisson", "rate_per_s": 20.0},
    loop="open",
    provenance="measured",
    seed=7,
    started_at="2026-11-25T12:00:00+00:00",
    versions={"python": "3.11"},
    objective={"ttft_ms": 500.0},
)
QUALITY = Quality(
    valid=False,
    reasons=("lag",),
    finished=True,
    workers=(WorkerQuality(0, 2, 0.5, 1.0, {"p50": 0.1, "p99": 0.2, "max": 0.3}, 0, 1.5),),
    duration_s=3.0,
)


def a_record(id: int = 0) -> Record:
    return Record(
        id=id,
        intended_s=1.0,
        sent_s=1.001,
        first_token_s=1.1,
        token_s=(1.1, 1.11, 1.12),
        last_token_s=1.12,
        ended_s=1.13,
        input_tokens=10,
        output_tokens=3,
        status="ok",
        http_status=200,
        message="",
        warmup=False,
        worker=0,
        session=None,
    )


def whole(run: Run) -> bytes:
    file = io.BytesIO()
    write(file, run)
    return file.getvalue()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    run = Run(
        HEADER,
        (a_record(0), replace(a_record(1), status="ThrottlingException", message="später ü", token_s=())),
        QUALITY,
    )
    path = tmp_path / "run.jsonl"
    path.write_bytes(whole(run))
    assert read(path) == run


times = st.floats(0, 1e5).map(lambda t: round(t, 6))
maybe = st.none() | times
any_record = st.builds(
    Record,
    id=st.integers(0, 10**9),
    intended_s=times,
    sent_s=maybe,
    first_token_s=maybe,
    token_s=st.lists(times, max_size=5).map(tuple),
    last_token_s=maybe,
    ended_s=maybe,
    input_tokens=st.none() | st.integers(0, 10**6),
    output_tokens=st.none() | st.integers(0, 10**6),
    status=st.sampled_from(["ok", "Timeout", "ThrottlingException"]),
    http_status=st.none() | st.integers(100, 599),
    message=st.text(st.characters(exclude_categories=["Cs"])),
    warmup=st.booleans(),
    worker=st.integers(0, 9),
    session=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
)


@given(any_record)
def test_any_record_comes_back_as_it_was(record: Record) -> None:
    assert parse([header_line(HEADER), record_line(record)], "here").records == (record,)


@given(st.integers(1, 10_000))
def test_a_file_cut_anywhere_after_its_header_still_opens(at: int) -> None:
    records = tuple(a_record(n) for n in range(5))
    data = whole(Run(HEADER, records, QUALITY))
    start = len(header_line(HEADER))
    cut = data[: start + at % (len(data) - start)]
    run = parse(cut.split(b"\n"), "here")
    complete = cut[start:].count(b"\n")
    assert run.records[: min(complete, 5)] == records[: min(complete, 5)]
    assert len(run.records) in (min(complete, 5), min(complete + 1, 5))  # a line may lack nothing but its newline
    assert (run.torn is not None) or run.quality is not None or cut.endswith((b"\n", b"}"))


def test_a_torn_last_line_is_named_and_left_out() -> None:
    run = parse([header_line(HEADER), record_line(a_record(0)), record_line(a_record(1))[:40]], "cut.jsonl")
    assert [record.id for record in run.records] == [0]
    assert run.torn == "cut.jsonl:3: a record that is not whole was left out (40 bytes)"
    assert run.quality is None


def test_damage_in_the_middle_is_not_taken_for_the_end() -> None:
    with pytest.raises(Refusal, match="here:2"):
        parse([header_line(HEADER), b"{oops", record_line(a_record())], "here")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello\n", "not a run"),
        (b"[]\n", "not a run"),
        (b'{"header": {"schema": "other/9"}}\n', "other/9"),
    ],
)
def test_a_file_that_is_no_run_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(Refusal, match=words):
        read(path)
    with pytest.raises(Refusal, match="cannot be read"):
        read(tmp_path / "missing.jsonl")


def test_latency_counts_from_when_a_request_was_due() -> None:
    record = a_record()
    assert record.ttft_s == pytest.approx(0.1)
    assert record.e2e_s == pytest.approx(0.12)
    assert record.lag_s == pytest.approx(0.001)
    assert record.tpot_s == pytest.approx(0.01)


def test_an_answer_in_one_piece_has_no_time_per_token() -> None:
    assert replace(a_record(), token_s=(1.12,), first_token_s=1.12, output_tokens=50).tpot_s is None


def test_tokens_are_what_the_server_counted_not_the_events() -> None:
    assert replace(a_record(), output_tokens=5).tpot_s == pytest.approx(0.005)


def test_warm_up_and_interrupted_requests_do_not_count() -> None:
    records = (replace(a_record(0), warmup=True), a_record(1), replace(a_record(2), status="Interrupted"))
    assert [record.id for record in Run(HEADER, records).measured] == [1]


def test_the_end_line_carries_the_clients_own_quality() -> None:
    run = parse([header_line(HEADER), quality_line(QUALITY)], "here")
    assert run.quality == QUALITY
    assert run.quality.workers[0].cpu_share == pytest.approx(0.5)
