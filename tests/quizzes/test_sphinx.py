"""The {quiz} directive: what stands in the page before any script runs."""

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from quizzes import bank, figures, page

TRIAL = Path(__file__).parent / "bank"
CONF = f'extensions = ["myst_parser", "quizzes.sphinx"]\nquiz_bank = {str(TRIAL)!r}\n'


def build(folder: Path, *options: str, builder: str = "html") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-b", builder, *options, str(folder), str(folder / "_out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def write(folder: Path, **pages: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "conf.py").write_text(CONF, "utf-8")
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write(
        tmp_path_factory.mktemp("book"),
        index="# Home\n\n```{toctree}\ntrial\nguess\nplain\n```\n",
        trial="# Trial page\n\n## Part one\n\n```{quiz} trial\n:items: trial-ordering, trial-single\n```\n\n## Rest\n\n```{quiz} trial\n```\n",
        guess="# Guess\n\n```{quiz} trial-guess\n```\n",
        plain="# Plain\n\nNo question here.\n",
    )
    done = build(folder, "-W")
    assert done.returncode == 0, done.stderr
    return folder / "_out"


def specs(html: str) -> list[dict[str, Any]]:
    return [json.loads(unescape(found)) for found in re.findall(r'data-spec="([^"]*)"', html)]


def test_a_page_shows_the_named_items_and_later_those_that_are_left(site: Path) -> None:
    html = (site / "trial.html").read_text("utf-8")
    first, second = html.split('id="rest"')
    # In the order of the bank, each once.
    assert [spec["id"] for spec in specs(first)] == ["trial-single", "trial-ordering"]
    assert [spec["id"] for spec in specs(second)] == [
        "trial-multiple", "trial-matching", "trial-numeric", "trial-case-one", "trial-case-two",
    ]  # fmt: skip


def test_an_item_can_be_read_and_answered_without_a_script(site: Path) -> None:
    html = (site / "trial.html").read_text("utf-8")
    assert html.count('type="radio"') == 4 + 3 + 3
    assert html.count('type="checkbox"') == 5
    assert html.count("<select") == 3
    assert html.count('inputmode="decimal"') == 1
    assert html.count("<fieldset") == html.count("<legend") == 7
    assert "This page needs JavaScript to mark an answer." in html
    assert "Select TWO" in html


def test_every_reason_stands_in_the_page(site: Path) -> None:
    html = unescape((site / "trial.html").read_text("utf-8"))
    quiz = figures.fill_quiz(bank.load("trial", TRIAL))
    text = json.dumps(quiz.model_dump(mode="json"))
    reasons = re.findall(r'"why": "([^"]+)"', text)
    assert len(reasons) == 4 + 5 + 4 + 4 + 2 + 6
    assert [reason for reason in reasons if reason not in html] == []
    assert html.count("<details") == 7


def test_a_figure_is_filled_in_from_the_register(site: Path) -> None:
    html = (site / "trial.html").read_text("utf-8")
    assert "A message may have 1 MiB." in html
    assert "at most 1 MiB about its animals" in html
    assert "{sqs." not in html


def test_an_ordering_item_does_not_stand_in_its_right_order(site: Path) -> None:
    steps = re.findall(r'class="dd-step" data-id="(\w+)"', (site / "trial.html").read_text("utf-8"))
    assert sorted(steps) == ["ant", "dog", "mouse", "whale"]
    assert steps != ["ant", "mouse", "dog", "whale"]


def test_amounts_keep_their_order(site: Path) -> None:
    html = (site / "trial.html").read_text("utf-8").partition('id="q-trial-case-one"')[2].partition("</ul>")[0]
    assert re.findall(r'value="(\w+)"', html) == ["baa", "moo", "woof"]


def test_a_guess_carries_no_key_and_no_reason_and_says_where_it_is_scored(site: Path) -> None:
    html = (site / "guess.html").read_text("utf-8")
    (spec,) = specs(html)
    assert spec["key"] == {"type": "single", "options": ["three", "four", "five", "ten"]}
    assert spec["mode"] == "guess"
    assert "misconceptions" not in spec
    assert "counting shows" not in html
    assert "<details" not in html
    assert '<a href="trial.html">Trial page</a> scores your guess' in html


def test_headings_follow_the_page(site: Path) -> None:
    html = (site / "trial.html").read_text("utf-8")
    assert re.findall(r'<(h\d) class="dd-item-title"', html) == ["h3"] * 7
    assert '<h2 class="dd-item-title"' in (site / "guess.html").read_text("utf-8")


def test_the_score_stands_below_the_last_quiz_of_the_page(site: Path) -> None:
    html = (site / "trial.html").read_text("utf-8")
    assert re.findall(r"<dd-quiz[^>]*>", html)[0].count("data-score") == 0
    assert re.findall(r"<dd-quiz[^>]*>", html)[1].count("data-score") == 1


def test_script_and_style_come_with_a_question_and_with_nothing_else(site: Path) -> None:
    assert re.search(r'<script defer="defer" src="_static/quiz\.js', (site / "trial.html").read_text("utf-8"))
    assert "_static/quiz.css" in (site / "trial.html").read_text("utf-8")
    assert "quiz.js" not in (site / "plain.html").read_text("utf-8")
    assert (site / "_static" / "quiz.js").is_file()


def test_no_two_elements_have_one_id(site: Path) -> None:
    ids = re.findall(r'\sid="([^"]+)"', (site / "trial.html").read_text("utf-8"))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```{quiz} nosuch\n```", "there is no quiz 'nosuch'; there are: trial, trial-guess"),
        ("```{quiz} trial\n:items: trial-triple\n```", "there is no item 'trial-triple'; there are: trial-single"),
        ("```{quiz} trial\n:items: trial-single\n```\n\n```{quiz} trial\n:items: trial-single\n```", "'trial-single' stands on this page already"),
        ("```{quiz} trial\n```\n\n```{quiz} trial\n```", "shows every item of the quiz already"),
    ],
)  # fmt: skip
def test_a_wrong_directive_fails_the_build_with_page_line_and_reason(tmp_path: Path, text: str, said: str) -> None:
    done = build(write(tmp_path, index=f"# Home\n\n{text}\n"), "-W")
    assert done.returncode != 0
    assert said in done.stderr
    assert re.search(r"index\.md:\d+", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_changed_bank_builds_the_page_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "book", index="# Home\n\n```{quiz} trial\n```\n")
    own = tmp_path / "bank"
    own.mkdir()
    for path in TRIAL.glob("*.yaml"):
        (own / path.name).write_text(path.read_text("utf-8"), "utf-8")
    (folder / "conf.py").write_text(CONF.replace(str(TRIAL), str(own)), "utf-8")
    assert build(folder, "-W").returncode == 0
    (own / "trial.yaml").write_text(
        (own / "trial.yaml").read_text("utf-8").replace("A farm sends", "A zoo sends"), "utf-8"
    )
    assert build(folder, "-W").returncode == 0
    assert "A zoo sends" in (folder / "_out" / "index.html").read_text("utf-8")


def test_other_builders_pass_a_question_over(tmp_path: Path) -> None:
    done = build(write(tmp_path, index="# Home\n\n```{quiz} trial\n```\n"), "-W", builder="text")
    assert done.returncode == 0, done.stderr


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    quiz = figures.fill_quiz(bank.load("trial", TRIAL))
    item = quiz.items[0].model_copy(update={"stem": "Is `<b>` a tag? <script>alert(1)</script>"})
    html = page.render_quiz(quiz.model_copy(update={"entries": (item,)}), setting=page.Setting())
    assert "<code>&lt;b&gt;</code>" in html
    assert "<script>" not in html
