"""A workload is what was asked for, and the same seed gives the same."""

from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.bench.lengths import Lengths
from labs.bench.prompts import Prompts
from labs.bench.schedule import schedule
from labs.bench.workload import Offered, Workload, build
from labs.cloud import tokens
from labs.errors import Refusal


def offered(**given: Any) -> Offered:
    lengths = {"input_tokens": Lengths.parse("500"), "output_tokens": Lengths.parse("200")}
    return Offered(**{**lengths, **given})


def gaps(work: Workload) -> list[float]:
    assert work.due_s is not None
    return [b - a for a, b in zip(work.due_s, work.due_s[1:], strict=False)]


def cv(values: list[float]) -> float:
    return pstdev(values) / mean(values)


@pytest.mark.parametrize(
    ("arrival", "low", "high"), [("constant", 0.0, 0.05), ("poisson", 0.9, 1.1), ("gamma", 1.7, 2.3)]
)
def test_arrivals_are_what_they_are_called(arrival: Any, low: float, high: float) -> None:
    work = build(offered(arrival=arrival, rate_per_s=100, duration_s=60, warmup_s=0), 1)
    assert low <= cv(gaps(work)) <= high
    assert mean(gaps(work)) == pytest.approx(0.01, rel=0.1)


def test_steps_keep_each_rate_for_its_part() -> None:
    times = schedule("steps", steps_per_s=(5, 50, 10), duration_s=300, seed=2)
    counts = [sum(start <= t < start + 100 for t in times) for start in (0, 100, 200)]
    assert [count / 100 for count in counts] == pytest.approx([5, 50, 10], rel=0.15)


@pytest.mark.parametrize(("begin", "end"), [(10, 100), (100, 10), (20, 20)])
def test_a_ramp_goes_from_one_rate_to_the_other(begin: float, end: float) -> None:
    times = schedule("ramp", rate_per_s=begin, rate_to_per_s=end, duration_s=100, seed=3)
    tenths = [sum(start <= t < start + 10 for t in times) / 10 for start in (0, 90)]
    slope = (end - begin) / 100
    assert tenths == pytest.approx([begin + 5 * slope, end - 5 * slope], rel=0.2)
    assert list(times) == sorted(times)


def test_a_day_fits_into_the_run() -> None:
    times = schedule("daily", rate_per_s=50, duration_s=60, seed=4)
    assert len(times) / 60 == pytest.approx(50, rel=0.1)
    night, noon = (sum(60 * a <= t < 60 * b for t in times) for a, b in ((1 / 24, 4 / 24), (10 / 24, 13 / 24)))
    assert noon > 5 * night


def test_the_same_seed_is_the_same_workload_and_another_is_another() -> None:
    words = {"arrival": "poisson", "rate_per_s": 20, "duration_s": 10, "input_tokens": Lengths.parse("normal:500,100")}
    assert build(offered(**words), 7) == build(offered(**words), 7)
    assert build(offered(**words), 7) != build(offered(**words), 8)


def test_warm_up_comes_on_top_and_changes_nothing_else() -> None:
    words = {"arrival": "poisson", "rate_per_s": 50, "duration_s": 10, "output_tokens": Lengths.parse("uniform:10,90")}
    bare = build(offered(**words, warmup_s=0), 7)
    warm = build(offered(**words, warmup_s=3), 7)
    assert warm.due_s is not None
    assert bare.due_s is not None
    early = sum(t < 3 for t in warm.due_s)
    assert early == pytest.approx(150, rel=0.3)
    assert [t - 3 for t in warm.due_s[early:]] == pytest.approx(list(bare.due_s))
    assert warm.output_tokens[early:] == bare.output_tokens
    assert len(warm.due_s) == len(warm.output_tokens)


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ({"duration_s": 10}, 1.0),
        ({"duration_s": 600}, 2.0),
        ({"requests": 50}, 0.5),
        ({"warmup_s": 0, "duration_s": 9}, 0),
    ],
)
def test_how_long_warm_up_is_unless_said(words: dict[str, Any], seconds: float) -> None:
    assert offered(rate_per_s=10, **words).warmup == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "low", "high", "about"),
    [
        ("500", 500, 500, 500),
        ("uniform:100,900", 100, 900, 500),
        ("normal:500,100", 1, 1000, 500),
        ("normal:500,100,450,550", 450, 550, 500),
        ("lognormal:500,0.8", 1, 20_000, 500),
        ("lognormal:500,2,1,600", 1, 600, 250),
    ],
)
def test_lengths_in_words(text: str, low: int, high: int, about: float) -> None:
    lengths = Lengths.parse(text)
    drawn = lengths.draw(5000, seed=1)
    assert low <= min(drawn) <= max(drawn) <= high
    assert mean(drawn) == pytest.approx(about, rel=0.15)
    assert Lengths.parse(str(lengths)) == lengths


