"""What `lab simulate` says a run costs."""

import json

import pytest
from click.testing import CliRunner

from labs import facts
from labs.economics.commands import price, simulate
from labs.serving.commands import PricedRun


def run(**changes: object) -> PricedRun:
    settings = {
        "model": "llama-3.1-8b",
        "hardware": "ml.g5.12xlarge",
        "accelerators": 1,
        "replicas": 4,
        "replica_hours": 4.0,
        "duration_s": 3600.0,
        "requests": 3_600,
        "input_tokens": 1_800_000,
        "output_tokens": 720_000,
    }
    return PricedRun(**{**settings, **changes})  # type: ignore[arg-type]


def test_replicas_that_fit_on_one_instance_share_its_price() -> None:
    hour = facts.number("sagemaker.price.g5-12xlarge")
    four, five = price(run()), price(run(replicas=5, replica_hours=5.0))
    assert four is not None
    assert five is not None
    assert four["usd_per_hour"] == pytest.approx(hour)
    assert five["usd_per_hour"] == pytest.approx(2 * hour)
    assert four["usd_per_request"] == pytest.approx(hour / 3_600)
    assert four["usd_per_million_output_tokens"] == pytest.approx(hour / 0.72)


def test_the_same_machine_costs_less_on_ec2() -> None:
    ec2, sagemaker = price(run(hardware="g5.12xlarge")), price(run())
    assert ec2 is not None
    assert sagemaker is not None
    assert ec2["usd_per_hour"] < sagemaker["usd_per_hour"]


@pytest.mark.parametrize(
    "changes", [{"hardware": "h100"}, {"hardware": "ml.trn2.48xlarge"}, {"accelerators": None}, {"requests": 0}]
)
def test_what_has_no_list_price_gets_none(changes: dict[str, object]) -> None:
    assert price(run(**changes)) is None


def test_the_command_prints_the_cost() -> None:
    arguments = "--model llama-3.1-8b --hardware ml.g5.12xlarge --rate 1 --requests 50 --input-tokens 200 --output-tokens 50 --json"
    result = CliRunner().invoke(simulate, arguments.split())
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert answer["provenance"] == "predicted"
    assert answer["cost"]["usd_per_hour"] == pytest.approx(facts.number("sagemaker.price.g5-12xlarge"))
