"""A SCORM package in a real browser, with scorm-again as the platform: answered by keyboard, reported, resumed, passed and failed."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Frame, Page

from quizzes.exports import scorm
from quizzes.model import AnyItem, Matching, Multiple, Numeric, Ordering
from tests.site.kit import serving

pytestmark = pytest.mark.browser
TRIAL = Path(__file__).parents[1] / "quizzes" / "bank"
SCRIPT = Path(__file__).parents[1] / "data" / "scorm12" / "scorm-again-scorm12.min.js"
ITEMS = {item.id: item for item in scorm.of_bank(folder=TRIAL)[0].items}
# A platform's page: it keeps what is committed as a server would, and gives it back at the next launch.
PLATFORM = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Platform</title>
<style>body { margin: 0 } iframe { width: 100%; height: 85vh; border: 0 }</style>
<script src="scorm-again.js"></script></head><body>
<script>
  const kept = JSON.parse(localStorage.getItem("platform") || "null");
  const changes = JSON.parse(localStorage.getItem("changes") || "{}");
  window.API = new Scorm12API({ autocommit: false, logLevel: 5, ...changes.settings });
  if (kept) {
    kept.core.entry = kept.core.exit === "suspend" ? "resume" : "";
    delete kept.core.session_time; delete kept.core.exit; delete kept.interactions;
    API.loadFromJSON({ cmi: kept });
  }
  for (const [name, value] of Object.entries(changes.values || {})) API.loadFromFlattenedJSON({ [name]: value });
  window.calls = [];
  for (const name of ["LMSInitialize", "LMSSetValue", "LMSCommit", "LMSFinish"]) {
    const inner = API[name].bind(API);
    API[name] = (...values) => {
      const result = changes.refuse === name ? "false" : inner(...values);
      calls.push([name, ...values, String(result), API.LMSGetLastError()]);
      localStorage.setItem("calls", JSON.stringify(calls));
      if (name === "LMSCommit" || name === "LMSFinish") localStorage.setItem("platform", JSON.stringify(JSON.parse(JSON.stringify(API.cmi))));
      return result;
    };
  }
</script>
<main><h1>Platform</h1><iframe title="Lesson" src="package/trial.html"></iframe></main></body></html>"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("platform")
    scorm.write(scorm.of_bank(folder=TRIAL), folder / "trial.zip")
    with zipfile.ZipFile(folder / "trial.zip") as package:
        package.extractall(folder / "package")
    (folder / "scorm-again.js").write_bytes(SCRIPT.read_bytes())
    (folder / "index.html").write_text(PLATFORM, "utf-8")
    with serving(folder) as url:
        yield url


Launch = Callable[..., tuple[Page, Frame]]


@pytest.fixture
def launch(browser: Browser, address: str) -> Iterator[Launch]:
    """A learner opens the lesson: `launch(context)` again for a later visit of the same one."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_it(context: BrowserContext | None = None, **changes: Any) -> tuple[Page, Frame]:
        if context is None:
            context = browser.new_context(reduced_motion="reduce", viewport={"width": 1000, "height": 800})
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(address) else faults.append(r.url))
        page.goto(f"{address}/package/responses.txt")  # the same origin, where nothing runs yet
        page.evaluate("said => localStorage.setItem('changes', said)", json.dumps(changes))
        page.goto(f"{address}/index.html")
        frame = page.frame(url=f"{address}/package/trial.html")
        assert frame is not None
        frame.wait_for_selector("dd-quiz.dd-is-ready")
        return page, frame

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []


def cmi(page: Page) -> dict[str, Any]:
    """What the platform has, as of the last commit."""
    said: dict[str, Any] = json.loads(page.evaluate("localStorage.getItem('platform')"))
    return said


def calls(page: Page) -> list[list[str]]:
    found: list[list[str]] = json.loads(page.evaluate("localStorage.getItem('calls')"))
    return found


def leave(page: Page, address: str) -> None:
    page.goto(f"{address}/package/responses.txt")


def press_to(frame: Frame, selector: str) -> None:
    frame.locator(selector).focus()


