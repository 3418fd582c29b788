"""Forms of an exam: by blueprint, without what was seen, honest about a small bank; results with their interval."""

from pathlib import Path

import pytest

from labs.errors import Refusal
from quizzes import bank, blueprint, figures, forms, results, sections

TRIAL = Path(__file__).parent / "bank"
PLAN = blueprint.load("deployment-practice")


def many(count: int = 30) -> list[forms.Unit]:
    """A bank of copies of the trial items, `count` of each of three types in every area, and the families."""
    originals = {item.type: item for item in figures.fill_quiz(bank.load("trial", TRIAL)).items}
    units = [unit for unit in forms.pool(TRIAL) if unit.entry is None]
    for area in PLAN.areas:
        for kind in ("single", "ordering", "matching"):
            for number in range(count):
                name = f"{area.id}-{kind}-{number}"
                item = originals[kind].model_copy(update={"id": name, "objective": f"{area.tasks[0]}.1"})
                units.append(forms.Unit(name, "exam-a", item.objective, (item.type,), item))
    return units


def test_a_whole_form_has_the_shares_of_its_blueprint() -> None:
    form = forms.draw(PLAN, many(), "ab/1")
    assert (len(form.questions), form.shortages) == (PLAN.length, [])
    assert {area.id: there for area, _, there in form.areas} == PLAN.quotas(PLAN.length)
    assert [(want, there) for _, want, there in form.types] == [(6, 6), (6, 6)]
    assert form.minutes == PLAN.time_min


def test_a_half_form_takes_half_the_time() -> None:
    form = forms.draw(PLAN, many(), "ab/1", PLAN.length // 2)
    assert len(form.questions) == PLAN.length // 2
    assert form.minutes == pytest.approx(PLAN.time_min / 2, abs=2)


def test_a_retake_draws_nothing_that_was_seen() -> None:
    units = many()
    first = forms.draw(PLAN, units, "ab/1")
    seen = {question.item.id for question in first.questions}
    second = forms.draw(PLAN, units, "ab/2", seen=seen)
    assert len(second.questions) == PLAN.length
    assert not seen & {question.item.id for question in second.questions}


def test_the_same_seed_draws_the_same_form_and_ids_bring_it_back() -> None:
    units = forms.pool(TRIAL)
    one, other = (forms.draw(PLAN, units, "ab/1", 12) for _ in range(2))
    assert one.id == other.id
    back = forms.again(PLAN, [q.item.id for q in one.questions], TRIAL, 12, one.minutes)
    assert back is not None
    assert back.id == one.id
    assert forms.again(PLAN, ["gone"], TRIAL, 12, 1) is None


def test_a_form_has_one_item_of_a_family_at_most() -> None:
    form = forms.draw(PLAN, forms.pool(TRIAL), "ab/3")
    families = [q.item.id.rpartition("-")[0] for q in form.questions if not q.home]
    assert families
    assert len(families) == len(set(families))


def test_a_bank_that_is_too_small_is_said_to_be() -> None:
    form = forms.draw(PLAN, forms.pool(TRIAL), "ab/1")
    assert len(form.questions) < PLAN.length
    assert (
        f"too small for the {PLAN.length} questions asked for: this form has {len(form.questions)}" in form.shortages[0]
    )


def test_what_is_left_out_and_disputed_is_said_first() -> None:
    said = " ".join(blueprint.disclosure(PLAN))
    assert "leaves out the tasks 1.3, 1.4, 1.5, 1.6" in said
    assert "sources disagree: 180 or 170" in said
    assert "no score from 100 to 1,000" in said


def test_an_exam_that_is_none_is_refused() -> None:
    with pytest.raises(Refusal, match="there is no exam 'nosuch'; there are: deployment-practice"):
        blueprint.load("nosuch")


def test_the_interval_is_the_published_one() -> None:
    low, high = results.wilson(8, 10)  # R: prop.test(8, 10, correct=FALSE)
    assert (low, high) == (pytest.approx(0.4901625, abs=1e-6), pytest.approx(0.9433178, abs=1e-6))
    assert results.wilson(0, 0) == (0, 1)
    assert results.wilson(0, 20)[0] == 0
    assert results.wilson(20, 20)[1] == pytest.approx(1)


def test_a_result_names_areas_and_misconceptions_with_where_to_read() -> None:
    items = {item.id: item for item in figures.fill_quiz(bank.load("trial", TRIAL)).items}
    asked = tuple(
        forms.Question(items[n], "06-squid", "integration")
        for n in ("trial-single", "trial-ordering", "trial-matching")
    )
    area = next(a for a in PLAN.areas if a.id == "integration")
    form = forms.Form("x", "X", 5, asked, 3, ((area, 3, 3),))
    answers = {
        "trial-single": ["five"],
        "trial-ordering": ["ant", "mouse", "dog", "whale"],
        "trial-matching": {"calf": "goose", "foal": "horse", "lamb": "cow"},
    }
    result = results.mark(form, answers, sections.Book.read())
    assert (result.right, len(result.marked)) == (1, 3)
    assert {name for name, _, _ in result.mistaken} == {"sum-is-difference", "letters-are-numbers", "bigger-is-later"}
    assert result.areas[0].sections[0].href.startswith("06-squid.html")


def test_a_section_is_found_by_the_facts_it_names(tmp_path: Path) -> None:
    (tmp_path / "06-squid.md").write_text(
        "---\nminutes: {read: 20, lab: 45}\n---\n# Queue it\n\n```{note}\n# no heading\n```\n\n## What a *clock* hides\n\n"
        "A message has {fact}`sqs.message.max_bytes`.\n",
        "utf-8",
    )
    book = sections.Book.read(tmp_path)
    single = figures.fill_quiz(bank.load("trial", TRIAL)).items[0]
    found = book.teaches(single, "exam-a", ("05-economics",))
    assert (found.title, found.href) == ("What a clock hides", "06-squid.html#what-a-clock-hides")
    assert book.minutes == {"06-squid": 65}
