"""The exam room of a page in a real browser: by keyboard, across a reload, when time is up, from a folder, and marked as Python marks."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from quizzes import bank, results, sections
from quizzes.exam.sphinx import draw_forms
from quizzes.grading import decode_response
from tests.site.kit import serving

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
WEB = ROOT / "quizzes" / "web"
TRIAL = ROOT / "tests" / "quizzes" / "bank"
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
HALF = re.compile("Half a form")
WHOLE = re.compile("A whole form")


@pytest.fixture(scope="module")
def exam_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with an exam drawn from the trial bank and the families, in the book's colours and a theme that loads at once."""
    folder = tmp_path_factory.mktemp("exam")
    (folder / "conf.py").write_text(
        'project = "Trial"\nlanguage = "en"\nextensions = ["myst_parser", "quizzes.sphinx"]\nhtml_theme = "basic"\n'
        f'quiz_bank = {str(TRIAL)!r}\nhtml_static_path = [{str(ROOT / "book" / "_static")!r}]\nhtml_css_files = ["tokens.css"]\n',
        "utf-8",
    )
    (folder / "index.md").write_text(
        "# Home\n\n```{toctree}\nexam\nstart\n06-squid\n05-economics\n01-decision\n```\n", "utf-8"
    )
    (folder / "exam.md").write_text(
        "# Exam\n\n```{exam} deployment-practice\n:questions: 10\n:minutes: 40\n:ordering: 0.2\n```\n", "utf-8"
    )
    (folder / "start.md").write_text("# Start\n\n## Pretest\n\n```{pretest}\n```\n", "utf-8")
    for slug in ("06-squid", "05-economics", "01-decision"):
        (folder / f"{slug}.md").write_text(
            f"---\nminutes: {{read: 20, lab: 30, quiz: 10}}\n---\n# Lesson {slug}\n\n## A section\n\nText.\n", "utf-8"
        )
    out = folder / "_out"
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(folder), str(out)], check=True)
    return out


@pytest.fixture(scope="module")
def exam_url(exam_site: Path) -> Iterator[str]:
    """The same site over HTTP on loopback."""
    with serving(exam_site) as url:
        yield f"{url}/exam.html"


Opener = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Opener]:
    """Open an address in a fresh browser profile that reaches nobody but this machine; at the end, no script may have failed."""
    contexts, faults = [], []

    def opened(address: str, size: str = "desktop", scheme: str = "light") -> Page:
        context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        context.route(
            re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: (faults.append(route.request.url), route.abort())
        )
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        page.wait_for_selector(".dd-is-ready")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def begin(page: Page, which: re.Pattern[str] = HALF) -> int:
    """Start the clock; how many questions there are."""
    page.get_by_role("button", name=which).click()
    title = page.locator(".dd-item-title:visible")
    expect(title).to_be_focused()
    found = re.search(r"of (\d+)", title.inner_text())
    assert found
    return int(found[1])


def hand_in(page: Page) -> None:
    page.locator(".dd-exam-bar").get_by_role("button", name="Review and hand in").click()
    page.get_by_role("button", name="Hand in", exact=True).click()
    page.get_by_role("button", name="Yes, hand in now").click()


def specs(page: Page) -> list[dict[str, Any]]:
    """What the questions on the stage carry, in their order."""
    return page.locator("dd-exam .dd-item").evaluate_all("items => items.map(item => JSON.parse(item.dataset.spec))")


def answer(page: Page, spec: dict[str, Any], right: bool = True) -> None:
    """Answer the question on the screen."""
    key, box = spec["key"], page.locator(f"#q-{spec['id']}")
    if key["type"] in ("single", "multiple"):
        wrong = [name for name in key["options"] if name not in key["correct"]]
        for name in key["correct"] if right else wrong[: len(key["correct"])]:
            box.locator(f"input[value={name}]").check()
    elif key["type"] == "matching":
        for prompt, choice in key["pairs"].items():
            box.locator(f"[data-id={prompt}] select").select_option(choice)
    elif key["type"] == "ordering":
        for place, step in enumerate(key["correct"]):
            row = box.locator(f".dd-step[data-id={step}]")
            while row.evaluate("row => [...row.parentNode.children].indexOf(row)") > place:
                row.locator(".dd-move").first.press("ArrowUp")
        last = box.locator(".dd-step").last
        last.locator(".dd-move").first.press("ArrowUp")  # so that it was touched, whatever order it came in
        if right:
            box.locator(f".dd-step[data-id={key['correct'][-1]}]").locator(".dd-move").first.press("ArrowDown")


def kept(page: Page) -> dict[str, Any]:
    state: dict[str, Any] = page.evaluate("JSON.parse(localStorage.getItem('dd-quiz/exam/deployment-practice'))")
    return state


