"""What a call may ask for beside an answer: cached prompts, service tiers, lower latency; and the faults that meet it."""

import json
from typing import Any

import pytest
from botocore.exceptions import EventStreamError

from labs import facts
from labs.cloud import faults
from labs.cloud.context import Context
from labs.cloud.services import quotas
from labs.cloud.services.bedrock_cache import Part, PromptCache
from labs.cloud.services.bedrock_models import models
from labs.cloud.services.bedrock_routes import Wish, speed
from tests.labs.cloud.bedrock_kit import brief, checked, code_of, either, user

__all__ = ["either"]

NOVA = "amazon.nova-micro-v1:0"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
LEAST = 1024
LONG = "Lighthouse. " * LEAST


def cached(text: str, question: str, ttl: str | None = None) -> dict[str, Any]:
    """A conversation whose system prompt is to be cached."""
    point = {"type": "default"} | ({"ttl": ttl} if ttl else {})
    return {
        "system": [{"text": text}, {"cachePoint": point}],
        "messages": user(question),
        "inferenceConfig": {"maxTokens": 2},
    }


@pytest.mark.usefixtures("either")
def test_a_prompt_is_written_once_and_read_from_then_on(either: str) -> None:
    runtime, text = checked("bedrock-runtime"), f"{either} {LONG}"
    first = runtime.converse(modelId=NOVA, **cached(text, "One?"))["usage"]
    second = runtime.converse(modelId=NOVA, **cached(text, "Two?"))["usage"]
    assert first["cacheReadInputTokens"] == 0 < LEAST < first["cacheWriteInputTokens"]
    assert second["cacheReadInputTokens"] == first["cacheWriteInputTokens"]
    assert second["cacheWriteInputTokens"] == 0
    assert first["inputTokens"] == second["inputTokens"] < 20
    assert second["totalTokens"] == second["inputTokens"] + second["cacheReadInputTokens"] + second["outputTokens"]
    assert first["cacheDetails"] == [{"ttl": "5m", "inputTokens": first["cacheWriteInputTokens"]}]
    streamed = list(runtime.converse_stream(modelId=NOVA, **cached(text, "Three?"))["stream"])
    assert streamed[-1]["metadata"]["usage"]["cacheReadInputTokens"] == first["cacheWriteInputTokens"]


@pytest.mark.usefixtures("in_process_cloud")
class TestCaching:
    """Prompt caching through the API."""

    def test_claudes_own_body_caches_too(self) -> None:
        runtime = checked("bedrock-runtime")
        block = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
        body = {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 2,
            "system": [block],
            "messages": [{"role": "user", "content": "One?"}],
        }
        usages = []
        for _ in range(2):
            answer = runtime.invoke_model(modelId=SONNET, body=json.dumps(body))
            usages.append(json.loads(answer["body"].read())["usage"])
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            assert headers["x-amzn-bedrock-cache-read-input-token-count"] == str(usages[-1]["cache_read_input_tokens"])
        assert usages[0]["cache_creation_input_tokens"] == usages[1]["cache_read_input_tokens"] > LEAST
        assert usages[0]["cache_read_input_tokens"] == usages[1]["cache_creation_input_tokens"] == 0

    def test_a_prompt_shorter_than_the_models_least_is_not_cached(self) -> None:
        runtime = checked("bedrock-runtime")
        assert models()[HAIKU.removeprefix("us.")].cache_min_tokens == 4096
        for _ in range(2):  # long enough for Nova and for Sonnet, not for Haiku
            usage = runtime.converse(modelId=HAIKU, **cached(LONG, "One?"))["usage"]
            assert (usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]) == (0, 0)
            assert usage["inputTokens"] > LEAST

    def test_what_was_read_is_not_computed_again(self) -> None:
        runtime = checked("bedrock-runtime")
        long = LONG * 20
        latencies = [runtime.converse(modelId=NOVA, **cached(long, "One?"))["metrics"]["latencyMs"] for _ in range(2)]
        tokens, per_token_s = 20 * 3 * LEAST, models()[NOVA].speed().per_input_token_s
        assert latencies[0] > tokens * per_token_s * 1000 / 5  # of the prompt alone, and a shared service scatters
        assert latencies[1] < latencies[0]

    def test_bad_input(self) -> None:
        runtime = checked("bedrock-runtime")
        llama = "us.meta.llama3-3-70b-instruct-v1:0"
        assert code_of(runtime.converse, modelId=llama, **cached(LONG, "One?")) == "AccessDeniedException"
        assert code_of(runtime.converse, modelId=NOVA, **cached(LONG, "One?", "1h")) == "ValidationException"
        assert runtime.converse(modelId=SONNET, **cached(LONG, "One?", "1h"))["usage"]["cacheDetails"][0]["ttl"] == "1h"
        points = [{"text": "x"}, {"cachePoint": {"type": "default"}}] * 5
        too_many = {"messages": [{"role": "user", "content": points}]}
        with pytest.raises(runtime.exceptions.ValidationException, match="maximum of 4"):
            runtime.converse(modelId=NOVA, **too_many)


