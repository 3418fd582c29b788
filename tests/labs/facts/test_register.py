"""Reading facts: what comes out, and what is said when a file is wrong."""

from collections.abc import Callable

import pytest

from labs import facts
from labs.facts.documents import BadDocument
from labs.facts.register import Register, UnknownFact

Make = Callable[..., Register]


def test_a_fact_takes_over_date_and_confidence_of_its_source(make_register: Make) -> None:
    apple = make_register().get("shop.price.apple")
    assert (apple.value, apple.as_of, apple.confidence, apple.region) == (0.5, "2026-10", "official", "us-east-1")
    assert apple.source == "https://docs.aws.amazon.com/a/page.html"
    assert apple.readable == "$0.50 per hour"


def test_a_fact_may_know_better_than_its_source(make_register: Make) -> None:
    pear = make_register().get("shop.price.pear")
    assert (pear.as_of, pear.confidence) == ("2025-01-15", "unverified")


def test_an_unknown_id_offers_the_nearest(make_register: Make) -> None:
    with pytest.raises(KeyError, match=r"no fact 'shop.price.aple'; nearest: shop.price.apple"):
        make_register().get("shop.price.aple")


def test_an_unknown_id_is_one_sentence_for_a_user() -> None:
    with pytest.raises(UnknownFact) as unknown:
        facts.get("sqs.message.max")
    assert str(unknown.value).startswith("there is no fact 'sqs.message.max'; nearest: sqs.message.max_bytes")
    assert unknown.value.exit_status == 1


def test_a_service_may_be_a_file_or_a_folder_or_both(make_register: Make) -> None:
    more = "defaults: {source: page}\nfacts:\n  shop.more.x: {value: 1, unit: count, says: One more.}\n"
    register = make_register(shop__more=more)
    assert [fact.id for fact in register.all()][-1] == "shop.more.x"
    assert register.groups() == ["shop"]


def test_only_the_service_that_is_asked_for_is_read(make_register: Make) -> None:
    register = make_register(broken="facts: [this is not a mapping")
    assert register.get("shop.limit.basket").readable == "1 MiB"
    with pytest.raises(BadDocument):
        register.get("broken.x")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("facts:\n  shop.a: {value: 1, says: x, source: page}\n", 2, "unit: Field required"),
        ("facts:\n  shop.a: {value: 1, unit: furlongs, says: x, source: page}\n", 2, "'furlongs' is not a unit"),
        (
            "facts:\n  shop.a:\n    value: 1\n    unit: sec\n    says: x\n    source: page\n",
            4,
            "'sec' is not a unit; nearest: s",
        ),
        (
            "facts:\n  shop.a:\n    value: many\n    unit: count\n    says: x\n    source: page\n",
            2,
            "cannot be in 'count'",
        ),
        ("facts:\n  shop.a: {value: 1, unit: count, says: x}\n", 2, "shop.a: has no source"),
        (
            "facts:\n  shop.a: {value: 1, unit: count, says: x, source: pge}\n",
            2,
            "no source 'pge' in sources.yaml; nearest: page",
        ),
        ("facts:\n  shop.a: {value: 1, unit: count, source: page}\n", 2, "says: Field required"),
        ("facts:\n  shop.a: {value: 1, unit: count, says: x, source: page, colour: red}\n", 2, "colour: Extra inputs"),
        (
            "facts:\n  shop.a: {value: 1, unit: count, says: x, source: page, region: moon}\n",
            2,
            "'moon' is not a Region",
        ),
        ("facts:\n  shop.a: {value: 1, unit: count, says: x, source: page, as_of: 2026-13}\n", 2, "is not a date"),
        ("facts:\n  shop.a: {value: 1, unit: count, says: x, source: page, confidence: sure}\n", 2, "confidence"),
        ("facts:\n  other.a: {value: 1, unit: count, says: x, source: page}\n", 2, "begins with 'shop.'"),
        ("facts:\n  shop.a: 7\n", 2, "must be a mapping"),
        ("facts:\n  shop.a: {}\n\n  shop.a: {}\n", 4, "'shop.a' stands here twice (first on line 2)"),
        ("facts:\n  shop.a: {value: 1\n", 3, "not YAML"),
        ("fats: {}\n", 1, "'fats' is not a part of a facts file"),
        ("- 1\n", 1, "must be a mapping"),
        ("facts:\n  shop.a:\n    value: 2026-02-30\n    unit: date\n    says: x\n    source: page\n", 3, "2026-02-30"),
    ],
)
def test_a_wrong_file_is_reported_with_file_line_and_reason(
    make_register: Make, text: str, line: int, reason: str
) -> None:
    with pytest.raises(BadDocument) as bad:
        make_register(shop=text).all()
    assert bad.value.path.name == "shop.yaml"
    assert bad.value.line == line
    assert reason in bad.value.reason
    assert f"shop.yaml:{line}: " in str(bad.value)


def test_a_source_without_address_is_refused(make_register: Make) -> None:
    sources = "sources:\n  page:\n    title: A page\n    as_of: 2026-10\n    confidence: official\n    read: so\n"
    with pytest.raises(BadDocument, match=r"sources.yaml:2: sources.page: url: Field required"):
        make_register(sources=sources).all()


def test_a_conflict_holds_the_other_value_with_its_source(make_register: Make) -> None:
    text = "facts:\n  shop.a: {value: 60, unit: s, says: x, source: page, conflict: {value: 900, source: blog, says: They say so.}}\n"
    fact = make_register(shop=text).get("shop.a")
    assert fact.conflict is not None
    assert (fact.conflict.value, fact.conflict.unit, fact.conflict.source.id) == (900, "s", "blog")
    assert fact.standing == "as of 2026-10 · official documentation · another source says 15 min"


def test_a_fact_cannot_be_changed(make_register: Make) -> None:
    fact = make_register().get("shop.price.apple")
    with pytest.raises(ValueError, match="frozen"):
        fact.value = 1  # type: ignore[misc]


def test_numbers_and_words_come_typed() -> None:
    assert facts.number("apigateway.http.timeout_s") == 30.0
    assert facts.text("boto3.retry_mode") == "standard"
    with pytest.raises(TypeError):
        facts.number("boto3.retry_mode")
    with pytest.raises(TypeError):
        facts.text("apigateway.http.timeout_s")


def test_where_finds_by_prefix_across_and_within_services() -> None:
    assert {fact.id for fact in facts.where("apigateway.http.")} == {
        "apigateway.http.timeout_s",
        "apigateway.http.payload_max_mb",
    }
    assert all(fact.id.startswith("sq") for fact in facts.where("sq"))
    assert facts.where("sq")
    assert facts.where("nosuch") == []
