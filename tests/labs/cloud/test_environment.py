"""The switch fails closed: whatever a machine's environment and ~/.aws say, who enters through us talks to the local cloud only."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from labs import cloud
from labs.cloud import environment
from labs.cloud.state import ServerRecord
from labs.errors import NOT_READY, Refusal

PROBE = """
import json, boto3
services = ("sqs", "bedrock-runtime", "sts", "s3", "dynamodb")
clients = {name: boto3.client(name) for name in services}
credentials = boto3.Session().get_credentials()
print(json.dumps({
    "endpoints": sorted({client.meta.endpoint_url for client in clients.values()}),
    "key": credentials and credentials.access_key, "token": credentials and credentials.token, "region": boto3.Session().region_name,
}))
"""
CALL = """
import boto3
print(boto3.client("sts").get_caller_identity()["Account"])
print(boto3.client("dynamodb").list_tables()["ResponseMetadata"]["HTTPStatusCode"])
"""

STRAYS = {
    "a global endpoint": {"AWS_ENDPOINT_URL": "https://vpce.example.com"},
    "one service's endpoint": {"AWS_ENDPOINT_URL_SQS": "https://sqs.eu-west-1.amazonaws.com"},
    "endpoints to be ignored": {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    "long-term credentials": {
        "AWS_ACCESS_KEY_ID": "AKIAREALLOOKINGKEY00",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_SESSION_TOKEN": "t",
    },
    "a Bedrock API key": {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-real"},
    "a profile": {"AWS_PROFILE": "work"},
    "a default profile": {"AWS_DEFAULT_PROFILE": "work"},
    "web identity": {
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/token",
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/work",
    },
    "container credentials": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t",
    },
    "other files": {"AWS_CONFIG_FILE": "{home}/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "{home}/.aws/credentials"},
    "another region": {"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"},
    "dual-stack and FIPS": {"AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_USE_FIPS_ENDPOINT": "true"},
    "an old boto file": {"BOTO_CONFIG": "{home}/.boto"},
    "a CA bundle": {"AWS_CA_BUNDLE": "/nonexistent.pem"},
}


@pytest.fixture
def tempting_home(tmp_path: Path) -> Path:
    """A home folder whose ~/.aws leads to AWS in every way that a file can."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text(
        "[default]\nregion = eu-west-1\nservices = everywhere\n[profile work]\nregion = eu-west-1\nservices = everywhere\n"
        "[services everywhere]\nsqs =\n  endpoint_url = https://sqs.eu-west-1.amazonaws.com\n"
        "bedrock_runtime =\n  endpoint_url = https://bedrock-runtime.eu-west-1.amazonaws.com\n"
    )
    keys = "aws_access_key_id = AKIAREALLOOKINGKEY00\naws_secret_access_key = secret\n"
    (folder / "credentials").write_text(f"[default]\n{keys}[work]\n{keys}")
    (tmp_path / ".boto").write_text(
        "[Credentials]\naws_access_key_id = AKIAREALLOOKINGKEY00\naws_secret_access_key = secret\n"
    )
    return tmp_path


def plain_environment(home: Path, **more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not environment.is_aws_variable(name)}
    return (
        inherited
        | {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}
        | {n: v.format(home=home) for n, v in more.items()}
    )


def run(code: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def probe(env: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(PROBE, env))
    return found


def test_the_temptation_is_real(tempting_home: Path) -> None:
    """Without the switch, this home folder leads to AWS with its credentials; otherwise the tests below could not fail."""
    found = probe(plain_environment(tempting_home))
    assert "https://sqs.eu-west-1.amazonaws.com" in found["endpoints"]
    assert found["key"] == "AKIAREALLOOKINGKEY00"


@pytest.mark.parametrize("stray", STRAYS)
def test_nothing_in_the_environment_leads_out(stray: str, tempting_home: Path, local_cloud: ServerRecord) -> None:
    base = plain_environment(tempting_home, **STRAYS[stray])
    found = probe(environment.local_environment(local_cloud.endpoint_url, base, home=tempting_home / "state"))
    assert found == {
        "endpoints": [local_cloud.endpoint_url],
        "key": environment.ACCESS_KEY_ID,
        "token": None,
        "region": "us-east-1",
    }


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_does_not_capture_calls_to_this_machine(
    variable: str, tempting_home: Path, local_cloud: ServerRecord
) -> None:
    nobody_listens = "http://127.0.0.1:9"
    base = plain_environment(tempting_home, **{variable: nobody_listens, "NO_PROXY": "intranet.example.com"})
    env = environment.local_environment(local_cloud.endpoint_url, base, home=tempting_home / "state")
    assert run(CALL, env).split() == ["123456789012", "200"]
    assert env["NO_PROXY"].startswith("intranet.example.com,")


def test_everything_else_in_the_environment_is_left_alone(local_cloud: ServerRecord, tmp_path: Path) -> None:
    base = {"PATH": "/bin", "LANG": "C.UTF-8", "LAB_MODEL_URL": "http://localhost:11434/v1", "AWS_PROFILE": "work"}
    env = environment.local_environment(local_cloud.endpoint_url, base, home=tmp_path)
    assert {name: env[name] for name in ("PATH", "LANG", "LAB_MODEL_URL")} == {
        n: base[n] for n in ("PATH", "LANG", "LAB_MODEL_URL")
    }
    assert "AWS_PROFILE" not in env


@pytest.mark.parametrize(
    "url",
    [
        "https://sqs.us-east-1.amazonaws.com",
        "http://169.254.169.254",
        "http://localhost.example.com:4580",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://0.0.0.0:4580",
        "ftp://127.0.0.1",
        "127.0.0.1:4580",
        "http://[::ffff:8.8.8.8]",
        "",
    ],
)
def test_an_endpoint_elsewhere_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="always on this machine") as refused:
        environment.local_environment(url, {}, home=tmp_path / "state")
    assert refused.value.exit_status == NOT_READY
    assert not (tmp_path / "state").exists()  # nothing half-made


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:4580", "http://localhost:1", "http://[::1]:4580", "http://127.1.2.3"]
)
def test_every_loopback_address_will_do(url: str, tmp_path: Path) -> None:
    assert environment.local_environment(url, {}, home=tmp_path)["AWS_ENDPOINT_URL"] == url


