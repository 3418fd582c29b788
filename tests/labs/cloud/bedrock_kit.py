"""What the tests of Bedrock share: clients whose every answer is held against its shape, time that passes when told, short ways to ask."""

import re
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from labs.cloud.context import Context
from labs.cloud.services import bedrock_account
from labs.cloud.services.bedrock_check import violations

ROLE = "arn:aws:iam::123456789012:role/bedrock"


OUT_OF_PATTERN = re.compile(r"at '[\w.]*(inferenceProfileName|description)' failed .* regular expression")
"""AWS's own names and descriptions of system-defined profiles have dots and commas, which its model's patterns have not."""


def checked(service: str, region: str = "us-east-1") -> Any:
    """A client that fails the test when an answer is not of its operation's shape: members, enums, patterns, lengths."""
    client = boto3.client(service, region_name=region, config=Config(retries={"total_max_attempts": 1}))
    client.meta.events.register("after-call", hold_against_shape)
    return client


def hold_against_shape(parsed: dict[str, Any], model: Any, http_response: Any, **_: Any) -> None:
    if http_response.status_code >= 300 or model.output_shape is None:
        return
    streamed = {"body": b""} if model.has_streaming_output else {}
    streamed = {model.output_shape.event_stream_name: {}} if model.has_event_stream_output else streamed
    said = {name: value for name, value in parsed.items() if name != "ResponseMetadata"} | streamed
    unknown = set(said) - set(model.output_shape.members)
    found = [*(each for each in violations(model.output_shape, said) if not OUT_OF_PATTERN.search(each)), *unknown]
    assert not found, f"{model.name}: {found}"
    expected = model.http.get("responseCode", 200)
    assert http_response.status_code == expected, f"{model.name}: {http_response.status_code}, not {expected}"


@pytest.fixture(params=["server", "in-process"])
def either(request: pytest.FixtureRequest) -> str:
    """The local cloud in either of its two forms."""
    request.getfixturevalue("local_cloud" if request.param == "server" else "in_process_cloud")
    return str(request.param)


@pytest.fixture
def passes(in_process_cloud: Context) -> Callable[[float], None]:
    """Let so many seconds on AWS pass for whatever Bedrock does by itself; no time passes else."""
    later = bedrock_account.accounts(in_process_cloud).later
    began, ahead = time.monotonic(), 0.0

    def advance(seconds_on_aws: float) -> None:
        nonlocal ahead
        # In steps: what is due may start something else.
        for _ in range(10):
            ahead += in_process_cloud.wait_s(seconds_on_aws / 10)
            later.settle()

    later._now = lambda: began + ahead
    return advance


def user(text: str) -> list[dict[str, Any]]:
    """A conversation of one message."""
    return [{"role": "user", "content": [{"text": text}]}]


def brief(client: Any, model_id: str, **more: Any) -> Any:
    """A short answer of Converse."""
    return client.converse(modelId=model_id, messages=user("Say it."), inferenceConfig={"maxTokens": 2}, **more)


def code_of(call: Any, **arguments: Any) -> str:
    """The error code with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    assert refused.value.response["Error"]["Message"]
    code: str = refused.value.response["Error"]["Code"]
    return code
