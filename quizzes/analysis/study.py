"""A class's first attempts, looked at item by item.

    report = study.look(rows, ring, beliefs)     # rows as `quizzes.marking.book.Book.attempts` gives them
    report.quizzes[0].items[0].rest.value        # corrected point-biserial

Only a taker's first attempt counts: later ones measure memory. What an item is compared with is the share of the other items of the same
attempt, so that takers with different forms can stand in one table.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quizzes import results
from quizzes.analysis import classical
from quizzes.analysis.classical import FEW, Estimate
from quizzes.grading import BadResponse, Response, decode_response, encode_response
from quizzes.marking.keys import Keyring
from quizzes.model import AnyItem, Matching, Multiple, Ordering, Single

FUNCTIONS = 0.05
"""a distractor that fewer take than this share does no work"""
HARD, EASY, WEAK = 0.2, 0.9, 0.2


@dataclass(frozen=True)
class Choice:
    """One thing that takers may have answered."""

    id: str
    right: bool
    share: Estimate
    rest: Estimate
    """of taking it, with the rest of the attempt: it should be positive for what is right alone"""


@dataclass(frozen=True)
class ItemReport:
    """One item."""

    id: str
    type: str
    n: int
    difficulty: Estimate
    rest: Estimate
    points: float
    """mean with partial credit"""
    choices: tuple[Choice, ...]
    working: int
    """distractors that somebody takes"""
    distractors: int
    expected: float
    """the share that the author expected"""
    suspect: str = ""
    """why its key may be wrong"""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reliability:
    """Of one set of items that the same takers answered."""

    form: str
    n: int
    items: int
    kr20: Estimate
    alpha: Estimate
    """with partial credit"""
    error_points: float | None


@dataclass(frozen=True)
class QuizReport:
    """One quiz or exam."""

    quiz: str
    takers: int
    mean_percent: float
    items: tuple[ItemReport, ...]
    reliability: tuple[Reliability, ...]


@dataclass(frozen=True)
class Belief:
    """A misconception: how often it showed where an item offered it."""

    id: str
    sentence: str
    share: Estimate
    items: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """All of it."""

    quizzes: tuple[QuizReport, ...]
    beliefs: tuple[Belief, ...]
    takers: int
    left_out: int
    """attempts that were not a taker's first, or were set aside"""

    @property
    def suspects(self) -> list[tuple[str, str, str]]:
        """Quiz, item and reason of every key that may be wrong."""
        return [(quiz.quiz, item.id, item.suspect) for quiz in self.quizzes for item in quiz.items if item.suspect]


@dataclass
class _Taken:
    """One attempt."""

    form: str
    student: str
    correct: dict[str, float]
    points: dict[str, float]
    responses: dict[str, str]

    def rest(self, item_id: str) -> float:
        others = len(self.correct) - 1
        return (sum(self.correct.values()) - self.correct[item_id]) / others if others else 0.0


@dataclass
class _Beliefs:
    chances: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    items: dict[str, set[str]] = field(default_factory=dict)


def look(rows: Iterable[Mapping[str, Any]], ring: Keyring, sentences: Mapping[str, str]) -> Report:
    """The report; a row that was set aside, or is not a taker's first of its quiz, is left out and counted."""
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    seen = 0
    for row in rows:
        seen += 1
        if row["problem"]:
            continue
        name = (row["quiz"], row["student"])
        if name not in first or (row["attempt"], row["started"]) < (first[name]["attempt"], first[name]["started"]):
            first[name] = row
    quizzes: dict[str, list[_Taken]] = {}
    for (quiz, _), row in first.items():
        taken = _taken(row, ring)
        if taken.correct:
            quizzes.setdefault(quiz, []).append(taken)
    beliefs = _Beliefs()
    reports = [_quiz(quiz, taken, ring, beliefs) for quiz, taken in sorted(quizzes.items())]
    shown = sorted(beliefs.shown, key=lambda name: (-beliefs.shown[name] / beliefs.chances[name], name))
    table = []
    for belief in shown:
        count, chances = beliefs.shown[belief], beliefs.chances[belief]
        share = Estimate(count / chances, *results.wilson(count, chances), chances)
        table.append(Belief(belief, sentences.get(belief, belief), share, tuple(sorted(beliefs.items[belief]))))
    takers = len({student for _, student in first})
    return Report(tuple(reports), tuple(table), takers, seen - sum(map(len, quizzes.values())))


