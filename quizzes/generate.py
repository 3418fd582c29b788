"""`quiz draw`: the families of computed items, and items drawn from them, with key and reasons.

quiz draw                             # which families there are
quiz draw token-bill --seed 7         # one item, its key, and the wrong model behind each distractor
quiz take --family token-bill         # answer one
"""

import secrets
from typing import Any

import click

from labs import terminal
from labs.errors import USAGE, Refusal
from quizzes import families, figures
from quizzes.families.family import reasons
from quizzes.model import AnyItem, Multiple, Numeric, Ordering, Quiz, Single
from quizzes.text import letter

SEEDS = 100_000
"""how many seeds a draw without one is taken from"""
MOST = 200
"""the most items that one command draws"""


def some_seed() -> int:
    """A seed that nobody chose."""
    return secrets.randbelow(SEEDS)


def quiz(family: str, seed: int | None, count: int = 1) -> Quiz:
    """`count` items of one family from a seed on, figures not yet filled in; Refusal for a name that is none."""
    title = families.family(family).title
    first = some_seed() if seed is None else seed
    items = tuple(families.draw(family, number) for number in range(first, first + count))
    return Quiz(slug=f"family-{family}", title=f"{title}, seed {first}", entries=items)


@click.command()
@click.argument("family", required=False)
@click.option("--seed", type=click.IntRange(min=0), help="The same seed draws the same item; without one, any.")
@click.option(
    "--count",
    type=click.IntRange(1, MOST),
    default=1,
    show_default=True,
    help="So many items, from the seed on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def draw(family: str | None, seed: int | None, count: int, as_json: bool) -> None:
    """Draw computed items of a FAMILY, key and reasons included; without FAMILY, list them.

    A drawn item goes into a bank file as `{family: NAME, seed: N}`, or is taken with `quiz take --family NAME --seed N`.
    """
    if family is None:
        if seed is not None:
            raise Refusal("--seed draws from a family; name one: quiz draw FAMILY --seed N", USAGE)
        _list(as_json)
        return
    items = [figures.fill(item) for item in quiz(family, seed, count).items]
    if as_json:
        terminal.emit_json([item.model_dump(mode="json") for item in items])
        return
    for item in items:
        click.echo(_text(item))


def _list(as_json: bool) -> None:
    rows = [
        {"family": name, "title": family.title, "skill": family.objective, "kind": KINDS[family.kind]}
        for name, family in families.families().items()
    ]
    if as_json:
        terminal.emit_json(rows)
        return
    terminal.table("Families", ["Family", "About", "Skill", "Kind"], [list(row.values()) for row in rows])
    terminal.say("See one with: quiz draw FAMILY --seed 1; answer one with: quiz take --family FAMILY")


KINDS = {
    "amounts": "one answer",
    "choice": "one answer",
    "number": "a number",
    "order": "an order",
    "several": "two answers",
}
"""a family's kind in words"""


def _text(item: AnyItem) -> str:
    rows = [f"{item.id} · skill {item.objective}", "", item.stem, "", item.criterion, ""]
    for shown, (misconception, why) in zip(_shown(item), reasons(item), strict=True):
        rows += [f"  {shown}", f"       {f'{misconception}: ' if misconception else ''}{why}"]
    return "\n".join([*rows, ""])


def _shown(item: AnyItem) -> list[str]:
    """What stands before each reason; a star marks what is right."""

    def mark(right: Any) -> str:
        return "*" if right else " "

    match item:
        case Single() | Multiple():
            return [f"{mark(o.correct)} {letter(index)}  {o.text}" for index, o in enumerate(item.options)]
        case Numeric():
            right = f"* {figures.readable(float(item.answer))} {item.unit}"
            return [right, *(f"  {figures.readable(float(m.value))} {item.unit}" for m in item.mistakes)]
        case Ordering():
            return [f"{index}. {step.text}" for index, step in enumerate(item.steps, 1)]
        case _:
            raise TypeError(f"{item.id}: families do not make items of the type {item.type}")