class TestPromptCache:
    """The cache itself."""

    def parts(self, *pieces: tuple[str, int, str | None]) -> list[Part]:
        return [Part(*piece) for piece in pieces]

    def test_a_longer_conversation_reads_what_a_shorter_one_wrote(self) -> None:
        cache = PromptCache()
        first = self.parts(("system", 900, None), ("one", 200, "5m"))
        cache.write(cache.look(first, 1024))
        longer = [*self.parts(("system", 900, None), ("one", 200, None)), *self.parts(("two", 300, "5m"))]
        plan = cache.look(longer, 1024)
        assert (plan.read, plan.written) == (1100, 300)
        cache.write(plan)
        assert cache.look(longer, 1024).read == 1400
        changed = self.parts(("System", 900, None), ("one", 200, "5m"))
        assert cache.look(changed, 1024).read == 0

    def test_nothing_is_read_without_a_checkpoint_and_nothing_short_is_written(self) -> None:
        cache = PromptCache()
        cache.write(cache.look(self.parts(("a", 2000, "5m")), 1024))
        assert cache.look(self.parts(("a", 2000, None)), 1024).read == 0
        assert cache.look(self.parts(("b", 1023, "5m")), 1024).written == 0
        assert cache.look(self.parts(("b", 1024, "5m")), 1024).written == 1024

    def test_a_prefix_lives_five_minutes_from_its_last_reading_or_an_hour(self) -> None:
        now = [0.0]
        cache = PromptCache(now=lambda: now[0])
        five, hour = self.parts(("a", 2000, "5m")), self.parts(("b", 2000, "1h"))
        for parts in (five, hour):
            cache.write(cache.look(parts, 1024))
        ttl = facts.number("bedrock.cache.ttl_default_s")
        for _ in range(3):  # each reading keeps it
            now[0] += ttl - 1
            plan = cache.look(five, 1024)
            assert (plan.read, plan.written) == (2000, 0)
            cache.write(plan)
        now[0] += ttl + 1
        assert (cache.look(five, 1024).read, cache.look(hour, 1024).read) == (0, 2000)
        now[0] += facts.number("bedrock.cache.ttl_long_s")
        assert cache.look(hour, 1024).read == 0


