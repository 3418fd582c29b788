"""Any server that speaks OpenAI's API (vLLM, Triton's and TensorRT-LLM's front ends, Ollama, llama.cpp), and Triton's own generate."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from labs.bench import readers
from labs.bench.exchange import Ask, Attempt, Failed
from labs.bench.http1 import Origin, Reader
from labs.bench.http_client import HttpClient
from labs.bench.refusals import openai_error

Api = Literal["chat", "completions", "triton"]
APIS: tuple[Api, ...] = ("chat", "completions", "triton")
KEY_VARIABLE = "OPENAI_API_KEY"


@dataclass(frozen=True)
class OpenAi:
    """One model of one server. `url` is the server's, with or without its /v1."""

    url: str
    model: str
    api: Api = "chat"
    stream: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    """laid over every request's body, for instance {"ignore_eos": true} for vLLM"""

    @property
    def streaming(self) -> bool:
        return self.stream

    def describe(self) -> Mapping[str, Any]:
        kind = "triton-generate" if self.api == "triton" else f"openai-{self.api}"
        return {"endpoint": kind, "model": self.model, "address": self.url, "streaming": self.stream}

    def open(self, *, only_loopback: bool) -> HttpClient:  # noqa: ARG002 - it is no AWS service, and was named by its address
        return HttpClient(_Dialect(self))

    def body(self, ask: Ask) -> dict[str, Any]:
        """A request's body."""
        if self.api == "triton":
            return {"text_input": ask.prompt, "max_tokens": ask.output_tokens, "stream": self.stream, **self.extra}
        said = {"messages": [{"role": "user", "content": ask.prompt}]} if self.api == "chat" else {"prompt": ask.prompt}
        asked = {"model": self.model, **said, "max_tokens": ask.output_tokens, "stream": self.stream}
        if self.stream:
            asked["stream_options"] = {"include_usage": True}
        return {**asked, **self.extra}

    @property
    def path(self) -> str:
        """Where requests go."""
        base = urlsplit(self.url).path.rstrip("/")
        if self.api == "triton":
            return f"{base}/v2/models/{quote(self.model, safe='')}/{'generate_stream' if self.stream else 'generate'}"
        return f"{base.removesuffix('/v1')}/v1/{'chat/completions' if self.api == 'chat' else 'completions'}"


class _Dialect:
    def __init__(self, endpoint: OpenAi) -> None:
        self.origin = Origin.of(endpoint.url)
        self._endpoint = endpoint
        key = os.environ.get(KEY_VARIABLE)
        authorization = f"Authorization: Bearer {key}\r\n" if key else ""
        self._head = (
            f"POST {endpoint.path} HTTP/1.1\r\nHost: {self.origin.authority}\r\n"
            f"Content-Type: application/json\r\n{authorization}Content-Length: "
        ).encode()

    def message(self, ask: Ask) -> bytes:
        body = json.dumps(self._endpoint.body(ask)).encode()
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)

    def reader(self, attempt: Attempt, headers: dict[bytes, bytes]) -> Reader:
        if self._endpoint.stream:
            return readers.Lines(attempt, final=self._endpoint.api != "triton")
        return readers.Whole(attempt, headers)

    def refused(self, http_status: int, headers: dict[bytes, bytes], body: bytes) -> Failed:  # noqa: ARG002
        return openai_error(http_status, body)
