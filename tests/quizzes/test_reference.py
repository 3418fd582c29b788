"""The reference's tables: every question counted once under its skill, and every changed key told."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from labs.errors import Refusal
from quizzes import bank, families, outline, reference

TRIAL = Path(__file__).parent / "bank"


def test_every_question_is_counted_once() -> None:
    rows = reference.rows()
    every = {item.id for quiz in bank.load_all() for item in quiz.items if item.mode == "score"}
    assert sum(row.lesson_items + row.exam_items for row in rows) == len(every)
    assert sum(len(row.families) for row in rows) == len(families.names())
    assert [row.skill for row in rows] == [skill for skill in outline.skills() if skill in {row.skill for row in rows}]


def test_every_skill_that_is_asked_has_words() -> None:
    assert [row.skill for row in reference.rows() if row.skill not in outline.WORDS] == []
    assert [skill for skill in outline.WORDS if not outline.is_skill(skill)] == []


def test_errata_are_sorted_and_hold_changed_keys(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    folder.mkdir()
    for path in TRIAL.glob("*.yaml"):
        text = path.read_text("utf-8")
        history = "    history:\n      - {day: 2026-11-20, change: From three to four., reason: A reader counted.}\n"
        (folder / path.name).write_text(
            text.replace("    est_seconds: 30\n", f"    est_seconds: 30\n{history}", 1), "utf-8"
        )
    written = tmp_path / "errata.yaml"
    written.write_text(
        "errata:\n  - {day: 2026-11-25, where: 06-squid, change: It said 5 and says 4., reason: The page of AWS.}\n"
        "  - {day: 2026-11-01, where: 01-decision, change: A word., reason: A slip.}\n",
        "utf-8",
    )
    found = reference.errata(folder, written)
    assert [(one.day, one.where, quiz) for one, quiz in found] == [
        (date(2026, 11, 25), "06-squid", ""),
        (date(2026, 11, 20), "trial-single", "trial"),
        (date(2026, 11, 1), "01-decision", ""),
    ]
    written.write_text("errata: [{day: 2026-11-25}]\n", "utf-8")
    with pytest.raises(Refusal, match=r"errata\.yaml"):
        reference.errata(folder, written)


def test_the_tables_stand_in_a_page(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text(
        f'extensions = ["myst_parser", "quizzes.sphinx"]\nquiz_bank = {str(TRIAL)!r}\nhtml_theme = "basic"\n', "utf-8"
    )
    (tmp_path / "index.md").write_text(
        "# Home\n\n```{exam-skills}\n```\n\n```{errata}\n```\n\n```{toctree}\ntrial\n```\n", "utf-8"
    )
    (tmp_path / "trial.md").write_text("# Trial\n\nText.\n", "utf-8")
    out = tmp_path / "_out"
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(tmp_path), str(out)], check=True)
    html = (out / "index.html").read_text("utf-8")
    assert 'href="trial.html"' in html
    assert "<strong>2.4.1</strong> synchronous and asynchronous calls" in html
    assert "no question here asks these" in html
    assert "No entry so far." in html
