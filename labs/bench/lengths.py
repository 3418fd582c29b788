"""How long prompts and answers are, in tokens, from a few words: `500`, `uniform:100,900`, `normal:500,100`, `lognormal:500,0.8`."""

from array import array
from dataclasses import dataclass
from random import Random
from typing import Literal

from labs.errors import USAGE, Refusal
from labs.serving import arrivals

Shape = Literal["fixed", "uniform", "normal", "lognormal"]
_NEEDS = {"uniform": "MIN,MAX", "normal": "MEAN,SD", "lognormal": "MEAN,CV"}


@dataclass(frozen=True)
class Lengths:
    """A distribution of token counts; what it gives is whole, at least 1, and between `minimum` and `maximum`."""

    shape: Shape
    a: float
    """the length; the least; the mean; the mean"""
    b: float = 0.0
    """-; the most; the standard deviation; the coefficient of variation"""
    minimum: int = 1
    maximum: int = 1 << 30

    @staticmethod
    def parse(text: str) -> "Lengths":
        """Raises Refusal when these are no such words."""
        shape, colon, figures = text.partition(":")
        try:
            if not colon:
                return Lengths("fixed", _at_least_one(int(text)))
            if shape not in _NEEDS:
                raise ValueError
            values = [float(part) for part in figures.split(",")]
            a, b = values[:2]
            least, most = (int(values[2]), int(values[3])) if len(values) == 4 else (1, 1 << 30)
            if len(values) not in (2, 4) or a < 1 or b < 0 or (shape == "uniform" and b < a) or not 1 <= least <= most:
                raise ValueError
        except ValueError:
            raise Refusal(
                f"'{text}' is no length in tokens: write 500, or "
                f"{', '.join(f'{name}:{needs}' for name, needs in _NEEDS.items())}, with ,MIN,MAX after it to clip it",
                USAGE,
            ) from None
        return Lengths(shape, a, b, least, most)  # type: ignore[arg-type]

    def draw(self, n: int, seed: int) -> "array[int]":
        """So many lengths; the same seed gives the same."""
        if self.shape == "lognormal":
            drawn = arrivals.lengths(round(self.a), n, self.b, seed)
        elif self.shape == "fixed":
            drawn = array("i", [round(self.a)]) * n
        else:
            random = Random(seed)
            make = random.uniform if self.shape == "uniform" else random.gauss
            drawn = array("i", (round(make(self.a, self.b)) for _ in range(n)))
        return array("i", (max(self.minimum, min(self.maximum, length)) for length in drawn))

    def __str__(self) -> str:
        clip = f",{self.minimum},{self.maximum}" if self.maximum < 1 << 30 or self.minimum > 1 else ""
        return f"{self.a:g}" if self.shape == "fixed" else f"{self.shape}:{self.a:g},{self.b:g}{clip}"


def _at_least_one(value: int) -> int:
    if value < 1:
        raise ValueError
    return value
