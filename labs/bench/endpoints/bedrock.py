"""Amazon Bedrock: Converse and InvokeModel, each whole or as a stream, on any model id, inference profile or ARN."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from labs.bench import readers
from labs.bench.exchange import Ask, Attempt, Failed
from labs.bench.http1 import Reader
from labs.bench.http_client import HttpClient
from labs.bench.refusals import aws_error
from labs.bench.signing import Signer
from labs.errors import USAGE, Refusal

Operation = Literal["converse-stream", "converse", "invoke-with-response-stream", "invoke"]
OPERATIONS: tuple[Operation, ...] = ("converse-stream", "converse", "invoke-with-response-stream", "invoke")
"""also the last part of each one's path"""


@dataclass(frozen=True)
class Bedrock:
    """One model, called one way."""

    model_id: str
    operation: Operation = "converse-stream"
    format: str = ""
    """InvokeModel's: which family's JSON; empty: as the model's id says"""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """laid over every request's body"""

    @property
    def streaming(self) -> bool:
        return self.operation.endswith("stream")

    def describe(self) -> Mapping[str, Any]:
        return {"endpoint": f"bedrock-{self.operation}", "model": self.model_id, "streaming": self.streaming}

    def open(self, *, only_loopback: bool) -> HttpClient:
        if self.operation.startswith("invoke"):
            self.family()
        return HttpClient(_Dialect(self, Signer.of("bedrock-runtime", only_loopback=only_loopback)))

    def family(self) -> str:
        """Whose JSON InvokeModel takes. Raises Refusal when it cannot be told."""
        return self.format or family(self.model_id)

    def body(self, ask: Ask) -> dict[str, Any]:
        """A request's body."""
        if self.operation.startswith("converse"):
            return {
                "messages": [{"role": "user", "content": [{"text": ask.prompt}]}],
                "inferenceConfig": {"maxTokens": ask.output_tokens},
                **self.extra,
            }
        return {**_BODIES[self.family()](ask, self.streaming), **self.extra}


class _Dialect:
    def __init__(self, endpoint: Bedrock, signer: Signer) -> None:
        self.origin = signer.origin
        self._endpoint, self._signer = endpoint, signer
        self._path = f"/model/{quote(endpoint.model_id, safe='-._~')}/{endpoint.operation}"

    def message(self, ask: Ask) -> bytes:
        body = json.dumps(self._endpoint.body(ask)).encode()
        return self._signer.request(self._path, body, {"Content-Type": "application/json"})

    def reader(self, attempt: Attempt, headers: dict[bytes, bytes]) -> Reader:
        match self._endpoint.operation:
            case "converse-stream":
                return readers.ConverseStream(attempt)
            case "invoke-with-response-stream":
                return readers.ChunkStream(attempt)
        return readers.Whole(attempt, headers)

    def refused(self, http_status: int, headers: dict[bytes, bytes], body: bytes) -> Failed:
        return aws_error(http_status, headers, body)


def family(model_id: str) -> str:
    """Whose JSON InvokeModel takes for this model; Converse needs none. Raises Refusal when it cannot be told from the id."""
    name = model_id.lower()
    for sign, found in _FAMILIES:
        if sign in name:
            return found
    raise Refusal(
        f"InvokeModel takes each model family's own JSON, and '{model_id}' does not say its family; use --api converse-stream, "
        f"or a model of {', '.join(sorted(_BODIES))}",
        USAGE,
    )


_FAMILIES = (
    ("anthropic", "anthropic"),
    ("nova", "nova"),
    ("llama", "llama"),
    (":imported-model/", "llama"),
    ("mistral", "mistral"),
    ("titan-text", "titan"),
    ("gpt-oss", "openai"),
    ("qwen", "openai"),
    ("deepseek", "openai"),
)


def _chat(ask: Ask) -> list[dict[str, Any]]:
    return [{"role": "user", "content": ask.prompt}]


_BODIES: dict[str, Callable[[Ask, bool], dict[str, Any]]] = {
    "anthropic": lambda ask, stream: {  # noqa: ARG005
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": ask.output_tokens,
        "messages": _chat(ask),
    },
    "nova": lambda ask, stream: {  # noqa: ARG005
        "messages": [{"role": "user", "content": [{"text": ask.prompt}]}],
        "inferenceConfig": {"maxTokens": ask.output_tokens},
    },
    "llama": lambda ask, stream: {  # noqa: ARG005
        "prompt": ask.prompt,
        "max_gen_len": ask.output_tokens,
    },
    "mistral": lambda ask, stream: {  # noqa: ARG005
        "prompt": f"<s>[INST] {ask.prompt} [/INST]",
        "max_tokens": ask.output_tokens,
    },
    "titan": lambda ask, stream: {  # noqa: ARG005
        "inputText": ask.prompt,
        "textGenerationConfig": {"maxTokenCount": ask.output_tokens},
    },
    "openai": lambda ask, stream: {
        "messages": _chat(ask),
        "max_tokens": ask.output_tokens,
        **({"stream": True, "stream_options": {"include_usage": True}} if stream else {}),
    },
}
