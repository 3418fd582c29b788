"""A second reading counts for the wording that was read, and for no other."""

from datetime import date
from pathlib import Path

import pytest

from labs.errors import Refusal
from quizzes import readings
from tests.quizzes.test_lint import SOUND, TRIAL

DAY = date(2026, 11, 26)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bank"
    folder.mkdir()
    (folder / "misconceptions.yaml").write_text((TRIAL / "misconceptions.yaml").read_text("utf-8"), "utf-8")
    (folder / "sound.yaml").write_text(SOUND, "utf-8")
    return folder


def test_a_change_of_words_undoes_a_reading_and_a_change_of_difficulty_does_not(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "readings.yaml"
    assert readings.states(folder, file) == {"sound-item": "unread"}
    readings.record(["sound-item"], "nothing", DAY, folder, file)
    assert readings.states(folder, file) == {"sound-item": "read"}
    assert readings.load(file)["sound-item"].on == DAY
    (folder / "sound.yaml").write_text(SOUND.replace("difficulty_prior: 0.6", "difficulty_prior: 0.5"), "utf-8")
    assert readings.states(folder, file) == {"sound-item": "read"}
    (folder / "sound.yaml").write_text(SOUND.replace("Now and then", "Often"), "utf-8")
    assert readings.states(folder, file) == {"sound-item": "changed since"}


def test_what_cannot_be_recorded_is_refused(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "readings.yaml"
    with pytest.raises(Refusal, match="no written item of the bank has the id 'nosuch'"):
        readings.record(["nosuch"], "nothing", DAY, folder, file)
    with pytest.raises(Refusal, match="say what the reading changed"):
        readings.record(["sound-item"], " ", DAY, folder, file)
    assert not file.exists()
    file.write_text("sound-item: {on: 2026-11-26, changed: nothing}\n", "utf-8")
    with pytest.raises(Refusal, match=r"readings.yaml:1: sound-item: a reading has `on`, `changed` and `print`"):
        readings.load(file)


def test_the_record_names_items_that_exist() -> None:
    assert set(readings.load()) <= set(readings.authored())
