"""Calls to a deployed model, by the protocol that its address names.

    address = Address("sagemaker", "my-endpoint")
    caller = Caller(address, timeout_s=55)
    print(caller.ask("Name three rivers.", max_tokens=50).text)
    for piece in caller.stream("Name three rivers.", max_tokens=50): ...     # pieces of text, then a Reply

It imports nothing of the course's: the queue's worker carries this file into Lambda as it is, so that a target is called in one way, wherever from.
No call is tried twice here; whoever calls knows what a retry costs. Errors are boto3's own, or `CallFailed` from a plain HTTP server.
"""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

PROTOCOLS = {
    "converse": "Bedrock's Converse and ConverseStream; the location is a model id, an inference profile or an ARN",
    "bedrock-chat": "Bedrock's InvokeModel with a chat-completions body, for imported models that Converse does not serve; the location is an ARN",
    "sagemaker": "SageMaker's InvokeEndpoint with a chat-completions body; the location is an endpoint's name",
    "sagemaker-async": "SageMaker's InvokeEndpointAsync with a chat-completions body; the answer is read from S3 when it is there",
    "openai": "a server that speaks OpenAI's chat completions; the location is its address up to /v1",
}
"""Every protocol, and what a location is there."""


@dataclass(frozen=True)
class Address:
    """How a caller reaches a deployed model; plain text, so that it fits into a stack's outputs and a function's environment."""

    protocol: str
    location: str
    model: str = ""
    """The model's name in the body, where a server holds several."""
    component: str = ""
    """A SageMaker inference component, on an endpoint that has some."""
    whole: bool = False
    """It does not stream: a stream from here is its whole answer in one piece."""
    tier: str = ""
    """Converse's service tier; empty for the default."""
    latency: str = ""
    """Converse's latency setting; empty for the standard one."""
    system: str = ""
    """What is said to the model before every prompt (Converse)."""
    cache: bool = False
    """Let Bedrock keep what is before a prompt, or the prompt where nothing is, in its prompt cache."""

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"there is no protocol '{self.protocol}'; there are: {', '.join(PROTOCOLS)}")

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @staticmethod
    def from_json(text: str) -> "Address":
        """The address that `to_json` wrote. Raises ValueError or TypeError for anything else."""
        return Address(**json.loads(text))


@dataclass(frozen=True)
class Reply:
    """One answer of a model."""

    text: str
    input_tokens: int
    output_tokens: int
    stop_reason: str


