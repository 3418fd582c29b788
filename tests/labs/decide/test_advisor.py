"""The advisor: two views together, every target ranked or ruled out, costs and latencies that follow from the register."""

import json
from dataclasses import replace

import pytest

from labs import facts
from labs.decide.advisor import advise
from labs.decide.requirements import Requirements
from labs.economics import instances, tokens
from labs.errors import Refusal
from labs.facts import catalogue
from labs.facts.catalogue import UnknownEntry
from tests.labs.decide.asked import FLAGSHIP, TWIN

MONTH = 730


def test_the_flagship_leads_to_a_sagemaker_endpoint_in_both_views() -> None:
    advice = advise(FLAGSHIP)
    assert advice.exam.family == "sagemaker"
    assert advice.exam.target == "sagemaker-gpu"
    assert advice.best is not None
    assert advice.best.target == "sagemaker-gpu"
    assert "The chart ends there too" in advice.agrees


def test_the_exam_view_is_sharpened_by_the_matrix_and_says_how_far_its_row_holds() -> None:
    advice = advise(FLAGSHIP)
    assert [match.row.id for match in advice.exam.matches] == ["custom"]
    assert any("outdated" in note.says for note in advice.exam.notes)
    at_scale = advise(replace(FLAGSHIP, requests_per_minute=300))
    assert at_scale.exam.target == "sagemaker-inferentia"
    assert any("does not name Inferentia" in note.says for note in at_scale.exam.notes)


def test_the_flagships_twin_is_cheaper_per_token_until_its_quota_ends() -> None:
    advice = advise(TWIN)
    assert advice.exam.family == "sagemaker"
    best = advice.best
    assert best is not None
    assert best.target == "bedrock-custom-on-demand"
    assert best.usd == pytest.approx(tokens.custom_on_demand("llama-3-3-70b", TWIN.traffic).usd + 1.95)
    assert best.usd == pytest.approx(2_208, rel=0.01)
    [one] = [e for e in advice.option("sagemaker-inferentia").break_even if e.instance == "ml.inf2.48xlarge"]
    assert one.usd_per_month == pytest.approx(instances.endpoint("ml.inf2.48xlarge").usd)
    assert one.usd_per_month == pytest.approx(11_373, rel=0.01)
    assert one.against == "bedrock-custom-on-demand"
    assert one.tokens_per_request == pytest.approx(3_606, rel=0.01)
    assert one.quota_tokens_per_request == pytest.approx(3_000)
    assert one.carries_tokens_per_request < one.tokens_per_request


def test_the_twins_nearest_flip_is_the_fixed_quota() -> None:
    nearest = advise(TWIN).flips[0]
    assert nearest.assumption == "tokens"
    assert nearest.at == pytest.approx(3_000, rel=0.001)
    assert nearest.becomes == "sagemaker-gpu"
    assert "fixed quota of 300,000" in nearest.because


def test_a_newcomer_is_told_that_the_twins_answer_is_closed_and_what_would_open_it() -> None:
    advice = advise(replace(TWIN, already_in_bedrock=False, training_data_kept=True))
    closed = advice.option("bedrock-custom-on-demand")
    assert not closed.feasible
    assert "Legacy" in closed.reasons[0].because
    assert advice.best is not None
    assert advice.best.family == "sagemaker"
    [opens] = [what for what in advice.what_ifs if what.becomes == "bedrock-custom-on-demand"]
    assert opens.change == "if it were customised in Bedrock already"
    assert opens.usd_per_month == pytest.approx(2_208, rel=0.01)


def test_one_machine_too_few_is_seen_although_its_memory_would_do() -> None:
    inferentia = advise(FLAGSHIP).option("sagemaker-inferentia")
    by_type = {sizing.instance: sizing for sizing in inferentia.considered}
    large = by_type["ml.inf2.48xlarge"]
    assert large.per_instance_rps < 100 / 60 < large.count * large.per_instance_rps
    assert inferentia.sizing is not None
    assert inferentia.sizing.usd_per_month == min(sizing.usd_per_month for sizing in inferentia.considered)


