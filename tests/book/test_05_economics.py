"""Lesson 5 says what the register, the economics, the engine and the advisor compute: every amount in its text, computed anew."""

from pathlib import Path

import pytest

from labs import facts
from labs.decide.advisor import advise
from labs.decide.requirements import Requirements
from labs.economics import breakeven, instances, tokens
from labs.economics.bill import HOURS_PER_MONTH
from labs.economics.prices import usd
from labs.economics.traffic import Traffic
from labs.facts import catalogue
from labs.serving.memory import WEIGHT_BYTES

LESSON = Path(__file__).parents[2] / "book" / "05-economics.md"


@pytest.fixture(scope="module")
def text() -> str:
    return " ".join(LESSON.read_text("utf-8").split())


def month(instance: str, count: float = 1) -> float:
    return instances.endpoint(instance, count).usd


def custom(traffic: Traffic) -> float:
    return tokens.custom_on_demand("llama-3-3-70b", traffic).usd


FLAGSHIP = Traffic.steady(100, 500, 200)
G6E, P4D, INF2 = "ml.g6e.12xlarge", "ml.p4d.24xlarge", "ml.inf2.48xlarge"


def crossing(instance: str, count: float = 1) -> float:
    bill = instances.endpoint(instance, count)
    return breakeven.tokens_per_request(lambda month: tokens.custom_on_demand("llama-3-3-70b", month), bill, FLAGSHIP)


def test_the_break_even_and_what_it_leaves_out(text: str) -> None:
    from lessoncharts import economics

    quota = facts.number("bedrock.tpm.custom-on-demand.llama-3-3-70b") / 100
    assert f"By the token: ${custom(FLAGSHIP):,.0f} a month. One `{G6E}`: ${month(G6E):,.0f}" in text
    assert f"Break-even at {crossing(G6E):,.0f} tokens" in text
    rate = economics.per_second("llama-3-70b", G6E, "bf16")
    assert f"{rate * 60:.0f} requests a minute, {100 / 60 / rate:.0%} in use".replace("%", " %") in text
    full = economics.carries_tokens()
    assert f"At {full} it is full" in text
    assert full < crossing(G6E) / 3  # "less than a third of the way"
    assert f"The green line ends at {quota:,.0f} tokens" in text
    most = FLAGSHIP.with_tokens_per_request(quota)
    assert f"from ${custom(most):,.0f} a month for tokens to ${economics.endpoint_month(round(quota)):,.0f}" in text
    assert f"meets tokens at {crossing(P4D):,.0f}, and is full at {economics.carries_tokens(P4D):,}" in text
    assert (
        f"the sum is {crossing(INF2):,.0f} tokens. One of them is predicted to carry {inferentia():.0f} of the 100"
        in text
    )


def inferentia() -> float:
    """Requests a minute of one ml.inf2.48xlarge, by the advisor."""
    asked = Requirements(model="llama-3-70b", custom_weights=True, training_data_kept=False, control="container", requests_per_minute=100)  # fmt: skip
    considered = advise(asked).option("sagemaker-inferentia").considered
    return next(each for each in considered if each.instance == INF2).per_instance_rps * 60


