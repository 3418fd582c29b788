"""`quiz stats`: which items tell takers apart, which keys may be wrong, and what takers believe.

quiz stats class/                       # a folder of attempt files; marks what is not marked yet
quiz stats results.json                 # what `quiz grade --json` printed
quiz stats class/ --html > stats.html
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from labs import terminal
from labs.errors import FALSE, USAGE, Refusal
from quizzes import bank
from quizzes.analysis import show, study
from quizzes.marking import keys, marks
from quizzes.marking.book import Book
from quizzes.marking.command import BANK_OPTION
from quizzes.text import inline_html


@click.command()
@click.argument("source", metavar="FOLDER|RESULTS", type=click.Path(path_type=Path, exists=True))
@click.option("--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Of a withheld form; without it, the bank.")  # fmt: skip
@click.option("--quiz", "only", multiple=True, help="Only these quizzes.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--html", "form", flag_value="html", help="Print a page of HTML.")
@BANK_OPTION
def stats(source: Path, key: Path | None, only: tuple[str, ...], form: str | None, where: Path) -> None:
    """What a class's answers say about the questions.

    Difficulty, corrected point-biserial, distractors, KR-20 and alpha with intervals, and the beliefs that wrong answers point to. Exit status 1 if a
    key looks wrong.
    """
    ring = keys.of_file(key) if key else keys.of_bank(where)
    sentences = bank.misconceptions(where)
    if source.is_dir():
        with Book.open(source, ring.digest) as book:
            for _ in marks.run(source, ring, book):
                pass
            report = study.look(_only(book.attempts(with_answers=True), only), ring, sentences)
    else:
        report = study.look(_only(_read(source), only), ring, sentences)
    if not report.quizzes:
        raise Refusal(f"no attempt in {source} can be marked; `quiz grade` says why", USAGE)
    if form == "json":
        terminal.emit_json(show.to_json(report))
    elif form == "html":
        asked = {item.id for quiz in report.quizzes for item in quiz.items}
        texts = {name: inline_html(found.criterion) for name in asked if (found := ring.item(name))}
        click.echo(show.as_html(report, ring.title or "Item statistics", texts), nl=False)
    else:
        show.as_table(report)
    if report.suspects:
        click.get_current_context().exit(FALSE)


def _only(rows: Iterable[dict[str, Any]], only: tuple[str, ...]) -> Iterable[dict[str, Any]]:
    return (row for row in rows if not only or row["quiz"] in only)


_FIELDS = {"student": str, "quiz": str, "attempt": int, "started": str, "answers": dict}


def _read(path: Path) -> list[dict[str, Any]]:
    """The attempts that `quiz grade --json` printed."""
    try:
        rows = json.loads(path.read_text("utf-8"))["attempts"]
        sound = all(
            isinstance(row[name], kind) for row in rows for name, kind in _FIELDS.items() if name != "problem"
        ) and all(isinstance(text, str) for row in rows for pair in row["answers"].items() for text in pair)
        if not sound or any("problem" not in row or "form" not in row for row in rows):
            raise ValueError
    except OSError as wrong:
        raise Refusal(f"{path} cannot be read: {wrong.strerror}", FALSE) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refusal(f"{path} is not what `quiz grade FOLDER --json` prints", USAGE) from None
    return list(rows)
