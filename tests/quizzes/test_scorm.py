"""A SCORM package: valid by the schemas of 1.2, whole, and with the keys of the bank. `tests/site/test_scorm.py` plays one."""

import csv
import io
import json
import re
import zipfile
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
import xmlschema
from click.testing import CliRunner

from labs import terminal
from labs.errors import Refusal
from quizzes.cli import cli
from quizzes.exports import scorm
from quizzes.exports.scorm import Lesson
from quizzes.grading import Key
from quizzes.marking import keys, withhold
from quizzes.model import Matching, Numeric, Quiz

TRIAL = Path(__file__).parent / "bank"
SCHEMAS = Path(__file__).parents[1] / "data" / "scorm12"


@pytest.fixture(scope="module")
def whole() -> list[Lesson]:
    """A page for each quiz of the course."""
    return scorm.of_bank()


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(SCHEMAS / "adlcp_rootv1p2.xsd"))


def specs(page: str) -> dict[str, Key]:
    """What the page marks by: item → key."""
    found = [json.loads(unescape(said)) for said in re.findall(r'data-spec="([^"]*)"', page)]
    return {spec["id"]: Key.from_json(spec["key"]) for spec in found}


def test_the_manifest_is_valid_by_the_schemas_of_scorm(whole: list[Lesson], schema: xmlschema.XMLSchema) -> None:
    schema.validate(scorm.manifest(whole))
    schema.validate(scorm.manifest(whole[:1]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('adlcp:scormtype="sco"', 'adlcp:scormtype="page"'),
        (' identifier="sco-06-squid"', ""),
        (' type="webcontent"', ""),
        ('<organizations default="course">', "<organizations/><organizations>"),
    ],
)
def test_the_schemas_would_find_a_mistake(old: str, new: str, schema: xmlschema.XMLSchema) -> None:
    broken = scorm.manifest(scorm.of_bank(["06-squid"])).replace(old, new)
    assert broken != scorm.manifest(scorm.of_bank(["06-squid"]))
    assert not schema.is_valid(broken)


