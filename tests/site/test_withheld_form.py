"""The page of a form without its key, in a real browser: answered, handed in as a file, and marked by `quiz grade` with the key kept back."""

import json
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from playwright.sync_api import Browser, Page

from quizzes.cli import cli
from quizzes.marking import keys
from quizzes.marking.keys import Keyring
from quizzes.model import AnyItem, Matching, Numeric, Ordering

pytestmark = pytest.mark.browser
TRIAL = ("--bank", str(Path(__file__).parents[1] / "quizzes" / "bank"))


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("form") / "one"
    done = CliRunner().invoke(
        cli, ["form", "--withhold", str(folder), "--quiz", "trial", "--title", "Friday's <form>", *TRIAL]
    )
    assert done.exit_code == 0, done.output
    return folder


def answer(page: Page, item: AnyItem, right: bool) -> None:
    """Choose, and keep it; a wrong answer is a whole one too."""
    root, key = page.locator(f"#q-{item.id}"), item.key()
    match item:
        case Numeric():
            root.locator("input").fill(f"{key.answer:g} {item.unit}" if right else "1")
        case Matching():
            choices = list(key.pairs.values())
            for prompt, choice in zip(key.pairs, choices if right else choices[1:] + choices[:1], strict=True):
                root.locator(f"#q-{item.id}-{prompt}").select_option(choice)
        case Ordering():
            wanted = list(key.correct) if right else list(key.correct)[::-1]
            for place, step in enumerate(wanted):
                row = root.locator(f".dd-step[data-id={step}]")
                while row.evaluate("row => [...row.parentNode.children].indexOf(row)") > place:
                    row.locator(".dd-move").first.click()
        case _:
            wrong = [name for name in key.options if name not in key.correct][: len(key.correct)]
            for name in key.correct if right else wrong:
                root.locator(f"input[value={name}]").check()
    root.get_by_role("button", name="Keep my answer").click()
    assert "Your answer is kept. You may still change it." in root.locator(".dd-verdict").inner_text()


def handed_in(browser: Browser, form: Path, folder: Path, student: str, wrong: set[str]) -> Page:
    ring: Keyring = keys.of_file(form / "key.json")
    page = browser.new_context(accept_downloads=True, viewport={"width": 390, "height": 844}).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "blob:")) else faults.append(request.url)
    )
    page.goto((form / "form.html").as_uri())
    page.wait_for_selector("dd-quiz.dd-is-ready")
    for item in ring.items.values():
        answer(page, item, item.type not in wrong)
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download my answers").click()
    folder.mkdir(exist_ok=True)
    caught.value.save_as(folder / f"{student}.jsonl")
    assert faults == []
    return page


def test_a_form_goes_out_without_its_key_and_comes_back_to_be_marked(
    browser: Browser, form: Path, tmp_path: Path
) -> None:
    page = handed_in(browser, form, tmp_path / "class", "ada", set())
    found = Axe().run(page, options={"rules": {"region": {"enabled": False}}})
    assert found.violations_count == 0, found.generate_report()
    assert page.get_by_role("heading", level=1).inner_text() == "Friday's <form>"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "right" not in page.locator("dd-quiz").inner_text().lower().replace("right order", "")
    page.context.close()
    handed_in(browser, form, tmp_path / "class", "ben", {"numeric", "ordering", "matching"}).context.close()
    done = CliRunner().invoke(cli, ["grade", str(tmp_path / "class"), "--key", str(form / "key.json"), "--json"])
    said = json.loads(done.stdout)
    assert [(a["student"], a["right"], a["n"], a["problem"]) for a in said["attempts"]] == [
        ("ada", 7, 7, None),
        ("ben", 4, 7, None),
    ]
    assert done.exit_code == 0, [f["problem"] for f in said["files"]]


def test_an_answer_that_is_changed_is_the_one_that_counts(browser: Browser, form: Path, tmp_path: Path) -> None:
    ring = keys.of_file(form / "key.json")
    first = next(item for item in ring.items.values() if item.type == "single")
    page = handed_in(browser, form, tmp_path / "class", "cy", {"single"})
    page.locator(f"#q-{first.id}").get_by_role("button", name="Change my answer").click()
    answer(page, first, right=True)
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download my answers").click()
    caught.value.save_as(tmp_path / "class" / "cy.jsonl")
    page.context.close()
    done = CliRunner().invoke(cli, ["grade", str(tmp_path / "class"), "--key", str(form / "key.json"), "--json"])
    singles = sum(item.type == "single" for item in ring.items.values())
    (attempt,) = json.loads(done.stdout)["attempts"]
    assert (attempt["right"], attempt["problem"]) == (7 - singles + 1, None)


def test_an_order_may_be_kept_as_it_stands(browser: Browser, form: Path) -> None:
    """The page has no key, so it may show the right order first; whoever likes it as it is must be able to say so."""
    ring = keys.of_file(form / "key.json")
    steps = next(item for item in ring.items.values() if item.type == "ordering")
    page = browser.new_context().new_page()
    page.goto((form / "form.html").as_uri())
    page.wait_for_selector("dd-quiz.dd-is-ready")
    page.locator(f"#q-{steps.id}").get_by_role("button", name="Keep my answer").click()
    assert "Your answer is kept." in page.locator(f"#q-{steps.id} .dd-verdict").inner_text()
    page.context.close()
