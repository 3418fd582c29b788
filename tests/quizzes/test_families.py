"""Families of computed items: one best answer with a margin, keys that plain arithmetic confirms, and nothing that a shape gives away."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html import escape
from itertools import combinations, pairwise
from typing import Any

import pytest
from click.testing import CliRunner

from labs import facts
from labs.errors import Refusal
from labs.facts import register
from quizzes import bank, bots, families, figures, lint, page, words
from quizzes.bank import BadBank
from quizzes.cli import cli
from quizzes.families.family import Answer, CannotDraw, Family, belief, draw, place, ratio, reasons
from quizzes.families.say import Say
from quizzes.model import PLACEHOLDER, AnyItem, Multiple, Numeric, Ordering, Quiz, Single
from quizzes.shuffle import fnv1a
from tests.quizzes.families_oracles import ORACLES

SEEDS = 32
"""of each family, in an ordinary run; a multiple of four, so that every key has had every place"""
SOAK_SEEDS = 1000
NAMES = families.names()
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def drawn_from(family: Family[Any], seed: int) -> tuple[AnyItem, AnyItem, Any]:
    """(as drawn, filled in, the situation that it is about)"""
    seen: list[Any] = []

    def situation(random: Any) -> Any:
        seen.append(family.situation(random))
        return seen[-1]

    item = draw(replace(family, situation=situation), seed)
    return item, figures.fill(item), seen[-1]


@cache
def drawn(name: str, seed: int) -> tuple[AnyItem, AnyItem, Any]:
    """The same, once for all tests: at the register as it is."""
    return drawn_from(families.family(name), seed)


def number_in(text: str, which: int = 0) -> float:
    return float(NUMBER.findall(text)[which].replace(",", ""))


def key_and_distractors(item: AnyItem) -> tuple[float, list[float]]:
    """As a taker reads them: amounts, or for a choice the price at an option's end."""
    if isinstance(item, Numeric):
        return float(item.answer), [float(mistake.value) for mistake in item.mistakes]
    assert isinstance(item, Single)
    which = -1 if item.shuffle else 0
    values = {option.correct: number_in(option.text, which) for option in item.options if option.correct}
    return values[True], [number_in(option.text, which) for option in item.options if not option.correct]


def rounding(name: str) -> float:
    """How far a key that is shown may be from the exact one: options are in whole dollars."""
    family = families.family(name)
    return 0.51 if family.money and family.kind == "amounts" else 0.006


def amounts_of_steps(item: Ordering) -> list[float]:
    """What each step comes to, from the end of its reason's sum."""
    found = []
    for step in item.steps:
        said = re.findall(r"(?:=|make) \$?([\d,.]*\d)", step.why)
        found.append(float(said[-1].replace(",", "")))
    return found


# --- what there is


def test_there_are_enough_families_of_each_theme() -> None:
    themes = Counter(family.situation.__module__.rpartition(".")[2] for family in families.families().values())
    assert themes["cost_tokens"] + themes["cost_hours"] + themes["cost_parts"] >= 10
    assert themes["sizing"] + themes["memory"] >= 6
    assert themes["quota"] >= 5
    assert themes["queue"] >= 4
    assert len(NAMES) == sum(themes.values()) >= 25
    assert set(ORACLES) | {"quota-which-changes"} == set(NAMES)
    assert {drawn(name, 0)[0].type for name in NAMES} == {"single", "multiple", "ordering", "numeric"}


def test_every_wrong_model_says_what_is_believed_and_a_name_means_one_belief() -> None:
    said: dict[str, str] = {}
    for family in families.families().values():
        for name, sentence in family.beliefs().items():
            assert sentence.endswith("."), name
            assert len(sentence.split()) >= 5, name
            assert said.setdefault(name, sentence) == sentence
    assert len(said) > 150
    known = bank.misconceptions()
    assert set(said) <= set(known)


# --- every item of every family