def test_the_endpoint_quota_of_zero_is_a_task_and_no_exclusion() -> None:
    inferentia = advise(FLAGSHIP).option("sagemaker-inferentia")
    assert inferentia.feasible
    if inferentia.sizing is not None and inferentia.sizing.instance == "ml.inf2.48xlarge":
        assert any("L-286C98BC is 0" in todo.what for todo in inferentia.todo)
    eight = advise(Requirements(model="llama-3-8b", custom_weights=True)).option("sagemaker-inferentia")
    assert any("quota L-C8AB7CDA is 0 by default" in todo.what for todo in eight.todo)
    assert any("maintenance mode" in caution.because for caution in eight.cautions)


@pytest.mark.parametrize(
    ("asked", "best"),
    [
        (Requirements(model="nova-lite"), "bedrock-on-demand"),
        (Requirements(model="nova-lite", answer_can_wait=True), "bedrock-batch"),
        (Requirements(model="nova-lite", guaranteed_throughput=True), "bedrock-provisioned"),
        (Requirements(model="claude-haiku-4.5", guaranteed_throughput=True), "bedrock-on-demand"),
        (Requirements(model="nova-pro", custom_weights=True, training_data_kept=True), "bedrock-custom-on-demand"),
        (
            Requirements(model="llama-3.1-8b", custom_weights=True, profile="spiky", requests_per_minute=100),
            "bedrock-custom-import",
        ),
        (Requirements(model="qwen3-30b-a3b", requests_per_minute=300), "sagemaker-gpu"),
        (Requirements(model="qwen3-30b-a3b", answer_can_wait=True, profile="nightly"), "sagemaker-components"),
        (Requirements(model="mistral-7b", custom_weights=True, control="host", team="platform"), "ec2-vllm"),
        (
            Requirements(model="mistral-7b", custom_weights=True, kubernetes_estate=True, team="platform"),
            "eks-vllm",
        ),
        (
            Requirements(
                model="mistral-7b",
                custom_weights=True,
                kubernetes_estate=True,
                team="platform",
                proprietary_engine=True,
            ),
            "eks-triton",
        ),
        (Requirements(model="qwen3-0.6b", requests_per_minute=1), "sagemaker-serverless"),
        (Requirements(model="qwen3-0.6b", edge=True), "edge-greengrass"),
        (Requirements(model="mistral-7b", residency="on-premises"), "eks-vllm"),
    ],
)
def test_where_different_needs_lead(asked: Requirements, best: str) -> None:
    advice = advise(asked)
    assert advice.best is not None
    assert best in {advice.best.target, *(option.target for option in advice.tied)}
    assert advice.best.family == catalogue.target(best).family


@pytest.mark.parametrize("asked", [FLAGSHIP, TWIN, Requirements(model="nova-lite"), Requirements(parameters_b=13)])
def test_all_sixteen_targets_are_ranked_or_ruled_out_with_a_reason(asked: Requirements) -> None:
    advice = advise(asked)
    assert sorted(option.target for option in advice.options) == sorted(catalogue.targets())
    assert [option.rank for option in advice.ranked] == list(range(1, len(advice.ranked) + 1))
    assert all(option.reasons for option in advice.ruled_out)
    assert all(option.bill or option.unpriced for option in advice.ranked)
    assert all(option.prediction or option.unpredicted for option in advice.ranked)
    assert all(option.deploy.startswith(f"lab deploy {option.target}") for option in advice.options)


def test_every_bill_is_named_dimensions_that_add_up_and_lie_in_their_range() -> None:
    for option in advise(replace(FLAGSHIP, team="platform")).ranked:
        assert option.bill is not None
        assert option.usd == pytest.approx(sum(line.usd for line in option.bill.lines))
        assert option.usd_range is not None
        low, high = option.usd_range
        assert low <= option.usd <= high
        assert all(line.facts or line.assumption for line in option.bill.lines)
        assert all(facts.get(id) for id in option.facts())


