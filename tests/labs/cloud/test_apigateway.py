"""HTTP APIs: from a route to a function and back, and everything that stands between."""

import base64
import http.client
import http.server
import json
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.cloud.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from labs.cloud.services.apigateway_jwt import Issuers, Misconfigured, Refused, verify
from labs.cloud.services.apigateway_routes import Route, find
from tests.labs.cloud.kit import Aws
from tests.labs.cloud.test_function_url import ask

ECHO = """
    import time

    def handler(event, context):
        if event["rawPath"].endswith("/sleep"):
            time.sleep(1)
        if event["rawPath"].endswith("/raise"):
            raise ValueError
        return event
    """


@pytest.fixture(scope="module")
def shared(local_cloud: Any) -> Iterator[Aws]:  # noqa: ARG001
    clients = Aws(boto3.Session())
    yield clients
    clients.tidy()


@pytest.fixture(scope="module")
def echo(shared: Aws) -> str:
    """The ARN of a function that any API may call."""
    function = shared.function(ECHO)
    shared.lambda_.add_permission(
        FunctionName=function, StatementId="apis", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    return str(shared.lambda_.get_function_configuration(FunctionName=function)["FunctionArn"])


class Api:
    """An HTTP API under construction."""

    def __init__(self, aws: Aws, function_arn: str, **settings: Any) -> None:
        self.aws, self.client = aws, aws.apigatewayv2
        made = self.client.create_api(Name=f"api-{uuid.uuid4().hex[:8]}", ProtocolType="HTTP", **settings)
        self.id, self.url = made["ApiId"], made["ApiEndpoint"]
        aws._made.append(self.remove)
        self.target = self.integrate(function_arn)

    def integrate(self, function_arn: str, **settings: Any) -> str:
        made = self.client.create_integration(
            ApiId=self.id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=function_arn,
            PayloadFormatVersion="2.0",
            **settings,
        )
        return f"integrations/{made['IntegrationId']}"

    def route(self, key: str, **settings: Any) -> str:
        made = self.client.create_route(
            ApiId=self.id, RouteKey=key, Target=settings.pop("Target", self.target), **settings
        )
        return str(made["RouteId"])

    def stage(self, name: str = "$default", **settings: Any) -> None:
        self.client.create_stage(ApiId=self.id, StageName=name, **{"AutoDeploy": True, **settings})

    def event(self, path: str, method: str = "GET", **headers: str) -> dict[str, Any]:
        status, _, body = ask(self.url, path, method, headers=headers)
        assert status == 200, body
        event: dict[str, Any] = json.loads(body)
        return event

    def status(self, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> int:
        return ask(self.url, path, method, headers=headers)[0]

    def remove(self) -> None:
        self.client.delete_api(ApiId=self.id)


@pytest.fixture(scope="module")
def api(shared: Aws, echo: str) -> Api:
    """An API with a few routes, two stages and CORS."""
    made = Api(
        shared,
        echo,
        CorsConfiguration={"AllowOrigins": ["*"], "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-a"]},
    )
    for key in (
        "GET /items/{id}",
        "ANY /items/{id}",
        "GET /items/special",
        "GET /files/{path+}",
        "POST /sleep",
        "GET /raise",
    ):
        made.route(key)
    made.stage()
    made.stage("beta", StageVariables={"colour": "blue"})
    return made


# -- routes


def test_the_most_specific_route_takes_the_request(api: Api) -> None:
    for path, method, key, parameters in (
        ("/items/7", "GET", "GET /items/{id}", {"id": "7"}),
        ("/items/a%20b", "GET", "GET /items/{id}", {"id": "a b"}),
        ("/items/7", "DELETE", "ANY /items/{id}", {"id": "7"}),
        ("/items/special", "GET", "GET /items/special", None),
        ("/files/a/b/c.txt", "GET", "GET /files/{path+}", {"path": "a/b/c.txt"}),
    ):
        event = api.event(path, method)
        assert (event["routeKey"], event.get("pathParameters")) == (key, parameters)
    assert ask(api.url, "/nothing")[0::2] == (404, b'{"message": "Not Found"}')
    assert api.status("/files/") == 404


def test_a_stage_has_its_own_path_and_variables(api: Api) -> None:
    event = api.event("/beta/items/7")
    assert (event["requestContext"]["stage"], event["rawPath"]) == ("beta", "/beta/items/7")
    assert (event["stageVariables"], event["pathParameters"]) == ({"colour": "blue"}, {"id": "7"})
    assert "stageVariables" not in api.event("/items/7")


@given(
    st.lists(st.sampled_from(["a", "b", "{x}", "{y}"]), max_size=4),
    st.booleans(),
    st.lists(st.sampled_from("abc"), max_size=5),
)
@settings(max_examples=60)
def test_a_route_matches_what_it_says_and_nothing_else(segments: list[str], greedy: bool, path: list[str]) -> None:
    route = Route.parse("GET /" + "/".join([*segments, "{rest+}"] if greedy else segments))
    found = route.match("GET", tuple(path))
    fits = len(path) > len(segments) if greedy else len(path) == len(segments)
    fits = fits and all(wanted in (given_, "{x}", "{y}") for wanted, given_ in zip(segments, path, strict=False))
    assert (found is not None) == fits
    assert route.match("POST", tuple(path)) is None
    default = Route.parse("$default")
    assert find([default, route], "GET", "/" + "/".join(path)) == ((route, found) if fits else (default, {}))


@pytest.mark.parametrize("key", ["GET items", "FETCH /a", "/a", "GET /{a", "GET /{a+}/b", "GET /a{b}", ""])
def test_a_route_key_that_can_match_nothing_is_refused(api: Api, key: str) -> None:
    with pytest.raises(ClientError) as refused:
        api.route(key)
    assert refused.value.response["Error"]["Code"] in ("BadRequestException", "ValidationException")


# -- what stands between


def test_a_function_that_has_not_let_the_api_in_is_an_error(aws: Aws) -> None:
    function = aws.function(ECHO)
    arn = aws.lambda_.get_function_configuration(FunctionName=function)["FunctionArn"]
    api = Api(aws, arn)
    api.route("GET /a/{b}")
    api.stage()
    assert ask(api.url, "/a/1")[0::2] == (500, b'{"message": "Internal Server Error"}')
    source = f"arn:aws:execute-api:us-east-1:123456789012:{api.id}"
    for statement, path, status in (("other", "*/POST/a/{b}", 500), ("this", "*/*/a/{b}", 200)):
        aws.lambda_.add_permission(
            FunctionName=function,
            StatementId=statement,
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"{source}/{path}",
        )
        assert api.status("/a/1") == status


def test_a_function_that_fails_or_takes_too_long(aws: Aws, echo: str, api: Api) -> None:
    assert api.status("/raise") == 500
    slow = Api(aws, echo)
    slow.route("$default", Target=slow.integrate(echo, TimeoutInMillis=100))
    slow.stage()
    assert ask(slow.url, "/sleep")[0::2] == (503, b'{"message": "Service Unavailable"}')
    with pytest.raises(ClientError, match="between 50 ms and 30000 ms"):
        slow.integrate(echo, TimeoutInMillis=30_001)


def test_payloads_have_a_limit(api: Api) -> None:
    status, _, body = ask(api.url, "/items/1", "POST", b"x" * (10 * 1024 * 1024 + 1), {"Content-Type": "text/plain"})
    assert (status, body) == (413, b'{"message": "Request Entity Too Large"}')


def test_cors_is_the_apis_own_affair(api: Api) -> None:
    origin = {"Origin": "http://localhost:8000"}
    status, headers, body = ask(
        api.url, "/items/1", "OPTIONS", None, {**origin, "Access-Control-Request-Method": "POST"}
    )
    assert (status, body) == (204, b"")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert (headers["Access-Control-Allow-Methods"], headers["Access-Control-Allow-Headers"]) == ("GET,POST", "x-a")
    assert ask(api.url, "/items/1", headers=origin)[1]["Access-Control-Allow-Origin"] == "*"
    assert ask(api.url, "/items/1")[1]["Access-Control-Allow-Origin"] is None


def test_a_throttled_route_lets_its_burst_through(aws: Aws, echo: str) -> None:
    api = Api(aws, echo)
    api.route("GET /a")
    api.route("GET /b")
    api.stage(RouteSettings={"GET /a": {"ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 2}})
    assert [api.status("/a") for _ in range(4)] == [200, 200, 429, 429]
    assert api.status("/b") == 200
    api.client.update_stage(ApiId=api.id, StageName="$default", RouteSettings={})
    assert api.status("/a") == 200


def test_a_stage_serves_what_was_deployed(aws: Aws, echo: str) -> None:
    api = Api(aws, echo)
    api.stage(AutoDeploy=False)
    assert api.status("/a") == 404
    with pytest.raises(ClientError, match="At least one route"):
        api.client.create_deployment(ApiId=api.id)
    api.route("GET /a")
    assert api.status("/a") == 404
    first = api.client.create_deployment(ApiId=api.id, StageName="$default")
    assert first["DeploymentStatus"] == "DEPLOYED"
    shape = api.client.meta.service_model.operation_model("CreateDeployment").output_shape
    validate_parameters({name: value for name, value in first.items() if name != "ResponseMetadata"}, shape)
    assert api.status("/a") == 200
    api.route("GET /b")
    assert api.status("/b") == 404
    with pytest.raises(ClientError, match="Active stages"):
        api.client.delete_deployment(ApiId=api.id, DeploymentId=first["DeploymentId"])
    second = api.client.create_deployment(ApiId=api.id)["DeploymentId"]
    api.client.update_stage(ApiId=api.id, StageName="$default", DeploymentId=second)
    assert api.status("/b") == 200
    assert api.client.get_stage(ApiId=api.id, StageName="$default")["DeploymentId"] == second
    api.client.delete_deployment(ApiId=api.id, DeploymentId=first["DeploymentId"])
    assert [one["DeploymentId"] for one in api.client.get_deployments(ApiId=api.id)["Items"]] == [second]


def test_an_api_made_with_a_target_answers_at_once_and_is_gone_when_deleted(aws: Aws, echo: str) -> None:
    made = aws.apigatewayv2.create_api(Name="quick", ProtocolType="HTTP", Target=echo)
    status, _, body = ask(made["ApiEndpoint"], "/any/where?x=1")
    assert (status, json.loads(body)["routeKey"]) == (200, "$default")
    assert aws.apigatewayv2.get_stages(ApiId=made["ApiId"])["Items"][0]["ApiGatewayManaged"] is True
    aws.apigatewayv2.delete_api(ApiId=made["ApiId"])
    with pytest.raises(ConnectionError):
        ask(made["ApiEndpoint"])


def test_integrations_that_are_not_there_are_refused(api: Api, echo: str) -> None:
    for wrong in (
        {"IntegrationType": "HTTP_PROXY", "IntegrationUri": "https://example.com", "PayloadFormatVersion": "1.0"},
        {"IntegrationType": "AWS_PROXY", "IntegrationUri": echo},
        {
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": "arn:aws:sqs:us-east-1:123456789012:q",
            "PayloadFormatVersion": "2.0",
        },
    ):
        with pytest.raises(api.client.exceptions.BadRequestException):
            api.client.create_integration(ApiId=api.id, **wrong)
    with pytest.raises(ClientError, match="already exists"):
        api.route("GET /raise")


# -- who may


class Issuer:
    """An OpenID provider on this machine."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self.key.public_key().public_numbers()
        keys = {
            "keys": [{"kty": "RSA", "kid": "one", "n": encoded(numbers.n), "e": encoded(numbers.e), "alg": "RS256"}]
        }
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = keys if self.path == "/keys" else {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, algorithm: str = "RS256", **claims: Any) -> str:
        head = {"alg": algorithm, "kid": "one"}
        body = {"iss": self.url, "aud": "course", "sub": "learner", "exp": 4_000_000_000, "scope": "read", **claims}
        signed = ".".join(b64(json.dumps(part).encode()) for part in (head, body))
        return f"{signed}.{b64(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(number: int) -> str:
    return b64(number.to_bytes((number.bit_length() + 7) // 8, "big"))


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_jwt_is_checked_before_the_function_sees_the_request(aws: Aws, echo: str, issuer: Issuer) -> None:
    api = Api(aws, echo)
    authorizer = api.client.create_authorizer(
        ApiId=api.id,
        AuthorizerType="JWT",
        Name="tokens",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": ["course"]},
    )["AuthorizerId"]
    api.route("GET /me", AuthorizationType="JWT", AuthorizerId=authorizer)
    api.route("POST /me", AuthorizationType="JWT", AuthorizerId=authorizer, AuthorizationScopes=["write"])
    api.stage()
    claims = api.event("/me", Authorization=f"Bearer {issuer.token(roles=[1])}")["requestContext"]["authorizer"]["jwt"][
        "claims"
    ]
    assert (claims["sub"], claims["roles"]) == ("learner", "[1]")
    for wrong in (None, "Bearer nonsense", f"Bearer {issuer.token(exp=1)}", f"Bearer {issuer.token(aud='other')}"):
        status, headers, body = ask(api.url, "/me", headers={"Authorization": wrong} if wrong else {})
        assert (status, body) == (401, b'{"message": "Unauthorized"}'), wrong
        assert headers["www-authenticate"].startswith("Bearer")
    assert api.status("/me", "POST", {"Authorization": f"Bearer {issuer.token()}"}) == 403
    assert api.status("/me", "POST", {"Authorization": f"Bearer {issuer.token(scope='read write')}"}) == 200


def test_a_token_that_was_tampered_with_is_no_token(issuer: Issuer) -> None:
    keys = Issuers()
    good = issuer.token()
    assert verify(good, keys, issuer.url, ["course"])["sub"] == "learner"
    head, body, signature = good.split(".")
    other = b64(json.dumps({**json.loads(base64.urlsafe_b64decode(body + "==")), "sub": "admin"}).encode())
    unsigned = b64(json.dumps({"alg": "none", "kid": "one"}).encode())
    for wrong in (
        f"{head}.{other}.{signature}",
        f"{unsigned}.{body}.",
        f"{head}.{body}.{signature[:-8]}",
        issuer.token("HS256"),
        issuer.token(iss="http://127.0.0.1:1"),
        issuer.token(nbf=4_000_000_000),
        issuer.token(exp="tomorrow"),
        f"{good}.more",
    ):
        with pytest.raises(Refused):
            verify(wrong, keys, issuer.url, ["course"])
    with pytest.raises(Misconfigured, match="on this machine only"):
        verify(issuer.token(iss="https://example.com"), Issuers(), "https://example.com", ["course"])


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: ".".join([b64(data)] * 3)))
@settings(max_examples=60)
def test_garbage_is_never_a_token(issuer: Issuer, garbage: str) -> None:
    with pytest.raises(Refused):
        verify(garbage, Issuers(), issuer.url, ["course"])


def test_an_iam_route_asks_for_a_signature_of_its_own_scope(aws: Aws, echo: str) -> None:
    api = Api(aws, echo)
    api.route("GET /a", AuthorizationType="AWS_IAM")
    api.stage()

    def signed(service: str, secret: str = SECRET_ACCESS_KEY) -> dict[str, str]:
        request = AWSRequest("GET", f"{api.url}/a", headers={"Host": urlsplit(api.url).netloc})
        SigV4Auth(Credentials(ACCESS_KEY_ID, secret), service, "us-east-1").add_auth(request)
        return dict(request.headers)

    assert api.status("/a", headers=signed("execute-api")) == 200
    assert api.status("/a", headers=signed("lambda")) == 403
    assert api.status("/a", headers=signed("execute-api", "wrong")) == 403
    assert api.status("/a") == 403


def test_a_page_from_elsewhere_is_not_answered(api: Api) -> None:
    assert api.status("/items/1", headers={"Origin": "https://example.com"}) == 403
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.request("GET", "/items/1", headers={"Host": "rebound.example.com"})
    assert connection.getresponse().status == 403
    connection.close()


def test_moto_serves_no_api(stock: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason for our own: once moto does, this fails."""
    monkeypatch.setitem(sys.modules, "rfc3987_syntax", None)  # seconds of an import that is of no use here
    made = stock.apigatewayv2.create_api(
        Name="a", ProtocolType="HTTP", Target="arn:aws:lambda:us-east-1:123456789012:function:f"
    )
    assert made["ApiEndpoint"].endswith(".amazonaws.com")
    assert stock.apigatewayv2.get_routes(ApiId=made["ApiId"])["Items"] == []
    with pytest.raises((ClientError, NotImplementedError)):
        stock.apigatewayv2.create_deployment(ApiId=made["ApiId"])
