"""How fast attempts are graded: a class of 2,000 with 20 items each, from files on the disk to marks in the book, on one core.

    python -m quizzes.bench

Two classes: a file for each student, and one log of them all. Grading runs in one process and one thread; figures are per second of its
processor time, the best of three runs: a busy machine stretches the clock's, and fills the caches with other things.
"""

import json
import random
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from labs import terminal
from labs.errors import NOT_READY, Refusal
from quizzes import attempts, forms
from quizzes.grading import Response, grade
from quizzes.marking import keys, marks
from quizzes.marking.book import Book
from quizzes.marking.keys import Keyring
from quizzes.model import AnyItem
from quizzes.take import order_of

STUDENTS, ITEMS, WANTED_PER_S = 2_000, 20, 5_000


@click.command()
@click.option("--students", type=click.IntRange(20), default=STUDENTS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(students: int, as_json: bool) -> int:
    """Make a class up, grade it, and print what it took."""
    ring = keys.of_bank()
    asked = [item for _, item in sorted(ring.items.items())][:ITEMS]
    random.seed(7)
    with tempfile.TemporaryDirectory() as name:
        lines = [sitting(asked, number) for number in range(students)]
        for number, said in enumerate(lines):
            (Path(name) / "each").mkdir(exist_ok=True)
            (Path(name) / "each" / f"student-{number:05}.jsonl").write_text(said, "utf-8")
        (Path(name) / "one").mkdir()
        (Path(name) / "one" / "class.jsonl").write_text("".join(lines), "utf-8")
        found = {
            "a file each": max(timed(Path(name) / "each", students) for _ in range(3)),
            "one log of all": max(timed(Path(name) / "one", students) for _ in range(3)),
        }
        parsed = max(parse_only(Path(name) / "one" / "class.jsonl", students) for _ in range(3))
    if as_json:
        terminal.emit_json({"students": students, "per_cpu_s": found, "json_alone_per_cpu_s": parsed})
        return 0
    terminal.table(
        f"Attempts of {ITEMS} items",
        ["Class", "Graded, of a core (1/s)"],
        [
            *((name, f"{rate:,.0f}") for name, rate in found.items()),
            ("json.loads of the lines alone", f"{parsed:,.0f}"),
        ],
    )
    terminal.say(
        f"Wanted: {WANTED_PER_S:,} a second of one core. The last line is what Python's own parser takes for the same bytes, before any marking."
    )
    return 0


def sitting(asked: list[AnyItem], number: int) -> str:
    """The log of one made-up student."""
    form = forms.form_id("bench", [(item.id, item.version) for item in asked])
    registration, reader = str(uuid.UUID(int=random.getrandbits(128))), f"{number:08x}"
    began = datetime(2026, 11, 1, tzinfo=UTC)
    rows = []
    for place, item in enumerate(asked):
        order = order_of(item, registration, 1)
        response = _response(item, order)
        context = attempts.Context("bench", reader, 1, order, "exam", 40.0, registration=registration, form=form)
        said = attempts.statement(item, response, grade(item.key(), response, "exam"), context)
        said["timestamp"] = (began + timedelta(seconds=40 * place)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        rows.append(json.dumps(said, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(rows)


def _response(item: AnyItem, order: list[str]) -> Response:
    key = item.key()
    match item.type:
        case "numeric":
            return f"{key.answer:.6g}"
        case "matching":
            return dict(zip(key.pairs, random.sample(list(key.options), len(key.pairs)), strict=True))
        case "ordering":
            return random.sample(order, len(order))
    return random.sample(order, len(key.correct))


def timed(folder: Path, students: int) -> float:
    """Attempts graded in a second of processor time, the key read beforehand."""
    ring: Keyring = keys.of_bank()
    before = time.process_time()
    with Book.open(folder, ring.digest, again=True) as book:
        for _ in marks.run(folder, ring, book, most_mb=1024):
            pass
        took = time.process_time() - before
        if book.count("attempts") != students or book.count("aside"):
            raise Refusal(f"graded {book.count('attempts')} of {students}, {book.count('aside')} set aside", NOT_READY)
    return students / took


def parse_only(path: Path, students: int) -> float:
    """The same bytes through a JSON parser and nothing else."""
    before = time.process_time()
    with path.open("rb") as handle:
        for line in handle:
            json.loads(line)
    return students / (time.process_time() - before)


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m quizzes.bench"))
