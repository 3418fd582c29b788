"""A readiness code says what the doctor found, and says nothing when a letter of it was misheard."""

import hashlib
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs import terminal
from labs.cli import cli
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from labs.targets import doctor, doctor_account, doctor_packages, readiness
from labs.targets.doctor import Finding
from labs.targets.readiness import ACCOUNT, LETTERS, MACHINE, PROCESSORS, SYSTEMS, Readiness
from labs.workshop import readiness as room_readiness

Lab = Callable[..., tuple[int, str]]
"""Runs `lab` with these arguments: its exit status, and what it printed."""

readinesses = st.builds(
    Readiness,
    st.sampled_from(SYSTEMS),
    st.sampled_from(PROCESSORS),
    st.integers(0, 31),
    st.integers(0, 2**16 - 1),
    st.frozensets(st.sampled_from(list(MACHINE))),
    st.none() | st.frozensets(st.sampled_from(list(ACCOUNT))),
)
WELL = Readiness("Linux", "x86-64", 12, 4711, frozenset(MACHINE))


@given(readinesses)
def test_what_is_encoded_is_decoded(said: Readiness) -> None:
    code = readiness.encode(said)
    assert [len(group) for group in code.split("-")] == [4, 4, 4]
    assert readiness.decode(code) == said


@given(readinesses, st.data())
def test_any_one_or_two_wrong_letters_are_noticed(said: Readiness, data: st.DataObject) -> None:
    letters = list(readiness.encode(said).replace("-", ""))
    places = data.draw(st.lists(st.integers(0, len(letters) - 1), min_size=1, max_size=2, unique=True))
    for place in places:
        letters[place] = data.draw(st.sampled_from([each for each in LETTERS if each != letters[place]]))
    with pytest.raises(Refusal, match="misheard"):
        readiness.decode("".join(letters))


@given(readinesses)
def test_any_letter_alone_and_any_two_neighbours_swapped_are_noticed(said: Readiness) -> None:
    right = readiness.encode(said).replace("-", "")
    for place, letter in enumerate(right):
        other = LETTERS[(LETTERS.index(letter) + 7) % 32]
        swapped = right[:place] + right[place + 1 : place + 2] + letter + right[place + 2 :]
        for wrong in {right[:place] + other + right[place + 1 :], swapped} - {right}:
            with pytest.raises(Refusal, match="misheard"):
                readiness.decode(wrong)


def test_the_one_code_that_is_a_letter_away_is_offered_and_not_taken() -> None:
    right = readiness.encode(WELL)
    wrong = (
        right.replace(right[5], "7" if right[5] != "7" else "8", 1)
        if right[5] not in right[:5]
        else right[:5] + "7" + right[6:]
    )
    with pytest.raises(Refusal, match=f"perhaps it was {right}") as refused:
        readiness.decode(wrong)
    assert refused.value.exit_status == USAGE


def test_how_it_is_written_does_not_matter() -> None:
    code = readiness.encode(WELL)
    spoken = code.replace("-", " ").lower().replace("0", "o").replace("1", "l")
    assert readiness.decode(f"  {spoken} ") == WELL


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("", "it has 0 letters, and a code has 12"),
        ("ABCD-EFGH", "it has 8 letters"),
        ("ABCD-EFGH-JKMU", "it has no letter U"),
        ("ABCD-EFGH-JKM!", "it has no letter !"),
        ("ABCD-EFGH-JKMß", "it has no letter S|letters"),
        ("0000-0000-0000", "another version of the course"),
    ],
)
def test_what_is_no_code_is_refused_in_one_sentence(code: str, says: str) -> None:
    with pytest.raises(Refusal, match=says) as refused:
        readiness.decode(code)
    assert refused.value.exit_status == USAGE


def test_what_has_no_place_in_a_code_is_an_error() -> None:
    with pytest.raises(ValueError):
        readiness.encode(Readiness("Linux", "x86-64", 12, 2**16, frozenset()))
    with pytest.raises(ValueError):
        readiness.encode(Readiness("Linux", "x86-64", 12, 0, frozenset({"coffee"})))


def test_the_doctors_findings_are_what_a_code_is_made_of() -> None:
    findings = [Finding(id, id != "kernel", "") for id in MACHINE]
    said = readiness.of(findings)
    assert said.machine == MACHINE.keys() - {"kernel"}
    assert said.python_minor == sys.version_info.minor
    assert said.system == ("macOS" if platform.system() == "Darwin" else said.system)
    assert not said.ready
    assert [part.what for part in said.parts if not part.ok] == ["notebook kernel"]
    assert readiness.of([Finding(id, id != "port", "", required=id != "port") for id in MACHINE]).ready


