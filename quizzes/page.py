"""Items as HTML that can be read, filled in and printed without a script; `web/quiz.js` makes it answer.

    page.render_quiz(quiz, items)      # a <dd-quiz> element, for a lesson or a notebook

Every item's key stands in the page (`data-spec`, and in words under *Answer and reasons*), except for a guess, whose key the page
does not have. What the script adds is listed in `web/quiz.js`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, TypeVar

from labs import facts
from labs.facts import register
from quizzes import bank
from quizzes.model import (
    TYPE_NAMES,
    AnyItem,
    CaseSet,
    Choice,
    Matching,
    Multiple,
    Numeric,
    Option,
    Ordering,
    Quiz,
    Single,
    Source,
    Step,
)
from quizzes.shuffle import seed, shuffled
from quizzes.text import about, block_html, count_word, inline_html, letter

P = TypeVar("P", Option, Step, Choice)
PAGE_READER = "page"
"""whose order a page has before a script has asked for the reader's own"""


@dataclass(frozen=True)
class Setting:
    """Where the items will stand."""

    heading_level: int = 3
    misconceptions: Mapping[str, str] = field(default_factory=dict)
    link_to_quiz: Callable[[str], tuple[str, str] | None] = lambda slug: None  # noqa: ARG005
    """slug of another quiz → (address, title) of the page that holds it"""
    with_score: bool = True
    """whether the score and its buttons stand below the items"""
    with_reasons: bool = True
    """False leaves the key in words and the reasons out: a pretest, whose questions a lesson asks again"""
    withheld: bool = False
    """a form whose key is kept elsewhere: its items are guesses that somebody will mark"""


def render_quiz(quiz: Quiz, items: Sequence[AnyItem] | None = None, setting: Setting | None = None) -> str:
    """The items (all of the quiz, unless named) as one <dd-quiz> element."""
    setting = setting or Setting(misconceptions=bank.misconceptions())
    shown = list(items if items is not None else quiz.items)
    wanted = {item.id for item in shown}
    parts, number = [], 0
    for entry in quiz.entries:
        inner = [item for item in (entry.items if isinstance(entry, CaseSet) else (entry,)) if item.id in wanted]
        rendered = []
        for item in inner:
            number += 1
            rendered.append(_item(item, number, len(shown), setting))
        if isinstance(entry, CaseSet) and inner:
            parts.append(_case(entry, rendered, setting))
        else:
            parts.extend(rendered)
    score = ' data-score="yes"' if setting.with_score else ""
    score += ' data-withheld="yes"' if setting.withheld else ""
    return (
        f'<dd-quiz class="dd-quiz" data-quiz="{quiz.slug}" data-title="{escape(quiz.title)}"{score}>\n'
        + "\n".join(parts)
        + '\n<p class="dd-quiz-note dd-no-script">This page needs JavaScript to mark an answer. Without it: decide first, then open '
        "<em>Answer and reasons</em>.</p>\n</dd-quiz>"
    )


def render_item(item: AnyItem, setting: Setting) -> str:
    """One item alone; whoever shows it numbers it."""
    return _item(item, 1, 1, setting)


def _case(case: CaseSet, items: Sequence[str], setting: Setting) -> str:
    level = setting.heading_level
    heading = f'<h{level} class="dd-case-title" id="case-{case.id}">{inline_html(case.title)}</h{level}>'
    scenario = f'<div class="dd-stem">{block_html(case.scenario)}</div>'
    return (
        f'<div class="dd-case" role="group" aria-labelledby="case-{case.id}">\n{heading}\n{scenario}\n'
        + "\n".join(items)
        + "\n</div>"
    )


