"""The explorers: their formulas are those of labs/economics and labs/serving, and they answer sliders, keys and a page from a folder."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from labs.decide import sizing
from labs.economics import breakeven, instances, tokens
from labs.economics.traffic import Traffic
from labs.errors import Refusal
from labs.facts import catalogue
from labs.serving.profiles import Choices, Deployment, deployment, hardware

EXTENSIONS = Path(__file__).parents[2] / "book" / "_ext"
sys.path[:0] = [str(EXTENSIONS)]

from explorers import data  # noqa: E402 - once the path is set

MODELS = ("llama-3-8b", "llama-3-70b", "llama-3.3-70b", "qwen3-32b", "mixtral-8x7b", "gpt-oss-20b")
MACHINES = (
    "ml.g5.xlarge", "ml.g6.12xlarge", "ml.g6e.12xlarge", "g6e.48xlarge", "ml.p4d.24xlarge", "ml.p5.48xlarge",
    "ml.inf2.24xlarge", "ml.inf2.48xlarge", "ml.trn1.32xlarge", "c7g.16xlarge",
)  # fmt: skip
DTYPES = ("bf16", "fp8", "int4")
LOADS = ((500, 200), (4000, 300), (100, 1000))
BATCHES = (1, 8, 60)


@pytest.fixture(scope="module")
def script(browser: Browser) -> Any:
    """The script's formulas, in a page of their own: `script(expression)` with the data as `d` and the formulas as `x`."""
    context = browser.new_context()
    page = context.new_page()
    page.add_script_tag(path=str(EXTENSIONS / "explorers" / "web" / "explorers.js"))
    made = json.dumps(data.data())

    def ask(body: str, given: Any) -> Any:
        return page.evaluate(f"given => {{ const d = {made}, x = window.DDExplorer; {body} }}", given)

    yield ask
    context.close()


def choices(machine: str, dtype: str, devices: int | None) -> Choices:
    """As the advisor serves it: a continuous batch, on Neuron of as many sequences as it takes there."""
    neuron = catalogue.accelerator(catalogue.instance(machine).accelerator).kind == "neuron"
    more = {"batching": "continuous", "max_num_seqs": sizing.GRADUAL_BATCH} if neuron else {}
    return Choices(dtype=dtype, tensor_parallel=devices, **more)  # type: ignore[arg-type]


def made(model: str, machine: str, dtype: str, devices: int | None = None) -> Deployment | None:
    try:
        return deployment(model, machine, choices(machine, dtype, devices))
    except Refusal:
        return None  # it does not fit


def ours(plan: Deployment, batch: int, given: int, answer: int) -> dict[str, float]:
    """Seconds by the laws of labs.serving: a step, the first token, and a whole answer among `batch` requests."""
    spec: Any = plan.spec
    law, cached = spec.law, given + answer / 2
    step = law.decode_s(batch) + batch * cached * law.per_cached_token_s

    def prompt(others: int) -> tuple[float, int]:
        total, done, steps = 0.0, 0, 0
        while done < given:
            chunk = min(max(1, spec.token_budget - others), given - done)
            total += law.mixed_s(others, chunk, chunk * (done + chunk / 2)) + others * cached * law.per_cached_token_s
            done, steps = done + chunk, steps + 1
        return total, steps

    shared, steps = prompt(batch)
    whole = answer * step + batch * (shared - steps * step)
    return {"step": step, "ttft": spec.ingress_s + prompt(batch - 1)[0], "answer": whole, "perSecond": batch / whole}


def test_memory_and_latency_are_those_of_the_serving_engine(script: Callable[..., Any]) -> None:
    grid = [(m, h, t) for m in MODELS for h in MACHINES for t in DTYPES]
    said = script(
        """return given.grid.map(([model, machine, dtype]) => {
             const devices = x.usualDevices(d, model, machine, dtype), plan = x.deployment(d, model, machine, dtype, devices);
             return { devices, weights: plan.weights, cache: plan.cache, cacheTokens: plan.cacheTokens, perToken: plan.perToken, seats: plan.seats,
               times: given.loads.map(([i, o]) => given.batches.map(b => x.estimate(plan, b, i, o))) };
           });""",
        {"grid": grid, "loads": LOADS, "batches": BATCHES},
    )
    compared = 0
    for (model, machine, dtype), one in zip(grid, said, strict=True):
        plan = made(model, machine, dtype)
        where = f"{model} on {machine} in {dtype}"
        if plan is None:
            assert one["cacheTokens"] < 2048, where
            continue
        spec: Any = plan.spec
        assert one["devices"] == plan.tensor_parallel, where
        assert (one["cacheTokens"], one["seats"]) == (spec.kv_capacity_tokens, spec.max_num_seqs), where
        assert one["weights"] == pytest.approx(plan.memory.weights_bytes), where
        assert one["perToken"] == pytest.approx(plan.memory.kv_bytes_per_token), where
        for (given, answer), times in zip(LOADS, one["times"], strict=True):
            for batch, time in zip(BATCHES, times, strict=True):
                mine = ours(plan, batch, given, answer)
                assert {name: time[name] for name in mine} == pytest.approx(mine, rel=1e-9), (where, batch, given)
                compared += 1
    assert compared > 800


