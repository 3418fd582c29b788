"""Fixtures of the bench's tests."""

import os
from collections.abc import Iterator

import pytest

from labs.cloud import environment
from tests.labs.bench.kit import TOKEN_MS, TOKENS, TTFT_MS, FakeServer, fake_server


@pytest.fixture(scope="session")
def any_fake() -> Iterator[FakeServer]:
    """A fake server, faster than the one that measures."""
    with fake_server("--ttft-ms", str(TTFT_MS), "--token-ms", str(TOKEN_MS), "--tokens", str(TOKENS)) as server:
        yield server


@pytest.fixture
def fake(any_fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """The fake server, and AWS is there for this test."""
    for name, value in any_fake.environment.items():
        monkeypatch.setenv(name, value)
    return any_fake


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests that run commands, which choose a cloud for their process: ours stays the tests'."""
    before = dict(os.environ)
    for name in ("_before", "_only_loopback"):
        monkeypatch.setattr(environment, name, getattr(environment, name))
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
