"""The matrix: every row is reached by somebody's requirements, and rests on a claim of the register."""

import pytest

from labs.decide.matrix import matches, matching, rows
from labs.decide.requirements import Requirements
from labs.facts import catalogue, claims
from tests.labs.decide.test_chart import many_requirements


def test_every_row_is_reached_by_some_requirements_with_a_reason() -> None:
    asked = [
        *many_requirements()[::5],
        Requirements(model="nova-lite", requests_per_minute=600),
        Requirements(model="nova-lite", edge=True),
    ]
    met = [match for each in asked for match in matches(each)]
    assert {match.row.id for match in met} == set(rows())
    assert all(match.why for match in met)


def test_some_requirements_meet_no_row_at_all() -> None:
    assert matching(Requirements(model="nova-lite", team="platform")) == ()


@pytest.mark.parametrize("id", ["mvp", "guaranteed", "custom", "scale", "edge"])
def test_a_row_has_its_verdict_from_the_claim_that_says_the_same(id: str) -> None:
    row = rows()[id]
    claim = claims.get(row.claim)
    assert claim.section == "5"
    assert (row.verdict, row.facts) == (claim.verdict, claim.facts)
    assert row.verdict in claims.VERDICTS


def test_every_row_of_the_textbooks_matrix_is_there_once() -> None:
    assert {row.claim for row in rows().values()} == {claim.id for claim in claims.textbook("5")}
    named = {target for row in rows().values() for target in (*row.textbook, *row.today)}
    assert named <= set(catalogue.targets())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Requirements(model="nova-lite"), ["mvp"]),
        (Requirements(model="nova-lite", guaranteed_throughput=True), ["mvp", "guaranteed"]),
        (Requirements(model="llama-3-70b", custom_weights=True, requests_per_minute=300), ["custom", "scale"]),
        (Requirements(model="nova-lite", edge=True, team="platform"), ["edge"]),
    ],
)
def test_which_rows_are_met(asked: Requirements, expected: list[str]) -> None:
    assert [row.id for row in matching(asked)] == expected
