"""Bills, break-evens and the verdict on assumptions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.economics import breakeven, capacity, instances, queue, tokens
from labs.economics.bill import Bill, Line, cheapest, total
from labs.economics.sensitivity import Assumption, compare
from labs.economics.traffic import Traffic
from labs.errors import Refusal

amounts = st.floats(min_value=0, max_value=1e9)


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=8))
def test_a_bill_is_the_sum_of_its_lines_and_its_shares_add_up_to_one(parts: list[tuple[float, float]]) -> None:
    bill = Bill("b", tuple(Line(f"line {n}", quantity, "unit", usd) for n, (quantity, usd) in enumerate(parts)))
    assert bill.usd == pytest.approx(sum(quantity * usd for quantity, usd in parts))
    if bill.usd > 0:
        assert sum(bill.shares().values()) == pytest.approx(1)
    assert bill.scaled(3).usd == pytest.approx(3 * bill.usd)
    assert total("both", [bill, bill]).usd == pytest.approx(2 * bill.usd)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_line_takes_no_negative_or_infinite_amount(bad: float) -> None:
    with pytest.raises(ValueError, match="tokens: quantity"):
        Line("tokens", bad, "unit", 1.0)


def test_a_bill_names_the_facts_behind_every_price() -> None:
    bill = tokens.on_demand("llama-3-3-70b", Traffic.steady(1, 10, 10))
    assert bill.facts() == (
        "bedrock.price.llama-3-3-70b.input_per_million",
        "bedrock.price.llama-3-3-70b.output_per_million",
    )
    assert bill.as_dict()["dimensions"][0]["usd"] == pytest.approx(bill.lines[0].usd)


def test_cached_input_is_paid_at_the_cache_price() -> None:
    plain = tokens.on_demand("nova-pro", Traffic(1e6, 1_000, 0))
    cached = tokens.on_demand("nova-pro", Traffic(1e6, 1_000, 0, cached_input_tokens=900))
    assert cached.usd == pytest.approx(plain.usd * (0.1 + 0.9 * 0.25))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: tokens.on_demand("nosuch", Traffic(1, 1, 1)), "no standard price for 'nosuch'"),
        (lambda: tokens.on_demand("llama-3-3-70b", Traffic(1, 1, 1), "priority"), "it has standard, batch"),
        (lambda: tokens.on_demand("nova-pro", Traffic(1, 2, 1, 1), "batch"), "no prompt cache"),
        (lambda: instances.endpoint("ml.nosuch.xlarge"), "ml.nosuch.xlarge on SageMaker AI"),
        (lambda: instances.machines("g5.xlarge", discount=1.0), "not between 0 and 1"),
    ],
)
def test_what_cannot_be_priced_is_refused_with_a_reason(call: object, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        call()  # type: ignore[operator]


@given(st.floats(1, 5_000), st.integers(1, 8_000), st.integers(1, 4_000))
def test_at_the_break_even_both_ways_cost_the_same(rate: float, tokens_in: int, tokens_out: int) -> None:
    traffic, fixed = Traffic.steady(rate, tokens_in, tokens_out), instances.endpoint("ml.g5.12xlarge")

    def per_token(at: Traffic) -> Bill:
        return tokens.on_demand("nova-lite", at)

    at = breakeven.tokens_per_request(per_token, fixed, traffic)
    assert per_token(traffic.with_tokens_per_request(at)).usd == pytest.approx(fixed.usd)
    requests = breakeven.requests_per_month(per_token, fixed, traffic)
    assert per_token(Traffic(requests, tokens_in, tokens_out)).usd == pytest.approx(fixed.usd)


def test_utilisation_says_when_an_endpoint_can_never_match_a_price() -> None:
    assert breakeven.utilisation(15.58, 1_000, 0.72) > 1
    assert breakeven.utilisation(15.58, 10_000, 0.72) == pytest.approx(0.601, rel=0.01)


def test_the_wait_is_billed_by_memory_and_shared_by_concurrent_calls() -> None:
    assert queue.function(1e6, 10, 1024).usd - 0.2 == pytest.approx(8 * (queue.function(1e6, 10, 128).usd - 0.2))
    sequential = queue.squid(1e6, 10, batch=10)
    assert sequential.shares()["Lambda memory while it runs"] == pytest.approx(
        queue.function(1e6, 10, 512).lines[1].usd / sequential.usd
    )


def test_a_batch_of_large_messages_is_billed_by_its_size() -> None:
    assert queue.messages(1e6, batch=10).usd == pytest.approx(queue.messages(1e6).usd / 10)
    assert queue.messages(1e6, message_bytes=64 * 1024, batch=10).usd == pytest.approx(queue.messages(1e6).usd)


def test_no_ranking_inside_the_range_of_an_unknown() -> None:
    verdict = compare(
        lambda a: {"tokens": 0.72 * a["millions"], "endpoint": 11_373.0, "gold": 50_000.0},
        [Assumption("millions", 1_000, 3_066, 20_000)],
    )
    assert verdict.best == "tokens"
    assert verdict.tied == ("endpoint",)
    (flip,) = verdict.flips
    assert (flip.towards, flip.becomes) == ("high", "endpoint")
    assert flip.at == pytest.approx(11_373 / 0.72, rel=1e-6)
    assert verdict.ranges["tokens"] == (720.0, 14_400.0)


def test_a_verdict_that_nothing_flips_says_so() -> None:
    verdict = compare(lambda a: {"a": a["x"], "b": a["x"] + 1}, [Assumption("x", 0, 5, 10)])
    assert (verdict.best, verdict.tied, verdict.flips) == ("a", (), ())


def test_cheapest_of_several_bills() -> None:
    bills = {"one": instances.endpoint("ml.g5.xlarge"), "two": instances.endpoint("ml.g5.xlarge", 2)}
    assert cheapest(bills) == "one"


@pytest.mark.parametrize(
    ("spells", "minutes"),
    [
        ([(0, 1)], 5),
        ([(0, 5)], 5),
        ([(0, 6)], 10),
        ([(0, 1), (3, 1)], 5),
        ([(0, 1), (5, 1)], 10),
        ([(0, 1), (60, 1)], 10),
        ([(0, 0)], 5),
        ([], 0),
    ],
)
def test_an_imported_copy_is_billed_in_five_minute_windows_from_its_first_call(
    spells: list[tuple[float, float]], minutes: float
) -> None:
    assert capacity.active_minutes(spells) == minutes


def test_a_commitment_is_its_whole_term() -> None:
    assert capacity.commitment("llama-2", 2, "six_months").usd == pytest.approx(
        6 * capacity.provisioned("llama-2", 2, "six_months").usd
    )
    with pytest.raises(Refusal, match="binds you to nothing"):
        capacity.commitment("llama-2", 1, "no_commitment")
    with pytest.raises(Refusal, match="no six months price of a model unit of 'llama-3-1-70b'"):
        capacity.provisioned("llama-3-1-70b", 1, "six_months")
