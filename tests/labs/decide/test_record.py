"""The decision record: one page, with what a team must know to sign it, and never written over another."""

from datetime import date
from pathlib import Path

import pytest

from labs.decide.advisor import advise
from labs.decide.record import record, write
from labs.decide.requirements import Requirements
from labs.errors import USAGE, Refusal
from tests.labs.decide.asked import FLAGSHIP, TWIN

DAY = date(2026, 11, 22)
SECTIONS = (
    "## Context",
    "## Options",
    "## Decision",
    "## What would flip it",
    "## What is unknown",
    "## Before it works",
    "## Facts it rests on",
    "## Signed",
)


@pytest.fixture(scope="module")
def page() -> str:
    return record(advise(TWIN), DAY)


def test_it_has_every_section_in_order(page: str) -> None:
    places = [page.index(section) for section in SECTIONS]
    assert places == sorted(places)
    assert page.startswith("# Where Llama 3.3 70B Instruct runs\n")
    assert "proposed on 2026-11-22" in page


def test_it_says_what_was_asked_what_it_costs_and_what_flips_it(page: str) -> None:
    assert "100 requests a minute around the clock, 500 tokens in and 200 out, us-west-2" in page
    assert "4,380,000 requests a month" in page
    assert "$2,209 to $3,313" in page
    assert "3,000 instead of 700" in page
    assert "fixed quota of 300,000 tokens a minute" in page
    assert "1 to 1.5" in page
    assert "predicted" in page
    assert "Amazon SageMaker AI: sagemaker-gpu" in page


def test_it_names_every_target_and_every_fact_with_its_date(page: str) -> None:
    advice = advise(TWIN)
    assert all(option.target in page for option in advice.options)
    assert "| `bedrock.price.llama-3-3-70b.input_per_million` | $0.72 per million tokens | 2026-" in page
    rows = page.split("## Facts it rests on")[1].split("\n\n")[1].splitlines()[2:]
    assert all("https://" in row and " | 20" in row for row in rows)


def test_it_stays_a_page(page: str) -> None:
    assert len(page.splitlines()) < 100
    assert len(record(advise(FLAGSHIP), DAY).splitlines()) < 100


def test_a_record_without_an_answer_says_so() -> None:
    page = record(advise(Requirements(model="claude-haiku-4.5", edge=True)), DAY)
    assert "None of the sixteen targets" in page
    assert "If it need not run at the edge: bedrock-on-demand" in page


def test_it_is_not_written_over_another_unless_told(tmp_path: Path) -> None:
    path, advice = tmp_path / "decision.md", advise(TWIN)
    write(advice, path, DAY)
    before = path.read_text("utf-8")
    path.write_text("signed", "utf-8")
    with pytest.raises(Refusal, match="--force") as refused:
        write(advice, path, DAY)
    assert refused.value.exit_status == USAGE
    assert path.read_text("utf-8") == "signed"
    write(advice, path, DAY, force=True)
    assert path.read_text("utf-8") == before


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be written"):
        write(advise(TWIN), tmp_path / "nowhere" / "decision.md", DAY)
