"""The questions of a page in a real browser: by keyboard alone, from a folder, across a reload, on paper, and marked as Python marks.

Most tests drive a small site of their own with one item of every kind (tests/quizzes/bank); the last ones look at the book itself.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from quizzes import bank, figures
from quizzes.model import AnyItem
from tests.site.kit import serving

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
WEB = ROOT / "quizzes" / "web"
TRIAL = ROOT / "tests" / "quizzes" / "bank"
VECTORS = json.loads((ROOT / "tests" / "quizzes" / "vectors.json").read_text("utf-8"))
ITEMS = [
    "trial-single",
    "trial-multiple",
    "trial-ordering",
    "trial-matching",
    "trial-numeric",
    "trial-case-one",
    "trial-case-two",
]
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def trial_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the trial quiz, in the book's theme and colours."""
    folder = tmp_path_factory.mktemp("trial")
    (folder / "conf.py").write_text(
        'project = "Trial"\nlanguage = "en"\nextensions = ["myst_parser", "quizzes.sphinx"]\nhtml_theme = "sphinx_book_theme"\n'
        f'quiz_bank = {str(TRIAL)!r}\nhtml_static_path = [{str(ROOT / "book" / "_static")!r}]\nhtml_css_files = ["tokens.css"]\n',
        "utf-8",
    )
    (folder / "index.md").write_text("# Home\n\n```{toctree}\ntrial\nguess\n```\n", "utf-8")
    (folder / "trial.md").write_text(
        "# Trial\n\n## First\n\n```{quiz} trial\n:items: trial-single\n```\n\n## Rest\n\n```{quiz} trial\n```\n",
        "utf-8",
    )
    (folder / "guess.md").write_text("# Guess\n\n```{quiz} trial-guess\n```\n", "utf-8")
    out = folder / "_out"
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(folder), str(out)], check=True)
    return out


@pytest.fixture(scope="module")
def trial_url(trial_site: Path) -> Iterator[str]:
    """The same site over HTTP on loopback."""
    with serving(trial_site) as url:
        yield url


Opener = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Opener]:
    """Open an address in a fresh browser profile; at the end, no script may have failed and no other host been asked."""
    contexts, faults = [], []

    def opened(address: str, size: str = "desktop", scheme: str = "light", **options: Any) -> Page:
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: (
                faults.append(request.url)
                if "//127.0.0.1" not in request.url
                and "file:" not in request.url
                and not request.url.startswith(("data:", "blob:"))
                else None
            ),
        )
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def ready(page: Page) -> Page:
    page.wait_for_selector("dd-quiz.dd-is-ready")
    return page


def item(page: Page, name: str) -> Locator:
    return page.locator(f"#q-{name}")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, target: Locator, limit: int = 200) -> None:
    """Go on with Tab until `target` has the focus, as somebody without a mouse does."""
    for _ in range(limit):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {target}")


def check_by_keyboard(page: Page, name: str) -> None:
    tab_to(page, item(page, name).get_by_role("button", name="Check", exact=True))
    press(page, "Enter")


def choose(page: Page, name: str, *ids: str) -> None:
    for one in ids:
        item(page, name).locator(f"input[value={one}]").check()
    item(page, name).get_by_role("button", name="Check", exact=True).click()


def steps(page: Page) -> list[str]:
    return item(page, "trial-ordering").locator(".dd-step").evaluate_all("rows => rows.map(row => row.dataset.id)")


def order_right(page: Page) -> None:
    """Bring the steps into their right order with ArrowUp alone."""
    for place, step in enumerate(("ant", "mouse", "dog", "whale")):
        row = item(page, "trial-ordering").locator(f"[data-id={step}]")
        row.locator(".dd-move").first.focus()
        for _ in range(steps(page).index(step) - place):
            press(page, "ArrowUp")


def kept(page: Page, name: str) -> Any:
    return page.evaluate("name => JSON.parse(localStorage.getItem('dd-quiz/' + name))", name)


def trial_items() -> dict[str, AnyItem]:
    return {i.id: i for i in figures.fill_quiz(bank.load("trial", TRIAL)).items}


def reasons_of(one: AnyItem) -> list[str]:
    return re.findall(r'"why": "([^"]+)"', json.dumps(one.model_dump(mode="json")))


# --- the same rules in both languages