def by_keyboard(page: Page, frame: Frame, item: AnyItem, right: bool) -> None:
    """Answer and check with keys alone; a wrong answer is a whole one too, and earns nothing."""
    root, key = f"#q-{item.id}", item.key()
    match item:
        case Numeric():
            press_to(frame, f"{root} input")
            page.keyboard.type(f"{key.answer:g}" if right else "1")
        case Matching():
            choices = list(key.pairs.values())
            for prompt, choice in zip(key.pairs, choices if right else choices[1:] + choices[:1], strict=True):
                place = frame.locator(f"{root}-{prompt} option").evaluate_all(
                    "(all, wanted) => all.findIndex(one => one.value === wanted)", choice
                )
                press_to(frame, f"{root}-{prompt}")
                for _ in range(place):
                    page.keyboard.press("ArrowDown")
        case Ordering():
            wanted = list(key.correct) if right else list(key.correct)[::-1]
            for place, step in enumerate(wanted):
                row = frame.locator(f"{root} .dd-step[data-id={step}]")
                row.locator(".dd-move").first.focus()
                while (now := row.evaluate("row => [...row.parentNode.children].indexOf(row)")) > place:
                    page.keyboard.press("ArrowUp")
                    assert row.evaluate("row => [...row.parentNode.children].indexOf(row)") == now - 1
            if right and frame.locator(f"{root} .dd-verdict").inner_text():  # it stood so already: move one, and back
                page.keyboard.press("ArrowDown")
                page.keyboard.press("ArrowUp")
        case Multiple():
            wrong = [name for name in key.options if name not in key.correct][: len(key.correct)]
            for name in key.correct if right else wrong:
                press_to(frame, f"{root} input[value={name}]")
                page.keyboard.press("Space")
        case _:
            wrong = [name for name in key.options if name not in key.correct]
            press_to(frame, f"{root} input[value={key.correct[0] if right else wrong[0]}]")
            page.keyboard.press("Space")
    frame.locator(root).get_by_role("button", name="Check").focus()
    page.keyboard.press("Enter")
    said = frame.locator(f"{root} .dd-verdict").inner_text()
    assert ("Right." in said) is right, (item.id, said)


def test_answered_by_keyboard_reported_and_passed(launch: Launch, address: str) -> None:
    page, frame = launch()
    assert cmi(page)["core"]["lesson_status"] == "incomplete"
    for item in ITEMS.values():
        by_keyboard(page, frame, item, right=item.id != "trial-single")
    now = cmi(page)["core"]
    assert (now["lesson_status"], now["score"]["raw"], now["score"]["min"], now["score"]["max"]) == (
        "passed", "85.71", "0", "100",
    )  # fmt: skip
    assert "Reported: 85.71 of 100 points, passed." in frame.locator(".scorm-told").inner_text()
    assert frame.get_by_role("button", name="Start over").is_hidden()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    leave(page, address)
    said = calls(page)
    assert [name for name, *_ in said if name in ("LMSInitialize", "LMSFinish")] == ["LMSInitialize", "LMSFinish"]
    assert [call[1] for call in said].count("cmi.core.session_time") == 1
    assert {call[-1] for call in said} == {"0"}, [call for call in said if call[-1] != "0"]


def test_each_answer_is_an_interaction_in_the_words_of_the_standard(launch: Launch) -> None:
    page, frame = launch()
    for item in ITEMS.values():
        by_keyboard(page, frame, item, right=item.id not in ("trial-single", "trial-multiple"))
    said = [call for call in calls(page) if call[1].startswith("cmi.interactions.")]
    kept: dict[str, dict[str, str]] = {}
    for _, element, value, *_ in said:
        _, _, number, field = element.split(".", 3)
        kept.setdefault(number, {})[field] = value
    by_id = {one["id"]: one for one in kept.values()}
    assert list(by_id) == list(ITEMS)
    assert [by_id[name]["type"] for name in by_id] == [
        "choice", "choice", "sequencing", "matching", "numeric", "choice", "choice",
    ]  # fmt: skip
    facts = {name: (one["student_response"], one["correct_responses.0.pattern"], one["result"]) for name, one in by_id.items()}  # fmt: skip
    assert facts["trial-single"] == ("a", "b", "wrong")
    assert facts["trial-multiple"] == ("b,c", "a,e", "wrong") or facts["trial-multiple"] == ("c,b", "a,e", "wrong")
    assert facts["trial-ordering"] == ("a,b,c,d", "a,b,c,d", "correct")
    assert facts["trial-matching"] == ("1.a,2.b,3.c", "1.a,2.b,3.c", "correct")
    assert facts["trial-numeric"] == ("540", "540", "correct")
    assert by_id["trial-single"]["objectives.0.id"] == "skill-2.4.1"
    assert set(by_id["trial-numeric"]) >= {"time", "latency", "weighting"}


