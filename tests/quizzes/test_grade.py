"""`quiz grade`: a class's files marked by their answers alone; what cannot be marked is named and set aside, and nothing is silently zero."""

import csv
import io
import json
import os
import random
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from quizzes import attempts
from quizzes.attempts import URN
from quizzes.cli import cli
from quizzes.forms import form_id
from quizzes.grading import Response, grade
from quizzes.marking import keys, marks, statements
from quizzes.marking.book import Book
from quizzes.marking.folder import Found
from quizzes.marking.keys import Keyring
from quizzes.model import AnyItem
from quizzes.shuffle import seed, shuffled
from quizzes.take import order_of

TRIAL = Path(__file__).parent / "bank"
RIGHT: dict[str, Response] = {
    "trial-single": ["four"],
    "trial-multiple": ["a", "e"],
    "trial-ordering": ["ant", "mouse", "dog", "whale"],
    "trial-matching": {"calf": "cow", "foal": "horse", "lamb": "sheep"},
    "trial-numeric": "540",
    "trial-case-one": ["moo"],
    "trial-case-two": ["baa"],
}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def ring() -> Keyring:
    return keys.of_bank(TRIAL)


def answered(
    ring: Keyring, responses: dict[str, Response], reader: str = "ab12", attempt: int = 1, sitting: str | None = None
) -> list[Row]:
    """Statements as our faces write them."""
    rows = []
    for name, response in responses.items():
        item = ring.items[name]
        seen_by = (sitting, 1) if sitting else (reader, attempt)
        context = attempts.Context(
            "trial",
            reader,
            attempt,
            order_of(item, *seen_by),
            "exam",
            12.0,
            registration=sitting,
            form="trial-form" if sitting else None,
        )
        rows.append(attempts.statement(item, response, grade(item.key(), response, "exam"), context))
    return rows