def _item(item: AnyItem, number: int, of: int, setting: Setting) -> str:
    name, level = f"q-{item.id}", setting.heading_level
    a_guess = item.mode == "guess" and not setting.withheld
    title = "Your guess" if a_guess else f"Question {number}" if of > 1 else "Question"
    of_text = f' <span class="dd-of">of {of}</span>' if of > 1 and not a_guess else ""
    kind = f"Select {count_word(item.select)}" if isinstance(item, Multiple) else TYPE_NAMES[item.type]
    body = _answer_area(item, name)
    return f"""<div class="dd-item" role="group" id="{name}" data-type="{item.type}" data-spec="{escape(json.dumps(_spec(item, setting)))}" \
aria-labelledby="{name}-title">
<div class="dd-item-head"><h{level} class="dd-item-title" id="{name}-title">{title}{of_text}</h{level}>
<p class="dd-item-meta"><span>{kind}</span><span>skill {item.objective}</span><span>{about(item.est_seconds)}</span></p></div>
<div class="dd-stem">{block_html(item.stem)}</div>
<fieldset class="dd-answer"><legend class="dd-criterion">{inline_html(item.criterion)}</legend>
{body}
</fieldset>
{_guess_note(item, setting) if a_guess else _reasons(item) if setting.with_reasons and not setting.withheld else ""}
</div>"""


def _spec(item: AnyItem, setting: Setting) -> dict[str, Any]:
    """What the script needs: how to grade, in which order to show, what a wrong answer suggests. A guess carries no key."""
    key = item.key().to_json()
    spec: dict[str, Any] = {
        "id": item.id,
        "version": item.version,
        "mode": item.mode,
        "shuffle": item.shuffle,
        "key": key,
    }
    if item.mode == "guess":
        spec["key"] = {"type": item.type, "options": key.get("options", [])}
        if setting.withheld:
            del spec["version"]  # it is a digest of the key, and few keys are possible
            spec["key"] |= {"unit": key["unit"]} if "unit" in key else {}
            spec |= {"select": item.select} if isinstance(item, Multiple) else {}
        return spec
    if isinstance(item, Multiple):
        spec["select"] = item.select
    if isinstance(item, Numeric):
        spec["mistakes"] = [mistake.value for mistake in item.mistakes]
    tagged = {part: name for part, name in _misconceptions(item).items() if name in setting.misconceptions}
    if tagged:
        spec["misconceptions"] = {part: setting.misconceptions[name] for part, name in tagged.items()}
    return spec


def _misconceptions(item: AnyItem) -> dict[str, str]:
    parts: Sequence[Any]
    match item:
        case Single() | Multiple():
            parts = item.options
        case Ordering():
            parts = item.steps
        case Matching():
            parts = (*item.prompts, *item.unused)
        case Numeric():
            return {str(index): mistake.misconception for index, mistake in enumerate(item.mistakes)}
    return {part.id: part.misconception for part in parts if part.misconception}


def _answer_area(item: AnyItem, name: str) -> str:
    match item:
        case Single() | Multiple():
            kind = "radio" if isinstance(item, Single) else "checkbox"
            rows = "\n".join(
                _option(option, name, kind, index) for index, option in enumerate(_page_order(item, item.options))
            )
            return f'<ul class="dd-options">\n{rows}\n</ul>'
        case Ordering():
            rows = "\n".join(
                f'<li class="dd-step" data-id="{step.id}"><span class="dd-slot" aria-hidden="true"></span>'
                f'<span class="dd-text">{inline_html(step.text)}</span></li>'
                for step in _page_order(item, item.steps)
            )
            return f'<ol class="dd-steps">\n{rows}\n</ol>'
        case Matching():
            return _matching(item, name)
        case Numeric():
            return (
                f'<p class="dd-number"><label for="{name}-number">Your answer, in {escape(item.unit)}</label> '
                f'<input id="{name}-number" class="dd-number-field" type="text" inputmode="decimal" autocomplete="off" size="12"></p>'
            )


def _option(option: Option, name: str, kind: str, index: int) -> str:
    return (
        f'<li class="dd-option" data-id="{option.id}"><label class="dd-option-label">'
        f'<input type="{kind}" name="{name}" value="{option.id}">'
        f'<span class="dd-letter">{letter(index)}</span><span class="dd-text">{inline_html(option.text)}</span></label></li>'
    )


