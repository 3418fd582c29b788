"""The course's Jupyter kernels: local from their first moment, also when nobody runs a notebook's first cell."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from labs.cloud import environment, kernel, server
from labs.cloud.guard import is_loopback_url
from labs.cloud.state import ServerRecord

PROBE = """
import json, os, subprocess, sys, boto3
inside = "import json, boto3; print(boto3.client('sqs').meta.endpoint_url, boto3.Session().get_credentials().access_key)"
print(json.dumps({
    "endpoints": [boto3.client(name).meta.endpoint_url for name in ("sqs", "bedrock-runtime", "s3", "sts")],
    "key": boto3.Session().get_credentials().access_key,
    "account": boto3.client("sts").get_caller_identity()["Account"],
    "subprocess": subprocess.run([sys.executable, "-c", inside], cwd="/", capture_output=True, text=True).stdout.split(),
    "neighbour": __import__("neighbour").NAME,
}))
"""
HOSTILE = {
    "AWS_ENDPOINT_URL_SQS": "https://sqs.eu-west-1.amazonaws.com",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://bedrock-runtime.eu-west-1.amazonaws.com",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ACCESS_KEY_ID": "AKIAREALLOOKINGKEY00",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "AWS_PROFILE": "work",
    "AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kernels are installed for these tests."""
    folder = tmp_path_factory.mktemp("prefix")
    kernel.install(str(folder))
    return folder


def manager(prefix: Path, name: str) -> KernelManager:
    specs = KernelSpecManager(kernel_dirs=[str(prefix / "share" / "jupyter" / "kernels")], ensure_native_kernel=False)
    return KernelManager(kernel_name=name, kernel_spec_manager=specs)


def run_in(running: KernelManager, code: str) -> str:
    client = running.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=90)
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                said.append(message["content"]["text"])

        reply = client.execute_interactive(code, timeout=90, output_hook=hear)
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(said)
    finally:
        client.stop_channels()


@pytest.fixture
def hostile_environment(local_cloud: ServerRecord) -> dict[str, str]:
    """What a notebook server may hand a kernel: an environment full of ways to AWS. The local cloud of this test run is named, too."""
    inherited = {name: value for name, value in os.environ.items() if not environment.is_aws_variable(name)}
    assert local_cloud.endpoint_url
    return inherited | HOSTILE


def assert_local(found: dict[str, Any], endpoint_url: str) -> None:
    assert set(found["endpoints"]) == {endpoint_url}
    assert found["key"] == environment.ACCESS_KEY_ID
    assert found["account"] == "123456789012"
    assert found["subprocess"] == [endpoint_url, environment.ACCESS_KEY_ID]


def test_a_kernel_is_local_before_any_cell_and_after_a_restart(
    prefix: Path, hostile_environment: dict[str, str], local_cloud: ServerRecord, tmp_path: Path
) -> None:
    (tmp_path / "neighbour.py").write_text('NAME = "imported from the notebook\'s folder"\n')
    (tmp_path / "socket.py").write_text("raise SystemExit('took the place of a module of Python')\n")
    running = manager(prefix, kernel.LOCAL)
    running.start_kernel(env=hostile_environment, cwd=str(tmp_path))
    try:
        found = json.loads(run_in(running, PROBE))
        assert_local(found, local_cloud.endpoint_url)
        assert found["neighbour"] == "imported from the notebook's folder"
        running.restart_kernel(now=True)
        assert_local(json.loads(run_in(running, PROBE)), local_cloud.endpoint_url)
    finally:
        running.shutdown_kernel(now=True)


@pytest.fixture
def fresh_home(tmp_path: Path) -> Iterator[Path]:
    """A machine on which the local cloud is not up yet."""
    yield tmp_path / "home"
    server.stop(tmp_path / "home")


def test_a_kernel_starts_the_local_cloud_when_it_is_not_up(
    prefix: Path, hostile_environment: dict[str, str], fresh_home: Path
) -> None:
    running = manager(prefix, kernel.LOCAL)
    running.start_kernel(env=hostile_environment | {"LAB_HOME": str(fresh_home)})
    try:
        found = json.loads(run_in(running, PROBE.replace('__import__("neighbour").NAME', "None")))
        record = server.running(fresh_home)
        assert record is not None
        assert_local(found, record.endpoint_url)
    finally:
        running.shutdown_kernel(now=True)


def test_a_kernel_that_cannot_have_a_cloud_is_still_closed(
    prefix: Path, hostile_environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    running = manager(prefix, kernel.LOCAL)
    running.start_kernel(env=hostile_environment | {"LAB_HOME": str(tmp_path / "file" / "home")})
    try:
        code = (
            "import boto3; print(boto3.client('sqs').meta.endpoint_url, boto3.Session().get_credentials().access_key)"
        )
        endpoint, key = run_in(running, code).split()
    finally:
        running.shutdown_kernel(now=True)
    assert is_loopback_url(endpoint)
    assert key == environment.ACCESS_KEY_ID


def test_the_kernels_file_alone_leads_nowhere_else(tmp_path: Path) -> None:
    """Should something start Python with the kernelspec's environment and not through `launch`."""
    env = {name: value for name, value in os.environ.items() if not environment.is_aws_variable(name)}
    declared = kernel.specification(real=False)["env"]
    assert isinstance(declared, dict)
    code = "import boto3; print(boto3.client('sqs').meta.endpoint_url, boto3.Session().get_credentials().access_key)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env | {"HOME": str(tmp_path)} | declared,
        capture_output=True,
        text=True,
        check=True,
    )
    endpoint, key = done.stdout.split()
    assert is_loopback_url(endpoint)
    assert key == environment.ACCESS_KEY_ID


def test_the_kernel_for_real_aws_says_so_and_scrubs_only_what_is_ours(
    prefix: Path, local_cloud: ServerRecord, tmp_path: Path
) -> None:
    specs = {
        name: json.loads((prefix / "share/jupyter/kernels" / name / "kernel.json").read_text())
        for name in (kernel.LOCAL, kernel.REAL)
    }
    assert "local cloud" in specs[kernel.LOCAL]["display_name"]
    assert "REAL AWS: costs money" in specs[kernel.REAL]["display_name"]
    running = manager(prefix, kernel.REAL)
    inherited = environment.local_environment(local_cloud.endpoint_url, {**os.environ}, home=tmp_path / "home")
    running.start_kernel(env=inherited)
    try:
        code = "import os; from labs.cloud import environment; print(sorted(n for n in os.environ if n.startswith('AWS')), environment._real_by_default)"
        assert run_in(running, code).strip() == "[] True"
    finally:
        running.shutdown_kernel(now=True)


def test_install_puts_both_under_the_prefix(prefix: Path) -> None:
    assert {folder.name for folder in (prefix / "share/jupyter/kernels").iterdir()} == {kernel.LOCAL, kernel.REAL}
    assert (prefix / "share/jupyter/kernels" / kernel.LOCAL / "logo-64x64.png").exists()
