"""A file of prompts is read whole or not at all; the shipped one is varied work of realistic lengths."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from labs.errors import USAGE, Refusal
from labs.squid import prompts

GOOD = '{"id": "a", "prompt": "Why a queue?"}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"prompt": "x"}', "'id' must be a non-empty string"),
        ('{"id": "b"}', "'prompt' must be a non-empty string"),
        ('{"id": "b", "prompt": " "}', "'prompt' must be a non-empty string"),
        ('{"id": "b", "prompt": 3}', "'prompt' must be a non-empty string"),
        ('{"id": "b", "prompt": "x", "max_token": 3}', "unknown field 'max_token'"),
        ('{"id": "b", "prompt": "x", "max_tokens": "3"}', "'max_tokens' must be a whole number"),
        ('{"id": "b", "prompt": "x", "max_tokens": 0}', "must be 1 or more"),
        (GOOD, "the id 'a' stands in an earlier line"),
        (json.dumps({"id": "b", "prompt": "x" * 1_100_000}), "the queue takes 1 MiB at most"),
    ],
)
def test_a_wrong_line_is_named_with_file_number_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(f"{GOOD}\n\n{line}\n")
    with pytest.raises(Refusal) as refused:
        prompts.read(path)
    assert str(refused.value).startswith(f"{path}, line 3: ")
    assert reason in str(refused.value)
    assert str(refused.value).endswith("nothing was sent")
    assert refused.value.exit_status == USAGE


def test_a_file_that_cannot_be_read_or_is_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot read"):
        prompts.read(tmp_path / "nosuch.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(Refusal, match="holds no prompts"):
        prompts.read(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "a", "prompt": "\xe9"}')
    with pytest.raises(Refusal, match="not UTF-8"):
        prompts.read(tmp_path / "latin.jsonl")


def test_a_prompt_is_the_same_job_within_a_run_and_another_in_the_next() -> None:
    prompt = prompts.Prompt("a", "Why?")
    assert prompt.job("run 1") == prompt.job("run 1")
    assert prompt.job("run 1").key != prompt.job("run 2").key


def test_the_shipped_prompts_are_many_of_many_kinds_and_in_several_languages() -> None:
    shipped = prompts.read(prompts.SHIPPED)
    assert len(shipped) >= 200
    kinds = Counter(prompt.category for prompt in shipped)
    assert len(kinds) >= 12
    assert min(kinds.values()) >= 10
    assert all(prompt.max_tokens and 20 <= prompt.max_tokens <= 1_000 for prompt in shipped)
    translations = " ".join(prompt.prompt for prompt in shipped if prompt.category == "translation")
    for script in ("[ぁ-ん]", "[가-힣]", "[ء-ي]", "[一-龥]", "[äöüß]", "[çãõ]"):
        assert re.search(script, translations), script


def test_the_shipped_prompts_are_mostly_short_and_some_very_long() -> None:
    lengths = sorted(len(prompt.prompt) for prompt in prompts.read(prompts.SHIPPED))
    assert lengths[0] <= 80
    assert 120 <= lengths[len(lengths) // 2] <= 300
    assert lengths[-1] >= 2_500
    tail = sum(length for length in lengths if length > 1_200)
    assert 0.3 <= tail / sum(lengths) <= 0.7, "a few long ones make up about half of the tokens, as in real traffic"


def test_no_shipped_prompt_is_another_with_its_nouns_changed() -> None:
    def shingles(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[n : n + 3]) for n in range(max(1, len(words) - 2))}

    parts = [(prompt.id, shingles(prompt.prompt)) for prompt in prompts.read(prompts.SHIPPED)]
    for (one, a), (other, b) in combinations(parts, 2):
        assert len(a & b) / len(a | b) < 0.1, f"{one} and {other} are too much alike"
    openings = Counter(prompt.prompt.split("\n")[0][:24] for prompt in prompts.read(prompts.SHIPPED))
    assert openings.most_common(1)[0][1] <= 2
