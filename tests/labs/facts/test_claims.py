"""What is taught, and how far it is true."""

import re

import pytest

from labs import facts
from labs.facts import claims
from labs.facts.documents import BadDocument


def test_the_textbook_view_and_common_teaching_are_apart() -> None:
    assert {claim.id for claim in claims.textbook()}.isdisjoint(claim.id for claim in claims.common())
    assert len(claims.textbook()) + len(claims.common()) == len(claims.all())


def test_every_section_of_the_textbook_view_is_judged() -> None:
    for section in ("1", "2", "3", "4", "5", "6", "summary", "question"):
        assert claims.textbook(section), section


def test_its_matrix_has_five_rows() -> None:
    assert len(claims.textbook("5")) == 5


def test_section_four_covers_its_three_reasons() -> None:
    assert [claim.id for claim in claims.textbook("4")] == [
        "textbook.multi-gpu",
        "textbook.same-cluster",
        "textbook.proprietary-engine",
    ]


def test_the_question_is_given_no_key_that_it_does_not_have() -> None:
    question = claims.get("textbook.question")
    assert "no options and no key" in question.says
    assert question.verdict == "open"
    assert "Inferentia" not in question.says


@pytest.mark.parametrize("word", ["29 s", "256 KB", "6 MB", "Edge Manager", "Savings Plan"])
def test_the_textbook_view_is_not_made_to_say_what_it_does_not(word: str) -> None:
    assert not any(word in claim.says for claim in claims.textbook())
    assert any(word.split()[0] in claim.says for claim in claims.common())


@pytest.mark.parametrize("claim", claims.all().values(), ids=lambda claim: claim.id)
def test_every_claim_rests_on_facts_that_exist(claim: claims.Claim) -> None:
    assert claim.facts or claim.sources
    for id in claim.facts:
        assert facts.get(id).source
    assert not re.search(r"\{[a-z]", claim.truth)
    assert claim.truth.endswith(".")


def test_figures_in_a_verdict_come_from_the_register() -> None:
    assert facts.format("sqs.message.max_bytes") in claims.get("common.sqs-256kb").truth


def test_an_unknown_claim_offers_the_nearest() -> None:
    with pytest.raises(KeyError, match=r"no claim 'textbook\.cpu'; nearest: textbook\.cpu-70"):
        claims.get("textbook.cpu")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{origin: textbook, says: x, verdict: 'true', truth: y., facts: [shop.price.apple]}", "names its section"),
        (
            "{origin: common, section: '1', says: x, verdict: 'true', truth: y., sources: [page]}",
            "begins with 'common.'",
        ),
        (
            "{origin: textbook, section: '1', says: x, verdict: rubbish, truth: y., sources: [page]}",
            "'rubbish' is not a verdict",
        ),
        ("{origin: textbook, section: '1', says: x, verdict: 'true', truth: y.}", "none is named"),
        (
            "{origin: textbook, section: '1', says: x, verdict: 'true', truth: y., facts: [shop.price.aple]}",
            "shop.price.apple",
        ),
        (
            "{origin: textbook, section: '1', says: x, verdict: 'true', truth: '{shop.nosuch}.', sources: [page]}",
            "shop.nosuch",
        ),
        ("{origin: textbook, section: '9', says: x, verdict: 'true', truth: y., sources: [page]}", "section"),
    ],
)
def test_a_wrong_claim_is_reported_with_file_line_and_reason(make_register, entry: str, reason: str) -> None:
    made = make_register(claims=f"claims:\n  textbook.x: {entry}\n")
    with pytest.raises(BadDocument) as bad:
        claims.load(made)
    assert bad.value.line == 2
    assert reason in str(bad.value)