def test_the_closed_form_is_near_what_the_engine_finds_request_by_request(script: Callable[..., Any]) -> None:
    cases = [("llama-3-70b", "ml.g6e.12xlarge", "bf16"), ("llama-3-70b", "ml.p4d.24xlarge", "bf16"),
             ("llama-3-70b", "ml.g6.12xlarge", "fp8"), ("qwen3-32b", "ml.g6e.12xlarge", "bf16"), ("llama-3-70b", "ml.inf2.48xlarge", "bf16")]  # fmt: skip
    said = script(
        """return given.cases.map(([m, h, t]) => { const plan = x.deployment(d, m, h, t, x.allDevices(d, h));
             return given.loads.map(([i, o]) => x.ceiling(plan, i, o)); });""",
        {"cases": cases, "loads": LOADS},
    )
    for (model, machine, dtype), ceilings in zip(cases, said, strict=True):
        plan = made(model, machine, dtype, min(64, hardware(machine).devices))
        assert plan is not None
        for (given, answer), ceiling in zip(LOADS, ceilings, strict=True):
            found, _ = sizing._greatest_throughput(
                plan.spec, sizing.Demand("poisson", given, answer, None, None, waits=True)
            )
            assert 0.85 * found < ceiling < 1.25 * found, (model, machine, given, answer)


