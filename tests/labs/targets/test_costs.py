"""The page of costs names every target, adds up, and leaves out no price and no doubt."""

import re

import pytest

from labs import facts, targets
from labs.targets import Site, ceiling, costs


@pytest.fixture(scope="module")
def page() -> str:
    return costs.markdown()


def test_every_target_has_a_sum_or_the_reason_why_not_and_a_word_on_what_was_not_tried(page: str) -> None:
    sums, _, rest = page.partition("## By dimension")
    for name in targets.TARGETS:
        [sum_] = re.findall(rf"^\| `{name}` \| ([^|]+) \|", sums, re.MULTILINE)
        assert re.fullmatch(r"[\d,.]+", sum_) or f"- `{name}`: " in rest
        assert re.search(rf"^- \*\*`{name}`\*\* \w", rest, re.MULTILINE)


def test_a_sum_is_that_of_its_dimensions_and_of_the_plan_that_a_real_run_is_held_to(page: str) -> None:
    name = "sagemaker-gpu"
    plan = ceiling.plan(targets.get(name)(), Site(costs._WHERE, name, costs.HOURS), costs.CALLS)
    rows = page.partition("## By dimension")[2].splitlines()
    first = next(number for number, line in enumerate(rows) if line.startswith(f"| `{name}`"))
    cells = [line.split("|")[5] for line in rows[first : first + len(plan.bill.lines)]]
    assert sum(map(float, cells)) == pytest.approx(plan.usd)
    assert f"| `{name}` | {plan.usd:.2f} |" in page


def test_prices_on_the_page_are_the_registers(page: str) -> None:
    named = set(re.findall(r"`([a-z0-9-]+(?:\.[a-z0-9_-]+)+)`", page))
    assert len(named) > 10
    for id in named:
        facts.get(id)


def test_a_small_price_is_written_out() -> None:
    page = costs.markdown()
    assert "| `sagemaker.price.serverless_per_gb_s` | 0.00002 |" in page
    assert "e-0" not in page