def text(rows: list[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path, ring: Keyring) -> Path:
    """A class with one sound file, ada's, all right."""
    place = tmp_path / "class"
    place.mkdir()
    (place / "ada.jsonl").write_text(text(answered(ring, RIGHT, "ada0")), "utf-8")
    return place


def run(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(cli, ["grade", str(folder), "--bank", str(TRIAL), *args])


def graded(folder: Path, *args: str) -> tuple[list[Row], dict[str, str], int]:
    """Attempts, file → problem, exit status."""
    done = run(folder, "--json", *args)
    said = json.loads(done.stdout)
    return said["attempts"], {f["file"]: f["problem"] for f in said["files"] if f["problem"]}, done.exit_code


def test_a_class_is_marked_by_its_answers(folder: Path, ring: Keyring) -> None:
    some = {**RIGHT, "trial-single": ["five"], "trial-multiple": ["a"], "trial-numeric": None}
    (folder / "ben").mkdir()
    (folder / "ben" / "answers.jsonl").write_text(text(answered(ring, some, "ben0")), "utf-8")
    found, bad, status = graded(folder)
    assert [(a["student"], a["right"], a["n"], a["points"], a["problem"]) for a in found] == [
        ("ada", 7, 7, 7.0, None),
        ("ben", 4, 7, 4.5, None),
    ]
    assert found[1]["notes"] == ["1 of 7 left open"]
    assert found[1]["answers"]["trial-matching"] == "calf[.]cow[,]foal[.]horse[,]lamb[.]sheep"
    assert (bad, status) == ({}, 0)


def test_every_line_our_faces_write_is_read_the_fast_way(ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = answered(ring, RIGHT, sitting=str(uuid.uuid4())) + answered(ring, {**RIGHT, "trial-single": None})
    slow = [statements.parse(line) for line in text(rows).splitlines()]
    monkeypatch.setattr(statements, "parse", lambda line: pytest.fail(f"parsed: {line}"))
    fast = [statements.read(line) for line in text(rows).splitlines()]
    assert [replace_order(said) for said in fast] == [replace_order(said) for said in slow]


def replace_order(said: statements.Said) -> statements.Said:
    return said._replace(order=said.order.replace('", "', '","'))


def change(place: str, value: Any) -> Callable[[list[Row]], None]:
    def edit(rows: list[Row]) -> None:
        *way, last = place.split("/")
        inner: Any = rows[0]
        for name in way:
            inner = inner[name]
        inner[last] = value

    return edit


def swap_reader(rows: list[Row]) -> None:
    for row in rows:
        row["actor"]["account"]["name"] = "mallory0"


def new_ids(rows: list[Row]) -> None:
    swap_reader(rows)
    for row in rows:
        row["id"] = str(uuid.uuid4())


def answer_again(rows: list[Row]) -> None:
    rows.append({**rows[1], "id": str(uuid.uuid4())})


EDITED: dict[str, tuple[Callable[[list[Row]], None], str]] = {
    "a response alone": (change("result/response", "five"), "edited: the mark it claims for 'trial-single'"),
    "a mark alone": (change("result/success", False), "edited: the mark it claims"),
    "a score alone": (change("result/score", {"scaled": 0.5}), "edited: the mark it claims"),
    "a score that is none": (change("result/score", {"scaled": "NaN"}), "edited: the mark it claims"),
    "a response that is none": (change("result/response", "nosuch"), "is no answer to it"),
    "a response in control characters": (change("result/response", "four\x1b[2J"), "is no answer to it"),
    "another version": (change("context/extensions/urn:deployment-dilemma:version", "0" * 12), "under another key"),
    "an item that is none": (change("object/id", URN + "item:nosuch"), "there is no item 'nosuch'"),
    "the future": (change("timestamp", "2199-01-01T00:00:00Z"), "its time is in the future"),
    "a day that is none": (change("timestamp", "2026-02-31T00:00:00Z"), "there is no time 2026-02-31"),
    "two answers to one item": (answer_again, "it answers 'trial-multiple' twice"),
    "another name in one line": (change("actor/account/name", "ben0"), "its lines disagree on who answered"),
    "another quiz in one line": (change("context/contextActivities/grouping", [{"id": URN + "quiz:other"}]), "disagree"),
    "another order": (change("context/extensions/urn:deployment-dilemma:order", ["four"]), "shown 'trial-single' in that"),
    "a friend's file, the name changed": (swap_reader, "edited: nobody who sat there was shown"),
    "a friend's file, name and ids changed": (new_ids, "edited: nobody who sat there was shown"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITED)
def test_an_edited_attempt_is_set_aside_with_the_reason(folder: Path, ring: Keyring, name: str) -> None:
    edit, why = EDITED[name]
    rows = answered(ring, RIGHT, "mal0", sitting="5e7c1d4e-0000-4000-8000-000000000000")
    if "friend" in name:
        rows = answered(ring, RIGHT, "ann0")
    edit(rows)
    (folder / "mal.jsonl").write_text(text(rows), "utf-8")
    found, _, status = graded(folder)
    (aside,) = [a for a in found if a["problem"]]
    assert why in aside["problem"]
    assert (aside["student"], aside["right"], aside["percent"], status) == ("mal", None, None, 1)
    assert [a["right"] for a in found if not a["problem"]] == [7]


BAD_LINES: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"hello\n", "line 8: it is not JSON"),
    "cut off": (b'{"id":"1","times', "line 8: it is cut off"),
    "a list": (b"[1]\n", "line 8: it is not a statement"),
    "no answer": (b'{"verb":{"id":"http://adlnet.gov/expapi/verbs/answered"}}\n', "line 8: it lacks what a statement"),
    "a name twice": (b'{"id":1,"id":2}\n', "line 8: a name stands in it twice"),
    "not UTF-8": (b'{"id":"\xff\xfe"}\n', "line 8: it is not UTF-8"),
    "too long": (b'{"id":"' + b"a" * 70_000 + b'"}\n', "line 8: it has more than 64 K characters"),
    "deep": (b"[" * 60_000 + b"\n", "line 8: it is not JSON"),
    "a number where text belongs": (b'{"id":NaN}\n', "line 8: it lacks"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_named_by_its_number(folder: Path, name: str) -> None:
    raw, why = BAD_LINES[name]
    with (folder / "ada.jsonl").open("ab") as file:
        file.write(raw)
    found, bad, status = graded(folder)
    assert why in bad["ada.jsonl"]
    assert status == 1
    assert [a["right"] for a in found] == [7]


def test_many_bad_lines_are_counted_not_listed(folder: Path) -> None:
    (folder / "noise.jsonl").write_bytes(b"x\n" * 500)
    _, bad, _ = graded(folder)
    assert bad["noise.jsonl"].endswith("and 480 more")


def test_what_is_no_attempt_file_is_named(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text((folder / "ada.jsonl").read_text("utf-8"), "utf-8")
    (folder / "link.jsonl").symlink_to(secret)
    (folder / "outside").symlink_to(tmp_path)
    (folder / "report.pdf").write_bytes(b"%PDF")
    (folder / "empty.jsonl").write_bytes(b"")
    (folder / "wide.jsonl").write_bytes("{}\n".encode("utf-16"))
    (folder / "big.jsonl").write_bytes(b" " * 300_000)
    os.mkfifo(folder / "pipe.jsonl")
    found, bad, status = graded(folder, "--most-mb", "0.25")
    assert {name: why[:26] for name, why in bad.items()} == {
        "link.jsonl": "a link; links are not foll",
        "outside": "a link; links are not foll",
        "report.pdf": "not an attempt file (.json",
        "empty.jsonl": "empty",
        "wide.jsonl": "not text in UTF-8",
        "big.jsonl": "0.3 MB; at most 0.25 MB ar",
        "pipe.jsonl": "not a file but a device, a",
    }
    assert ([a["student"] for a in found], status) == (["ada"], 1)


def test_zip_files_are_opened_with_care(folder: Path, ring: Keyring) -> None:
    sound = text(answered(ring, RIGHT, "zoe0"))
    with zipfile.ZipFile(folder / "zoe.zip", "w") as file:
        file.writestr("deployment-dilemma-answers.jsonl", sound)
    with zipfile.ZipFile(folder / "group.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("yan/answers.jsonl", text(answered(ring, RIGHT, "yan0")))
        file.writestr("xia/answers.jsonl", text(answered(ring, RIGHT, "xia0")))
        file.writestr("../../escape.jsonl", sound)
        file.writestr("bomb.jsonl", b" " * 3_000_000)
        file.writestr("notes.docx", b"x")
    (folder / "torn.zip").write_bytes((folder / "zoe.zip").read_bytes()[:-40])
    found, bad, _ = graded(folder, "--most-mb", "2")
    assert [a["student"] for a in found] == ["ada", "xia", "yan", "zoe"]
    assert "leads out of the zip" in bad["group.zip: ../../escape.jsonl"]
    assert "unpacks to more than 2 MB" in bad["group.zip: bomb.jsonl"]
    assert bad["torn.zip"] == "not a whole zip file"
    assert not (folder.parent.parent / "escape.jsonl").exists()


def test_a_zip_member_that_lies_about_its_size_is_stopped(folder: Path) -> None:
    with zipfile.ZipFile(folder / "liar.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.jsonl", b"x\n" * 2_000_000)
    raw = bytearray((folder / "liar.zip").read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (100).to_bytes(4, "little")
    (folder / "liar.zip").write_bytes(raw)
    _, bad, _ = graded(folder)
    assert bad["liar.zip: a.jsonl"]


def test_one_attempt_of_two_students_counts_for_neither_until_somebody_decides(folder: Path) -> None:
    (folder / "abe.jsonl").write_bytes((folder / "ada.jsonl").read_bytes())
    found, _, status = graded(folder)
    assert [(a["student"], a["right"], a["problem"]) for a in found] == [
        ("abe", None, "replayed: the same attempt is in ada.jsonl, and somebody must say whose it is"),
        ("ada", None, "replayed: the same attempt is in abe.jsonl, and somebody must say whose it is"),
    ]
    assert status == 1
    (folder / "abe.jsonl").unlink()  # somebody has
    assert [(a["student"], a["right"]) for a in graded(folder)[0]] == [("ada", 7)]


def test_a_file_handed_in_again_counts_once_and_the_fuller_one_counts(folder: Path, ring: Keyring) -> None:
    rows = answered(ring, RIGHT, "cy0")
    (folder / "cy").mkdir()
    for name, part in (("1.jsonl", rows[:3]), ("2.jsonl", rows), ("3.jsonl", rows)):
        (folder / "cy" / name).write_text(text(part), "utf-8")
    own = {a["file"]: a for a in graded(folder)[0] if a["student"] == "cy"}
    assert {name: a["right"] for name, a in own.items()} == {"cy/1.jsonl": None, "cy/2.jsonl": 7, "cy/3.jsonl": None}
    assert own["cy/1.jsonl"]["problem"].endswith("has the same attempt, and more of it")
    assert own["cy/3.jsonl"]["problem"] == "repeated: cy/2.jsonl has the same attempt"


def test_a_line_pasted_twice_counts_once(folder: Path, ring: Keyring) -> None:
    (folder / "ada.jsonl").write_text(text(answered(ring, RIGHT, "ada0") * 2).replace("\r", ""), "utf-8")
    said = json.loads(run(folder, "--json").stdout)
    # `answered` makes ids once, so the second half repeats the first to the letter
    assert [a["right"] for a in said["attempts"]] == [7]
    assert said["files"][0]["also"] == {"a line that stands there twice": 7}


def test_two_students_in_one_browser_are_noted_not_punished(folder: Path, ring: Keyring) -> None:
    for name, attempt in (("dan", 1), ("eve", 2)):
        (folder / f"{name}.jsonl").write_text(text(answered(ring, RIGHT, "lab-pc", attempt)), "utf-8")
    notes = {a["student"]: a["notes"] for a in graded(folder)[0]}
    assert notes["dan"] == ["answered in the same browser or terminal as eve"]
    assert notes["eve"] == ["answered in the same browser or terminal as dan"]


def test_a_second_run_reads_only_what_is_new(folder: Path, ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = marks.sheet_of
    monkeypatch.setattr(marks, "sheet_of", lambda found, *rest: (read.append(found.name), real(found, *rest))[1])
    (folder / "ben.jsonl").write_text(text(answered(ring, RIGHT, "ben0")), "utf-8")
    with Book.open(folder, ring.digest) as book:
        next(marks.run(folder, ring, book))  # interrupted after the first file
    with Book.open(folder, ring.digest) as book:
        assert list(marks.run(folder, ring, book)) == ["ben.jsonl"]
    assert read == ["ada.jsonl", "ben.jsonl"]
    (folder / "ben.jsonl").write_text(text(answered(ring, {**RIGHT, "trial-single": ["five"]}, "ben0")), "utf-8")
    (folder / "ada.jsonl").unlink()
    assert [(a["student"], a["right"]) for a in graded(folder)[0]] == [("ben", 6)]
    with Book.open(folder, "another key") as book:
        assert book.known() == {}


def test_a_book_that_is_none_is_made_anew(folder: Path) -> None:
    (folder / "_grades").mkdir()
    (folder / "_grades" / "quiz.sqlite").write_bytes(b"not a database at all" * 100)
    assert [a["right"] for a in graded(folder)[0]] == [7]


def test_csv_and_html_say_the_same(folder: Path, ring: Keyring) -> None:
    (folder / "=cmd<b>.jsonl").write_text(text(answered(ring, RIGHT, "f0")), "utf-8")
    (folder / "noise.jsonl").write_bytes(b"x\n")
    rows = list(csv.DictReader(io.StringIO(run(folder, "--csv").stdout)))
    assert {row["student"]: row["percent"] for row in rows} == {"ada": "100.0", "'=cmd<b>": "100.0", "noise": ""}
    assert rows[-1]["problem"] == "line 1: it is cut off" or "not JSON" in rows[-1]["problem"]
    page = run(folder, "--html").stdout
    assert "=cmd&lt;b&gt;" in page
    assert "<b>" not in page
    assert "2 attempts marked, 0 set aside; 3 files, 1 of them" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_table_names_what_was_set_aside(folder: Path) -> None:
    (folder / "noise.jsonl").write_bytes(b"x\n\n")
    done = run(folder)
    assert done.exit_code == 1
    assert "1 attempts marked" in done.output
    assert "line 1: it is not JSON" in done.output


def test_leaving_lines_out_does_not_raise_a_share(folder: Path, ring: Keyring) -> None:
    some = answered(ring, {**RIGHT, "trial-single": ["five"], "trial-multiple": ["a"]}, "gil0")
    (folder / "gil.jsonl").write_text(text(some[2:]), "utf-8")  # the two wrong ones are gone
    gil = next(a for a in graded(folder)[0] if a["student"] == "gil")
    assert (gil["right"], gil["n"], gil["notes"]) == (5, 7, ["2 of 7 left open"])


def test_a_form_with_lines_left_out_says_so(folder: Path, ring: Keyring) -> None:
    whole = form_id("trial", [(name, ring.version(name)) for name in RIGHT])
    for name, part in (("hal", 7), ("ida", 6)):
        rows = answered(ring, RIGHT, f"{name}0", sitting=str(uuid.uuid4()))[:part]
        for row in rows:
            row["context"]["extensions"][URN + "form"] = whole
        (folder / f"{name}.jsonl").write_text(text(rows), "utf-8")
    notes = {a["student"]: a["notes"] for a in graded(folder)[0]}
    assert notes["hal"] == []
    assert notes["ida"] == ["a half of its form, or lines are missing"]


def test_no_damage_makes_a_wrong_answer_or_none_at_all(ring: Keyring) -> None:
    """Bytes changed, cut out, put in, doubled, cut off: whatever is marked was answered so, and nothing disappears without a word."""
    raw, chance = text(answered(ring, RIGHT, "ada0")).encode(), random.Random(4)
    for _ in range(300):
        damaged = bytearray(raw)
        at = chance.randrange(len(damaged))
        match chance.randrange(5):
            case 0:
                damaged[at] = chance.randrange(256)
            case 1:
                del damaged[at : at + chance.choice([1, 30, 900])]
            case 2:
                damaged[at:at] = chance.randbytes(3)
            case 3:
                damaged[at:at] = damaged[at : at + chance.choice([1, 50, 1000])]
            case _:
                del damaged[at:]
        sheet = marks.sheet_of(Found("f", "f", chunks=lambda: iter([bytes(damaged)])), ring, "2199")  # noqa: B023
        assert sheet.attempts or sheet.problem or not damaged
        for attempt in sheet.attempts:
            if not attempt.problem:
                assert attempt.right == attempt.answered
                assert attempt.right == attempt.n or attempt.notes


def test_an_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    from labs import terminal

    status = terminal.run(cli, "quiz", ["grade", str(tmp_path), "--bank", str(TRIAL)])
    assert status == 2


# --- withheld forms


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("form") / "one"
    done = CliRunner().invoke(
        cli, ["form", "--withhold", str(place), "--quiz", "trial", "--questions", "7", "--bank", str(TRIAL)]
    )
    assert done.exit_code == 0, done.output
    return place


def taken(key: Keyring, reader: str, share: float, chance: random.Random) -> list[Row]:
    """What the form's page hands out: answers without marks or versions."""
    rows = []
    for item in key.items.values():
        right = right_of(item)
        response = right if chance.random() < share else wrong_of(item)
        options = sorted(item.key().options)  # as the page has them
        order = shuffled(options, seed(reader, item.id, 1)) if item.shuffle else options
        guess = item.model_copy(update={"mode": "guess"})
        row = attempts.statement(guess, response, None, attempts.Context(key.quiz, reader, 1, order, platform="page"))
        del row["context"]["extensions"][URN + "version"]
        rows.append(row)
    return rows


def right_of(item: AnyItem) -> Response:
    key = item.key()
    return f"{key.answer:g}" if key.type == "numeric" else dict(key.pairs) if key.pairs else list(key.correct)


def wrong_of(item: AnyItem) -> Response:
    key = item.key()
    if key.type == "numeric":
        return "1"
    if key.pairs:
        names, choices = list(key.pairs), list(key.pairs.values())
        return dict(zip(names, choices[1:] + choices[:1], strict=True))
    return list(key.correct)[::-1] if key.type == "ordering" else [o for o in key.options if o not in key.correct][: len(key.correct)]  # fmt: skip


def test_the_page_of_a_withheld_form_holds_no_key(form: Path) -> None:
    page, key = (form / "form.html").read_text("utf-8"), keys.of_file(form / "key.json")
    assert (form / "key.json").stat().st_mode & 0o077 == 0
    assert len(key.items) == 7
    for item in key.items.values():
        assert item.criterion.split("*")[0][:20] in page
        assert item.version not in page
        for part in getattr(item, "options", getattr(item, "steps", ())):
            assert part.why not in page
    for origin in key.origins.values():
        assert origin not in page
    for word in ("&quot;correct&quot;", "&quot;pairs&quot;", "&quot;answer&quot;", "misconception", "data-for"):
        assert word not in page.split("<script>")[0]


def test_a_withheld_form_is_marked_with_its_key_alone(form: Path, tmp_path: Path) -> None:
    key, chance = keys.of_file(form / "key.json"), random.Random(3)
    (tmp_path / "ada.jsonl").write_text(text(taken(key, "ada1", 1.0, chance)), "utf-8")
    (tmp_path / "ben.jsonl").write_text(text(taken(key, "ben1", 0.0, chance)), "utf-8")
    (tmp_path / "cy.jsonl").write_text(text(taken(key, "cy1", 1.0, chance)[:5]), "utf-8")
    found, bad, _ = graded(tmp_path, "--key", str(form / "key.json"))
    assert [(a["student"], a["right"], a["n"]) for a in found] == [("ada", 7, 7), ("ben", 0, 7), ("cy", 5, 7)]
    assert found[2]["notes"] == ["2 of 7 left open"]
    assert bad == {}


def test_an_answer_may_be_changed_until_it_is_handed_in(form: Path, tmp_path: Path) -> None:
    key = keys.of_file(form / "key.json")
    rows = taken(key, "ada1", 0.0, random.Random(1)) + taken(key, "ada1", 1.0, random.Random(1))
    (tmp_path / "ada.jsonl").write_text(text(rows), "utf-8")
    assert [a["right"] for a in graded(tmp_path, "--key", str(form / "key.json"))[0]] == [7]


def test_a_lost_line_of_a_form_is_never_a_wrong_answer(form: Path, tmp_path: Path) -> None:
    key = keys.of_file(form / "key.json")
    lines = text(taken(key, "ada1", 1.0, random.Random(1))).splitlines(keepends=True)
    (tmp_path / "ada.jsonl").write_text("".join(lines[:-1]) + lines[-1][:200], "utf-8")
    (found,), bad, _ = graded(tmp_path, "--key", str(form / "key.json"))
    assert "1 lines of the file cannot be read, and 1 answers are missing" in found["problem"]
    assert "line 7: it is cut off" in bad["ada.jsonl"]


def test_a_foreign_form_is_named(form: Path, folder: Path) -> None:
    key = keys.of_file(form / "key.json")
    rows = taken(key, "fay0", 1.0, random.Random(1))
    for row in rows:
        row["context"]["extensions"][URN + "form"] = "another"
    (folder / "fay.jsonl").write_text(text(rows), "utf-8")
    found, bad, _ = graded(folder, "--key", str(form / "key.json"))
    assert [a["problem"] for a in found] == ["it is of another form (another)"]
    assert bad["ada.jsonl"] == f"there is no answer of the form {key.form} in it"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "deployment-dilemma/key/1"}', "\x00"])
def test_a_key_that_is_none_is_one_sentence(folder: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    from labs import terminal

    path = folder.parent / "key.json"
    path.write_text(content, "utf-8")
    assert terminal.run(cli, "quiz", ["grade", str(folder), "--key", str(path)]) == 1
    said = capsys.readouterr().err
    assert "is not the key of a form" in said.replace("\n", " ")


def test_a_form_is_not_written_over(form: Path) -> None:
    from labs import terminal

    assert terminal.run(cli, "quiz", ["form", "--withhold", str(form), "--bank", str(TRIAL)]) == 2


def test_a_clock_that_is_a_little_fast_is_forgiven(ring: Keyring, tmp_path: Path) -> None:
    rows = answered(ring, RIGHT, "ada0")
    (tmp_path / "ada.jsonl").write_text(text(rows), "utf-8")
    with Book.open(tmp_path, ring.digest) as book:
        early = datetime.fromisoformat(rows[0]["timestamp"].replace("Z", "+00:00")).astimezone(UTC)
        list(marks.run(tmp_path, ring, book, now=early.replace(hour=0, minute=0)))
        assert book.count("aside") == 0


def test_a_computed_item_is_drawn_again_from_its_id(tmp_path: Path) -> None:
    ring = replace(keys.of_bank(TRIAL))
    item = ring.item("token-bill-7")
    assert item is not None
    ring.items[item.id] = item
    context = attempts.Context("family-token-bill", "ada0", 1, order_of(item, "ada0", 1), "study")
    response = right_of(item)
    said = attempts.statement(item, response, grade(item.key(), response, "study"), context)
    (tmp_path / "ada.jsonl").write_text(text([said]), "utf-8")
    assert [a["right"] for a in graded(tmp_path)[0]] == [1]
