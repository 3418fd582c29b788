"""`quiz grade` and `quiz form`.

quiz grade class/                      # against the bank
quiz grade class/ --key key.json       # a form that was handed out without its key
quiz form --withhold exam-1/           # makes such a form
"""

from collections.abc import Iterator
from pathlib import Path

import click

from labs import terminal
from labs.errors import FALSE, USAGE, Refusal
from labs.spread.options import SCHEDULER
from quizzes import bank
from quizzes.marking import keys, marks, show, withhold
from quizzes.marking.book import Book

BANK_OPTION = click.option(
    "--bank", "where", type=click.Path(path_type=Path, exists=True, file_okay=False), default=bank.BANK, help="Another bank."
)  # fmt: skip


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Of a withheld form; without it, the bank.")  # fmt: skip
@click.option("--most-mb", type=click.FloatRange(0.001, 4096), default=64.0, show_default=True, help="The largest file that is read.")  # fmt: skip
@SCHEDULER
@click.option("--again", is_flag=True, help="Also read the files that are marked already.")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV, a line for each attempt.")
@click.option("--html", "form", flag_value="html", help="Print a page of HTML.")
@BANK_OPTION
def grade(
    folder: Path, key: Path | None, most_mb: float, scheduler: str | None, again: bool, form: str | None, where: Path
) -> None:
    """Mark the attempt files in FOLDER: what learners download from a page, or what a terminal keeps in LAB_HOME/attempts.

    A student is a file or a folder (ada.jsonl, ada/...), also inside a zip file. Whatever cannot be marked is named and set aside, with the reason.
    Marks are kept in FOLDER/_grades; a second run reads only what is new. Exit status 1 if something was set aside.

    A mark rests on the answers alone, never on what a file says of its own mark. Answers and marks that were changed together, and somebody else's
    hand, cannot be seen in a file.
    """
    elsewhere = _elsewhere(scheduler) if scheduler else None
    ring = keys.of_file(key) if key else keys.of_bank(where)
    with Book.open(folder, ring.digest, again) as book:
        new = 0
        for _ in marks.run(folder, ring, book, most_mb, elsewhere=elsewhere):
            new += 1
            if new % 1000 == 0:
                terminal.err.print(f"{new:,} files read ...")
        if not book.count("files"):
            raise Refusal(f"there is no attempt file in {folder}", USAGE)
        title = ring.title or "Marks"
        if form == "json":
            _print(show.as_json(book))
        elif form == "csv":
            _print(show.as_csv(book))
        elif form == "html":
            _print(show.as_html(book, title))
        else:
            show.as_table(book)
            kept = book.count("files") - new
            terminal.say(f"{new} files read now, {kept} marked before. Statistics: quiz stats {folder}" + (f" --key {key}" if key else ""))  # fmt: skip
        if book.count("aside") or book.count("bad"):
            click.get_current_context().exit(FALSE)


def _elsewhere(scheduler: str) -> marks.Elsewhere:
    from labs.spread import cluster
    from quizzes.marking import spreading

    cluster.reach(scheduler)
    return spreading.on(scheduler)


def _print(pieces: Iterator[str]) -> None:
    for piece in pieces:
        click.echo(piece, nl=False)


@click.command("form")
@click.option("--withhold", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="Write form.html and key.json into this folder.")  # fmt: skip
@click.option("--questions", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--quiz", "slugs", multiple=True, help="Only from these quizzes; without it, by the practice exam's blueprint.")  # fmt: skip
@click.option("--title", help="What stands above the form.")
@BANK_OPTION
def form(folder: Path, questions: int, slugs: tuple[str, ...], title: str | None, where: Path) -> None:
    """Draw a form whose key stays with you: a page to hand out, and the key that `quiz grade --key` marks it with.

    The page holds no key and no reasons, and its items and options have made-up names. Computed items have figures that nobody has seen. An authored
    item is in the bank, so who owns the bank can look it up; --bank draws from a bank of your own.
    """
    key, page = folder / "key.json", folder / "form.html"
    if key.exists() or page.exists():
        raise Refusal(f"{folder} holds a form already; name another folder", USAGE)
    drawn = withhold.draw(where, questions, slugs, title)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        keys.write(key, drawn)
        page.write_text(withhold.page_of(drawn), "utf-8")
    except OSError as wrong:
        raise Refusal(f"{folder} cannot be written to: {wrong.strerror}", FALSE) from None
    terminal.say(f"{len(drawn.items)} questions, form {drawn.form}.")
    terminal.say(f"Hand out:  {page}")
    terminal.say(f"Keep:      {key}  (readable by you alone)")
    terminal.say(f"Later:     quiz grade FOLDER --key {key}")
