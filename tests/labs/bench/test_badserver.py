"""A server that misbehaves costs a request, under a name that says how; never the run, and never in silence."""

import asyncio
from collections.abc import Mapping
from functools import cache

import pytest

from labs.bench.endpoints import Endpoint
from labs.bench.endpoints.bedrock import Bedrock
from labs.bench.endpoints.openai import OpenAi
from labs.bench.endpoints.sagemaker import SageMaker
from labs.bench.exchange import Attempt
from labs.bench.loops import run
from labs.bench.signing import Signer
from tests.labs.bench.kit import TOKENS, FakeServer, a_workload, an_ask, ask_once, result, run_here

ALWAYS = {
    "close-before-answer": "ConnectionClosed",
    "close-mid-token": "Truncated",
    "close-mid-answer": "Truncated",
    "empty": "EmptyStream",
    "no-content": "EmptyStream",
    "huge-event": "OversizedEvent",
    "not-utf8": "MalformedStream",
    "not-json": "MalformedStream",
    "garbage": "MalformedStream",
    "bad-chunk": "MalformedResponse",
    "not-http": "MalformedResponse",
    "server-error": "Http500",
    "html": "Http502",
    "throttled-plainly": "ThrottlingException",
    "fake": "ok",
}
OF_EACH = {
    "converse-stream": ALWAYS
    | {
        "end-mid-answer": "Truncated",
        "out-of-order": "OutOfOrder",
        "bad-checksum": "MalformedStream",
        "error-mid-stream": "ModelStreamErrorException",
        "expired": "ExpiredTokenException",
    },
    "invoke-with-response-stream": ALWAYS
    | {
        "bad-checksum": "MalformedStream",
        "error-mid-stream": "ModelStreamErrorException",
        "expired": "ExpiredTokenException",
    },
    "sagemaker": ALWAYS
    | {
        "bad-checksum": "MalformedStream",
        "error-mid-stream": "ModelStreamError",
        "expired": "ExpiredTokenException",
    },
    "chat": ALWAYS | {"end-mid-answer": "Truncated", "out-of-order": "OutOfOrder", "error-mid-stream": "server_error"},
    "completions": ALWAYS
    | {"end-mid-answer": "Truncated", "out-of-order": "OutOfOrder", "error-mid-stream": "server_error"},
    "triton": ALWAYS | {"error-mid-stream": "StreamError"},
}


def endpoint(api: str, model: str, url: str) -> Endpoint:
    match api:
        case "converse-stream" | "invoke-with-response-stream":
            return Bedrock(model, api, format="llama")  # type: ignore[arg-type]
        case "sagemaker":
            return SageMaker(model)
    return OpenAi(url, model, api)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def outcomes(any_fake: FakeServer) -> Mapping[tuple[str, str], Attempt]:
    """Every misbehaviour over every API, all at once."""

    async def main() -> dict[tuple[str, str], Attempt]:
        cases = [(api, model) for api, models in OF_EACH.items() for model in models]
        clients = [endpoint(api, model, any_fake.url).open(only_loopback=True) for api, model in cases]
        try:
            attempts = await asyncio.wait_for(asyncio.gather(*(result(client, an_ask()) for client in clients)), 100)
        finally:
            for client in clients:
                await client.close()
        return dict(zip(cases, attempts, strict=True))

    with pytest.MonkeyPatch.context() as patch:
        for name, value in any_fake.environment.items():
            patch.setenv(name, value)
        patch.setattr(Signer, "of", cache(Signer.of))  # making boto3's clients would take most of the time
        return run(main())


@pytest.mark.parametrize(("api", "model"), [(api, model) for api, models in OF_EACH.items() for model in models])
def test_each_misbehaviour_has_its_name(outcomes: Mapping[tuple[str, str], Attempt], api: str, model: str) -> None:
    attempt = outcomes[api, model]
    assert attempt.status == OF_EACH[api][model], attempt.message
    assert attempt.ended is not None
    if attempt.status == "ok":
        assert len(attempt.tokens) == TOKENS
        assert attempt.message == ""
    elif model != "throttled-plainly":  # which has nothing to say
        assert attempt.message


def test_tokens_before_the_failure_are_kept(outcomes: Mapping[tuple[str, str], Attempt]) -> None:
    assert len(outcomes["converse-stream", "close-mid-answer"].tokens) == 10
    assert len(outcomes["chat", "close-mid-token"].tokens) == 10


@pytest.mark.usefixtures("fake")
def test_an_answer_that_never_comes_is_a_timeout_and_closes_its_connection() -> None:
    client = Bedrock("hang").open(only_loopback=True)
    rows, _ = run_here(a_workload(rate_per_s=20, duration_s=0.2), client, timeout_s=0.1)
    assert [attempt.status for _, _, attempt, _ in rows] == ["Timeout"] * 4
    assert "no whole answer in 0.1 s" in rows[0][2].message


@pytest.mark.usefixtures("fake")
def test_a_server_that_is_not_there_is_a_connect_error() -> None:
    attempt = ask_once(OpenAi("http://127.0.0.1:1", "any"))
    assert attempt.status == "ConnectError"
    assert "refused" in attempt.message
    assert attempt.sent is None


@pytest.mark.usefixtures("fake")
def test_a_refused_request_leaves_its_connection_for_the_next() -> None:
    async def main() -> tuple[list[str], int]:
        client = Bedrock("expired").open(only_loopback=True)
        statuses = [(await result(client, an_ask(n))).status for n in range(3)]
        connections = len(client._all)
        await client.close()
        return statuses, connections

    assert run(main()) == (["ExpiredTokenException"] * 3, 1)


def test_every_fifth_call_refused_is_a_fifth_refused_and_nothing_is_sent_twice(fake: FakeServer) -> None:
    before = fake.calls("throttle-every-5")
    rows, _ = run_here(a_workload(rate_per_s=200, duration_s=0.5), Bedrock("throttle-every-5").open(only_loopback=True))
    statuses = [attempt.status for _, _, attempt, _ in rows]
    assert statuses.count("ThrottlingException") == 20
    assert statuses.count("ok") == 80
    assert fake.calls("throttle-every-5") - before == 100