def tab_to(page: Page, what: str) -> None:
    """Go on with Tab until the focus is on what matches, as somebody without a mouse does."""
    for _ in range(200):
        if page.evaluate("what => document.activeElement.matches(what)", what):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {what}")


def test_an_exam_is_sat_by_keyboard_alone(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    tab_to(page, ".dd-exam-choice:nth-child(2)")
    page.keyboard.press("Enter")
    expect(page.locator(".dd-item-title:visible")).to_be_focused()
    n = len(specs(page))
    for place in range(n):
        expect(page.locator(".dd-item-title:visible")).to_have_text(re.compile(rf"^Question {place + 1} of {n}"))
        control = page.locator(".dd-item:visible :is(input, select, .dd-move)").first
        if control.get_attribute("type") in ("radio", "checkbox"):
            tab_to(page, ".dd-item:not([hidden]) input")
            page.keyboard.press("Space")
        tab_to(page, ".dd-exam-turns .dd-button-main")
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Review")).to_be_focused()
    tab_to(page, ".dd-exam-cell[aria-label^='Question 2,']")
    page.keyboard.press("Enter")
    expect(page.locator(".dd-item-title:visible")).to_have_text(re.compile("^Question 2 "))
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Mark")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Mark")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=re.compile(r"^Question 2, .*marked"))).to_be_visible()
    tab_to(page, ".dd-exam-board .dd-button-main")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Yes, hand in now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile(rf"\d+ of {n} right"))).to_be_focused()


