"""Locked solutions: the file shows none of them, a code opens its own task and no other, and every slip gets a sentence."""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from labs import terminal
from labs.check import student
from labs.errors import Refusal
from labs.workshop import reveal
from labs.workshop.pace_commands import reveal as command

LAB = student.find("03-sagemaker")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, str]]:
    bundle = tmp_path_factory.mktemp("kit") / "03-sagemaker.reveal"
    return bundle, reveal.seal(LAB, bundle)


@pytest.mark.parametrize("lab", sorted(student.NOTEBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_what_is_locked_is_what_the_copy_lacks(lab: Path) -> None:
    copy = student.render(lab)
    tasks = reveal.solutions(lab)
    assert tasks
    for task in tasks.values():
        for cell in task.cells:
            assert json.dumps(cell.text, ensure_ascii=False)[1:-1] not in copy


def test_no_line_of_a_solution_stands_in_the_file(sealed: tuple[Path, dict[int, str]]) -> None:
    bundle, codes = sealed
    raw = bundle.read_bytes()
    said = json.loads(raw)
    inside = raw + b"".join(b64decode(each["sealed"]) + b64decode(each["nonce"]) for each in said["tasks"])
    lines = [
        line.strip()
        for task in reveal.solutions(LAB).values()
        for cell in task.cells
        for line in cell.text.splitlines()
    ]
    assert len([line for line in lines if len(line) > 5]) > 20
    assert not [line for line in lines if len(line) > 5 and line.encode() in inside]
    assert not [code for code in codes.values() if code.encode() in inside or code.replace("-", "").encode() in inside]


def test_a_code_opens_its_task_and_no_other(sealed: tuple[Path, dict[int, str]]) -> None:
    bundle, codes = sealed
    tasks = reveal.solutions(LAB)
    assert set(codes) == set(tasks)
    assert len(set(codes.values())) == len(codes)
    for number, code in codes.items():
        assert reveal.unseal(code, [bundle]) == tasks[number]


def test_a_code_is_forgiving_about_how_it_is_typed(sealed: tuple[Path, dict[int, str]]) -> None:
    bundle, codes = sealed
    typed = codes[1].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert reveal.unseal(typed, [bundle]).task == 1


def test_a_code_of_another_making_opens_nothing(sealed: tuple[Path, dict[int, str]], tmp_path: Path) -> None:
    bundle, _ = sealed
    with pytest.raises(Refusal, match=r"opens nothing in 03-sagemaker\.reveal"):
        reveal.unseal(reveal.new_code(), [bundle])
    again = tmp_path / "again.reveal"
    codes = reveal.seal(LAB, again)
    with pytest.raises(Refusal, match="opens nothing"):
        reveal.unseal(codes[1], [bundle])
    assert reveal.unseal(codes[1], [bundle, again]).task == 1, "and is found among several files"


def test_a_task_moved_to_another_number_stays_locked(sealed: tuple[Path, dict[int, str]], tmp_path: Path) -> None:
    bundle, codes = sealed
    said = json.loads(bundle.read_text())
    said["tasks"][0]["task"] = 2
    moved = tmp_path / "moved.reveal"
    moved.write_text(json.dumps(said))
    with pytest.raises(Refusal, match="opens nothing"):
        reveal.unseal(codes[1], [moved])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "not json",
        '{"format": 1, "lab": "x", "scrypt": {"n": 1073741824, "r": 8, "p": 1}, "salt": "", "tasks": []}',
    ],
)
def test_a_damaged_file_gets_a_sentence(text: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.reveal"
    broken.write_text(text)
    with pytest.raises(Refusal, match=r"broken\.reveal cannot be read .* copy it from the kit again"):
        reveal.unseal(reveal.new_code(), [broken])


def said_about(typed: str) -> str:
    """What is said about a code that is none; empty for one that could be."""
    try:
        assert len(reveal.normal(typed)) == 12
    except Refusal as refusal:
        return str(refusal)
    return ""


def test_a_wrong_letter_is_seen_as_a_slip() -> None:
    letters = reveal.normal(reveal.new_code())
    wrong = [
        letters[:place] + other + letters[place + 1 :]
        for place in range(12)
        for other in reveal.ALPHABET
        if other != letters[place]
    ]
    seen = [each for each in wrong if "has a slip in it" in said_about(each)]
    assert len(seen) > 0.85 * len(wrong), "one in thirty-two gets through, and then opens nothing"


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_code_or_gets_a_sentence(typed: str) -> None:
    said = said_about(typed)
    assert not said or "is no code" in said or "has a slip" in said


def test_from_the_instructors_table_to_the_students_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    runner = CliRunner()
    made = json.loads(runner.invoke(command, ["make", "06", "--json"]).output)
    assert (made["lab"], made["bundle"]) == ("06-squid", "06-squid.reveal")
    code = made["codes"]["3"]
    assert "claim" in runner.invoke(command, ["open", *code.split("-")]).output
    opened = json.loads(runner.invoke(command, ["open", code, "--json"]).output)
    assert (opened["lab"], opened["task"], opened["title"]) == ("06-squid", 3, "Hidden is not locked")
    assert runner.invoke(command, ["open", code, "--out", "mine.py"]).exit_code == 0
    text = Path("mine.py").read_text()
    compile(text, "mine.py", "exec")
    assert all(cell["text"] in text for cell in opened["cells"] if cell["kind"] == "code")


def test_nothing_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    assert terminal.run(command, "lab reveal", ["open", reveal.new_code()]) == 3
    assert "no file of locked solutions (*.reveal)" in capsys.readouterr().err
    assert terminal.run(command, "lab reveal", ["make", "06"]) == 0
    before = Path("06-squid.reveal").read_bytes()
    assert terminal.run(command, "lab reveal", ["make", "06"]) == 1
    assert "--force makes new ones" in capsys.readouterr().err
    assert Path("06-squid.reveal").read_bytes() == before
    Path("mine.py").write_text("mine")
    assert terminal.run(command, "lab reveal", ["open", reveal.new_code(), "--out", "mine.py"]) == 1
    assert Path("mine.py").read_text() == "mine"
    assert terminal.run(command, "lab reveal", ["open", "ABC"]) == 2
    assert terminal.run(command, "lab reveal", ["open", reveal.new_code(), "--bundle", "nowhere"]) == 2
    assert terminal.run(command, "lab reveal", ["open", reveal.new_code()]) == 1
