"""A small course in a folder of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mini_course import make_course

from labs.course.layout import Layout


@pytest.fixture
def new_course(tmp_path: Path) -> Callable[[str], Layout]:
    """Makes a small course with a lab of the test's own."""
    return lambda lab: make_course(tmp_path / "with-its-own-lab", lab)


@pytest.fixture
def course(tmp_path: Path) -> Layout:
    """A small course that nobody has built."""
    return make_course(tmp_path)
