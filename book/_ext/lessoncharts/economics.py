"""Charts of lesson 5: where tokens and machines cross, what an idle machine does to a price, and the flagship's options in a row."""

from __future__ import annotations

from functools import cache
from math import ceil

import altair as alt

from labs import facts
from labs.decide.advisor import Advice, advise
from labs.decide.requirements import Requirements
from labs.decide.sizing import Demand, Setup, setups
from labs.economics import breakeven, instances, tokens
from labs.economics.traffic import Traffic
from labs.facts import catalogue
from lessoncharts import ACCENT, BEDROCK, INK, OWN, SAGEMAKER, SOFT, Chart, data, drawn, label

PREDICTED = "Prices of us-east-1 from the register; what a machine carries is predicted by the course's serving model, not measured."

RATE_PER_MINUTE = 100
INPUT_SHARE = 5 / 7
"""500 tokens in of 700, kept as a request grows"""
MACHINE = "ml.g6e.12xlarge"
HOSTS = (MACHINE, "ml.p4d.24xlarge", "ml.p4de.24xlarge")
"""the advisor's choice for this load, from small requests to large ones"""


def traffic(per_request: float = 700) -> Traffic:
    """A month of the flagship's requests, around the clock, with so many tokens in and out of each."""
    return Traffic.steady(RATE_PER_MINUTE, 500, 200).with_tokens_per_request(per_request)


@cache
def per_second(model: str, instance: str, dtype: str, per_request: int = 700) -> float:
    """Requests per second of one instance with a first token within ten seconds; 0.0 where the model does not fit."""
    shape = catalogue.model(model).shape
    assert shape is not None  # its weights are public
    given = round(per_request * INPUT_SHARE)
    demand = Demand("poisson", given, per_request - given, None, None, waits=True)
    found: tuple[Setup, ...] = setups(model, shape, instance, dtype, demand, packs=False)
    return found[0].capacity_per_s if found else 0.0


def carries_tokens(instance: str = MACHINE) -> int:
    """The most tokens a request at which one instance still carries the flagship's rate, by halving."""
    low, high = 200, 6000
    while high - low > 1:
        middle = (low + high) // 2
        enough = per_second("llama-3-70b", instance, "bf16", middle) * 60 >= RATE_PER_MINUTE
        low, high = (middle, high) if enough else (low, middle)
    return low


def endpoint_month(per_request: int) -> float:
    """Dollars a month of the cheapest of `HOSTS` that carries requests of that size."""
    bills = []
    for host in HOSTS:
        rate = per_second("llama-3-70b", host, "bf16", per_request)
        if rate > 0:
            bills.append(instances.endpoint(host, ceil(RATE_PER_MINUTE / 60 / rate)).usd)
    return min(bills)


def token_month(per_request: float) -> float:
    """Dollars a month of the same requests on a customised Llama 3.3 70B, on demand, without its storage."""
    return tokens.custom_on_demand("llama-3-3-70b", traffic(per_request)).usd


SIZES = (200, 450, 700, 1300, 2000, 2500, 3000, 3600)
"""tokens a request; those at which a machine is full join them"""


