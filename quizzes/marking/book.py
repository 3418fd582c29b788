"""The marks of a class, in one SQLite file: a run that was interrupted goes on where it was, and memory does not grow with the class.

book = Book.open(folder, ring.digest)
book.known()             # the files that are marked already, against this key
book.keep(found, sheet)  # what came of one file
for row in book.attempts(): ...
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labs.errors import NOT_READY, Refusal
from quizzes.marking.folder import RESULTS, Found

NAME = "quiz.sqlite"
LAYOUT = 1
"""raised when the tables change; an older file is made anew"""
_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE files (name TEXT PRIMARY KEY, size INTEGER, changed_ns INTEGER, student TEXT, statements INTEGER, about TEXT, problem TEXT);
CREATE TABLE attempts (id INTEGER PRIMARY KEY, file TEXT, student TEXT, reader TEXT, quiz TEXT, form TEXT, sitting TEXT, mark TEXT, attempt INTEGER,
  started TEXT, ended TEXT, answered INTEGER, n INTEGER, right INTEGER, points REAL, problem TEXT, notes TEXT, answers TEXT);
CREATE INDEX by_file ON attempts (file);
CREATE INDEX by_sitting ON attempts (sitting);
CREATE INDEX by_mark ON attempts (mark);
"""


@dataclass(frozen=True)
class Attempt:
    """One sitting of one student, marked or set aside."""

    student: str
    reader: str
    quiz: str
    form: str
    sitting: str
    mark: str
    """the least of its statements' ids: a copy has the same"""
    attempt: int
    started: str
    ended: str
    answered: int
    n: int
    right: int
    points: float
    problem: str
    notes: list[str]
    answers: dict[str, str]
    """item → response, empty where it was left open"""


@dataclass
class Sheet:
    """What came of one file."""

    attempts: list[Attempt] = field(default_factory=list)
    statements: int = 0
    about: dict[str, int] = field(default_factory=dict)
    """what else is in it, in words → how many lines"""
    problem: str = ""


