"""Test-wise bots find a bank that can be passed without knowledge, and find nothing in one that cannot."""

from random import Random

import pytest

from quizzes import bank, bots, figures
from quizzes.model import AnyItem, Matching, Single

WORDS = [
    "lane",
    "mast",
    "reef",
    "tide",
    "sail",
    "dock",
    "wave",
    "gust",
    "hull",
    "keel",
    "spar",
    "buoy",
    "helm",
    "knot",
    "port",
    "prow",
    "rope",
    "sand",
    "surf",
    "yard",
]


def item(number: int, texts: list[str], right: int, stem: str = "Some stem of no interest.") -> Single:
    options = [
        {"id": f"o{place}", "text": text, "why": "Because of that."}
        | ({"correct": True} if place == right else {"misconception": "any"})
        for place, text in enumerate(texts)
    ]
    return Single.model_validate_json(
        __import__("json").dumps(
            {
                "id": f"item-{number}", "type": "single", "objective": "2.4.1", "bloom": "apply", "stem": stem, "criterion": "Which?",
                "options": options, "sources": ["lambda-sqs"], "est_seconds": 60, "difficulty_prior": 0.5,
            }
        )
    )  # fmt: skip


def bank_of(count: int, spoil: str | None = None) -> list[AnyItem]:
    """Items whose key nothing gives away, or one thing."""
    random, made = Random(11), []
    for number in range(count):
        texts = [" ".join(random.choices(WORDS, k=6)).capitalize() + "." for _ in range(4)]
        right = random.randrange(4)
        stem = "Some stem of no interest."
        if spoil == "longest":
            texts[right] = texts[right][:-1] + ", and a good deal more besides."
        elif spoil == "position-1":
            right = 0
        elif spoil == "absolutes":
            texts = [text if place == right else f"Always {text}" for place, text in enumerate(texts)]
        elif spoil == "no-negatives":
            texts = [text if place == right else f"Do not {text}" for place, text in enumerate(texts)]
        elif spoil == "stem-echo":
            stem, texts[right] = "The lighthouse keeper.", texts[right] + " Lighthouse keeper."
        elif spoil == "most-services":
            texts[right] += " Amazon SQS."
        elif spoil == "most-specific":
            texts[right] += " 42 MB."
        elif spoil == "odd-one-out":
            texts = [
                text if place == right else "This one is much like that one, " + text
                for place, text in enumerate(texts)
            ]
        made.append(item(number, texts, right, stem))
    return list(made)


def test_a_bank_that_gives_nothing_away_withstands_every_bot() -> None:
    results = bots.run(bank_of(200))
    assert {name: result.score for name, result in results.items() if not result.passed} == {}
    assert all(result.n == 200 and result.chance == pytest.approx(0.25) for result in results.values())


@pytest.mark.parametrize(
    "weakness",
    [
        "longest",
        "position-1",
        "absolutes",
        "no-negatives",
        "stem-echo",
        "most-services",
        "most-specific",
        "odd-one-out",
    ],
)
def test_a_bank_with_one_weakness_falls_to_its_bot(weakness: str) -> None:
    result = bots.run(bank_of(60, weakness))[weakness]
    assert not result.passed
    assert result.score > 0.9


def test_the_limit_is_two_standard_deviations_of_guessing() -> None:
    result = bots.run(bank_of(400))["longest"]
    assert result.limit == pytest.approx(0.25 + 2 * (0.25 * 0.75 / 400) ** 0.5)


def test_ties_are_split_evenly() -> None:
    assert bots.expected_share([1, 1, 1, 1], [True, False, False, False], 1) == 0.25
    assert bots.expected_share([2, 1, 1, 0, 0], [True, True, False, False, False], 2) == 0.75
    assert bots.expected_share([0, 0, 0, 5, 5], [False, False, False, True, True], 2) == 1


def test_the_matching_bot_takes_the_choice_that_echoes() -> None:
    trial = next(i for quiz in bank.load_all() for i in quiz.items if isinstance(i, Matching))
    echo = {prompt.choice: prompt.text for prompt in trial.prompts}
    choices = tuple(c.model_copy(update={"text": echo.get(c.id, "Nothing of that kind.")}) for c in trial.choices)
    assert not bots.run([trial.model_copy(update={"choices": choices})])[bots.MATCHING_ECHO].passed


def test_an_item_stays_in_its_half() -> None:
    items = bank_of(100)
    first, second = bots.halves(items)
    assert {i.id for i in first} == {i.id for i in bots.halves(items[::-1])[0]}
    assert 30 < len(first) < 70
    assert len(first) + len(second) == 100


def test_the_bank_withstands_the_bots() -> None:
    items = {i.id: i for quiz in bank.load_all() for i in figures.fill_quiz(quiz).items}.values()
    for part in (list(items), *bots.halves(items)):
        assert [name for name, result in bots.run(part).items() if not result.passed] == []
