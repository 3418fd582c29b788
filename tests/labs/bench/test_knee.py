"""The knee search finds knees that are known beforehand, through noise, in a bounded number of runs."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from labs.bench.knee import find_knee
from labs.bench.summary import summarise
from labs.errors import Refusal
from labs.serving.arrivals import Process, arrivals, lengths
from labs.serving.engine import ConstantLaw, EngineConfig, ReplicaSpec
from labs.serving.requests import Table
from labs.serving.simulate import simulate
from labs.serving.statistics import Objective
from tests.labs.bench import made

ONE_BY_ONE = EngineConfig(ReplicaSpec(law=ConstantLaw(ttft_s=0.1, tpot_s=0.01), max_num_seqs=1, token_budget=100_000))
"""0.1 s + 10 x 0.01 s for an answer of 11 tokens, one at a time: 5 requests/s and not one more"""


def service(
    config: EngineConfig, process: Process, objective: Objective, requests: int = 400
) -> Callable[[float, int], Any]:
    def run_at(rate: float, seed: int) -> Any:
        times = arrivals(process, rate, requests=requests, seed=seed)
        table = Table.of(times, lengths(100, requests), lengths(11, requests))
        simulate(config, table)
        return summarise(made.from_table(table), objective)

    return run_at


def test_a_service_that_takes_a_fifth_of_a_second_has_its_knee_at_five() -> None:
    found = find_knee(service(ONE_BY_ONE, "constant", Objective(ttft_ms=150)), low=1, high=40)
    assert found.interval is not None
    low, high = found.interval
    assert high is not None
    assert low <= 5.0 <= high
    assert high / low < 1.2
    assert found.confidence is not None
    assert found.confidence > 0.95
    assert len(found.trials) <= 40


def test_random_arrivals_have_their_knee_where_the_queues_tail_says() -> None:
    """Waits of a queue with constant service (M/D/1): where 95 % wait less than 0.4 s, simulated at great length, is the truth."""
    objective = Objective(ttft_ms=500)

    def kept(rate: float) -> float:
        return float(service(ONE_BY_ONE, "poisson", objective, 20_000)(rate, 99)["objective"]["share"])

    found = find_knee(service(ONE_BY_ONE, "poisson", objective, 1200), low=1, high=10, share=0.95, confirm=4)
    assert found.interval is not None
    low, high = found.interval
    assert high is not None
    assert kept(low) > 0.95 > kept(high)
    assert high / low < 1.6


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_holds_a_noisy_knee(seed: int) -> None:
    """A service whose share falls through the bar at 20/s, seen through noise."""
    random = Random(seed)

    def run_at(rate: float, _: int) -> Any:
        return {"objective": {"share": 0.99 + 0.002 * (20 - rate) + random.gauss(0, 0.004)}, "valid": True}

    found = find_knee(run_at, low=1, high=200, most_runs=60)
    assert found.interval is not None
    low, high = found.interval
    assert high is not None
    assert low <= 20 <= high
    assert high / low < 2
    assert len(found.trials) <= 60


def test_a_bound_on_runs_is_kept_and_costs_confidence() -> None:
    found = find_knee(service(ONE_BY_ONE, "constant", Objective(ttft_ms=150)), low=1, high=40, most_runs=10)
    assert len(found.trials) == 10
    assert found.confidence is not None
    assert found.confidence < 0.9


def test_a_knee_outside_the_ends_is_said() -> None:
    run_at = service(ONE_BY_ONE, "constant", Objective(ttft_ms=150), 100)
    over = find_knee(run_at, low=10, high=40)
    assert over.rate_per_s is None
    assert "look below" in over.says
    under = find_knee(run_at, low=1, high=3)
    assert under.interval == (3, None)
    assert "look above" in under.says


def test_a_client_that_is_late_says_nothing_of_the_service() -> None:
    def run_at(rate: float, _: int) -> Any:
        return {"objective": {"share": 1.0 if rate < 50 else 0.2}, "valid": rate < 50}

    found = find_knee(run_at, low=1, high=200)
    assert found.interval is not None
    assert found.interval[1] is None
    assert "client" in found.says


def test_without_an_objective_there_is_no_knee() -> None:
    with pytest.raises(Refusal, match="state one"):
        find_knee(lambda *_: {"objective": None}, low=1, high=2)
    with pytest.raises(Refusal, match="lower first"):
        find_knee(lambda *_: {}, low=3, high=2)