class CallFailed(Exception):  # noqa: N818 - the word for it in a sentence
    """A plain HTTP server refused, broke off, or did not answer; `status` is None when there was no answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Caller:
    """Asks the model at one address. Threads may share it."""

    def __init__(self, address: Address, timeout_s: float = 300, connections: int = 10) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._client: Any = None
        if address.protocol != "openai":
            service = "bedrock-runtime" if "sagemaker" not in address.protocol else "sagemaker-runtime"
            self._client = boto3.client(
                service,  # type: ignore[call-overload]
                config=Config(
                    connect_timeout=3,
                    read_timeout=timeout_s,
                    retries={"total_max_attempts": 1},
                    max_pool_connections=connections,
                    tcp_keepalive=True,  # a NAT gateway forgets a silent connection before a long answer is done
                ),
            )

    def ask(self, prompt: str, max_tokens: int) -> Reply:
        """Ask, and wait for the whole answer."""
        match self.address.protocol:
            case "converse":
                return converse_reply(self._client.converse(**self._converse_request(prompt, max_tokens)))
            case "bedrock-chat":
                answered = self._client.invoke_model(modelId=self.address.location, **self._body(prompt, max_tokens))
                return chat_reply(json.loads(answered["body"].read()))
            case "sagemaker":
                answered = self._client.invoke_endpoint(**self._endpoint_request(prompt, max_tokens))
                return chat_reply(json.loads(answered["Body"].read()))
            case "sagemaker-async":
                return self._ask_async(prompt, max_tokens)
            case _:
                with self._post(prompt, max_tokens, stream=False) as response:
                    return chat_reply(json.loads(self._read(response)))

    def stream(self, prompt: str, max_tokens: int) -> Iterator[str | Reply]:
        """Ask, and yield the pieces of text as they come, then the whole answer."""
        if self.address.whole or self.address.protocol == "sagemaker-async":
            return self._in_one_piece(prompt, max_tokens)
        match self.address.protocol:
            case "converse":
                return _converse_pieces(
                    self._client.converse_stream(**self._converse_request(prompt, max_tokens))["stream"]
                )
            case "bedrock-chat":
                events = self._client.invoke_model_with_response_stream(
                    modelId=self.address.location, **self._body(prompt, max_tokens, stream=True)
                )["body"]
                return _chat_pieces(_lines(event["chunk"]["bytes"] for event in events))
            case "sagemaker":
                events = self._client.invoke_endpoint_with_response_stream(
                    **self._endpoint_request(prompt, max_tokens, stream=True)
                )["Body"]
                return _chat_pieces(_lines(event["PayloadPart"]["Bytes"] for event in events))
            case _:
                return self._http_pieces(prompt, max_tokens)

    def _converse_request(self, prompt: str, max_tokens: int) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"text": prompt}]
        if self.address.cache and not self.address.system:
            content.append(CACHE_POINT)
        return {
            "modelId": self.address.location,
            "messages": [{"role": "user", "content": content}],
            "inferenceConfig": {"maxTokens": max_tokens},
            **converse_settings(self.address),
        }

    def _chat(self, prompt: str, max_tokens: int, stream: bool) -> bytes:
        body: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}], "max_tokens": max_tokens}
        if self.address.model:
            body["model"] = self.address.model
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(body).encode()

    def _body(self, prompt: str, max_tokens: int, stream: bool = False) -> dict[str, Any]:
        return {
            "contentType": "application/json",
            "accept": "application/json",
            "body": self._chat(prompt, max_tokens, stream),
        }

    def _endpoint_request(self, prompt: str, max_tokens: int, stream: bool = False) -> dict[str, Any]:
        request = {
            "EndpointName": self.address.location,
            "ContentType": "application/json",
            "Body": self._chat(prompt, max_tokens, stream),
        }
        return request | ({"InferenceComponentName": self.address.component} if self.address.component else {})

    def _in_one_piece(self, prompt: str, max_tokens: int) -> Iterator[str | Reply]:
        reply = self.ask(prompt, max_tokens)
        if reply.text:
            yield reply.text
        yield reply

    def hand_in(self, prompt: str, max_tokens: int, inference_id: str) -> str:
        """Put a request into an asynchronous endpoint's queue under an id that its announcement will carry; where its answer will be in S3."""
        request = self._endpoint_request(prompt, max_tokens)
        return str(self._client.invoke_endpoint_async(**request, InferenceId=inference_id)["OutputLocation"])

    def _ask_async(self, prompt: str, max_tokens: int) -> Reply:
        taken = self._client.invoke_endpoint_async(**self._endpoint_request(prompt, max_tokens))
        deadline, pause_s = time.monotonic() + self._timeout_s, 0.1
        while True:
            if (answer := object_at(taken["OutputLocation"])) is not None:
                return chat_reply(json.loads(answer))
            failure = taken.get("FailureLocation")
            if failure and (why := object_at(failure)) is not None:
                raise CallFailed(
                    f"{self.address.location} failed with {taken['InferenceId']}: {why.decode(errors='replace')}"
                )
            if time.monotonic() > deadline:
                raise CallFailed(
                    f"{self.address.location} has not answered within {self._timeout_s:g} s; the answer will be at {taken['OutputLocation']}"
                )
            time.sleep(pause_s)
            pause_s = min(5.0, pause_s * 1.5)

    def _http_pieces(self, prompt: str, max_tokens: int) -> Iterator[str | Reply]:
        with self._post(prompt, max_tokens, stream=True) as response:
            try:
                yield from _chat_pieces(_lines(iter(lambda: response.read1(65_536), b"")))
            except (OSError, ValueError) as broken:
                raise CallFailed(f"{self.address.location} broke off: {broken}") from broken

    def _post(self, prompt: str, max_tokens: int, stream: bool) -> Any:
        url = f"{self.address.location.rstrip('/')}/chat/completions"
        request = urllib.request.Request(
            url, self._chat(prompt, max_tokens, stream), {"Content-Type": "application/json"}
        )
        try:
            return urllib.request.urlopen(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as refused:
            said = refused.read(2_000).decode(errors="replace")
            raise CallFailed(f"{url} answered {refused.code}: {_message(said)}", refused.code) from refused
        except (urllib.error.URLError, OSError) as unreachable:
            reason = getattr(unreachable, "reason", unreachable)
            late = isinstance(reason, socket.timeout)
            raise CallFailed(
                f"{url} did not answer{f' within {self._timeout_s:g} s' if late else f': {reason}'}"
            ) from unreachable

    def _read(self, response: Any) -> bytes:
        try:
            whole: bytes = response.read()
        except OSError as broken:
            raise CallFailed(f"{self.address.location} broke off: {broken}") from broken
        return whole


CACHE_POINT: dict[str, Any] = {"cachePoint": {"type": "default"}}


def converse_settings(address: Address) -> dict[str, Any]:
    """What an address adds to every request of Converse's, whatever is asked."""
    found: dict[str, Any] = {}
    if address.tier:
        found["serviceTier"] = {"type": address.tier}
    if address.latency:
        found["performanceConfig"] = {"latency": address.latency}
    if address.system:
        found["system"] = [{"text": address.system}, *([CACHE_POINT] if address.cache else [])]
    return found


def _read(usage: dict[str, Any]) -> int:
    """Tokens read: Bedrock counts those that it wrote to its prompt cache, or read there, beside the others."""
    return int(sum(usage.get(name, 0) for name in ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")))


def converse_reply(response: dict[str, Any]) -> Reply:
    """The reply in a Converse response, or in the record of a batch job that has its shape."""
    text = "".join(block["text"] for block in response["output"]["message"]["content"] if "text" in block)
    usage = response["usage"]
    return Reply(text, _read(usage), usage["outputTokens"], response["stopReason"])


def _converse_pieces(events: Iterable[dict[str, Any]]) -> Iterator[str | Reply]:
    """The text of ConverseStream. Raises CallFailed when it ends before it said why: the connection closed, and half an answer is none."""
    pieces: list[str] = []
    stop_reason, usage = "", {"inputTokens": 0, "outputTokens": 0}
    for event in events:
        if "contentBlockDelta" in event and "text" in event["contentBlockDelta"]["delta"]:
            pieces.append(event["contentBlockDelta"]["delta"]["text"])
            yield pieces[-1]
        elif "messageStop" in event:
            stop_reason = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            usage = event["metadata"]["usage"]
    if not stop_reason:
        raise CallFailed("the stream broke off before the answer ended")
    yield Reply("".join(pieces), _read(usage), usage["outputTokens"], stop_reason)


def chat_reply(answer: dict[str, Any]) -> Reply:
    choice, usage = answer["choices"][0], answer.get("usage") or {}
    return Reply(
        choice["message"]["content"] or "",
        usage.get("prompt_tokens", 0),
        usage.get("completion_tokens", 0),
        choice.get("finish_reason") or "",
    )


def _chat_pieces(lines: Iterable[bytes]) -> Iterator[str | Reply]:
    """The text of a chat-completions stream: server-sent events, or one JSON document a line. Raises CallFailed when it breaks off."""
    pieces: list[str] = []
    stop_reason = ""
    usage: dict[str, int] = {}
    for line in lines:
        data = line.removeprefix(b"data:").strip()
        if not data.startswith(b"{"):  # an empty line, a comment, [DONE]
            continue
        chunk = json.loads(data)
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices", []):
            stop_reason = choice.get("finish_reason") or stop_reason
            if text := (choice.get("delta") or {}).get("content"):
                pieces.append(text)
                yield text
    if not stop_reason:
        raise CallFailed("the stream broke off before the answer ended")
    yield Reply("".join(pieces), usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0), stop_reason)


def _lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Lines out of parts that may end anywhere."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        yield from whole
    if rest:
        yield rest


def object_at(uri: str) -> bytes | None:
    """An object of S3, or None while it is not there. Without leave to list its bucket, S3 says 403 instead of 404."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        content: bytes = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as refused:
        if refused.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    return content


def _message(said: str) -> str:
    """What an OpenAI-compatible server says of an error, or its plain text."""
    try:
        error = json.loads(said)
    except ValueError:
        return said.strip()
    inner = error.get("error", error) if isinstance(error, dict) else error
    return str(inner.get("message", inner) if isinstance(inner, dict) else inner)
