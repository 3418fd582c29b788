"""The report stands alone: nothing is loaded, nothing is run, nothing gets through unescaped, and each chart has its table."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from labs.bench import cost, report_svg
from labs.bench.charts import COLOURS
from labs.bench.compare import compare
from labs.bench.opened import load
from labs.bench.overlay import overlay
from labs.bench.report import page
from labs.bench.summary import summarise
from labs.serving.arrivals import arrivals, lengths
from labs.serving.engine import EngineConfig
from labs.serving.profiles import deployment
from labs.serving.requests import Table
from labs.serving.simulate import simulate
from tests.labs.bench import made

ROOT = Path(__file__).parents[3]
VOID = {"meta", "br", "path", "circle", "rect", "line"}


class Parsed(HTMLParser):
    """Tags with their attributes, text, and whether every tag is closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    config = EngineConfig(deployment("llama-3.1-8b", "ml.g5.2xlarge").spec)
    paths = []
    for rate in (1.0, 2.0):
        table = Table.of(arrivals("poisson", rate, requests=120), lengths(500, 120), lengths(100, 120))
        simulate(config, table)
        run = made.from_table(
            table,
            offered={"rate_per_s": rate, "input_tokens": "500", "output_tokens": "100"},
            price=cost.hourly("sagemaker", "ml.g5.2xlarge").as_dict(),
        )
        paths.append(folder / f"gpu-{rate:g}.json")
        paths[-1].write_text(json.dumps(summarise(run)), "utf-8")
    throttled = made.run(
        [made.throttle(i, i / 5) if i % 3 == 2 else made.record(i, i / 5) for i in range(150)],
        target=made.target("bedrock-on-demand", model="<script>alert(1)</script>"),
        price=cost.per_token("nova-lite").as_dict(),
        provenance="measured",
        provenance_note="on AWS & elsewhere",
        offered={"rate_per_s": 5.0, "input_tokens": "<b>500</b>", "output_tokens": "50"},
    )
    paths.append(folder / "bedrock.json")
    paths[-1].write_text(json.dumps(summarise(throttled)), "utf-8")
    return page(compare(load(paths)), [overlay(run, config)])


def test_it_is_well_formed_and_asks_for_nothing(html: str) -> None:
    parsed = Parsed(html)
    assert not parsed.all("script")
    assert not parsed.all("link")
    assert not parsed.all("img")
    assert not parsed.all("iframe")
    addresses = re.findall(r"(?:https?:)?//[\w.-]+", html)
    assert set(addresses) <= {"http://www.w3.org"}  # the name of SVG, which nobody fetches
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", html)
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]


def test_ids_are_unique_and_headings_in_order(html: str) -> None:
    parsed = Parsed(html)
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([\w-]+)\)", html)) <= set(ids)
    levels = [int(tag[1]) for tag, _ in parsed.tags if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert parsed.all("html")[0]["lang"] == "en"


def test_each_chart_is_named_and_has_its_table_and_origin(html: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", html, re.S)
    assert len(figures) == 4 + 3  # load, two distributions, the front; a time line a run
    for figure in figures:
        parsed = Parsed(figure)
        pictures = [svg for svg in parsed.all("svg") if svg.get("role") == "img"]
        assert len(pictures) >= 2  # for a wide and a narrow screen
        assert all(svg["aria-label"] for svg in pictures)
        assert parsed.all("table")
        assert parsed.all("details")
        assert "predicted by the serving model" in parsed.text.lower() or "measured" in parsed.text.lower()
        assert "2026-11-20" in parsed.text


def test_what_comes_from_outside_is_escaped(html: str) -> None:
    assert "<script>" not in html
    assert "<b>500</b>" not in html
    text = Parsed(html).text
    assert "<b>500</b>" in text
    assert "on AWS & elsewhere" in text


def test_throttles_are_shown_where_they_happened(html: str) -> None:
    bedrock = next(
        f
        for f in re.findall(r"<figure.*?</figure>", html, re.S)
        if "What happened when? A bedrock" in f or "What happened when? B bedrock" in f
    )
    assert "throttled</li>" in bedrock
    assert "cold</li>" not in bedrock


def test_predicted_and_measured_are_not_mixed_in_silence(html: str) -> None:
    text = Parsed(html).text
    assert "some of these are predicted and some measured" in text.lower()
    assert "Consistency check: the engine beside the local cloud" in text


def test_tables_have_heads_and_scroll_by_keyboard(html: str) -> None:
    parsed = Parsed(html)
    assert all(head.get("scope") in ("col", "row") for head in parsed.all("th"))
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    frames = [div for div in parsed.all("div") if div.get("class") == "scroll"]
    assert all(div.get("tabindex") == "0" and div.get("aria-label") for div in frames)


def test_colours_are_the_books() -> None:
    """The report stands alone, so it has a copy; light and dark."""
    book = (ROOT / "book/_static/tokens.css").read_text("utf-8")
    own = (ROOT / "labs/bench/report.css").read_text("utf-8")
    colour = re.compile(r"--dd-([\w-]+):\s*(#[0-9a-f]{6})")
    light, dark = (dict(colour.findall(part)) for part in book.split('html[data-theme="dark"]'))
    own_light, own_dark = (dict(colour.findall(part)) for part in own.split("@media (prefers-color-scheme: dark)")[:2])
    assert own_light
    assert own_light.items() <= light.items()
    assert own_dark.items() <= dark.items()
    assert own_light.keys() == own_dark.keys()
    assert {name: light[name] for name in COLOURS} == COLOURS
    assert all(
        light[name] == value
        for value, name in report_svg.TOKENS.items()
        if len(value) == 7 and value not in ("#000000",)
    )


def test_a_chart_follows_the_page_into_the_dark(html: str) -> None:
    """Every colour of a chart is one of the page's names."""
    drawings = "".join(re.findall(r'<div class="(?:wide|narrow)">(.*?)</svg>', html, re.S))
    assert "var(--dd-bedrock)" in drawings
    assert "var(--dd-ink-soft)" in drawings
    assert not re.search(r'(?:fill|stroke)="#[0-9a-fA-F]{3,6}"', drawings)


def test_one_run_without_cost_or_answers_is_a_page_too(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(summarise(made.run([made.throttle(i, i / 5) for i in range(20)]))), "utf-8")
    parsed = Parsed(page(compare(load([path]))))
    assert "Nobody was answered" in parsed.text
    assert "What does being faster cost?" not in parsed.text
