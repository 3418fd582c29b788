"""A model is called by what its address says: streams end in a whole answer, and a server's refusal is a sentence."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from labs.targets.calling import Address, Caller, CallFailed, Reply, _converse_pieces, _lines

CHUNKS: list[dict[str, Any]] = [
    {"choices": [{"delta": {"role": "assistant"}}]},
    {"choices": [{"delta": {"content": "Rhine, "}}]},
    {"choices": [{"delta": {"content": "Rhône"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 4}},
]


class Server(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that knows one answer."""

    protocol_version = "HTTP/1.1"
    asked: dict[str, Any]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked = {"path": self.path, **body}
        prompt = body["messages"][0]["content"]
        if prompt == "refuse":
            self.answer(400, json.dumps({"error": {"message": "no such model"}}).encode())
        elif prompt == "break off":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'data: {"choices": [{"delta": {"content": "R"}}]}\n\n')
            self.close_connection = True
        elif body.get("stream"):
            lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in CHUNKS]
            self.answer(200, "".join([": hello\n\n", *lines, "data: [DONE]\n\n"]).encode())
        else:
            message = {"message": {"content": "Rhine, Rhône"}, "finish_reason": "stop"}
            self.answer(200, json.dumps({"choices": [message], "usage": CHUNKS[-1]["usage"]}).encode())

    def answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_an_openai_server_answers_whole_and_piece_by_piece(url: str) -> None:
    caller = Caller(Address("openai", url, model="llama"))
    whole = caller.ask("rivers", 50)
    assert whole == Reply("Rhine, Rhône", 7, 4, "stop")
    assert Server.asked["path"] == "/v1/chat/completions"
    assert (Server.asked["model"], Server.asked["max_tokens"]) == ("llama", 50)
    assert list(caller.stream("rivers", 50)) == ["Rhine, ", "Rhône", whole]


def test_a_servers_refusal_and_a_broken_stream_are_sentences(url: str) -> None:
    caller = Caller(Address("openai", url))
    with pytest.raises(CallFailed, match="answered 400: no such model") as refused:
        caller.ask("refuse", 5)
    assert refused.value.status == 400
    with pytest.raises(CallFailed, match="did not answer"):
        Caller(Address("openai", "http://127.0.0.1:9/v1")).ask("x", 5)


def test_a_stream_that_ends_early_is_no_answer(url: str) -> None:
    pieces = Caller(Address("openai", url)).stream("break off", 5)
    assert next(pieces) == "R"
    with pytest.raises(CallFailed, match="broke off"):
        list(pieces)


def test_a_stream_of_converse_that_ends_without_a_stop_reason_is_no_answer() -> None:
    delta = {"contentBlockDelta": {"delta": {"text": "Rhi"}}}
    pieces = _converse_pieces([delta])
    assert next(pieces) == "Rhi"
    with pytest.raises(CallFailed, match="broke off"):
        next(pieces)
    whole = [delta, {"messageStop": {"stopReason": "end_turn"}}]
    assert list(_converse_pieces(whole))[-1] == Reply("Rhi", 0, 0, "end_turn")


def test_lines_may_be_cut_anywhere() -> None:
    text = "data: é\n\ndata: b\nrest".encode()
    for size in range(1, len(text)):
        parts = [text[i : i + size] for i in range(0, len(text), size)]
        assert list(_lines(parts)) == text.split(b"\n")


def test_an_address_survives_the_way_through_a_stacks_outputs() -> None:
    address = Address("sagemaker", "my-endpoint", component="copy-a")
    assert Address.from_json(address.to_json()) == address
    with pytest.raises(ValueError, match="no protocol 'telegraph'"):
        Address("telegraph", "x")
