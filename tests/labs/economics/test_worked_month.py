"""The worked month of the course: a 70B model, exactly 100 requests a minute, around the clock, four sizes of request.

The expected figures were calculated by hand from dated price lists; a price that moves in the register moves them, and whoever
changes it changes them here too, knowingly.
"""

import pytest

from labs.economics import breakeven, capacity, instances, queue, tokens
from labs.economics.bill import HOURS_PER_MONTH
from labs.economics.traffic import Traffic, in_flight

SIZES = {"S": (200, 100), "M": (500, 200), "L": (1_500, 500), "XL": (4_000, 1_000)}


def month(size: str) -> Traffic:
    return Traffic.steady(100, *SIZES[size])


def close(usd: float) -> object:
    """Within 1 %, or within the dollar to which small figures were rounded."""
    return pytest.approx(usd, rel=0.01, abs=0.6)


def test_a_hundred_requests_a_minute_are_4_38_million_a_month() -> None:
    assert month("M").requests_per_month == 4_380_000


@pytest.mark.parametrize(
    ("size", "millions", "per_minute", "output_per_s"),
    [("S", 1_314, 30_000, 167), ("M", 3_066, 70_000, 333), ("L", 8_760, 200_000, 833), ("XL", 21_900, 500_000, 1_667)],
)
def test_tokens_of_a_month(size: str, millions: float, per_minute: float, output_per_s: float) -> None:
    traffic = month(size)
    assert traffic.input_millions + traffic.output_millions == close(millions)
    assert traffic.tokens_per_request * 100 == per_minute
    assert traffic.output_tokens * 100 / 60 == close(output_per_s)


@pytest.mark.parametrize(
    ("model", "tier", "expected"),
    [
        ("llama-3-3-70b", "standard", (946, 2_208, 6_307, 15_768)),
        ("llama-3-1-70b", "standard", (946, 2_208, 6_307, 15_768)),
        ("llama-3-3-70b", "batch", (473, 1_104, 3_154, 7_884)),
        ("llama-3-70b", "standard", (3_854, 8_870, 25_076, 61_758)),
        ("llama-4-maverick", "standard", (635, 1_375, 3_701, 8_453)),
        ("gpt-oss-120b", "standard", (394, 854, 2_300, 5_256)),
        ("nova-lite", "standard", (158, 342, 920, 2_102)),
        ("nova-pro", "standard", (2_102, 4_555, 12_264, 28_032)),
        ("claude-haiku-4-5-global", "standard", (3_066, 6_570, 17_520, 39_420)),
        ("claude-sonnet-4-5-global", "standard", (9_198, 19_710, 52_560, 118_260)),
    ],
)
def test_pay_per_token(model: str, tier: tokens.Tier, expected: tuple[float, ...]) -> None:
    bills = [tokens.on_demand(model, month(size), tier).usd for size in SIZES]
    assert bills == [close(usd) for usd in expected]


@pytest.mark.parametrize(
    ("instance", "one", "two", "break_even_tokens"),
    [
        ("ml.inf2.24xlarge", 5_687, 11_373, 1_803),
        ("ml.inf2.48xlarge", 11_373, 22_747, 3_606),
        ("ml.g5.48xlarge", 14_863, 29_726, 4_713),
        ("ml.g6e.12xlarge", 9_578, 19_155, 3_037),
        ("ml.g6e.48xlarge", 27_492, 54_984, 8_718),
        ("ml.p4d.24xlarge", 18_433, 36_867, 5_845),
        ("ml.p4de.24xlarge", 23_042, 46_084, 7_307),
        ("ml.p5.4xlarge", 5_776, 11_552, 1_831),
        ("ml.p5.48xlarge", 46_206, 92_412, 14_652),
        ("ml.trn1.32xlarge", 18_053, 36_106, 5_725),
        ("inf2.48xlarge", 9_476, 18_953, 3_005),
        ("g5.48xlarge", 11_890, 23_780, 3_770),
        ("g6e.12xlarge", 7_660, 15_319, 2_429),
        ("g7e.12xlarge", 6_049, 12_098, 1_918),
        ("p4d.24xlarge", 16_029, 32_058, 5_083),
        ("p5.48xlarge", 40_179, 80_358, 12_741),
    ],
)
def test_fixed_capacity_and_its_break_even(instance: str, one: float, two: float, break_even_tokens: float) -> None:
    bill = instances.endpoint if instance.startswith("ml.") else instances.machines
    assert bill(instance).usd == close(one)
    assert bill(instance, 2).usd == close(two)
    at = breakeven.tokens_per_request(
        lambda traffic: tokens.on_demand("llama-3-3-70b", traffic), bill(instance), month("M")
    )
    assert at == close(break_even_tokens)


