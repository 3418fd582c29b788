"""Families of computed items: `draw(name, seed)` is an ordinary item whose key and distractors were computed a moment ago.

    families.names()                       # 'token-bill', 'endpoint-month', ...
    item = families.draw("token-bill", 7)  # the same for ever, as long as prices and limits are
    families.beliefs()                     # misconception → what somebody who makes this mistake believes

A bank file holds one as `{family: token-bill, seed: 7}`; `quizzes.families.family` says how a family is made.
"""

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

from labs.errors import USAGE, Refusal
from quizzes.families.family import CannotDraw, Family
from quizzes.families.family import draw as _draw
from quizzes.model import AnyItem

THEMES = ("cost_tokens", "cost_hours", "cost_parts", "memory", "sizing", "quota", "queue")
"""the modules with families, one subject each"""

__all__ = ["CannotDraw", "Family", "beliefs", "draw", "families", "family", "names"]


@cache
def families() -> dict[str, Family[Any]]:
    """Every family by name, theme by theme."""
    modules = (import_module(f"{__name__}.{theme}") for theme in THEMES)
    return {family.name: family for module in modules for family in module.FAMILIES}


def names() -> list[str]:
    """The names of all families."""
    return list(families())


def family(name: str) -> Family[Any]:
    """The family of this name; Refusal, with the nearest names, if there is none."""
    if name not in families():
        near = get_close_matches(name, names(), 3, 0.4)
        raise Refusal(f"there is no family '{name}'; there are: {', '.join(near or names())}", USAGE)
    return families()[name]


def draw(name: str, seed: int) -> AnyItem:
    """The item of this family with this seed, its figures still named (`quizzes.figures.fill` writes them out)."""
    return _draw(family(name), seed)


@cache
def beliefs() -> dict[str, str]:
    """Every misconception that a wrong model stands for: id → the belief in a sentence."""
    return {name: said for family in families().values() for name, said in family.beliefs().items()}
