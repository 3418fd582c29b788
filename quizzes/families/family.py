"""What a family of computed items is, and how one of its items is drawn.

A family draws a situation, solves it with `labs.economics` or `labs.serving`, and lets *wrong models* solve it too: functions, each
of them one mistake that people make. Its name is the misconception's id, its docstring the belief, its result the distractor.

    family.draw(token_bill.FAMILY, seed=7)     # an ordinary item, figures still named

A draw is thrown away, and another one made, until key and distractors are at least `MARGIN` apart, no option stands out by its shape, and
the key has the place that the seed gives it: over four seeds in a row it stands once in each.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from math import isfinite
from random import Random
from typing import Any, Generic, Literal, TypeVar

from labs import facts
from quizzes import figures, words
from quizzes.families.say import Say, tidy
from quizzes.model import (
    PLACEHOLDER,
    AnyItem,
    Bloom,
    Mistake,
    Multiple,
    Numeric,
    Option,
    Ordering,
    Single,
    Source,
    Step,
    Tolerance,
)
from quizzes.shuffle import fnv1a, shuffled

S = TypeVar("S")
MARGIN = 1.12
"""the least ratio of key and distractor, either way round: prices may move a little before the key is in doubt"""
APART = 1.06
"""the least ratio of two distractors"""
FARTHEST = 40
"""a distractor further from the key than this is no temptation"""
WRONG_OPTIONS = 3
MOST_MISTAKES = 5
STEM_WORDS = 120
"""what `quiz lint` lets a stem have"""
TRIES = 1500
NEARLY_THE_SAME = 0.88
"""the most that two options may have in common, as `quizzes.words.similarity` has it"""
LENGTHS = 1.25
"""the most by which the key may be longer or shorter than the distractors are on average"""


class CannotDraw(RuntimeError):  # noqa: N818 - said of a family that is written wrongly
    """No situation of this family gives a sound item; its ranges do not fit the register any more."""


@dataclass(frozen=True)
class Answer:
    """What a model, right or wrong, comes to, and the arithmetic in words."""

    value: float
    why: str
    text: str = ""
    """for a choice: the option, of which `value` is what the choice is about (a price)"""
    margin: float = float("inf")
    """for a choice: how far the next best is from it, as a ratio"""


Wrong = Callable[[S, Say], Answer | None]
"""one mistake; None where it makes no difference or no sense"""


@dataclass(frozen=True)
class Alternative:
    """One of the options of a *multiple* or steps of an *ordering* family."""

    text: str
    why: str
    value: float
    wrong: Callable[..., Any] | None = None
    """multiple: the wrong model by which a change that does not help seems to"""


@dataclass(frozen=True)
class Family(Generic[S]):
    """One kind of question with any number of items."""

    name: str
    title: str
    objective: str
    bloom: Bloom
    est_seconds: int
    difficulty: float
    situation: Callable[[Random], S]
    ask: Callable[[S, Say], tuple[str, str]]
    """stem and criterion"""
    kind: Literal["amounts", "number", "choice", "order", "several"] = "amounts"
    solve: Callable[[S, Say], Answer | None] | None = None
    """the right model; None for a situation that nobody meets"""
    wrong: tuple[Wrong[S], ...] = ()
    alternatives: Callable[[S, Say], Sequence[Alternative]] | None = None
    """order: the steps, to be sorted by their value; several: the options, with a value of 1 for those that help, else 0"""
    misranked: tuple[Callable[[S], Sequence[float]], ...] = ()
    """order: wrong models, as the values that they give to the steps"""
    believed: tuple[Callable[[S], float], ...] = ()
    """several: wrong models, as what somebody who holds them expects of a change that does not help"""
    highest_first: bool = False
    unit: str = ""
    """number: the unit of the answer; amounts: what follows the number ('a month')"""
    money: bool = False
    tolerance: Tolerance = field(default_factory=lambda: Tolerance(relative=0.02))
    sources: tuple[str | Source, ...] = ()

    def beliefs(self) -> dict[str, str]:
        """The misconceptions that lead to this family's distractors: id → the belief in a sentence."""
        models: list[Callable[..., Any]] = [*self.wrong, *self.misranked, *self.believed]
        return {misconception(model): belief(model) for model in models}


