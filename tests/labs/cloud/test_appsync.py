"""AppSync Events: what is published is delivered, to those who may have it, whatever else comes over the wire."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.cloud.addresses import without_tls
from labs.cloud.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from labs.cloud.services.appsync_channels import Limits, Refused, matches, segments_of
from tests.labs.cloud.kit import Aws

LIMITS = Limits(events=5, event_bytes=240 * 1024, publish_bytes=1_258_291, segments=5)
BOTH = [{"authType": "API_KEY"}, {"authType": "AWS_IAM"}]
CONFIG = {
    "authProviders": BOTH,
    "connectionAuthModes": BOTH,
    "defaultPublishAuthModes": BOTH,
    "defaultSubscribeAuthModes": [{"authType": "API_KEY"}],
}


class Events:
    """An Event API with the namespace `news`, and its two kinds of callers."""

    def __init__(self, aws: Aws) -> None:
        self.client = aws.appsync
        self.made = self.client.create_api(name=f"events-{uuid.uuid4().hex[:6]}", eventConfig=CONFIG)["api"]
        self.id, self.dns = self.made["apiId"], self.made["dns"]
        aws._made.append(lambda: self.client.delete_api(apiId=self.id))
        self.client.create_channel_namespace(apiId=self.id, name="news")
        self.client.create_channel_namespace(
            apiId=self.id,
            name="staff",
            publishAuthModes=[{"authType": "AWS_IAM"}],
            subscribeAuthModes=[{"authType": "AWS_IAM"}],
        )
        self.key = self.client.create_api_key(apiId=self.id)["apiKey"]["id"]

    @property
    def by_key(self) -> dict[str, str]:
        return {"host": self.dns["HTTP"], "x-api-key": self.key}

    def by_signature(self, payload: Any, secret: str = SECRET_ACCESS_KEY, service: str = "appsync") -> dict[str, str]:
        data = json.dumps(payload, separators=(",", ":"))
        request = AWSRequest("POST", f"http://{self.dns['HTTP']}/event", data=data, headers={"host": self.dns["HTTP"]})
        SigV4Auth(Credentials(ACCESS_KEY_ID, secret), service, "us-east-1").add_auth(request)
        return dict(request.headers)

    @asynccontextmanager
    async def connected(self, headers: dict[str, str] | None = None) -> AsyncIterator["Wire"]:
        offered = base64.urlsafe_b64encode(json.dumps(headers or self.by_key).encode()).rstrip(b"=").decode()
        async with aiohttp.ClientSession() as session:
            url = without_tls(f"wss://{self.dns['REALTIME']}/event/realtime")
            async with session.ws_connect(url, protocols=("aws-appsync-event-ws", f"header-{offered}")) as socket:
                yield Wire(self, socket)

    async def publish(self, channel: str, events: list[Any], headers: dict[str, str] | None = None) -> tuple[int, Any]:
        body = json.dumps({"channel": channel, "events": events}, separators=(",", ":"))
        async with aiohttp.ClientSession() as session:
            url = without_tls(f"https://{self.dns['HTTP']}/event")
            async with session.post(url, data=body, headers=headers or self.by_key) as answer:
                return answer.status, await answer.json()


class Wire:
    """A client's end of a WebSocket."""

    def __init__(self, events: Events, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.events, self.socket = events, socket

    async def next(self) -> dict[str, Any]:
        frame: dict[str, Any] = await self.socket.receive_json(timeout=10)
        return frame

    async def ask(self, **message: Any) -> dict[str, Any]:
        await self.socket.send_json({"authorization": self.events.by_key, **message})
        return await self.next()

    async def subscribe(self, channel: str, id: str = "s") -> None:
        assert await self.ask(type="subscribe", id=id, channel=channel) == {"type": "subscribe_success", "id": id}


@pytest.fixture(scope="module")
def events(local_cloud: Any) -> Iterator[Events]:  # noqa: ARG001
    clients = Aws(boto3.Session())
    yield Events(clients)
    clients.tidy()


def test_what_is_published_over_http_and_websocket_reaches_the_subscriber(events: Events) -> None:
    async def scenario() -> None:
        async with events.connected() as wire, events.connected() as other:
            assert await wire.ask(type="connection_init") == {"type": "connection_ack", "connectionTimeoutMs": 300000}
            await wire.subscribe("/news/sport/football")
            status, answer = await events.publish("/news/sport/football", ['{"n": 1}', "2"])
            assert (status, answer["failed"], [one["index"] for one in answer["successful"]]) == (200, [], [0, 1])
            assert [await wire.next() for _ in range(2)] == [
                {"type": "data", "id": "s", "event": '{"n": 1}'},
                {"type": "data", "id": "s", "event": "2"},
            ]
            said = await other.ask(type="publish", id="p", channel="news/sport/football", events=['"ü"'])
            assert (said["type"], said["id"], len(said["successful"])) == ("publish_success", "p", 1)
            assert (await wire.next())["event"] == '"ü"'
            await events.publish("/news/sport/tennis", ["0"])
            assert await wire.ask(type="unsubscribe", id="s") == {"type": "unsubscribe_success", "id": "s"}
            await events.publish("/news/sport/football", ["3"])
            assert (await wire.ask(type="connection_init"))["type"] == "connection_ack"  # and nothing before it

    asyncio.run(scenario())


def test_a_wildcard_stands_for_one_segment(events: Events) -> None:
    async def scenario() -> None:
        async with events.connected() as wire:
            await wire.subscribe("/news/*")
            for channel, event in (("/news/a/b", "1"), ("/news", "2"), ("/news/a", "3")):
                await events.publish(channel, [event])
            assert (await wire.next())["event"] == "3"

    asyncio.run(scenario())


def test_who_has_no_key_is_told_so(events: Events) -> None:
    wrong = events.by_key | {"x-api-key": "da2-wrong"}

    async def scenario() -> None:
        for headers in (wrong, {"host": events.dns["HTTP"]}, events.by_key | {"host": "elsewhere"}):
            async with events.connected(headers) as wire:
                assert (await wire.next())["errors"][0]["errorType"] == "UnauthorizedException"
                assert (await wire.socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE
        async with events.connected() as wire:
            refused = await wire.ask(type="subscribe", id="s", channel="/news/a", authorization=wrong)
            assert (refused["type"], refused["errors"][0]["errorType"]) == ("subscribe_error", "UnauthorizedException")
            refused = await wire.ask(type="publish", id="p", channel="/news/a", events=["1"], authorization=None)
            assert refused["type"] == "publish_error"
        status, answer = await events.publish("/news/a", ["1"], wrong)
        assert (status, answer["errors"][0]["errorType"]) == (401, "UnauthorizedException")

    asyncio.run(scenario())


def test_signatures_are_checked_where_the_namespace_asks_for_them(events: Events) -> None:
    body = {"channel": "/staff/a", "events": ["1"]}

    async def scenario() -> None:
        async with events.connected(events.by_signature({})) as wire:
            signed = events.by_signature({"channel": "/staff/a"})
            assert (await wire.ask(type="subscribe", id="s", channel="/staff/a", authorization=signed))[
                "type"
            ] == "subscribe_success"
            assert (await events.publish("/staff/a", ["1"]))[0] == 401  # a key will not do here
            assert (await events.publish("/staff/a", ["1"], events.by_signature(body)))[0] == 200
            assert (await wire.next())["event"] == "1"
            for unlike in (
                events.by_signature(body, secret="wrong"),
                events.by_signature(body, service="lambda"),
                events.by_signature({**body, "events": ["2"]}),
            ):
                assert (await events.publish("/staff/a", ["1"], unlike))[0] == 401
            first = await wire.ask(type="publish", id="p", **body, authorization=events.by_signature(body))
            assert {first["type"], (await wire.next())["type"]} == {"data", "publish_success"}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("channel", "events_"),
    [
        ("/news/a", ["1"] * 6),
        ("/news/a", []),
        ("/news/a", ["{"]),
        ("/news/a", [1]),
        ("/news/a", [json.dumps("x" * 240 * 1024)]),
        ("/news/*", ["1"]),
        ("/nowhere/a", ["1"]),
        ("/news/a/b/c/d/e", ["1"]),
        ("/news//a", ["1"]),
        ("", ["1"]),
    ],
)
def test_a_publish_that_is_too_much_or_goes_nowhere_is_refused(
    events: Events, channel: str, events_: list[Any]
) -> None:
    status, answer = asyncio.run(events.publish(channel, events_))
    assert (status, answer["errors"][0]["errorType"]) == (400, "BadRequestException")


def test_garbage_is_answered_or_closed_and_the_api_lives_on(events: Events) -> None:
    texts = [
        "",
        "{",
        "[]",
        "null",
        "1",
        "\x00",
        '{"type": "start"}',
        '{"type": "subscribe"}',
        '{"type": "publish", "id": 7}',
        "[" * 3000,
    ]

    async def scenario() -> None:
        async with events.connected() as wire:
            for text in texts:
                await wire.socket.send_str(text)
                assert "error" in (await wire.next())["type"], text
            await wire.socket.send_bytes(b"\xff\xfe")
            assert (await wire.next())["type"] == "error"
            assert (await wire.ask(type="unsubscribe", id="never"))["type"] == "unsubscribe_error"
            await wire.subscribe("/news/a")
            assert (await wire.ask(type="subscribe", id="s", channel="/news/b"))["type"] == "subscribe_error"
        async with events.connected() as wire:
            with suppress(ConnectionError):  # it may have closed before the last byte was sent
                await wire.socket.send_str("x" * 3_000_000)
            assert (await wire.socket.receive(timeout=10)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        host, port = events.dns["HTTP"].split(":")
        for raw in (
            b"\x00" * 1000,
            b"GET /event/realtime HTTP/1.1\r\n\r\n",
            b"POST /event HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            b"\x16\x03\x01",
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            with suppress(ConnectionError):  # answered and closed
                writer.write(raw)
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 10)
            writer.close()
        upgraded = await asyncio.open_connection(host, int(port))
        upgraded[1].write(
            f"GET /event/realtime HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            + b"\xff" * 64
        )
        with suppress(ConnectionError):
            await asyncio.wait_for(upgraded[0].read(), 10)
        upgraded[1].close()
        assert (await events.publish("/news/a", ["1"]))[0] == 200

    asyncio.run(scenario())


def test_many_connections_share_one_api(events: Events) -> None:
    async def scenario() -> None:
        from contextlib import AsyncExitStack

        async with AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(events.connected()) for _ in range(40)]
            for wire in wires:
                await wire.subscribe("/news/all")
            await events.publish("/news/all", ["1", "2"])
            for wire in wires:
                assert [(await wire.next())["event"] for _ in range(2)] == ["1", "2"]

    asyncio.run(scenario())


def test_pages_from_elsewhere_are_not_served(events: Events) -> None:
    async def scenario() -> None:
        assert (await events.publish("/news/a", ["1"], {**events.by_key, "Origin": "http://localhost:3000"}))[0] == 200
        async with aiohttp.ClientSession() as session:
            url = f"http://{events.dns['HTTP']}/event"
            async with session.post(url, data="{}", headers={"Origin": "https://example.com"}) as answer:
                assert answer.status == 403

    asyncio.run(scenario())


def test_the_control_plane_keeps_what_it_is_told(aws: Aws, events: Events) -> None:
    client = aws.appsync
    got = client.get_api(apiId=events.id)
    got.pop("ResponseMetadata")
    validate_parameters(got, client.meta.service_model.operation_model("GetApi").output_shape)
    assert events.key.startswith("da2-")
    changed = client.update_channel_namespace(apiId=events.id, name="news", publishAuthModes=[{"authType": "API_KEY"}])
    assert changed["channelNamespace"]["publishAuthModes"] == [{"authType": "API_KEY"}]
    client.update_channel_namespace(apiId=events.id, name="news")
    kept = client.get_channel_namespace(apiId=events.id, name="news")
    kept.pop("ResponseMetadata")
    validate_parameters(kept, client.meta.service_model.operation_model("GetChannelNamespace").output_shape)
    renamed = client.update_api(apiId=events.id, name="renamed", eventConfig=CONFIG)["api"]
    assert (renamed["name"], renamed["dns"]) == ("renamed", events.dns)
    with pytest.raises(client.exceptions.ConflictException):
        client.create_channel_namespace(apiId=events.id, name="news")
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_channel_namespace(apiId=events.id, name="olds")
    for wrong in (
        CONFIG | {"authProviders": [{"authType": "OPENID_CONNECT"}]},
        CONFIG | {"authProviders": [{"authType": "API_KEY"}]},
        CONFIG | {"connectionAuthModes": []},
    ):
        with pytest.raises(client.exceptions.BadRequestException):
            client.create_api(name="wrong", eventConfig=wrong)
    with pytest.raises(ClientError, match="no handlers"):
        client.create_channel_namespace(apiId=events.id, name="code", codeHandlers="export function onPublish(ctx) {}")


def test_a_deleted_api_answers_nobody(aws: Aws) -> None:
    events = Events(aws)

    async def scenario() -> None:
        async with events.connected() as wire:
            await wire.subscribe("/news/a")
            await asyncio.to_thread(aws.appsync.delete_api, apiId=events.id)
            assert (await wire.socket.receive(timeout=10)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        with pytest.raises(aiohttp.ClientError):
            await events.publish("/news/a", ["1"])

    asyncio.run(scenario())


def test_addresses_on_loopback_have_no_tls_and_others_keep_it() -> None:
    assert without_tls("https://127.0.0.1:4000/event") == "http://127.0.0.1:4000/event"
    assert without_tls("wss://localhost:1/event/realtime") == "ws://localhost:1/event/realtime"
    for kept in ("https://abc.appsync-api.us-east-1.amazonaws.com/event", "https://127.0.0.1.example.com", "text"):
        assert without_tls(kept) == kept


@given(st.text(max_size=40), st.booleans())
@settings(max_examples=80)
def test_a_channel_that_is_accepted_matches_itself(channel: str, wildcard: bool) -> None:
    try:
        segments = segments_of(channel, LIMITS, wildcard=wildcard)
    except Refused:
        return
    assert 1 <= len(segments) <= 5
    assert matches(segments, segments)
    assert not matches(segments, (*segments, "more"))


def test_moto_delivers_nothing(stock: Aws) -> None:
    """The reason for our own: once moto serves Event APIs, this fails."""
    made = stock.appsync.create_api(
        name="a", eventConfig={**CONFIG, "authProviders": [{"authType": "OPENID_CONNECT"}]}
    )["api"]
    assert made["dns"]["HTTP"].endswith(".amazonaws.com")
    with pytest.raises((ClientError, NotImplementedError)):
        stock.appsync.update_api(apiId=made["apiId"], name="b", eventConfig=CONFIG)
    with pytest.raises(KeyError):
        stock.appsync.delete_api_key(apiId=made["apiId"], id="nosuch")
