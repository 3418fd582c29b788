"""Amazon SageMaker AI endpoints: invoke, invoke with a response stream, and asynchronous inference by way of S3."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from labs.bench import readers
from labs.bench.endpoints.queued import Arrived, Queued, as_failed
from labs.bench.exchange import Ask, Attempt, Client, Failed
from labs.bench.http1 import Reader
from labs.bench.http_client import HttpClient
from labs.bench.refusals import aws_error
from labs.bench.signing import Signer
from labs.bench.texts import has_text, json_object, usage
from labs.errors import NOT_READY, USAGE, Refusal

Operation = Literal["stream", "invoke", "async"]
OPERATIONS: tuple[Operation, ...] = ("stream", "invoke", "async")
Format = Literal["messages", "inputs"]
FORMATS: tuple[Format, ...] = ("messages", "inputs")
"""chat completions, which vLLM, LMI and TGI containers take; or inputs and parameters, as TGI and JumpStart have it"""


@dataclass(frozen=True)
class SageMaker:
    """One endpoint, called one way."""

    name: str
    operation: Operation = "stream"
    format: Format = "messages"
    component: str = ""
    """an inference component, where the endpoint has some"""
    bucket: str = ""
    """asynchronous inference: where its inputs are put"""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """laid over every request's body"""

    @property
    def streaming(self) -> bool:
        return self.operation == "stream"

    def describe(self) -> Mapping[str, Any]:
        known = {
            "component": self.component,
            "bucket": self.bucket,
            "poll_s": POLL_S if self.operation == "async" else None,
        }
        return {
            "endpoint": f"sagemaker-{self.operation}",
            "endpoint_name": self.name,
            "streaming": self.streaming,
            **{name: value for name, value in known.items() if value},
        }

    def open(self, *, only_loopback: bool) -> Client:
        signer = Signer.of("sagemaker-runtime", only_loopback=only_loopback)
        if self.operation == "async":
            if not self.bucket:
                raise Refusal(
                    "asynchronous inference reads its inputs from S3: name a bucket for them with --bucket", USAGE
                )
            return Queued(_Async(self), POLL_S)
        return HttpClient(_Dialect(self, signer))

    def body(self, ask: Ask) -> dict[str, Any]:
        """A request's body."""
        if self.format == "inputs":
            streamed: dict[str, Any] = {"stream": True} if self.streaming else {}
            return {"inputs": ask.prompt, "parameters": {"max_new_tokens": ask.output_tokens}, **streamed, **self.extra}
        stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if self.streaming else {}
        messages = [{"role": "user", "content": ask.prompt}]
        return {"messages": messages, "max_tokens": ask.output_tokens, **stream, **self.extra}


class _Dialect:
    def __init__(self, endpoint: SageMaker, signer: Signer) -> None:
        self.origin = signer.origin
        self._endpoint, self._signer = endpoint, signer
        last = "invocations-response-stream" if endpoint.streaming else "invocations"
        self._path = f"/endpoints/{quote(endpoint.name, safe='-._~')}/{last}"
        self._headers = {"Content-Type": "application/json"}
        if endpoint.component:
            self._headers["X-Amzn-SageMaker-Inference-Component"] = endpoint.component

    def message(self, ask: Ask) -> bytes:
        return self._signer.request(self._path, json.dumps(self._endpoint.body(ask)).encode(), self._headers)

    def reader(self, attempt: Attempt, headers: dict[bytes, bytes]) -> Reader:
        return readers.Parts(attempt) if self._endpoint.streaming else readers.Whole(attempt, headers)

    def refused(self, http_status: int, headers: dict[bytes, bytes], body: bytes) -> Failed:
        return aws_error(http_status, headers, body)


POLL_S = 0.25
"""how often S3 is asked for each answer; an answer is seen so much late at most"""


class _Async:
    """The desk of asynchronous inference: inputs go to S3, answers appear there."""

    def __init__(self, endpoint: SageMaker) -> None:
        self._endpoint = endpoint
        once = Config(retries={"total_max_attempts": 1}, max_pool_connections=32)
        try:
            self._s3 = boto3.client("s3", config=once)
            self._runtime = boto3.client("sagemaker-runtime", config=once)
        except BotoCoreError as wrong:
            raise Refusal(f"SageMaker cannot be called from here: {wrong}", NOT_READY) from None

    def submit(self, ask: Ask) -> tuple[str, str]:
        """The addresses under which the answer or the failure will be."""
        key = f"lab-bench/inputs/{ask.id}.json"
        self._s3.put_object(Bucket=self._endpoint.bucket, Key=key, Body=json.dumps(self._endpoint.body(ask)).encode())
        answer = self._runtime.invoke_endpoint_async(
            EndpointName=self._endpoint.name,
            InputLocation=f"s3://{self._endpoint.bucket}/{key}",
            ContentType="application/json",
        )
        return answer["OutputLocation"], answer.get("FailureLocation", "")

    def poll(self, tickets: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Arrived | Failed]:
        """Those that are there."""
        found: dict[tuple[str, str], Arrived | Failed] = {}
        for ticket in tickets:
            output, failure = ticket
            if (body := self._get(output)) is not None:
                found[ticket] = _arrived(body)
            elif failure and (body := self._get(failure)) is not None:
                found[ticket] = Failed("ModelError", body[:200].decode("utf-8", "replace"))
        return found

    def _get(self, location: str) -> bytes | None:
        parts = urlsplit(location)
        try:
            body: bytes = self._s3.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise as_failed(error) from None
        return body


def _arrived(body: bytes) -> Arrived | Failed:
    try:
        data = json_object(body)
    except Failed as failed:
        return failed
    return Arrived(*usage(data)) if has_text(data) else readers.empty()