def test_a_stack_of_ones_own_pays_its_people_and_is_tied_where_they_decide() -> None:
    advice = advise(replace(FLAGSHIP, team="platform"))
    ec2 = advice.option("ec2-vllm")
    assert ec2.bill is not None
    shares = ec2.bill.shares()
    assert set(shares) == {"instance hours", "engineers' time"}
    machines = ec2.bill.lines[0].usd
    assert machines < (advice.option("sagemaker-gpu").usd or 0)
    assert ec2.tied
    [people] = [flip for flip in advice.flips if flip.assumption == "engineer_hours"]
    assert people.becomes == "ec2-vllm"
    assert not people.known
    assert machines + people.at * 100 == pytest.approx(advice.option("sagemaker-gpu").usd, rel=0.01)


def test_a_cluster_that_is_there_already_costs_no_control_plane() -> None:
    asked = Requirements(model="mistral-7b", custom_weights=True, team="platform")
    without = advise(asked).option("eks-vllm").bill
    with_one = advise(replace(asked, kubernetes_estate=True)).option("eks-vllm").bill
    assert without is not None
    assert with_one is not None
    assert "EKS control plane" in without.shares()
    assert "EKS control plane" not in with_one.shares()
    assert with_one.usd < without.usd


def test_software_in_maintenance_mode_is_not_put_first_while_another_is_as_good() -> None:
    advice = advise(Requirements(model="mistral-7b", custom_weights=True))
    cheapest = min((option for option in advice.ranked if option.usd), key=lambda option: option.usd or 0)
    assert cheapest.target == "sagemaker-inferentia"
    assert cheapest.tied
    assert advice.best is not None
    assert advice.best.target == "sagemaker-gpu"


def test_redundancy_keeps_instances_up_that_the_traffic_does_not_need() -> None:
    one = advise(FLAGSHIP).option("sagemaker-gpu")
    two = advise(replace(FLAGSHIP, redundancy=2)).option("sagemaker-gpu")
    assert one.sizing is not None
    assert two.sizing is not None
    assert two.sizing.count >= 2
    assert two.utilisation is not None
    assert one.utilisation is not None
    assert (two.usd or 0) > (one.usd or 0)


def test_an_objective_excludes_what_misses_it_and_chooses_larger_machines() -> None:
    relaxed = advise(FLAGSHIP).option("sagemaker-gpu")
    strict = advise(replace(FLAGSHIP, e2e_ms=5_000)).option("sagemaker-gpu")
    assert strict.prediction is not None
    assert relaxed.prediction is not None
    assert strict.prediction.e2e_p99.central <= 5_000 < relaxed.prediction.e2e_p99.central
    assert strict.meets == "yes"
    assert (strict.usd or 0) > (relaxed.usd or 0)
    impossible = advise(replace(FLAGSHIP, ttft_ms=1)).option("sagemaker-gpu")
    assert not impossible.feasible
    assert impossible.reasons[0].rule == "keeps_the_objective"


def test_a_service_whose_insides_are_unknown_may_miss_an_objective_and_is_not_put_first_for_it() -> None:
    advice = advise(Requirements(model="qwen3-32b", ttft_ms=1_000, requests_per_minute=30))
    on_demand = advice.option("bedrock-on-demand")
    assert on_demand.feasible
    assert on_demand.meets == "unsure"
    assert advice.best is not None
    assert advice.best.meets == "yes"
    assert (advice.best.usd or 0) > (on_demand.usd or 0)


def test_over_budget_is_told_and_excludes_nothing() -> None:
    advice = advise(replace(TWIN, budget_usd_per_month=1_000))
    assert all(option.over_budget for option in advice.ranked)
    assert "over the budget, and nothing cheaper is left" in advice.says
    some = advise(replace(TWIN, budget_usd_per_month=5_000))
    assert [option.over_budget for option in some.ranked][:2] == [False, True]