@pytest.fixture(scope="module")
def rules(browser: Browser) -> Iterator[Page]:
    """A page with nothing but the script."""
    page = browser.new_page()
    page.add_script_tag(path=WEB / "quiz.js")
    yield page
    page.close()


GRADE = """([vector, profile]) => {
    try { return ddQuiz.grade(vector.key, vector.response, profile); }
    catch (error) { if (error instanceof ddQuiz.BadResponse) return { bad: true }; throw error; }
}"""


@pytest.mark.parametrize("vector", VECTORS["grades"], ids=lambda vector: vector["name"])
def test_the_script_grades_as_the_vectors_say(rules: Page, vector: dict[str, Any]) -> None:
    study, exam = (rules.evaluate(GRADE, [vector, profile]) for profile in ("study", "exam"))
    if vector.get("bad"):
        assert study == exam == {"bad": True}
    else:
        assert study["score"] == pytest.approx(vector["study"])
        assert exam["score"] == vector["exam"]
        assert (study["correct"], study["answered"]) == (vector["correct"], vector["answered"])


def test_the_script_reads_numbers_as_the_vectors_say(rules: Page) -> None:
    for vector in VECTORS["numbers"]:
        read = rules.evaluate(
            """({text, unit}) => { try { return ddQuiz.parseNumber(text, unit); }
               catch (error) { if (error instanceof ddQuiz.BadResponse) return "bad"; throw error; } }""",
            vector,
        )
        assert read == ("bad" if vector.get("bad") else vector["number"]), vector


def test_the_script_shuffles_and_writes_as_the_vectors_say(rules: Page) -> None:
    for vector in VECTORS["hashes"]:
        assert rules.evaluate("text => ddQuiz.fnv1a(text)", vector["text"]) == vector["fnv1a"]
    for vector in VECTORS["shuffles"]:
        assert rules.evaluate("v => ddQuiz.shuffled(v.ids, v.seed, v.avoid)", vector) == vector["order"], vector
    for vector in VECTORS["encodings"]:
        assert rules.evaluate("v => ddQuiz.encodeResponse(v.response)", vector) == vector["text"]


# --- by keyboard alone


