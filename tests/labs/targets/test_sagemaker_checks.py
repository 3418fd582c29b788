"""What is refused before anything is created, what it costs at most, and templates that the linter accepts."""

from collections.abc import Iterator
from typing import Any

import pytest

from labs import facts, targets
from labs.bench.overlay import engine_for
from labs.cloud.context import Context
from labs.errors import Refusal
from labs.serving.static_batching import StaticSpec
from labs.targets import options, quota
from tests.labs.targets.sagemaker_targets import allow, cloud_for_targets, remains, site


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    yield from cloud_for_targets(tmp_path_factory.mktemp("targets"))


@pytest.mark.usefixtures("cloud")
def test_a_quota_of_none_is_refused_with_the_exact_request() -> None:
    with pytest.raises(quota.TooSmall) as refused:
        targets.get("sagemaker-inferentia")(instances=2).deploy(site("too-small"))
    assert (
        "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-C8AB7CDA --desired-value 2 --region us-east-1"
        in str(refused.value)
    )
    assert remains() == {}


@pytest.mark.parametrize(
    ("name", "pairs", "words"),
    [
        ("sagemaker-gpu", ["instance_type=ml.inf2.xlarge"], "is for gpu instances"),
        ("sagemaker-gpu", ["model=llama-3.1-8b"], "token_secret"),
        ("sagemaker-gpu", ["instances=3", "max_instances=2"], "from 3 to 2"),
        ("sagemaker-gpu", ["tensor_parallel=2"], "has 1 devices"),
        ("sagemaker-gpu", ["subnets=subnet-1"], "a VPC takes both"),
        ("sagemaker-components", ["copies=5", "max_copies=5"], "room for 4 copies"),
        ("sagemaker-serverless", ["memory_mb=7000"], "in steps of 1024"),
        ("sagemaker-jumpstart", ["model=meta-textgeneration-llama-3-1-8b-instruct"], "accept_eula=yes"),
        ("sagemaker-jumpstart", ["model=nobody-knows"], "list-hub-contents"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_created(
    cloud: Context, name: str, pairs: list[str], words: str
) -> None:
    allow(cloud, "ml.g5.2xlarge")
    with pytest.raises(Refusal, match=words):
        options.make(name, targets.get(name), pairs).deploy(site("refused"))
    assert remains() == {}


def test_an_inferentia_endpoint_says_what_its_model_was_compiled_for(cloud: Context) -> None:
    """Also to who did not deploy it: it is read from the container's environment."""
    allow(cloud, "ml.inf2.8xlarge")
    pairs = ["instance_type=ml.inf2.8xlarge", "max_batch=8", "quantize=static_int8", "n_positions=4096"]
    options.make("sagemaker-inferentia", targets.get("sagemaker-inferentia"), pairs).deploy(site("compiled"))
    target: Any = targets.get("sagemaker-inferentia")()
    said = target.describe(site("compiled"))
    assert said == {
        "instance_type": "ml.inf2.8xlarge",
        "replicas": 1,
        "model": "mistral-7b",
        "tensor_parallel": 2,
        "max_num_seqs": 8,
        "n_positions": 4096,
        "dtype": "int8",
    }
    simulated, _ = engine_for(said)
    assert isinstance(simulated.replica, StaticSpec)
    assert simulated.replica.max_batch == 8
    target.remove(site("compiled"))
    assert remains() == {}


def test_a_wrong_option_lists_those_there_are() -> None:
    with pytest.raises(Refusal, match="no option 'colour'; its options are: model, instance_type"):
        options.make("sagemaker-gpu", targets.get("sagemaker-gpu"), ["colour=red"])


def test_the_worst_case_is_all_the_instances_for_the_whole_time() -> None:
    target = targets.get("sagemaker-gpu")(max_instances=3)
    assert target.worst_case(site("cost", hours=5)).usd == pytest.approx(
        15 * facts.number("sagemaker.price.g5-2xlarge")
    )
    assert targets.get("sagemaker-serverless")().worst_case(site("cost")).usd == 0