def check(name: str, seed: int) -> None:
    item, filled, situation = drawn_from(families.family(name), seed) if seed >= SEEDS else drawn(name, seed)
    assert item.id == f"{name}-{seed}"
    whys = list(reasons(filled))
    assert all(NUMBER.search(why) for _, why in whys), "a reason without a figure shows no arithmetic"
    assert len({why for _, why in whys}) == len(whys)
    tags = [misconception for misconception, _ in whys if misconception]
    assert tags
    assert set(tags) <= set(families.family(name).beliefs())
    assert len(set(tags)) == len(tags)
    for rule, (_, finds) in lint.RULES.items():
        assert list(finds(item, filled)) == [], rule
    if isinstance(filled, Ordering):
        amounts = amounts_of_steps(filled)
        assert all(ratio(one, other) >= 1.1 for one, other in pairwise(amounts))
        assert amounts == sorted(amounts, reverse=families.family(name).highest_first)
        expected = ORACLES[name](situation)
        assert isinstance(expected, list)
        assert sorted(amounts) == pytest.approx(sorted(expected), rel=0.005, abs=0.006)
    elif isinstance(filled, Multiple):
        check_changes(filled, situation)
    else:
        key, distractors = key_and_distractors(filled)
        expected = ORACLES[name](situation)
        assert key == pytest.approx(expected, rel=0.003, abs=rounding(name))
        assert len(distractors) >= 3
        assert all(abs(wrong - key) >= 0.1 * key for wrong in distractors), (key, distractors)
        assert len({*distractors, key}) == len(distractors) + 1
        if isinstance(filled, Numeric):
            slack = filled.key().tolerance
            assert all(abs(wrong - key) > 2 * slack for wrong in distractors)


def check_changes(item: Multiple, case: Any) -> None:
    """Each change, worked out from its own words."""
    rate = facts.number(case.rate)
    for option in item.options:
        calls, into, out = case.per_minute, case.input_tokens, case.output_tokens
        text = option.text
        if text.startswith("Cache") and "input" in text:
            into -= number_in(text)
        elif text.startswith("Ask") and "stream" not in text:
            out = number_in(text)
        elif "second model" in text:
            calls -= number_in(text)
        elif text.startswith(("Shorten", "Cut")):
            into -= number_in(text)
        else:
            assert text.startswith(("Lower `max_tokens`", "Ask the model to stream", "Make", "Cache"))
        use = calls * (into + rate * out)
        assert ratio(use, case.quota) >= 1.04
        assert option.correct == (use < case.quota), text


@pytest.mark.parametrize("name", NAMES)
def test_one_best_answer_by_a_margin_as_plain_arithmetic_has_it_and_clean(name: str) -> None:
    for seed in range(SEEDS):
        check(name, seed)


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_seeds(name: str) -> None:
    tempting: set[str] = set()
    places: Counter[int] = Counter()
    for seed in range(SOAK_SEEDS):
        check(name, seed)
        item = families.draw(name, seed)
        tempting |= {misconception for misconception, _ in reasons(item)}
        if isinstance(item, Single):
            places[[option.correct for option in item.options].index(True)] += 1
    assert set(families.family(name).beliefs()) <= tempting, "a wrong model that never leads to a distractor"
    assert len(set(places.values())) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_an_item_for_ever_and_another_seed_another(name: str) -> None:
    stems = []
    for seed in range(SEEDS):
        item, filled, _ = drawn(name, seed)
        assert seed % 8 or families.draw(name, seed) == item
        whole = filled.model_dump(mode="json", exclude={"id"})
        stems.append(re.sub(r'"o[0-9a-f]{8}"', "", json.dumps(whole)))
    assert len(set(stems)) == SEEDS


