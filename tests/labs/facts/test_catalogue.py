"""Models, accelerators, machines, images and targets."""

import pytest

from labs import facts
from labs.facts import catalogue, register
from labs.facts.catalogue import UnknownEntry
from labs.facts.documents import BadDocument

ACCELERATORS = [
    "a10g",
    "l4",
    "l40s",
    "a100-40",
    "a100-80",
    "h100",
    "h200",
    "inferentia2",
    "trainium1",
    "trainium2",
    "graviton",
]
MODELS = [
    "llama-3-8b",
    "llama-3.1-8b",
    "llama-3-70b",
    "llama-3.1-70b",
    "llama-3.3-70b",
    "mistral-7b",
    "mixtral-8x7b",
    "qwen3-32b",
    "qwen3-30b-a3b",
    "gpt-oss-20b",
    "gpt-oss-120b",
]
TARGETS = [
    "bedrock-on-demand",
    "bedrock-batch",
    "bedrock-provisioned",
    "bedrock-custom-import",
    "bedrock-custom-on-demand",
    "sagemaker-gpu",
    "sagemaker-inferentia",
    "sagemaker-jumpstart",
    "sagemaker-async",
    "sagemaker-serverless",
    "sagemaker-components",
    "sagemaker-graviton",
    "ec2-vllm",
    "eks-vllm",
    "eks-triton",
    "edge-greengrass",
]


def test_the_ids_that_others_refer_to_are_there() -> None:
    assert set(ACCELERATORS) <= set(catalogue.accelerators())
    assert set(MODELS) <= set(catalogue.models())
    assert list(catalogue.targets()) == TARGETS


@pytest.mark.parametrize("id", MODELS)
def test_a_shape_adds_up_to_the_published_number_of_parameters(id: str) -> None:
    shape = catalogue.model(id).shape
    assert shape is not None
    assert shape.counted_parameters() == pytest.approx(shape.parameters, rel=1e-3)
    assert shape.heads % shape.kv_heads == 0
    assert shape.active_parameters <= shape.parameters
    assert (shape.active_parameters == shape.parameters) == (shape.experts == 1)


@pytest.mark.parametrize(("id", "kib"), [("llama-3.1-8b", 128), ("llama-3.3-70b", 320), ("qwen3-32b", 256)])
def test_the_kv_cache_of_a_token_has_the_size_that_is_known(id: str, kib: int) -> None:
    shape = catalogue.model(id).shape
    assert shape is not None
    assert shape.kv_bytes_per_token() == kib * 1024
    assert shape.kv_bytes_per_token(1) == kib * 512


def test_seventy_billion_parameters_fit_two_h100_in_16_bits_and_not_one() -> None:
    shape = catalogue.model("llama-3.3-70b").shape
    h100 = catalogue.accelerator("h100")
    assert shape is not None
    assert h100.memory_bytes < 2 * shape.parameters < 2 * h100.memory_bytes


@pytest.mark.parametrize("accelerator", catalogue.accelerators().values(), ids=lambda a: a.id)
def test_raw_figures_are_of_a_plausible_size(accelerator: catalogue.Accelerator) -> None:
    assert 20e9 < accelerator.memory_bytes < 200e9
    assert 0.2e12 < accelerator.bandwidth.base < 6e12
    assert 15e12 < accelerator.dense_bf16.base < 1.5e15
    assert accelerator.dense_fp8 is None or accelerator.dense_fp8.base >= accelerator.dense_bf16.base
    assert accelerator.usable_memory is None or accelerator.usable_memory.base <= accelerator.memory.base * 1.08


def test_doubtful_figures_say_so() -> None:
    a10g = catalogue.accelerator("a10g")
    assert a10g.dense_bf16.confidence == "unverified"
    assert a10g.dense_bf16.note


def test_powers_of_ten_and_of_two_are_kept_apart() -> None:
    assert catalogue.accelerator("inferentia2").bandwidth.base == 820 * 2**30
    assert catalogue.accelerator("h100").bandwidth.base == 3.35e12


@pytest.mark.parametrize("machine", catalogue.instances().values(), ids=lambda m: m.id)
def test_a_machine_has_its_accelerator_and_price(machine: catalogue.InstanceType) -> None:
    assert machine.accelerator in catalogue.accelerators()
    assert machine.id.startswith("ml.") == (machine.service == "sagemaker")
    if machine.price:
        price = facts.get(machine.price)
        assert price.unit == "USD/instance-hour"
        assert machine.id.removeprefix("ml.") in price.says
        assert price.region in machine.priced_in


