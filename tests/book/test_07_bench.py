"""What lesson 7 says in numbers comes out of recorded runs, of the statistics, of the engine and the register."""

import json
from math import log
from pathlib import Path

import pytest
from lessoncharts import bench as charts

from labs import facts
from labs.bench.intervals import least_samples
from labs.facts import catalogue
from labs.targets.sagemaker_inferentia import SageMakerInferentia

LESSON = (Path(__file__).parents[2] / "book" / "07-bench.md").read_text("utf-8")


def says(*sentences: str) -> None:
    text = " ".join(LESSON.split())
    for sentence in sentences:
        assert sentence in text, sentence


def test_two_ways_of_asking_see_one_stall_differently() -> None:
    made = charts.recorded()
    assert [len(made[way]["e2e_ms"]) for way in ("open", "closed")] == [450, 444]
    assert [charts.slow(way) for way in ("open", "closed")] == [11, 3]
    assert [round(charts.percentile_ms(way, 0.99) / 1e3, 2) for way in ("open", "closed")] == [2.05, 0.65]
    assert made["open"]["worth_separate"] == 72
    says(
        "within 0.65 seconds",
        "within 2.05 seconds",
        "Three in 444",
        "eleven answers took more than a second",
        "worth **72**",
    )


def test_waiting_clients_send_nothing_while_it_stands_still() -> None:
    due = {way: [at for at in charts.recorded()[way]["due_s"] if 30.1 < at < 31.9] for way in ("open", "closed")}
    assert len(due["open"]) == 9
    assert due["closed"] == []
    says("There are none")


def test_what_llmeter_said() -> None:
    made = json.loads((charts.RECORDED.parent / "bench_peer.json").read_text("utf-8"))["runs"]
    (ours, theirs), (refused, hidden) = made["all answered"], made["every 5th refused"]
    assert abs(ours["ttft_p50"] - theirs["ttft_p50"]) < 5
    assert (refused["failed"], hidden["failed"], hidden["retried"]) == (24, 0, 29)
    assert round(hidden["ttft_p99"] / refused["ttft_p99"]) == 26
    for name, both in (
        ("all answered: TTFT p50", (ours, theirs)),
        ("every fifth refused: TTFT p50", (refused, hidden)),
    ):
        says(f"| {name} | {both[0]['ttft_p50']:.0f} ms | {both[1]['ttft_p50']:.0f} ms |")
    says(
        f"| {refused['ttft_p99']:.0f} ms | **{hidden['ttft_p99']:,.0f} ms** |",
        "it happened, 29 times",
        "twenty-six times",
    )


def test_how_many_requests_a_percentile_needs() -> None:
    assert [least_samples(q) for q in (0.99, 0.9, 0.5, 0.999)] == [368, 36, 6, 3688]
    assert log(0.025) / log(0.99) == pytest.approx(367.04, abs=0.01)
    assert charts.interval(367) is None
    brackets = {n: tuple(round(100 * end) for end in charts.interval(n) or ()) for n in (368, 1000, 3000, 10_000)}
    assert brackets == {368: (75, 144), 1000: (83, 122), 3000: (90, 113), 10_000: (95, 106)}
    says("n ≥ **368**", "36, for a median 6, for a p99.9 the sobering 3,688", "from 75 to 144 per cent")
    says("at 1,000 from 83 to 122, at 3,000 from 90 to 113, at 10,000 from 95 to 106")


def test_what_an_answer_costs_at_each_load() -> None:
    usd = {place: {rate: charts.seen(place, rate).usd_per_million for rate in charts.RATES} for place in charts.PLACES}
    gpu, chip, own = usd["sagemaker-gpu"], usd["sagemaker-inferentia"], usd["ec2-vllm"]
    assert [round(each[0.5], 2) for each in (gpu, chip, own)] == [8.11, 5.3, 6.46]
    assert [round(each[8.0], 2) for each in (gpu, own)] == [0.53, 0.42]
    assert round(gpu[4.0], 2) == 1.04
    assert round(chip[0.9], 2) == 3.02
    carried = [rate for rate in charts.RATES if charts.seen("sagemaker-inferentia", rate).keeps_up]
    assert max(carried) == 0.9
    assert all(chip[rate] < own[rate] < gpu[rate] for rate in carried)
    assert all(charts.seen("sagemaker-gpu", rate).keeps_up for rate in charts.RATES)
    assert charts.bedrock_usd_per_million() == pytest.approx(0.5)
    assert all(usd[place][rate] > 0.5 for place in usd for rate in charts.RATES if rate <= 4)
    assert gpu[8.0] > 0.5 > own[8.0]
    says(
        "$5.30 a million at one request every two seconds, against $8.11",
        "down to $0.53",
        "$3.02 at its best",
        "At $0.50",
    )
    says("0.42 on a machine of one's own", "$0.53 a million, against $1.04", "Inferentia ends at 0.9 requests a second")


