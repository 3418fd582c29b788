"""What model servers read: request bodies understood, and refused in each server's own words.

    asked = parse(Served(server, "llama-3.1-8b", 8192, "sse"), body)      # raises BadBody

Dialects: `inputs` ({"inputs": ..., "parameters": ...}, of LMI and TGI), `chat` and `completions` (OpenAI's), `tensors` (Triton's).
"""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from labs import facts
from labs.cloud import tokens
from labs.cloud.services.sagemaker_images import Server
from labs.cloud.standin import Turn

MESSAGE_OVERHEAD_TOKENS = 4
"""What the frame around a message (its role and its end) costs in tokens."""
DEFAULT_NEW_TOKENS = {"tgi": 100, "tgi-neuron": 100}
"""How long an answer in TGI's own schema is at most when nobody says."""
DEFAULT_COMPLETION_TOKENS = 16
"""The same in OpenAI's completions, and in Triton's vLLM back end; a chat goes on to the end of the context."""


class BadBody(Exception):  # noqa: N818 - becomes the service's ModelError
    """The server in the container refuses the body, with this status and answer."""

    def __init__(self, status: int, said: dict[str, Any]) -> None:
        super().__init__(json.dumps(said))
        self.status = status


@dataclass(frozen=True)
class Served:
    """What a server serves: what its readers need to know."""

    server: Server
    model: str
    context_tokens: int
    stream_format: str


@dataclass(frozen=True)
class Asked:
    """A request as its server understands it."""

    dialect: str
    server: Server
    model: str
    turns: tuple[Turn, ...]
    system: str
    input_tokens: int
    max_tokens: int
    stops: tuple[str, ...] = ()
    stream: bool = False
    details: bool = False
    echo: str = ""
    """what the answer repeats before its own text"""
    usage_in_stream: bool = False
    as_list: bool = False
    """does the answer come in a list of one?"""
    stream_format: str = "sse"
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))


# -- reading


def parse(served: Served, body: bytes) -> Asked:
    """Understand a request. Raises BadBody as the server would answer."""
    server, context_tokens = served.server, served.context_tokens
    try:
        said = json.loads(body)
    except ValueError as wrong:
        raise refusal(server, 400, f"The request body is not JSON: {wrong}") from None
    if not isinstance(said, dict):
        raise refusal(server, 400, "The request body must be a JSON object.")
    for key, dialect, read in READERS:
        if key in said and dialect in server.dialects and (dialect != "inputs" or isinstance(said[key], str)):
            asked = read(served, said)
            break
    else:
        raise refusal(
            server, 424 if server.id.startswith("lmi") else 422, f"{server.name} reads {' or '.join(expected(server))}."
        )
    if asked.input_tokens + asked.max_tokens > context_tokens:
        raise refusal(
            server,
            424 if server.id.startswith("lmi") else 400,
            f"This model's maximum context length is {context_tokens} tokens. However, you requested {asked.input_tokens + asked.max_tokens} tokens "
            f"({asked.input_tokens} in the messages, {asked.max_tokens} in the completion). Please reduce the length of the messages or completion.",
        )
    return asked


def expected(server: Server) -> list[str]:
    """The bodies that a server reads, in words."""
    words = {
        "inputs": '{"inputs": "...", "parameters": {...}}',
        "chat": '{"messages": [{"role": "user", "content": "..."}]}',
        "completions": '{"prompt": "..."}',
        "tensors": '{"inputs": [{"name": "text_input", ...}]}',
    }
    return [words[dialect] for dialect in server.dialects]