def misconception(model: Callable[..., Any]) -> str:
    """`forgot_output_tokens` → 'forgot-output-tokens'"""
    return model.__name__.replace("_", "-")


def belief(model: Callable[..., Any]) -> str:
    """What somebody who reckons so believes: the first line of the wrong model's docstring."""
    said = inspect.getdoc(model)
    if not said:
        raise TypeError(f"the wrong model {model.__name__} has no docstring, which is the belief that it stands for")
    return said.splitlines()[0]


def draw(family: Family[S], seed: int) -> AnyItem:
    """The item of this family with this seed: the same for ever, as long as the register is."""
    builders = {"amounts": _amounts, "choice": _choice, "number": _number, "order": _order, "several": _several}
    build: Callable[[Family[S], int, Random], AnyItem | None] = builders[family.kind]
    for attempt in range(TRIES):
        item = build(family, seed, Random(f"{family.name}/{seed}/{attempt}"))
        if item and len(figures.fill(item).stem.split()) <= STEM_WORDS:
            return item
    raise CannotDraw(f"{family.name}: no sound item in {TRIES} situations for the seed {seed}")


def place(family: str, seed: int, count: int = WRONG_OPTIONS + 1) -> int:
    """Where the key stands among `count` options: in `count` seeds from a multiple of it on, once in each place."""
    block, index = divmod(seed, count)
    return int(shuffled([str(number) for number in range(count)], f"{family}/{block}")[index])


def _id(family: str, seed: int, name: str) -> str:
    """An option's id: the same when prices move, and silent about what is right."""
    return f"o{fnv1a(f'{family}/{seed}/{name}'):08x}"


def ratio(one: float, other: float) -> float:
    """Larger over smaller; infinite where that says nothing."""
    low, high = sorted((one, other))
    return high / low if low > 0 else float("inf")


def _sound(right: float, wrong: float) -> bool:
    return isfinite(wrong) and wrong > 0 and MARGIN <= ratio(right, wrong) <= FARTHEST


def _common(family: Family[S], seed: int, say: Say, stem: str, criterion: str, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "id": f"{family.name}-{seed}",
        "type": {
            "amounts": "single",
            "choice": "single",
            "number": "numeric",
            "order": "ordering",
            "several": "multiple",
        }[family.kind],
        "objective": family.objective,
        "bloom": family.bloom,
        "stem": stem,
        "criterion": criterion,
        "facts": _facts(say, (stem, criterion, *texts)),
        "numbers": say.used(stem, criterion, *texts),
        "sources": family.sources,
        "est_seconds": family.est_seconds,
        "difficulty_prior": family.difficulty,
    }


def _facts(say: Say, texts: Sequence[str]) -> tuple[str, ...]:
    """Facts of the texts that are shown, and those that the key rests on beside them."""
    named = "\n".join(texts)
    return tuple(id for id in say.facts if "{" + id + "}" in named or id in say.unshown)


# --- the kinds


def _considered(family: Family[S], situation: S, say: Say) -> tuple[Answer, list[tuple[str, Answer]]] | None:
    """What the right model says, and what each wrong one does; None for a situation to be thrown away."""
    assert family.solve is not None
    right = family.solve(situation, say)
    if right is None or right.value <= 0:
        return None
    found = [(misconception(model), model(situation, say)) for model in family.wrong]
    return right, [(name, answer) for name, answer in found if answer is not None]


