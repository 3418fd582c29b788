"""Requirements that cannot hold together are told which; those that can are let through."""

import pytest

from labs.decide.requirements import Requirements, check
from labs.errors import USAGE, Refusal


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"parameters_b": 7.0}, "a model and a size are both given"),
        (
            {"architecture": "MistralForCausalLM"},
            "is a LlamaForCausalLM, and the architecture given is MistralForCausalLM",
        ),
        ({"region": "Frankfurt"}, "'Frankfurt' is not a Region"),
        ({"training_data_kept": True}, "only with custom weights"),
        ({"dtype": "int1"}, "can be bf16, fp8"),
        ({"input_tokens": -5}, "input tokens is -5"),
        ({"redundancy": 0}, "redundancy is 0"),
    ],
)
def test_what_contradicts_itself_is_told(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        check(Requirements(**{"model": "llama-3-70b", **wrong}))  # type: ignore[arg-type]
    assert refused.value.exit_status == USAGE


def test_several_contradictions_are_told_at_once() -> None:
    with pytest.raises(Refusal) as refused:
        check(Requirements(model="nova-lite", answer_can_wait=True, e2e_ms=100, weights_format="adapter", redundancy=0))
    assert str(refused.value).count(";") == 2


def test_a_model_that_bedrock_does_not_have_cannot_be_in_use_there() -> None:
    with pytest.raises(Refusal, match="whose catalogue does not have it"):
        check(Requirements(model="qwen3-30b-a3b", already_in_bedrock=True))
    with pytest.raises(Refusal, match="name it with --model"):
        check(Requirements(parameters_b=7, already_in_bedrock=True))


def test_what_can_hold_is_returned_as_it_is() -> None:
    asked = Requirements(model="llama-3-70b", custom_weights=True, training_data_kept=True, ttft_ms=500, e2e_ms=5_000)
    assert check(asked) is asked