def test_the_seconds_that_no_brochure_has() -> None:
    chip, gpu = charts.seen("sagemaker-inferentia", 0.5), charts.seen("sagemaker-gpu", 0.5)
    assert [round(each.e2e_p50_s, 1) for each in (chip, gpu)] == [5.4, 2.8]
    assert [round(each.e2e_p99_s, 1) for each in (chip, gpu)] == [11.1, 3.0]
    assert [round(charts.seen("sagemaker-gpu", rate).e2e_p99_s, 1) for rate in (0.9, 4.0, 8.0)] == [3.0, 3.5, 4.8]
    says(
        "5.4 seconds on Inferentia and 2.8 on the GPU",
        "takes 11.1 and 3.0",
        "3.0 seconds at 0.9 requests a second, 3.5 at four",
    )


def test_a_batch_that_was_compiled_in_decides() -> None:
    assert SageMakerInferentia().max_batch == charts.BATCH
    assert SageMakerInferentia().model == charts.MODEL
    eight = charts.seen("sagemaker-inferentia", 1.4, 8)
    assert eight.keeps_up
    assert not charts.seen("sagemaker-inferentia", 1.4).keeps_up
    assert round(eight.usd_per_million, 2) == 1.92
    says("is full at 1.4 a second instead, and its best price is $1.92")


def test_an_error_on_what_was_shown_and_on_what_was_not() -> None:
    percent = {
        (figure, held): round(100 * charts.typical(figure, held))
        for figure in ("TTFT", "TPOT")
        for held in (False, True)
    }
    assert percent == {("TTFT", False): 4, ("TTFT", True): 23, ("TPOT", False): 2, ("TPOT", True): 15}
    ends = {figure: [e for each in charts.errors(figure, True).values() for e in each] for figure in ("TTFT", "TPOT")}
    assert [round(100 * end(ends["TTFT"])) for end in (min, max)] == [-32, 39]
    assert [round(100 * end(ends["TPOT"])) for end in (min, max)] == [-22, 20]
    assert max(abs(e) for f in ("TTFT", "TPOT") for each in charts.errors(f, False).values() for e in each) < 0.12
    says(
        "of a first token is 4 per cent, of a TPOT 2",
        "off by 23 per cent in the median, at worst by 39. TPOT by 15, at worst 22",
    )


def test_the_tour_is_told_as_it_was() -> None:
    runs = json.loads((charts.RECORDED.parent / "bench_all.json").read_text("utf-8"))["runs"]
    names = {
        "bedrock-on-demand": "Bedrock",
        "sagemaker-gpu": "GPU endpoint",
        "sagemaker-inferentia": "Inferentia",
    }
    for target in dict.fromkeys(run["target"] for run in runs):
        for way, name in (("direct", names.get(target, "EC2, vLLM")), ("through the queue", "queued")):
            three = sorted(
                (run for run in runs if (run["target"], run["way"]) == (target, way)), key=lambda run: run["rate_per_s"]
            )
            cells = [f"{run['e2e_p50_s']:.2f}" for run in (three[0], three[2])]
            says(f"| {name} | {' | '.join(cells)} |")
    gpu = {(run["way"], run["rate_per_s"]): run["e2e_p50_s"] for run in runs if run["target"] == "sagemaker-gpu"}
    usd = {
        (run["way"], run["rate_per_s"]): run["usd_per_million_output_tokens"]
        for run in runs
        if run["target"] == "sagemaker-gpu"
    }
    assert (usd["direct", 2.0], usd["through the queue", 2.0]) == (2.61, 2.77)
    says("it adds 16 cents to their $2.61 a million")
    added = [gpu["through the queue", rate] - gpu["direct", rate] for rate in (0.5, 1.0, 2.0)]
    assert added == pytest.approx([1.87, 0.32, 0.44], abs=0.005)
    invalid = sum(not run["valid"] for run in runs)
    says("The queue adds 1.9 seconds", "then 0.3 to 0.4", f"in {invalid} of the {len(runs)} runs")
    assert max(run["requests"] for run in runs) == 17
    says("seventeen requests at the highest rate")


def test_the_quota_is_what_stops_the_first_deployment() -> None:
    assert facts.number("sagemaker.quota.inf2-xlarge") == 0
    assert catalogue.target("sagemaker-inferentia").default_instance == "ml.inf2.xlarge"
