"""What lesson 4 says in numbers comes out of the engine and the register; its charts show what their descriptions claim."""

from pathlib import Path

import pytest
from lessoncharts import custom as charts

from labs import facts
from labs.facts import catalogue
from labs.serving.profiles import Choices

LESSON = (Path(__file__).parents[2] / "book" / "04-custom.md").read_text("utf-8")


def says(*sentences: str) -> None:
    text = " ".join(LESSON.split())
    for sentence in sentences:
        assert sentence in text, sentence


def test_the_fifth_reader_waits_and_bytes_decide_who_is_the_fifth() -> None:
    assert charts.room("BF16") == (29_751, 4)
    assert charts.room("BF16, cache in FP8") == (59_502, 9)
    assert charts.room("FP8 throughout") == (182_034, 28)
    first = {n: charts.reader("BF16", n).first_token_s for n in (4, 5, 10)}
    assert first == pytest.approx({4: 1.3, 5: 8.3, 10: 43.4}, abs=0.1)
    assert charts.reader("BF16, cache in FP8", 8).first_token_s == pytest.approx(1.6, abs=0.1)
    assert charts.reader("BF16, cache in FP8", 10).first_token_s == pytest.approx(5.1, abs=0.1)
    assert charts.reader("FP8 throughout", 28).first_token_s < 2
    assert charts.reader("BF16", 1).tpot_ms / charts.reader("FP8 throughout", 1).tpot_ms > 1.9
    says("29,751 ÷ 6,400 = 4.6", "nine contracts in place of four", "**28 contracts**: seven times as many")


def test_where_the_memory_goes() -> None:
    memory = charts.deployment(charts.MODEL, charts.INSTANCE, charts.CACHES["BF16"]).memory
    gb = [
        round(b / 1e9, 1) for b in (memory.total_bytes, memory.usable_bytes, memory.weights_bytes, memory.reserve_bytes)
    ]
    assert gb == [23.6, 21.3, 16.1, 1.3]
    free = memory.usable_bytes - memory.weights_bytes - memory.reserve_bytes
    assert free / 1e9 == pytest.approx(3.9, abs=0.01)
    assert memory.kv_bytes_per_token == 131_072
    assert 59_502 // 7_500 == 7
    assert 182_034 // 7_500 == 24
    cold = charts.deployment(charts.MODEL, charts.INSTANCE, charts.CACHES["BF16"]).spec.cold_start_s
    assert cold == pytest.approx(256, abs=1)


def test_splitting_buys_latency_with_throughput() -> None:
    eight, one = charts.split(1, 256), charts.split(8, 256)
    assert round(eight.tokens_per_s) == 9478
    assert round(one.tokens_per_s) == 3069
    assert charts.split(8, 8).tpot_ms == pytest.approx(6.4, abs=0.1)
    assert charts.split(1, 8).tpot_ms > 20
    assert charts.split(1, 512).tokens_per_s > 15_000
    assert max(charts.split(8, n).tokens_per_s for n in charts.IN_FLIGHT) < 3_100
    says("9,478 tokens a second, and the single one 3,069", "6 milliseconds per token against 20")


def test_what_a_split_moves() -> None:
    shape = catalogue.model("llama-3-70b").shape
    assert shape is not None
    moved = 2 * shape.layers * shape.hidden * 2
    assert moved / 1e6 == pytest.approx(2.6, abs=0.03)
    assert shape.hidden * 2 / 1024 == 16
    assert moved * 3000 / 1e9 == pytest.approx(7.9, abs=0.05)
    assert moved * 3000 / 50e9 == pytest.approx(0.16, abs=0.003)
    says("**2.6 MB per token**, in 160 conversations", "7.9 GB: 0.16 seconds")


def test_the_second_exercise_has_the_answer_that_it_gives() -> None:
    def at(degree: int, clients: int) -> charts.Seen:
        return charts.closed(
            "llama-3-70b", "p5.48xlarge", Choices(dtype="bf16", tensor_parallel=degree), clients, 500, 200
        )

    assert at(8, 8).tpot_ms / at(4, 8).tpot_ms == pytest.approx(0.56, abs=0.03)
    assert 2 * at(4, 128).tokens_per_s > at(8, 256).tokens_per_s


def test_what_the_discount_pays_for() -> None:
    own, managed = facts.number("ec2.price.g6e-12xlarge"), facts.number("sagemaker.price.g6e-12xlarge")
    saved = (managed - own) * 730
    plane = facts.number("eks.price.control_plane_per_hour") * 730
    assert managed / own == pytest.approx(1.25, abs=0.005)
    assert saved == pytest.approx(1918, abs=0.5)
    assert plane == pytest.approx(73)
    assert saved // 100 == 19
    assert 10 * saved // 100 == 191
    assert (2 * saved - plane) / 100 == pytest.approx(37.6, abs=0.1)
    assert facts.number("eks.price.extended_support_per_hour") == pytest.approx(
        6 * facts.number("eks.price.control_plane_per_hour")
    )
    says("**$1,918 a month**", "$19,180 a month", "$3,836, less $73", "about 37 hours")
