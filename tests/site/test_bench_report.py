"""A comparison's page in a real browser: it fits a telephone, follows the dark, shows a chart of the right width, and axe finds nothing."""

import json
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from labs.bench.compare import compare
from labs.bench.opened import load
from labs.bench.report import page as report
from labs.bench.summary import summarise
from tests.labs.bench import made


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    runs = [
        made.steady_run(n=400, rate=rate, target=made.target(name))
        for name in ("sagemaker-gpu", "ec2-vllm")
        for rate in (5.0, 20.0)
    ]
    some = [made.throttle(i, i / 5) if i % 3 == 2 else made.record(i, i / 5) for i in range(150)]
    runs.append(made.run(some, target=made.target("bedrock-on-demand", model="amazon.nova-lite-v1:0")))
    paths = []
    for number, run in enumerate(runs):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(json.dumps(summarise(run)), "utf-8")
    (folder / "report.html").write_text(report(compare(load(paths))), "utf-8")
    return (folder / "report.html").as_uri()


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1280, "light")])
def test_it_fits_and_axe_finds_nothing(open_page: Callable[..., Page], address: str, width: int, theme: str) -> None:
    page: Page = open_page(address, width=width, theme=theme)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert Axe().run(page).response["violations"] == []
    drawn = "narrow" if width < 700 else "wide"
    assert page.locator(f"figure .{drawn}:visible").count() == page.locator("figure").count()
    assert page.locator(f"figure .{'wide' if drawn == 'narrow' else 'narrow'}:visible").count() == 0
    for box in (chart.bounding_box() for chart in page.locator(f".{drawn} svg").all()):
        assert box is not None
        assert box["width"] > 0.8 * min(width - 40, 600)
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_letters_in_a_chart_are_large_enough_on_a_telephone(open_page: Callable[..., Page], address: str) -> None:
    page: Page = open_page(address, width=390)
    heights = page.evaluate(
        "[...document.querySelectorAll('.narrow svg text')].filter(t => t.textContent.trim()).map(t => t.getBoundingClientRect().height)"
    )
    assert heights
    assert min(heights) >= 11


def test_nothing_is_asked_of_the_network(browser: "Browser", address: str) -> None:  # type: ignore[name-defined]  # noqa: F821
    asked: list[str] = []
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    assert asked == [address]
    assert page.locator("figure").count() >= 4
    context.close()