def _amounts(family: Family[S], seed: int, random: Random) -> Single | None:
    say, situation = Say(random), family.situation(random)
    considered = _considered(family, situation, say)
    if considered is None:
        return None
    right, others = considered
    low = [pair for pair in others if pair[1].value < right.value and _sound(right.value, pair[1].value)]
    high = [pair for pair in others if pair[1].value > right.value and _sound(right.value, pair[1].value)]
    below = place(family.name, seed)
    if len(low) < below or len(high) < WRONG_OPTIONS - below:
        return None
    for _ in range(4):
        taken = [*random.sample(low, below), *random.sample(high, WRONG_OPTIONS - below)]
        rows = sorted([("", right), *taken], key=lambda pair: pair[1].value)
        shown = [_shown(family, answer.value, say) for _, answer in rows]
        if all(ratio(a[1].value, b[1].value) >= APART for a, b in pairwise(rows)) and _alike(say, shown, below):
            return _single(family, seed, say, situation, rows, shown, shuffle=False)
    return None


def _shown(family: Family[S], value: float, say: Say) -> str:
    return f"{say.whole_usd(value) if family.money else say(value)} {family.unit}"


def _written(say: Say, text: str) -> str:
    for name, value in say.numbers.items():
        text = text.replace("{" + name + "}", figures.readable(value))
    return words.plain(PLACEHOLDER.sub(lambda found: facts.format(found[1]), text))


def _different(say: Say, shown: Sequence[str]) -> bool:
    """No two texts are nearly the same."""
    texts = [_written(say, text) for text in shown]
    return all(words.similarity(one, other) <= NEARLY_THE_SAME for one, other in combinations(texts, 2))


def _alike(say: Say, shown: Sequence[str], right: int) -> bool:
    """Neither nearly the same nor told apart by their length."""
    texts = [_written(say, text) for text in shown]
    wrong = [len(text) for index, text in enumerate(texts) if index != right]
    mean, length = sum(wrong) / len(wrong), len(texts[right])
    if not 1 / LENGTHS <= length / mean <= LENGTHS or length > 1.15 * max(wrong):
        return False
    return _different(say, shown)


def _single(
    family: Family[S],
    seed: int,
    say: Say,
    situation: S,
    rows: Sequence[tuple[str, Answer]],
    shown: Sequence[str],
    shuffle: bool,
) -> Single:
    stem, criterion = family.ask(situation, say)
    options = tuple(
        Option(
            id=_id(family.name, seed, name),
            text=text,
            correct=not name,
            why=answer.why,
            misconception=name or None,
        )
        for (name, answer), text in zip(rows, shown, strict=True)
    )
    texts = [*shown, *(answer.why for _, answer in rows)]
    return Single(**_common(family, seed, say, stem, criterion, texts), options=options, shuffle=shuffle)


def _choice(family: Family[S], seed: int, random: Random) -> Single | None:
    say, situation = Say(random), family.situation(random)
    considered = _considered(family, situation, say)
    if considered is None or considered[0].margin < MARGIN:
        return None
    right, others = considered
    by_text: dict[str, tuple[str, Answer]] = {}
    for name, answer in random.sample(others, len(others)):
        if answer.text != right.text and ratio(answer.value, right.value) >= MARGIN:
            by_text.setdefault(answer.text, (name, answer))
    # By what it is measured in, too, the key is as often the least of the four as the greatest, or one in the middle.
    rank = place(f"{family.name}/rank", seed)
    low = [pair for pair in by_text.values() if pair[1].value < right.value]
    high = [pair for pair in by_text.values() if pair[1].value > right.value]
    if len(low) < rank or len(high) < WRONG_OPTIONS - rank:
        return None
    rows = [*random.sample(low, rank), *random.sample(high, WRONG_OPTIONS - rank)]
    random.shuffle(rows)
    rows.insert(place(family.name, seed), ("", right))
    shown = [answer.text for _, answer in rows]
    if not _alike(say, shown, place(family.name, seed)):
        return None
    return _single(family, seed, say, situation, rows, shown, shuffle=True)


