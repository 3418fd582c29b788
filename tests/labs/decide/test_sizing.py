"""Sizing: memory decides what holds the model, short windows what an instance carries, and the same question has the same answer."""

from dataclasses import replace

import pytest

from labs import facts
from labs.decide import sizing, unknowns
from labs.decide.case import case, shape_of_size
from labs.decide.requirements import Requirements
from labs.decide.sizing import Demand, Prediction, Range, capacity_per_s, demand, predict, setups
from labs.decide.unknowns import Unknown, World, unknown
from labs.facts import catalogue
from labs.serving.batching import ReplicaSpec
from labs.serving.engine import EngineConfig
from labs.serving.laws import ConstantLaw
from labs.serving.services import latencies
from labs.serving.simulate import Closed, simulate

ASKED = Demand("poisson", 500, 200, None, None, waits=True)
SEATS_8 = ReplicaSpec(ConstantLaw(ttft_s=0.02, tpot_s=0.01), max_num_seqs=8)
"""two seconds an answer, eight at a time"""
MOST = simulate(EngineConfig(SEATS_8), Closed(8, 400, 500, 200)).statistics.requests_per_s
"""what its seats turn over when none is ever empty"""


def setup(model: str, instance: str, packs: bool = False, dtype: str = "bf16", asked: Demand = ASKED) -> sizing.Setup:
    shape = catalogue.model(model).shape
    assert shape is not None
    return setups(model, shape, instance, dtype, asked, packs)[0]


def test_capacity_is_what_the_seats_can_turn_over_and_less_under_an_objective() -> None:
    assert 0.9 * MOST < capacity_per_s(SEATS_8, ASKED) <= 1.02 * MOST
    strict = capacity_per_s(SEATS_8, replace(ASKED, ttft_ms=200))
    assert 0 < strict < 0.8 * capacity_per_s(SEATS_8, ASKED)
    assert capacity_per_s(SEATS_8, replace(ASKED, ttft_ms=5)) == 0.0
    assert capacity_per_s(SEATS_8, replace(ASKED, e2e_ms=500)) == 0.0


def test_bursts_leave_less_room_than_an_even_stream() -> None:
    assert capacity_per_s(SEATS_8, replace(ASKED, process="gamma", ttft_ms=1_000)) < capacity_per_s(
        SEATS_8, replace(ASKED, ttft_ms=1_000)
    )


def test_where_nobody_waits_nearly_all_of_the_throughput_is_planned_for() -> None:
    assert capacity_per_s(SEATS_8, replace(ASKED, waits=False)) == pytest.approx(0.9 * MOST, rel=0.03)


def test_a_prediction_at_capacity_keeps_the_objective_nearly_and_beyond_it_does_not() -> None:
    asked = replace(ASKED, ttft_ms=1_000)
    most = capacity_per_s(SEATS_8, asked)
    below, above = predict(SEATS_8, asked, 0.7 * most), predict(SEATS_8, asked, 2 * most)
    assert below is not None
    assert above is not None
    assert below.meets(1_000, None) == "yes"
    assert above.meets(1_000, None) == "no"


def test_what_does_not_fit_has_no_setup() -> None:
    shape = catalogue.model("llama-3-70b").shape
    assert shape is not None
    assert setups("llama-3-70b", shape, "g5.12xlarge", "bf16", ASKED, False) == ()
    assert setups("llama-3-70b", shape, "g6e.12xlarge", "bf16", ASKED, False) != ()
    # 16 GB of weights on a host of 16 GiB: the GPU holds them, loading does not.
    small = catalogue.model("llama-3-8b").shape
    assert small is not None
    assert setups("llama-3-8b", small, "g5.xlarge", "bf16", ASKED, False) == ()
    assert setups("llama-3-8b", small, "g5.2xlarge", "bf16", ASKED, False) != ()


def test_several_copies_on_an_instance_carry_more_than_one_spread_over_it() -> None:
    alone, packed = setup("llama-3-8b", "g6e.12xlarge"), setup("llama-3-8b", "g6e.12xlarge", packs=True)
    assert (alone.copies, packed.copies) == (1, 4)
    assert packed.capacity_per_s > alone.capacity_per_s
    assert "4 copies" in packed.describes


def test_fewer_bits_fit_where_more_do_not() -> None:
    shape = catalogue.model("llama-3-70b").shape
    assert shape is not None
    assert setups("llama-3-70b", shape, "p5.4xlarge", "bf16", ASKED, False) == ()
    assert setups("llama-3-70b", shape, "p5.4xlarge", "fp8", ASKED, False) != ()


def test_neuron_is_served_in_continuous_batches_and_says_that_this_is_not_calibrated() -> None:
    way = setup("llama-3-8b", "inf2.xlarge")
    assert way.deployment.settings["batching"] == "continuous"
    assert any("not calibrated" in note for note in way.deployment.notes)


@pytest.mark.parametrize("billions", [0.5, 3.0, 13.0, 40.0, 180.0])
def test_a_shape_made_from_a_size_has_that_size(billions: float) -> None:
    like, shape = shape_of_size(billions)
    assert shape.parameters == int(billions * 1e9)
    assert shape.counted_parameters() == pytest.approx(shape.parameters, rel=0.1)
    assert like in catalogue.models()


def test_the_range_of_a_service_is_told_and_objectives_inside_it_are_unsure() -> None:
    wide = Prediction(*(Range(1, 2, 4) for _ in range(4)))
    assert wide.meets(None, None) == "not asked"
    assert wide.meets(4, None) == "yes"
    assert wide.meets(3, None) == "unsure"
    assert wide.meets(0.5, None) == "no"
    assert wide.meets(4, 0.5) == "no"


def test_a_shared_service_is_as_fast_at_any_rate() -> None:
    spec = latencies("nova-lite")
    slow, fast = predict(spec, ASKED, 1.0), predict(spec, ASKED, 50.0)
    assert slow is not None
    assert fast is not None
    assert slow.ttft_p50.central == pytest.approx(fast.ttft_p50.central, rel=0.05)


def test_a_spiky_profile_asks_for_bursts_and_waiting_jobs_are_spread_over_the_month() -> None:
    assert demand(case(Requirements(model="llama-3-8b", profile="spiky"))).process == "gamma"
    waits = case(Requirements(model="llama-3-8b", profile="nightly", requests_per_minute=60))
    spread = case(Requirements(model="llama-3-8b", profile="nightly", requests_per_minute=60, answer_can_wait=True))
    assert waits.rate_per_s == 1.0
    assert spread.rate_per_s == pytest.approx(122 / 730)


def test_every_assumption_has_a_range_a_reason_and_if_it_names_facts_they_exist() -> None:
    for id in unknowns.ids():
        made: Unknown = unknown(id)
        assert made.low <= made.central <= made.high
        assert made.why.endswith(".")
        assert made.label
    assert unknown("model_unit_price_medium").central == facts.number("bedrock.pt.price.llama-2.one_month")


def test_a_world_gives_levers_and_unknowns_their_values() -> None:
    world = World.of({"tokens": 2.0, "throughput": 0.7})
    assert (world.load, world.value(unknown("throughput")), world.value(unknown("custom_price"))) == (2.0, 0.7, 1.0)