def refusal(server: Server, status: int, message: str) -> BadBody:
    """A refusal in the server's own words."""
    if server.id.startswith("lmi"):
        return BadBody(status, {"error": message, "code": status})
    if server.id.startswith("tgi"):
        return BadBody(status, {"error": message, "error_type": "validation"})
    if server.id == "triton":
        return BadBody(status, {"error": message})
    return BadBody(
        status, {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": status}
    )


def read_inputs(served: Served, said: dict[str, Any]) -> Asked:
    """LMI's and TGI's own body."""
    server = served.server
    parameters = said.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise refusal(server, 422, "'parameters' must be an object.")
    text = said["inputs"]
    return Asked(
        "inputs",
        server,
        served.model,
        (Turn("user", text),),
        "",
        max(1, tokens.count(text)),
        limit_of(
            server,
            parameters,
            ("max_new_tokens", "max_tokens"),
            DEFAULT_NEW_TOKENS.get(server.id) or int(facts.number("sagemaker.lmi.max_new_tokens_default")),
        ),
        stops_of(server, parameters.get("stop_sequences", parameters.get("stop"))),
        stream=bool(said.get("stream", False)),
        details=bool(parameters.get("details", False)),
        echo=text if parameters.get("return_full_text") else "",
        as_list=server.id.startswith("tgi"),
        stream_format=served.stream_format,
    )


def read_chat(served: Served, said: dict[str, Any]) -> Asked:
    """OpenAI's chat completions."""
    server = served.server
    messages = said["messages"]
    if not isinstance(messages, list) or not messages:
        raise refusal(server, 400, "'messages' must be a list of at least one message.")
    turns, system, count = [], [], 0
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in (
            "system",
            "developer",
            "user",
            "assistant",
            "tool",
        ):
            raise refusal(server, 400, f"messages[{number}] must have a role of system, user, assistant or tool.")
        text = text_of(server, message.get("content"), number)
        count += tokens.count(text) + MESSAGE_OVERHEAD_TOKENS
        if message["role"] in ("system", "developer"):
            system.append(text)
        else:
            turns.append(Turn(message["role"], text))
    if not turns:
        raise refusal(server, 400, "'messages' must have a message of the user's.")
    rest = max(1, served.context_tokens - count)
    return Asked(
        "chat",
        server,
        str(said.get("model") or served.model),
        tuple(turns),
        "\n".join(system),
        count,
        limit_of(server, said, ("max_completion_tokens", "max_tokens"), rest),
        stops_of(server, said.get("stop")),
        stream=bool(said.get("stream", False)),
        usage_in_stream=wants_usage(said),
        stream_format=served.stream_format,
    )


def read_completions(served: Served, said: dict[str, Any]) -> Asked:
    """OpenAI's completions."""
    server = served.server
    prompt = said["prompt"]
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise refusal(server, 400, "The local cloud reads 'prompt' as one string.")
    return Asked(
        "completions",
        server,
        str(said.get("model") or served.model),
        (Turn("user", prompt),),
        "",
        max(1, tokens.count(prompt)),
        limit_of(server, said, ("max_tokens",), DEFAULT_COMPLETION_TOKENS),
        stops_of(server, said.get("stop")),
        stream=bool(said.get("stream", False)),
        usage_in_stream=wants_usage(said),
        echo=prompt if said.get("echo") else "",
        stream_format=served.stream_format,
    )


def read_tensors(served: Served, said: dict[str, Any]) -> Asked:
    """Triton's inference protocol, with the names that its vLLM back end uses."""
    server, listed = served.server, said["inputs"]
    named = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    tensors = {str(each.get("name")): first_of(each.get("data")) for each in named}
    text = tensors.get("text_input")
    if not isinstance(text, str):
        raise refusal(
            server,
            400,
            "unexpected inference input: there must be a tensor 'text_input' of type BYTES with one string.",
        )
    try:
        parameters = json.loads(tensors.get("sampling_parameters") or tensors.get("parameters") or "{}")
    except (ValueError, TypeError):
        parameters = None
    if not isinstance(parameters, dict):
        raise refusal(server, 400, "'sampling_parameters' is not a JSON object.")
    if tensors.get("max_tokens") is not None:
        parameters["max_tokens"] = tensors["max_tokens"]
    limit = limit_of(server, parameters, ("max_tokens",), DEFAULT_COMPLETION_TOKENS)
    stops = stops_of(server, parameters.get("stop"))
    count = max(1, tokens.count(text))
    return Asked(
        "tensors", server, served.model, (Turn("user", text),), "", count, limit, stops, stream_format="jsonlines"
    )


def first_of(data: Any) -> Any:
    """The one element of a tensor's data, or None."""
    return data[0] if isinstance(data, list) and data else None


Reader = Callable[[Served, dict[str, Any]], Asked]
READERS: tuple[tuple[str, str, Reader], ...] = (
    ("messages", "chat", read_chat),
    ("inputs", "inputs", read_inputs),
    ("inputs", "tensors", read_tensors),
    ("prompt", "completions", read_completions),
)


def wants_usage(said: dict[str, Any]) -> bool:
    """Is the stream to end with token counts?"""
    options = said.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def limit_of(server: Server, given: dict[str, Any], names: tuple[str, ...], default: int) -> int:
    """The most tokens that the answer may have."""
    value = next((given[name] for name in names if given.get(name) is not None), default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise refusal(
            server, 422 if server.id.startswith("tgi") else 400, f"{names[0]} must be at least 1, got {value!r}."
        )
    return value


def stops_of(server: Server, given: Any) -> tuple[str, ...]:
    """Texts that end the answer."""
    stops = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise refusal(server, 400, "stop must be a text or a list of texts.")
    return tuple(stops)


def text_of(server: Server, content: Any, number: int) -> str:
    """A message's text: a string, or parts of type text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    raise refusal(server, 400, f"messages[{number}].content must be text: the local cloud's models read text only.")
