"""How an answer becomes a score. The page's script (`web/quiz.js`) holds the same rules; `tests/quizzes/vectors.json` holds both to them.

    key = Key("multiple", options=("a", "b", "c", "d", "e"), correct=("b", "d"))
    grade(key, ["b", "c"], "study").score      # 0.0: one right minus one wrong
    grade(key, ["b"], "study").score           # 0.5
    grade(key, ["b"], "exam").score            # 0.0: all or nothing

A response is a list of ids (single, multiple, ordering), a mapping of prompt to choice (matching), or the text that was typed
(numeric). No response is a wrong one; guessing costs nothing.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal

ItemType = Literal["single", "multiple", "ordering", "matching", "numeric"]
Profile = Literal["exam", "study"]
Response = Sequence[str] | Mapping[str, str] | str | None


class BadResponse(ValueError):  # noqa: N818 - said of the response, not of the program
    """Not an answer to this item at all: an unknown id, a step twice, a word where a number belongs."""


@dataclass(frozen=True)
class Key:
    """What grading needs of an item, and nothing else; the page carries it as JSON."""

    type: ItemType
    options: tuple[str, ...] = ()
    """the ids that an answer may use: options, steps, or a matching item's choices"""
    correct: tuple[str, ...] = ()
    """single, multiple: the right ids. ordering: all ids in the right order"""
    pairs: Mapping[str, str] = field(default_factory=dict)
    """matching: prompt → choice"""
    answer: float = 0.0
    tolerance: float = 0.0
    """numeric: how far from `answer` is still right, in the same unit"""
    unit: str = ""

    def to_json(self) -> dict[str, Any]:
        """Only what this type uses, as plain data."""
        used = {
            "single": ("type", "options", "correct"),
            "multiple": ("type", "options", "correct"),
            "ordering": ("type", "options", "correct"),
            "matching": ("type", "options", "pairs"),
            "numeric": ("type", "answer", "tolerance", "unit"),
        }[self.type]
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name in used
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Key":
        """The key that `to_json` wrote."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**plain)


@dataclass(frozen=True)
class Grade:
    """One graded answer."""

    score: float
    """0 to 1"""
    correct: bool
    """entirely right"""
    answered: bool
    right: int = 0
    """parts that are right: options, neighbouring steps, pairs"""
    parts: int = 1


def grade(key: Key, response: Response, profile: Profile = "exam") -> Grade:
    """Grade one response.

    exam: all or nothing. study: *multiple* gives right minus wrong over the number of keys, not below 0; *ordering* the share of
    neighbouring pairs of the right order that stand together in the answer; *matching* the share of right pairs.
    Raises BadResponse for what cannot be an answer to this item.
    """
    if key.type == "numeric":
        return _grade_numeric(key, response)
    if key.type == "matching":
        parts, right, wrong = len(key.pairs), *_matched(key, response)
    elif key.type == "ordering":
        parts, right, wrong = len(key.correct) - 1, _neighbours(key, response), 0
    else:
        parts, right, wrong = len(key.correct), *_chosen(key, response)
    answered = bool(response)
    correct = answered and wrong == 0 and right == parts
    partial = max(0, right - (wrong if key.type == "multiple" else 0)) / parts
    return Grade(float(correct) if profile == "exam" else partial, correct, answered, right, parts)


def _grade_numeric(key: Key, response: Response) -> Grade:
    if response is None or response == "":
        return Grade(0.0, False, answered=False)
    if not isinstance(response, str):
        raise BadResponse("a numeric answer is the text that was typed")
    slack = key.tolerance + 1e-9 * max(1.0, abs(key.answer))  # 0.1 + 0.2 is an answer of 0.3
    correct = abs(parse_number(response, key.unit) - key.answer) <= slack
    return Grade(float(correct), correct, answered=True, right=int(correct))


def _ids(key: Key, response: Response) -> list[str]:
    if response is None:
        return []
    if isinstance(response, str | Mapping):
        raise BadResponse("the answer to this item is a list of ids")
    ids = list(response)
    if strange := set(ids) - set(key.options):
        raise BadResponse(f"unknown: {', '.join(sorted(strange))}")
    if len(set(ids)) < len(ids):
        raise BadResponse("an id stands in the answer twice")
    return ids


def _chosen(key: Key, response: Response) -> tuple[int, int]:
    ids = _ids(key, response)
    if key.type == "single" and len(ids) > 1:
        raise BadResponse("one option may be chosen here")
    right = len(set(ids) & set(key.correct))
    return right, len(ids) - right


def _neighbours(key: Key, response: Response) -> int:
    ids = _ids(key, response)
    if ids and len(ids) < len(key.correct):
        raise BadResponse("every step must have its place")
    following = dict(pairwise(ids))
    return sum(following.get(first) == second for first, second in pairwise(key.correct))


def _matched(key: Key, response: Response) -> tuple[int, int]:
    if response is None:
        return 0, 0
    if not isinstance(response, Mapping):
        raise BadResponse("the answer to this item maps prompts to choices")
    if strange := (set(response) - set(key.pairs)) | (set(response.values()) - set(key.options)):
        raise BadResponse(f"unknown: {', '.join(sorted(strange))}")
    right = sum(response.get(prompt) == choice for prompt, choice in key.pairs.items())
    return right, len(response) - right


_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?")


def parse_number(text: str, unit: str = "") -> float:
    """The number a person typed: spaces ignored, commas only between thousands, a leading $ or the item's unit after it allowed.

    Raises BadResponse for anything else, '1,5' included: it might mean 1.5 or 15.
    """
    bare = re.sub("[ \t\u00a0\u2009\u202f_]", "", text).replace("\u2212", "-").lower()
    bare = bare.removeprefix("$")
    ending = unit.replace(" ", "").lower()
    if ending and bare.endswith(ending):
        bare = bare[: -len(ending)]
    if not _NUMBER.fullmatch(bare) or not any(c in "0123456789" for c in bare.partition("e")[0]):
        raise BadResponse(f"“{text}” is not a number; write it as 1234.5")
    number = float(bare.replace(",", ""))
    if not math.isfinite(number):
        raise BadResponse(f"“{text}” is too large")
    return number


def encode_response(response: Response) -> str:
    """A response as xAPI writes it: 'a[,]b', 'prompt[.]choice[,]prompt[.]choice', or the number."""
    if response is None:
        return ""
    if isinstance(response, str):
        return response
    if isinstance(response, Mapping):
        return "[,]".join(f"{prompt}[.]{choice}" for prompt, choice in response.items())
    return "[,]".join(response)


def decode_response(item_type: ItemType, text: str) -> Response:
    """What `encode_response` wrote."""
    if item_type == "numeric":
        return text
    parts = text.split("[,]") if text else []
    if item_type != "matching":
        return parts
    pairs: dict[str, str] = {}
    for part in parts:
        prompt, mark, choice = part.partition("[.]")
        if not mark or prompt in pairs:
            raise BadResponse(f"not a pair: {part}")
        pairs[prompt] = choice
    return pairs
