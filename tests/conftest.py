"""Fixtures that more than one room's tests use."""

import functools
import json
import marshal
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader, Loader
from hypothesis import settings

from labs.cloud import environment, extension, server
from labs.cloud.context import REGION, Context
from labs.cloud.state import ServerRecord

# How long one example takes says nothing on a machine that others use too; under CI every run tries the same examples.
settings.register_profile("course", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("course")

# A shell that starts the tests in the background has them, and every process they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# jsonschema compiles a grammar for international addresses on import, for more than a second; it is optional. The server leaves it out too.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# Each boto3 session reads botocore's files anew: a tenth of a second of processor time a session, and most tests have one of their own.
# A service's model is read once and copied for each, since clients and moto write into it; the other files are shared.
_read_file, _list_services = JSONFileLoader.load_file, Loader.list_available_services
_read_once = functools.cache(lambda path: _read_file(JSONFileLoader(), path))
_dumped = functools.cache(lambda path: marshal.dumps(json.loads(json.dumps(_read_once(path)))))
_services: dict[tuple[str, ...], list[str]] = {}


def _list_once(loader: Loader, type_name: str) -> list[str]:
    key = (type_name, *loader.search_paths)
    if key not in _services:
        _services[key] = _list_services(loader, type_name)
    return _services[key]


JSONFileLoader.load_file = lambda _, path: marshal.loads(_dumped(path)) if "service-2" in path else _read_once(path)
Loader.list_available_services = _list_once

FAST = 60.0
"""Time scale of the tests' cloud: a minute of a control-plane wait passes in a second."""


SECONDS = {
    "browser": 1.5,
    "build_book": 1.5,
    "course": 1.5,
    "graded": 1.0,
    "new_course": 1.5,
    "ground": 4.0,
    "jupyterlab": 30.0,
    "lab": 3.0,
    "local_cloud": 0.5,
    "nursery": 1.5,
    "offline_course": 60.0,
    "stacks": 1.5,
    "two_workers": 3.0,
}
"""About how long a test with this fixture takes; any other is over in a moment."""
MOMENT_S = 0.03


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: a run whose workers take a file at a time (see the Makefile) ends with short ones, and all workers together."""
    takes_s: Counter[Path] = Counter()
    for item in items:
        given = item.callspec.params if hasattr(item, "callspec") else ()
        fixtures = [name for name in getattr(item, "fixturenames", ()) if name not in given]
        takes_s[item.path] += max((SECONDS.get(name, MOMENT_S) for name in fixtures), default=MOMENT_S)
    items.sort(key=lambda item: (-takes_s[item.path], item.path))


@pytest.fixture(autouse=True)
def sphinx_as_new() -> Iterator[None]:
    """Sphinx keeps the default of `source_suffix` in one dictionary, into which extensions of any build in this process write."""
    yield
    if "sphinx.config" in sys.modules:
        suffixes = sys.modules["sphinx.config"].Config.config_values["source_suffix"].default
        suffixes.clear()
        suffixes[".rst"] = "restructuredtext"


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerRecord]:
    """A local cloud of this test run's own, which this process's environment points to; it dies with the test run, also when that is killed."""
    home: Path = tmp_path_factory.mktemp("lab-home")
    record = server.start(home, port=0, time_scale=FAST, die_with_parent=True)
    environment.enter(record.endpoint_url, home=home)
    yield record
    environment.leave()
    server.stop(home)


@pytest.fixture
def in_process_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """The same cloud without a server, inside this process: boto3 clients made by the test are answered here."""
    from moto import mock_aws

    for name in filter(environment.is_aws_variable, dict(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    # Moto answers calls to amazonaws.com before they are sent.
    monkeypatch.setattr(environment, "_only_loopback", False)
    context = Context(home=tmp_path, time_scale=FAST)
    with mock_aws():
        extension.install(context)
        yield context
    context.close()