def crossing() -> Chart:
    """A month at a hundred requests a minute, by the size of a request: tokens, one machine by its price, machines that carry it."""
    quota = facts.number("bedrock.tpm.custom-on-demand.llama-3-3-70b") / RATE_PER_MINUTE
    one = instances.endpoint(MACHINE).usd
    full = [carries_tokens(host) for host in HOSTS[:2]]
    sizes = sorted({*SIZES, *full, *(size + 1 for size in full)})
    seen = [(size, token_month(size), endpoint_month(size)) for size in sizes]
    rows = [{"size": s, "tokens": t, "machines": m, "one": one} for s, t, m in seen]
    within = [row for row in rows if row["size"] <= quota]
    x = alt.X("size:Q", title="tokens a request", scale=alt.Scale(domain=[0, 3700]))
    y = alt.Y("tokens:Q", title="dollars a month", scale=alt.Scale(domain=[0, 26000]), axis=alt.Axis(format="~s"))
    naive = breakeven.tokens_per_request(
        lambda month: tokens.custom_on_demand("llama-3-3-70b", month), instances.endpoint(MACHINE), traffic()
    )
    layers = (
        data(rows).mark_line(color=SOFT, strokeWidth=2, strokeDash=[2, 3]).encode(x, alt.Y("one:Q"))
        + data(rows)
        .mark_line(color=SAGEMAKER, strokeWidth=2.5, interpolate="step-after")
        .encode(x, alt.Y("machines:Q"))
        + data(within).mark_line(color=BEDROCK, strokeWidth=2.5).encode(x, y)
        + data([{"x": quota}]).mark_rule(color=OWN, strokeWidth=2, strokeDash=[6, 3]).encode(alt.X("x:Q"))
        + data([{"x": naive, "y": one}])
        .mark_point(color=ACCENT, size=90, strokeWidth=2.5)
        .encode(alt.X("x:Q"), alt.Y("y:Q"))
        + label(1450, 3000, "tokens", BEDROCK)
        + label(1040, 19900, "machines that carry it", SAGEMAKER)
        + label(1100, 10700, "one machine, by its price", SOFT)
        + label(2940, 24500, "the quota ends", OWN, align="right")
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("tokens a request", "tokens, $", f"one {MACHINE}, $", "machines that carry it, $"),
        tuple(
            (f"{s:,}", f"{t:,.0f}" if s <= quota else "over the quota", f"{one:,.0f}", f"{m:,.0f}") for s, t, m in seen
        ),
    )


FLEETS = (
    ("70B, BF16, ml.g6e.12xlarge", "llama-3-70b", "ml.g6e.12xlarge", "bf16", SAGEMAKER, [1, 0]),
    ("70B, FP8, ml.p5.4xlarge", "llama-3-70b", "ml.p5.4xlarge", "fp8", SAGEMAKER, [6, 3]),
    ("8B, BF16, ml.g6e.xlarge", "llama-3-8b", "ml.g6e.xlarge", "bf16", SAGEMAKER, [2, 2]),
)
PARTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def per_million(model: str, instance: str, dtype: str, part: float = 1.0) -> float:
    """Dollars for a million tokens, in and out, on an instance of which such a part is in use: requests of 500 in and 200 out."""
    hourly = instances.endpoint(instance, hours=1).usd
    return breakeven.usd_per_million_tokens(hourly, per_second(model, instance, dtype) * 700 * part)


def needed(model: str, instance: str, dtype: str, price: float) -> float:
    """The part of an instance that must be in use for it to match a price per million tokens; above 1 it never does."""
    hourly = instances.endpoint(instance, hours=1).usd
    return breakeven.utilisation(hourly, per_second(model, instance, dtype) * 700, price)


