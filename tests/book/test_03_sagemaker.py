"""What lesson 3 says in numbers comes out of the engine and the register; its charts show what their descriptions claim."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from lessoncharts import sagemaker as charts

from labs import facts
from labs.economics.commands import simulate as simulate_command
from labs.facts import catalogue
from labs.serving.arrivals import arrivals, lengths
from labs.serving.engine import EngineConfig
from labs.serving.requests import Table
from labs.serving.router import RouterName
from labs.serving.simulate import simulate

LESSON = (Path(__file__).parents[2] / "book" / "03-sagemaker.md").read_text("utf-8")
PRICE = facts.number("sagemaker.price.g6-2xlarge")


def says(*sentences: str) -> None:
    text = " ".join(LESSON.split())
    for sentence in sentences:
        assert sentence in text, sentence


def test_cpu_stands_still_while_the_wait_explodes() -> None:
    quiet, full, over, most = (charts.at(rate) for rate in (30, 165, 180, 240))
    assert {round(s.cpu_percent) for s in (quiet, full, over, most)} == {102}
    assert all(s.busy > 0.99 for s in (quiet, full, over, most))
    assert full.first_token_s == pytest.approx(0.19, abs=0.005)
    assert over.first_token_s == pytest.approx(21, abs=0.5)
    assert over.first_token_s / quiet.first_token_s > 150
    assert most.first_token_s / quiet.first_token_s > 1000
    assert most.in_hand / quiet.in_hand == pytest.approx(100, rel=0.05)
    assert charts.at(60).rate / full.rate < 0.4  # two thirds of its strength to spare
    says("102 of a possible 800", "from 0.19 seconds to 21", "100 % at 30 requests a minute already")
    assert catalogue.instance(charts.INSTANCE).vcpus * facts.number("sagemaker.metrics.cpu_core_percent") == 800


def test_the_cache_holds_as_many_as_the_lesson_says() -> None:
    memory = charts.plan().memory
    free = memory.usable_bytes - memory.weights_bytes - memory.reserve_bytes
    each = (charts.INPUT_TOKENS + charts.OUTPUT_TOKENS) * memory.kv_bytes_per_token
    assert int(free / each) == 42
    assert round(memory.weights_bytes / 1e9) == 16
    assert pytest.approx(0.6, abs=0.01) == charts.CONCURRENCY / 42
    assert pytest.approx(0.75, abs=0.03) == charts.INVOCATIONS / 165
    says("holds 42 such requests")


def test_five_policies_on_a_monday() -> None:
    seen = charts.mondays()
    machine, literal = seen["CPU at 560"], seen["CPU at 70"]
    counted, inside, clock = seen["invocations"], seen["concurrency"], seen["the clock"]
    assert machine.decided_min is None
    assert machine.longest_s == pytest.approx(50 * 60, rel=0.02)
    assert literal.most == charts.MOST
    assert literal.late == clock.late == 0
    assert counted.decided_min == pytest.approx(3 + 10 / 60, abs=0.05)
    assert inside.decided_min == pytest.approx(40 / 60, abs=0.05)
    assert counted.longest_s - inside.longest_s == pytest.approx(120, abs=5)
    assert inside.longest_s == pytest.approx(250, abs=5)
    assert counted.longest_s == pytest.approx(370, abs=2)
    assert (inside.most, clock.most) == (6, 3)
    paid = {name: f"${outcome.instance_hours * PRICE:.2f}" for name, outcome in seen.items()}
    says(f"It cost {paid['concurrency']} against {paid['invocations']} for invocations")
    says(f"nobody waited: {paid['the clock']}", f"bought peace for {paid['CPU at 70']}")
    assert sum(o.instance_hours > clock.instance_hours for o in seen.values()) == 2


def test_six_instances_are_ready_before_nine_under_the_literal_rule() -> None:
    watched = charts.Watched(charts.on_cpu(charts.CPU_TARGET))
    when = arrivals("poisson", charts.QUIET.rate / 60, duration_s=charts.QUIET.minutes * 60.0, seed=charts.SEED)
    table = Table.of(when, lengths(charts.INPUT_TOKENS, len(when)), lengths(charts.OUTPUT_TOKENS, len(when)))
    simulate(EngineConfig(charts.plan().spec, autoscaling=watched, seed=charts.SEED), table)
    full = next(sample.t for sample in watched.seen if sample.ready == charts.MOST)
    assert 8.5 * 60 + full / 60 == pytest.approx(8 * 60 + 52, abs=1)
    says("By eight minutes to nine it has six instances")


def test_the_rule_that_cannot_stop() -> None:
    written = re.search(r"lab simulate (--model llama-3.1-8b .*?20)\n", LESSON, re.S)
    assert written is not None
    asked = written[1].replace("\\\n", "").split()
    runs = {}
    for name, arguments in (("rule", asked), ("one", asked[: asked.index("--autoscale")])):
        done = CliRunner().invoke(simulate_command, [*arguments, "--json"])
        assert done.exit_code == 0, done.output
        runs[name] = json.loads(done.output)
    assert runs["rule"]["cold_starts"] + 1 == 18
    assert runs["rule"]["cost"]["usd_per_million_output_tokens"] == pytest.approx(25, abs=1)
    assert runs["one"]["cost"]["usd_per_million_output_tokens"] == pytest.approx(1.72, abs=0.005)
    says("ends with eighteen instances and about $25 per million", "one instance, $1.72")


def test_where_the_literal_rule_settles() -> None:
    settled = charts.under(charts.on_cpu(charts.CPU_TARGET, 40), charts.Phase(120, 30), charts.Phase(120, 30))
    assert settled.most == pytest.approx(30 / 3, abs=1)
    says("one instance for every three requests a minute")


def test_longer_answers_are_seen_by_who_counts_what_is_inside() -> None:
    seen = charts.longer_answers()
    counted, inside = seen["invocations"], seen["concurrency"]
    assert counted.decided_min is None
    assert counted.waits[-1][1] == pytest.approx(23 * 60, rel=0.02)
    assert inside.longest_s == pytest.approx(113, abs=3)
    assert max(wait for minute, wait in inside.waits if minute > 6) < 1
    says("wait 23 minutes")


@pytest.mark.parametrize(("router", "p99_s"), [("random", 2.9), ("least_outstanding", 0.23)])
def test_where_calls_go_decides_the_slowest_of_a_hundred(router: RouterName, p99_s: float) -> None:
    when = arrivals("poisson", 5.0, duration_s=1200.0, seed=0)
    table = Table.of(when, lengths(500, len(when)), lengths(200, len(when)))
    seen = simulate(EngineConfig(charts.plan().spec, replicas=2, router=router), table).statistics.ttft_ms
    assert seen is not None
    assert seen.p99 / 1e3 == pytest.approx(p99_s, rel=0.03)
    says(f"{p99_s}")


def test_inferentia_is_cheaper_for_few_and_dearer_for_many() -> None:
    def against(n: int, other: str) -> float:
        return charts.usd_per_million("ml.inf2.xlarge", n) / charts.usd_per_million(other, n) - 1

    g6 = [against(n, "ml.g6.2xlarge") for n in charts.AT_ONCE]
    assert g6 == sorted(g6)
    assert (round(g6[0], 2), round(g6[2], 2)) == (-0.54, -0.42)
    assert abs(g6[4]) < 0.02
    assert g6[5] == pytest.approx(0.46, abs=0.01)
    assert against(32, "ml.g5.2xlarge") == pytest.approx(0.72, abs=0.01)
    halved = (1 + against(32, "ml.g6.2xlarge")) / 2, (1 + against(32, "ml.g5.2xlarge")) / 2
    assert max(halved) < 1
    says("42 to 54 per cent below", "72 per cent more than the `g5`")


def test_the_charts_are_drawn_with_their_tables() -> None:
    for chart in (charts.signals(), charts.monday(), charts.length(), charts.chips()):
        assert all(len(row) == len(chart.header) for row in chart.rows)
        assert chart.provenance.startswith("Predicted")


def test_arithmetic_in_the_prose() -> None:
    code = facts.text("sagemaker.quota.code.g6-2xlarge")
    assert f"--quota-code {code}" in LESSON
    pace = 16.4 / facts.number("sagemaker.autoscaling.weights_qwen3-8b_s")
    assert 141 / pace / 60 == pytest.approx(11, abs=0.1)
    assert facts.number("sagemaker.container.health_timeout_default_s") == 8 * 60
    for dollars, hours in (("$892", 730), ("$269", 220), ("$2,676", 3 * 730), ("$224", 180 + 22 / 6)):
        says(f"**{dollars}**")
        assert float(dollars[1:].replace(",", "")) == round(PRICE * hours)
    fits = int((facts.number("sagemaker.realtime.timeout_s") - 0.13) / 0.069 + 1)
    says(f"**{fits} tokens**")
