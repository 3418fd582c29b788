"""Two measurers, one server whose timing is known: ours beside LLMeter, where somebody has installed it: `python -m labs.bench.peer`.

LLMeter pins libraries that the course has in other versions, so it lives in an environment of its own, `.venv-llmeter` or whatever
LAB_LLMETER_PYTHON names. Without one, a sentence says how to make it; that is no error.

Both run a closed loop, the only one that LLMeter has, of few clients: beyond ten it measures itself. A second pair of runs has every fifth call
refused, and shows what each of them says of that.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from labs import terminal
from labs.bench.bench import TOKEN_MS, TTFT_MS, fake_server, quantile, run
from labs.bench.endpoints.bedrock import Bedrock
from labs.errors import FALSE, NOT_READY, Refusal

VERSION = "0.2.0"
PLACE = Path(".venv-llmeter/bin/python")
VARIABLE = "LAB_LLMETER_PYTHON"
CLIENTS, EACH = 6, 20
WITHIN_MS = 15.0
"""medians nearer than this agree: LLMeter's own error at so few clients was 2.5 to 4.1 ms on a machine with other work"""
ABSENT = (
    f"LLMeter is not here, so nothing is set beside ours. To have it: python3 -m venv .venv-llmeter && "
    f".venv-llmeter/bin/pip install llmeter=={VERSION} boto3   (it pins other libraries than the course's, hence an environment of its own)"
)


@dataclass(frozen=True)
class Said:
    """What one measurer said of one run; times in milliseconds."""

    who: str
    requests: int
    ttft_p50: float
    ttft_p99: float
    tpot_p50: float
    failed: int
    retried: int | None
    """None: it never does"""


def python() -> Path | None:
    """The Python that has LLMeter. Raises Refusal where the environment names one that is not there."""
    named = os.environ.get(VARIABLE)
    if named and not Path(named).exists():
        raise Refusal(f"{VARIABLE} names {named}, and nothing is there", NOT_READY)
    return Path(named) if named else PLACE if PLACE.exists() else None


def theirs(peer: Path, model: str) -> Said:
    """LLMeter's run against the server in the environment. Raises Refusal with its last line when it breaks."""
    # By standard input: beside this file are names, `statistics` for one, that would stand before the standard library's.
    script = Path(__file__).with_name("peer_llmeter.py").read_text("utf-8")
    command = [str(peer), "-", model, str(CLIENTS), str(EACH)]
    environment = {**os.environ, "LLMETER_DISABLE_ALL_PROGRESS_BARS": "1"}
    done = subprocess.run(
        command, input=script, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise Refusal(f"LLMeter could not be run: {last}", NOT_READY)
    rows: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    good = [row for row in rows if row["error"] is None]
    return Said(
        f"LLMeter {VERSION}",
        len(rows),
        1e3 * quantile([row["ttft_s"] for row in good], 0.5),
        1e3 * quantile([row["ttft_s"] for row in good], 0.99),
        1e3 * quantile([row["tpot_s"] for row in good], 0.5),
        len(rows) - len(good),
        sum(row["retries"] or 0 for row in rows),
    )


def ours(model: str) -> Said:
    """The same with the course's own."""
    made = run(
        Bedrock(model), arrival="poisson", concurrency=CLIENTS, requests=CLIENTS * EACH, warmup_s=0.0, duration_s=None
    )
    good = [record for record in made.measured if record.ok]
    ttfts = [1e3 * (record.ttft_s or 0.0) for record in good]
    tpots = [1e3 * (record.tpot_s or 0.0) for record in good]
    return Said(
        "lab bench",
        len(made.measured),
        quantile(ttfts, 0.5),
        quantile(ttfts, 0.99),
        quantile(tpots, 0.5),
        len(made.measured) - len(good),
        None,
    )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def main(as_json: bool) -> int:
    """LLMeter and lab bench, one after the other, against a server of known timing."""
    peer = python()
    if peer is None:
        terminal.emit_json({"absent": ABSENT}) if as_json else terminal.say(ABSENT)
        return 0
    rows: dict[str, list[Said]] = {}
    for what, model in (("all answered", "fake"), ("every 5th refused", "throttle-every-5")):
        with fake_server():
            rows[what] = [ours(model)]
        with fake_server():
            rows[what].append(theirs(peer, model))
    mine, other = rows["all answered"]
    apart = abs(mine.ttft_p50 - other.ttft_p50)
    agree = apart <= WITHIN_MS
    if as_json:
        terminal.emit_json(
            {"runs": {what: [vars(said) for said in both] for what, both in rows.items()}, "agree": agree}
        )
        return 0 if agree else FALSE
    terminal.table(
        f"Two measurers, one server: first token after {TTFT_MS:g} ms, then one every {TOKEN_MS:g} ms",
        ("", "who", "TTFT p50 (ms)", "TTFT p99 (ms)", "TPOT p50 (ms)", "failed (of all)", "retried (times)"),
        (
            (
                what if n == 0 else "",
                said.who,
                f"{said.ttft_p50:,.1f}",
                f"{said.ttft_p99:,.1f}",
                f"{said.tpot_p50:,.2f}",
                f"{said.failed} of {said.requests}",
                "never" if said.retried is None else said.retried,
            )
            for what, both in rows.items()
            for n, said in enumerate(both)
        ),
    )
    verdict = "agree" if agree else "do not agree"
    terminal.say(
        f"Medians of the first token {verdict}: {apart:.1f} ms apart, and {WITHIN_MS:g} are allowed. "
        "Next: read the two lines with refusals, and ask which of them your dashboard would have shown."
    )
    return 0 if agree else FALSE


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m labs.bench.peer"))
