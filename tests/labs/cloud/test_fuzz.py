"""Whatever is thrown at it, the server answers or closes, and lives on; whatever stands in a template, it is refused in a sentence."""

import json
import resource
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labs.cloud.stacks.intrinsics import Scope
from labs.cloud.stacks.parameters import bind
from labs.cloud.stacks.template import Invalid, capabilities_needed, check, parse
from labs.cloud.stacks.types import all_types
from labs.cloud.state import ServerRecord
from tests.labs.cloud.kit import Aws

SOCKETS = 2_000
SCOPES = ("sqs", "dynamodb", "lambda", "bedrock", "cloudformation", "s3", "iam", "sagemaker", "nosuch", "")


def say(record: ServerRecord, data: bytes) -> bytes:
    """The first bytes of what it answers; nothing when it closes."""
    parts = urlsplit(record.endpoint_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        try:
            return connection.recv(65536)
        except ConnectionError:
            return b""


words = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "BREW"]),
    path=st.lists(words, max_size=4),
    scope=st.sampled_from(SCOPES),
    target=words,
    kind=st.sampled_from(
        ["application/json", "application/x-amz-json-1.0", "application/x-www-form-urlencoded", "application/cbor", ""]
    ),
    body=st.binary(max_size=200) | st.dictionaries(words, words, max_size=3).map(lambda d: json.dumps(d).encode()),
)
def test_any_request_gets_an_answer_that_is_no_traceback(
    local_cloud: ServerRecord, method: str, path: list[str], scope: str, target: str, kind: str, body: bytes
) -> None:
    from urllib.parse import quote

    head = (
        f"{method} /{'/'.join(map(quote, path))} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
        f"X-Amz-Target: {target}\r\nContent-Length: {len(body)}\r\nAuthorization: AWS4-HMAC-SHA256 "
        f"Credential=AKIDEXAMPLE/20260101/us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"
    ).encode("latin-1")
    answer = say(local_cloud, head + body)
    assert not answer or answer.startswith(b"HTTP/1.")
    assert b"Traceback" not in answer


def test_two_thousand_open_sockets_do_not_stop_it(local_cloud: ServerRecord, aws: Aws) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = SOCKETS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this account may open only {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    parts = urlsplit(local_cloud.endpoint_url)
    held: list[socket.socket] = []
    try:
        for _ in range(SOCKETS):
            held.append(socket.create_connection((parts.hostname, parts.port), timeout=30))
        assert aws.sts.get_caller_identity()["Account"]
        held[0].sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert held[0].recv(100).startswith(b"HTTP/1.1")
    finally:
        for connection in held:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert aws.sts.get_caller_identity()["Account"]


names = st.sampled_from(["A", "B", "P", "C", "M", "AWS::Region", "AWS::NoValue", "nosuch", "A.Arn", "${A}", ""])
functions = st.sampled_from(
    [
        "Ref",
        "Condition",
        *(
            f"Fn::{name}"
            for name in (
                "And",
                "Base64",
                "Equals",
                "FindInMap",
                "GetAZs",
                "GetAtt",
                "If",
                "ImportValue",
                "Join",
                "Length",
                "Nosuch",
                "Not",
                "Or",
                "Select",
                "Split",
                "Sub",
                "ToJsonString",
            )
        ),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | names,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names, inner, max_size=2)
        | st.builds(lambda name, argument: {name: argument}, functions, inner)
    ),
    max_leaves=8,
)
resources = st.builds(
    lambda kind, properties, more: {"Type": kind, "Properties": properties, **more},
    st.sampled_from(["AWS::SQS::Queue", "AWS::IAM::Role", "AWS::Nosuch::Thing"]),
    values,
    st.dictionaries(st.sampled_from(["DependsOn", "Condition", "DeletionPolicy", "Metadata"]), values, max_size=1),
)
templates = st.fixed_dictionaries(
    {"Resources": st.dictionaries(st.sampled_from(["A", "B"]), resources | values, min_size=1, max_size=2) | values},
    optional={
        "Parameters": st.dictionaries(st.sampled_from(["P"]), values) | values,
        "Conditions": st.dictionaries(st.sampled_from(["C"]), values) | values,
        "Mappings": st.dictionaries(st.sampled_from(["M"]), values) | values,
        "Outputs": st.dictionaries(st.sampled_from(["O"]), values) | values,
    },
)


def resolved(template: dict[str, Any]) -> None:
    """Read, check and work out a template as CreateStack and the stack's work do."""
    read = parse(json.dumps(template))
    check(read, all_types().keys())
    capabilities_needed(read)
    scope = Scope(
        {**bind(read, {}), "AWS::Region": "us-east-1"},
        read.get("Mappings") or {},
        read.get("Conditions") or {},
        dict,
        lambda name: f"id-{name}",
        lambda name, attribute: f"{name}-{attribute}",
    )
    for name in read.get("Conditions") or {}:
        scope.holds(name)
    for declared in read["Resources"].values():
        scope.resolve(declared.get("Properties") or {})


@settings(max_examples=60)
@given(templates)
def test_any_template_is_taken_or_refused_in_cloudformations_words(template: dict[str, Any]) -> None:
    try:
        resolved(template)
    except Invalid:
        return


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(all_types())), st.dictionaries(names | st.sampled_from(["Tags", "Name"]), values, max_size=3)
)
def test_any_properties_are_taken_or_refused_by_the_schema(name: str, properties: dict[str, Any]) -> None:
    from labs.cloud.stacks.schema import schema_of

    for violation in schema_of(name).violations(properties):
        assert violation.startswith("#")
