"""An item of the bank for a room: {vote} asks it, {verdict} shows its key, and the notes say which belief leads to which wrong option.

```{vote} 03-sagemaker sagemaker-flat-cpu
```
"""

import re
from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from labs.errors import Refusal
from labs.facts.sphinx import depend_on
from quizzes import bank, figures
from quizzes.model import AnyItem, Matching, Multiple, Numeric, Ordering, Single
from quizzes.shuffle import seed, shuffled
from quizzes.text import about, block_html, count_word, inline_html, letter

ROOM = "room"
"""Whose order of the options everybody in the room sees."""


class Notes(nodes.Element):
    """What only the speaker sees."""

    @classmethod
    def of(cls, *lines: str) -> "Notes":
        """A paragraph each."""
        return cls("", *(nodes.paragraph("", line) for line in lines))


class Shown(SphinxDirective):
    """An item by its quiz and its id; a quiz of one item needs no id."""

    required_arguments = 1
    optional_arguments = 1
    has_content = False
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """HTML for the room, and notes for the speaker."""
        slug, wanted = self.arguments[0], (self.arguments[1] if len(self.arguments) > 1 else "")
        try:
            quiz = bank.load(slug)
            filled = figures.fill_quiz(quiz).items
        except (Refusal, figures.BadExpression) as refusal:
            raise self.error(f"{slug}: {refusal}") from None
        found = [item for item in filled if wanted in ("", item.id)]
        if len(found) != 1:
            raise self.error(f"{slug} has {len(found)} items '{wanted}'; name one of {', '.join(i.id for i in filled)}")
        depend_on(self.env, *(fact for entry in quiz.entries for fact in figures.fact_ids(entry)))
        html, notes = self.face(found[0])
        node = nodes.raw("", html, format="html")
        self.set_source_info(node)
        return [node, *notes]

    def face(self, item: AnyItem) -> tuple[str, list[nodes.Node]]:
        """What the room sees, and the speaker."""
        raise NotImplementedError


class Vote(Shown):
    """The question."""

    def face(self, item: AnyItem) -> tuple[str, list[nodes.Node]]:
        how = f"Select {count_word(item.select)}. " if isinstance(item, Multiple) else ""
        shown = f'<div class="stem">{block_html(item.stem)}</div><p class="criterion">{how}{inline_html(item.criterion)}</p>{options(item)}'
        asks = f"{about(item.est_seconds)[:1].upper()}{about(item.est_seconds)[1:]} to read and decide, then hands up for each option."
        if item.mode == "guess":
            return _ballot(shown), [
                Notes.of(asks, "Say nothing about the answer: a later lesson opens it. Write the votes down.")
            ]
        return _ballot(shown), [
            Notes.of(asks, f"Right: {key(item)}.", "Let those argue who chose a wrong one; then the next slide.")
        ]


class Verdict(Shown):
    """The key, each reason, and for the speaker the beliefs."""

    def face(self, item: AnyItem) -> tuple[str, list[nodes.Node]]:
        shown = f'<p class="criterion">{inline_html(item.criterion)}</p>{reasons(item)}'
        return _ballot(shown), [Notes.of("What stands behind each wrong answer:", *beliefs(item))]


def key(item: AnyItem) -> str:
    """The right answer in letters, as the room sees them."""
    match item:
        case Single() | Multiple():
            return " and ".join(letter(n) for n, each in enumerate(ordered(item, item.options)) if each.correct)
        case Ordering():
            letters = {each.id: letter(n) for n, each in enumerate(ordered(item, item.steps))}
            return ", ".join(letters[each.id] for each in item.steps)
        case Matching():
            letters = {each.id: letter(n) for n, each in enumerate(ordered(item, item.choices))}
            return ", ".join(f"{n} {letters[each.choice]}" for n, each in enumerate(item.prompts, 1))
        case Numeric():
            return f"{_number(item.answer)} {item.unit}"


def _ballot(html: str) -> str:
    return f'<div class="ballot">{html}</div>'