def _number(family: Family[S], seed: int, random: Random) -> Numeric | None:
    say, situation = Say(random), family.situation(random)
    considered = _considered(family, situation, say)
    if considered is None:
        return None
    right, others = considered
    taken: list[tuple[str, Answer]] = []
    for name, answer in random.sample(others, len(others)):
        if _sound(right.value, answer.value) and all(ratio(answer.value, other.value) >= APART for _, other in taken):
            taken.append((name, answer))
    if len(taken) < WRONG_OPTIONS:
        return None
    stem, criterion = family.ask(situation, say)
    mistakes = tuple(
        Mistake(value=_typed(family, answer.value), why=answer.why, misconception=name)
        for name, answer in taken[:MOST_MISTAKES]
    )
    texts = [right.why, *(mistake.why for mistake in mistakes)]
    return Numeric(
        **_common(family, seed, say, stem, criterion, texts),
        answer=_typed(family, right.value),
        unit=family.unit,
        tolerance=family.tolerance,
        why=right.why,
        mistakes=mistakes,
    )


def _typed(family: Family[S], value: float) -> float:
    """A number as it is graded: money to the cent."""
    return round(value, 2) if family.money else tidy(value)


def _order(family: Family[S], seed: int, random: Random) -> Ordering | None:
    assert family.alternatives is not None
    say, situation = Say(random), family.situation(random)
    steps = list(family.alternatives(situation, say))
    sign = -1 if family.highest_first else 1
    order = sorted(range(len(steps)), key=lambda index: sign * steps[index].value)
    if not _different(say, [step.text for step in steps]):
        return None
    if any(ratio(steps[a].value, steps[b].value) < MARGIN for a, b in pairwise(order)):
        return None
    tags: dict[int, str] = {}
    for model in family.misranked:
        values = model(situation)
        wrong = sorted(range(len(steps)), key=lambda index: sign * values[index])
        moved = {index: abs(wrong.index(index) - order.index(index)) for index in order if index not in tags}
        if moved and max(moved.values()):
            tags[max(moved, key=lambda index: moved[index])] = misconception(model)
    if not tags:
        return None
    stem, criterion = family.ask(situation, say)
    rows = tuple(
        Step(
            id=_id(family.name, seed, str(index)),
            text=steps[index].text,
            why=steps[index].why,
            misconception=tags.get(index),
        )
        for index in order
    )
    texts = [text for row in rows for text in (row.text, row.why)]
    return Ordering(**_common(family, seed, say, stem, criterion, texts), steps=rows)


def _several(family: Family[S], seed: int, random: Random) -> Multiple | None:
    assert family.alternatives is not None
    say, situation = Say(random), family.situation(random)
    options = list(family.alternatives(situation, say))
    right, wrong = [o for o in options if o.value], [o for o in options if not o.value]
    if len(right) < 2 or len(wrong) < WRONG_OPTIONS:
        return None
    if not _different(say, [option.text for option in options]):
        return None
    good, bad = random.sample(right, 2), random.sample(wrong, WRONG_OPTIONS)
    lengths = [sum(len(_written(say, option.text)) for option in side) / len(side) for side in (good, bad)]
    if ratio(*lengths) > LENGTHS:
        return None
    stem, criterion = family.ask(situation, say)
    chosen = [*good, *bad]
    random.shuffle(chosen)
    rows = tuple(
        Option(
            id=_id(family.name, seed, str(options.index(option))),
            text=option.text,
            correct=bool(option.value),
            why=option.why,
            misconception=misconception(option.wrong) if option.wrong and not option.value else None,
        )
        for option in chosen
    )
    texts = [text for row in rows for text in (row.text, row.why)]
    return Multiple(**_common(family, seed, say, stem, criterion, texts), select=2, options=rows)


def reasons(item: AnyItem) -> Iterator[tuple[str, str]]:
    """(misconception or '', reason) of every part of a drawn item."""
    match item:
        case Single() | Multiple():
            yield from ((option.misconception or "", option.why) for option in item.options)
        case Numeric():
            yield "", item.why
            yield from ((mistake.misconception, mistake.why) for mistake in item.mistakes)
        case Ordering():
            yield from ((step.misconception or "", step.why) for step in item.steps)
