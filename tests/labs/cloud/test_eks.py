"""Clusters as far as the API goes, and manifests as far as their shape goes."""

import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from labs import facts
from labs.cloud import environment, extension, kubernetes_schemas, manifests
from labs.cloud.context import REGION, Context
from labs.cloud.services import eks, quotas
from labs.errors import Refusal
from tests.labs.cloud.kit import Aws

ROLE = "arn:aws:iam::123456789012:role/eks"
NETWORK = {"subnetIds": ["subnet-1", "subnet-2"]}


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


Cloud = tuple[Aws, Clock]


@pytest.fixture(scope="class")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud inside this process, and its clock."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(environment.is_aws_variable, dict(os.environ)):
            patch.delenv(name)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setattr(environment, "_only_loopback", False)
        patch.setattr(eks, "time", clock)
        context = Context(home=tmp_path_factory.mktemp("cloud"))
        with mock_aws():
            extension.install(context)
            quotas.set_value(context, REGION, "ec2", facts.text("ec2.quota.code.g-vt"), 8)
            yield Aws(boto3.Session()), clock
        context.close()


def status(aws: Aws, cluster: str, group: str | None = None) -> str:
    if group is None:
        return str(aws.eks.describe_cluster(name=cluster)["cluster"]["status"])
    return str(aws.eks.describe_nodegroup(clusterName=cluster, nodegroupName=group)["nodegroup"]["status"])


def make_cluster(cloud: Cloud, name: str) -> None:
    aws, clock = cloud
    made = aws.eks.create_cluster(name=name, roleArn=ROLE, resourcesVpcConfig=NETWORK)["cluster"]
    assert made["status"] == "CREATING"
    clock.now += 500
    assert status(aws, name) == "CREATING"
    clock.now += 101
    assert status(aws, name) == "ACTIVE"


def make_group(cloud: Cloud, cluster: str, name: str, *types: str, size: int = 1) -> str:
    aws, clock = cloud
    scaling = {"minSize": 1, "maxSize": 4, "desiredSize": size}
    made = aws.eks.create_nodegroup(
        clusterName=cluster,
        nodegroupName=name,
        nodeRole=ROLE,
        subnets=NETWORK["subnetIds"],
        instanceTypes=list(types),
        scalingConfig=scaling,
    )
    assert made["nodegroup"]["status"] == "CREATING"
    clock.now += 181
    return status(aws, cluster, name)


