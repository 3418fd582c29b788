"""Token quotas: booked when a call starts, settled when it ends; what a call costs, and what CloudWatch is told."""

import time
from typing import Any

import pytest

from labs import facts
from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.services import bedrock_asked, bedrock_converse, quotas
from labs.cloud.services.bedrock_account import accounts
from labs.cloud.services.bedrock_call import Call
from labs.cloud.services.bedrock_quota import Meter, bedrock_quota
from labs.cloud.services.bedrock_routes import Routes, Wish
from labs.cloud.services.errors import ServiceError
from labs.cloud.wallclock import Rejected
from tests.labs.cloud.bedrock_kit import brief, checked, code_of, user

LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def set_quota(context: Context, model_id: str, tokens_per_minute: float) -> None:
    quota = quotas.bedrock_tokens_per_minute(model_id)
    assert quota
    quotas.set_value(context, "us-east-1", "bedrock", quota.code, tokens_per_minute)


def prompt_of(tokens: int) -> list[dict[str, Any]]:
    """A message of so many tokens."""
    return user("x" + " x" * (tokens - bedrock_asked.MESSAGE_OVERHEAD_TOKENS - 1))


class TestTheMorning:
    """250 calls at once: 500 tokens in, 200 out, against the default quota of Llama 3.3 70B."""

    def admitted(self, context: Context, max_tokens: int) -> int:
        account, routes = accounts(context).of(context.account_id, "us-east-1"), Routes(context)
        streams, codes = [], set()
        for _ in range(250):
            route = routes.find(account, LLAMA, Wish())
            request = {"messages": prompt_of(500), "inferenceConfig": {"maxTokens": max_tokens}}
            asked = bedrock_converse.read(request, route.served)
            assert asked.input_tokens == 500
            try:
                call = Call(context, account, route, asked, bedrock_converse.ConverseFace({}))
                streams.append(call._begin(every_token=False))
            except ServiceError as refused:
                codes.add(refused.code)
        assert codes <= {"ThrottlingException"}
        for stream in streams:
            stream.close()
        return len(streams)

    @pytest.mark.parametrize("max_tokens", [8192, 256])
    def test_one_integer_decides(self, in_process_cloud: Context, max_tokens: int) -> None:
        fit = int(facts.number("bedrock.tpm.llama-3-3-70b") // (500 + max_tokens))
        assert self.admitted(in_process_cloud, max_tokens) == min(250, fit) == {8192: 69, 256: 250}[max_tokens]


class TestThroughTheApi:
    """Small quotas, real calls."""

    def test_a_call_that_does_not_fit_is_throttled_and_a_raised_quota_counts_at_once(
        self, in_process_cloud: Context
    ) -> None:
        runtime = checked("bedrock-runtime")
        set_quota(in_process_cloud, LLAMA, 1000)
        assert bedrock_quota(in_process_cloud, "us-east-1", LLAMA) == 1000
        call = {"modelId": LLAMA, "messages": prompt_of(100), "inferenceConfig": {"maxTokens": 900}}
        runtime.converse(**call)  # fits exactly; afterwards only what it used is spent
        with pytest.raises(runtime.exceptions.ThrottlingException, match="Too many tokens") as refused:
            runtime.converse(**call)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
        assert code_of(runtime.converse_stream, **call) == "ThrottlingException"
        assert brief(runtime, LLAMA)["usage"]["outputTokens"] == 2  # a small one fits
        set_quota(in_process_cloud, LLAMA, 5000)
        assert runtime.converse(**call)["usage"]["inputTokens"] == 100

    def test_without_max_tokens_the_models_longest_answer_is_booked(self, in_process_cloud: Context) -> None:
        runtime = checked("bedrock-runtime")
        set_quota(in_process_cloud, LLAMA, 8191)
        assert code_of(runtime.converse, modelId=LLAMA, messages=user("hi")) == "ThrottlingException"

    def test_a_stream_that_is_given_up_gives_its_booking_back(self, in_process_cloud: Context) -> None:
        runtime = checked("bedrock-runtime")
        set_quota(in_process_cloud, LLAMA, 1000)
        call = {"modelId": LLAMA, "messages": user("hi"), "inferenceConfig": {"maxTokens": 900}}
        stream = runtime.converse_stream(**call)["stream"]
        next(iter(stream))
        assert code_of(runtime.converse_stream, **call) == "ThrottlingException"
        stream.close()
        runtime.converse_stream(**call)["stream"].close()

    def test_a_quota_is_one_regions_and_one_models(self, in_process_cloud: Context) -> None:
        set_quota(in_process_cloud, LLAMA, 1)
        assert code_of(brief, client=checked("bedrock-runtime"), model_id=LLAMA) == "ThrottlingException"
        assert brief(checked("bedrock-runtime", "us-west-2"), LLAMA)
        assert brief(checked("bedrock-runtime"), "us.meta.llama3-1-8b-instruct-v1:0")

    def test_tiers_share_it(self, in_process_cloud: Context) -> None:
        pro = "amazon.nova-pro-v1:0"
        set_quota(in_process_cloud, pro, 100)
        runtime = checked("bedrock-runtime")
        call = {"modelId": pro, "messages": user("hi"), "inferenceConfig": {"maxTokens": 80}}
        runtime.converse(**call)
        assert code_of(runtime.converse, **call, serviceTier={"type": "flex"}) == "ThrottlingException"

    def test_metrics(self, in_process_cloud: Context) -> None:
        runtime = checked("bedrock-runtime")
        set_quota(in_process_cloud, LLAMA, 600)
        call = {"modelId": LLAMA, "messages": prompt_of(100), "inferenceConfig": {"maxTokens": 5}}
        runtime.converse(**call)
        list(runtime.converse_stream(**call)["stream"])
        assert code_of(runtime.converse, **call | {"inferenceConfig": {"maxTokens": 1000}}) == "ThrottlingException"
        assert code_of(runtime.converse, **call | {"messages": []}) == "ValidationException"
        store = metrics.store(in_process_cloud)

        def recorded(name: str) -> tuple[float, float]:
            where, dimensions = (in_process_cloud.account_id, "us-east-1"), (("ModelId", LLAMA),)
            found = store.read(where, "AWS/Bedrock", name, dimensions, 0, time.time() + 60)
            return sum(bucket.count for _, bucket in found), sum(bucket.total for _, bucket in found)

        assert recorded("Invocations") == (2, 2)
        assert recorded("InputTokenCount") == (2, 200)
        assert recorded("OutputTokenCount") == (2, 10)
        assert recorded("InvocationThrottles") == (1, 1)
        assert recorded("InvocationClientErrors") == (1, 1)
        latencies, latency_ms = recorded("InvocationLatency")
        firsts, first_ms = recorded("TimeToFirstToken")
        assert (latencies, firsts) == (2, 1)
        assert 0 < first_ms < latency_ms


class TestMeter:
    """The rule at Bedrock's door, without a cloud."""

    def test_output_is_settled_at_its_burndown(self) -> None:
        now = [0.0]
        meter = Meter(lambda: 10_000, burndown=5, now=lambda: now[0])
        ticket = meter.admit(100, 1000)
        assert meter.used() == 1100
        ticket.settle(200)
        assert meter.used() == 100 + 200 * 5
        ticket.settle(200)
        assert meter.used() == 1100
        now[0] = 61.0
        assert meter.used() == 0

    def test_the_limit_is_asked_for_at_every_call(self) -> None:
        limit: list[float | None] = [0]
        meter = Meter(lambda: limit[0])
        with pytest.raises(Rejected, match="tokens per minute"):
            meter.admit(1, 1)
        limit[0] = None
        meter.admit(10**9, 10**9)

    def test_a_day_has_its_own_limit(self) -> None:
        meter = Meter(lambda: None, tokens_per_day=100)
        meter.admit(50, 50)
        with pytest.raises(Rejected, match="tokens per day"):
            meter.admit(1, 1)
