"""A price that moves in the register moves the advice with it, and nothing else does."""

from collections.abc import Callable

import pytest

import labs.facts
from labs.decide import prices
from labs.decide.advisor import Advice, advise
from labs.decide.requirements import Requirements
from labs.economics import tokens
from labs.economics.traffic import Traffic
from labs.facts import register
from tests.labs.decide.asked import FLAGSHIP, TWIN

Move = Callable[[str, float], None]


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Move:
    """Multiply every price whose id begins so."""

    def moved(prefix: str, factor: float) -> None:
        def value(id: str) -> object:
            was = register.value(id)
            return was * factor if id.startswith(prefix) else was

        monkeypatch.setattr(labs.facts, "value", value)

    return moved


def costs(advice: Advice) -> dict[str, float]:
    return {option.target: option.usd for option in advice.ranked if option.usd is not None}


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_endpoints_follow_sagemakers_prices_and_nothing_else_does(move: Move, factor: float) -> None:
    before = costs(advise(TWIN))
    move("sagemaker.price.", factor)
    after = costs(advise(TWIN))
    assert set(before) == set(after)
    for target, usd in before.items():
        expected = usd * factor if target.startswith("sagemaker-") else usd
        assert after[target] == pytest.approx(expected)


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_tokens_follow_bedrocks_prices(move: Move, factor: float) -> None:
    asked = Requirements(model="nova-lite", answer_can_wait=True)
    before = costs(advise(asked))
    move("bedrock.price.nova-lite.", factor)
    after = costs(advise(asked))
    assert after["bedrock-batch"] == pytest.approx(before["bedrock-batch"] * factor)
    assert after["bedrock-on-demand"] == pytest.approx(before["bedrock-on-demand"] * factor)
    assert after["bedrock-provisioned"] == pytest.approx(before["bedrock-provisioned"])


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_the_break_even_moves_against_the_token_price(move: Move, factor: float) -> None:
    move("bedrock.price.llama-3-3-70b.", factor)
    evens = advise(TWIN).option("sagemaker-inferentia").break_even
    [one] = [even for even in evens if even.instance == "ml.inf2.48xlarge"]
    assert one.tokens_per_request == pytest.approx(3_606 / factor, rel=0.01)


def test_dear_tokens_turn_the_twins_answer(move: Move) -> None:
    move("bedrock.price.llama-3-3-70b.", 5)
    best = advise(TWIN).best
    assert best is not None
    assert best.target == "sagemaker-gpu"


def test_one_dear_instance_type_is_passed_over_for_the_next(move: Move) -> None:
    before = advise(FLAGSHIP).option("sagemaker-gpu").sizing
    assert before is not None
    move(f"sagemaker.price.{before.instance.removeprefix('ml.').replace('.', '-')}", 3)
    after = advise(FLAGSHIP).option("sagemaker-gpu").sizing
    assert after is not None
    assert after.instance != before.instance


@pytest.mark.parametrize("model", ["nova-pro", "llama-3-3-70b"])
def test_the_advisors_token_bills_are_those_of_economics(model: str) -> None:
    month = Traffic.steady(100, 500, 200)
    for tier in tokens.tiers(model):
        assert prices.has_tier(model, tier)
        theirs, ours = tokens.on_demand(model, month, tier), prices.per_token(model, month, tier)
        assert ours.lines == theirs.lines
    assert not prices.has_tier(model, "latency-optimised") or "latency-optimised" in tokens.tiers(model)
    assert not prices.has_tier("nosuch", "standard")