def test_what_a_million_tokens_cost_on_a_machine(text: str) -> None:
    from lessoncharts import economics

    large, small = (
        usd("bedrock.price.llama-3-3-70b.input_per_million"),
        usd("bedrock.price.llama-3-1-8b.input_per_million"),
    )
    for host in (G6E, P4D):  # "there never was a break-even": full, and at any size that either carries
        million = {size: instances.endpoint(host, hours=1).usd / (economics.per_second("llama-3-70b", host, "bf16", size) * size * 3600) * 1e6 for size in (50, 200, 700, 2000, 3000)}  # fmt: skip
        assert min(million.values()) > large
        assert list(million.values()) == sorted(million.values())
        if host == G6E:
            assert f"costs ${million[200]:.2f} at 200 tokens a request, ${million[2000]:.2f} at 2,000" in text
    (_, *spread), (_, *dense), (_, *little) = ((fleet[0], *fleet[1:4]) for fleet in economics.FLEETS)
    assert f"a million tokens cost ${economics.per_million(*spread):.2f} on it. By the token they cost" in text
    assert "they cost ${fact}`bedrock.price.llama-3-3-70b.input_per_million|number`" in text
    assert large == facts.number("bedrock.price.llama-3-3-70b.input_per_million")
    assert f"{economics.needed(*spread, large) * 100:.0f} % in use" in text
    assert f"At {economics.needed(*dense, large) * 100:.0f} % it breaks even" in text
    assert f"pays from {economics.needed(*little, small) * 100:.0f} % on" in text
    month_of_800 = tokens.on_demand("llama-3-1-8b", Traffic.steady(800, 500, 200)).usd
    carries = economics.per_second(*little) * 60
    assert f"would cost ${month_of_800:,.0f} a month; the machine costs ${month('ml.g6e.xlarge'):,.0f}" in text
    assert f"is {800 / carries * 100:.0f} % in use. The same arithmetic" in text
    assert facts.number("bedrock.tpm.llama-3-1-8b") >= 800 * 700  # tokens could be had at that rate
    assert f"carries {carries:.0f} requests of 700 tokens a minute" in text
    assert f"those hours it needs the 30 % again, {economics.needed(*little, small) * carries:.0f} a minute" in text


def test_what_the_advisor_says_of_the_flagship(text: str) -> None:
    from lessoncharts import economics as it

    said = {which: it.dollars(which, target) for which, target in (
        ("twin", "bedrock-custom-on-demand"), ("fp8", "sagemaker-gpu"), ("cluster", "eks-vllm"), ("exam", "sagemaker-gpu"), ("two", "sagemaker-gpu"))}  # fmt: skip
    table = {"custom model, on demand": "twin", "endpoint, one `ml.g6.12xlarge`": "fp8", "sixteen hours of people included": "cluster",
             "endpoint, one `ml.g6e.12xlarge`": "exam", "and two must be up | two of them": "two"}  # fmt: skip
    for words, which in table.items():
        assert f"{words} | ${said[which]:,.0f} |" in text, which
    imported, chip = it.dollars("twin", "bedrock-custom-import"), it.advice("exam").option("sagemaker-inferentia")
    assert f"| ${imported:,.0f} |" in text
    assert chip.usd_range is not None
    assert f"{chip.what}" == "3 x ml.inf2.24xlarge"
    assert (
        f"for ${chip.usd:,.0f}, predicted, with a range from ${chip.usd_range[0]:,.0f} to ${chip.usd_range[1]:,.0f}"
        in text
    )
    others = [it.dollars(which, target) for _, which, target, _ in it.OPTIONS[3:]]
    assert [round(usd / said["twin"]) for usd in (min(others), max(others))] == [4, 9]
    twin = it.advice("twin").option("bedrock-custom-on-demand").usd_range
    assert twin is not None
    assert f"the first bar is ${twin[1]:,.0f}, still the shortest" in text
    assert twin[1] < said["fp8"]
    node = month(G6E) - instances.machines("g6e.12xlarge").usd
    assert f"The node itself is ${node:,.0f} cheaper" in text
    assert round(node / 100) == 19  # hours of an engineer
    asleep = it.advice("office")
    assert (
        f"it costs ${it.dollars('office', 'sagemaker-components'):,.0f} a month instead of ${month(G6E):,.0f}" in text
    )
    use = asleep.option("sagemaker-gpu").utilisation
    assert use is not None
    assert f"in use for {use * 100:.0f} % of what is paid" in text


