"""`lab facts check` finds what is wrong."""

from collections.abc import Callable
from datetime import date

from labs.facts import register
from labs.facts.audit import Finding, audit
from labs.facts.register import Register

Make = Callable[..., Register]
TODAY = date(2026, 11, 22)


def messages(found: list[Finding], level: str) -> list[str]:
    return [f"{finding.path.name}:{finding.line}: {finding.message}" for finding in found if finding.level == level]


def test_the_installed_register_has_no_errors() -> None:
    assert messages(audit(register.installed(), date.today()), "error") == []


def test_a_sound_register_has_nothing_to_say(make_register: Make) -> None:
    assert audit(make_register(), TODAY, max_age_days=900) == []


def test_what_has_grown_old_is_a_warning(make_register: Make) -> None:
    found = audit(make_register(), TODAY, max_age_days=300)
    assert messages(found, "error") == []
    assert messages(found, "warning") == [
        "shop.yaml:10: shop.price.pear: is from 2025-01-15, 676 days ago; look it up again"
    ]


def test_what_happened_once_does_not_grow_old(make_register: Make) -> None:
    text = "facts:\n  shop.a: {value: 1, unit: count, says: x, source: [blog, page], as_of: 2001-01-01, ages: false}\n"
    assert audit(make_register(shop=text), TODAY) == []


def test_every_broken_fact_is_reported_not_only_the_first(make_register: Make) -> None:
    text = (
        "facts:\n"
        "  shop.a: {value: 1, says: x, source: page}\n"
        "  shop.b: {value: 1, unit: count, says: x, source: page}\n"
        "  shop.c: {value: 1, unit: count, says: x}\n"
        "  shop.d: {value: 1, unit: count, says: x, source: nosuch}\n"
    )
    found = messages(audit(make_register(shop=text), TODAY), "error")
    assert len(found) == 3
    assert "shop.yaml:2: facts.shop.a: unit: Field required" in found
    assert "shop.yaml:4: shop.c: has no source" in found
    assert any(line.startswith("shop.yaml:5: shop.d: there is no source 'nosuch'") for line in found)


def test_an_id_in_two_files_is_an_error(make_register: Make) -> None:
    again = "facts:\n  shop.limit.basket: {value: 1, unit: B, says: x, source: page}\n"
    found = messages(audit(make_register(shop__again=again), TODAY), "error")
    assert found == ["again.yaml:2: shop.limit.basket: stands in shop.yaml already"]


def test_a_date_that_has_not_come_is_an_error(make_register: Make) -> None:
    text = "facts:\n  shop.a: {value: 1, unit: count, says: x, source: page, as_of: 2031-01-01}\n"
    assert "has not come yet" in messages(audit(make_register(shop=text), TODAY), "error")[0]


def test_a_broken_file_does_not_hide_the_others(make_register: Make) -> None:
    found = messages(audit(make_register(shop="facts: {shop.a: 1}\n", zoo="facts: [\n"), TODAY), "error")
    assert [line.split(":")[0] for line in found] == ["shop.yaml", "zoo.yaml"]


def test_broken_sources_are_reported_alone(make_register: Make) -> None:
    found = messages(audit(make_register(sources="sources:\n  page: {title: x}\n"), TODAY), "error")
    assert len(found) == 1
    assert found[0].startswith("sources.yaml:2: sources.page: url")


def test_a_reference_to_nothing_is_an_error_wherever_it_stands(make_register: Make) -> None:
    target = "{family: own, kinds: [online], what: x, regions: [us-east-1], default_model: m, default_instance: i9, image: none}"
    made = make_register(
        catalogue__models="models:\n  m: {name: M, provider: P, price: shop.price.plum, source: page}\n",
        catalogue__targets=f"targets:\n  t: {target}\n",
        catalogue__instances="instances:\n"
        "  i1: {accelerator: a1, count: 1, vcpus: 1, memory_gib: 1.0, ec2: priced, source: page}\n",
        prices="prices:\n  shop: {service: Shop, units: {Hrs: 1}, facts: {shop.price.plum: {kind: plum}}}\n",
        claims="claims:\n  common.x: {origin: common, says: x, verdict: 'true', truth: y., facts: [shop.price.plum]}\n",
    )
    found = messages(audit(made, TODAY), "error")
    assert any("claims.yaml:2" in line and "shop.price.plum" in line for line in found)
    assert any("prices.yaml:2" in line and "shop.price.plum" in line for line in found)
    assert any("models.yaml:2" in line and "shop.price.plum" in line for line in found)
    assert any("instances.yaml:2" in line and "no accelerators 'a1'" in line for line in found)
    assert any("instances.yaml:2" in line and "ec2.price.i1" in line for line in found)
    assert any("targets.yaml:2" in line and "no instances 'i9'" in line for line in found)
    assert any("targets.yaml:2" in line and "no images 'none'" in line for line in found)


def test_a_source_that_nothing_names_is_a_warning(make_register: Make) -> None:
    text = "facts:\n  shop.a: {value: 1, unit: count, says: x, source: page}\n"
    assert messages(audit(make_register(shop=text), TODAY), "warning") == [
        "sources.yaml:9: source blog: nothing refers to it"
    ]
