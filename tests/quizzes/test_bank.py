"""The bank: what the loader reads, what it refuses and where, and what the items that ship are made of."""

from pathlib import Path

import pytest

from labs.errors import Refusal
from quizzes import bank, figures
from quizzes.bank import BadBank
from quizzes.model import CaseSet, Multiple, Numeric, Single

TRIAL = Path(__file__).parent / "bank"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A bank that a test may spoil."""
    for path in TRIAL.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    return tmp_path


def spoil(folder: Path, old: str, new: str, name: str = "trial.yaml") -> int:
    """Replace `old`, which must stand in the file once, and return its line."""
    text = (folder / name).read_text("utf-8")
    assert text.count(old) == 1
    (folder / name).write_text(text.replace(old, new), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def refused(folder: Path, slug: str = "trial") -> BadBank:
    with pytest.raises(BadBank) as caught:
        bank.load(slug, folder)
    return caught.value


def test_a_bank_gives_its_items_case_sets_flattened() -> None:
    quiz = bank.load("trial", TRIAL)
    assert [type(entry).__name__ for entry in quiz.entries] == [
        "Single",
        "Multiple",
        "Ordering",
        "Matching",
        "Numeric",
        "CaseSet",
    ]
    assert [item.id for item in quiz.items][-2:] == ["trial-case-one", "trial-case-two"]


def test_a_reference_brings_the_item_from_where_it_stands() -> None:
    (guess,) = bank.load("trial-guess", TRIAL).items
    assert (guess.id, guess.mode, guess.scored_in) == ("trial-single", "guess", "trial")
    assert guess.version == bank.load("trial", TRIAL).items[0].version


@pytest.mark.parametrize(
    ("old", "new", "where", "reason", "at"),
    [
        ("why: One too far along the line., ", "", "trial-single › five", "`why` is missing", "{id: five"),
        ("    bloom: apply\n    stem: Four", "    blom: apply\n    stem: Four", "trial-ordering", "`blom` is not a field here; did you mean `bloom`?", "blom"),
        ("select: 2", "select: 3", "trial-multiple", "asks for 3 options, but 2 are right", "id: trial-multiple"),
        ("objective: 2.4.3", "objective: 2.9.1", "objective", "'2.9.1' is not a skill of the exam guide", "2.9.1"),
        ("{id: three, text: The number three.,", "{id: three, text: The number three., correct: true,", "three", "a right option has no misconception", "{id: three"),
        ("misconception: letters-are-numbers}\n    facts:", "correct: true}\n    facts:", "trial-single", "one right option; this one has 2", "id: trial-single"),
        ("why: The lips close on this sound., misconception: letters-are-numbers", "why: The lips close on this sound.", "b", "names the misconception", "{id: b"),
        ("choice: sheep", "choice: ship", "trial-matching", "wants the choice 'ship', which does not exist", "id: trial-matching"),
        ("choice: horse", "choice: cow", "trial-matching", "the choice 'cow' fits two prompts", "id: trial-matching"),
        ("why: Its young are goslings and swim., ", "", "trial-matching", "needs `why` and `misconception`", "id: trial-matching"),
        ("tolerance: {absolute: 1}", "tolerance: {}", "tolerance", "`absolute` or `relative`", "tolerance: {}"),
        ("numbers: {recommended", "numbers: {other", "trial-numeric", "{recommended} is used, but stands neither in", "id: trial-numeric"),
        ("facts: [sqs.visibility.lambda_multiple]\n", "facts: []\n", "trial-numeric", "an item rests on `facts` or `sources`", "id: trial-numeric"),
        ("title: A farm", "titel: A farm", "trial-case", "`title` is missing", "id: trial-case"),
        ("difficulty_prior: 0.7\n  - id: trial-ordering", "difficulty_prior: hard\n  - id: trial-ordering", "difficulty_prior", "valid number", "hard"),
        ("bloom: apply\n    stem: Five", "bloom: applied\n    stem: Five", "bloom", "'remember', 'understand'", "applied"),
        ("id: trial-multiple", "id: Trial Multiple", "id", "match pattern", "Trial Multiple"),
        ("misconception: bigger-is-later}\n    sources", "misconception: bigger-is-latr}\n    sources", "misconception", "did you mean 'bigger-is-later'?", "bigger-is-latr"),
        ("id: trial-case-two", "id: trial-ordering", "trial-ordering", "already", "      - id: trial-ordering"),
        ("quiz: trial", "quiz: trail", "quiz", "so `quiz` must be trial", "quiz: trail"),
        ("type: numeric", "type: number", "trial-numeric", "`type` must be single, multiple", "id: trial-numeric"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_is_told_with_file_line_place_and_reason(
    written: Path, old: str, new: str, where: str, reason: str, at: str
) -> None:
    spoil(written, old, new)
    problems = refused(written).problems
    (problem,) = [problem for problem in problems if where in problem.where and reason in problem.reason]
    assert at in (written / "trial.yaml").read_text("utf-8").splitlines()[problem.line - 1]
    assert str(problem).startswith(f"{written / 'trial.yaml'}:{problem.line}: ")


def test_all_mistakes_of_a_file_are_told_at_once(written: Path) -> None:
    spoil(written, "select: 2", "select: two")
    spoil(written, "objective: 2.4.3", "objective: 9.9.9")
    assert len(refused(written).problems) == 2


def test_a_file_that_is_no_yaml_is_told_with_its_line(written: Path) -> None:
    line = spoil(written, "title: Trial", "title: 'Trial")
    assert refused(written).problems[0].line >= line


def test_a_key_that_stands_twice_is_told(written: Path) -> None:
    line = spoil(written, "select: 2", "select: 2\n    select: 3")
    assert refused(written).problems[0].line == line + 1


def test_a_reference_to_nothing_is_told(written: Path) -> None:
    line = spoil(written, "trial/trial-single", "trial/trial-triple", "trial-guess.yaml")
    (problem,) = refused(written, "trial-guess").problems
    assert (problem.line, problem.reason) == (line, "no item stands there")


def test_an_id_belongs_to_one_file(written: Path) -> None:
    text = (written / "trial.yaml").read_text("utf-8").replace("quiz: trial\n", "quiz: trial-two\n")
    (written / "trial-two.yaml").write_text(text, "utf-8")
    with pytest.raises(BadBank, match=r"'trial-single' is the id of an item in trial\.yaml already"):
        bank.load_all(written)


def test_an_unknown_quiz_names_those_that_there_are() -> None:
    with pytest.raises(Refusal, match="no quiz 'nosuch'; there are: trial, trial-guess"):
        bank.load("nosuch", TRIAL)
    with pytest.raises(Refusal):
        bank.load("misconceptions", TRIAL)


def test_an_item_is_frozen() -> None:
    item = bank.load("trial", TRIAL).items[0]
    with pytest.raises(ValueError, match="frozen"):
        item.stem = "another"  # type: ignore[misc]


def test_figures_come_from_the_register() -> None:
    single, *_, numeric, one, _ = figures.fill_quiz(bank.load("trial", TRIAL)).items
    assert isinstance(single, Single)
    assert isinstance(numeric, Numeric)
    assert single.stem.startswith("A message may have 1 MiB.")
    assert single.options[1].why.endswith("up to 1 MiB.")
    assert numeric.answer == 540
    assert numeric.why == "The multiple of the function's time is 540 s."
    assert one.id == "trial-case-one"


def test_a_key_follows_a_changed_figure() -> None:
    class Moved:
        def number(self, id: str, /) -> float:
            return {"sqs.visibility.lambda_multiple": 8.0}[id]

        def format(self, id: str, /) -> str:
            raise KeyError(id)

    numeric = next(item for item in bank.load("trial", TRIAL).items if item.type == "numeric")
    filled = figures.fill(numeric, Moved())
    assert filled.key().answer == 720
    assert "720" in filled.why
    assert filled.version != figures.fill(numeric).version


def test_a_word_changes_no_version_and_a_key_does() -> None:
    item = bank.load("trial", TRIAL).items[1]
    assert isinstance(item, Multiple)
    assert item.model_copy(update={"stem": "Other words."}).version == item.version
    turned = tuple(o.model_copy(update={"correct": not o.correct}) for o in item.options)
    assert item.model_copy(update={"options": turned}).version != item.version


@pytest.mark.parametrize(
    ("expression", "value"),
    [("1 + 2 * 3", 7), ("-(4 - 1) / 2", -1.5), ("7 // 2", 3), ("max(1, 2) + min(3, 4)", 5), ("round(2.6)", 3), (12, 12),
     ("{sqs.visibility.lambda_multiple} * 90 + 20", 560)],
)  # fmt: skip
def test_arithmetic(expression: str | int, value: float) -> None:
    assert figures.calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os')",
        "1 if 2 else 3",
        "'a' * 3",
        "open('x')",
        "1 +",
        "1 / 0",
        "x",
        "(1).real",
        "2 ** 9999",
        "True + 1",
    ],
)
def test_nothing_but_arithmetic(expression: str) -> None:
    with pytest.raises(figures.BadExpression):
        figures.calculate(expression)


def test_an_unknown_fact_is_refused() -> None:
    item = bank.load("trial", TRIAL).items[0].model_copy(update={"stem": "{sqs.message.maximum}"})
    with pytest.raises(Refusal, match=r"sqs\.message\.max_bytes"):
        figures.fill(item)


# --- what ships


@pytest.fixture(scope="module")
def items() -> dict[str, object]:
    """Every item of the bank, filled."""
    return {f"{quiz.slug}/{item.id}": item for quiz in bank.load_all() for item in figures.fill_quiz(quiz).items}


def test_the_bank_can_be_read_and_filled(items: dict[str, object]) -> None:
    assert "06-squid/squid-order-steps" in items


def test_the_lesson_on_queues_has_six_items_of_all_five_kinds() -> None:
    quiz = bank.load("06-squid")
    assert len(quiz.items) == 6
    assert {item.type for item in quiz.items} == {"single", "multiple", "ordering", "matching", "numeric"}
    assert not any(isinstance(entry, CaseSet) for entry in quiz.entries)


def test_the_flagship_is_guessed_at_the_start_and_scored_later() -> None:
    (guess,) = bank.load("00-start").items
    (scored,) = (item for item in bank.load("05-economics").items if item.id == "flagship")
    assert (guess.id, guess.mode, guess.scored_in, scored.mode) == ("flagship", "guess", "05-economics", "score")


def test_the_concurrency_item_agrees_with_the_arithmetic_of_its_stem() -> None:
    item = next(i for i in figures.fill_quiz(bank.load("06-squid")).items if isinstance(i, Numeric))
    quota_per_minute, seconds, tokens = 500_000, 9, 700 + 500
    largest = max(n for n in range(1, 1000) if n * 60 / seconds * tokens <= quota_per_minute)
    assert item.key().answer == largest
    assert str(largest) in item.why
    wrong = [float(mistake.value) for mistake in item.mistakes]
    assert len(set(wrong)) == len(wrong)
    assert largest not in wrong
