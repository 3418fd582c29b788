"""Every template of a target, and the reaper's, is one that the linter accepts in three Regions."""

from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint

from labs.targets.stacked import TEMPLATES


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_linter_finds_nothing(path: Path) -> None:
    where = ManualArgs(regions=["us-east-1", "us-west-2", "eu-central-1"])
    assert [str(found) for found in lint(path.read_text(), config=where)] == []
