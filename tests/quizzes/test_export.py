"""`quiz export`: what other programs read is what the bank says: Anki's own importer, an independent Moodle XML parser, and by hand where there is none."""

import csv
import io
import json
import sqlite3
import sys
import time
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from click.testing import CliRunner

from quizzes import bank
from quizzes.cli import cli
from quizzes.exports import anki, gather, moodle, poll
from quizzes.exports.gather import Exported
from quizzes.lint import reasons
from quizzes.model import Matching, Multiple, Numeric, Ordering, Single
from quizzes.text import inline_html

TRIAL = Path(__file__).parent / "bank"


@pytest.fixture(scope="module")
def whole() -> list[Exported]:
    """The course's own bank."""
    return gather.items()


@pytest.fixture(scope="module")
def trial() -> list[Exported]:
    return gather.items(folder=TRIAL)


def of(exported: list[Exported], kind: type) -> Any:
    return next(one.item for one in exported if isinstance(one.item, kind))


# --- Moodle


@pytest.fixture(scope="module")
def tree(whole: list[Exported]) -> Xml.Element:
    return Xml.fromstring(moodle.document(whole))


def by_name(tree: Xml.Element) -> dict[str, Xml.Element]:
    return {q.findtext("name/text", ""): q for q in tree.findall("question") if q.get("type") != "category"}


def test_an_independent_parser_reads_every_choice_and_its_reason(whole: list[Exported]) -> None:
    from moodle_xml_parser.parser import parse_string

    read = {q.name: q for q in parse_string(moodle.document(whole))["multichoice"]}
    asked = [one.item for one in whole if isinstance(one.item, Single | Multiple)]
    assert set(read) == {item.id for item in asked}
    assert len(asked) > 100
    for item in asked:
        question = read[item.id]
        assert question.single == isinstance(item, Single)
        assert question.shuffle_answers == item.shuffle
        found = {option.feedback: option for option in question.options}
        for option in item.options:
            told = found[plain(inline_html(option.why))]
            assert told.answer == plain(inline_html(option.text))
            assert (told.score_fraction > 0) == option.correct
        gains = [option.score_fraction for option in question.options if option.score_fraction > 0]
        assert sum(gains) == pytest.approx(100, abs=1e-3)


def plain(html: str) -> str:
    """As that parser gives texts back: entities resolved."""
    from html import unescape

    return unescape(html.strip())


def test_every_item_of_the_bank_is_there_once_under_its_id(whole: list[Exported], tree: Xml.Element) -> None:
    questions = [q for q in tree.findall("question") if q.get("type") not in ("category", "description")]
    assert [q.findtext("idnumber") for q in questions] == [one.item.id for one in whole]
    kinds = {"single": "multichoice", "multiple": "multichoice", "numeric": "numerical"}
    assert [q.get("type") for q in questions] == [kinds.get(one.item.type, one.item.type) for one in whole]
    categories = [q.findtext("category/text", "") for q in tree.findall("question[@type='category']")]
    assert len(categories) == len(set(categories)) == len({one.quiz for one in whole})
    assert all(name.startswith("$course$/top/The Deployment Dilemma/") for name in categories)


def test_a_case_is_a_description_before_its_questions(whole: list[Exported], tree: Xml.Element) -> None:
    order = [q.findtext("idnumber") for q in tree.findall("question")]
    cases = {one.case_id: one for one in reversed(whole) if one.case_id}  # its first item
    assert cases
    for name, first in cases.items():
        assert order.index(name) + 1 == order.index(first.item.id)
        question = by_name(tree)[f"{name}: {first.case_title}"]
        assert question.get("type") == "description"
        assert question.findtext("defaultgrade") == "0"
        assert "<p>" in question.findtext("questiontext/text", "")


def test_partial_credit_is_that_of_study_mode(trial: list[Exported]) -> None:
    tree = Xml.fromstring(moodle.document(trial))
    item = of(trial, Multiple)
    answers = by_name(tree)[item.id].findall("answer")
    assert sorted({a.get("fraction") for a in answers}) == ["-50", "50"]
    assert by_name(tree)[of(trial, Ordering).id].findtext("gradingtype") == "RELATIVE_NEXT_EXCLUDE_LAST"


def test_the_shares_are_on_moodles_own_list(whole: list[Exported], tree: Xml.Element) -> None:
    """question/engine/bank.php lists the fractions that an import takes."""
    allowed = {"100", "0", "50", "33.33333", "25", "-50", "-33.33333", "-25"}
    used = {a.get("fraction") for q in tree.findall("question[@type='multichoice']") for a in q.findall("answer")}
    assert used <= allowed
    assert {item.select for one in whole if isinstance(item := one.item, Multiple)} <= set(moodle.SHARES)