@pytest.mark.usefixtures("in_process_cloud")
class TestTiers:
    """Service tiers and latency-optimised inference."""

    def test_change_the_engines_speed(self) -> None:
        pro = models()["amazon.nova-pro-v1:0"]
        default, priority = speed(pro, Wish()), speed(pro, Wish("priority"))
        flex, optimised = speed(pro, Wish("flex")), speed(pro, Wish(latency="optimized"))
        factor = 1 - facts.number("bedrock.tier.priority.latency_percent") / 100
        assert priority.tpot_s == pytest.approx(default.tpot_s * factor)
        assert optimised.tpot_s < default.tpot_s < flex.tpot_s
        assert optimised.ttft_s < default.ttft_s < flex.ttft_s

    def test_are_offered_for_some_models_and_repeated(self) -> None:
        runtime, west = checked("bedrock-runtime"), checked("bedrock-runtime", "us-west-2")
        pro = "us.amazon.nova-pro-v1:0"
        for tier in ("default", "priority", "flex"):
            assert brief(runtime, pro, serviceTier={"type": tier})["serviceTier"] == {"type": tier}
        optimised = brief(west, pro, performanceConfig={"latency": "optimized"})
        assert optimised["performanceConfig"] == {"latency": "optimized"}

    @pytest.mark.parametrize(
        ("model_id", "more", "words"),
        [
            (
                "us.amazon.nova-pro-v1:0",
                {"performanceConfig": {"latency": "optimized"}},
                "is not supported for",
            ),  # Region
            (NOVA, {"performanceConfig": {"latency": "optimized"}}, "Latency performance configuration"),
            (HAIKU, {"serviceTier": {"type": "flex"}}, "service tier flex is not supported"),
            (NOVA, {"serviceTier": {"type": "reserved"}}, "Reservation not found."),
            (NOVA, {"serviceTier": {"type": "cheap"}}, "enum value set"),
            (NOVA, {"performanceConfig": {"latency": "turbo"}}, "enum value set"),
        ],
    )
    def test_are_refused_where_they_are_not_offered(self, model_id: str, more: dict[str, Any], words: str) -> None:
        runtime = checked("bedrock-runtime")
        with pytest.raises(runtime.exceptions.ValidationException, match=words):
            brief(runtime, model_id, **more)


@pytest.mark.usefixtures("either")
class TestFaults:
    """What AWS's bad days look like."""

    @pytest.mark.parametrize(
        ("kind", "code", "status"),
        [
            ("throttle", "ThrottlingException", 429),
            ("no-capacity", "ServiceUnavailableException", 503),
            ("timeout", "ModelTimeoutException", 408),
        ],
    )
    def test_a_call_is_refused(self, kind: str, code: str, status: int) -> None:
        runtime = checked("bedrock-runtime")
        with faults.inject(kind, service="bedrock-runtime", operation="Converse"):
            with pytest.raises(runtime.exceptions.ClientError) as refused:
                brief(runtime, NOVA)
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert brief(runtime, NOVA)["usage"]["outputTokens"] == 2

    def test_a_stream_ends_in_an_error_event(self) -> None:
        runtime = checked("bedrock-runtime")
        body = json.dumps({"messages": user("Say it."), "inferenceConfig": {"maxTokens": 30}})
        with faults.inject("stream-error", service="bedrock-runtime", after=4):
            for start, key in (
                (lambda: runtime.converse_stream(modelId=NOVA, messages=user("Say it.")), "stream"),
                (lambda: runtime.invoke_model_with_response_stream(modelId=NOVA, body=body), "body"),
            ):
                events = iter(start()[key])
                seen = [next(events) for _ in range(4)]
                assert len(seen) == 4
                with pytest.raises(EventStreamError, match=r"modelStreamErrorException.*broke off"):
                    next(events)


def test_a_fault_in_the_middle_frees_the_seat_and_the_quota(in_process_cloud: Context) -> None:
    quota = quotas.bedrock_tokens_per_minute(NOVA)
    assert quota
    quotas.set_value(in_process_cloud, "us-east-1", "bedrock", quota.code, 1000)
    runtime = checked("bedrock-runtime")
    call = {"modelId": NOVA, "messages": user("hi"), "inferenceConfig": {"maxTokens": 900}}
    with faults.inject("stream-error", service="bedrock-runtime", times=1):
        with pytest.raises(EventStreamError):
            list(runtime.converse_stream(**call)["stream"])
    assert list(runtime.converse_stream(**call)["stream"])
