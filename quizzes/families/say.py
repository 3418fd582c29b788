"""Puts figures into a drawn item's texts by name, so that no text of it holds a bare figure.

    say = Say(Random(7))
    f"{say(4_380_000)} requests at {say.fact('bedrock.price.nova-pro.input_per_million')}"
    # '{n1} requests at {bedrock.price.nova-pro.input_per_million}'

What was named becomes the item's `numbers` and `facts`; `quizzes.figures.fill` writes them out for a reader.
"""

from math import floor, log10
from random import Random

from labs import facts
from quizzes.model import PLACEHOLDER

DIGITS = 4
"""significant digits of a computed figure, so that a reader can follow the arithmetic"""
WHOLE_DOLLARS = 1000
"""from so many on, cents are left out"""


def tidy(value: float) -> float:
    """A computed figure as it is shown: whole if it is whole or large, else with four significant digits."""
    if float(value).is_integer() or value == 0:
        return value
    return float(round(value, max(0, DIGITS - 1 - floor(log10(abs(value))))))


def tidy_usd(value: float) -> float:
    """Whole dollars, and cents below a thousand of them."""
    return float(round(value) if abs(value) >= WHOLE_DOLLARS else round(value, 2))


class Say:
    """The figures of one item, and the choice among its phrasings."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.numbers: dict[str, float] = {}
        self.facts: dict[str, None] = {}
        self.unshown: set[str] = set()
        self._names: dict[float, str] = {}

    def __call__(self, value: float) -> str:
        """A number for a text; the same number has the same name."""
        return self._named(tidy(value))

    def usd(self, value: float) -> str:
        """An amount of money for a text, with its sign."""
        return "$" + self._named(tidy_usd(value))

    def whole_usd(self, value: float) -> str:
        """An amount of money for an option: whole dollars, so that all options have one form."""
        return "$" + self._named(float(round(value)))

    def fact(self, id: str) -> str:
        """A figure of the register for a text, with its unit."""
        self.facts.setdefault(id)
        return "{" + id + "}"

    def rests_on(self, *ids: str) -> None:
        """Facts that the key rests on without a text that shows them."""
        self.facts.update(dict.fromkeys(ids))
        self.unshown.update(ids)

    def pick(self, *phrasings: str) -> str:
        """One of several ways to say the same."""
        return self.random.choice(phrasings)

    def used(self, *texts: str) -> dict[str, float]:
        """The numbers that these texts name."""
        names = {name for text in texts for name in PLACEHOLDER.findall(text)}
        return {name: value for name, value in self.numbers.items() if name in names}

    def _named(self, value: float) -> str:
        if value not in self._names:
            self._names[value] = f"n{len(self.numbers) + 1}"
            self.numbers[self._names[value]] = value
        return "{" + self._names[value] + "}"


def dated(*ids: str) -> str:
    """'as of 2026-10': when the oldest of these facts was true."""
    return f"as of {min(facts.get(id).as_of for id in ids)}"
