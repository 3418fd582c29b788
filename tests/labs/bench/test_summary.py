"""A run in numbers: failures stay in the denominators, warm-up stays out, and a spoiled run says so."""

from dataclasses import replace
from random import Random

import pytest

from labs.bench.records import INTERRUPTED, Quality
from labs.bench.summary import summarise
from labs.errors import Refusal
from labs.serving.arrivals import arrivals, lengths
from labs.serving.engine import EngineConfig
from labs.serving.profiles import deployment
from labs.serving.requests import Table
from labs.serving.simulate import simulate
from labs.serving.statistics import Objective
from tests.labs.bench import made


def test_it_agrees_with_the_simulators_own_statistics() -> None:
    times = arrivals("poisson", 5.0, requests=400, seed=3)
    table = Table.of(times, lengths(500, 400, 0.5, 4), lengths(100, 400, 0.5, 5))
    said = simulate(EngineConfig(deployment("llama-3.1-8b", "h100").spec), table, Objective(ttft_ms=60)).statistics
    got = summarise(made.from_table(table), Objective(ttft_ms=60))
    assert got["left_out"]["start_up"] == 0
    for name in ("ttft_ms", "tpot_ms", "e2e_ms"):
        ours, theirs = got[name], getattr(said, name)
        for figure in ("mean", "p50", "p90", "p99"):
            assert ours[figure] == pytest.approx(getattr(theirs, figure)), (name, figure)
    assert got["output_tokens_per_s"] == pytest.approx(said.output_tokens_per_s)
    assert got["requests_per_s"] == pytest.approx(said.requests_per_s)
    assert got["goodput_per_s"] == pytest.approx(said.goodput_per_s)


def test_every_fifth_throttled_is_a_fifth_and_the_rest_is_unharmed() -> None:
    records = [made.throttle(i, i / 10) if i % 5 == 4 else made.record(i, i / 10) for i in range(500)]
    got = summarise(made.run(records), Objective(ttft_ms=1000))
    assert got["errors"] == {"ThrottlingException": 100}
    assert got["shares"]["throttled"] == 0.2
    assert (got["requests"], got["answered"]) == (500, 400)
    assert got["ttft_ms"]["p99"] == pytest.approx(100)
    assert got["ttft_ms"]["with_failures"] == {"p50": pytest.approx(100), "p90": None, "p99": None}
    assert got["objective"]["share"] == pytest.approx(0.8)
    assert got["goodput_per_s"] == pytest.approx(400 / got["duration_s"])


def test_a_stall_shows_in_the_tail() -> None:
    """The server stands still from 3 s to 5 s; requests came due all the same."""
    records = [made.record(i, i / 10, ttft_s=max(0.1, 5.1 - i / 10) if 30 <= i < 50 else 0.1) for i in range(400)]
    got = summarise(made.run(records))
    assert got["ttft_ms"]["p99"] > 1500
    assert got["left_out"]["start_up"] == 0


def test_warm_up_start_up_and_what_was_in_flight_are_left_out_and_counted() -> None:
    random = Random(1)
    records = [made.record(i, i / 10, ttft_s=9.0, warmup=True) for i in range(10)]
    records += [
        made.record(i, i / 10, ttft_s=0.1 * random.lognormvariate(0, 0.2) + max(0, 3 - (i - 10) / 10))
        for i in range(10, 600)
    ]
    records += [made.record(600, 60.0, status=INTERRUPTED, last_token_s=None)]
    got = summarise(made.run(records))
    assert got["left_out"]["warm_up"] == 10
    assert got["left_out"]["interrupted"] == 1
    assert 25 <= got["left_out"]["start_up"] <= 35
    assert got["requests"] + got["left_out"]["start_up"] == 590
    assert "start-up" in got["steady_state"]["says"]
    assert got["ttft_ms"]["p99"] < 500
    # What was cut is still there to be seen.
    assert max(s["ttft_max_ms"] or 0 for s in got["timeline"]["slices"]) > 3000
    assert sum(s["offered"] for s in got["timeline"]["slices"]) == 591


def test_a_load_that_is_not_kept_up_with_has_no_steady_state_and_breaks_littles_law() -> None:
    records = [made.record(i, i / 10, ttft_s=0.1 + i / 20) for i in range(600)]
    got = summarise(made.run(records))
    assert not got["steady_state"]["reached"]
    assert not got["littles_law"]["holds"]
    steady = summarise(made.steady_run())
    assert steady["littles_law"]["holds"]
    assert steady["littles_law"]["in_flight"] == pytest.approx(steady["littles_law"]["rate_x_time"], rel=0.05)


def test_a_spoiled_run_is_invalid_with_its_reason() -> None:
    good = made.steady_run()
    assert summarise(good)["valid"]
    late = replace(made.FINISHED, valid=False, reasons=("worker 0 sent late",))
    spoiled = summarise(replace(good, quality=late))
    assert (spoiled["valid"], spoiled["invalid"]) == (False, ["worker 0 sent late"])
    killed = summarise(replace(good, quality=None, torn="f:9: a record that is not whole was left out"))
    assert len(killed["invalid"]) == 2
    stopped: Quality = replace(made.FINISHED, finished=False, valid=False)
    assert "stopped" in summarise(replace(good, quality=stopped))["invalid"][0]


def test_nothing_to_summarise_is_one_sentence() -> None:
    with pytest.raises(Refusal, match="holds no request"):
        summarise(made.run([]))
    with pytest.raises(Refusal, match="all of them warm-up"):
        summarise(made.run([made.record(0, 0.0, warmup=True)]))


def test_nobody_was_answered() -> None:
    got = summarise(made.run([made.throttle(i, i / 10) for i in range(50)]), Objective(e2e_ms=100))
    assert got["ttft_ms"]["p50"] is None
    assert got["goodput_per_s"] == 0
    assert got["shares"]["failed"] == 1


def test_one_request_is_a_run() -> None:
    got = summarise(made.run([made.record(0, 0.0)]), Objective(ttft_ms=200))
    assert got["requests"] == 1
    assert got["ttft_ms"]["ci"] == dict.fromkeys(("mean", "p50", "p90", "p99"))


def test_an_answer_in_one_piece_has_no_pace() -> None:
    whole = [
        made.record(i, i / 10, token_s=(i / 10 + 0.6,), first_token_s=i / 10 + 0.6, last_token_s=i / 10 + 0.6)
        for i in range(20)
    ]
    got = summarise(made.run(whole), Objective(tpot_ms=1))
    assert got["tpot_ms"]["p50"] is None
    assert got["objective"]["share"] == 1.0


def test_provenance_is_kept() -> None:
    got = summarise(made.steady_run(n=50, seed=4, versions={"python": "3.12"}))
    assert got["provenance"] == "predicted"
    assert got["target"]["name"] == "sagemaker-gpu"
    assert got["versions"] == {"python": "3.12"}
    assert got["schedule_lag_ms"]["p99"] == 0.4
    assert got["client_cpu"] == pytest.approx(0.1)