def test_partial_credit_counts_as_in_study_mode_and_below_the_mark_fails(launch: Launch) -> None:
    page, frame = launch()
    for item in ITEMS.values():
        if item.id == "trial-ordering":  # 1 of 3 neighbours: whale, dog, ant, mouse
            for step, place in (("whale", 0), ("dog", 1), ("ant", 2)):
                row = frame.locator(f"#q-{item.id} .dd-step[data-id={step}]")
                while row.evaluate("row => [...row.parentNode.children].indexOf(row)") > place:
                    row.locator(".dd-move").first.click()
            frame.locator(f"#q-{item.id}").get_by_role("button", name="Check").click()
        else:
            by_keyboard(page, frame, item, right=item.type == "single")
    now = cmi(page)["core"]
    assert (now["lesson_status"], now["score"]["raw"]) == ("failed", "47.62")  # (3 + 1/3) / 7
    results = [call[2] for call in calls(page) if call[1].endswith(".result")]
    assert results == ["correct", "wrong", "0.33", "wrong", "wrong", "correct", "correct"]


def test_a_second_try_is_for_learning_and_counts_for_nothing(launch: Launch) -> None:
    page, frame = launch()
    item = ITEMS["trial-single"]
    by_keyboard(page, frame, item, right=False)
    frame.locator(f"#q-{item.id}").get_by_role("button", name="Try again").click()
    by_keyboard(page, frame, item, right=True)
    assert cmi(page)["core"]["score"]["raw"] == "0"
    assert "1 of 7 answered, 0 of 100" in frame.locator(".scorm-told").inner_text()


def test_a_later_visit_goes_on_where_the_learner_left(launch: Launch, address: str) -> None:
    page, frame = launch()
    done = ["trial-single", "trial-ordering", "trial-matching", "trial-numeric"]
    for name in done:
        by_keyboard(page, frame, ITEMS[name], right=name != "trial-ordering")
    frame.locator("#q-trial-multiple input[value=e]").check()  # chosen, not checked
    order = frame.locator("#q-trial-multiple .dd-option").evaluate_all("all => all.map(one => one.dataset.id)")
    leave(page, address)
    assert len(cmi(page)["suspend_data"]) < 300
    # Only what the platform has comes back: the browser's own memory of the lesson is another learner's.
    again, frame = launch(page.context)
    assert "You are back where you left." in frame.locator(".scorm-told").inner_text()
    assert frame.locator(".dd-item.dd-is-checked").evaluate_all("all => all.map(one => one.id)") == [f"q-{n}" for n in done]  # fmt: skip
    assert frame.locator("#q-trial-matching .dd-select").first.input_value() == "cow"
    assert frame.locator("#q-trial-numeric input").input_value() == "540"
    assert frame.locator("#q-trial-multiple input[value=e]").is_checked()
    assert frame.locator("#q-trial-multiple .dd-option").evaluate_all("all => all.map(one => one.dataset.id)") == order
    assert "4 of 7 answered · 3 of 4 points at the first try" in frame.locator(".dd-score-line").inner_text()
    frame.locator("#q-trial-multiple input[value=a]").check()
    frame.locator("#q-trial-multiple").get_by_role("button", name="Check").click()
    for name in ("trial-case-one", "trial-case-two"):
        by_keyboard(again, frame, ITEMS[name], right=True)
    now = cmi(again)["core"]
    assert (now["lesson_status"], now["score"]["raw"]) == ("passed", "85.71")


