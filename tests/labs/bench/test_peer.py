"""LLMeter beside ours: a sentence where it is absent, its own numbers where it is there, and one line when it breaks."""

import json
import sys
from pathlib import Path

import pytest

from labs import terminal
from labs.bench import peer
from labs.errors import NOT_READY, Refusal


def test_absent_is_a_sentence_and_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(peer.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert terminal.run(peer.main, "peer", ["--json"]) == 0
    assert "pip install llmeter==" in json.loads(capsys.readouterr().out)["absent"]


def test_a_python_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(peer.VARIABLE, "/nonexistent/python")
    with pytest.raises(Refusal, match="nothing is there") as refused:
        peer.python()
    assert refused.value.exit_status == NOT_READY


def test_a_peer_that_breaks_says_why() -> None:
    with pytest.raises(Refusal, match="ModuleNotFoundError: No module named 'llmeter'"):
        peer.theirs(Path(sys.executable), "fake")


def test_its_failures_and_retries_are_counted(tmp_path: Path) -> None:
    """A stand-in for its Python, which answers with what LLMeter writes."""
    rows = [
        {"ttft_s": 0.1, "tpot_s": 0.01, "error": None, "retries": 2},
        {"ttft_s": None, "tpot_s": None, "error": "x", "retries": None},
    ]
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\necho progress\necho '{json.dumps(rows)}'\n")
    stand_in.chmod(0o755)
    said = peer.theirs(stand_in, "fake")
    assert (said.requests, said.failed, said.retried) == (2, 1, 2)
    assert said.ttft_p50 == pytest.approx(100.0)
    assert said.tpot_p50 == pytest.approx(10.0)
