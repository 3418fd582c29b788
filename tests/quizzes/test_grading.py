"""Grading in Python follows the vectors that the page's script follows too (tests/site/test_quiz.py)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizzes.grading import BadResponse, Key, decode_response, encode_response, grade, parse_number
from quizzes.shuffle import fnv1a, shuffled

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS["grades"], ids=lambda vector: vector["name"])
def test_a_response_is_graded_as_the_vectors_say(vector: dict[str, Any]) -> None:
    key = Key.from_json(vector["key"])
    if vector.get("bad"):
        with pytest.raises(BadResponse):
            grade(key, vector["response"], "study")
        return
    study, exam = (grade(key, vector["response"], profile) for profile in ("study", "exam"))
    assert study.score == pytest.approx(vector["study"])
    assert exam.score == vector["exam"]
    assert (study.correct, study.answered) == (vector["correct"], vector["answered"])


@pytest.mark.parametrize("vector", VECTORS["numbers"], ids=lambda vector: repr(vector["text"]))
def test_a_typed_number_is_read_as_the_vectors_say(vector: dict[str, Any]) -> None:
    if vector.get("bad"):
        with pytest.raises(BadResponse):
            parse_number(vector["text"], vector["unit"])
    else:
        assert parse_number(vector["text"], vector["unit"]) == vector["number"]


def test_the_hash_is_the_published_one() -> None:
    assert {vector["text"]: fnv1a(vector["text"]) for vector in VECTORS["hashes"]} == {
        vector["text"]: vector["fnv1a"] for vector in VECTORS["hashes"]
    }


@pytest.mark.parametrize("vector", VECTORS["shuffles"], ids=lambda vector: f"{len(vector['ids'])} {vector['seed']!r}")
def test_an_order_is_the_one_in_the_vectors(vector: dict[str, Any]) -> None:
    assert shuffled(vector["ids"], vector["seed"], vector["avoid"]) == vector["order"]


def test_every_place_is_as_likely_as_any_other() -> None:
    counts = [0, 0, 0, 0]
    for number in range(2000):
        counts[shuffled(["a", "b", "c", "d"], f"reader/item/{number}").index("a")] += 1
    assert min(counts) > 420  # 500 expected; 80 is four standard deviations
    assert max(counts) < 580


@given(st.lists(st.sampled_from("abcdefg"), unique=True, min_size=2), st.text(max_size=20))
def test_an_ordering_item_never_starts_solved(ids: list[str], seed: str) -> None:
    order = shuffled(ids, seed, avoid=ids)
    assert order != ids
    assert sorted(order) == sorted(ids)


@pytest.mark.parametrize("vector", VECTORS["encodings"], ids=lambda vector: repr(vector["text"]))
def test_a_response_is_written_as_the_vectors_say(vector: dict[str, Any]) -> None:
    assert encode_response(vector["response"]) == vector["text"]


def test_a_written_response_can_be_read_again() -> None:
    assert decode_response("multiple", "b[,]d") == ["b", "d"]
    assert decode_response("ordering", "") == []
    assert decode_response("numeric", "540 s") == "540 s"
    assert decode_response("matching", "1[.]p[,]2[.]q") == {"1": "p", "2": "q"}
    with pytest.raises(BadResponse):
        decode_response("matching", "1[.]p[,]1[.]q")


@given(st.lists(st.sampled_from("abcdef"), unique=True))
def test_exam_marking_never_gives_more_than_study_marking(response: list[str]) -> None:
    key = Key("multiple", tuple("abcdef"), ("a", "b", "c"))
    assert grade(key, response, "exam").score <= grade(key, response, "study").score <= 1


def test_a_key_survives_json() -> None:
    for vector in VECTORS["grades"]:
        key = Key.from_json(vector["key"])
        assert Key.from_json(json.loads(json.dumps(key.to_json()))) == key
        assert set(key.to_json()) == set(vector["key"])