def test_an_order_is_written_first_to_last_with_reasons(trial: list[Exported]) -> None:
    item = of(trial, Ordering)
    question = by_name(Xml.fromstring(moodle.document(trial)))[item.id]
    answers = question.findall("answer")
    assert [float(a.get("fraction", "")) for a in answers] == [1, 2, 3, 4]  # Moodle's importer reads the place from it
    assert [a.findtext("text") for a in answers] == [inline_html(step.text) for step in item.steps]
    assert [a.findtext("feedback/text") for a in answers] == [inline_html(step.why) for step in item.steps]


def test_pairs_and_what_fits_none(trial: list[Exported]) -> None:
    item = of(trial, Matching)
    question = by_name(Xml.fromstring(moodle.document(trial)))[item.id]
    assert question.get("type") == "matching"
    texts = {choice.id: choice.text for choice in item.choices}
    pairs = [(s.findtext("text") or "", s.findtext("answer/text")) for s in question.findall("subquestion")]
    assert pairs == [(inline_html(p.text), texts[p.choice]) for p in item.prompts] + [("", c.text) for c in item.unused]
    general = question.findtext("generalfeedback/text", "")
    assert all(inline_html(p.why) in general for p in item.prompts)
    assert all(inline_html(c.why or "") in general for c in item.unused)


def test_a_number_has_its_tolerance_its_unit_and_its_known_mistakes(trial: list[Exported]) -> None:
    item = of(trial, Numeric)
    question = by_name(Xml.fromstring(moodle.document(trial)))[item.id]
    right, *wrong = question.findall("answer")
    assert (right.get("fraction"), float(right.findtext("text", ""))) == ("100", item.key().answer)
    assert float(right.findtext("tolerance", "")) == pytest.approx(item.key().tolerance, abs=1e-6)
    assert right.findtext("feedback/text") == inline_html(item.why)
    assert [(a.get("fraction"), float(a.findtext("text", "")), a.findtext("feedback/text")) for a in wrong] == [
        ("0", float(m.value), inline_html(m.why)) for m in item.mistakes
    ]
    assert question.findtext("units/unit/unit_name") == item.unit


def test_texts_are_markup_where_moodle_takes_markup(tree: Xml.Element) -> None:
    for question in tree.iter("question"):
        for name in ("questiontext", "generalfeedback"):
            if (element := question.find(name)) is not None:
                assert element.get("format") == "html"
                Xml.fromstring(
                    f"<x>{element.findtext('text', '').replace('&nbsp;', ' ')}</x>"
                )  # well-formed inside too


# --- Anki


def test_a_card_keeps_its_guid_for_ever(whole: list[Exported]) -> None:
    assert anki.guid("flagship") == "cI;@zd{RS?"
    assert len({anki.guid(one.item.id) for one in whole}) == len(whole)
    assert len({anki.deck_id(one.quiz) for one in whole}) == len({one.quiz for one in whole})
    assert (anki.MODEL_ID, anki.deck_id("06-squid")) == (1_604_283_517, 1_500_645_894)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An empty one of Anki's own. Its wheels are for this platform; elsewhere the package's tables are read below."""
    if not (sys.platform == "linux" and __import__("platform").machine() == "x86_64"):
        pytest.skip("anki is among the development tools on Linux for x86-64 alone")
    from anki.collection import Collection

    opened = Collection(str(tmp_path_factory.mktemp("anki") / "collection.anki2"))
    yield opened
    opened.close()


def imported(collection: Any, path: Path) -> dict[str, int]:
    from anki.collection import ImportAnkiPackageOptions, ImportAnkiPackageRequest

    log = collection.import_anki_package(
        ImportAnkiPackageRequest(package_path=str(path), options=ImportAnkiPackageOptions())
    ).log
    return {name: len(getattr(log, name)) for name in ("new", "updated", "duplicate", "conflicting")}


def test_anki_itself_takes_the_deck_and_a_newer_one_updates_it(
    collection: Any, whole: list[Exported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "1.apkg", tmp_path / "2.apkg"
    anki.write(whole, first)
    assert imported(collection, first) == {"new": len(whole), "updated": 0, "duplicate": 0, "conflicting": 0}
    assert (collection.note_count(), collection.card_count()) == (len(whole), len(whole))
    card = collection.get_card(collection.find_cards(f"Id:{whole[0].item.id}")[0])
    collection.set_user_flag_for_cards(3, [card.id])  # something of the learner's own, which must survive

    changed = whole[0].item.model_copy(update={"criterion": "Which of these is BEST now?"})
    later = [Exported(changed, whole[0].quiz, whole[0].quiz_title), *whole[1:]]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    anki.write(later, second)
    monkeypatch.undo()
    said = imported(collection, second)
    assert (said["new"], said["conflicting"]) == (0, 0)
    assert collection.note_count() == len(whole)
    note = collection.get_note(collection.find_notes(f"Id:{changed.id}")[0])
    assert "Which of these is BEST now?" in note["Question"]
    assert note.guid == anki.guid(changed.id)
    assert collection.get_card(card.id).user_flag() == 3
    assert collection.fix_integrity()[1]


def test_anki_shows_question_and_reasons(collection: Any, whole: list[Exported], tmp_path: Path) -> None:
    path = tmp_path / "x.apkg"
    anki.write(whole, path)
    imported(collection, path)
    for one in whole[:40]:
        card = collection.get_card(collection.find_cards(f"Id:{one.item.id}")[0])
        question, answer = card.question(), card.answer()
        for reason in reasons(one.item):
            assert inline_html(reason) in answer
            assert inline_html(reason) not in question


def test_the_package_holds_ankis_tables(trial: list[Exported], tmp_path: Path) -> None:
    """Anki's documented layout: collection.anki2, a SQLite file with notes, cards and col (schema 11), and the list of media."""
    path = tmp_path / "t.apkg"
    anki.write(trial, path)
    with zipfile.ZipFile(path) as opened:
        assert json.loads(opened.read("media")) == {}
        (tmp_path / "c.anki2").write_bytes(opened.read("collection.anki2"))
    base = sqlite3.connect(tmp_path / "c.anki2")
    assert base.execute("SELECT ver FROM col").fetchone() == (11,)
    notes = base.execute("SELECT guid, mid, flds, tags FROM notes").fetchall()
    assert [guid for guid, *_ in notes] == [anki.guid(one.item.id) for one in trial]
    assert {mid for _, mid, *_ in notes} == {anki.MODEL_ID}
    assert all(flds.count("\x1f") == 4 for _, _, flds, _ in notes)
    assert base.execute("SELECT COUNT(*) FROM cards").fetchone() == (len(trial),)
    base.close()


