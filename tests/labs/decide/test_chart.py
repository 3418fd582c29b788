"""The flowcharts: no loops, every end reached by somebody's requirements, a reason at every step."""

from itertools import product

import pytest

from labs.decide.chart import Chart, End, chart, paths, walk
from labs.decide.questions import QUESTIONS
from labs.decide.requirements import Requirements, check
from labs.errors import Refusal
from labs.facts import catalogue

CHARTS = ("textbook", "engineering")


def many_requirements() -> list[Requirements]:
    """A grid over everything that a chart asks."""
    grid = product(
        ("nova-lite", "llama-3.1-8b", "llama-3.3-70b", "mistral-7b", None),
        (False, True),
        ("none", "container", "host"),
        (False, True),
        ("anywhere", "on-premises"),
        (False, True),
        ("steady", "spiky"),
        ("us-east-1", "us-west-2"),
        ("small", "platform"),
        (False, True),
    )
    return [
        Requirements(
            model=model,
            parameters_b=None if model else 13.0,
            custom_weights=custom,
            control=control,  # type: ignore[arg-type]
            kubernetes_estate=cluster,
            residency=residency,  # type: ignore[arg-type]
            answer_can_wait=wait,
            profile=profile,  # type: ignore[arg-type]
            region=region,
            team=team,  # type: ignore[arg-type]
            guaranteed_throughput=guaranteed,
        )
        for model, custom, control, cluster, residency, wait, profile, region, team, guaranteed in grid
    ] + [Requirements(model="nova-lite", edge=True)]


@pytest.mark.parametrize("name", CHARTS)
def test_every_end_is_reached_by_some_requirements_and_every_walk_has_reasons(name: str) -> None:
    drawn = chart(name)
    reached = set()
    for asked in many_requirements():
        way = walk(drawn, asked)
        reached.add(way.end.id)
        assert all(step.said.because for step in way.steps)
        assert len({step.node.id for step in way.steps}) == len(way.steps)
    assert reached == {end.id for end in drawn.ends()}


@pytest.mark.parametrize("name", CHARTS)
def test_no_way_through_a_chart_loops(name: str) -> None:
    ways = list(paths(chart(name)))
    assert all(len(set(way)) == len(way) for way in ways)
    assert all(isinstance(chart(name).nodes[way[-1]], End) for way in ways)


def test_the_textbook_draws_a_loop_and_the_mended_chart_has_none() -> None:
    drawn = chart("textbook")
    printed = {(a, b) for a, _, b in drawn.printed}
    assert {("sagemaker", "control"), ("control", "sagemaker")} <= printed


def test_a_chart_that_loops_is_refused() -> None:
    looping = chart("textbook")
    nodes = {**looping.nodes}
    ask = nodes["control"]
    nodes["control"] = type(ask)("control", "Again?", "custom_weights", "own", "available")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="loops: available"):
        list(paths(Chart("bad", "bad", "available", nodes)))


def test_every_target_a_chart_names_is_in_the_catalogue() -> None:
    named = {target for name in CHARTS for end in chart(name).ends() for target in end.targets}
    assert named <= set(catalogue.targets())


def test_the_flagship_leads_to_sagemaker_in_both_views() -> None:
    asked = Requirements(
        model="llama-3-70b", custom_weights=True, training_data_kept=False, control="container", requests_per_minute=100
    )
    assert walk(chart("textbook"), asked).end.family == "sagemaker"
    assert walk(chart("engineering"), asked).end.family == "sagemaker"


def test_an_engine_of_ones_own_is_ec2_in_the_textbook_and_a_container_in_engineering() -> None:
    asked = Requirements(model="mistral-7b", custom_weights=True, proprietary_engine=True)
    assert walk(chart("textbook"), asked).end.family == "own"
    assert walk(chart("engineering"), asked).end.family == "sagemaker"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"requests_per_minute": 0}, "requests per minute is 0"),
        ({"model": None}, "neither a model nor a size"),
        ({"answer_can_wait": True, "ttft_ms": 500}, "only one of the two can hold"),
        ({"ttft_ms": 900, "e2e_ms": 500}, "before the first"),
        ({"weights_format": "adapter"}, "no custom weights"),
        ({"profile": "sometimes"}, "can be steady"),
        ({"budget_usd_per_month": -1}, "budget is negative"),
    ],
)
def test_contradictory_or_impossible_requirements_are_told_which(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        check(Requirements(**{"model": "nova-lite", **wrong}))  # type: ignore[arg-type]
    assert refused.value.exit_status == 2


def test_an_unknown_model_offers_the_nearest() -> None:
    with pytest.raises(Refusal, match=r"llama-3\.3-70b"):
        check(Requirements(model="llama-3.3-70"))


def test_every_question_answers_every_requirement() -> None:
    for asked in many_requirements()[::37]:
        for question in QUESTIONS.values():
            said = question(asked)
            assert isinstance(said.yes, bool)
            assert said.because


def test_a_custom_model_on_demand_is_bounded_by_its_fixed_quota() -> None:
    asked = {
        "model": "llama-3.3-70b",
        "custom_weights": True,
        "already_in_bedrock": True,
        "region": "us-west-2",
        "requests_per_minute": 100,
    }
    fits = QUESTIONS["custom_on_demand_possible"](Requirements(**asked, input_tokens=2_000, output_tokens=900))  # type: ignore[arg-type]
    bursts = QUESTIONS["custom_on_demand_possible"](Requirements(**asked, input_tokens=2_000, output_tokens=1_100))  # type: ignore[arg-type]
    assert (fits.yes, bursts.yes) == (True, False)
    assert "quota" in bursts.because


def test_nobody_can_begin_to_customise_a_legacy_model_in_bedrock() -> None:
    asked = Requirements(model="llama-3.3-70b", custom_weights=True, training_data_kept=True, region="us-west-2")
    said = QUESTIONS["custom_on_demand_possible"](asked)
    assert not said.yes
    assert "Legacy" in said.because
    assert QUESTIONS["custom_on_demand_possible"](
        Requirements(model="llama-3.3-70b", custom_weights=True, already_in_bedrock=True, region="us-west-2")
    ).yes


def test_a_base_model_whose_container_must_be_ones_own_goes_to_an_endpoint() -> None:
    asked = Requirements(model="qwen3-32b", control="container")
    assert walk(chart("engineering"), asked).end.id == "endpoint"


def test_a_cluster_is_no_place_for_a_model_whose_weights_are_not_public() -> None:
    asked = Requirements(model="nova-lite", kubernetes_estate=True, team="platform")
    assert walk(chart("engineering"), asked).end.id == "on_demand"


@pytest.mark.parametrize("name", CHARTS)
def test_what_an_end_says_is_said_in_full(name: str) -> None:
    # An unquoted comma in YAML's flow style would cut the sentence short.
    assert all(len(end.says) > 10 for end in chart(name).ends())
    assert chart("textbook").nodes["own"] == End("own", "own", "EC2, EKS or a custom stack")
