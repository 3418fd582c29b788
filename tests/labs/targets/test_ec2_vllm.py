"""An instance of our own: asked for with its quota, up with a model that answers, gone without a trace; and what would fail is refused before it costs."""

import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from labs import facts
from labs.cloud.context import Context
from labs.errors import Refusal
from labs.targets import Reply, asking, ledger, leftovers, stacks, vllm
from labs.targets.ec2_vllm import Ec2Vllm, cidr, is_inside
from tests.labs.targets import own_kit


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    with own_kit.quick_cloud(tmp_path_factory.mktemp("ec2")) as made:
        yield made


@pytest.fixture
def gpus(context: Context) -> Iterator[Context]:
    own_kit.allow(context, 16)
    yield context
    assert own_kit.running() == []


def test_its_whole_life(gpus: Context) -> None:  # noqa: ARG001
    target, site = Ec2Vllm(), own_kit.site("own-life")
    target.deploy(site)
    [entry] = ledger.entries(site.cloud, "stack")
    assert (entry.name, entry.target) == ("own-life", "ec2-vllm")
    address = target.address(site)
    assert (address.protocol, address.model) == ("openai", "qwen3-0.6b")
    *pieces, reply = asking.stream(target, site, "Name three rivers.", max_tokens=8)
    assert isinstance(reply, Reply)
    assert "".join(map(str, pieces)) == reply.text
    assert reply.output_tokens == 8

    outputs = target.outputs(site)
    [instance] = boto3.client("ec2").describe_instances(InstanceIds=[outputs["InstanceId"]])["Reservations"][0][
        "Instances"
    ]
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert "IamInstanceProfile" not in instance  # it needs no permission, so it has none
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert tags["Project"] == stacks.PROJECT
    assert tags["Expires"]
    group = boto3.client("ec2").describe_security_groups(GroupIds=[outputs["SecurityGroupId"]])["SecurityGroups"][0]
    assert [(rule["FromPort"], rule["IpRanges"][0]["CidrIp"]) for rule in group["IpPermissions"]] == [
        (8000, "172.31.0.0/16")
    ]

    with pytest.raises(Refusal, match="exists"):
        target.deploy(site)
    target.remove(site)
    assert stacks.find("own-life") is None
    assert ledger.entries(site.cloud) == []
    target.remove(site)


def test_without_vcpus_nothing_is_created_and_the_request_to_make_is_named(context: Context) -> None:
    own_kit.allow(context, 0)
    site = own_kit.site("own-quota")
    with pytest.raises(Refusal) as refused:
        Ec2Vllm().deploy(site)
    code = facts.text("ec2.quota.code.g-vt")
    assert f"--quota-code {code} --desired-value 4 --region us-east-1" in str(refused.value)
    assert stacks.find("own-quota") is None
    assert ledger.entries(site.cloud) == []
    # the request as it stands raises the quota, so that the next try gets as far as the network
    own_kit.allow(context, 4)
    Ec2Vllm().check(site)


def test_a_model_that_does_not_fit_is_told_with_the_consoles_words_and_removed(gpus: Context) -> None:  # noqa: ARG001
    site = own_kit.site("own-big")
    with pytest.raises(Refusal, match=r"will not come up: .*out of memory.*everything was removed"):
        Ec2Vllm(model="qwen3-32b").deploy(site)
    assert stacks.find("own-big") is None
    assert ledger.entries(site.cloud) == []


def test_gated_weights_need_a_secret_and_the_instance_may_read_that_one_only(gpus: Context) -> None:  # noqa: ARG001
    site = own_kit.site("own-gated")
    gated: dict[str, Any] = {"model": "llama-3.1-8b", "instance_type": "g5.2xlarge"}
    with pytest.raises(Refusal, match="accepted its licence"):
        Ec2Vllm(**gated).check(site)
    with pytest.raises(Refusal, match="no secret 'nosuch'"):
        Ec2Vllm(**gated, token_secret="nosuch").check(site)
    secrets = boto3.client("secretsmanager")
    arn = secrets.create_secret(Name="own-token", SecretString="hf_made_up")["ARN"]
    target = Ec2Vllm(**gated, token_secret="own-token")
    target.deploy(site)
    assert asking.ask(target, site, "Hello", 4).output_tokens == 4
    stack = boto3.client("cloudformation")
    names = {
        r["LogicalResourceId"]: r["PhysicalResourceId"]
        for r in stack.list_stack_resources(StackName=site.name)["StackResourceSummaries"]
    }
    policy = boto3.client("iam").get_role_policy(RoleName=names["Role"], PolicyName="read-the-token")["PolicyDocument"]
    assert policy["Statement"] == [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}]
    data = boto3.client("ec2").describe_instance_attribute(InstanceId=names["Server"], Attribute="userData")
    assert "hf_made_up" not in json.dumps(data, default=str)
    target.remove(site)
    secrets.delete_secret(SecretId="own-token", ForceDeleteWithoutRecovery=True)


def test_its_price_is_the_registers_arithmetic() -> None:
    bill = Ec2Vllm(volume_gib=100).worst_case(own_kit.site("own-price", hours=10))
    by_name = {line.name: line.usd for line in bill.lines}
    assert by_name["instance hours"] == pytest.approx(10 * facts.number("ec2.price.g5-xlarge"))
    assert by_name["EBS volume"] == pytest.approx(100 * 10 / 730 * facts.number("ec2.own.gp3_price"))
    assert bill.usd == pytest.approx(sum(by_name.values()))


def test_on_a_real_account_who_may_call_has_to_be_said(context: Context) -> None:  # noqa: ARG001
    with pytest.raises(Refusal, match=r"--set allow="):
        Ec2Vllm().check(own_kit.site("own-real", real=True))


@pytest.mark.parametrize("wrong", ["0.0.0.0/0", "1.2.3.4/7", "everybody", ""])
def test_the_internet_is_no_range_to_open_to(wrong: str) -> None:
    with pytest.raises(Refusal):
        cidr(wrong)
    assert cidr("203.0.113.7") == "203.0.113.7/32"


def test_this_machine_knows_where_it_is() -> None:
    assert is_inside("127.0.0.0/8")
    assert not is_inside("203.0.113.0/24")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model": "no-such-model"}, "no model"),
        ({"instance_type": "inf2.xlarge"}, "no EC2 instance with GPUs"),
        ({"instance_type": "ml.g5.xlarge"}, "no EC2 instance with GPUs"),
        ({"tensor_parallel": 8}, "has 1 GPUs"),
        ({"model": "claude-sonnet-5"}, "not public"),
        ({"model": "a/b; rm -rf /"}, "no name"),
        ({"dtype": "$(id)"}, "no name"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(options: dict[str, object], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        Ec2Vllm(**options).check(own_kit.site("own-wrong"))  # type: ignore[arg-type]


def test_a_catalogue_model_becomes_its_repository_and_all_gpus_are_used() -> None:
    settings = vllm.Settings("llama-3.3-70b", "g6e.12xlarge", quantisation="fp8")
    assert settings.repository == "meta-llama/Llama-3.3-70B-Instruct"
    words = settings.arguments()
    assert words[words.index("--tensor-parallel-size") + 1] == "4"
    assert words[-2:] == ["--quantization", "fp8"]


def test_every_type_of_its_stack_can_be_looked_for() -> None:
    types = set(re.findall(r"Type: (AWS::\w+::\w+)$", Ec2Vllm().template(own_kit.site("own-types")), re.MULTILINE))
    assert types <= set(leftovers.LOOKS)