class TestClusters:
    """On one cloud, in which time is short."""

    def test_clusters_and_node_groups_take_their_time(self, cloud: Cloud) -> None:
        aws, _ = cloud
        aws.eks.create_cluster(name="hasty", roleArn=ROLE, resourcesVpcConfig=NETWORK)
        with pytest.raises(ClientError, match="not in ACTIVE"):
            make_group(cloud, "hasty", "nodes", "t3.medium")
        make_cluster(cloud, "early")
        described = aws.eks.describe_cluster(name="early")
        assert described["cluster"]["version"] == facts.text("eks.version.current")
        assert make_group(cloud, "early", "nodes", "t3.medium") == "ACTIVE"
        group = aws.eks.describe_nodegroup(clusterName="early", nodegroupName="nodes")["nodegroup"]
        assert (group["version"], group["amiType"]) == (described["cluster"]["version"], "AL2023_x86_64_STANDARD")
        with pytest.raises(aws.eks.exceptions.ResourceInUseException):
            aws.eks.delete_cluster(name="early")
        aws.eks.delete_nodegroup(clusterName="early", nodegroupName="nodes")
        aws.eks.delete_cluster(name="early")
        assert "early" not in aws.eks.list_clusters()["clusters"]

    def test_a_group_of_instances_that_the_account_may_not_have_fails(self, cloud: Cloud) -> None:
        aws, _ = cloud
        make_cluster(cloud, "gpus")
        assert make_group(cloud, "gpus", "fits", "g5.xlarge", size=2) == "ACTIVE"
        assert make_group(cloud, "gpus", "many", "g5.2xlarge", size=2) == "CREATE_FAILED"
        group = aws.eks.describe_nodegroup(clusterName="gpus", nodegroupName="many")["nodegroup"]
        [issue] = group["health"]["issues"]
        assert issue["code"] == "AsgInstanceLaunchFailures"
        assert "VcpuLimitExceeded" in issue["message"]

    def test_add_ons_come_and_go(self, cloud: Cloud) -> None:
        aws, clock = cloud
        make_cluster(cloud, "extras")
        where: dict[str, Any] = {"clusterName": "extras"}
        made = aws.eks.create_addon(**where, addonName="coredns", tags={"a": "b"})["addon"]
        assert (made["status"], made["tags"]) == ("CREATING", {"a": "b"})

        def described(name: str) -> dict[str, Any]:
            answer = aws.eks.describe_addon(**where, addonName=name)
            shape = aws.eks.meta.service_model.operation_model("DescribeAddon").output_shape
            validate_parameters({"addon": answer["addon"]}, shape)
            found: dict[str, Any] = answer["addon"]
            return found

        clock.now += 61
        assert described("coredns")["status"] == "DEGRADED"  # there is no node for it to run on
        assert described("coredns")["health"]["issues"][0]["code"] == "InsufficientNumberOfReplicas"
        make_group(cloud, "extras", "nodes", "t3.medium")
        assert described("coredns")["status"] == "ACTIVE"
        aws.eks.create_addon(**where, addonName="vpc-cni")
        assert aws.eks.list_addons(**where)["addons"] == ["coredns", "vpc-cni"]
        update = aws.eks.update_addon(**where, addonName="vpc-cni", configurationValues="{}")["update"]
        assert (update["type"], update["status"]) == ("AddonUpdate", "Successful")
        assert described("vpc-cni")["configurationValues"] == "{}"
        with pytest.raises(aws.eks.exceptions.ResourceInUseException):
            aws.eks.create_addon(**where, addonName="vpc-cni")
        with pytest.raises(aws.eks.exceptions.InvalidParameterException, match="not supported"):
            aws.eks.create_addon(**where, addonName="nosuch")
        with pytest.raises(aws.eks.exceptions.InvalidParameterException, match="leave the version out"):
            aws.eks.create_addon(**where, addonName="kube-proxy", addonVersion="v1.2.3-eksbuild.1")
        assert aws.eks.delete_addon(**where, addonName="vpc-cni")["addon"]["status"] == "DELETING"
        with pytest.raises(aws.eks.exceptions.ResourceNotFoundException):
            aws.eks.describe_addon(**where, addonName="vpc-cni")
        [known] = aws.eks.describe_addon_versions(addonName="metrics-server")["addons"]
        assert known["addonVersions"][0]["compatibilities"][0]["defaultVersion"] is True


def test_moto_is_done_at_once(stock: Aws) -> None:
    """The reason for our own: once moto takes its time, this fails."""
    made = stock.eks.create_cluster(name="c", roleArn=ROLE, resourcesVpcConfig=NETWORK)["cluster"]
    assert (made["status"], made["version"]) == ("ACTIVE", "1.19")
    with pytest.raises((ClientError, NotImplementedError)):
        stock.eks.create_addon(clusterName="c", addonName="coredns")


# -- manifests

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: vllm}
spec:
  replicas: 1
  selector: {matchLabels: {app: vllm}}
  template:
    metadata: {labels: {app: vllm}}
    spec:
      containers:
        - name: server
          image: vllm/vllm-openai:v0.19.0
          args: [--model, Qwen/Qwen3-0.6B]
          ports: [{name: http, containerPort: 8000}]
          resources: {limits: {nvidia.com/gpu: 1}}
          readinessProbe: {httpGet: {path: /health, port: http}}