def test_bills_and_crossings_are_those_of_the_economics(script: Callable[..., Any]) -> None:
    state = {"rpm": 100, "input": 500, "output": 200, "hours": 730, "fill": 100, "redundancy": 1, "discount": 0,
             "sleeps": False, "unit_usd": 20, "unit_tokens": 60000, "axis": "tokens", "model": "llama-3.3-70b", "dtype": "bf16"}  # fmt: skip
    grid = [(offer, machine, rate, i, o) for offer in ("llama-3.3-70b", "nova-pro", "claude-haiku-4.5") for machine in ("ml.g6e.12xlarge", "ml.inf2.48xlarge", "p5.48xlarge")
            for rate in (1, 100, 900) for i, o in LOADS]  # fmt: skip
    said = script(
        """return given.grid.map(([offer, machine, rpm, input, output]) => {
             const state = Object.assign({}, given.state, { offer, machine, rpm, input, output });
             const plan = x.deployment(d, state.model, machine, "bf16", x.allDevices(d, machine));
             /* one instance whatever the load: the break-even of the textbooks */
             const bills = at => { const to = x.moved(state, at);
               return { tokens: x.tokenBill(d.offers[offer], rpm * 60 * d.hours, to.input, to.output), machine: d.machines[machine].usd * d.hours }; };
             return { month: x.month(d, state, plan), ceiling: x.ceiling(plan, input, output), crossings: x.crossings(bills, "tokens", "machine", 0.01, 1e8) };
           });""",
        {"grid": grid, "state": state},
    )
    for (offer, machine, rate, given, answer), one in zip(grid, said, strict=True):
        traffic = Traffic.steady(rate, given, answer)
        price = str(catalogue.model(offer).price).removeprefix("bedrock.price.")
        bill = tokens.on_demand(price, traffic)
        assert one["month"]["tokens"] == pytest.approx(bill.usd)
        single = instances.endpoint(machine) if machine.startswith("ml.") else instances.machines(machine)
        count = one["month"]["count"]
        assert count == max(1, -int(-(rate / 60 / one["ceiling"]) // 1))
        assert one["month"]["machine"] == pytest.approx(single.scaled(count).usd)
        (cross,) = one["crossings"]
        expected = breakeven.tokens_per_request(
            lambda month, price=price: tokens.on_demand(price, month), single, traffic
        )  # type: ignore[misc]
        assert cross["at"] == pytest.approx(expected, rel=1e-6)
        assert cross["cheaper"] == "machine"


# --- the pages


@pytest.fixture
def page_of(open_page: Callable[..., Page], site_dir: Path) -> Callable[..., Page]:
    """An explorer's page from a folder, once it is ready."""

    def open_it(name: str, **settings: Any) -> Page:
        page = open_page((site_dir / f"{name}.html").as_uri(), **settings)
        expect(page.locator(".dd-explorer.x-ready .x-plot svg[role=img]")).to_be_visible()
        return page

    return open_it


def test_the_break_even_page_begins_with_the_flagship_and_follows_a_slider(page_of: Callable[..., Page]) -> None:
    page = page_of("explore-break-even")
    verdict = page.locator(".x-verdict")
    expect(verdict).to_contain_text("Now: $2,208 a month for tokens, $9,578 for 1 × ml.g6e.12xlarge")
    expect(verdict).to_contain_text(
        "flips at 3,000 tokens a request (the fixed quota ends there; the instance from there on)"
    )
    slider = page.get_by_label("Tokens in, slider")
    slider.press("End")
    expect(page.get_by_role("spinbutton", name="Tokens in", exact=True)).to_have_value("100000")
    expect(verdict).to_contain_text(
        "no tokens, whose fixed quota has ended, no ml.g6e.12xlarge, on which such requests do not fit"
    )
    page.get_by_role("button", name="Start again").click()
    expect(verdict).to_contain_text("Now: $2,208")
    page.get_by_label("Paid by the token").select_option("nova-pro")
    assert page.get_by_label("Price of a unit, an hour", exact=True).input_value() == "21.18"
    page.get_by_label("Along the bottom").select_option("rpm")
    expect(page.get_by_role("img", name="A month's cost by requests a minute")).to_be_visible()


def test_the_memory_page_says_what_fits_and_what_does_not(page_of: Callable[..., Page]) -> None:
    page = page_of("explore-memory")
    verdict = page.locator(".x-verdict")
    expect(verdict).to_contain_text("It fits: room for 103 requests of 700 tokens")
    page.get_by_label("Instance type").select_option("ml.g6.12xlarge")
    expect(verdict).to_contain_text("It does not fit: weights of 141.1 GB")
    page.get_by_label("Precision of the weights").select_option("fp8")
    expect(verdict).to_contain_text("It fits")
    batch = page.get_by_role("spinbutton", name="Requests in flight", exact=True)
    batch.fill("900")
    expect(verdict).to_contain_text("have room; the rest wait")


@pytest.mark.parametrize("name", ["explore-break-even", "explore-memory"])
def test_axe_finds_nothing_in_the_figures_on_a_phone(open_page: Callable[..., Page], site_url: str, name: str) -> None:
    page = open_page(f"{site_url}/{name}.html", width=390, theme="dark")
    page.locator(".x-table summary").click()
    found = Axe().run(page, context=".dd-explorer").response["violations"]
    assert [(rule["id"], node["target"]) for rule in found for node in rule["nodes"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_script_is_on_the_explorers_pages_only(site_dir: Path, pages: list[str]) -> None:
    with_script = {name for name in pages if "explorers.js" in (site_dir / name).read_text("utf-8")}
    assert with_script == {"explore-break-even.html", "explore-memory.html"}


def test_without_a_script_the_page_says_where_else_to_ask(open_page: Callable[..., Page], site_dir: Path) -> None:
    page = open_page((site_dir / "explore-memory.html").as_uri(), java_script_enabled=False)
    expect(page.locator(".x-no-script")).to_be_visible()
    expect(page.locator(".x-no-script")).to_contain_text("lab simulate --model llama-3-70b")
    for useless in (".x-verdict", ".x-figure", ".x-form", ".x-answer"):
        expect(page.locator(useless)).to_be_hidden()


@pytest.mark.parametrize("width", [412, 1350])
@pytest.mark.parametrize("name", ["explore-break-even", "explore-memory"])
def test_nothing_moves_when_the_picture_comes(
    open_page: Callable[..., Page], site_url: str, name: str, width: int
) -> None:
    page = open_page(f"{site_url}/{name}.html", width=width)
    page.wait_for_selector(".dd-explorer.x-ready .x-plot svg[role=img]")
    shifted = page.evaluate("""() => new Promise(done => {
        let sum = 0;
        new PerformanceObserver(list => list.getEntries().forEach(entry => { sum += entry.value; }))
            .observe({type: 'layout-shift', buffered: true});
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum), 100)));
    })""")
    assert shifted <= 0.01