class Book:
    """The file; use it as a context."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._open = 0

    @classmethod
    def open(cls, folder: Path, digest: str, again: bool = False) -> "Book":
        """The book of a class, empty if it is of another key or another layout. Refusal if the folder cannot be written to."""
        path = folder / RESULTS / NAME
        wanted = f"{LAYOUT}/{digest}"
        try:
            path.parent.mkdir(exist_ok=True)
            if again:
                path.unlink(missing_ok=True)
            if path.is_symlink() or path.parent.is_symlink():
                raise Refusal(f"{path} is a link; remove it", NOT_READY)
            connection = sqlite3.connect(path)
            try:
                known = connection.execute("SELECT value FROM about WHERE name = 'key'").fetchone()
            except sqlite3.DatabaseError:
                known = None
            if known is None or known[0] != wanted:
                connection.close()
                path.unlink(missing_ok=True)
                connection = sqlite3.connect(path)
                connection.executescript(_TABLES)
                connection.execute("INSERT INTO about VALUES ('key', ?)", (wanted,))
                connection.commit()
        except (OSError, sqlite3.OperationalError) as wrong:
            raise Refusal(f"the marks cannot be kept in {path.parent}: {wrong}", NOT_READY) from None
        connection.execute("PRAGMA synchronous = OFF")  # a power cut costs a second run, not a mark
        return cls(connection)

    def __enter__(self) -> "Book":
        return self

    def __exit__(self, *_: object) -> None:
        self.commit()
        self._db.close()

    def commit(self) -> None:
        """Write down what is known."""
        self._db.commit()
        self._open = 0

    def known(self) -> dict[str, tuple[int, int]]:
        """The files in the book: name → size and time of change."""
        return {
            name: (size, changed)
            for name, size, changed in self._db.execute("SELECT name, size, changed_ns FROM files")
        }

    def forget(self, name: str) -> None:
        """Take a file out, with all that came of it."""
        self._db.execute("DELETE FROM files WHERE name = ?", (name,))
        self._db.execute("DELETE FROM attempts WHERE file = ?", (name,))

    def keep(self, found: Found, sheet: Sheet) -> None:
        """Enter one file."""
        self._db.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                found.name,
                found.size,
                found.changed_ns,
                found.student,
                sheet.statements,
                json.dumps(sheet.about, ensure_ascii=False) if sheet.about else "",
                found.problem or sheet.problem,
            ),
        )
        for attempt in sheet.attempts:
            self._enter(found, attempt)
        self._open += 1 + sheet.statements // 20
        if self._open >= 2_000:
            self.commit()

    def _enter(self, found: Found, a: Attempt) -> None:
        self._db.execute(
            "INSERT INTO attempts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                found.name,
                a.student,
                a.reader,
                a.quiz,
                a.form,
                a.sitting,
                a.mark,
                a.attempt,
                a.started,
                a.ended,
                a.answered,
                a.n,
                a.right,
                a.points,
                a.problem,
                "\n".join(a.notes),
                "\n".join([f"{item}\t{response}" for item, response in a.answers.items()]),
            ),
        )

    def attempts(self, with_answers: bool = False) -> Iterator[dict[str, Any]]:
        """Every attempt as data, by student, quiz and time; `answers` only when they are asked for."""
        shared = self._shared_readers()
        twins = self._twins()
        columns = (
            "id, file, student, reader, quiz, form, attempt, started, ended, answered, n, right, points, problem, notes"
        )
        for row in self._db.execute(
            f"SELECT {columns}{', answers' if with_answers else ''} FROM attempts ORDER BY student, quiz, form, attempt, started, id"
        ):
            notes = [note for note in row[14].split("\n") if note]
            if others := sorted(shared.get(row[3], set()) - {row[2]}):
                notes.append(f"answered in the same browser or terminal as {', '.join(others[:3])}")
            problem = row[13] or twins.get(row[0], "")
            marked = not problem
            said = {
                "file": row[1],
                "student": row[2],
                "quiz": row[4],
                "form": row[5] or None,
                "attempt": row[6],
                "started": row[7],
                "ended": row[8],
                "answered": row[9],
                "n": row[10],
                "right": row[11] if marked else None,
                "points": round(row[12], 4) if marked else None,
                "percent": round(100 * row[11] / row[10], 1) if marked and row[10] else None,
                "problem": problem or None,
                "notes": notes,
            }
            if with_answers:
                said["answers"] = dict(line.split("\t", 1) for line in row[15].split("\n") if line)
            yield said

    def _shared_readers(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for reader, student in self._db.execute(
            "SELECT DISTINCT reader, student FROM attempts WHERE reader IN "
            "(SELECT reader FROM attempts GROUP BY reader HAVING COUNT(DISTINCT student) > 1)"
        ):
            found.setdefault(reader, set()).add(student)
        return found

    def _twins(self) -> dict[int, str]:
        """Attempts that stand in the book more than once, with the reason why they do not count: id → reason.

        Of one student's the fuller counts, and of equals the first. Of two students' none does: a file does not tell who sat there.
        """
        found: dict[int, str] = {}
        pairs = (
            "SELECT a.id, a.student, a.answered, b.id, b.student, b.answered, b.file FROM attempts a JOIN attempts b ON a.{0} = b.{0} AND a.id != b.id "
            "WHERE a.problem = '' AND b.problem = ''"
        )
        for column in ("sitting", "mark"):
            for one, student, answered, other, whose, more, file in self._db.execute(pairs.format(column)):
                if student != whose:
                    found[one] = f"replayed: the same attempt is in {file}, and somebody must say whose it is"
                elif (more, -other) > (answered, -one):
                    found.setdefault(
                        one, f"repeated: {file} has the same attempt" + (", and more of it" if more > answered else "")
                    )
        return found

    def files(self) -> Iterator[dict[str, Any]]:
        """Every file as data."""
        for name, student, statements, about, problem in self._db.execute(
            "SELECT name, student, statements, about, problem FROM files ORDER BY name"
        ):
            yield {
                "file": name,
                "student": student,
                "statements": statements,
                "also": json.loads(about) if about else {},
                "problem": problem or None,
            }

    def count(self, what: str) -> int:
        """How many: 'files', 'attempts', 'aside' (attempts) or 'bad' (files with a problem)."""
        query = {
            "files": "SELECT COUNT(*) FROM files",
            "attempts": "SELECT COUNT(*) FROM attempts",
            "aside": "SELECT COUNT(*) FROM attempts WHERE problem != ''",
            "bad": "SELECT COUNT(*) FROM files WHERE problem != ''",
        }[what]
        return int(self._db.execute(query).fetchone()[0]) + (len(self._twins()) if what == "aside" else 0)
