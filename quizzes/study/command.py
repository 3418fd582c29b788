"""`quiz study`: the questions that are due, how sure you are of each, and in the end how far that was true.

quiz study                   # from all lessons
quiz study 06-squid          # from this one
quiz study --calibration     # only the curve
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown

from labs import terminal
from labs.errors import FALSE, Refusal
from quizzes import attempts, bank, take
from quizzes.commands import ask_on
from quizzes.study import certainty, pick
from quizzes.study.schedule import Deck, folder, rating


@click.command()
@click.argument("slugs", nargs=-1)
@click.option(
    "--items", type=click.IntRange(1, 100), default=pick.ITEMS, show_default=True, help="At most so many questions."
)
@click.option(
    "--new", type=click.IntRange(0, 100), default=pick.NEW, show_default=True, help="At most so many new ones."
)
@click.option("--calibration", "only_curve", is_flag=True, help="Ask nothing; show how sure you were and how right.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; the talk goes to standard error.")
@click.option(
    "--bank",
    "where",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=bank.BANK,
    help="Another bank.",
)
def study(slugs: tuple[str, ...], items: int, new: int, only_curve: bool, as_json: bool, where: Path) -> None:
    """Answer what is due, and a few new questions. Say how sure you are before you see the reasons.

    Parts of an answer count. Right gives 1, 2 or 3 certainty marks, wrong costs 0, 2 or 6; so being sure of what is wrong is the costly thing. What you
    know well comes back in weeks, what you missed in minutes.
    """
    console = Console(stderr=as_json, highlight=False, width=min(100, Console().width))
    kept = attempts.folder()
    deck = Deck(folder() / "cards.json")
    found = pick.candidates(slugs, where)
    results: list[take.Result] = []
    if not only_curve:
        _session(found, deck, kept, console, results, items, new)
    levels = certainty.calibration(certainty.answers(kept))
    if as_json:
        terminal.emit_json(
            {
                "answered": len(results),
                "score": sum(result.score or 0 for result in results),
                "certainty_marks": _marks(results),
                "results": [vars(result) for result in results],
                "calibration": [level.to_json() for level in levels.values()],
                "next_due": deck.next_due(found),
            }
        )
        return
    if results:
        points = sum(result.score or 0 for result in results)
        console.print(
            f"\n[bold]{points:.3g} of {len(results)} points[/], {_marks(results)} certainty marks of {3 * len(results)}."
        )
    console.print(
        "\n[bold]How sure you were, and how right[/] [dim](all your answers so far; ░ promised, ● right, ─ 95 % interval)[/]"
    )
    for row in certainty.curve(levels):
        console.print(row, markup=False, no_wrap=True, overflow="crop")
    console.print(f"\n{_when(deck, found)}")


def _session(
    found: dict[str, pick.Asked],
    deck: Deck,
    kept: Path,
    console: Console,
    results: list[take.Result],
    items: int,
    new: int,
) -> None:
    asked = pick.pick(deck, found, datetime.now(UTC), items, new)
    if not asked:
        console.print("Nothing is due, and nothing is new.")
        return
    fresh = sum(one.is_new for one in asked)
    console.print(
        f"[bold]{len(asked) - fresh} due, {fresh} new.[/] [dim]s skips a question, q stops; what you have answered is kept.[/]"
    )
    ask = ask_on(console)
    try:
        for number, one in enumerate(asked, 1):
            if one.scenario:
                console.print()
                console.print(Markdown(one.scenario))
            log = attempts.Log(kept / f"{one.quiz}.jsonl")
            session = take.Session(log, attempts.reader_name(kept), "study", asks_certainty=True)
            result = take.one(one.item, f"{number} of {len(asked)}", one.quiz, session, console, ask)
            results.append(result)
            deck.review(one.card, rating(result.score or 0.0, result.certainty), datetime.now(UTC))
    except take.Stopped:
        console.print("\nStopped.")
    except (click.Abort, EOFError, KeyboardInterrupt):
        said = f"{len(results)} of {len(asked)} answers are kept"
        if sys.stdin.isatty():
            console.print(f"\nStopped; {said}.")
            raise click.Abort from None
        raise Refusal(f"the input ended; {said}", FALSE) from None


def _marks(results: list[take.Result]) -> int:
    return sum(certainty.mark(bool(result.correct), result.certainty) for result in results)


def _when(deck: Deck, found: dict[str, pick.Asked]) -> str:
    now = datetime.now(UTC)
    due = len(deck.due(found, now))
    if due:
        return f"{due} {'is' if due == 1 else 'are'} due again already: quiz study"
    next_ = deck.next_due(found)
    if next_ is None:
        return "Begin with: quiz study"
    minutes = max(1, round((next_ - now).total_seconds() / 60))
    size, unit = (
        (minutes, "minute")
        if minutes < 90
        else (round(minutes / 60), "hour")
        if minutes < 2160
        else (round(minutes / 1440), "day")
    )
    said = f"{size} {unit}{'s' if size != 1 else ''}"
    return f"The next one is due in {said}; {len(deck.new(found))} are new to you: quiz study"
