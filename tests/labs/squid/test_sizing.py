"""Workers are sized from the quota by Little's law, and the reason can be checked by hand."""

import pytest

from labs import facts
from labs.cloud.context import Context
from labs.squid import sizing
from labs.targets.calling import Address

LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"


def test_calls_in_flight_are_calls_a_second_times_seconds_a_call() -> None:
    sized = sizing.size(
        LLAMA, tokens_per_minute=600_000, input_tokens=6_000, max_tokens=1_500, batch_size=1, seconds=24
    )
    assert sized.calls_in_flight == pytest.approx(600_000 / 60 / 7_500 * 24)
    assert sized.workers == 32
    assert "1.3 calls a second" in sized.reason
    assert "= 32 calls in flight" in sized.reason


def test_a_lower_max_tokens_feeds_more_calls_a_second_and_a_burndown_fewer() -> None:
    def rate(model: str, max_tokens: int) -> float:
        one = sizing.size(
            model, tokens_per_minute=600_000, input_tokens=500, max_tokens=max_tokens, batch_size=1, seconds=1
        )
        return one.calls_in_flight

    assert rate(LLAMA, 500) == pytest.approx(2.5 * rate(LLAMA, 2_000))
    claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert sizing.burndown_of(claude) == facts.number("bedrock.burndown.claude-4-7-and-older")
    assert rate(claude, 500) == pytest.approx(rate(LLAMA, 500) * 1_000 / 3_000)


def test_lambdas_limits_bound_it_and_too_small_a_quota_is_said() -> None:
    small = sizing.size(LLAMA, tokens_per_minute=6_000, input_tokens=1_000, max_tokens=500, batch_size=5, seconds=10)
    assert small.workers == facts.number("lambda.sqs.maximum_concurrency_min")
    assert "a smaller batch helps" in small.reason
    large = sizing.size(LLAMA, tokens_per_minute=1e12, input_tokens=1, max_tokens=1, batch_size=1, seconds=10)
    assert large.workers == facts.number("lambda.sqs.maximum_concurrency_max")


def test_the_accounts_own_quota_decides_and_whoever_asks_for_more_is_told(in_process_cloud: Context) -> None:
    del in_process_cloud
    address = Address("converse", LLAMA)
    assert sizing.quota_of(address) == facts.number("bedrock.tpm.llama-3-3-70b")
    chosen, reason = sizing.workers(address, max_tokens=512, batch_size=5, asked=None)
    assert chosen == sizing.ENOUGH_FOR_A_COURSE
    assert "within the quota" in reason
    chosen, reason = sizing.workers(address, max_tokens=512, batch_size=5, asked=100)
    assert chosen == 100
    assert "more than that quota feeds" in reason


def test_no_quota_of_tokens_stands_before_an_endpoint() -> None:
    chosen, reason = sizing.workers(Address("sagemaker", "endpoint"), max_tokens=512, batch_size=5, asked=None)
    assert chosen == sizing.ENOUGH_FOR_A_COURSE
    assert "no quota of tokens" in reason