@pytest.mark.parametrize(
    "text", ["", "0", "-5", "1.5", "normal", "normal:5", "zipf:1,2", "uniform:9,1", "normal:5,1,9,3", "normal:a,b"]
)
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="is no length in tokens"):
        Lengths.parse(text)


@settings(max_examples=25)
@given(st.integers(30, 3000), st.integers(0, 10**6))
def test_a_prompt_is_about_as_long_as_wanted(wanted: int, id: int) -> None:
    text = Prompts(seed=1).of(id, wanted, None)
    assert tokens.count(text) + 4 == pytest.approx(wanted, rel=0.03, abs=4)


def test_no_two_prompts_begin_alike_unless_they_are_of_one_session() -> None:
    prompts = Prompts(seed=1, prefix_tokens=100)
    alone = [prompts.of(n, 200, None)[:12] for n in range(50)]
    assert len(set(alone)) == 50
    first, second, other = prompts.of(1, 200, "a"), prompts.of(2, 200, "a"), prompts.of(3, 200, "b")
    shared = first[: first.index("#")]
    assert second.startswith(shared)
    assert tokens.count(shared) == pytest.approx(100, rel=0.1)
    assert not other.startswith(shared)
    assert first != second


def test_sessions_are_spread_over_the_requests() -> None:
    work = build(offered(rate_per_s=100, duration_s=10, sessions=5, prefix_tokens=50), 1)
    assert work.sessions is not None
    assert set(work.sessions) == set(range(5))


def test_a_trace_is_replayed_as_it_was(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,input_tokens,output_tokens\n10,100,20\n10.5,200,30\n12,300,40\n")
    work = build(offered(arrival="trace", trace=trace), 1)
    assert work.due_s is not None
    assert list(work.due_s) == [0, 0.5, 2]
    assert list(work.input_tokens) == [100, 200, 300]
    assert list(work.output_tokens) == [20, 30, 40]
    assert build(offered(arrival="trace", trace=trace, requests=2), 1).expected() == 2


def test_prompts_of_a_file_are_sent_in_turn(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(
        '{"id": "a", "prompt": "One?", "max_tokens": 10}\n{"id": "b", "prompt": "Two?", "max_tokens": 20}\n'
    )
    work = build(offered(arrival="constant", rate_per_s=10, duration_s=0.4, warmup_s=0, prompts=file), 1)
    prompts = Prompts(work.seed, 0, work.texts)
    assert [prompts.of(n, 5, None) for n in range(4)] == ["One?", "Two?", "One?", "Two?"]
    assert list(work.output_tokens) == [10, 20, 10, 20]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"duration_s": 5}, "say how much load"),
        ({"rate_per_s": 0.01, "duration_s": 0.001, "arrival": "poisson"}, "no request is due"),
        ({"arrival": "steps", "duration_s": 5}, "needs its rates"),
        ({"arrival": "ramp", "rate_per_s": 1, "duration_s": 5}, "where it goes"),
        ({"arrival": "daily", "rate_per_s": 1, "requests": 5}, "needs --duration"),
        ({"concurrency": 2, "rate_per_s": 1, "duration_s": 5}, "closed loop"),
        ({"concurrency": 2}, "needs an end"),
        ({"rate_per_s": 1, "duration_s": 5, "prefix_tokens": 9}, "how many --sessions"),
        ({"rate_per_s": 1, "duration_s": 5, "sessions": 2, "prompts": Path("x")}, "leave out --prompts"),
        ({"trace": Path("missing.csv")}, "cannot be read"),
        ({"trace": Path("missing.csv"), "rate_per_s": 1}, "a trace says when"),
    ],
)
def test_what_makes_no_workload_is_refused_in_words(words: dict[str, Any], says: str) -> None:
    with pytest.raises(Refusal, match=says):
        build(offered(**words), 1)