"""
SERVICE = """
---
apiVersion: v1
kind: Service
metadata: {name: vllm}
spec: {selector: {app: vllm}, ports: [{port: 80, targetPort: http}]}
"""


def test_a_manifest_that_is_right_is_shape_checked_and_not_run() -> None:
    checked = manifests.check(DEPLOYMENT + SERVICE)
    assert (checked.problems, checked.passed, checked.label) == ((), True, "shape-checked, not run")
    assert checked.resources == ("Deployment/vllm", "Service/vllm")
    assert checked.version == facts.text("eks.version.current")
    listed = "apiVersion: v1\nkind: List\nitems:\n" + "\n".join(
        f"  {line}" for line in ["- apiVersion: v1", "  kind: Namespace", "  metadata: {name: a}"]
    )
    assert manifests.check(listed).resources == ("Namespace/a",)


@pytest.mark.parametrize(
    ("right", "wrong", "path", "message"),
    [
        ("replicas: 1", "replicas: two", "spec.replicas", "not of type"),
        ("replicas: 1", "replica: 1", "spec", "'replica' was unexpected"),
        ("image: vllm", "imagee: vllm", "spec.template.spec.containers[0]", "'imagee' was unexpected"),
        ("name: server\n", "nam: server\n", "spec.template.spec.containers[0]", "required"),
        ("labels: {app: vllm}", "labels: {app: other}", "spec.selector.matchLabels", "does not select"),
        (
            "port: http}}",
            "port: web}}",
            "spec.template.spec.containers[0].readinessProbe.httpGet.port",
            "no port named",
        ),
        ("apps/v1", "apps/v1beta1", "apiVersion", "has no Deployment"),
        ("kind: Deployment", "kind: Deploymint", "apiVersion", "has no Deploymint"),
    ],
)
def test_a_mistake_is_found_where_it_is(right: str, wrong: str, path: str, message: str) -> None:
    assert right in DEPLOYMENT
    problems = manifests.check(DEPLOYMENT.replace(right, wrong)).problems
    assert any(problem.path == path and message in problem.message for problem in problems), problems


def test_every_mistake_is_told_and_others_kinds_are_left_alone() -> None:
    text = DEPLOYMENT.replace("replicas: 1", "replicas: x\n  minReadySeconds: y") + DEPLOYMENT.replace(
        "\napi", "\n---\napi", 1
    )
    checked = manifests.check(
        text + "---\napiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: gpus}\n---\njust text\n"
    )
    assert checked.unchecked == ("NodePool/gpus",)
    assert [problem.path for problem in checked.problems] == [
        "spec.minReadySeconds",
        "spec.replicas",
        "metadata.name",
        "",
    ]
    assert str(checked.problems[2]) == "Deployment/vllm: metadata.name: is there twice"
    assert not manifests.check("").passed


def test_versions_and_text_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(Refusal, match=r"no schemas for Kubernetes 1\.2; there are 1\."):
        manifests.check(DEPLOYMENT, "1.2")
    with pytest.raises(Refusal, match="not YAML"):
        manifests.check("a: [")
    assert manifests.check(DEPLOYMENT, "1.35").version == "1.35"


def test_schemas_are_cut_without_losing_a_field() -> None:
    schema = {
        "description": "prose",
        "properties": {"description": {"type": "string", "description": "prose", "x-kubernetes-hint": 1}},
        "x-kubernetes-hint": 1,
        kubernetes_schemas.KINDS: [{"group": "", "kind": "A", "version": "v1"}],
    }
    cut = json.loads(kubernetes_schemas.written("1.99", {"a": schema}))["$defs"]["a"]
    assert cut == {
        "properties": {"description": {"type": "string"}},
        kubernetes_schemas.KINDS: schema[kubernetes_schemas.KINDS],
    }
    kept = {key for key, _ in manifests.kinds_of(json.loads(manifests.file_of("1.35").read_text())["$defs"])}
    assert {("apps/v1", "Deployment"), ("v1", "Pod"), ("rbac.authorization.k8s.io/v1", "Role")} <= kept
    assert ("v1", "WatchEvent") not in kept


@given(
    st.dictionaries(
        st.sampled_from(["apiVersion", "kind", "metadata", "spec", "items"]),
        st.sampled_from(["v1", "Pod", "List", "../../etc", "apps/v1"])
        | st.none()
        | st.integers()
        | st.dictionaries(st.text(max_size=4), st.none() | st.text(max_size=4), max_size=2),
    )
)
@settings(max_examples=60)
def test_anything_in_yaml_is_checked(document: dict[str, Any]) -> None:
    import yaml

    assert not manifests.check(yaml.safe_dump(document)).resources or document["kind"] in ("Pod", "List")
