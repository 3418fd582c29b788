"""Instances that serve: from RunInstances to the first token, what the console says on the way, and nothing left behind."""

import base64
import gzip
import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from labs import facts
from labs.cloud import environment, extension, faults, guard
from labs.cloud.context import REGION, Context
from labs.cloud.services import ec2_life, quotas
from labs.cloud.services.ec2 import bucket_of
from labs.cloud.services.ec2_userdata import read
from tests.labs.cloud.kit import Aws, until

SCRIPT = """#!/bin/bash
set -euxo pipefail
MODEL=Qwen/Qwen3-0.6B
docker run -d --gpus all --ipc=host --restart unless-stopped \\
  -p 8000:8000 -e HF_HOME=/data \\
  vllm/vllm-openai:v0.19.0 --model "$MODEL" --max-model-len 4096 --served-model-name tiny
"""
TYPE = "g5.xlarge"
IMAGE = "ami-03cf127a"
"""one of those that moto knows"""


Cloud = tuple[Aws, Context]


@pytest.fixture(scope="class")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud inside this process in which eight minutes of booting pass in a quarter of a second."""
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(environment.is_aws_variable, dict(os.environ)):
            patch.delenv(name)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setattr(environment, "_only_loopback", False)
        context = Context(home=tmp_path_factory.mktemp("cloud"), time_scale=2000)
        with mock_aws():
            extension.install(context)
            yield Aws(boto3.Session()), context
        context.close()


@pytest.fixture
def fast(booted: Cloud) -> Iterator[Cloud]:
    """The same, with room in its quotas; what a test starts does not outlive it."""
    aws, context = booted
    for bucket in ("g-vt", "standard"):
        quotas.set_value(context, REGION, "ec2", facts.text(f"ec2.quota.code.{bucket}"), 192)
    yield booted
    found = aws.ec2.describe_instances()["Reservations"]
    if ids := [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]:
        aws.ec2.terminate_instances(InstanceIds=ids)


def run(aws: Aws, script: str = SCRIPT, type_: str = TYPE, **settings_: Any) -> str:
    made = aws.ec2.run_instances(
        ImageId=IMAGE, MinCount=1, MaxCount=1, InstanceType=type_, UserData=script, **settings_
    )
    identifier: str = made["Instances"][0]["InstanceId"]
    return identifier


def described(aws: Aws, instance: str) -> dict[str, Any]:
    found: dict[str, Any] = aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return found


def console(aws: Aws, instance: str) -> str:
    return str(aws.ec2.get_console_output(InstanceId=instance).get("Output", ""))


def ask(host: str, path: str, body: Any = None, port: int = 8000) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data[:1] == b"{" else data
    finally:
        connection.close()


def healthy(host: str, port: int = 8000) -> bool:
    try:
        return ask(host, "/health", port=port)[0] == 200
    except OSError:
        return False


class TestInstances:
    """On one cloud, in which time is short."""

    def test_an_instance_boots_loads_and_answers_where_its_name_says(self, fast: Cloud) -> None:
        aws, _ = fast
        instance = run(aws)
        host = described(aws, instance)["PublicDnsName"]
        until(lambda: healthy(host))
        now = described(aws, instance)
        assert now["State"]["Name"] == "running"
        assert now["PublicDnsName"] == now["PublicIpAddress"] == now["PrivateIpAddress"] == host
        status, answer = ask(host, "/v1/completions", {"model": "tiny", "prompt": "one two", "max_tokens": 4})
        assert (status, answer["usage"]["completion_tokens"]) == (200, 4)
        lines = console(aws, instance).splitlines()
        steps = [
            "Cloud-init finished",
            "Pulling vllm/vllm-openai:v0.19.0",
            "Downloaded",
            "Loading weights",
            "startup complete",
        ]
        found = [next(i for i, line in enumerate(lines) if step in line) for step in steps]
        assert found == sorted(found)
        aws.ec2.terminate_instances(InstanceIds=[instance])
        assert not healthy(host)
        assert described(aws, instance)["State"]["Name"] == "terminated"

    def test_states_and_checks_take_their_time(self, fast: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        aws, context = fast
        monkeypatch.setattr(context, "time_scale", 1.0)
        instance = run(aws, "")

        def seen_after(seconds: float) -> list[str]:
            later = SimpleNamespace(monotonic=lambda: time.monotonic() + seconds)
            monkeypatch.setattr(ec2_life, "time", later)
            [status] = aws.ec2.describe_instance_status(InstanceIds=[instance], IncludeAllInstances=True)[
                "InstanceStatuses"
            ]
            return [
                status["InstanceState"]["Name"],
                status["InstanceStatus"]["Status"],
                status["SystemStatus"]["Status"],
            ]

        assert seen_after(0) == ["pending", "not-applicable", "not-applicable"]
        assert console(aws, instance) == ""
        assert seen_after(60) == ["running", "initializing", "initializing"]
        assert "Linux version" in console(aws, instance)
        assert seen_after(600) == ["running", "ok", "ok"]

    @pytest.mark.skipif(sys.platform != "linux", reason="only on Linux is every 127.x.y.z this machine")
    def test_two_instances_have_the_same_port_each(self, fast: Cloud) -> None:
        aws, _ = fast
        hosts = [described(aws, run(aws))["PublicDnsName"] for _ in range(2)]
        assert hosts[0] != hosts[1]
        for host in hosts:
            until(lambda host=host: healthy(host))

    def test_a_stopped_instance_is_silent_and_comes_back_if_it_was_told_to(self, fast: Cloud) -> None:
        aws, _ = fast
        kept, once = run(aws), run(aws, SCRIPT.replace("--restart unless-stopped", ""))
        hosts = [described(aws, instance)["PublicDnsName"] for instance in (kept, once)]
        for host in hosts:
            until(lambda host=host: healthy(host))
        aws.ec2.stop_instances(InstanceIds=[kept, once])
        assert not any(map(healthy, hosts))
        assert "PublicIpAddress" not in described(aws, kept)
        aws.ec2.start_instances(InstanceIds=[kept, once])
        until(lambda: healthy(hosts[0]))
        assert not healthy(hosts[1])

    @pytest.mark.parametrize(
        ("script", "type_", "reason"),
        [
            (SCRIPT.replace("Qwen/Qwen3-0.6B", "mistralai/Mixtral-8x7B-Instruct-v0.1"), TYPE, "CUDA out of memory"),
            (SCRIPT.replace("Qwen/Qwen3-0.6B", "meta-llama/Llama-3.1-8B-Instruct"), TYPE, "gated repo"),
            (SCRIPT.replace("--gpus all", ""), TYPE, "Failed to infer device type"),
            (SCRIPT.replace("4096", "many"), TYPE, "invalid value"),
            (SCRIPT, "t3.micro", "no hardware is called"),
            (SCRIPT.replace("8000:8000", "8000:9000"), TYPE, "no port of the instance"),
            ("#!/bin/bash\necho hello", TYPE, "knows no model server"),
        ],
    )
    def test_what_cannot_serve_never_gets_healthy_and_the_console_says_why(
        self, fast: Cloud, script: str, type_: str, reason: str
    ) -> None:
        aws, _ = fast
        instance = run(aws, script, type_)
        until(lambda: reason in console(aws, instance))
        assert not healthy(described(aws, instance)["PublicDnsName"])

    def test_quotas_count_vcpus_and_new_accounts_have_none_for_gpus(self, fast: Cloud) -> None:
        aws, context = fast
        quotas.set_value(context, REGION, "ec2", facts.text("ec2.quota.code.g-vt"), 4)
        with pytest.raises(ClientError) as refused:
            run(aws, type_="g5.2xlarge")
        assert refused.value.response["Error"]["Code"] == "VcpuLimitExceeded"
        instance = run(aws, type_="g5.xlarge")
        with pytest.raises(ClientError, match="current vCPU limit of 4"):
            run(aws, type_="g6.xlarge")
        run(aws, type_="t3.micro")
        aws.ec2.terminate_instances(InstanceIds=[instance])
        run(aws, type_="g6.xlarge")
        with pytest.raises(ClientError, match="InvalidInstanceType"):
            run(aws, type_="g99.mega")
        assert facts.number("ec2.quota.g-vt") == 0

    def test_a_lack_of_capacity_has_ec2s_own_name(self, fast: Cloud) -> None:
        aws, context = fast
        described(aws, run(aws))
        context.faults.add(faults.Fault("no-capacity", service="ec2", operation="RunInstances", times=1))
        with pytest.raises(ClientError) as refused:
            run(aws)
        assert refused.value.response["Error"]["Code"] == "InsufficientInstanceCapacity"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        run(aws)

    def test_a_launch_template_brings_type_and_user_data(self, fast: Cloud) -> None:
        aws, _ = fast
        data = base64.b64encode(gzip.compress(SCRIPT.encode())).decode()
        aws.ec2.create_launch_template(
            LaunchTemplateName="serve", LaunchTemplateData={"InstanceType": TYPE, "UserData": data, "ImageId": IMAGE}
        )
        made = aws.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "serve"}, MinCount=1, MaxCount=1)[
            "Instances"
        ][0]
        assert made["InstanceType"] == TYPE
        until(lambda: healthy(described(aws, made["InstanceId"])["PublicDnsName"]))

    def test_machine_images_have_public_names(self, fast: Cloud) -> None:
        aws, _ = fast
        names = [
            "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
            "/aws/service/neuron/dlami/multi-framework/ubuntu-22.04/latest/image_id",
        ]
        found = aws.ssm.get_parameters(Names=[*names, "/aws/service/deeplearning/ami/nosuch"])
        assert {one["Name"] for one in found["Parameters"]} == set(names)
        assert all(one["Value"].startswith("ami-") for one in found["Parameters"])
        assert len(found["InvalidParameters"]) == 1


def test_a_closed_cloud_leaves_no_port(tmp_path: Path) -> None:
    life = ec2_life.Life("i-1", TYPE, SCRIPT, Context(home=tmp_path, time_scale=5000).wait_s)
    until(lambda: healthy(life.address))
    life.stop()
    assert not healthy(life.address)


def test_the_server_says_the_same(aws: Aws) -> None:
    instance = run(aws, "#!/bin/bash\necho hello", "t3.micro")
    until(lambda: described(aws, instance)["State"]["Name"] == "running")
    assert guard.is_loopback(described(aws, instance)["PublicDnsName"])
    until(lambda: "knows no model server" in console(aws, instance))
    with pytest.raises(ClientError, match="VcpuLimitExceeded"):
        run(aws, SCRIPT)
    aws.ec2.terminate_instances(InstanceIds=[instance])


def test_moto_boots_at_once_and_serves_nothing(stock: Aws) -> None:
    """The reason for our own: once moto does, this fails."""
    instance = run(stock)
    assert described(stock, instance)["State"]["Name"] == "running"
    assert described(stock, instance)["PublicDnsName"].endswith(".amazonaws.com")
    assert "2.6.16" in console(stock, instance)
    names = ["/aws/service/neuron/dlami/multi-framework/ubuntu-22.04/latest/image_id"]
    assert stock.ssm.get_parameters(Names=names)["Parameters"] == []


# -- reading user data


@pytest.mark.parametrize(
    ("script", "model", "port", "options"),
    [
        ("docker run --gpus all -p 80:8000 vllm/vllm-openai --model=Qwen/Qwen3-32B -tp 2", "Qwen/Qwen3-32B", 80, {}),
        (
            "sudo docker run --gpus=all --network host vllm/vllm-openai:latest Qwen/Qwen3-32B --port 9000 --tensor-parallel-size 4",
            "Qwen/Qwen3-32B",
            9000,
            {"tensor-parallel-size": "4"},
        ),
        (
            "export M=org/m\nexport V=${M}-fp8\nvllm serve ${V} --enable-prefix-caching --dtype ${T:-auto} &",
            "org/m-fp8",
            8000,
            {"dtype": "auto", "enable-prefix-caching": ""},
        ),
        (
            "python3 -m vllm.entrypoints.openai.api_server --model a/b --quantization awq",
            "a/b",
            8000,
            {"quantization": "awq"},
        ),
        (
            "cat > /etc/systemd/system/v.service <<EOF\n[Service]\nExecStart=/usr/bin/docker run --rm --gpus all -p 127.0.0.1:8001:8000 x/vllm:1 --model a/b\n[Install]\nEOF\nsystemctl enable --now v",
            "a/b",
            8001,
            {},
        ),
        (
            "#cloud-config\nruncmd:\n  - docker run --gpus all -p 8000:8000 vllm/vllm-openai:v1 --model a/b\n",
            "a/b",
            8000,
            {},
        ),
        (
            'cat > /models/chat/1/model.json <<EOF\n{"model": "a/b", "tensor_parallel_size": 2}\nEOF\ndocker run --gpus all -p 8000:8000 nvcr.io/nvidia/tritonserver:25.09-vllm-python-py3 tritonserver --model-repository=/models',
            "a/b",
            8000,
            {"served-model-name": "chat", "tensor-parallel-size": "2"},
        ),
    ],
)
def test_user_data_is_read_without_running_it(script: str, model: str, port: int, options: dict[str, str]) -> None:
    container = read(script)
    assert container is not None
    assert (container.model, container.port) == (model, port)
    assert options.items() <= container.options.items()


@pytest.mark.parametrize(
    "script",
    ["", "#!/bin/bash\ndocker run nginx", "docker run", "vllm serve", "echo 'unclosed", "docker pull vllm/vllm-openai"],
)
def test_other_scripts_start_no_model_server(script: str) -> None:
    assert read(script) is None


@given(
    st.lists(
        st.sampled_from(
            [
                "docker",
                "run",
                "vllm",
                "serve",
                "-p",
                "--model",
                "=",
                "a/b",
                "\\\n",
                "'",
                "$X",
                "${",
                "tritonserver",
                "\n",
                "8000:8000",
                "vllm/vllm-openai",
            ]
        ),
        max_size=14,
    ).map(" ".join)
    | st.text(max_size=80)
)
@settings(max_examples=100)
def test_any_script_can_be_read(script: str) -> None:
    found = read(script)
    assert found is None or found.model


def test_families_count_under_their_own_quota() -> None:
    types = ("g6e.xlarge", "gr6.4xlarge", "p5.48xlarge", "inf2.xlarge", "trn1.2xlarge", "t3.micro", "c8g.large")
    assert [bucket_of(type_) for type_ in types] == ["g-vt", "standard", "p", "inf", "trn", "standard", "standard"]