def test_sagemaker_costs_more_than_the_same_machine_on_ec2() -> None:
    """The premium that AWS takes is between a tenth and a half for every type that both sell."""
    compared = 0
    for machine in catalogue.instances().values():
        twin = catalogue.instances().get(f"ml.{machine.id}")
        if machine.price and twin and twin.price:
            ratio = facts.number(twin.price) / facts.number(machine.price)
            assert 1.1 < ratio < 1.5, machine.id
            compared += 1
    assert compared >= 15


def test_the_quota_of_inferentia_is_zero_and_has_its_code() -> None:
    machine = catalogue.instance("ml.inf2.48xlarge")
    assert machine.quota is not None
    assert facts.value(machine.quota) == 0
    assert machine.quota_code == facts.text("sagemaker.quota.code.inf2-48xlarge")
    assert catalogue.instance("inf2.48xlarge").quota is None


def test_no_region_serves_everything() -> None:
    every = [set(target.regions) for target in catalogue.targets().values()]
    every += [set(model.bedrock.regions) for model in catalogue.models().values() if model.bedrock]
    assert not set.intersection(*every)


def test_llama_3_3_is_reached_from_us_east_1_only_through_a_profile() -> None:
    on = catalogue.model("llama-3.3-70b").bedrock
    assert on is not None
    assert "us-east-1" not in on.in_region
    assert "us-east-1" in on.through_profile
    assert catalogue.served("llama-3.3-70b", "custom_on_demand") == ("us-west-2",)
    assert catalogue.served("llama-3.3-70b", "provisioned") == ()
    assert catalogue.served("qwen3-30b-a3b") == ()


def test_lifecycle_and_register_agree() -> None:
    for model in catalogue.models().values():
        if model.bedrock and model.bedrock.end_of_life:
            end = facts.get(model.bedrock.end_of_life)
            assert end.unit == "date"
            state = facts.where(end.id.replace(".eol", ".state"))
            if state:
                assert str(state[0].value).lower() == model.bedrock.lifecycle


def test_importable_models_are_in_regions_that_import() -> None:
    regions = facts.value("bedrock.import.regions")
    for model in catalogue.models().values():
        assert set(model.importable) <= set(regions)


def test_an_edge_target_makes_an_artifact_and_is_outside_the_exam() -> None:
    edge = catalogue.target("edge-greengrass")
    assert edge.kinds == ("artifact",)
    assert not edge.in_exam_scope
    assert all(target.in_exam_scope for target in catalogue.targets().values() if target is not edge)


def test_no_image_has_a_tag_or_an_address_of_its_own() -> None:
    for image in catalogue.images().values():
        for text in (image.what, image.uri_from, image.status):
            assert "amazonaws.com" not in text
            assert ":latest" not in text


def test_an_unknown_entry_offers_the_nearest() -> None:
    with pytest.raises(UnknownEntry, match=r"no model 'llama-3\.3-80b'; nearest: llama-3\.3-70b"):
        catalogue.model("llama-3.3-80b")
    with pytest.raises(KeyError, match="no target 'nosuch'"):
        catalogue.target("nosuch")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (
            "models",
            "models:\n  m: {name: M, provider: P, shape: {layers: 1}}\n",
            r"models.yaml:2: models.m: shape.parameters",
        ),
        (
            "accelerators",
            "accelerators:\n  a: {memory: {is: 80 gigs, source: page}}\n",
            r"'80 gigs' is not a number and one of GB",
        ),
        ("instances", "instances:\n  i: {ec2: maybe, source: page}\n", r"instances.yaml:2: i: ec2: must be priced"),
        (
            "targets",
            "targets:\n  t: {family: own, kinds: [online], what: x, regions: [], default_model: m}\n",
            r"without regions a note",
        ),
        ("images", "pictures: {}\n", r"images.yaml:1: this file is one mapping 'images:'"),
    ],
)
def test_a_wrong_entry_is_reported_with_file_line_and_reason(make_register, name: str, text: str, reason: str) -> None:
    made: register.Register = make_register(**{f"catalogue__{name}": text})
    with pytest.raises(BadDocument, match=reason):
        catalogue.load(made)
