"""One prepared process from which every lab's tests have their clouds."""

from collections.abc import Iterator

import pytest

from labs.check.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """New local clouds, each up in a moment."""
    with Nursery() as made:
        yield made
