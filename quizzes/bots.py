"""Test-wise bots: takers who know no AWS and read only the shape of the options. On a sound bank they score as chance does.

    results = bots.run(items)
    results["longest"].score, results["longest"].limit

A bot has a preference for each option; ties are split evenly. On a *multiple* item it takes its best n, and the score is the share of
right ones. `limit` is chance plus two standard deviations of pure guessing over as many items.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from quizzes import words
from quizzes.model import AnyItem, Matching, Multiple, Single
from quizzes.shuffle import fnv1a

Preference = Callable[[str, Sequence[str]], Sequence[float]]
"""(stem, options) → how much the bot likes each option"""
FEW = 30
"""below so many items a bot's score says little"""


@dataclass(frozen=True)
class Result:
    """How one bot did."""

    score: float
    chance: float
    limit: float
    n: int

    @property
    def passed(self) -> bool:
        """Whether the bank withstood the bot."""
        return self.score <= self.limit + 1e-9

    def to_json(self) -> dict[str, Any]:
        """The figures and the verdict."""
        return {**{name: round(value, 4) for name, value in asdict(self).items()}, "passed": self.passed}


def _each(like: Callable[[str], float]) -> Preference:
    return lambda _stem, options: [like(option) for option in options]


def _position(place: int) -> Preference:
    return lambda _stem, options: [-abs(index - place) for index, _ in enumerate(options)]


def _stem_echo(stem: str, options: Sequence[str]) -> list[float]:
    return [len(words.content_words(stem) & words.content_words(option)) for option in options]


def _odd_one_out(_stem: str, options: Sequence[str]) -> list[float]:
    return [-sum(words.similarity(option, other) for other in options if other is not option) for option in options]


BOTS: dict[str, Preference] = {
    "longest": _each(len),
    "shortest": _each(lambda option: -len(option)),
    "position-1": _position(0),
    "position-2": _position(1),
    "position-3": _position(2),
    "position-4": _position(3),
    "absolutes": _each(lambda option: -len(words.ABSOLUTES.findall(option))),
    "stem-echo": _stem_echo,
    "odd-one-out": _odd_one_out,
    "most-commas": _each(lambda option: option.count(",")),
    "most-specific": _each(words.specificity),
    "most-services": _each(lambda option: len(set(words.SERVICES.findall(option)))),
    "no-negatives": _each(lambda option: -len(words.NEGATIONS.findall(option))),
}
MATCHING_ECHO = "matching-echo"
"""takes for each prompt the choice that shares most words with it"""


def run(items: Iterable[AnyItem]) -> dict[str, Result]:
    """Every bot over the single and multiple items, and the matching bot over the matching ones (all filled)."""
    choosing: list[Single | Multiple] = []
    matching: list[Matching] = []
    for item in items:
        if isinstance(item, Single | Multiple):
            choosing.append(item)
        elif isinstance(item, Matching):
            matching.append(item)
    results = {name: _over_options(like, choosing) for name, like in BOTS.items()} if choosing else {}
    if matching:
        results[MATCHING_ECHO] = _over_pairs(matching)
    return results


def halves(items: Iterable[AnyItem]) -> tuple[list[AnyItem], list[AnyItem]]:
    """The bank in two, by a hash of the id, so that an item stays in its half."""
    parts: tuple[list[AnyItem], list[AnyItem]] = ([], [])
    for item in items:
        parts[fnv1a(item.id) & 1].append(item)
    return parts


def _over_options(like: Preference, items: Sequence[Single | Multiple]) -> Result:
    scores, chances, variance = [], [], 0.0
    for item in items:
        texts = [option.text for option in item.options]
        keys, count = sum(option.correct for option in item.options), len(texts)
        liked = like(f"{item.stem} {item.criterion}", texts)
        scores.append(expected_share(liked, [option.correct for option in item.options], keys))
        chance = keys / count
        chances.append(chance)
        variance += chance * (1 - chance) * (count - keys) / (count - 1) / keys  # drawing without replacement
    return _result(scores, chances, variance)


def expected_share(liked: Sequence[float], correct: Sequence[bool], take: int) -> float:
    """The share of right options among the `take` best liked, ties split evenly."""
    share, left = 0.0, take
    for level in sorted(set(liked), reverse=True):
        at = [right for value, right in zip(liked, correct, strict=True) if value == level]
        taken = min(left, len(at))
        share += taken * sum(at) / len(at)
        left -= taken
        if not left:
            break
    return share / take


def _over_pairs(items: Sequence[Matching]) -> Result:
    scores, chances, variance = [], [], 0.0
    for item in items:
        for prompt in item.prompts:
            liked = _stem_echo(prompt.text, [choice.text for choice in item.choices])
            scores.append(expected_share(liked, [choice.id == prompt.choice for choice in item.choices], 1))
            chance = 1 / len(item.choices)
            chances.append(chance)
            variance += chance * (1 - chance)
    return _result(scores, chances, variance)


def _result(scores: Sequence[float], chances: Sequence[float], variance: float) -> Result:
    n = len(scores)
    chance = sum(chances) / n
    return Result(sum(scores) / n, chance, chance + 2 * math.sqrt(variance) / n, n)