def test_two_learners_of_one_browser_do_not_see_each_other(launch: Launch, address: str) -> None:
    page, frame = launch()
    by_keyboard(page, frame, ITEMS["trial-single"], right=True)
    leave(page, address)
    page.evaluate("localStorage.removeItem('platform')")  # the platform has nothing of the second one
    _, frame = launch(page.context)
    assert frame.locator(".dd-item.dd-is-checked").count() == 0
    assert page.evaluate("Object.keys(localStorage).filter(name => name.startsWith('dd-quiz/'))") == []


def test_a_mark_of_the_platform_s_own_is_taken_and_sees_no_half_of_a_score(launch: Launch) -> None:
    page, frame = launch(values={"cmi.student_data.mastery_score": "90"}, settings={"mastery_override": True})
    assert "90 of 100 points pass" in frame.locator(".scorm-state").inner_text()
    items = list(ITEMS.values())
    for item in items[:-1]:
        by_keyboard(page, frame, item, right=item.id != "trial-single")
    assert (cmi(page)["core"]["lesson_status"], cmi(page)["core"]["score"]["raw"]) == ("incomplete", "")
    by_keyboard(page, frame, items[-1], right=True)
    assert (cmi(page)["core"]["lesson_status"], cmi(page)["core"]["score"]["raw"]) == ("failed", "85.71")


def test_what_the_platform_has_as_passed_stays_passed(launch: Launch) -> None:
    page, frame = launch(values={"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "100"})
    by_keyboard(page, frame, ITEMS["trial-single"], right=False)
    assert (cmi(page)["core"]["lesson_status"], cmi(page)["core"]["score"]["raw"]) == ("passed", "100")
    assert "has you as passed already" in frame.locator(".scorm-told").inner_text()


def test_a_review_reports_nothing(launch: Launch) -> None:
    page, frame = launch(values={"cmi.core.lesson_mode": "review", "cmi.core.lesson_status": "passed"})
    assert "nothing is reported" in frame.locator(".scorm-state").inner_text()
    by_keyboard(page, frame, ITEMS["trial-single"], right=False)
    assert [call[0] for call in calls(page)] == ["LMSInitialize"]


def test_what_was_kept_about_other_questions_is_not_taken(launch: Launch) -> None:
    kept = "dd1;0123456789;feedfeedfeedfeed;" + ";".join(["1cno.1"] * 7)
    _, frame = launch(values={"cmi.suspend_data": kept, "cmi.core.lesson_status": "incomplete"})
    assert "These questions have changed since your last visit" in frame.locator(".scorm-state").inner_text()
    assert frame.locator(".dd-item.dd-is-checked").count() == 0


@pytest.mark.parametrize("refused", ["LMSCommit", "LMSSetValue"])
def test_a_platform_that_refuses_is_named_and_nothing_is_lost(launch: Launch, refused: str) -> None:
    _, frame = launch(refuse=refused)
    by_keyboard(_, frame, ITEMS["trial-single"], right=True)
    told = frame.locator(".scorm-told").inner_text()
    assert "did not take the last report" in told
    assert "download them" in told
    assert frame.get_by_role("button", name="Download my answers").is_visible()


def test_a_page_that_comes_back_after_its_session_does_not_pretend_to_report(launch: Launch, address: str) -> None:
    page, frame = launch()
    frame.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert calls(page)[-1][0] == "LMSFinish"
    with page.expect_event("framenavigated", lambda one: one.url == f"{address}/package/trial.html"):
        frame.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    frame.wait_for_selector("dd-quiz.dd-is-ready")
    assert "did not begin this session" in frame.locator(".scorm-state").inner_text()


def test_a_session_that_does_not_begin_is_said(launch: Launch) -> None:
    _, frame = launch(refuse="LMSInitialize")
    assert "did not begin this session" in frame.locator(".scorm-state").inner_text()


def test_without_a_platform_the_page_marks_and_says_so(browser: Browser, address: str) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark").new_page()
    page.goto(f"{address}/package/trial.html")
    page.wait_for_selector("dd-quiz.dd-is-ready")
    assert "There is no learning platform here" in page.locator(".scorm-state").inner_text()
    by_keyboard(page, page.main_frame, ITEMS["trial-single"], right=True)
    page.reload()
    assert page.locator(".dd-item.dd-is-checked").count() == 1
    assert page.get_by_role("button", name="Start over").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.context.close()
