"""What came of a class: a table, JSON, CSV, or a page of HTML that needs nothing else.

Each is written row by row, as the book gives them.
"""

import csv
import io
import json
from collections.abc import Iterator
from html import escape

from labs import terminal
from quizzes.frame import document
from quizzes.marking.book import Book
from quizzes.results import wilson

COLUMNS = ("student", "quiz", "form", "attempt", "started", "ended", "answered", "n", "right", "percent", "points", "problem", "notes", "file")  # fmt: skip


def as_json(book: Book) -> Iterator[str]:
    """The whole as one JSON object, in pieces."""
    yield '{"attempts": ['
    for place, row in enumerate(book.attempts(with_answers=True)):
        yield (",\n" if place else "\n") + json.dumps(row, ensure_ascii=False)
    yield '\n],\n"files": ['
    for place, row in enumerate(book.files()):
        yield (",\n" if place else "\n") + json.dumps(row, ensure_ascii=False)
    yield "\n]}\n"


def as_csv(book: Book) -> Iterator[str]:
    """A line for each attempt, and one for each file of which nothing could be marked."""
    yield _line(COLUMNS)
    for row in book.attempts():
        row["notes"] = "; ".join(row["notes"])
        yield _line([_cell(row[name]) for name in COLUMNS])
    for row in book.files():
        if row["problem"]:
            yield _line([_cell(row.get(name)) for name in COLUMNS])


def _cell(value: object) -> str:
    """As a spreadsheet takes it for text, whatever it begins with."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _line(cells: object) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)  # type: ignore[arg-type]
    return out.getvalue()


def as_html(book: Book, title: str) -> Iterator[str]:
    """One page: the marks first, then what was set aside and why."""
    total, aside = book.count("attempts"), book.count("aside")
    head, foot = document(title)
    yield head
    yield f"<h1>{escape(title)}</h1>\n"
    yield (
        f"<p>{total - aside} attempts marked, {aside} set aside; {book.count('files')} files, {book.count('bad')} of them with something that cannot be "
        "read. A question is right or not; points give partial credit. The interval is Wilson's, at 95 %.</p>\n"
    )
    yield '<div class="wide" tabindex="0" role="region" aria-label="Marks"><table><caption>Marks</caption><thead><tr>'
    for name in ("Student", "Quiz", "Attempt", "Right", "Percent", "Interval", "Points", "To know"):
        yield f'<th scope="col"{_number(name)}>{name}</th>'
    yield "</tr></thead><tbody>\n"
    for row in book.attempts():
        if row["problem"]:
            continue
        low, high = wilson(row["right"], row["n"])
        quiz = row["quiz"] + (f" ({row['form']})" if row["form"] else "")
        cells = (
            f'<th scope="row">{escape(row["student"])}</th><td>{escape(quiz)}</td><td class="n">{row["attempt"]}</td>'
            f'<td class="n">{row["right"]} of {row["n"]}</td><td class="n">{row["percent"]:.0f}</td><td class="n">{100 * low:.0f}–{100 * high:.0f}</td>'
            f'<td class="n">{row["points"]:.1f}</td><td>{escape("; ".join(row["notes"]))}</td>'
        )
        yield f"<tr>{cells}</tr>\n"
    yield "</tbody></table></div>\n"
    yield "<h2>Set aside</h2>\n"
    if not aside and not book.count("bad"):
        yield "<p>Nothing.</p>\n"
        yield foot
        return
    yield '<div class="wide" tabindex="0" role="region" aria-label="Set aside"><table><thead><tr><th scope="col">File</th><th scope="col">What</th><th scope="col">Why</th></tr></thead><tbody>\n'
    for row in book.files():
        if row["problem"]:
            yield f'<tr><th scope="row">{escape(row["file"])}</th><td>file</td><td>{escape(row["problem"])}</td></tr>\n'
    for row in book.attempts():
        if row["problem"]:
            yield f'<tr><th scope="row">{escape(row["file"])}</th><td>attempt at {escape(row["quiz"])}</td><td>{escape(row["problem"])}</td></tr>\n'
    yield "</tbody></table></div>\n"
    yield foot


def _number(name: str) -> str:
    return ' class="n"' if name in ("Attempt", "Right", "Percent", "Interval", "Points") else ""


MOST_ROWS = 200
"""in a terminal"""


def as_table(book: Book) -> None:
    """For a terminal."""
    rows: list[list[object]] = []
    problems: list[list[object]] = []
    count = 0
    for row in book.attempts():
        if row["problem"]:
            problems.append([row["file"], f"attempt at {row['quiz']}", row["problem"]])
            continue
        count += 1
        if len(rows) < MOST_ROWS:
            low, high = wilson(row["right"], row["n"])
            rows.append(
                [row["student"], row["quiz"], row["attempt"], f"{row['right']} of {row['n']}", f"{row['percent']:.0f}", f"{100 * low:.0f}–{100 * high:.0f}", f"{row['points']:.1f}", "; ".join(row["notes"])]
            )  # fmt: skip
    columns = ["Student", "Quiz", "Attempt (n)", "Right (n)", "(%)", "Interval (%)", "Points (n)", "To know"]
    terminal.table(f"{count} attempts marked", columns, [[_plain(cell) for cell in row] for row in rows])
    if count > len(rows):
        terminal.say(f"... and {count - len(rows)} more: --csv has them all.")
    problems = [[row["file"], "file", row["problem"]] for row in book.files() if row["problem"]] + problems
    if problems:
        terminal.table(
            f"{len(problems)} set aside",
            ["File", "What", "Why"],
            [[_plain(cell) for cell in row] for row in problems[:MOST_ROWS]],
        )


def _plain(cell: object) -> str:
    """Without what a terminal would obey."""
    from rich.markup import escape as shown

    return shown("".join(letter if letter.isprintable() else "?" for letter in str(cell)))