def test_the_result_is_what_python_makes_of_the_same_answers(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    n = begin(page, WHOLE)
    asked = specs(page)
    right = 0
    for place, spec in enumerate(asked):
        if place % 3 == 2:
            pass  # left open
        else:
            answer(page, spec, right=place % 3 == 0)
            right += place % 3 == 0
        page.locator(".dd-exam-turns .dd-button-main").click()
    page.get_by_role("button", name="Hand in", exact=True).click()
    page.get_by_role("button", name="Yes, hand in now").click()
    expect(page.locator(".dd-exam-result h2").first).to_have_text(f"{right} of {n} right: {round(100 * right / n)} %")
    low, high = results.wilson(right, n)
    expect(page.locator(".dd-exam-result")).to_contain_text(
        f"95 % interval {round(100 * low)} to {round(100 * high)} %"
    )
    expect(page.locator(".dd-exam-result")).to_contain_text(f"{n // 3} left open, which counts as wrong")
    log = page.evaluate("JSON.parse(localStorage.getItem('dd-quiz/log'))")
    assert [said["result"]["success"] for said in log] == [place % 3 == 0 for place in range(n)]
    assert {said["context"]["extensions"]["urn:deployment-dilemma:profile"] for said in log} == {"exam"}
    assert len({said["context"]["registration"] for said in log}) == 1
    settings = (("questions", 10), ("minutes", 40), ("ordering_share", 0.2))
    _, drawn = draw_forms("deployment-practice", settings, str(TRIAL), 0.0)
    form = next(form for form in drawn if {q.item.id for q in form.questions} == {spec["id"] for spec in asked})
    given = {said["object"]["id"].rpartition(":")[2]: said["result"]["response"] for said in log}
    responses = {q.item.id: decode_response(q.item.type, given[q.item.id]) for q in form.questions}
    ours = results.mark(form, responses, sections.Book.read())
    assert ours.right == right
    believed = page.locator("h3:has-text('What you may believe') + ul > li").all_inner_texts()
    sentences = bank.misconceptions(TRIAL)
    assert {text.partition("”")[0].removeprefix("“") for text in believed} == {
        sentences[name] for name, _, _ in ours.mistaken
    }
    links = page.locator(".dd-exam-result a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert any(link.startswith(("06-squid.html", "05-economics.html", "01-decision.html")) for link in links)
    page.get_by_role("button", name=re.compile("Not right")).click()
    expect(page.locator(".dd-item:visible")).to_have_count(n - right)


def test_nothing_is_told_before_the_end_and_every_reason_after_it(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    begin(page)
    for spec in specs(page):
        answer(page, spec, right=False)
        expect(page.locator(".dd-why")).to_have_count(0)
        expect(page.locator(".dd-reasons:visible")).to_have_count(0)
        expect(page.locator(".dd-verdict:not(:empty)")).to_have_count(0)
        page.locator(".dd-exam-turns .dd-button-main").click()
    page.get_by_role("button", name="Hand in", exact=True).click()
    page.get_by_role("button", name="Yes, hand in now").click()
    for box in page.locator(".dd-item").all():
        assert box.locator(".dd-why:visible, .dd-reasons[open]:visible").count() > 0


def test_a_reload_keeps_answers_marks_place_and_clock(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    page.clock.install()
    page.reload()
    begin(page)
    spec = specs(page)[0]
    answer(page, spec)
    page.get_by_role("button", name="Mark").click()
    page.locator(".dd-exam-turns .dd-button-main").click()
    before = kept(page)["sitting"]
    page.clock.fast_forward("10:00")
    page.reload()
    expect(page.locator(".dd-item-title:visible")).to_have_text(re.compile("^Question 2 "))
    after = kept(page)["sitting"]
    assert (after["ends"], after["answers"], after["flagged"]) == (before["ends"], before["answers"], before["flagged"])
    minutes = (before["ends"] - before["started"]) / 60000
    shown = re.match(r"(?:(\d+):)?(\d+):(\d+) left", page.locator(".dd-exam-time").inner_text())
    assert shown
    left_min = 60 * int(shown[1] or 0) + int(shown[2]) + int(shown[3]) / 60
    assert minutes - 12 < left_min <= minutes - 10
    page.get_by_role("button", name="← Previous").click()
    expect(page.locator(".dd-item:visible :checked").first).to_be_checked()


def test_when_time_is_up_it_is_handed_in_as_it_stands(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    page.clock.install()
    page.reload()
    n = begin(page)
    answer(page, specs(page)[0])
    page.clock.fast_forward("05:00:00")
    expect(page.locator("dd-exam .dd-live").last).to_have_text("Time is up. The exam is handed in.")
    expect(page.locator(".dd-exam-result h2").first).to_have_text(re.compile(rf"^1 of {n} right"))
    sitting = kept(page)["sitting"]
    assert sitting["ended"] == sitting["ends"]


def test_time_that_ran_out_while_the_page_was_closed_counts(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    n = begin(page)
    page.evaluate(
        """() => { const name = 'dd-quiz/exam/deployment-practice', state = JSON.parse(localStorage.getItem(name));
                   state.sitting.ends = Date.now() - 1000; localStorage.setItem(name, JSON.stringify(state)); }"""
    )
    page.reload()
    expect(page.locator(".dd-exam-result h2").first).to_have_text(f"0 of {n} right: 0 %")


def test_a_retake_has_other_questions(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    begin(page, WHOLE)
    first = {spec["id"] for spec in specs(page)}
    hand_in(page)
    page.get_by_role("button", name="Another form").click()
    expect(page.get_by_text("What you have sat in this browser")).to_be_visible()
    begin(page, WHOLE)
    second = {spec["id"] for spec in specs(page)}
    assert not first & second
    hand_in(page)
    page.get_by_role("button", name="Another form").click()
    expect(page.get_by_role("button", name=HALF)).to_contain_text("seen before")


def test_two_halves_of_an_evening_share_nothing(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    begin(page)
    first = {spec["id"] for spec in specs(page)}
    hand_in(page)
    page.get_by_role("button", name="Another form").click()
    begin(page)
    assert not first & {spec["id"] for spec in specs(page)}


def test_it_works_in_a_page_opened_from_a_folder(open_page: Opener, exam_site: Path) -> None:
    page = open_page((exam_site / "exam.html").as_uri())
    n = begin(page)
    answer(page, specs(page)[0])
    page.reload()
    expect(page.locator(".dd-exam-counted")).to_contain_text(f"1 of {n} answered")
    hand_in(page)
    expect(page.locator(".dd-exam-result h2").first).to_have_text(re.compile(rf"^1 of {n} right"))


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_axe_finds_nothing_in_any_view(open_page: Opener, exam_url: str, size: str, scheme: str) -> None:
    page = open_page(exam_url, size, scheme)
    views = {"start": violations(page)}
    begin(page)
    views["question"] = violations(page)
    page.locator(".dd-exam-bar").get_by_role("button", name="Review and hand in").click()
    page.get_by_role("button", name="Hand in", exact=True).click()
    views["review"] = violations(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Yes, hand in now").click()
    views["result"] = violations(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert views == {"start": [], "question": [], "review": [], "result": []}


def violations(page: Page, where: str = "dd-exam") -> list[str]:
    found = Axe().run(page, context=where)
    return [f"{v['id']}: {node['target']}" for v in found.response["violations"] for node in v["nodes"]]


def test_targets_are_large_enough_for_a_finger(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url, "phone")
    begin(page)
    page.locator(".dd-exam-bar").get_by_role("button", name="Review and hand in").click()
    for control in page.locator("dd-exam button:visible").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 44, control
        assert box["width"] >= 44, control


def test_a_running_exam_prints_all_its_questions_and_no_reason(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    n = begin(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator(".dd-criterion:visible")).to_have_count(n)
    expect(page.locator("dd-exam button:visible, .dd-reasons:visible, .dd-why")).to_have_count(0)


def test_what_somebody_else_left_in_the_browser_breaks_nothing(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url)
    for spoiled in (
        "{cut off",
        '"x"',
        '{"seen": [], "results": [], "sitting": {"form": "older", "ends": 1}}',
        '{"seen": 3}',
    ):
        page.evaluate("text => localStorage.setItem('dd-quiz/exam/deployment-practice', text)", spoiled)
        page.reload()
        assert begin(page) > 0


def test_the_page_says_what_it_leaves_out_and_that_it_holds_its_key(exam_site: Path) -> None:
    html = (exam_site / "exam.html").read_text("utf-8")
    assert "leaves out the tasks" in html
    assert "a static page cannot hide it" in html
    assert "The bank is too small" in html
    assert len(html) < 60_000  # the questions are a file of their own


def test_the_script_reckons_the_interval_as_python_does(browser: Browser) -> None:
    page = browser.new_page()
    for name in ("quiz.js", "exam.js"):
        page.add_script_tag(path=WEB / name)
    for right, n in ((0, 0), (0, 20), (8, 10), (52, 75), (75, 75)):
        assert page.evaluate("([right, n]) => ddExam.wilson(right, n)", [right, n]) == pytest.approx(
            results.wilson(right, n)
        )
    page.close()


# --- the pretest


def test_the_script_plans_as_the_vectors_say(browser: Browser) -> None:
    page = browser.new_page()
    for name in ("quiz.js", "pretest.js"):
        page.add_script_tag(path=WEB / name)
    for vector in json.loads((TRIAL.parent / "plans.json").read_text("utf-8")):
        made = page.evaluate("v => ddPretest.plan(v.lessons, v.right, v.evening)", vector)
        assert made == vector["plan"], vector["name"]
    page.close()


def test_a_pretest_taken_by_keyboard_turns_into_a_plan(open_page: Opener, exam_url: str) -> None:
    page = open_page(exam_url.replace("exam.html", "start.html"))
    tab_to(page, ".dd-pretest-stage .dd-button-main")
    page.keyboard.press("Enter")
    asked = page.locator("dd-pretest .dd-pretest-one").evaluate_all(
        "boxes => boxes.map(box => [box.dataset.lesson, JSON.parse(box.querySelector('.dd-item').dataset.spec)])"
    )
    assert len(asked) == 12
    assert violations(page, "dd-pretest") == []
    for place, (lesson, spec) in enumerate(asked):
        expect(page.locator(".dd-item-title:visible")).to_be_focused()
        if lesson == "06-squid":
            answer(page, spec)
        elif place == 0:
            tab_to(page, ".dd-pretest-one:not([hidden]) input")
            page.keyboard.press("Space")
        expect(page.locator("dd-pretest .dd-why, dd-pretest .dd-reasons")).to_have_count(0)
        if place == 4:
            page.reload()
            page.get_by_role("button", name="Go on with the pretest").click()
            while not page.locator(".dd-item-title:visible").inner_text().startswith(f"Question {place + 1} "):
                page.get_by_role("button", name="Next →").click()
        tab_to(page, ".dd-pretest-stage .dd-button-main")
        page.keyboard.press("Enter")
    title = page.locator(".dd-pretest-title")
    expect(title).to_be_focused()
    squid = page.locator(".dd-pretest-plan li", has=page.get_by_role("link", name="Lesson 06-squid")).last
    expect(squid).to_have_text("Lesson 06-squid: skim 5 (1 of 1 right)")
    expect(page.locator(".dd-pretest-plan")).to_contain_text("Practice exam: half of it 90")
    before = page.locator(".dd-pretest-plan > li").count()
    page.get_by_label("An evening has").select_option("60")
    assert page.locator(".dd-pretest-plan > li").count() > before
    assert violations(page, "dd-pretest") == []
    page.reload()
    expect(page.get_by_label("An evening has")).to_have_value("60")
    expect(squid).to_be_visible()


def test_a_pretest_holds_no_reason_that_a_lesson_will_give(exam_site: Path) -> None:
    html = (exam_site / "start.html").read_text("utf-8")
    assert html.count('class="dd-pretest-one"') == 12
    assert "dd-reason" not in html


# --- the book itself


def test_the_books_exam_links_to_sections_that_exist(site_dir: Path) -> None:
    files = list((site_dir / "exam-forms").glob("deployment-practice-*.js"))
    assert len(files) == 2
    dead = set()
    for path in files:
        questions = json.loads(path.read_text("utf-8").partition("] = ")[2].rstrip().rstrip(";"))["questions"]
        for question in questions:
            name, _, anchor = question["section"]["href"].partition("#")
            text = (site_dir / name).read_text("utf-8")
            if anchor and f'id="{anchor}"' not in text:
                dead.add(question["section"]["href"])
    assert dead == set()
