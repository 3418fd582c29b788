"""Clusters come up and go; manifests are checked for their shape, and nobody pretends that a pod runs."""

from collections.abc import Iterator

import boto3
import pytest
import yaml

from labs import facts
from labs.cloud import manifests
from labs.cloud.context import Context
from labs.cloud.listener import open_listener
from labs.cloud.openai_server import Launch, ModelServer
from labs.errors import Refusal
from labs.targets import asking, ledger, permissions, quota, stacks
from labs.targets.eks import OnEks
from labs.targets.eks_triton import EksTriton
from labs.targets.eks_vllm import EksVllm
from tests.labs.targets import own_kit

BOTH = pytest.mark.parametrize("make", [EksVllm, EksTriton])


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with own_kit.quick_cloud(tmp_path_factory.mktemp("eks")) as made:
        own_kit.allow(made, 16)
        yield made


@BOTH
def test_its_whole_life(context: Context, make: type[OnEks]) -> None:  # noqa: ARG001
    said: list[str] = []
    target = make()
    site = own_kit.site(f"life-{target.name}", tell=said.append)
    with permissions.recording() as calls:
        target.deploy(site)
        assert boto3.client("eks").list_clusters()["clusters"] == [site.name]
        assert any("shape-checked, not run" in line for line in said)
        assert target.manifest_file(site).read_text() == target.manifest()
        with pytest.raises(Refusal, match=r"shape-checked, not run.*kubectl apply"):
            asking.ask(target, site, "Hello", 2)
        server = open_listener(ModelServer(Launch("qwen3-0.6b", "g5.xlarge")))  # what a forwarded Service would be
        try:
            forwarded = make(url=f"http://127.0.0.1:{server.port}")
            assert asking.ask(forwarded, site, "Hello", 2).output_tokens == 2
        finally:
            server.close()
        target.remove(site)
    assert permissions.missing(calls, target, site) == set()
    assert boto3.client("eks").list_clusters()["clusters"] == []
    assert stacks.find(site.name) is None
    assert ledger.entries(site.cloud) == []
    assert not target.manifest_file(site).exists()


@BOTH
def test_manifests_have_the_shape_that_kubernetes_takes_and_ask_for_every_gpu(make: type[OnEks]) -> None:
    target = make(model="llama-3.3-70b", instance_type="g6e.12xlarge", token_secret="hf", max_instances=3)
    checked = manifests.check(target.manifest())
    assert checked.problems == ()
    assert {"Deployment/server", "Service/server", "HorizontalPodAutoscaler/server"} <= set(checked.resources)
    found = {document["kind"]: document for document in yaml.safe_load_all(target.manifest())}
    [container] = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 4}
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "hf", "key": "token"}
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    assert found["HorizontalPodAutoscaler"]["spec"]["maxReplicas"] == 3
    assert found["Service"]["spec"].get("type", "ClusterIP") == "ClusterIP"  # a load balancer would outlive the stack


def test_tritons_repository_names_the_model_and_an_own_back_end_is_built_only_from_source() -> None:
    documents = list(yaml.safe_load_all(EksTriton().manifest()))
    maps = {each["metadata"]["name"]: each["data"] for each in documents if each["kind"] == "ConfigMap"}
    assert yaml.safe_load(maps["models"]["model.json"])["model"] == "Qwen/Qwen3-0.6B"
    assert "no back end of one's own to build" in maps["build-backend"]["build.sh"]


def test_nodes_without_a_quota_are_refused_first(context: Context) -> None:
    own_kit.allow(context, 4)
    with pytest.raises(quota.TooSmall, match="desired-value 8"):
        EksVllm(max_instances=2).deploy(own_kit.site("eks-quota"))
    assert stacks.find("eks-quota") is None
    own_kit.allow(context, 16)


def test_its_price_holds_the_control_plane_and_every_node_it_may_grow_to() -> None:
    bill = EksVllm(max_instances=3).worst_case(own_kit.site("eks-price", hours=10))
    by_name = {line.name: line.usd for line in bill.lines}
    assert by_name["instance hours"] == pytest.approx(30 * facts.number("ec2.price.g5-xlarge"))
    assert by_name["EKS control plane"] == pytest.approx(10 * facts.number("eks.price.control_plane_per_hour"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"instances": 2}, "max_instances"), ({"model": "llama-3.1-8b", "instance_type": "g5.2xlarge"}, "licence")],
)
def test_wrong_options_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        EksVllm(**options).check(own_kit.site("eks-wrong"))  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="--set allow="):
        EksVllm().check(own_kit.site("eks-real", real=True))
