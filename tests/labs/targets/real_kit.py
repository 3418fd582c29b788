"""The local cloud inside this process, playing AWS: `connect(real=True)` gets here, nothing is sent, and every guard rail holds as there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labs.cloud import environment
from labs.cloud.context import Context
from tests.labs.targets import own_kit


@contextmanager
def played_aws(folder: Path) -> Iterator[Context]:
    """A cloud for `--real`: credentials made up, and nothing of a local cloud that this process was in before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "_before", None)
        patch.setattr(environment, "_only_loopback", False)
        with own_kit.quick_cloud(folder) as context:
            yield context