def test_an_account_is_well_where_it_is_for_every_target() -> None:
    account = [
        Finding("clock", True, ""),
        Finding("ec2-vllm: quota", False, ""),
        Finding("sagemaker-gpu: quota", True, ""),
        Finding("bedrock-on-demand: model access", True, ""),
        Finding("ec2-vllm: permissions", True, ""),
    ]
    said = readiness.of([Finding(id, True, "") for id in MACHINE], account)
    assert said.account == ACCOUNT.keys() - {"quota"}
    assert not said.ready
    assert "AWS: quotas" in {part.what for part in said.parts if not part.ok}


def test_the_room_compares_the_course_with_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    code = room_readiness.encode([Finding(id, True, "") for id in MACHINE])
    assert all(part.ok for part in room_readiness.decode(code))
    monkeypatch.setattr(readiness, "course", lambda: readiness.decode(code).course ^ 1)
    assert [part.what for part in room_readiness.decode(code) if not part.ok] == ["the room's version of the course"]


def test_the_course_is_told_by_its_constraints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("a==1\n")
    monkeypatch.setattr(readiness, "CONSTRAINTS", constraints)
    assert f"{readiness.course.__wrapped__():04x}" == hashlib.sha256(b"a==1\n").hexdigest()[:4]
    monkeypatch.setattr(readiness, "CONSTRAINTS", tmp_path / "none.txt")
    assert readiness.course.__wrapped__() == 0


class TestPackages:
    def test_missing_and_other_versions_are_named_and_other_machines_packages_are_not(self) -> None:
        constraints = (
            "click==0.1 \\\n    --hash=sha256:00\n"
            "no-such-package==1.0\n"
            "never-here==1.0 ; sys_platform == 'win32'\n"
            f"pytest=={pytest.__version__}\n"
        )
        first, second = doctor_packages.differing(constraints)
        assert first.startswith("click ")
        assert first.endswith(" instead of 0.1")
        assert second == "no-such-package is missing"

    def test_a_difference_is_a_no_with_something_to_do_that_stops_nobody(self, tmp_path: Path) -> None:
        constraints = tmp_path / "constraints.txt"
        constraints.write_text("".join(f"no-such-package-{number}==1.0\n" for number in range(5)))
        found = doctor_packages.look(constraints)
        assert not found.passed
        assert not found.required
        assert "and 2 more" in found.says
        assert "make setup" in found.todo
        assert doctor_packages.look(tmp_path / "none.txt").passed


class TestCommands:
    @pytest.fixture(autouse=True)
    def findings(self, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
        findings = [Finding(id, True, "it is well") for id in MACHINE]
        monkeypatch.setattr(doctor, "examine", lambda: findings)
        return findings

    @pytest.fixture
    def lab(self, capsys: pytest.CaptureFixture[str]) -> Lab:
        def run(*arguments: str) -> tuple[int, str]:
            status = terminal.run(cli, "lab", arguments)
            return status, "".join(capsys.readouterr())

        return run

    def test_a_code_is_printed_and_read_again(self, lab: Lab) -> None:
        status, printed = lab("doctor", "--code")
        code = printed.split()[-1]
        assert status == 0
        status, read = lab("doctor", "--read", code)
        assert status == 0
        assert f"Python 3.{sys.version_info.minor}" in read
        assert "no AWS account was looked at" in read
        assert "Ready." in read

    def test_who_is_not_ready_gets_a_code_too_and_what_to_do(self, lab: Lab, findings: list[Finding]) -> None:
        findings[:] = [Finding("kernel", False, "there is none", "install it")]
        status, printed = lab("doctor", "--code")
        assert status == NOT_READY
        assert "install it" in printed
        status, read = lab("doctor", "--read", printed.split()[-1])
        assert status == FALSE
        assert "Not ready" in read

    def test_the_account_is_in_it_when_it_is_asked_for(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[str, ...]] = []

        def examine(_: object, names: tuple[str, ...]) -> list[Finding]:
            asked.append(names)
            return [Finding("ec2-vllm: quota", False, "too small", "ask for more")]

        monkeypatch.setattr("labs.cloud.connect", lambda *, real: None if real else pytest.fail("not the real one"))
        monkeypatch.setattr(doctor_account, "examine", examine)
        status, printed = lab("doctor", "--code", "--real", "--target", "ec2-vllm")
        assert (status, asked) == (NOT_READY, [("ec2-vllm",)])
        said = readiness.decode(printed.split()[-1])
        assert said.account == ACCOUNT.keys() - {"quota"}

    def test_reading_goes_with_nothing_else_and_a_wrong_code_is_one_sentence(self, lab: Lab) -> None:
        assert lab("doctor", "--read", "x", "--real")[0] == USAGE
        assert lab("doctor", "--read", "AAAA-AAAA-AAAA")[0] == USAGE
