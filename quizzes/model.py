"""What a question is: six kinds of item, each option with its reason, each figure named rather than written.

An item is data (`quizzes/bank/*.yaml`), read by `quizzes.bank`; a generator of computed items makes the same objects. Texts are
inline Markdown, and may hold `{sqs.message.max_bytes}` (a fact of the register) or `{name}` (one of the item's own `numbers`);
`quizzes.figures.fill` puts the figures in. Every face (page, terminal, later notebook and exports) starts from a filled item.
"""

import hashlib
import json
import re
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from quizzes.grading import ItemType, Key
from quizzes.outline import is_skill

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_.-]*)\}")
"""`{fact.id}` or `{name}` in a text"""


def _skill(objective: str) -> str:
    if not is_skill(objective):
        raise ValueError(f"'{objective}' is not a skill of the exam guide; write domain.task.skill, such as 2.4.1")
    return objective


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
FactId = Annotated[str, Field(pattern=r"^[a-z0-9]+(\.[a-z0-9_-]+)+$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Objective = Annotated[str, AfterValidator(_skill)]
Bloom = Literal["remember", "understand", "apply", "analyze", "evaluate", "create"]
Mode = Literal["score", "guess"]
Expression = Annotated[str | int | float, Field(description="a number, or arithmetic over numbers and {fact.id}")]


class Part(BaseModel):
    """Base of everything in the bank: frozen, strict, and nothing but what is declared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Option(Part):
    """One option of a single or multiple item."""

    id: Id
    text: Text
    correct: bool = False
    why: Text
    misconception: Id | None = None
    """which mistake leads here (an id in `misconceptions.yaml`); a wrong option must have one"""

    @model_validator(mode="after")
    def _wrong_for_a_reason(self) -> Self:
        if self.correct and self.misconception:
            raise ValueError("a right option has no misconception")
        if not self.correct and not self.misconception:
            raise ValueError("a wrong option names the misconception that leads to it")
        return self


class Step(Part):
    """One step of an ordering item."""

    id: Id
    text: Text
    why: Text
    misconception: Id | None = None


class Prompt(Part):
    """What is to be matched, with the choice that fits it."""

    id: Id
    text: Text
    choice: Id
    why: Text
    misconception: Id | None = None


class Choice(Part):
    """What a prompt may be matched with; one that fits none needs a reason of its own."""

    id: Id
    text: Text
    why: Text | None = None
    misconception: Id | None = None


class Mistake(Part):
    """A wrong number, and the wrong model that it comes from."""

    value: Expression
    why: Text
    misconception: Id


class Tolerance(Part):
    """How far a typed number may be off: `absolute` in the item's unit, or `relative` as a share of the answer."""

    absolute: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    relative: Annotated[float, Field(gt=0, lt=0.5)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.absolute is None) == (self.relative is None):
            raise ValueError("give `absolute` or `relative`, one of the two")
        return self


class Source(Part):
    """Where a reader can check an item that rests on more than figures."""

    title: Text
    url: Annotated[str, Field(pattern=r"^https://[^\s/]+\.[^\s]+$")]
    checked_on: date


class KeyChange(Part):
    """One change of an item's key: when, from what to what, and who or what showed that it was wrong."""

    day: date
    change: Text
    reason: Text


class BaseItem(Part):
    """What all items have."""

    id: Id
    """stable and never used again: attempts, exports and errata name the item by it"""
    objective: Objective
    bloom: Bloom
    stem: Text
    """the situation, with everything that the answer depends on"""
    criterion: Text
    """the one question, with its one criterion in capitals"""
    facts: tuple[FactId, ...] = ()
    """the register's facts that key and reasons rest on"""
    numbers: dict[Name, Expression] = {}
    """figures computed from facts, for use in the texts: name → arithmetic"""
    sources: tuple[Id | Source, ...] = ()
    """a source id of the register, or a page"""
    est_seconds: Annotated[int, Field(ge=15, le=900)]
    difficulty_prior: Annotated[float, Field(gt=0, lt=1)]
    """the share of prepared takers that we expect to get it right, before anybody has"""
    history: tuple[KeyChange, ...] = ()
    shuffle: bool = True
    """False keeps the options in their order: amounts from small to large"""
    mode: Mode = "score"
    """guess: keep what the reader thinks now and reveal nothing; another page scores it"""
    allow: dict[Id, Text] = {}
    """lint rules that this item may break: rule → why"""
    scored_in: Id | None = None
    """for a guess: the quiz that scores it (set by the bank from the reference)"""

    @model_validator(mode="after")
    def _rests_on_something(self) -> Self:
        if not self.facts and not self.sources:
            raise ValueError("an item rests on `facts` or `sources`; it names neither")
        known = set(self.facts) | set(self.numbers)
        if unknown := sorted(set(self.placeholders()) - known):
            raise ValueError(f"{{{unknown[0]}}} is used, but stands neither in `facts` nor in `numbers`")
        return self

    def placeholders(self) -> list[str]:
        """Every `{...}` in the item, whether in a text or in arithmetic."""
        found: list[str] = []

        def walk(value: Any) -> None:
            if isinstance(value, str):
                found.extend(PLACEHOLDER.findall(value))
            elif isinstance(value, dict):
                for inner in value.values():
                    walk(inner)
            elif isinstance(value, list):
                for inner in value:
                    walk(inner)

        walk(self.model_dump(mode="json", exclude={"history", "allow", "sources"}))
        return found

    @property
    def band(self) -> Literal["easy", "middling", "hard"]:
        """Predicted difficulty in a word."""
        return "easy" if self.difficulty_prior >= 0.75 else "hard" if self.difficulty_prior < 0.5 else "middling"

    @property
    def version(self) -> str:
        """Changes when the key or the ids of the options do, and not when a word does; an attempt records it."""
        return hashlib.sha256(json.dumps(self.key().to_json(), sort_keys=True).encode()).hexdigest()[:12]

    def key(self) -> Key:
        """What grading needs."""
        raise NotImplementedError


def _unique(parts: tuple[Option, ...] | tuple[Step, ...] | tuple[Prompt, ...] | tuple[Choice, ...]) -> None:
    ids = [part.id for part in parts]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise ValueError(f"the id '{twice[0]}' stands here twice")


class Single(BaseItem):
    """One right option."""

    type: Literal["single"]
    options: Annotated[tuple[Option, ...], Field(min_length=3, max_length=6)]

    @model_validator(mode="after")
    def _one_right(self) -> Self:
        _unique(self.options)
        if (right := sum(option.correct for option in self.options)) != 1:
            raise ValueError(f"a single item has one right option; this one has {right}")
        return self

    def key(self) -> Key:
        """The option that is right."""
        return Key("single", tuple(o.id for o in self.options), tuple(o.id for o in self.options if o.correct))


class Multiple(BaseItem):
    """`select` right options out of more."""

    type: Literal["multiple"]
    select: Annotated[int, Field(ge=2, le=4)]
    options: Annotated[tuple[Option, ...], Field(min_length=5, max_length=8)]

    @model_validator(mode="after")
    def _as_many_as_said(self) -> Self:
        _unique(self.options)
        if (right := sum(option.correct for option in self.options)) != self.select:
            raise ValueError(f"the item asks for {self.select} options, but {right} are right")
        if len(self.options) < self.select + 2:
            raise ValueError("there must be at least two wrong options")
        return self

    def key(self) -> Key:
        """The options that are right."""
        return Key("multiple", tuple(o.id for o in self.options), tuple(o.id for o in self.options if o.correct))


class Ordering(BaseItem):
    """Steps, written here in their right order and shown in another."""

    type: Literal["ordering"]
    steps: Annotated[tuple[Step, ...], Field(min_length=3, max_length=7)]

    @model_validator(mode="after")
    def _different(self) -> Self:
        _unique(self.steps)
        return self

    def key(self) -> Key:
        """The steps in order."""
        ids = tuple(step.id for step in self.steps)
        return Key("ordering", ids, ids)


class Matching(BaseItem):
    """Prompts, each with one choice; a choice fits one prompt or none."""

    type: Literal["matching"]
    prompts: Annotated[tuple[Prompt, ...], Field(min_length=3, max_length=7)]
    choices: Annotated[tuple[Choice, ...], Field(min_length=3, max_length=9)]

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        _unique(self.prompts)
        _unique(self.choices)
        known, used = {choice.id for choice in self.choices}, [prompt.choice for prompt in self.prompts]
        for prompt in self.prompts:
            if prompt.choice not in known:
                raise ValueError(f"prompt '{prompt.id}' wants the choice '{prompt.choice}', which does not exist")
            if used.count(prompt.choice) > 1:
                raise ValueError(f"the choice '{prompt.choice}' fits two prompts")
        for choice in self.choices:
            if choice.id not in used and not (choice.why and choice.misconception):
                raise ValueError(f"the choice '{choice.id}' fits no prompt: it needs `why` and `misconception`")
        return self

    @property
    def unused(self) -> tuple[Choice, ...]:
        """The choices that fit nothing."""
        used = {prompt.choice for prompt in self.prompts}
        return tuple(choice for choice in self.choices if choice.id not in used)

    def key(self) -> Key:
        """Prompt by prompt."""
        return Key("matching", tuple(c.id for c in self.choices), pairs={p.id: p.choice for p in self.prompts})


class Numeric(BaseItem):
    """A number in a unit."""

    type: Literal["numeric"]
    answer: Expression
    unit: Text
    tolerance: Tolerance
    why: Text
    mistakes: Annotated[tuple[Mistake, ...], Field(min_length=1, max_length=6)]

    def key(self) -> Key:
        """The number, with the tolerance in its unit; only a filled item has one."""
        if isinstance(self.answer, str):
            raise TypeError(f"{self.id}: the answer is still arithmetic; fill the item first")
        share = self.tolerance.relative
        slack = self.tolerance.absolute if share is None else abs(self.answer) * share
        return Key("numeric", answer=float(self.answer), tolerance=float(slack or 0.0), unit=self.unit)


Item = Annotated[Single | Multiple | Ordering | Matching | Numeric, Field(discriminator="type")]


class CaseSet(Part):
    """One scenario with several items about it."""

    type: Literal["case"]
    id: Id
    title: Text
    scenario: Text
    facts: tuple[FactId, ...] = ()
    items: Annotated[tuple[Item, ...], Field(min_length=2, max_length=8)]

    @model_validator(mode="after")
    def _figures_are_named(self) -> Self:
        if unknown := sorted(set(PLACEHOLDER.findall(self.scenario)) - set(self.facts)):
            raise ValueError(f"{{{unknown[0]}}} is used in the scenario, but does not stand in the case's `facts`")
        return self


class Reference(Part):
    """An item that stands in another file: `ref: 05-economics/flagship`."""

    ref: Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
    mode: Mode = "score"


class Drawn(Part):
    """A computed item (`quizzes.families`): `{family: token-bill, seed: 7}`. Whoever loads the bank draws it, at the prices of the day."""

    family: Id
    seed: Annotated[int, Field(ge=0)]
    mode: Mode = "score"

    @property
    def id(self) -> str:
        """The id that the drawn item has."""
        return f"{self.family}-{self.seed}"


def _kind(value: Any) -> str | None:
    if isinstance(value, dict):
        return "ref" if "ref" in value else "drawn" if "family" in value else value.get("type")
    return getattr(value, "type", "drawn" if isinstance(value, Drawn) else "ref")


Entry = Annotated[
    Annotated[Single, Tag("single")]
    | Annotated[Multiple, Tag("multiple")]
    | Annotated[Ordering, Tag("ordering")]
    | Annotated[Matching, Tag("matching")]
    | Annotated[Numeric, Tag("numeric")]
    | Annotated[CaseSet, Tag("case")]
    | Annotated[Reference, Tag("ref")]
    | Annotated[Drawn, Tag("drawn")],
    Discriminator(
        _kind,
        custom_error_type="type",
        custom_error_message="`type` must be single, multiple, ordering, matching, numeric or case (or give `ref`, or `family`)",
    ),
]


class QuizFile(Part):
    """One file of the bank, as written."""

    quiz: Id
    """the slug, which is the file's name too"""
    title: Text
    items: Annotated[tuple[Entry, ...], Field(min_length=1)]


AnyItem = Single | Multiple | Ordering | Matching | Numeric


class Quiz(Part):
    """One quiz, references followed."""

    slug: Id
    title: Text
    entries: tuple[Single | Multiple | Ordering | Matching | Numeric | CaseSet, ...]

    @property
    def items(self) -> tuple[AnyItem, ...]:
        """The items, those inside case sets too, in the order of the file."""
        return tuple(
            item for entry in self.entries for item in (entry.items if isinstance(entry, CaseSet) else (entry,))
        )


TYPE_NAMES: dict[ItemType, str] = {
    "single": "One answer",
    "multiple": "Several answers",
    "ordering": "Put in order",
    "matching": "Match",
    "numeric": "A number",
}