def test_everything_that_the_manifest_names_is_in_the_package(whole: list[Lesson], tmp_path: Path) -> None:
    scorm.write(whole, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as opened:
        names = set(opened.namelist())
        root = Xml.fromstring(opened.read("imsmanifest.xml"))
    space = {"c": scorm.IMSCP}
    named = {file.get("href") for file in root.iterfind(".//c:file", space)}
    assert names == named | {"imsmanifest.xml"}
    pages = {resource.get("identifier"): resource.get("href") for resource in root.iterfind(".//c:resource", space)}
    items = [item.get("identifierref") for item in root.iterfind(".//c:organization/c:item", space)]
    assert [pages[name] for name in items] == [f"{lesson.quiz.slug}.html" for lesson in whole]
    assert {resource.get(f"{{{scorm.ADLCP}}}scormtype") for resource in root.iterfind(".//c:resource", space)} == {
        "sco"
    }


def test_the_same_bank_makes_the_same_package(tmp_path: Path) -> None:
    for name in ("1.zip", "2.zip"):
        scorm.write(scorm.of_bank(folder=TRIAL), tmp_path / name)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_every_item_is_on_its_page_with_the_key_of_the_bank(whole: list[Lesson]) -> None:
    asked = {item.id: item for lesson in whole for item in lesson.items}
    assert set(asked) == {item.id for item in keys.of_bank().items.values() if item.mode == "score"}
    for lesson in whole:
        found = specs(scorm.page(lesson))
        assert {name: key.to_json() for name, key in found.items()} == {
            item.id: item.key().to_json() for item in lesson.items
        }


def test_the_signs_of_a_report_lead_back_to_the_key(whole: list[Lesson]) -> None:
    for lesson in whole:
        rows = list(csv.DictReader(io.StringIO(scorm.responses(lesson.items))))
        for item in lesson.items:
            of_item = [row for row in rows if row["item"] == item.id]
            key = item.key()
            sign = {name: chr(ord("a") + place) for place, name in enumerate(key.options)}
            if isinstance(item, Matching):
                pairs = {row["sign"]: row["key"] for row in of_item if row["key"]}
                assert list(pairs.values()) == [sign[choice] for choice in key.pairs.values()]
            elif isinstance(item, Numeric):
                assert float(of_item[0]["key"]) == pytest.approx(key.answer)
            elif item.type == "ordering":
                assert [row["sign"] for row in of_item] == [sign[name] for name in key.correct]
            else:
                assert {row["sign"] for row in of_item if row["key"]} == {sign[name] for name in key.correct}


def test_a_guess_is_left_out_and_a_quiz_of_guesses_refused() -> None:
    assert [lesson.quiz.slug for lesson in scorm.of_bank(folder=TRIAL)] == ["trial"]
    with pytest.raises(Refusal, match="no question for this format"):
        scorm.of_bank(["trial-guess"], TRIAL)


def test_a_form_becomes_a_page_under_its_made_up_names(tmp_path: Path) -> None:
    ring = withhold.draw(TRIAL, 20, ("trial",), "Friday <1>")
    keys.write(tmp_path / "key.json", ring)
    (lesson,) = scorm.of_form(tmp_path / "key.json")
    page = scorm.page(lesson)
    assert set(specs(page)) == set(ring.items)
    assert "<h1>Friday &lt;1&gt;</h1>" in page
    assert "trial-" not in page


def test_the_digest_changes_with_a_key() -> None:
    (lesson,) = scorm.of_bank(folder=TRIAL)
    single = lesson.items[0]
    assert single.type == "single"
    first, second, *rest = single.options
    swapped = single.model_copy(update={"options": (second, first, *rest)})
    assert Lesson(lesson.quiz, (swapped, *lesson.items[1:]), {}).digest != lesson.digest


def test_more_than_a_platform_keeps_is_refused(tmp_path: Path) -> None:
    (lesson,) = scorm.of_bank(folder=TRIAL)
    many = tuple(lesson.items[0].model_copy(update={"id": f"n-{n}"}) for n in range(300))
    with pytest.raises(Refusal, match="has 300 questions"):
        scorm.write([Lesson(Quiz(slug="many", title="Many", entries=many), many, {})], tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_the_mark_to_pass_stands_in_the_page() -> None:
    (lesson,) = scorm.of_bank(folder=TRIAL)
    assert '"pass": 70,' in scorm.page(lesson)
    assert '"pass": 62.5,' in scorm.page(lesson, 62.5)


# --- the command


@pytest.mark.parametrize(("form", "items"), [("scorm", 7), ("qti", 7)])
def test_the_command_writes_a_package(form: str, items: int, tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    done = CliRunner().invoke(cli, ["export", form, "trial", "-o", str(path), "--json", "--bank", str(TRIAL)])
    assert json.loads(done.stdout) == {"format": form, "path": str(path), "items": items, "left_out": 0}
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None


def test_the_command_packs_a_form_with_its_own_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys.write(tmp_path / "key.json", withhold.draw(TRIAL, 3, ("trial",)))
    done = CliRunner().invoke(cli, ["export", "scorm", "--key", "key.json", "--pass", "90"])
    assert "3 questions in deployment-dilemma-scorm.zip." in done.stdout
    with zipfile.ZipFile("deployment-dilemma-scorm.zip") as opened:
        (page,) = [opened.read(name).decode() for name in opened.namelist() if name.endswith(".html")]
    assert '"pass": 90,' in page


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["scorm", "nosuch"], 2, "there is no quiz 'nosuch'"),
        (["scorm", "trial-guess"], 2, "no question for this format"),
        (["scorm", "trial", "-o", "/nonexistent/x.zip"], 1, "cannot be written"),
        (["qti", "trial", "-o", "/nonexistent/x.zip"], 1, "cannot be written"),
        (["scorm", "trial", "--pass", "101"], 2, "101"),
        (["qti", "--pass", "80"], 2, "for scorm alone"),
        (["scorm", "trial", "--key", str(TRIAL / "trial.yaml")], 2, "not both"),
        (["scorm", "--key", str(TRIAL / "trial.yaml")], 1, "is not the key of a form"),
    ],
)
def test_bad_input_is_one_sentence(args: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(cli, "quiz", ["export", *args, "--bank", str(TRIAL)]) == status
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
