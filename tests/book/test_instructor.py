"""The page for teachers says what the course says: beliefs as the bank words them, commands that exist."""

import re
from pathlib import Path

import click
import pytest

from labs.cli import cli as lab
from quizzes import bank
from quizzes.cli import cli as quiz

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "instructor" / "index.md").read_text("utf-8")


def test_two_beliefs_for_each_lesson_in_the_words_of_the_bank() -> None:
    section = PAGE[PAGE.index("## What they believe") : PAGE.index("## Where a session")]
    beliefs = re.findall(r"^\| (?:\d )?\| (.+?) \| .+\? \|$", section, re.MULTILINE)
    assert len(beliefs) == 16
    assert set(beliefs) <= set(bank.misconceptions(ROOT / "quizzes" / "bank").values())


@pytest.mark.parametrize(("name", "group"), [("lab", lab), ("quiz", quiz)])
def test_its_commands_and_options_exist(name: str, group: click.Group) -> None:
    lines = re.findall(rf"^\$ {name} (\S+)(.*)$", PAGE, re.MULTILINE)
    assert lines
    for command, rest in lines:
        found = group.get_command(click.Context(group), command)
        assert found is not None, command
        known = {option for parameter in found.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z]+", rest)) <= known, command
