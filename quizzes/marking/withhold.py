"""A form without its key: items under made-up names, in a page that cannot tell right from wrong.

    ring = withhold.draw(bank.BANK, 20)
    html, key = withhold.page_of(ring), keys.write(path, ring)

An item's own id would tell which it is, a computed one's its seed; an option's id often says what is wrong with it. So the form renames
and reorders all of them, and the key remembers.
"""

import random
import secrets
import string
from html import escape
from pathlib import Path

from labs.errors import FALSE, Refusal
from quizzes import bank, blueprint, figures, forms
from quizzes.frame import document
from quizzes.marking.keys import Keyring, _digest
from quizzes.model import AnyItem, CaseSet, Matching, Multiple, Numeric, Ordering, Quiz, Single
from quizzes.page import Setting, render_quiz

WEB = Path(__file__).parents[1] / "web"
EXAM = "deployment-practice"
TOKENS = """
:root { --dd-ink: var(--ink); --dd-ink-soft: var(--soft); --dd-paper: var(--paper); --dd-surface: var(--surface); --dd-line: var(--line); --dd-line-strong: var(--soft);
  --dd-accent: var(--accent); --dd-accent-soft: var(--surface); }
main { max-width: 46rem; margin: 0 auto; }
"""
"""gives the questions' style the colours of `quizzes.frame`, for a page outside of the book"""


def draw(folder: Path, questions: int, slugs: tuple[str, ...] = (), title: str | None = None) -> Keyring:
    """The items of a new form with their keys, renamed. Refusal if there is nothing to draw from."""
    chance = secrets.SystemRandom()
    name = secrets.token_hex(4)
    origins: dict[str, AnyItem] = {}
    if slugs:
        found = [
            (item, entry.scenario if isinstance(entry, CaseSet) else "")
            for slug in slugs
            for entry in figures.fill_quiz(bank.load(slug, folder)).entries
            for item in (entry.items if isinstance(entry, CaseSet) else (entry,))
            if item.mode == "score"
        ]
        picked = chance.sample(found, min(questions, len(found)))
    else:
        form = forms.draw(blueprint.load(EXAM), forms.pool(folder), secrets.token_hex(16), questions)
        picked = [(question.item, question.scenario) for question in form.questions]
    if not picked:
        raise Refusal("there is no question to draw", FALSE)
    items: dict[str, AnyItem] = {}
    for number, (item, scenario) in enumerate(picked, 1):
        renamed = _renamed(item, f"{name}-{number:02}", scenario, chance)
        items[renamed.id], origins[renamed.id] = renamed, item
    return Keyring(
        items,
        _digest(items.values()),
        quiz=f"form-{name}",
        form=name,
        title=title or f"Form {name}",
        withheld=True,
        origins={new: old.id for new, old in origins.items()},
    )


def _renamed(item: AnyItem, name: str, scenario: str, chance: random.Random) -> AnyItem:
    """The item under another name, the names of its parts single letters in an order that says nothing."""
    stem = f"{scenario}\n\n{item.stem}" if scenario else item.stem
    change: dict[str, object] = {"id": name, "stem": stem, "mode": "score", "scored_in": None, "history": ()}

    def letters(count: int) -> list[str]:
        return chance.sample(string.ascii_lowercase[:count], count)

    match item:
        case Single() | Multiple():
            names = letters(len(item.options)) if item.shuffle else list(string.ascii_lowercase)
            options = [o.model_copy(update={"id": new}) for o, new in zip(item.options, names, strict=False)]
            change["options"] = tuple(sorted(options, key=lambda o: o.id))
        case Ordering():
            steps = zip(item.steps, letters(len(item.steps)), strict=True)
            change["steps"] = tuple(s.model_copy(update={"id": new}) for s, new in steps)
        case Matching():
            new_of = dict(zip((c.id for c in item.choices), letters(len(item.choices)), strict=True))
            choices = [c.model_copy(update={"id": new_of[c.id]}) for c in item.choices]
            change["choices"] = tuple(sorted(choices, key=lambda c: c.id))
            change["prompts"] = tuple(
                p.model_copy(update={"id": f"p{n}", "choice": new_of[p.choice]}) for n, p in enumerate(item.prompts, 1)
            )
        case Numeric():
            pass
    return item.model_copy(update=change)


def page_of(ring: Keyring) -> str:
    """A page that asks, keeps and hands out the answers, and holds nothing that marks them."""
    asked = []
    for item in ring.items.values():
        change: dict[str, object] = {"mode": "guess"}
        if isinstance(item, Ordering):  # the key is the order in which the steps are written
            change["steps"] = tuple(sorted(item.steps, key=lambda step: step.id))
        asked.append(item.model_copy(update=change))
    quiz = Quiz(slug=ring.quiz, title=ring.title, entries=tuple(asked))
    setting = Setting(heading_level=2, misconceptions={}, with_reasons=False, withheld=True)
    head, foot = document(ring.title, (WEB / "quiz.css").read_text("utf-8") + TOKENS)
    said = (
        f"<h1>{escape(ring.title)}</h1>\n<p>{len(asked)} questions. Choose, and keep each answer; you may change it. Then press <em>Download my answers</em> and "
        "hand that file in. This page does not hold the key, and says nothing about right and wrong. It needs no network and sends nothing.</p>\n"
    )
    script = (WEB / "quiz.js").read_text("utf-8").replace("</script", "<\\/script")
    return f"{head}{said}{render_quiz(quiz, setting=setting)}\n<script>\n{script}\n</script>\n{foot}"
