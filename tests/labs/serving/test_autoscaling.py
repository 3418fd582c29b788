"""Autoscaling policies: they wait for their datapoints, respect their cooldowns and limits, and come late by design."""

import itertools
from collections.abc import Iterator

import pytest

from labs.serving.arrivals import arrivals, lengths
from labs.serving.autoscaling import Controller, Metric, Sample, ScaleToZero, StepScaling, TargetTracking
from labs.serving.batching import ReplicaSpec
from labs.serving.engine import ConstantLaw, Engine, EngineConfig, Request
from labs.serving.requests import NEVER, Table


def samples(
    metric: Metric, values: Iterator[float] | list[float], ready: int = 1, desired: int | None = None
) -> list[Sample]:
    """One sample every 10 s in which the metric has these values."""
    return [
        Sample(
            t=10.0 * (i + 1),
            period_s=10.0,
            arrivals=round(value * ready / 6) if metric == "invocations" else 1,
            in_hand=round(value * ready) if metric == "concurrency" else 0,
            busy=value / 100 if metric == "cpu" else 0.0,
            ready=ready,
            desired=ready if desired is None else desired,
        )
        for i, value in enumerate(values)
    ]


def answers(controller: Controller, seen: list[Sample]) -> dict[float, int]:
    found = {sample.t: controller.observe(sample) for sample in seen}
    return {t: wanted for t, wanted in found.items() if wanted is not None}


@pytest.mark.parametrize(
    ("metric", "high", "target"), [("concurrency", 20, 5), ("invocations", 240, 60), ("cpu", 90, 30)]
)
def test_target_tracking_goes_out_after_three_minutes_above_the_target(
    metric: Metric, high: float, target: float
) -> None:
    policy = TargetTracking(metric, target)
    wanted = answers(policy.controller(), samples(metric, [high] * 30))
    assert min(wanted) == 180.0
    assert wanted[180.0] == round(high / target)


def test_a_short_burst_moves_nothing() -> None:
    assert not answers(TargetTracking("concurrency", 5).controller(), samples("concurrency", [50] * 12 + [0] * 30))


def test_high_resolution_reacts_in_half_a_minute() -> None:
    wanted = answers(TargetTracking("concurrency", 5, period_s=10.0).controller(), samples("concurrency", [20] * 10))
    assert min(wanted) == 30.0


def test_scaling_in_takes_a_quarter_of_an_hour() -> None:
    wanted = answers(TargetTracking("concurrency", 5).controller(), samples("concurrency", [1] * 120, ready=4))
    assert min(wanted) == 900.0
    assert wanted[900.0] == 1


def test_limits_and_cooldown_hold() -> None:
    policy = TargetTracking("concurrency", 5, maximum=3, period_s=10.0)
    wanted = answers(policy.controller(), samples("concurrency", [100] * 100))
    assert set(wanted.values()) == {3}
    times = sorted(wanted)
    assert all(b - a >= 300.0 for a, b in itertools.pairwise(times))


def test_step_scaling_adds_more_the_further_it_is_off() -> None:
    policy = StepScaling("concurrency", 8, ((0, 1), (10, 3), (-4, -1)), period_s=10.0)
    assert [policy.change(value) for value in (3, 5, 8, 17, 18, 50)] == [-1, 0, 1, 1, 3, 3]
    assert answers(policy.controller(), samples("concurrency", [30] * 3, ready=2))[30.0] == 5


def test_scale_to_zero_waits_until_nobody_has_come_for_long_enough() -> None:
    quiet = [Sample(10.0 * i, 10.0, 0, 0, 0.0, 2, 2) for i in range(1, 40)]
    busy = [Sample(10.0 * i, 10.0, 1 if i == 20 else 0, 0, 0.0, 2, 2) for i in range(1, 60)]
    assert answers(ScaleToZero(idle_s=300.0).controller(), quiet) == dict.fromkeys(
        [300.0 + 10 * i for i in range(10)], 0
    )
    assert min(answers(ScaleToZero(idle_s=300.0).controller(), busy)) == 500.0


def test_a_fleet_that_follows_its_load_comes_late_by_alarm_and_cold_start() -> None:
    """The lag of autoscaling: three datapoints and the cold start pass before the second replica answers anything."""
    policy = TargetTracking("concurrency", 4, maximum=8, period_s=10.0)
    spec = ReplicaSpec(ConstantLaw(0.2, 0.05), max_num_seqs=4, cold_start_s=100.0)
    engine = Engine(EngineConfig(spec, autoscaling=policy))
    seen = {}
    for i in range(4000):
        t = i * 0.1
        engine.submit(t, Request(str(i), 10, 40))
        engine.advance(t)
        seen[t] = engine.snapshot().replicas_ready
    more = min(t for t, ready in seen.items() if ready > 1)
    assert 130.0 <= more <= 131.0


def test_an_idle_deployment_wakes_for_a_request_which_pays_the_cold_start() -> None:
    config = EngineConfig(ReplicaSpec(ConstantLaw(0.2, 0.05), cold_start_s=60.0), autoscaling=ScaleToZero(idle_s=100.0))
    table = Table.of([0.0, 1000.0], [10, 10], [5, 5])
    engine = Engine(config)
    engine.run(table)
    assert table.first[0] == pytest.approx(0.2)
    assert table.first[1] == pytest.approx(1060.2)
    assert engine.snapshot().cold_starts == 1


def test_scaling_saves_replica_time_and_loses_nobody() -> None:
    times = arrivals("daily", 0.3, duration_s=86_400.0, seed=4)
    spec = ReplicaSpec(ConstantLaw(0.5, 0.05), max_num_seqs=4, cold_start_s=120.0)

    def serve(config: EngineConfig) -> tuple[float, Table]:
        table = Table.of(times, lengths(50, len(times)), lengths(60, len(times)))
        engine = Engine(config)
        engine.run(table)
        return engine.snapshot().replica_s, table

    fixed, _ = serve(EngineConfig(spec, replicas=4))
    scaled, table = serve(EngineConfig(spec, autoscaling=TargetTracking("concurrency", 2, maximum=4)))
    assert max(table.finish) < NEVER
    assert scaled < 0.8 * fixed


def test_nobody_is_left_waiting_for_a_replica_that_a_policy_took_away() -> None:
    """A cold start longer than the policy's patience: the only replica that is coming must still come."""
    policy = TargetTracking("invocations", 60, minimum=0)
    engine = Engine(
        EngineConfig(ReplicaSpec(ConstantLaw(0.2, 0.05), cold_start_s=3000.0), replicas=0, autoscaling=policy)
    )
    table = Table.of([0.0], [10], [5])
    engine.run(table)
    assert table.first[0] == pytest.approx(3000.2)