def test_redundancy_and_commitment(text: str) -> None:
    from lessoncharts import economics as it

    two = it.advice("two").option("sagemaker-gpu")
    assert two.utilisation is not None
    assert f"| two of them | ${two.usd:,.0f} | {two.utilisation * 100:.0f} % |" in text
    fp8 = advise(Requirements(**it.PINNED, dtype="fp8", redundancy=2)).option("sagemaker-gpu")
    assert fp8.what == "2 x ml.g6.12xlarge"
    assert fp8.utilisation is not None
    assert f"FP8 | ${fp8.usd:,.0f} | {fp8.utilisation * 100:.0f} % |" in text
    assert f"{crossing(G6E, 2):,.0f} tokens now" in text.replace("break-even: ", "")
    best = facts.number("sagemaker.savings-plan.max_percent") / 100
    assert f"costs ${month(G6E) * (1 - best):,.0f} a month committed" in text
    assert f"takes {(1 - custom(FLAGSHIP) / month(G6E)) * 100:.0f} % off" in text
    units = [usd(f"bedrock.pt.price.llama-2.{term}") for term in ("six_months", "no_commitment")]
    assert f"{(1 - units[0] / units[1]) * 100:.0f} %, on the last list for Llama 2" in text
    assert f"= **{crossing(P4D, 2):,.0f} tokens**" in text


def test_the_rows_of_the_matrix(text: str) -> None:
    pilot = advise(Requirements(model="nova-lite", requests_per_minute=5, profile="office-hours")).best
    assert pilot is not None
    smallest = month("ml.g6.xlarge")
    gpus = [id for id, each in catalogue.instances().items() if each.service == "sagemaker" and each.price and catalogue.accelerator(each.accelerator).kind == "gpu"]  # fmt: skip
    assert smallest == min(month(id) for id in gpus)
    assert f"cost ${pilot.usd:,.0f} a month" in text
    assert f"costs ${smallest:,.0f} for standing there" in text
    assert f"not the ${round(smallest) - round(pilot.usd or 0)}." in text
    assured = advise(Requirements(model="nova-pro", requests_per_minute=100, guaranteed_throughput=True)).best
    assert assured is not None
    assert assured.usd_range is not None
    assert f"Nova Pro is ${tokens.on_demand('nova-pro', FLAGSHIP).usd:,.0f} a month on demand" in text
    assert assured.what.startswith("2 model units")
    assert f"around ${assured.usd:,.0f}." in text
    assert f"the range is ${assured.usd_range[0]:,.0f} to ${assured.usd_range[1]:,.0f}" in text
    assert f"Two of the one are ${month(INF2, 2):,.0f}" in text
    lite = advise(
        Requirements(model="nova-lite", custom_weights=True, already_in_bedrock=True, requests_per_minute=100)
    ).best
    assert lite is not None
    assert f"Nova Lite the same load is ${lite.usd:,.0f}" in text


def test_the_edge_in_one_line(text: str) -> None:
    shape = catalogue.model("llama-3-8b").shape
    assert shape is not None
    gigabytes = shape.parameters * WEIGHT_BYTES["int4"] / 1e9
    assert f"in four bits is {gigabytes:.1f} GB" in text
    assert f"100 GB/s of memory bandwidth writes {100 / gigabytes:.0f} tokens a second" in text


def test_the_exercises(text: str) -> None:
    from lessoncharts import economics

    assert "two of them carry 4,000" in text
    assert 2 * 60 * economics.per_second("llama-3-70b", P4D, "bf16", 4000) >= 100
    hours = 173
    assert f"office hours only, {hours} of {HOURS_PER_MONTH:.0f} hours" in text
    assert f"= {0.3 * HOURS_PER_MONTH / hours * 100:.0f} % of the machine" in text
    last = next(hours for hours in range(24, 0, -1) if hours / 24 < 1 - 0.45)  # sleeping is cheaper from here down
    assert last == 13
    assert f"(58 %) still; at thirteen ({last / 24 * 100:.0f} %) sleep is cheaper" in text
