"""Polls that ask for a number: reading what somebody typed, and which mistake it looks like.

number = read("9,200 tokens", "tokens")      # 9200.0
bucket(poll, number)                         # the id of the right value, of a mistake's value, or OTHER
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from labs.errors import USAGE, Refusal

OTHER = "other"
LEAST_SLACK = 0.005
"""Of a mistake's value: who works it out by hand rounds on the way."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?")


def read(text: str, unit: str) -> float:
    """The number that was typed, by the rule of the quizzes: commas only between thousands, a leading $ or the unit behind it allowed.

    Raises Refusal for anything else, "1,5" included: it might mean 1.5 or 15.
    """
    bare = re.sub("[ \t\u00a0\u2009\u202f_]", "", text).replace("\u2212", "-").lower().removeprefix("$")
    ending = unit.replace(" ", "").lower()
    if ending and bare.endswith(ending):
        bare = bare[: -len(ending)]
    if not _NUMBER.fullmatch(bare) or not any(char.isdigit() for char in bare.partition("e")[0]):
        raise Refusal(f"'{text[:40]}' is no number; write it as 1234.5", USAGE)
    number = float(bare.replace(",", ""))
    if not math.isfinite(number):
        raise Refusal(f"'{text[:40]}' is too large", USAGE)
    return number


def bucket(poll: Mapping[str, Any], number: float) -> str:
    """Which of a poll's values a number stands for: the right one within its tolerance, else the nearest mistake, else OTHER."""
    right = next(option for option in poll["options"] if option["correct"])
    answer, tolerance = float(right["value"]), float(poll["tolerance"])
    if abs(number - answer) <= tolerance + 1e-9 * max(1.0, abs(answer)):
        return str(right["id"])
    share = max(LEAST_SLACK, tolerance / abs(answer) if answer else 0.0)
    near = [
        (abs(number - value) / max(abs(value), 1e-12), str(option["id"]))
        for option in poll["options"]
        if not option["correct"]
        for value in [float(option["value"])]
        if abs(number - value) <= share * abs(value) + 1e-9
    ]
    return min(near)[1] if near else OTHER