# --- polls


def test_a_poll_has_a_row_for_each_choice_question(trial: list[Exported]) -> None:
    rows = list(csv.DictReader(io.StringIO(poll.as_csv(poll.rows(trial)).removeprefix("\ufeff"))))
    asked = {one.item.id: one.item for one in trial if isinstance(one.item, Single | Multiple)}
    assert [row["id"] for row in rows] == list(asked)
    for row in rows:
        item = asked[row["id"]]
        assert isinstance(item, Single | Multiple)
        right = {row[f"answer {n}"] for n in row["right"].split(",")}
        assert right == {poll.plain_text(option.text) for option in item.options if option.correct}


def test_a_sheet_is_read_back_cell_by_cell(whole: list[Exported], tmp_path: Path) -> None:
    table = poll.rows(whole)
    poll.write_xlsx(table, tmp_path / "p.xlsx")
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(tmp_path / "p.xlsx") as opened:
        for name in opened.namelist():
            Xml.fromstring(opened.read(name))
        types = opened.read("[Content_Types].xml").decode()
        assert all(
            f'"/{name}"' in types for name in opened.namelist() if name.startswith("xl/") and "_rels" not in name
        )
        sheet = Xml.fromstring(opened.read("xl/worksheets/sheet1.xml"))
    read = []
    for row in sheet.iterfind(".//m:row", space):
        cells = {c.get("r", "").rstrip("0123456789"): c.findtext(".//m:t", None, space) or c.findtext("m:v", "", space) for c in row.iterfind("m:c", space)}  # fmt: skip
        read.append([cells.get(chr(ord("A") + n), "") for n in range(len(poll.COLUMNS))])
    assert read[0] == list(poll.COLUMNS)
    assert read[1:] == [[str(cell) for cell in row] for row in table]


def test_a_text_like_a_formula_stays_a_text() -> None:
    row: poll.Row = ["=1+1", *["x"] * (len(poll.COLUMNS) - 2), "-2"]
    assert "'=1+1" in poll.as_csv([row])
    assert "'-2" in poll.as_csv([row])


# --- the command


@pytest.mark.parametrize("form", ["moodle", "anki", "csv", "xlsx"])
def test_the_command_writes_a_file(form: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    done = CliRunner().invoke(cli, ["export", form, "trial", "-o", str(path), "--json", "--bank", str(TRIAL)])
    said = json.loads(done.stdout)
    choices = sum(
        isinstance(item, Single | Multiple) for item in bank.load("trial", TRIAL).items if item.mode == "score"
    )
    assert said["items"] == (7 if form in ("moodle", "anki") else choices)
    assert said["items"] + said["left_out"] == 7
    assert path.stat().st_size > 500


@pytest.mark.parametrize(
    ("args", "status"),
    [(["csv", "nosuch"], 2), (["nosuch"], 2), (["csv", "-o", "/nonexistent/x.csv"], 1), (["anki", "-o", "/nonexistent/x.apkg"], 1)],
)  # fmt: skip
def test_bad_input_is_one_sentence(args: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    from labs import terminal

    assert terminal.run(cli, "quiz", ["export", *args, "--bank", str(TRIAL)]) == status
    assert "Traceback" not in capsys.readouterr().err
