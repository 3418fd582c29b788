"""An advice in words: the sentences that the terminal, the record and the card share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labs.decide.chart import Walk
from labs.decide.option import BreakEven, Option
from labs.decide.sizing import Range
from labs.decide.unknowns import Unknown

if TYPE_CHECKING:
    from labs.decide.advisor import Advice

FAMILIES = {
    "bedrock": ("Amazon Bedrock", "B"),
    "sagemaker": ("Amazon SageMaker AI", "S"),
    "own": ("Your own stack", "O"),
}
"""family: its name and its letter"""
PROFILES = {
    "steady": "around the clock",
    "office-hours": "in office hours",
    "spiky": "in bursts, a tenth of the time",
    "nightly": "four hours a night",
}


def workload(advice: Advice) -> str:
    """'Llama 3 70B Instruct with weights of your own: 100 requests a minute around the clock, 500 tokens in and 200 out, us-east-1'."""
    asked = advice.asked
    own = " with weights of your own" if asked.custom_weights else ""
    name = advice.case.name if asked.model else advice.case.name.capitalize()
    return (
        f"{name}{own}: {asked.requests_per_minute:,g} requests a minute {PROFILES[asked.profile]}, "
        f"{asked.input_tokens:,} tokens in and {asked.output_tokens:,} out, {asked.region}"
    )


def conditions(advice: Advice) -> list[str]:
    """What else is asked, one phrase each."""
    asked = advice.asked
    said = [
        ("the answer can wait for hours", asked.answer_can_wait),
        (f"first token within {asked.ttft_ms or 0:,.0f} ms for 99 of 100", asked.ttft_ms is not None),
        (f"last token within {asked.e2e_ms or 0:,.0f} ms for 99 of 100", asked.e2e_ms is not None),
        ("the training data is kept", asked.training_data_kept is True),
        ("the training data is lost", asked.training_data_kept is False),
        ("in use on Bedrock already", asked.already_in_bedrock),
        (f"weights in {asked.weights_format} form", asked.weights_format is not None),
        (f"precision {asked.dtype}", asked.dtype is not None),
        ("throughput must be guaranteed", asked.guaranteed_throughput),
        (f"the {asked.control} must be yours to set", asked.control != "none"),
        ("an inference engine of your own", asked.proprietary_engine),
        ("a Kubernetes estate", asked.kubernetes_estate),
        (f"data stay: {asked.residency}", asked.residency != "anywhere"),
        ("at the edge", asked.edge),
        (f"at least {asked.redundancy} instances up", asked.redundancy > 1),
        (f"at most ${asked.budget_usd_per_month or 0:,.0f} a month", asked.budget_usd_per_month is not None),
        ("a team that runs platforms" if asked.team == "platform" else "a small team", True),
    ]
    return [phrase for phrase, holds in said if holds]


def steps(way: Walk) -> list[str]:
    """Each question of a walk with its answer and reason; a guess is marked."""
    return [
        f"{step.node.asks} {step.taken.capitalize()}: {step.said.because}{'' if step.said.sure else ' (nobody said; assumed)'}."
        for step in way.steps
    ]


def path(way: Walk) -> str:
    """The same in one line: 'weights? yes (the weights are your own) · retrain? no (...)'."""
    return " · ".join(f"{step.node.id.replace('_', ' ')}? {step.taken} ({step.said.because})" for step in way.steps)


def money(usd: float | None) -> str:
    """'$9,578', or a dash for what has no price."""
    return "-" if usd is None else f"${usd:,.0f}"


def money_range(option: Option) -> str:
    """'$9,578 to $18,433' where something is unknown, else ''."""
    if option.usd_range is None or option.usd is None:
        return ""
    low, high = option.usd_range
    return "" if high - low < 0.005 * max(option.usd, 1.0) else f"{money(low)} to {money(high)}"


def seconds(figure: Range | None) -> str:
    """'1.3', or '1.0–2.4' for a range; '-' for what is not predicted."""
    if figure is None:
        return "-"
    low, high = _s(figure.low), _s(figure.high)
    return _s(figure.central) if low == high else f"{low}–{high}"


def _s(ms: float) -> str:
    return f"{ms / 1e3:.2f}" if ms < 1_000 else f"{ms / 1e3:.1f}" if ms < 100_000 else f"{ms / 1e3:,.0f}"


def used(option: Option) -> str:
    """How much of what is paid for (or of the quota) is in use."""
    return "-" if option.utilisation is None else f"{option.utilisation:.0%}"


def marks(option: Option) -> list[str]:
    """What a reader should see beside the figures."""
    said = [
        ("tied with the best", option.tied),
        ("may miss the objective", option.meets == "unsure"),
        ("over budget", option.over_budget),
        (option.unpriced, bool(option.unpriced)),
    ]
    return [phrase for phrase, holds in said if holds]


def grouped_out(advice: Advice) -> list[tuple[list[Option], str]]:
    """What is out: targets whose first reason is the same together, and that reason."""
    groups: dict[str, list[Option]] = {}
    for option in advice.ruled_out:
        groups.setdefault(option.reasons[0].because, []).append(option)
    return [(options, because) for because, options in groups.items()]


def break_evens(advice: Advice) -> list[str]:
    """The cheapest machine against the tokens: where money alone is even, and what comes before that."""
    for option in advice.ranked:
        if option.break_even:
            return [break_even(advice, option.break_even[0])]
    return []


def break_even(advice: Advice, even: BreakEven) -> str:
    """One of them, in words."""
    now = advice.case.tokens_per_request
    said = (
        f"By money alone one {even.instance} (${even.usd_per_month:,.0f} a month) costs what {even.against} costs at "
        f"{even.tokens_per_request:,.0f} tokens a request (now {now:,})"
    )
    before = []
    if even.quota_tokens_per_request is not None and even.quota_tokens_per_request < even.tokens_per_request:
        before.append(f"the fixed quota ends at {even.quota_tokens_per_request:,.0f}")
    if even.carries_tokens_per_request < even.tokens_per_request:
        before.append(
            f"one carries only about {even.carries_tokens_per_request:,.0f} at this rate, so a full one still costs more than tokens"
        )
    return f"{said}; {' and '.join(before)}." if before else f"{said}; one carries that."


def flip_lines(advice: Advice, most: int = 3) -> list[str]:
    """What changes the answer by degrees, nearest first."""
    said = (f"{flip.says}, ${flip.usd_per_month:,.0f} a month there." for flip in advice.flips[:most])
    return [f"{line[0].upper()}{line[1:]}" for line in said]


def nothing_flips(advice: Advice) -> str:
    """When neither more nor less of anything changes the answer."""
    if advice.best is None or advice.best.usd is None or advice.flips:
        return ""
    return "Ten times the traffic or a tenth, ten times the tokens or a tenth: the answer stays."


def unknown_line(unknown: Unknown) -> str:
    """'throughput of an instance ...: 0.7 to 1.3 (1 taken). Why'."""
    amounts = [_amount(value) for value in (unknown.low, unknown.high, unknown.central)]
    unit = "" if unknown.unit in ("x", unknown.label.rpartition(" ")[2]) else f" {unknown.unit}"
    label = unknown.label[0].upper() + unknown.label[1:]
    return f"{label}: {amounts[0]} to {amounts[1]}{unit}, {amounts[2]} taken. {unknown.why}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def to_do(advice: Advice) -> list[str]:
    """What the best needs before it works."""
    return [todo.what for todo in advice.best.todo] if advice.best else []


def commands(advice: Advice) -> list[str]:
    """What to type next."""
    best, asked = advice.best, advice.asked
    if best is None:
        return []
    lines = [best.deploy]
    if best.sizing is not None and asked.model is not None:
        rate = advice.case.rate_per_s / best.sizing.count
        dtype = f" --dtype {asked.dtype}" if asked.dtype else ""
        lines.append(
            f"lab simulate --model {asked.model} --hardware {best.sizing.instance}{dtype} --rate {rate:.3g} "
            f"--input-tokens {asked.input_tokens} --output-tokens {asked.output_tokens}"
        )
    return lines
