"""The items that an export takes: filled, each once, a case set's scenario beside its items.

for exported in gather.items(["06-squid"]): exported.item, exported.scenario
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labs import facts
from labs.facts import register
from quizzes import bank, figures
from quizzes.model import AnyItem, CaseSet, Choice, Option, Ordering, Source, Step
from quizzes.page import PAGE_READER
from quizzes.shuffle import seed, shuffled

Part = Option | Step | Choice


@dataclass(frozen=True)
class Exported:
    """One item and where it stands."""

    item: AnyItem
    quiz: str
    quiz_title: str
    case_id: str = ""
    case_title: str = ""
    scenario: str = ""


def items(slugs: Sequence[str] = (), folder: Path = bank.BANK) -> list[Exported]:
    """Every scored item of these quizzes (of all, unless named), in the order of the bank. Refusal for a name that is none."""
    found: dict[str, Exported] = {}
    for quiz in [bank.load(slug, folder) for slug in slugs] or bank.load_all(folder):
        for entry in figures.fill_quiz(quiz).entries:
            if isinstance(entry, CaseSet):
                for item in entry.items:
                    found.setdefault(
                        item.id, Exported(item, quiz.slug, quiz.title, entry.id, entry.title, entry.scenario)
                    )
            elif entry.mode == "score":
                found.setdefault(entry.id, Exported(entry, quiz.slug, quiz.title))
    return list(found.values())


def shown_order(item: AnyItem) -> list[str]:
    """The ids of an item in one fixed order that does not give the key away: the one that the book's page has without a script."""
    key = item.key()
    if not item.shuffle:
        return list(key.options)
    avoid = key.correct if isinstance(item, Ordering) else ()
    return shuffled(key.options, seed(PAGE_READER, item.id, 1), avoid)


def sources(item: AnyItem) -> list[tuple[str, str, str]]:
    """Where to check it: (address, title, day), each address once."""
    found: dict[str, tuple[str, str, str]] = {}
    for named in item.sources:
        source = named if isinstance(named, Source) else register.installed().sources[named]
        day = source.checked_on.isoformat() if isinstance(source, Source) else str(source.as_of)
        found.setdefault(source.url, (source.url, source.title, day))
    for fact_id in item.facts:
        for origin in facts.get(fact_id).sources[:1]:
            found.setdefault(origin.url, (origin.url, origin.title, str(origin.as_of)))
    return list(found.values())
