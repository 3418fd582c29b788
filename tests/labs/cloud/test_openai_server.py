"""The OpenAI-compatible model server: its wire formats, its refusals, its times, and what it tells of itself."""

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.cloud.listener import AddressTaken, Listener, open_listener
from labs.cloud.openai_server import Failed, Launch, ModelServer
from labs.cloud.openai_server.requests import Wrong, asked, chat, completion, cut
from labs.cloud.standin import LABEL, Turn

FAST = Launch("meta-llama/Meta-Llama-3-8B-Instruct", "h100")
HELLO = {"messages": [{"role": "user", "content": "Where should this model run?"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[Listener]:
    listener = open_listener(ModelServer(FAST), name="model-server")
    yield listener
    listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Listener]]:
    """Serve a launch for the length of a test."""
    opened = []

    def open_(launch: Launch, **how: Any) -> Listener:
        opened.append(open_listener(ModelServer(launch, **how)))
        return opened[-1]

    yield open_
    for listener in opened:
        listener.close()


def call(listener: Listener, path: str, body: Any = None, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(listener.authority, timeout=30)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("GET" if body is None else "POST", path, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def ask(listener: Listener, path: str, body: Any = None, **headers: str) -> Any:
    status, _, data = call(listener, path, body, **headers)
    assert status == 200, data
    return json.loads(data)


def events(listener: Listener, path: str, body: dict[str, Any]) -> list[Any]:
    status, headers, data = call(listener, path, body)
    assert (status, headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    lines = [line.removeprefix("data: ") for line in data.decode().split("\n\n") if line]
    return [json.loads(line) if line != "[DONE]" else line for line in lines]


# -- wire formats


def test_a_chat_is_answered_whole_or_as_it_is_made(server: Listener) -> None:
    whole = ask(server, "/v1/chat/completions", {**HELLO, "max_tokens": 12, "model": FAST.model})
    [choice] = whole["choices"]
    text = choice["message"]["content"]
    assert text.startswith(LABEL)
    assert (choice["finish_reason"], whole["usage"]["completion_tokens"], whole["model"]) == ("length", 12, FAST.model)
    streamed = events(
        server,
        "/v1/chat/completions",
        {**HELLO, "max_tokens": 12, "stream": True, "stream_options": {"include_usage": True}},
    )
    assert streamed[-1] == "[DONE]"
    assert (streamed[-2]["choices"], streamed[-2]["usage"]) == ([], whole["usage"])
    deltas = [event["choices"][0]["delta"] for event in streamed[:-2]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta["content"] for delta in deltas) == text
    assert [event["choices"][0]["finish_reason"] for event in streamed[:-2]][-2:] == [None, "length"]
    assert len({event["id"] for event in streamed[:-1]}) == 1


def test_a_completion_is_answered_whole_or_as_it_is_made(server: Listener) -> None:
    body = {"prompt": "Summarise: the queue is long.", "max_tokens": 9}
    whole = ask(server, "/v1/completions", body)
    streamed = events(server, "/v1/completions", {**body, "stream": True})
    assert whole["object"] == "text_completion"
    assert "".join(event["choices"][0]["text"] for event in streamed[:-1]) == whole["choices"][0]["text"]
    assert streamed[-1] == "[DONE]"
    assert len(ask(server, "/v1/completions", {"prompt": [1, 2, 3]})["choices"]) == 1
    assert ask(server, "/v1/completions", {"prompt": [1, 2, 3]})["usage"]["prompt_tokens"] == 3


def test_load_tools_get_exactly_as_many_tokens_as_they_ask_for(server: Listener) -> None:
    long = ask(server, "/v1/completions", {"prompt": "classify this", "max_tokens": 150, "ignore_eos": True})
    assert (long["usage"]["completion_tokens"], long["choices"][0]["finish_reason"]) == (150, "length")


def test_a_stop_text_ends_the_answer_before_it(server: Listener) -> None:
    said = ask(server, "/v1/chat/completions", {**HELLO, "max_tokens": 100, "stop": ["answer"]})["choices"][0]
    assert (said["message"]["content"], said["finish_reason"]) == ("[stand-in ", "stop")


def test_it_says_which_model_it_has(server: Listener) -> None:
    [card] = ask(server, "/v1/models")["data"]
    assert (card["id"], card["max_model_len"], card["object"]) == (FAST.model, 8192, "model")
    assert call(server, "/health")[0] == 200
    assert ask(server, "/tokenize", {"prompt": "one two"})["count"] == 2


# -- refusals


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"{", 400),
        ("/v1/chat/completions", b"[]", 400),
        ("/v1/chat/completions", {}, 400),
        ("/v1/chat/completions", {"messages": [{"role": "user"}]}, 400),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400),
        ("/v1/chat/completions", {**HELLO, "max_tokens": 0}, 400),
        ("/v1/chat/completions", {**HELLO, "max_tokens": 9000}, 400),
        ("/v1/chat/completions", {**HELLO, "n": 2}, 400),
        ("/v1/chat/completions", {**HELLO, "temperature": 3}, 400),
        ("/v1/chat/completions", {**HELLO, "stream": "yes"}, 400),
        ("/v1/chat/completions", {**HELLO, "logprobs": True}, 400),
        ("/v1/chat/completions", {**HELLO, "model": "gpt-4"}, 404),
        ("/v1/completions", {"prompt": "x " * 9000}, 400),
        ("/v1/completions", {"prompt": ["a", "b"]}, 400),
        ("/v1/nothing", {}, 404),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(server: Listener, path: str, body: Any, status: int) -> None:
    said, _, data = call(server, path, body)
    error = json.loads(data)["error"]
    assert (said, error["code"]) == (status, status)
    assert error["message"]


def test_a_key_is_asked_for_where_one_was_set(serve: Callable[..., Listener]) -> None:
    listener = serve(Launch("qwen3-0.6b", "h100", api_key="secret"))
    assert call(listener, "/v1/models")[0] == 401
    assert call(listener, "/v1/models", Authorization="Bearer wrong")[0] == 401
    assert call(listener, "/v1/models", Authorization="Bearer secret")[0] == 200
    assert call(listener, "/health")[0] == 200


def test_until_the_model_is_loaded_it_is_not_healthy(serve: Callable[..., Listener]) -> None:
    listener = serve(FAST, loading_s=0.3)
    assert call(listener, "/health")[0] == 503
    assert call(listener, "/v1/chat/completions", HELLO)[0] == 503
    deadline = time.monotonic() + 20
    while call(listener, "/health")[0] != 200:
        assert time.monotonic() < deadline
    assert call(listener, "/v1/completions", {"prompt": "a"})[0] == 200


@pytest.mark.parametrize(
    ("launch", "reason"),
    [
        (Launch("llama-3-70b", "g5.2xlarge"), "CUDA out of memory.*Try at least"),
        (Launch("llama-3.1-8b", "g5.2xlarge"), r"max seq len \(131072\) is larger than .* KV cache"),
        (Launch("llama-3-8b", "g5.2xlarge", max_model_len=10_000), "greater than the derived max_model_len"),
        (Launch("acme/unknown-7b", "g5.2xlarge"), "not a valid model identifier"),
        (Launch("llama-3-8b", "g5.2xlarge", quantisation="zip"), "Unknown quantization method"),
        (Launch("llama-3-8b", "g5.2xlarge", tensor_parallel=4), "tensor-parallel 4 is not possible"),
        (Launch("llama-3-8b", "t3.micro"), "no hardware is called"),
    ],
)
def test_what_would_not_start_does_not_start(launch: Launch, reason: str) -> None:
    with pytest.raises(Failed, match=reason):
        ModelServer(launch)


def test_options_change_what_fits() -> None:
    assert Launch("llama-3-70b", "g5.48xlarge", tensor_parallel=8, max_model_len=4096).plan().max_model_len == 4096
    assert Launch("org/Llama-3.1-8B-Instruct-AWQ-INT4", "g5.xlarge", quantisation="awq", max_model_len=8192).plan()
    whole, half = Launch("llama-3-8b", "l4").plan(), Launch("llama-3-8b", "l4", gpu_memory_utilisation=0.85).plan()
    assert half.cache_tokens < whole.cache_tokens


def test_fewer_bits_in_the_weights_are_not_fewer_bits_in_the_cache() -> None:
    weights = Launch("llama-3.1-8b", "g6.xlarge", quantisation="fp8", max_model_len=4096)
    both = replace(weights, kv_cache_dtype="fp8")
    assert both.plan().cache_tokens == pytest.approx(2 * weights.plan().cache_tokens, rel=0.01)


# -- times and meters


def test_tokens_leave_when_the_engine_makes_them(serve: Callable[..., Listener]) -> None:
    """On an L4 a token takes about 60 ms: they come one by one, and no sooner."""
    listener = serve(Launch("llama-3-8b", "l4"))
    connection = http.client.HTTPConnection(listener.authority, timeout=30)
    began = time.monotonic()
    connection.request("POST", "/v1/completions", json.dumps({"prompt": "a", "max_tokens": 5, "stream": True}))
    answer = connection.getresponse()
    arrived = []
    while line := answer.readline():
        if line.startswith(b"data: {"):
            arrived.append(time.monotonic())
    connection.close()
    assert len(arrived) == 6  # five tokens, and how it ended
    assert arrived[4] - arrived[0] > 4 * 0.04
    assert arrived[0] > began


def test_the_meters_count_what_happened(serve: Callable[..., Listener]) -> None:
    listener = serve(Launch("llama-3-8b", "h100", served_name="mine"))

    def meters() -> dict[str, float]:
        lines = call(listener, "/metrics")[2].decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    labels = '{engine="0",model_name="mine"}'
    ask(listener, "/v1/completions", {"prompt": [1] * 7, "max_tokens": 3, "ignore_eos": True})
    seen = meters()
    assert seen[f"vllm:prompt_tokens_total{labels}"] == 7
    assert seen[f"vllm:generation_tokens_total{labels}"] == 3
    assert seen[f"vllm:num_requests_running{labels}"] == 0
    assert seen[f"vllm:time_to_first_token_seconds_count{labels}"] == 1
    assert seen[f'vllm:time_to_first_token_seconds_bucket{{le="+Inf",{labels[1:]}'] == 1
    connection = http.client.HTTPConnection(listener.authority, timeout=30)
    body = {"prompt": "a", "max_tokens": 2000, "ignore_eos": True, "stream": True}
    connection.request("POST", "/v1/completions", json.dumps(body))
    connection.getresponse().readline()
    seen = meters()
    assert seen[f"vllm:num_requests_running{labels}"] == 1
    assert 0 < seen[f"vllm:kv_cache_usage_perc{labels}"] == seen[f"vllm:gpu_cache_usage_perc{labels}"] < 1
    connection.close()  # the client goes away, and its seat is free again
    deadline = time.monotonic() + 20
    while (seen := meters())[f"vllm:num_requests_running{labels}"]:
        assert time.monotonic() < deadline
    assert seen[f'vllm:request_success_total{{finished_reason="abort",{labels[1:]}'] == 1


def test_many_streams_at_once_are_all_served(server: Listener) -> None:
    said: list[int] = []

    def one() -> None:
        said.append(len(events(server, "/v1/completions", {"prompt": "a", "max_tokens": 20, "stream": True})))

    threads = [threading.Thread(target=one) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [22] * 24


# -- Triton


def test_tritons_generate_endpoints(serve: Callable[..., Listener]) -> None:
    listener = serve(Launch("mistral-7b", "h100", "triton", served_name="chat", max_model_len=4096))
    assert call(listener, "/v2/health/ready")[0] == 200
    assert call(listener, "/v2/models/chat/ready")[0] == 200
    body = {"text_input": "Write a story", "parameters": {"max_tokens": 6, "stream": False}}
    whole = ask(listener, "/v2/models/chat/generate", body)
    assert (whole["model_name"], whole["text_output"][:10]) == ("chat", "[stand-in ")
    streamed = events(listener, "/v2/models/chat/generate_stream", body)
    assert "".join(event["text_output"] for event in streamed) == whole["text_output"]
    assert call(listener, "/v2/models/other/generate", body)[0] == 404
    assert call(listener, "/v2/models/chat/generate", {"text": 1})[0] == 400


# -- bad input, and the command


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["role", "content", "messages", "prompt", "max_tokens", "stop"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=80)
def test_any_json_is_understood_or_refused(value: Any) -> None:
    params = value if isinstance(value, dict) else {"messages": value, "prompt": value}
    for read in (chat, completion):
        with suppress(Wrong):
            assert 1 <= len(read(params, 512).pieces) <= 512


@given(st.text(max_size=60), st.integers(1, 40), st.integers(0, 40))
@settings(max_examples=60)
def test_an_answer_is_as_long_as_it_has_to_be(text: str, most: int, wanted: int) -> None:
    pieces, reason = cut(text, [], most, min(wanted, most))
    assert min(wanted, most) <= len(pieces) <= most or reason == "stop"
    assert 1 <= len(pieces) <= most


def test_what_is_asked_holds_its_bounds() -> None:
    wanted = asked({"min_tokens": 30}, [Turn("user", "classify")], "", 3, 40, 100)
    assert 30 <= len(wanted.pieces) <= 40


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01", b"POST /v1/completions HTTP/1.1\r\nContent-Length: 9\r\n\r\n{", b"\x00" * 3000]
)
def test_garbage_does_not_end_it(server: Listener, garbage: bytes) -> None:
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert call(server, "/health")[0] == 200


def test_only_loopback_is_listened_on() -> None:
    with pytest.raises(ValueError, match="not loopback"):
        open_listener(ModelServer(FAST), "0.0.0.0")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AddressTaken):
        open_listener(ModelServer(FAST), "127.0.0.1", taken.getsockname()[1])


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "labs.cloud.openai_server", "--model", "qwen3-0.6b", "--hardware", "g5.xlarge"]
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        connection = http.client.HTTPConnection(said["url"].removeprefix("http://"), timeout=10)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
        connection.close()
        assert said["provenance"].startswith("predicted")
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
    refused = subprocess.run([*command[:-1], "t3.micro"], capture_output=True, text=True)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