def _taken(row: Mapping[str, Any], ring: Keyring) -> _Taken:
    """What was asked and left open is wrong, as in the marks; without a form nobody knows what else was asked."""
    taken = _Taken(row["form"] or "", row["student"], {}, {}, {})
    answers: dict[str, str] = dict.fromkeys(ring.items, "") if ring.withheld else {}
    for name, response in {**answers, **row["answers"]}.items():
        mark = ring.mark(name, response)
        if not mark.problem:
            taken.correct[name], taken.points[name] = float(mark.correct), mark.points
            taken.responses[name] = response
    return taken


def _quiz(name: str, taken: list[_Taken], ring: Keyring, beliefs: _Beliefs) -> QuizReport:
    ids = sorted({item for one in taken for item in one.correct})
    items = []
    for item_id in ids:
        item = ring.item(item_id)
        if item is not None:
            items.append(_item(item, [one for one in taken if item_id in one.correct], beliefs))
    mean = 100 * sum(sum(one.correct.values()) / len(one.correct) for one in taken) / len(taken)
    return QuizReport(name, len(taken), mean, tuple(items), tuple(_reliability(taken)))


def _reliability(taken: list[_Taken]) -> list[Reliability]:
    """Of every set of at least two items that at least three takers answered, the largest group first."""
    groups: dict[tuple[str, frozenset[str]], list[_Taken]] = {}
    for one in taken:
        groups.setdefault((one.form, frozenset(one.correct)), []).append(one)
    found = []
    for (form, ids), group in sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0][0])):
        if len(group) < 3 or len(ids) < 2:
            continue
        order = sorted(ids)
        marks = [[one.correct[item] for one in group] for item in order]
        points = [[one.points[item] for one in group] for item in order]
        kr20 = classical.alpha(marks)
        error = classical.standard_error(marks, kr20.value)
        found.append(Reliability(form, len(group), len(order), kr20, classical.alpha(points), error))
    return found


def _item(item: AnyItem, taken: list[_Taken], beliefs: _Beliefs) -> ItemReport:
    marks = [one.correct[item.id] for one in taken]
    rest = [one.rest(item.id) for one in taken]
    several = any(len(one.correct) > 1 for one in taken)
    given = [_decoded(item, one.responses[item.id]) for one in taken]
    hard, discriminates = classical.difficulty(marks), classical.correlation(marks, rest) if several else Estimate(None)
    choices, wrong_parts = _choices(item, given, rest)
    working = sum((choice.share.value or 0) >= FUNCTIONS for choice in choices if not choice.right)
    _count_beliefs(item, given, beliefs)
    suspect = _suspect(item, given, marks, rest, discriminates, choices) if len(marks) >= FEW and several else ""
    return ItemReport(
        item.id,
        item.type,
        len(marks),
        hard,
        discriminates,
        sum(one.points[item.id] for one in taken) / len(taken),
        tuple(choices),
        working,
        wrong_parts,
        item.difficulty_prior,
        suspect,
        tuple(_flags(hard, discriminates, working, wrong_parts, suspect)),
    )


def _flags(hard: Estimate, rest: Estimate, working: int, wrong: int, suspect: str) -> list[str]:
    if hard.n < FEW:
        return [f"too few ({hard.n} of {FEW})"]
    assert hard.value is not None
    said = ["key?"] if suspect else []
    if hard.value < HARD:
        said.append("very hard")
    if hard.value > EASY:
        said.append("very easy")
    if rest.value is not None and rest.value < WEAK:
        said.append("tells little")
    if wrong and not working:
        said.append("no distractor works")
    return said


def _decoded(item: AnyItem, text: str) -> Response:
    try:
        return decode_response(item.type, text)
    except BadResponse:
        return None


