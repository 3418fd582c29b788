"""The on-demand target speaks Converse, says why it cannot, and lets a caller invoke its model and no other."""

from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from labs import cloud, targets
from labs.cloud import Cloud
from labs.errors import USAGE, Refusal
from labs.targets import Address, Kind, Reply, Site, asking, options, token_price
from labs.targets.bedrock_on_demand import BedrockOnDemand
from labs.targets.calling import Caller


def arns(model_id: str, region: str = "eu-central-1") -> list[str]:
    site = Site(Cloud(None, region, "111122223333", real=True), "mine")
    [statement] = BedrockOnDemand(model_id).statements(site)
    assert statement["Action"] == ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    found: list[str] = statement["Resource"]
    return found


def test_an_unknown_target_is_answered_with_the_list() -> None:
    with pytest.raises(Refusal, match=r"no target 'nosuch'; the targets are: .*bedrock-on-demand") as refused:
        targets.get("nosuch")
    assert refused.value.exit_status == USAGE


def test_every_registered_target_declares_what_it_is() -> None:
    for name, make in targets.TARGETS.items():
        target = make()
        assert target.name == name
        assert target.kinds <= set(Kind)
        assert target.kinds


def test_a_base_model_needs_its_own_arn() -> None:
    assert arns("amazon.nova-lite-v1:0") == ["arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0"]


@pytest.mark.parametrize("geography", ["eu", "us", "apac", "global"])
def test_an_inference_profile_needs_itself_and_its_model_wherever_it_may_route(geography: str) -> None:
    assert arns(f"{geography}.amazon.nova-lite-v1:0") == [
        f"arn:aws:bedrock:eu-central-1:111122223333:inference-profile/{geography}.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0",
    ]


def test_a_provisioned_or_imported_model_is_its_arn() -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:imported-model/abc123"
    assert arns(arn) == [arn]


def test_another_partition_has_other_arns() -> None:
    assert arns("amazon.nova-lite-v1:0", "us-gov-west-1")[0].startswith("arn:aws-us-gov:bedrock:us-gov-west-1::")


class TestOptions:
    """Tier, latency and prompt cache travel in the address, so that whoever calls it asks for them: also the queue's worker, from its environment."""

    @pytest.fixture(autouse=True)
    def somewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def asked(self, target: BedrockOnDemand) -> dict[str, Any]:
        """The request that a caller sends who was given nothing but the address, as text."""
        told = target.address(Site(Cloud(None, "us-east-1", "111122223333"), "mine")).to_json()
        caller, sent = Caller(Address.from_json(told)), {}
        usage = {"inputTokens": 3, "outputTokens": 1, "cacheReadInputTokens": 40, "cacheWriteInputTokens": 2}
        answer = {"output": {"message": {"content": [{"text": "x"}]}}, "usage": usage, "stopReason": "end_turn"}
        caller._client = SimpleNamespace(converse=lambda **request: sent.update(request) or answer)
        assert caller.ask("Hello", 5).input_tokens == 45, "tokens of the cache were read too"
        return sent

    def test_without_options_the_request_says_nothing_of_them(self) -> None:
        assert set(self.asked(BedrockOnDemand())) == {"modelId", "messages", "inferenceConfig"}

    def test_each_option_is_in_the_request(self) -> None:
        target = options.make(
            "bedrock-on-demand", BedrockOnDemand, ["latency=optimized", "system=Be brief.", "cache=yes"], tier="flex"
        )
        assert isinstance(target, BedrockOnDemand)
        sent = self.asked(target)
        assert sent["serviceTier"] == {"type": "flex"}
        assert sent["performanceConfig"] == {"latency": "optimized"}
        assert sent["system"] == [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}]
        assert sent["messages"][0]["content"] == [{"text": "Hello"}]

    def test_with_nothing_before_it_the_prompt_itself_is_kept(self) -> None:
        content = self.asked(BedrockOnDemand(cache=True))["messages"][0]["content"]
        assert content == [{"text": "Hello"}, {"cachePoint": {"type": "default"}}]

    def test_a_tier_has_its_own_price_and_one_without_a_price_is_none_for_nothing(self) -> None:
        flex, plain = (token_price.of(BedrockOnDemand("amazon.nova-pro-v1:0", tier)) for tier in ("flex", "default"))  # type: ignore[arg-type]
        assert flex is not None
        assert plain is not None
        assert flex.facts == (
            "bedrock.price.nova-pro.flex_input_per_million",
            "bedrock.price.nova-pro.flex_output_per_million",
        )
        assert flex.input_usd < plain.input_usd
        with pytest.raises(Refusal, match=r"no price of 'amazon\.nova-lite-v1:0' in the tier flex"):
            token_price.of(BedrockOnDemand(tier="flex"))
        with pytest.raises(Refusal, match="with optimised latency"):
            token_price.of(BedrockOnDemand(latency="optimized"))

    def test_what_is_written_to_the_cache_is_priced_as_that(self) -> None:
        haiku = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
        kept, plain = (token_price.of(BedrockOnDemand(haiku, cache=cache)) for cache in (True, False))
        assert kept is not None
        assert plain is not None
        assert kept.input_usd > plain.input_usd


@pytest.mark.usefixtures("local_cloud")
class TestOnTheLocalCloud:
    def site(self) -> Site:
        return Site(cloud.connect(), "on-demand")

    def test_it_answers_whole(self) -> None:
        target, site = BedrockOnDemand(), self.site()
        target.deploy(site)
        reply = asking.ask(target, site, "Name three rivers.", max_tokens=20)
        assert reply.text
        assert reply.input_tokens > 0
        assert 0 < reply.output_tokens <= 20
        assert target.worst_case(site).usd == 0
        target.remove(site)

    def test_it_answers_piece_by_piece_and_then_whole(self) -> None:
        *pieces, reply = asking.stream(BedrockOnDemand(), self.site(), "Name three rivers.", max_tokens=20)
        assert isinstance(reply, Reply)
        assert len(pieces) > 3
        assert "".join(map(str, pieces)) == reply.text
        assert reply.output_tokens > 0
        assert reply.stop_reason

    def test_a_tier_that_the_model_has_is_taken(self) -> None:
        pro = BedrockOnDemand("amazon.nova-pro-v1:0", "flex", system="Be brief. " * 400, cache=True)
        *pieces, reply = asking.stream(pro, self.site(), "Name three rivers.", max_tokens=4)
        assert isinstance(reply, Reply)
        assert "".join(map(str, pieces)) == reply.text
        assert reply.input_tokens > 800

    def test_a_model_that_is_not_there_is_refused_with_its_name_and_the_reason(self) -> None:
        target, site = BedrockOnDemand("amazon.no-such-model-v9:0"), self.site()
        for ask in (lambda: target.check(site), lambda: list(asking.stream(target, site, "x", 5))):
            with pytest.raises(Refusal, match=r"'amazon.no-such-model-v9:0' refused: .*\(\w+Exception\)"):
                ask()
