"""What lesson 8 says in numbers comes out of the engine and the register; its charts show what their descriptions claim."""

from pathlib import Path

import pytest
from lessoncharts import bridge as charts

from labs import facts
from labs.economics import tokens
from labs.economics.traffic import Traffic

LESSON = (Path(__file__).parents[2] / "book" / "08-bridge.md").read_text("utf-8")


def says(*sentences: str) -> None:
    text = " ".join(LESSON.split())
    for sentence in sentences:
        assert sentence in text, sentence


def share(policy: str, minute: int) -> int:
    return round(100 * charts.storm(charts.POLICIES[policy]).in_time(minute))


def test_repeats_keep_an_overload_alive_and_jitter_does_not_end_it() -> None:
    for policy in ("three attempts", "three, with jitter"):
        assert [share(policy, minute) for minute in range(10)] == [100, 23, *[0] * 8]
    half_an_hour = charts.storm(charts.POLICIES["three, with jitter"], end_s=1860)
    assert not any(half_an_hour.in_time(minute) for minute in range(2, 30))
    steady = [half_an_hour.attempts(minute) for minute in range(2, 30)]
    assert sum(steady) / len(steady) == pytest.approx(360, rel=0.03)
    says("Nobody has had an answer since 9:02", "has become about 360", "three attempts are worse than one")


def test_it_is_no_accident_of_one_seed() -> None:
    gone = [not charts.storm(charts.POLICIES["three, with jitter"], seed).in_time(8) for seed in range(12)]
    assert sum(gone) >= 10
    assert all(charts.storm(charts.POLICIES["a door of 40"], seed).in_time(8) > 0.9 for seed in range(12))


def test_what_helps_helps_as_the_lesson_says() -> None:
    assert share("one attempt", 2) == 81
    assert share("one attempt", 3) == 100
    assert share("a budget of 10 %", 2) < 50
    assert share("a budget of 10 %", 3) == 100
    assert share("a door of 40", 1) == 79
    assert share("a door of 40", 2) == 100
    says(
        "back after two minutes",
        "79 of 100 in the very minute",
        "79 with a door",
        "with a budget of repeats after three",
    )


def test_when_words_are_seen() -> None:
    seen = charts.routes()
    assert seen["streamed response"] == pytest.approx((0.8, 39.2), abs=0.06)
    assert seen["queue, text pushed"] == pytest.approx((1.3, 39.7), abs=0.06)
    assert seen["queue, polled"][0] == pytest.approx(40.5, abs=0.1)
    says("Streamed, from 0.8 to 39 seconds", "from 1.3 to 40 seconds", "everything at about 41 seconds")


def test_a_cascade_pays_from_the_ratio_of_the_prices_on() -> None:
    small, large = (
        tokens.on_demand(model, Traffic.steady(100, 500, 200)).usd / (100 * 60 * 730)
        for model in ("nova-lite", "nova-pro")
    )
    assert small == pytest.approx(0.000078)
    assert large == pytest.approx(0.00104)
    assert small / large == pytest.approx(0.075)
    assert 1 / 14 < small / large < 1 / 13
    check = (
        900 * facts.number("bedrock.price.nova-lite.input_per_million")
        + 20 * facts.number("bedrock.price.nova-lite.output_per_million")
    ) / 1e6
    assert check == pytest.approx(0.0000588)
    assert (small + check) / large == pytest.approx(0.13, abs=0.005)
    says("**7.5 per cent.** One question in thirteen", "$0.0001368", "= 13 per cent")


def test_a_gateway_that_waits_is_billed_for_it() -> None:
    calls = 100 * 60 * 730
    waiting = calls * 10 * 0.5 * facts.number("lambda.price.per_gb_s_x86")
    assert waiting == pytest.approx(365, abs=0.5)
    smallest = calls * 10 * 0.125 * facts.number("lambda.price.per_gb_s_arm")
    assert smallest == pytest.approx(73, abs=0.5)
    assert calls / 1e6 * facts.number("apigateway.price.http_per_million") == pytest.approx(4.4, abs=0.1)
    assert tokens.on_demand("nova-lite", Traffic.steady(100, 500, 200)).usd == pytest.approx(342, abs=0.5)
    assert calls == 4_380_000
    says("= **$365 a month**", "it would be $73", "$342", "about $4 a month", "4,380,000 calls")


def test_attempts_multiply() -> None:
    assert 3 * 2 * facts.number("boto3.max_attempts") == 18
    assert 4 * facts.number("boto3.max_attempts") == 12
    says("3 × 2 × 3 = 18 calls", "|number` = 12")