def test_our_files_are_for_their_owner_only(local_cloud: ServerRecord, tmp_path: Path) -> None:
    env = environment.local_environment(local_cloud.endpoint_url, {}, home=tmp_path / "state")
    assert oct((tmp_path / "state").stat().st_mode & 0o777) == "0o700"
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        assert oct(Path(env[name]).stat().st_mode & 0o777) == "0o600"


def test_connecting_replaces_a_session_made_before(local_cloud: ServerRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.setup_default_session(
        aws_access_key_id="AKIAREALLOOKINGKEY00", aws_secret_access_key="s", region_name="eu-west-1"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://sqs.eu-west-1.amazonaws.com")
    connected = cloud.connect()
    assert connected.endpoint_url == local_cloud.endpoint_url
    assert boto3.client("sqs").meta.endpoint_url == local_cloud.endpoint_url
    assert boto3.client("sqs")._get_credentials().access_key == environment.ACCESS_KEY_ID
    assert "Local cloud" in str(connected)
    assert local_cloud.endpoint_url in str(connected)


def test_a_client_with_an_endpoint_of_its_own_is_stopped_before_it_sends(local_cloud: ServerRecord) -> None:
    assert cloud.connect().endpoint_url == local_cloud.endpoint_url
    elsewhere = boto3.Session().client("sqs", endpoint_url="https://sqs.us-east-1.amazonaws.com")
    with pytest.raises(Refusal, match=r"request to sqs\.us-east-1\.amazonaws\.com was stopped"):
        elsewhere.list_queues()


class TestRealAws:
    """`connect(real=True)`, in a process that was local before; moto stands in for STS."""

    @pytest.fixture(autouse=True)
    def local_first(self, tempting_home: Path, monkeypatch: pytest.MonkeyPatch, local_cloud: ServerRecord) -> Any:
        before = dict(os.environ), environment._before
        environment.leave()
        for name in filter(environment.is_aws_variable, dict(os.environ)):
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tempting_home))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_PROFILE", "work")
        environment.enter(local_cloud.endpoint_url)
        yield
        monkeypatch.undo()
        os.environ.clear()
        os.environ.update(before[0])
        environment._before = before[1]
        environment._only_loopback = True

    def test_says_which_account_and_region_and_leaves_credentials_alone(self) -> None:
        from moto import mock_aws

        with mock_aws(config={"core": {"mock_credentials": False}}):
            connected = cloud.connect(real=True)
        assert (connected.real, connected.region, connected.account_id) == (True, "eu-west-1", "123456789012")
        assert connected.endpoint_url is None
        assert "REAL AWS, account 123456789012, eu-west-1" in str(connected)
        assert "costs money" in str(connected)
        assert os.environ["AWS_PROFILE"] == "work"
        assert "AWS_ENDPOINT_URL" not in os.environ
        assert boto3.Session().get_credentials().access_key == "AKIAREALLOOKINGKEY00"

    def test_one_sentence_without_credentials(self, tempting_home: Path) -> None:
        (tempting_home / ".aws" / "credentials").unlink()
        with pytest.raises(Refusal, match="AWS did not say who you are") as refused:
            cloud.connect(real=True)
        assert refused.value.exit_status == NOT_READY

    def test_one_sentence_without_a_region(self, tempting_home: Path) -> None:
        (tempting_home / ".aws" / "config").write_text("[profile work]\noutput = json\n")
        with pytest.raises(Refusal, match="Real AWS needs a region"):
            cloud.connect(real=True)

    def test_real_is_not_an_emulator_that_the_profile_names(self, tempting_home: Path) -> None:
        (tempting_home / ".aws" / "config").write_text(
            "[profile work]\nregion = eu-west-1\nendpoint_url = http://localhost:4566\n"
        )
        with pytest.raises(Refusal, match="sends calls to http://localhost:4566"):
            cloud.connect(real=True)

    def test_what_a_parent_process_handed_down_of_ours_goes(self, local_cloud: ServerRecord, tmp_path: Path) -> None:
        handed_down = environment.local_environment(
            local_cloud.endpoint_url, plain_environment(tmp_path), home=tmp_path / "state"
        )
        left = run(
            "import os\nfrom labs.cloud import environment\nenvironment.leave()\nprint([n for n in os.environ if n.startswith('AWS')])",
            handed_down,
        )
        assert left.strip() == "[]"