@pytest.mark.parametrize("name", NAMES)
def test_the_key_stands_in_every_place_equally_often(name: str) -> None:
    items = [drawn(name, seed)[0] for seed in range(SEEDS)]
    if isinstance(items[0], Single):
        places = Counter([o.correct for o in item.options].index(True) for item in items if isinstance(item, Single))
        assert set(places.values()) == {SEEDS // 4}
        assert set(places) == {0, 1, 2, 3}


def test_places_are_mixed_and_the_same_on_every_machine() -> None:
    assert [place("token-bill", seed) for seed in range(8)] == [1, 0, 2, 3, 1, 3, 2, 0]
    for start in range(0, 400, 4):
        assert {place("any", seed) for seed in range(start, start + 4)} == {0, 1, 2, 3}


# --- a bank of them


def test_takers_who_know_nothing_score_as_chance_does() -> None:
    items = [drawn(name, seed)[1] for name in NAMES for seed in range(SEEDS)]
    # Halves of whole blocks of seeds: within a block the key has stood in each place once.
    first = {f"{name}-{seed}" for name in NAMES for seed in range(SEEDS // 2)}
    halves = [[item for item in items if (item.id in first) is one] for one in (True, False)]
    for part in (items, *halves):
        for bot, result in bots.run(part).items():
            assert result.passed, (bot, result)


def test_items_of_different_families_do_not_look_alike() -> None:
    texts = {name: words.shingles(" ".join((drawn(name, 5)[1].stem, drawn(name, 5)[1].criterion))) for name in NAMES}
    for one, other in combinations(NAMES, 2):
        assert words.overlap(texts[one], texts[other]) < lint.NEAR_ITEMS, (one, other)


def test_a_page_shows_them_with_what_is_believed() -> None:
    items = tuple(drawn(name, 2)[1] for name in NAMES)
    html = page.render_quiz(Quiz(slug="all", title="All of them", entries=items))
    for item in items:
        assert f'data-id="{item.id}"' in html or item.id in html
    assert not PLACEHOLDER.search(html)
    said = {name for item in items for name, _ in reasons(item) if name}
    missing = [
        name
        for name in said
        if bank.misconceptions()[name] not in html and escape(bank.misconceptions()[name]) not in html
    ]
    assert not missing, "the page names what is believed"


# --- prices and limits that move


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Multiply facts of the register, wherever they are read."""

    def moved(factor: Any) -> None:
        installed = register.installed()
        for group in installed.groups():
            changed = {
                id: fact.model_copy(update={"value": round(fact.value * factor(fact), 12)})
                if factor(fact) != 1
                else fact
                for id, fact in installed.group(group).items()
            }
            monkeypatch.setitem(installed._groups, group, changed)

    return moved


def usd_facts(item: AnyItem) -> Iterator[str]:
    return (id for id in item.facts if facts.get(id).unit.startswith("USD"))


def up_or_down(fact: Any) -> float:
    """A fifth up for one half of the prices, down for the other."""
    if not fact.unit.startswith("USD"):
        return 1
    return 1.2 if fnv1a(fact.id) % 2 else 0.8


def fifth_up(fact: Any) -> float:
    """All prices."""
    return 1.2 if fact.unit.startswith("USD") else 1


def fifth_down(fact: Any) -> float:
    """All prices."""
    return 0.8 if fact.unit.startswith("USD") else 1


@pytest.mark.parametrize("factor", [fifth_up, fifth_down, up_or_down])
def test_keys_follow_prices_and_no_text_keeps_an_old_one(move: Any, factor: Any) -> None:
    old = {fact.id: fact.readable for fact in facts.all()}
    followed = 0
    move(factor)
    for name in NAMES:
        for seed in range(4):
            item, filled, situation = drawn_from(families.family(name), seed)
            texts = " ".join([filled.stem, *(why for _, why in reasons(filled))])
            now = {id: facts.format(id) for id in usd_facts(item)}
            for id, shown in now.items():
                followed += 1
                assert old[id] != shown
                assert old[id] in now.values() or old[id] not in texts, (item.id, id)
            if isinstance(filled, Single | Numeric):
                key, distractors = key_and_distractors(filled)
                assert key == pytest.approx(ORACLES[name](situation), rel=0.003, abs=rounding(name))
                assert all(abs(wrong - key) >= 0.1 * key for wrong in distractors)
    assert followed > 100


def test_keys_follow_a_limit(move: Any) -> None:
    move(lambda fact: 0.5 if fact.id in ("sqs.visibility.lambda_multiple", "bedrock.burndown.claude-5") else 1)
    for name in ("visibility-timeout", "quota-steady-rate", "quota-burst", "quota-which-changes"):
        for seed in range(6):
            item, filled, situation = drawn_from(families.family(name), seed)
            if isinstance(filled, Multiple):
                check_changes(filled, situation)
            else:
                assert key_and_distractors(filled)[0] == pytest.approx(ORACLES[name](situation), rel=0.003)
            if name == "visibility-timeout":
                said = " ".join(why for _, why in reasons(filled))
                assert "6×" not in said
                assert "3×" in said
            assert item.facts


def test_a_moved_price_moves_the_item_that_stays_the_same_otherwise(move: Any) -> None:
    before = drawn_from(families.family("commitment-total"), 2)[1]
    move(up_or_down)
    after = drawn_from(families.family("commitment-total"), 2)[1]
    assert before == after, "an item that rests on no price does not move with prices"


# --- families that are written wrongly


def test_a_family_whose_distractors_stand_too_near_cannot_be_drawn() -> None:
    def nearly(case: int, say: Say) -> Answer:
        """A rounded figure is as good as the right one, they say."""
        return Answer(case * 1.05, f"{say(case)} and a little.")

    family = Family(
        name="too-near",
        title="Too near",
        objective="4.1.2",
        bloom="apply",
        est_seconds=60,
        difficulty=0.5,
        situation=lambda random: random.randrange(100, 200),
        ask=lambda case, say: (f"There are {say(case)}.", "What is the LOWEST number?"),
        solve=lambda case, say: Answer(float(case), f"It is {say(case)} and no more."),
        wrong=(nearly, nearly, nearly),
        sources=("lambda-sqs",),
    )
    with pytest.raises(CannotDraw, match="too-near"):
        draw(family, 0)
    assert belief(nearly) == "A rounded figure is as good as the right one, they say."


def test_a_wrong_model_without_a_belief_is_refused() -> None:
    with pytest.raises(TypeError, match="no docstring"):
        belief(lambda: None)


def test_an_unknown_family_is_named_with_its_nearest() -> None:
    with pytest.raises(Refusal, match="token-bill"):
        families.draw("tokens-bill", 1)


# --- in a bank file, and on the command line

FILE = """\
quiz: computed
title: Computed
items:
  - {family: token-bill, seed: 7}
  - {family: visibility-timeout, seed: 3, mode: guess}
"""


def test_a_bank_file_names_a_family_and_a_seed(tmp_path: Any) -> None:
    (tmp_path / "computed.yaml").write_text(FILE, "utf-8")
    (tmp_path / "other.yaml").write_text(
        "quiz: other\ntitle: Other\nitems:\n  - {ref: computed/token-bill-7, mode: guess}\n", "utf-8"
    )
    quiz, other = bank.load_all(tmp_path)
    assert quiz.items[0] == families.draw("token-bill", 7)
    assert [item.mode for item in quiz.items] == ["score", "guess"]
    assert (other.items[0].id, other.items[0].scored_in) == ("token-bill-7", "computed")
    assert lint.check([quiz], tmp_path) == []
    assert lint.unused_misconceptions([quiz], tmp_path) == []
    assert bank.line_of("computed", "visibility-timeout-3", tmp_path)[1] == 5


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("token-bill", "token-bil", 4, "there is no family 'token-bil'; there are: token-bill"),
        ("seed: 7", "seed: -7", 4, "greater than or equal to 0"),
        ("visibility-timeout, seed: 3, mode: guess", "token-bill, seed: 7", 5, "stands on line 4 already"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(tmp_path: Any, old: str, new: str, line: int, reason: str) -> None:
    (tmp_path / "computed.yaml").write_text(FILE.replace(old, new), "utf-8")
    with pytest.raises(BadBank) as caught:
        bank.load("computed", tmp_path)
    (problem,) = caught.value.problems
    assert (problem.line, reason in problem.reason) == (line, True), problem


def run(*args: str, typed: str = "") -> Any:
    return CliRunner().invoke(cli, list(args), input=typed)


def test_quiz_draw_lists_families_and_draws_from_one() -> None:
    listed = json.loads(run("draw", "--json").stdout)
    assert [row["family"] for row in listed] == NAMES
    (item,) = json.loads(run("draw", "quota-burst", "--seed", "5", "--json").stdout)
    assert item == json.loads(json.dumps(drawn("quota-burst", 5)[1].model_dump(mode="json")))
    text = run("draw", "jobs-by-cost", "--seed", "1", "--count", "2").stdout
    assert "jobs-by-cost-1 · skill 4.1.2" in text
    assert "jobs-by-cost-2" in text
    assert isinstance(run("draw", "--seed", "1").exception, Refusal)


def test_a_computed_item_is_taken_in_the_terminal(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    item = drawn("visibility-timeout", 3)[1]
    assert isinstance(item, Single)
    right = "ABCD"[[option.correct for option in item.options].index(True)]
    result = run("take", "--family", "visibility-timeout", "--seed", "3", "--json", typed=f"{right}\n")
    assert (result.exit_code, json.loads(result.stdout)["score"]) == (0, 1)
    assert (tmp_path / "attempts" / "family-visibility-timeout.jsonl").is_file()
    assert isinstance(run("take", "--seed", "3").exception, Refusal)
    assert isinstance(run("take", "06-squid", "--family", "token-bill").exception, Refusal)
