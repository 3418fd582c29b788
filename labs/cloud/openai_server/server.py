"""The model server as a WSGI application: its routes, its state from loading to ready, its engine."""

import hmac
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from labs.cloud.openai_server.answers import Format, OpenAI, SseBody, Triton
from labs.cloud.openai_server.launch import Launch
from labs.cloud.openai_server.meters import Meters
from labs.cloud.openai_server.requests import Asked, Wrong, chat, completion, generation, understood
from labs.cloud.tokens import count
from labs.cloud.wallclock import Rejected, WallClock
from labs.serving.engine import Engine, EngineConfig, Event, Request

Answer = Iterable[bytes]
VERSION = "0.0+local-cloud"


class ModelServer:
    """One replica of a model behind HTTP. Raises `Failed` where the real one would not start."""

    def __init__(self, launch: Launch, *, loading_s: float = 0.0) -> None:
        """It is ready `loading_s` from now."""
        self.launch = launch
        self.planned = launch.plan()
        self._ready_at = time.monotonic() + loading_s
        self._created = int(time.time())
        self._meters = Meters(launch.name, self.planned.cache_tokens)
        self._clock: WallClock | None = None
        self._lock = threading.Lock()

    @property
    def is_ready(self) -> bool:
        return time.monotonic() >= self._ready_at

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].rstrip("/") or "/"
        try:
            self._check_key(environ, path)
            if self.launch.kind == "triton":
                return self._triton(method, path, environ, start_response)
            return self._vllm(method, path, environ, start_response)
        except Wrong as wrong:
            error = {"message": str(wrong), "type": wrong.kind, "param": wrong.param, "code": wrong.status}
            return send_json(start_response, {"error": error}, wrong.status)

    # -- routes

    def _vllm(self, method: str, path: str, environ: dict[str, Any], start_response: Any) -> Answer:
        match method, path:
            case "GET", "/health":
                return send(start_response, 200 if self.is_ready else 503, "text/plain", b"")
            case "GET", "/ping":
                return send(start_response, 200 if self.is_ready else 503, "text/plain", b"")
            case "GET", "/version":
                return send_json(start_response, {"version": VERSION})
            case "GET", "/metrics":
                return send(
                    start_response, 200, "text/plain; version=0.0.4; charset=utf-8", self._meters.text().encode()
                )
            case "GET", "/v1/models":
                self._must_be_ready()
                return send_json(start_response, {"object": "list", "data": [self._card()]})
            case "POST", "/tokenize":
                params = self._params(environ)
                text = str(
                    params.get("prompt") or "\n".join(str(m.get("content")) for m in params.get("messages") or [])
                )
                return send_json(start_response, {"count": count(text), "max_model_len": self.planned.max_model_len})
            case "POST", "/v1/chat/completions":
                params = self._params(environ)
                format = OpenAI(f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), self.launch.name, is_chat=True)
                return self._generate(chat(params, self.planned.max_model_len), format, start_response)
            case "POST", "/v1/completions":
                params = self._params(environ)
                format = OpenAI(f"cmpl-{uuid.uuid4().hex}", int(time.time()), self.launch.name, is_chat=False)
                return self._generate(completion(params, self.planned.max_model_len), format, start_response)
        raise Wrong(f"There is no {method} {path}.", 404, "NotFoundError")

    def _triton(self, method: str, path: str, environ: dict[str, Any], start_response: Any) -> Answer:
        if method == "GET" and path == "/metrics":
            return send(start_response, 200, "text/plain; version=0.0.4; charset=utf-8", self._meters.text().encode())
        if method == "GET" and path in ("/v2/health/live", "/v2/health/ready"):
            ready = self.is_ready or path.endswith("live")
            return send(start_response, 200 if ready else 503, "text/plain", b"")
        if path == "/v2" and method == "GET":
            return send_json(start_response, {"name": "triton", "version": VERSION, "extensions": ["generate"]})
        found = re.fullmatch(r"/v2/models/([^/]+)(?:/versions/\d+)?(/ready|/generate|/generate_stream)?", path)
        if found is None:
            raise Wrong(f"There is no {method} {path}.", 404, "NotFoundError")
        name, action = found.groups()
        if name != self.launch.name:
            raise Wrong(f"Request for unknown model: '{name}' is not found", 404, "NotFoundError")
        if method == "GET" and action in (None, "/ready"):
            if action == "/ready":
                return send(start_response, 200 if self.is_ready else 503, "text/plain", b"")
            return send_json(start_response, {"name": name, "versions": ["1"], "platform": "vllm"})
        if method == "POST" and action in ("/generate", "/generate_stream"):
            self._must_be_ready()
            params = understood(environ["wsgi.input"].read())
            wanted = generation(params, self.planned.max_model_len)
            return self._generate(wanted, Triton(name), start_response, stream=action == "/generate_stream")
        raise Wrong(f"There is no {method} {path}.", 404, "NotFoundError")

    # -- a generation

    def _generate(self, asked: Asked, format: Format, start_response: Any, *, stream: bool | None = None) -> Answer:
        request = Request(uuid.uuid4().hex, asked.input_tokens, len(asked.pieces), asked.max_tokens)
        try:
            tokens = self._engine().submit(request)
        except Rejected as rejected:
            raise Wrong(f"The request cannot be served: {rejected.reason}.") from None
        self._meters.submitted(request.id, asked.input_tokens, tokens.submitted_at)

        def saw(event: Event) -> None:
            self._meters.saw(event, asked.finish_reason)

        def gone() -> None:
            self._meters.aborted(request.id)

        if asked.stream if stream is None else stream:
            start_response("200 OK", [("Content-Type", format.content_type), ("Cache-Control", "no-cache")])
            body: Answer = SseBody(tokens, asked, format, saw, gone)
            return body
        attend(tokens, saw)
        return send_json(start_response, format.whole("".join(asked.pieces), asked))

    def _engine(self) -> WallClock:
        with self._lock:
            if self._clock is None:
                spec = self.planned.deployment.spec
                self._clock = WallClock(Engine(EngineConfig(replica=spec, stream_tokens=True)))
            return self._clock

    # -- what every request must meet

    def _params(self, environ: dict[str, Any]) -> dict[str, Any]:
        self._must_be_ready()
        params = understood(environ["wsgi.input"].read())
        model = params.get("model")
        if model is not None and model != self.launch.name:
            raise Wrong(f"The model `{model}` does not exist.", 404, "NotFoundError", "model")
        return params

    def _must_be_ready(self) -> None:
        if not self.is_ready:
            raise Wrong(
                "The model is still being loaded; /health says when it is ready.", 503, "ServiceUnavailableError"
            )

    def _check_key(self, environ: dict[str, Any], path: str) -> None:
        if self.launch.api_key is None or not path.startswith("/v1"):
            return
        given = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.launch.api_key.encode()):
            raise Wrong("Unauthorized", 401, "Unauthorized")

    def _card(self) -> dict[str, Any]:
        return {
            "id": self.launch.name,
            "object": "model",
            "created": self._created,
            "owned_by": "vllm",
            "root": self.launch.model,
            "parent": None,
            "max_model_len": self.planned.max_model_len,
        }


def attend(stream: Any, saw: Callable[[Event], None]) -> None:
    """Wait for the end of a generation whose tokens nobody is sent."""

    def deliver(due: list[Event], may_wait: bool) -> bool:  # noqa: ARG001 - never has to wait
        for event in due:
            saw(event)
        return True

    stream.attend(deliver)


def send(start_response: Any, status: int, content_type: str, body: bytes) -> Answer:
    start_response(
        f"{status} {HTTPStatus(status).phrase}", [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    )
    return [body]


def send_json(start_response: Any, value: dict[str, Any], status: int = 200) -> Answer:
    return send(start_response, status, "application/json", json.dumps(value, ensure_ascii=False).encode())
