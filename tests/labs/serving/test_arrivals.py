"""Workloads: seeded, of the rate and the shape that were asked for."""

import itertools
from pathlib import Path
from statistics import mean, pstdev

import pytest

from labs.errors import Refusal
from labs.serving.arrivals import DAY_S, HOUR_S, PROCESSES, WORKING_DAY, Process, arrivals, lengths, read_trace


def gaps(times: list[float]) -> list[float]:
    return [b - a for a, b in itertools.pairwise(times)]


@pytest.mark.parametrize("process", PROCESSES)
def test_the_same_seed_gives_the_same_arrivals_at_the_asked_rate(process: Process) -> None:
    times = arrivals(process, 0.5, duration_s=2 * DAY_S, seed=7)
    assert times == arrivals(process, 0.5, duration_s=2 * DAY_S, seed=7)
    assert list(times) == sorted(times)
    assert len(times) == pytest.approx(DAY_S, rel=0.03)
    assert times[0] >= 0.0
    assert times[-1] < 2 * DAY_S


@pytest.mark.parametrize(("process", "cv"), [("constant", 0.0), ("poisson", 1.0), ("gamma", 3.0)])
def test_gaps_scatter_as_their_process_says(process: Process, cv: float) -> None:
    between = gaps(list(arrivals(process, 10.0, requests=40_000, seed=1, cv=3.0)))
    assert pstdev(between) / mean(between) == pytest.approx(cv, abs=0.1)


def test_a_daily_profile_has_its_busiest_hour_where_it_says() -> None:
    times = arrivals("daily", 1.0, duration_s=DAY_S, seed=2)
    by_hour = [sum(hour * HOUR_S <= t < (hour + 1) * HOUR_S for t in times) for hour in range(24)]
    share = [count / len(times) for count in by_hour]
    assert share == pytest.approx([part / sum(WORKING_DAY) for part in WORKING_DAY], abs=0.005)


def test_lengths_are_constant_or_scatter_about_their_mean() -> None:
    assert set(lengths(200, 50)) == {200}
    spread = lengths(200, 40_000, cv=0.7, seed=3)
    assert mean(spread) == pytest.approx(200, rel=0.03)
    assert pstdev(spread) / mean(spread) == pytest.approx(0.7, rel=0.05)
    assert min(spread) >= 1
    assert max(lengths(200, 1000, cv=2.0, maximum=300)) == 300


def test_a_trace_is_read_in_order_of_arrival(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("arrival_s,input_tokens,output_tokens,max_tokens,note\n2.5,10,20,15,late\n0.5,30,40,,early\n")
    table = read_trace(file)
    assert (list(table.arrival), list(table.input_tokens), list(table.output_tokens)) == (
        [0.5, 2.5],
        [30, 10],
        [40, 15],
    )
    assert table.ceiling(1) == 15


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("arrival_s,input_tokens\n1,2\n", "no column output_tokens"),
        ("arrival_s,input_tokens,output_tokens\n", "holds no request"),
        ("arrival_s,input_tokens,output_tokens\n0,1,2\nx,1,2\n", ":3:"),
        ("arrival_s,input_tokens,output_tokens\n0,0,2\n", ":2:"),
    ],
)
def test_a_bad_trace_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(text)
    with pytest.raises(Refusal, match=says) as refused:
        read_trace(file)
    assert refused.value.exit_status == 2


def test_a_missing_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read"):
        read_trace(tmp_path / "no.csv")
