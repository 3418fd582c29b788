"""An Anki deck: a card for each item, a deck for each quiz; importing a newer one updates the cards and keeps what Anki knows of them.

    anki.write(gather.items(), Path("deployment-dilemma.apkg"))

A note's GUID is made of its item's id, and the ids of note type and decks never change: by these Anki knows a card again.
"""

import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import genanki

from quizzes.exports.gather import Exported, shown_order, sources
from quizzes.model import AnyItem, Choice, Matching, Multiple, Numeric, Option, Ordering, Single, Step
from quizzes.shuffle import fnv1a
from quizzes.text import block_html, count_word, inline_html, letter

MODEL_ID = 1_604_283_517
"""chosen once; another number would make Anki take every card for a new one"""
NAME = "The Deployment Dilemma"
_KIT: Any = genanki
"""it has no types"""
_FIELDS = ("Id", "Question", "Answer", "Sources", "Skill")
_CSS = """
.card { font: 18px/1.5 system-ui, sans-serif; text-align: left; max-width: 42rem; margin: 0 auto; padding: .5rem; color: #1c1d22; background: #fff; }
.nightMode.card, .nightMode .card { color: #ecebe6; background: #17181c; }
.criterion { font-weight: 650; }
.why { display: block; opacity: .8; font-size: .92em; }
.right > .mark { font-weight: 700; }
ol.letters { list-style: upper-alpha; }
.small { opacity: .75; font-size: .8em; }
code { font-size: .92em; }
""".strip()


def guid(item_id: str) -> str:
    """The same for an item for ever."""
    made: str = _KIT.guid_for("deployment-dilemma", item_id)
    return made


def deck_id(quiz: str) -> int:
    """The same for a quiz for ever, in the range that Anki uses."""
    return (1 << 30) + fnv1a(f"deployment-dilemma/{quiz}") % (1 << 30)


def write(exported: Sequence[Exported], path: Path) -> None:
    """Write the package."""
    model = _KIT.Model(
        MODEL_ID,
        NAME,
        fields=[{"name": name} for name in _FIELDS],
        templates=[
            {
                "name": "Question",
                "qfmt": "{{Question}}",
                "afmt": '{{Question}}<hr id="answer">{{Answer}}<p class="small">{{Sources}}<br>{{Id}} · skill {{Skill}}</p>',
            }
        ],
        css=_CSS,
    )
    decks: dict[str, Any] = {}
    for one in exported:
        title = f"{NAME}::{one.quiz} {one.quiz_title}".replace('"', "”")
        deck = decks.setdefault(one.quiz, _KIT.Deck(deck_id(one.quiz), title))
        fields = [one.item.id, front(one), back(one.item), _sources(one.item), one.item.objective]
        tags = [f"skill-{one.item.objective}", one.item.type, one.item.band]
        deck.add_note(_KIT.Note(model=model, fields=fields, tags=tags, guid=guid(one.item.id)))
    _KIT.Package(list(decks.values())).write_to_file(str(path), timestamp=time.time())


def front(one: Exported) -> str:
    """The question and what there is to choose from."""
    item = one.item
    case = f"<p><b>{inline_html(one.case_title)}.</b></p>{block_html(one.scenario)}" if one.case_id else ""
    return f'{case}{block_html(item.stem)}<p class="criterion">{inline_html(item.criterion)}</p>{_offered(item)}'


def _offered(item: AnyItem) -> str:
    parts: dict[str, Option | Step | Choice] = {}
    match item:
        case Single() | Multiple():
            parts = {option.id: option for option in item.options}
        case Ordering():
            parts = {step.id: step for step in item.steps}
        case Matching():
            parts = {choice.id: choice for choice in item.choices}
        case Numeric():
            return f"<p>In {escape(item.unit)}.</p>"
    rows = "".join(f"<li>{inline_html(parts[name].text)}</li>" for name in shown_order(item))
    listed = f'<ol class="letters">{rows}</ol>'
    if isinstance(item, Matching):
        listed += "<ol>" + "".join(f"<li>{inline_html(prompt.text)}</li>" for prompt in item.prompts) + "</ol>"
    return listed


def back(item: AnyItem) -> str:
    """The key, and the reason of everything."""
    order = shown_order(item)
    place = {name: letter(index) for index, name in enumerate(order)}

    def why(text: str) -> str:
        return f'<span class="why">{inline_html(text)}</span>'

    match item:
        case Single() | Multiple():
            by_id = {option.id: option for option in item.options}
            keyed = ", ".join(place[name] for name in order if by_id[name].correct)
            many = f" ({count_word(item.select)})" if isinstance(item, Multiple) else ""
            rows = "".join(
                f'<li class="{"right" if by_id[name].correct else "wrong"}"><span class="mark">{"✓ right" if by_id[name].correct else "✗ wrong"}</span>{why(by_id[name].why)}</li>'
                for name in order
            )
            return f'<p><b>{keyed}</b>{many}</p><ol class="letters">{rows}</ol>'
        case Ordering():
            keyed = " ".join(place[step.id] for step in item.steps)
            rows = "".join(f"<li>{inline_html(step.text)}{why(step.why)}</li>" for step in item.steps)
            return f"<p><b>{keyed}</b></p><ol>{rows}</ol>"
        case Matching():
            rows = "".join(f"<li><b>{place[prompt.choice]}</b>{why(prompt.why)}</li>" for prompt in item.prompts)
            spare = "".join(f"<p>{place[c.id]} fits none.{why(c.why or '')}</p>" for c in item.unused)
            return f"<ol>{rows}</ol>{spare}"
        case Numeric():
            rows = "".join(f"<li>✗ {float(m.value):,.10g} {escape(item.unit)}{why(m.why)}</li>" for m in item.mistakes)
            return f"<p><b>{item.key().answer:,.10g} {escape(item.unit)}</b>{why(item.why)}</p><ul>{rows}</ul>"


def _sources(item: AnyItem) -> str:
    return "; ".join(f'<a href="{escape(url)}">{escape(title)}</a> ({day})' for url, title, day in sources(item))
