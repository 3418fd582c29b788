"""Nothing starts that can cost more than was allowed, and every call is counted."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs import facts
from labs.cloud import Cloud
from labs.economics import instances
from labs.economics.bill import Bill, Line
from labs.errors import Refusal
from labs.targets import Reply, Site, ceiling, spend, token_price
from labs.targets.bedrock_on_demand import BedrockOnDemand
from labs.targets.ceiling import Calls
from labs.targets.ec2_vllm import Ec2Vllm

CLOUD = Cloud(None, "us-east-1", "111122223333", real=True, identity="arn:aws:iam::111122223333:user/learner")


class Hourly:
    """A target that costs so much an hour, and so much once."""

    name, kinds = "hourly", frozenset[Any]()

    def __init__(self, usd_per_hour: float, commitment_usd: float = 0.0, startup_minutes: float = 0.0) -> None:
        self.usd_per_hour, self.commitment_usd, self.startup_minutes = usd_per_hour, commitment_usd, startup_minutes

    def worst_case(self, site: Site) -> Bill:
        once = (Line("commitment", 1, "term", self.commitment_usd),) if self.commitment_usd else ()
        return Bill(self.name, (Line("hours", site.hours, "hour", self.usd_per_hour), *once))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def plan(target: Any, hours: float, calls: Calls = Calls()) -> ceiling.Plan:  # noqa: B008
    return ceiling.plan(target, Site(CLOUD, "mine", hours), calls)


def test_the_worst_case_holds_hours_commitment_planned_tokens_and_the_teardown() -> None:
    whole = plan(Hourly(4.0, commitment_usd=100.0), 2.0)
    assert {line.name: line.usd for line in whole.bill.lines} == {
        "hours": 8.0,
        "commitment": 100.0,
        "teardown margin": 2.0,
    }
    tokens = plan(BedrockOnDemand(), 1.0, Calls(1_000_000, 1000, 500))
    price = token_price.of(BedrockOnDemand())
    assert price is not None
    assert tokens.usd == pytest.approx(1_000_000 * price.usd(1000, 500))
    assert {line.name for line in tokens.bill.lines} == {"planned input tokens", "planned output tokens"}


def test_what_does_not_fit_is_refused_with_what_the_money_would_buy() -> None:
    """The seed lesson's own arithmetic: five dollars of a ml.inf2.48xlarge."""
    hourly = instances.endpoint("ml.inf2.48xlarge", 1, 1).usd
    refused_plan = plan(Hourly(hourly), 1.0)
    with pytest.raises(Refusal) as refused:
        ceiling.require(refused_plan, 20.0)
    assert "above the ceiling of $20.00" in str(refused.value)
    assert "The ceiling buys 47 minutes" in str(refused.value)
    with pytest.raises(Refusal, match="not last for any time"):
        ceiling.require(refused_plan, 5.0)  # the teardown alone could cost more
    named = str(refused.value).rpartition("--ceiling-usd ")[2].rstrip(".")
    ceiling.require(refused_plan, float(named))


def test_a_run_that_cannot_come_up_in_its_hours_does_not_start() -> None:
    with pytest.raises(Refusal, match="cannot finish"):
        ceiling.require(plan(Hourly(1.0, startup_minutes=30), 0.25), 1_000.0)
    ceiling.require(plan(Hourly(1.0, startup_minutes=30), 1.0), 1_000.0)


@given(st.floats(0.01, 500), st.floats(0, 5_000), st.floats(0.1, 100), st.floats(0, 10_000))
def test_what_the_ceiling_buys_fits_and_a_little_more_does_not(
    rate: float, once: float, hours: float, limit: float
) -> None:
    refused = plan(Hourly(rate, once), hours)
    lasts = ceiling.affordable_hours(refused, limit)
    if lasts <= 0.02:
        return
    ceiling.require(ceiling.for_hours(refused, lasts * 0.999), limit)
    with pytest.raises(Refusal):
        ceiling.require(ceiling.for_hours(refused, lasts * 1.001 + 0.001), limit)


def test_ec2s_worst_case_grows_by_the_margin() -> None:
    site = Site(CLOUD, "mine", 2.0)
    whole = ceiling.plan(Ec2Vllm(), site)
    assert whole.usd == pytest.approx(Ec2Vllm().worst_case(dataclasses.replace(site, hours=2.5)).usd)


def test_an_unknown_price_is_no_price_of_zero() -> None:
    with pytest.raises(Refusal, match=r"no price of 'amazon\.nobody-knows-v1:0'"):
        plan(BedrockOnDemand("amazon.nobody-knows-v1:0"), 1.0, Calls(1, 1, 1))


def test_a_profile_is_priced_as_its_model() -> None:
    own, profile = (
        token_price.of(BedrockOnDemand("amazon.nova-lite-v1:0")),
        token_price.of(BedrockOnDemand("us.amazon.nova-lite-v1:0")),
    )
    assert own == profile
    assert own is not None
    assert own.input_usd == facts.number("bedrock.price.nova-lite.input_per_million")


class TestSpend:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("LAB_HOME", str(tmp_path))
        return tmp_path

    def test_calls_are_counted_by_deployment_and_cloud(self) -> None:
        target, mine, other = BedrockOnDemand(), Site(CLOUD, "mine"), Site(CLOUD, "other")
        for _ in range(3):
            spend.after(target, mine, Reply("secret words", 1000, 100, "end_turn"))
        spend.after(target, other, Reply("", 1, 1, "end_turn"))
        spent = spend.total(CLOUD)["mine"]
        price = token_price.of(target)
        assert price is not None
        assert (spent.calls, spent.input_tokens, spent.output_tokens) == (3, 3000, 300)
        assert spent.usd == pytest.approx(3 * price.usd(1000, 100))
        assert spend.total(dataclasses.replace(CLOUD, region="eu-west-1")) == {}

    def test_a_call_that_could_pass_the_limit_is_not_sent(self) -> None:
        target, site = BedrockOnDemand(), Site(CLOUD, "mine")
        price = token_price.of(target)
        assert price is not None
        spend.before(target, site, "x" * 10_000, 4_000)  # no limit was set
        spend.open_for(site, target, price.usd(0, 1_500))
        spend.before(target, site, "", 1_000)
        spend.after(target, site, Reply("", 0, 1_000, "max_tokens"))
        spend.before(target, site, "", 500)
        with pytest.raises(Refusal, match="nothing was sent"):
            spend.before(target, site, "", 501)
        spend.open_for(site, target, price.usd(0, 10_000))
        spend.before(target, site, "", 501)

    def test_the_file_holds_no_word_of_prompt_or_answer(self, home: Path) -> None:
        spend.after(BedrockOnDemand(), Site(CLOUD, "mine"), Reply("secret words", 3, 2, "end_turn"))
        text = (home / spend.FILE).read_text()
        assert "secret" not in text
        assert set(json.loads(text)) <= {field.name for field in dataclasses.fields(spend.Entry)}

    def test_a_half_written_line_is_passed_over(self, home: Path) -> None:
        spend.after(BedrockOnDemand(), Site(CLOUD, "mine"), Reply("", 3, 2, "end_turn"))
        with (home / spend.FILE).open("a") as file:
            file.write('{"at": "2026-')
        assert spend.total(CLOUD)["mine"].calls == 1