def options(item: AnyItem) -> str:
    """What there is to choose from."""
    match item:
        case Single() | Multiple():
            return _listed((inline_html(each.text), "") for each in ordered(item, item.options))
        case Ordering():
            return _listed((inline_html(each.text), "") for each in ordered(item, item.steps))
        case Matching():
            left = "".join(f"<li>{inline_html(each.text)}</li>" for each in item.prompts)
            right = _listed((inline_html(each.text), "") for each in ordered(item, item.choices))
            return f'<div class="pairs"><ol>{left}</ol>{right}</div>'
        case Numeric():
            return f'<p class="number">? <span>{escape(item.unit)}</span></p>'


def reasons(item: AnyItem) -> str:
    """The key, with why."""
    match item:
        case Single() | Multiple():
            return _listed(
                (f"{inline_html(each.text)} <em>{inline_html(each.why)}</em>", "right" if each.correct else "wrong")
                for each in ordered(item, item.options)
            )
        case Ordering():
            letters = {each.id: letter(n) for n, each in enumerate(ordered(item, item.steps))}
            steps = "".join(
                f"<li><b>{letters[each.id]}</b> {inline_html(each.text)} <em>{inline_html(each.why)}</em></li>"
                for each in item.steps
            )
            return f'<ol class="steps">{steps}</ol>'
        case Matching():
            letters = {each.id: letter(n) for n, each in enumerate(ordered(item, item.choices))}
            texts = {each.id: each.text for each in item.choices}
            pairs = "".join(
                f"<li>{inline_html(each.text)} → <b>{letters[each.choice]} {inline_html(texts[each.choice])}</b> "
                f"<em>{inline_html(each.why)}</em></li>"
                for each in item.prompts
            )
            return f'<ol class="steps">{pairs}</ol>'
        case Numeric():
            mistakes = _listed(
                (f"{_number(each.value)} {escape(item.unit)} <em>{inline_html(each.why)}</em>", "wrong")
                for each in item.mistakes
            )
            answer = f'<p class="number">{_number(item.answer)} <span>{escape(item.unit)}</span></p>'
            return f"{answer}<p>{inline_html(item.why)}</p>{mistakes}"


def beliefs(item: AnyItem) -> list[str]:
    """Which belief leads to which wrong answer, in the bank's words."""
    known = bank.misconceptions()
    parts: Sequence[Any]
    match item:
        case Single() | Multiple():
            parts = [(letter(n), each) for n, each in enumerate(ordered(item, item.options))]
        case Ordering():
            parts = [(letter(n), each) for n, each in enumerate(ordered(item, item.steps))]
        case Matching():
            parts = [(f"{n}", each) for n, each in enumerate(item.prompts, 1)]
        case Numeric():
            parts = [(_number(each.value), each) for each in item.mistakes]
    return [
        f"{name}: {known.get(each.misconception, each.misconception)}" for name, each in parts if each.misconception
    ]


def ordered(item: AnyItem, parts: Sequence[Any]) -> list[Any]:
    """The options in the room's order."""
    if not item.shuffle:
        return list(parts)
    by_id = {each.id: each for each in parts}
    avoid = list(by_id) if isinstance(item, Ordering) else ()
    return [by_id[name] for name in shuffled(list(by_id), seed(ROOM, item.id, 1), avoid)]


def text_of(node: nodes.Node) -> str:
    """What a reader reads of a node, HTML without its tags; a drawing has no length."""
    raw = [each.astext() for each in node.findall(nodes.raw)]
    html = " ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", "", each, flags=re.DOTALL) for each in raw)
    return f"{html}{'' if raw else node.astext()}"


def rows_of(node: nodes.Node) -> int:
    """How many options or steps are listed below one another."""
    return sum(each.astext().count("<li") for each in node.findall(nodes.raw))


def _listed(rows: Any) -> str:
    cells = "".join(
        f"<li{f' class={kind}' if kind else ''}><b>{letter(n)}</b><span>{text}</span></li>"
        for n, (text, kind) in enumerate(rows)
    )
    return f'<ul class="options">{cells}</ul>'


def _number(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)
