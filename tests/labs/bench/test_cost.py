"""What a run cost: at the load that was seen, from prices that keep their names and dates."""

import json

import pytest

from labs import facts
from labs.bench.cost import Price, custom_import, hourly, per_token, price_of, provisioned, queue, standing
from labs.bench.summary import summarise
from labs.economics.instances import machines
from labs.errors import Refusal
from tests.labs.bench import made


def test_an_endpoint_costs_the_same_empty_or_full() -> None:
    price = hourly("sagemaker", "ml.g5.2xlarge", 2)
    per_hour = 2 * facts.number("sagemaker.price.g5-2xlarge")
    busy, idle = (summarise(made.steady_run(n=400, rate=rate), price=price)["cost"] for rate in (20.0, 2.0))
    assert busy["usd_per_hour"] == pytest.approx(per_hour)
    assert idle["usd_per_hour"] == pytest.approx(per_hour)
    assert idle["usd_per_request"] > 8 * busy["usd_per_request"]
    low, high = busy["ci"]["usd_per_request"]
    assert low < busy["usd_per_request"] < high
    assert "at another load" in busy["at"]


def test_tokens_are_paid_as_counted_and_throttles_are_not_paid() -> None:
    price = per_token("nova-lite")
    answered = [made.record(i, i / 10) for i in range(100)]
    turned_away = [made.throttle(100 + i, 10 + i / 10) for i in range(100)]
    got = summarise(made.run(answered + turned_away), price=price)["cost"]
    token = (
        facts.number("bedrock.price.nova-lite.input_per_million"),
        facts.number("bedrock.price.nova-lite.output_per_million"),
    )
    assert got["usd"] == pytest.approx(100 * (500 * token[0] + 50 * token[1]) / 1e6)
    assert got["usd_per_request"] == pytest.approx((500 * token[0] + 50 * token[1]) / 1e6)
    assert got["usd_per_million_output_tokens"] == pytest.approx(token[1] + 10 * token[0])
    assert sum(part["usd"] for part in got["dimensions"]) == pytest.approx(got["usd"])


def test_a_failed_answer_that_produced_tokens_is_paid_and_answers_nobody() -> None:
    price = per_token("nova-lite")
    cut_off = [made.record(i, i / 10, status="Truncated" if i % 2 else "ok") for i in range(100)]
    whole = [made.record(i, i / 10) for i in range(100)]
    assert summarise(made.run(cut_off), price=price)["cost"]["usd_per_request"] == pytest.approx(
        2 * summarise(made.run(whole), price=price)["cost"]["usd_per_request"]
    )


def test_the_price_of_the_day_travels_with_the_run() -> None:
    price = hourly("ec2", "g5.2xlarge", eks_clusters=1) + queue(wait_s=3.0)
    kept = json.loads(json.dumps(price.as_dict()))
    assert Price.from_dict(kept) == price
    run = made.steady_run(n=100, price=kept)
    got = summarise(run)
    assert got["cost"]["facts"] == sorted({id for d in price.dimensions for id in d.facts})
    assert got["cost"]["as_of"] == max(facts.get(id).as_of for id in got["cost"]["facts"])
    # A price that moves later does not move what the run cost on its day.
    kept["dimensions"][0]["usd_per_unit"] *= 2
    assert summarise(made.steady_run(n=100, price=kept))["cost"]["usd_per_hour"] > 1.5 * got["cost"]["usd_per_hour"]


def test_model_units_and_imported_copies_are_paid_by_the_hour() -> None:
    assert provisioned("llama-2", 2).usd_per("hour") == pytest.approx(
        2 * facts.number("bedrock.pt.price.llama-2.no_commitment")
    )
    minute = facts.number("bedrock.import.price_per_cmu_minute")
    assert custom_import(2, copies=3).usd_per("hour") == pytest.approx(2 * 3 * 60 * minute)


def test_what_a_run_was_offered_to_has_the_registers_price() -> None:
    bedrock = {"name": "bedrock-on-demand", "endpoint": "bedrock-converse-stream", "model": "amazon.nova-lite-v1:0"}
    assert price_of(bedrock) == per_token("nova-lite")
    assert price_of({**bedrock, "model": "us.amazon.nova-lite-v1:0"}) == per_token("nova-lite")
    assert price_of({**bedrock, "through": "squid"}, wait_s=2.0) == per_token("nova-lite") + queue(2.0)
    assert price_of({**bedrock, "model": "somebody.else-v1"}) is None
    two = {"name": "sagemaker-gpu", "instance_type": "ml.g5.2xlarge", "replicas": 2}
    assert price_of(two) == hourly("sagemaker", "ml.g5.2xlarge", 2)
    assert price_of({"name": "sagemaker-gpu"}) == hourly("sagemaker", "ml.g5.2xlarge")
    assert price_of({"endpoint": "openai", "address": "http://127.0.0.1:8000"}) is None
    got = summarise(made.steady_run(n=100, target=bedrock))
    assert got["cost"]["facts"] == [
        "bedrock.price.nova-lite.input_per_million",
        "bedrock.price.nova-lite.output_per_million",
    ]


def test_a_targets_worst_case_is_a_price_by_the_hour() -> None:
    day = machines("g5.2xlarge", 2, hours=24)
    assert standing(day, 24).usd_per("hour") == pytest.approx(2 * facts.number("ec2.price.g5-2xlarge"))


def test_a_snapshot_that_is_none_is_one_sentence() -> None:
    with pytest.raises(Refusal, match="price snapshot cannot be read"):
        Price.from_dict({"usd_per_hour": 3})
    torn = hourly("ec2", "g5.2xlarge").as_dict()
    torn["dimensions"][0]["basis"] = "fortnight"
    with pytest.raises(Refusal, match="not per fortnight"):
        Price.from_dict(torn)