def idle() -> Chart:
    """What a million tokens cost on a machine, by how much of it is in use, beside the price of tokens."""
    large = facts.number("bedrock.price.llama-3-3-70b.input_per_million")
    small = facts.number("bedrock.price.llama-3-1-8b.input_per_million")
    curves = [
        (name, colour, dash, [per_million(m, i, d, part) for part in PARTS]) for name, m, i, d, colour, dash in FLEETS
    ]
    x = alt.X("part:Q", title="part of the machine in use", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    y = alt.Y("usd:Q", title="dollars a million tokens (log scale)", scale=alt.Scale(type="log", domain=[0.05, 30]), axis=alt.Axis(values=[0.1, 1, 10], format="~g"))  # fmt: skip
    lines = [
        data([{"part": part, "usd": usd} for part, usd in zip(PARTS, values, strict=True)])
        .mark_line(color=colour, strokeDash=dash, strokeWidth=2.5)
        .encode(x, y)
        for _, colour, dash, values in curves
    ]
    rules = data([{"usd": large}, {"usd": small}]).mark_rule(color=BEDROCK, strokeWidth=2).encode(alt.Y("usd:Q"))
    layers = (
        alt.layer(*lines, rules)
        + label(0.45, 7.6, "70B on four L40S", SAGEMAKER)
        + label(0.43, 1.8, "70B in FP8 on one H100", SAGEMAKER)
        + label(0.5, 0.075, "8B on one L40S", SAGEMAKER, align="right")
        + label(0.42, large * 0.85, "70B by the token", BEDROCK, baseline="top")
        + label(0.98, small * 1.4, "8B by the token", BEDROCK, align="right")
    )
    return Chart(
        drawn(layers),
        PREDICTED,
        ("in use", *(f"{name}, $" for name, *_ in curves)),
        tuple((f"{part:.0%}", *(f"{values[n]:.2f}" for *_, values in curves)) for n, part in enumerate(PARTS)),
    )


TWIN = {"custom_weights": True, "requests_per_minute": RATE_PER_MINUTE}
PINNED = {**TWIN, "model": "llama-3-70b", "training_data_kept": False, "control": "container"}


@cache
def advice(which: str) -> Advice:
    """The advisor on one variant of the flagship, by name."""
    asked = {
        "twin": Requirements(**TWIN, model="llama-3.3-70b", already_in_bedrock=True, region="us-west-2"),
        "exam": Requirements(**PINNED),
        "two": Requirements(**PINNED, redundancy=2),
        "fp8": Requirements(**PINNED, dtype="fp8"),
        "office": Requirements(**PINNED, profile="office-hours"),
        "cluster": Requirements(**{**PINNED, "control": "host"}, kubernetes_estate=True, team="platform"),
    }  # fmt: skip
    return advise(asked[which])


def dollars(which: str, target: str) -> float:
    """A month of one target in one variant."""
    found = advice(which).option(target).usd
    assert found is not None  # it is feasible there
    return found


OPTIONS = (
    ("custom, on demand", "twin", "bedrock-custom-on-demand", BEDROCK),
    ("endpoint in FP8", "fp8", "sagemaker-gpu", SAGEMAKER),
    ("node of your cluster", "cluster", "eks-vllm", OWN),
    ("endpoint in BF16", "exam", "sagemaker-gpu", SAGEMAKER),
    ("Inferentia endpoint", "exam", "sagemaker-inferentia", SAGEMAKER),
    ("two instances", "two", "sagemaker-gpu", SAGEMAKER),
    ("imported model", "twin", "bedrock-custom-import", BEDROCK),
)


def flagship() -> Chart:
    """A month of every way to serve the flagship's load that one of its readings allows."""
    rows = []
    for name, which, target, colour in OPTIONS:
        usd = dollars(which, target)
        rows.append({"way": name, "usd": usd, "says": f"${usd:,.0f}", "colour": colour})
    bars = data(rows).encode(
        alt.Y("way:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=170))
    )
    x = alt.X("usd:Q", title="dollars a month", scale=alt.Scale(domain=[0, 26000]), axis=alt.Axis(format="~s"))
    layers = bars.mark_bar(height=18).encode(x, alt.Color("colour:N", scale=None)) + bars.mark_text(
        align="left", dx=5, color=INK, fontSize=12
    ).encode(x, alt.Text("says:N"))
    made = drawn(layers, height=210)
    made["width"] = 215  # the names take the rest, and a reader's font may be wider than ours
    made["padding"] = {"left": 26, "right": 4, "top": 4, "bottom": 4}
    return Chart(
        made,
        PREDICTED,
        ("way", "what", "dollars a month", "range"),
        tuple(
            (name, advice(which).option(target).what, f"{dollars(which, target):,.0f}", _range(which, target))
            for name, which, target, _ in OPTIONS
        ),
    )


def _range(which: str, target: str) -> str:
    found = advice(which).option(target).usd_range
    return "-" if found is None or found[0] == found[1] else f"{found[0]:,.0f} to {found[1]:,.0f}"