def _matching(item: Matching, name: str) -> str:
    choices = _page_order(item, item.choices)
    listed = "\n".join(
        f'<li class="dd-choice" data-id="{choice.id}"><span class="dd-letter">{letter(index)}</span>'
        f'<span class="dd-text">{inline_html(choice.text)}</span></li>'
        for index, choice in enumerate(choices)
    )
    entries = "".join(
        f'<option value="{choice.id}">{letter(index)}. {escape(_bare(choice.text))}</option>'
        for index, choice in enumerate(choices)
    )
    rows = "\n".join(
        f'<li class="dd-prompt" data-id="{prompt.id}"><label class="dd-text" for="{name}-{prompt.id}">'
        f'{inline_html(prompt.text)}</label><select id="{name}-{prompt.id}" class="dd-select">'
        f'<option value="">Choose…</option>{entries}</select></li>'
        for prompt in item.prompts
    )
    return (
        f'<ul class="dd-choices" aria-label="What there is to choose from">\n{listed}\n</ul>\n'
        f'<ol class="dd-prompts">\n{rows}\n</ol>'
    )


def _bare(text: str) -> str:
    return text.replace("`", "").replace("*", "")


def _page_order(item: AnyItem, parts: Sequence[P]) -> list[P]:
    if not item.shuffle:
        return list(parts)
    avoid = [part.id for part in parts] if isinstance(item, Ordering) else ()
    by_id = {part.id: part for part in parts}
    return [by_id[part] for part in shuffled(list(by_id), seed(PAGE_READER, item.id, 1), avoid)]


def _reasons(item: AnyItem) -> str:
    """The key in words, with the reason of every option: what a reader without a script opens, and where the script takes reasons from."""
    rows = "\n".join(_reason_rows(item))
    return (
        f'<details class="dd-reasons"><summary>Answer and reasons</summary>\n<ul class="dd-reason-list">\n{rows}\n</ul>\n'
        f"{_sources(item)}</details>"
    )


def _reason_rows(item: AnyItem) -> list[str]:
    def row(part: str, verdict: str, text: str, why: str) -> str:
        what = f" {text}" if text else ""
        return f'<li data-for="{part}"><strong>{verdict}</strong>{what} <span class="dd-reason">{inline_html(why)}</span></li>'

    match item:
        case Single() | Multiple():
            return [
                row(o.id, f"{letter(index)}, {'right' if o.correct else 'wrong'}.", "", o.why)
                for index, o in enumerate(_page_order(item, item.options))
            ]
        case Ordering():
            return [row(s.id, f"{index}.", f"{inline_html(s.text)} –", s.why) for index, s in enumerate(item.steps, 1)]
        case Matching():
            place = {choice.id: letter(index) for index, choice in enumerate(_page_order(item, item.choices))}
            paired = [row(p.id, f"{index}: {place[p.choice]}.", "", p.why) for index, p in enumerate(item.prompts, 1)]
            return paired + [row(c.id, f"{place[c.id]} stays unused.", "", c.why or "") for c in item.unused]
        case Numeric():
            answer = _number(item.answer)
            right = row("answer", f"{answer} {escape(item.unit)}, right.", "", item.why)
            return [right] + [
                row(str(index), f"{_number(mistake.value)} {escape(item.unit)}, wrong.", "", mistake.why)
                for index, mistake in enumerate(item.mistakes)
            ]


def _number(value: str | int | float) -> str:
    return value if isinstance(value, str) else f"{value:,.10g}"


def _sources(item: AnyItem) -> str:
    """Where to check it: the item's own sources and those of its facts, each once, with the date of what was read."""
    links: dict[str, str] = {}
    for named in item.sources:
        source = named if isinstance(named, Source) else register.installed().sources[named]
        day = source.checked_on.isoformat() if isinstance(source, Source) else source.as_of
        links.setdefault(source.url, f'<a href="{escape(source.url)}">{escape(source.title)}</a> ({day})')
    for fact_id in item.facts:
        for origin in facts.get(fact_id).sources[:1]:
            links.setdefault(origin.url, f'<a href="{escape(origin.url)}">{escape(origin.title)}</a> ({origin.as_of})')
    return f'<p class="dd-sources">To check it: {"; ".join(links.values())}.</p>' if links else ""


def _guess_note(item: AnyItem, setting: Setting) -> str:
    place = setting.link_to_quiz(item.scored_in) if item.scored_in else None
    where = f'<a href="{escape(place[0])}">{escape(place[1])}</a>' if place else "A later lesson"
    return f'<p class="dd-guess-note">This page does not hold the answer. {where} scores your guess, and says why.</p>'