def test_one_imported_copy_of_a_70b_model_that_never_sleeps() -> None:
    bill = capacity.custom_import(cmus_per_copy=8, copy_minutes=HOURS_PER_MONTH * 60)
    assert bill.usd == close(20_051)
    assert capacity.custom_import(8, 2 * HOURS_PER_MONTH * 60, stored_models=2).usd == close(40_103)
    at = breakeven.tokens_per_request(lambda traffic: tokens.on_demand("llama-3-3-70b", traffic), bill, month("M"))
    assert at == close(6_358)


@pytest.mark.parametrize(
    ("term", "one", "break_even_tokens"), [("one_month", 15_461, 4_903), ("six_months", 9_548, 3_028)]
)
def test_provisioned_throughput_at_the_llama_2_price(term: capacity.Term, one: float, break_even_tokens: float) -> None:
    bill = capacity.provisioned("llama-2", 1, term)
    assert bill.usd == close(one)
    at = breakeven.tokens_per_request(lambda traffic: tokens.on_demand("llama-3-3-70b", traffic), bill, month("M"))
    assert at == close(break_even_tokens)


@pytest.mark.parametrize(("discount", "usd"), [(0.2, 9_099), (0.3, 7_961), (0.4, 6_824), (0.64, 4_094)])
def test_a_commitment_lowers_the_inferentia_endpoint(discount: float, usd: float) -> None:
    assert instances.endpoint("ml.inf2.48xlarge", discount=discount).usd == close(usd)


def test_against_llama_3s_own_price_the_endpoint_wins_from_898_tokens_on() -> None:
    at = breakeven.tokens_per_request(
        lambda traffic: tokens.on_demand("llama-3-70b", traffic), instances.endpoint("ml.inf2.48xlarge"), month("M")
    )
    assert at == close(898)


@pytest.mark.parametrize(
    ("usd_per_hour", "tokens_per_s", "usd"),
    [
        (15.58, 167, 25.91),
        (15.58, 333, 13.0),
        (15.58, 833, 5.2),
        (15.58, 1_667, 2.6),
        (63.296, 167, 105),
        (63.296, 333, 53),
        (63.296, 833, 21),
        (63.296, 1_667, 10.6),
    ],
)
def test_a_saturated_endpoint_per_million_output_tokens(usd_per_hour: float, tokens_per_s: float, usd: float) -> None:
    assert breakeven.usd_per_million_tokens(usd_per_hour, tokens_per_s) == pytest.approx(usd, rel=0.01)


def test_littles_law() -> None:
    assert in_flight(100 / 60, 10) == pytest.approx(17, abs=0.5)
    assert in_flight(100 / 60, 20) == pytest.approx(33, abs=0.5)


def test_what_waiting_costs() -> None:
    requests = month("M").requests_per_month
    assert queue.function(requests, 10, 512, "x86").usd == close(366)
    assert queue.function(requests, 10, 128, "arm").usd == close(74)
    assert queue.messages(requests).usd == close(5.26)
    assert queue.table(2 * requests, 2 * requests).usd == close(6.57)
    assert queue.http_api(requests).usd == close(4.38)
    assert queue.http_api(6 * requests).usd == close(26)
    assert queue.rest_api(requests).usd == close(15.33)