def _choices(item: AnyItem, given: list[Response], rest: list[float]) -> tuple[list[Choice], int]:
    """What there was to take: options, a matching item's pairs, a numeric item's known mistakes; and how many of them are wrong."""
    picked: dict[str, tuple[bool, list[bool]]] = {}
    match item:
        case Single() | Multiple():
            for option in item.options:
                picked[option.id] = (option.correct, [isinstance(g, list) and option.id in g for g in given])
        case Matching():
            for prompt in item.prompts:
                for choice in item.choices:
                    took = [isinstance(g, Mapping) and g.get(prompt.id) == choice.id for g in given]
                    if prompt.choice == choice.id or any(took):
                        picked[f"{prompt.id} → {choice.id}"] = (prompt.choice == choice.id, took)
        case _:
            key = item.key()
            whole = Counter(encode_response(g) for g in given if g)
            right = encode_response(list(key.correct)) if isinstance(item, Ordering) else ""
            for text, _ in whole.most_common(6):
                correct = text == right if isinstance(item, Ordering) else _is_right(item, text)
                picked[text.replace("[,]", " ")] = (correct, [encode_response(g) == text for g in given])
    found = [
        Choice(name, right_, classical.difficulty([float(t) for t in took]), classical.correlation([float(t) for t in took], rest))
        for name, (right_, took) in picked.items()
    ]  # fmt: skip
    wrong = sum(not choice.right for choice in found) if isinstance(item, Single | Multiple) else 0
    return found, wrong


def _is_right(item: AnyItem, text: str) -> bool:
    from quizzes.grading import grade

    try:
        return grade(item.key(), text).correct
    except BadResponse:
        return False


def _suspect(
    item: AnyItem,
    given: list[Response],
    marks: list[float],
    rest: list[float],
    key_rest: Estimate,
    choices: list[Choice],
) -> str:
    """A wrong answer that the better takers give more often than what the key says, by more than chance: both intervals apart.

    Whole answers are compared, whatever the type; of a *multiple* item its options as well.
    """
    n = len(given)
    candidates: list[tuple[str, Estimate]] = []
    whole = Counter(_normal(item, g) for g, mark in zip(given, marks, strict=True) if g and mark < 1)
    for text, count in whole.items():
        if count >= max(5, FUNCTIONS * n):
            took = [float(bool(g) and _normal(item, g) == text) for g in given]
            candidates.append((text.replace("[,]", " "), classical.correlation(took, rest)))
    if isinstance(item, Multiple):
        candidates += [(choice.id, choice.rest) for choice in choices if not choice.right]
        keyed = [choice.rest for choice in choices if choice.right and choice.rest.value is not None]
        key_rest = min([key_rest, *keyed], key=lambda one: one.value if one.value is not None else 1.0)
    best = max(candidates, key=lambda pair: pair[1].value if pair[1].value is not None else -2.0, default=None)
    if best is None or best[1].value is None or best[1].low is None or best[1].low <= 0:
        return ""
    if key_rest.high is not None and key_rest.high >= best[1].low:
        return ""
    key_said = "nobody takes the key" if key_rest.value is None else f"the key's is {key_rest.value:+.2f}"
    return f"'{best[0]}' goes with a good rest (r {best[1].value:+.2f}); {key_said}"


def _normal(item: AnyItem, given: Response) -> str:
    if isinstance(item, Multiple) and isinstance(given, list):
        return encode_response(sorted(given))
    if isinstance(item, Matching) and isinstance(given, Mapping):
        return encode_response(dict(sorted(given.items())))
    return encode_response(given)


def _count_beliefs(item: AnyItem, given: list[Response], beliefs: _Beliefs) -> None:
    offered = _offered(item)
    answered = sum(bool(one) for one in given)
    for name in offered:
        beliefs.chances[name] += answered
    for one in given:
        for name in results.misconceptions(item, one):
            beliefs.shown[name] += 1
            beliefs.items.setdefault(name, set()).add(item.id)


def _offered(item: AnyItem) -> set[str]:
    parts: list[Any] = []
    match item:
        case Single() | Multiple():
            parts = list(item.options)
        case Ordering():
            parts = list(item.steps)
        case Matching():
            parts = [*item.prompts, *item.choices]
        case _:
            parts = list(item.mistakes)
    return {part.misconception for part in parts if part.misconception}