def test_a_single_item_is_answered_by_keyboard(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    one = item(page, "trial-single")
    tab_to(page, one.locator("input").first)
    press(page, "Space")
    while not one.locator("input[value=four]").is_checked():
        press(page, "ArrowDown")
    check_by_keyboard(page, "trial-single")
    expect(one.get_by_role("status")).to_contain_text("Right.")
    expect(one.get_by_role("status")).to_be_focused()
    expect(one.locator("[data-id=four]")).to_contain_text("Right, and you chose it.")


def test_a_multiple_item_is_answered_by_keyboard(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    one = item(page, "trial-multiple")
    tab_to(page, one.locator("input").first)
    for place in range(5):
        if one.locator("input").nth(place).get_attribute("value") in ("a", "e"):
            press(page, "Space")
        press(page, "Tab")
    check_by_keyboard(page, "trial-multiple")
    expect(one.get_by_role("status")).to_contain_text("Right.")


def test_an_ordering_item_is_answered_by_keyboard_and_says_each_move(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    one = item(page, "trial-ordering")
    tab_to(page, one.locator(".dd-move").first)
    first = steps(page)[0]
    press(page, "ArrowDown")
    assert steps(page)[1] == first
    expect(one.locator(".dd-live")).to_have_text(re.compile(r"Now step 2 of 4\."))
    expect(one.locator(f"[data-id={first}] .dd-move").first).to_be_focused()
    press(page, "Enter")  # the same button, as a button: up again
    assert steps(page)[0] == first
    press(page, "Enter")
    expect(one.locator(".dd-live")).to_have_text(re.compile("It is first already."))
    order_right(page)
    check_by_keyboard(page, "trial-ordering")
    expect(one.get_by_role("status").first).to_contain_text("Right.")
    expect(one.locator(".dd-why")).to_have_count(4)


def test_a_matching_item_is_answered_by_keyboard(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    one = item(page, "trial-matching")
    for prompt, choice in (("calf", "cow"), ("foal", "horse"), ("lamb", "sheep")):
        select = one.locator(f"#q-trial-matching-{prompt}")
        tab_to(page, select)
        letter = one.locator(f".dd-choice[data-id={choice}] .dd-letter").inner_text()
        page.keyboard.type(letter)
        assert select.input_value() == choice
    check_by_keyboard(page, "trial-matching")
    expect(one.get_by_role("status")).to_contain_text("Right.")


def test_a_numeric_item_is_answered_by_keyboard(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    one = item(page, "trial-numeric")
    tab_to(page, one.get_by_label("Your answer, in s"))
    page.keyboard.type("540 s")
    press(page, "Enter")
    expect(one.get_by_role("status")).to_contain_text("Right.")
    expect(one.get_by_role("status")).to_be_focused()


def test_try_again_brings_the_focus_back_and_clears_the_answer(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    one = item(page, "trial-single")
    choose(page, "trial-single", "five")
    tab_to(page, one.get_by_role("button", name="Try again"))
    press(page, "Enter")
    expect(one.locator("input").first).to_be_focused()
    assert one.locator("input:checked").count() == 0
    expect(one.locator(".dd-why")).to_have_count(0)
    expect(one.get_by_role("status")).to_be_empty()


# --- reasons, scores


def answer_all(page: Page) -> None:
    """Each item once: single right, multiple half, ordering right, matching a third, numeric a known mistake, the case right and wrong."""
    choose(page, "trial-single", "four")
    choose(page, "trial-multiple", "a", "b")
    order_right(page)
    item(page, "trial-ordering").get_by_role("button", name="Check", exact=True).click()
    for prompt, choice in (("calf", "cow"), ("foal", "goose"), ("lamb", "horse")):
        page.locator(f"#q-trial-matching-{prompt}").select_option(choice)
    item(page, "trial-matching").get_by_role("button", name="Check", exact=True).click()
    page.locator("#q-trial-numeric-number").fill("90")
    item(page, "trial-numeric").get_by_role("button", name="Check", exact=True).click()
    choose(page, "trial-case-one", "moo")
    choose(page, "trial-case-two", "woof")


def test_after_checking_every_option_of_every_kind_has_its_reason(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    for name, one in trial_items().items():
        for reason in reasons_of(one):
            expect(item(page, name).get_by_text(reason)).to_have_count(1)
            expect(item(page, name).get_by_text(reason)).to_be_hidden()
    answer_all(page)
    for name, one in trial_items().items():
        for reason in reasons_of(one):
            expect(item(page, name).locator(".dd-why", has_text=reason)).to_be_visible()
        expect(item(page, name).locator(".dd-sources a").first).to_be_visible()


def test_right_and_wrong_are_told_in_words_not_by_colour_alone(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    answer_all(page)
    one = item(page, "trial-multiple")
    expect(one.get_by_role("status")).to_contain_text("Not right: 1 of 2 right options, 1 wrong. That is 0 of 1 point.")
    for option, words in {
        "a": "Right, and you chose it.",
        "b": "You chose this, and it is wrong.",
        "e": "Right, and you left it out.",
        "c": "Rightly left out.",
    }.items():
        expect(one.locator(f"[data-id={option}] .dd-mark")).to_have_text(words + " ")
    expect(item(page, "trial-matching").get_by_role("status")).to_contain_text(
        "Partly right: 1 of 3 pairs. That is 0.33 of 1 point."
    )
    expect(item(page, "trial-numeric").locator(".dd-why").nth(1)).to_contain_text("90 s, your answer, is wrong.")


def test_the_score_counts_the_first_try_and_names_what_was_misunderstood(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    board = page.locator(".dd-score")
    expect(board).to_have_count(1)
    expect(board).to_contain_text("0 of 7 answered")
    expect(board).to_contain_text("a static page cannot hide it")
    answer_all(page)
    expect(board).to_contain_text("7 of 7 answered · 3.33 of 7 points at the first try")
    expect(board.locator("li", has_text="Which TWO are vowels?")).to_contain_text(
        "You may have thought: “A letter has a value.”"
    )
    expect(board.locator("li", has_text="SHORTEST visibility timeout")).to_contain_text(
        "“Adding is a kind of taking away.”"
    )
    expect(board.locator("li")).to_have_count(4)
    item(page, "trial-case-two").get_by_role("button", name="Try again").click()
    choose(page, "trial-case-two", "baa")
    expect(board).to_contain_text("3.33 of 7 points at the first try · 4.33 now")
    expect(board.locator("li")).to_have_count(3)


@pytest.mark.parametrize(
    ("name", "prepare", "said"),
    [
        ("trial-single", "", "Choose an option first."),
        (
            "trial-multiple",
            "document.querySelector('#q-trial-multiple input').click()",
            "Select exactly 2; you have 1.",
        ),
        ("trial-ordering", "", "Put the steps in order first."),
        ("trial-matching", "", "Choose for every line first; 3 are still open."),
        ("trial-numeric", "", "Type a number first."),
    ],
)
def test_an_unfinished_answer_is_not_marked(
    open_page: Opener, trial_url: str, name: str, prepare: str, said: str
) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    if prepare:
        page.evaluate(prepare)
    item(page, name).get_by_role("button", name="Check", exact=True).click()
    expect(item(page, name).get_by_role("status").first).to_have_text(said)
    expect(item(page, name).locator(".dd-why")).to_have_count(0)
    assert kept(page, "log") is None


def test_a_number_that_is_none_is_told_and_not_marked(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    page.locator("#q-trial-numeric-number").fill("1,5")
    press(page, "Enter")
    expect(item(page, "trial-numeric").get_by_role("status")).to_contain_text("“1,5” is not a number")


def test_one_choice_fits_one_line(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    for prompt in ("calf", "foal", "lamb"):
        page.locator(f"#q-trial-matching-{prompt}").select_option("cow")
    item(page, "trial-matching").get_by_role("button", name="Check", exact=True).click()
    expect(item(page, "trial-matching").get_by_role("status")).to_contain_text("you chose “The cow.” twice")


# --- what is kept


def test_answers_drafts_and_order_survive_a_reload(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    answer_all(page)
    item(page, "trial-single").get_by_role("button", name="Try again").click()
    item(page, "trial-single").locator("input[value=ten]").check()  # a draft
    shown = page.locator("[data-id]").evaluate_all("rows => rows.map(row => row.dataset.id)")
    board = page.locator(".dd-score-line").inner_text()
    page.reload()
    ready(page)
    assert page.locator("[data-id]").evaluate_all("rows => rows.map(row => row.dataset.id)") == shown
    assert page.locator(".dd-score-line").inner_text() == board
    assert item(page, "trial-single").locator("input[value=ten]").is_checked()
    expect(item(page, "trial-matching").get_by_role("status")).to_contain_text("Partly right: 1 of 3 pairs")
    expect(item(page, "trial-case-two").locator("[data-id=woof]")).to_contain_text("You chose this, and it is wrong.")
    assert page.locator("#q-trial-numeric-number").input_value() == "90"


def test_readers_see_orders_of_their_own_and_an_ordering_item_never_starts_solved(
    open_page: Opener, trial_url: str
) -> None:
    orders = set()
    for _ in range(6):
        page = ready(open_page(f"{trial_url}/trial.html"))
        orders.add(
            tuple(
                item(page, "trial-multiple")
                .locator(".dd-option")
                .evaluate_all("rows => rows.map(row => row.dataset.id)")
            )
        )
        assert steps(page) != ["ant", "mouse", "dog", "whale"]
        letters = item(page, "trial-multiple").locator(".dd-letter").all_inner_texts()
        assert letters == ["A", "B", "C", "D", "E"]
        amounts = (
            item(page, "trial-case-one").locator(".dd-option").evaluate_all("rows => rows.map(row => row.dataset.id)")
        )
        assert amounts == ["baa", "moo", "woof"]
    assert len(orders) > 1


def test_start_over_clears_the_page_and_keeps_the_log(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    answer_all(page)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Start over").click()
    expect(page.locator(".dd-score")).to_contain_text("7 of 7 answered")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Start over").click()
    expect(page.locator(".dd-score")).to_contain_text("0 of 7 answered")
    expect(page.locator(".dd-why")).to_have_count(0)
    expect(item(page, "trial-single").locator("input").first).to_be_focused()
    assert len(kept(page, "log")) == 7


def test_the_log_is_that_of_the_terminal_and_can_be_taken_away(open_page: Opener, trial_url: str) -> None:
    from quizzes import attempts
    from quizzes.grading import decode_response, grade

    page = ready(open_page(f"{trial_url}/trial.html"))
    answer_all(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my answers").click()
    lines = [json.loads(line) for line in Path(download.value.path()).read_text("utf-8").splitlines()]
    items = trial_items()
    for name, said in zip(ITEMS, lines, strict=True):
        one = items[name]
        response = decode_response(one.type, said["result"]["response"])
        assert grade(one.key(), response, "study").score == pytest.approx(said["result"]["score"]["scaled"])
        ours = attempts.statement(
            one,
            response,
            grade(one.key(), response, "study"),
            attempts.Context("trial", "x", 1, one.key().options, seconds=1),
        )
        assert shape(said) == shape(ours)
        assert said["object"]["id"] == ours["object"]["id"]
        assert said["context"]["extensions"]["urn:deployment-dilemma:version"] == one.version


def shape(value: Any) -> Any:
    """Names and kinds of values, without the values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_an_answer_is_told_to_whoever_listens(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    page.evaluate(
        "window.heard = []; document.addEventListener('dd-quiz:answered', event => heard.push(event.detail.object.id))"
    )
    choose(page, "trial-single", "four")
    assert page.evaluate("heard") == ["urn:deployment-dilemma:item:trial-single"]


@pytest.mark.parametrize(
    "spoiled",
    [
        '"not what we wrote"', "{cut off", '{"version": "VERSION", "attempt": 1, "checked": true, "draft": null}',
        '{"version": "VERSION", "attempt": 1, "checked": true, "draft": ["nosuch"]}',
        '{"version": "VERSION", "attempt": 1, "checked": true, "draft": {"a": 1}}',
        '{"version": "VERSION", "attempt": "one", "checked": true, "draft": ["four"]}',
    ],
)  # fmt: skip
def test_what_somebody_else_left_in_the_browser_breaks_nothing(open_page: Opener, trial_url: str, spoiled: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    text = spoiled.replace("VERSION", trial_items()["trial-single"].version)
    page.evaluate("text => localStorage.setItem('dd-quiz/item/trial-single', text)", text)
    page.reload()
    ready(page)
    choose(page, "trial-single", "four")
    expect(item(page, "trial-single").get_by_role("status")).to_contain_text("Right.")
    expect(page.locator(".dd-score")).to_contain_text("1 of 7 answered · 1 of 1 point at the first try")


def test_a_question_whose_key_has_changed_is_asked_again(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    choose(page, "trial-single", "five")
    page.evaluate(
        """() => { const state = JSON.parse(localStorage.getItem('dd-quiz/item/trial-single')); state.version = 'older';
                   localStorage.setItem('dd-quiz/item/trial-single', JSON.stringify(state)); }"""
    )
    page.reload()
    ready(page)
    expect(item(page, "trial-single").get_by_role("status")).to_contain_text("has changed since you answered it")
    expect(item(page, "trial-single").get_by_role("button", name="Check", exact=True)).to_be_visible()


def test_a_browser_that_keeps_nothing_still_marks_and_says_so(browser: Browser, trial_url: str) -> None:
    page = browser.new_page()
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    page.goto(f"{trial_url}/trial.html")
    ready(page)
    choose(page, "trial-single", "four")
    expect(item(page, "trial-single").get_by_role("status")).to_contain_text("Right.")
    expect(page.locator(".dd-score")).to_contain_text("1 of 7 answered")
    expect(page.locator(".dd-score")).to_contain_text("a reload loses your answers")
    page.close()


# --- a guess


def test_a_guess_is_kept_and_judged_on_the_other_page(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/guess.html"))
    one = item(page, "trial-single")
    one.locator("input[value=five]").check()
    one.get_by_role("button", name="Keep my guess").click()
    expect(one.get_by_role("status")).to_contain_text("Your guess is kept: “The number five.”")
    expect(page.locator("body")).not_to_contain_text("One too far")
    expect(one.locator(".dd-why")).to_have_count(0)
    page.reload()
    ready(page)
    expect(one.get_by_role("status")).to_contain_text("Your guess is kept")
    one.get_by_role("button", name="Change my guess").click()
    assert one.locator("input[value=five]").is_checked()
    one.locator("input[value=ten]").check()
    one.get_by_role("button", name="Keep my guess").click()
    one.get_by_role("link", name="Trial").click()
    ready(page)
    choose(page, "trial-single", "four")
    expect(one.get_by_role("status")).to_contain_text("Your guess at the start, “The number ten”, was not.")
    guess = kept(page, "log")[0]
    assert guess["result"]["response"] == "five"
    assert not {"success", "score"} & set(guess["result"])


# --- other ways to look at it


def test_it_works_in_a_page_opened_from_a_folder(open_page: Opener, trial_site: Path) -> None:
    page = ready(open_page((trial_site / "trial.html").as_uri()))
    answer_all(page)
    expect(page.locator(".dd-score")).to_contain_text("7 of 7 answered")
    page.reload()
    ready(page)
    expect(page.locator(".dd-score")).to_contain_text("7 of 7 answered")


def test_without_a_script_it_can_be_read_and_the_reasons_opened(open_page: Opener, trial_url: str) -> None:
    page = open_page(f"{trial_url}/trial.html", java_script_enabled=False)
    one = item(page, "trial-single")
    expect(one.get_by_text("One too far along the line.")).to_be_hidden()
    one.get_by_text("Answer and reasons").click()
    expect(one.get_by_text("One too far along the line.")).to_be_visible()
    expect(page.get_by_text("This page needs JavaScript to mark an answer").first).to_be_visible()
    expect(page.get_by_role("button", name="Check", exact=True)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_axe_finds_nothing_before_and_after_answering(
    open_page: Opener, trial_url: str, size: str, scheme: str
) -> None:
    page = ready(open_page(f"{trial_url}/trial.html", size, scheme))
    assert violations(page) == []
    item(page, "trial-single").get_by_role("button", name="Check", exact=True).click()  # a hint
    answer_all(page)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def violations(page: Page) -> list[str]:
    found = Axe().run(page, context="dd-quiz")
    return [f"{v['id']}: {node['target']}" for v in found.response["violations"] for node in v["nodes"]]


def test_targets_are_large_enough_for_a_finger(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html", "phone"))
    for control in page.locator("dd-quiz button:visible, dd-quiz select, .dd-option-label, .dd-number-field").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 44, control
        assert box["width"] >= 44, control


def test_on_paper_items_stand_with_room_for_an_answer_and_without_buttons(open_page: Opener, trial_url: str) -> None:
    page = ready(open_page(f"{trial_url}/trial.html"))
    choose(page, "trial-single", "five")
    page.emulate_media(media="print")
    for name in ITEMS:
        expect(item(page, name).locator(".dd-criterion")).to_be_visible()
        expect(item(page, name).locator(".dd-options, .dd-steps, .dd-prompts, .dd-number-field").first).to_be_visible()
    expect(page.locator("dd-quiz button:visible")).to_have_count(0)
    expect(item(page, "trial-single").locator(".dd-why", has_text="One too far along the line.")).to_be_visible()
    expect(item(page, "trial-ordering").get_by_text("It weighs about twenty grams.")).to_be_hidden()


# --- the book itself


def test_the_lesson_on_queues_asks_its_six_items_once_each(open_page: Opener, site_url: str) -> None:
    page = ready(open_page(f"{site_url}/06-squid.html"))
    names = page.locator(".dd-item").evaluate_all("rows => rows.map(row => row.id)")
    assert sorted(names) == sorted(f"q-{one.id}" for one in bank.load("06-squid").items)
    for one in figures.fill_quiz(bank.load("06-squid")).items:
        box = item(page, one.id)
        key = one.key()
        if one.type in ("single", "multiple"):
            for right in key.correct:
                box.locator(f"input[value={right}]").check()
        elif one.type == "matching":
            for prompt, choice in key.pairs.items():
                page.locator(f"#q-{one.id}-{prompt}").select_option(choice)
        elif one.type == "numeric":
            page.locator(f"#q-{one.id}-number").fill(f"{key.answer:g}")
        else:
            for place, step in enumerate(key.correct):
                row = box.locator(f"[data-id={step}]")
                while row.evaluate("row => [...row.parentNode.children].indexOf(row)") > place:
                    row.locator(".dd-move").first.press("ArrowUp")
        box.get_by_role("button", name="Check", exact=True).click()
        expect(box.get_by_role("status").first).to_contain_text("Right.")
    expect(page.locator(".dd-score")).to_contain_text("6 of 6 answered · 6 of 6 points at the first try")
    assert violations(page) == []


def test_the_flagship_is_guessed_on_the_first_page_and_scored_later(open_page: Opener, site_url: str) -> None:
    page = ready(open_page(f"{site_url}/00-start.html"))
    for reason in reasons_of(bank.load("05-economics").items[0]):
        assert reason not in page.content()
    one = item(page, "flagship")
    one.locator("input[value=cluster]").check()
    one.get_by_role("button", name="Keep my guess").click()
    one.locator(".dd-guess-note a").click()
    ready(page)
    choose(page, "flagship", "endpoint")
    expect(one.get_by_role("status")).to_contain_text("Your guess at the start, “Host the weights on Amazon EKS")