def test_machines_that_can_sleep_cost_less_where_the_hours_are_known() -> None:
    advice = advise(Requirements(model="llama-3-8b", custom_weights=True, profile="office-hours"))
    sleeping, standing = advice.option("sagemaker-components"), advice.option("sagemaker-gpu")
    assert (sleeping.usd or 0) < 0.5 * (standing.usd or 0)
    assert any("on a schedule" in caution.because for caution in sleeping.cautions)
    bursts = advise(Requirements(model="llama-3-8b", custom_weights=True, profile="spiky"))
    assert bursts.option("sagemaker-components").usd == pytest.approx(bursts.option("sagemaker-gpu").usd)


def test_an_imported_copy_that_wakes_slowly_may_break_an_objective() -> None:
    asked = Requirements(model="llama-3-8b", custom_weights=True, profile="spiky", ttft_ms=2_000)
    # At the fast end of what is assumed fewer than one request in a hundred meets a cold start, at the slow end more.
    assert advise(asked).option("bedrock-custom-import").meets == "unsure"
    assert advise(replace(asked, profile="steady")).option("bedrock-custom-import").meets == "yes"


def test_a_model_known_by_its_size_alone_is_sized_by_arithmetic() -> None:
    advice = advise(Requirements(parameters_b=70.5, requests_per_minute=100))
    named = advise(Requirements(model="llama-3-70b", requests_per_minute=100))
    unnamed, known = advice.option("sagemaker-gpu").sizing, named.option("sagemaker-gpu").sizing
    assert unnamed is not None
    assert known is not None
    assert unnamed.instance == known.instance
    assert unnamed.per_instance_rps == pytest.approx(known.per_instance_rps, rel=0.05)
    assert "in no catalogue" in advice.option("bedrock-on-demand").reasons[0].because
    assert any("proportions" in note.says for note in advice.notes)
    huge = advise(Requirements(parameters_b=2_000))
    assert huge.option("sagemaker-gpu").reasons[0].rule == "fits_on_an_instance"


def test_when_nothing_fits_it_says_what_stands_in_the_way() -> None:
    advice = advise(Requirements(model="claude-sonnet-4.5", residency="region", requests_per_minute=10))
    assert advice.best is None
    assert advice.says.startswith("None of the sixteen")
    assert [what.becomes for what in advice.what_ifs] == ["bedrock-on-demand"]
    assert advice.what_ifs[0].changes == ("residency",)


def test_data_that_may_go_anywhere_take_the_cheaper_global_profile() -> None:
    asked = Requirements(model="claude-haiku-4.5")
    anywhere, at_home = advise(asked), advise(replace(asked, residency="geography"))
    cheap, dear = anywhere.option("bedrock-on-demand").usd, at_home.option("bedrock-on-demand").usd
    assert (cheap or 0) == pytest.approx((dear or 0) / 1.1)
    assert "global.anthropic" in anywhere.option("bedrock-on-demand").deploy
    assert "us.anthropic" in at_home.option("bedrock-on-demand").deploy


def test_a_contradiction_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(Refusal, match="only one of the two can hold"):
        advise(Requirements(model="nova-lite", answer_can_wait=True, ttft_ms=100))


def test_an_unknown_target_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownEntry, match="sagemaker-gpu"):
        advise(Requirements(model="nova-lite")).option("sagemaker-cpu")


def test_the_same_question_has_the_same_answer() -> None:
    assert json.dumps(advise(FLAGSHIP).as_dict()) == json.dumps(advise(FLAGSHIP).as_dict())


def test_a_model_published_in_four_bits_can_be_imported_although_it_would_be_too_large_in_sixteen() -> None:
    imported = advise(Requirements(model="gpt-oss-120b", custom_weights=True)).option("bedrock-custom-import")
    assert imported.feasible
    assert (
        not advise(Requirements(model="gpt-oss-120b", custom_weights=True, region="us-west-2"))
        .option("bedrock-custom-import")
        .feasible
    )


def test_hundreds_of_instances_are_no_answer() -> None:
    advice = advise(Requirements(model="gpt-oss-120b", requests_per_minute=3_000, e2e_ms=8_000))
    assert advice.option("sagemaker-inferentia").reasons[0].rule == "runs_on_so_many"
    assert "which may miss the objective" in advice.agrees
