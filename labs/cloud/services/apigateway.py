"""API Gateway's HTTP APIs: moto keeps them, here they are served.

`ApiEndpoint` is the address at which the API answers, http on a loopback port of its own; clients append stage and path to it, as on AWS.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): an API answers nowhere; there are no deployments and no
UpdateStage; CreateApi ignores Target; integrations that no HTTP API has and route keys that cannot match are accepted.
"""

import copy
import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from labs.cloud.context import Context
from labs.cloud.services import core
from labs.cloud.services.apigateway_http import Deployed, HttpApi, function_of
from labs.cloud.services.apigateway_jwt import Issuers
from labs.cloud.services.apigateway_routes import DEFAULT, Route
from labs.cloud.services.lambda_ import runner_of

Answer = tuple[int, dict[str, Any], str]
MIN_TIMEOUT_MS = 50


def install(context: Context) -> None:
    """Serve HTTP APIs."""
    core.install(context)
    from moto.apigatewayv2.exceptions import ApiNotFound
    from moto.apigatewayv2.models import Api, ApiGatewayV2Backend, Stage

    issuers = Issuers()
    served: dict[str, HttpApi] = {}

    def close() -> None:
        for api in served.values():
            api.listener.close()

    context.on_close(close)

    def new_api(self: Any, *args: Any, **given: Any) -> None:
        new_api_before(self, *args, **given)
        self.deployed = {}
        self.deployments = {}
        if self.protocol_type == "HTTP":
            served[self.api_id] = HttpApi(self, runner_of(context), issuers)
            self.api_endpoint = served[self.api_id].listener.url

    def delete_api(self: Any, api_id: str) -> None:
        if api_id not in self.apis:
            raise ApiNotFound(api_id)
        delete_api_before(self, api_id)
        if (api := served.pop(api_id, None)) is not None:
            api.listener.close()

    def new_stage(self: Any, api: Any, config: dict[str, Any]) -> None:
        new_stage_before(self, api, config)
        self.deployment_id = config.get("deploymentId")
        self.managed = False
        if self.auto_deploy and self.deployment_id:
            raise bad_request("Deployment ID cannot be set on stage creation with autoDeploy.")
        must_be_deployed(api, self.deployment_id)

    def stage_json(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = stage_json_before(self)
        answer["apiGatewayManaged"] = self.managed
        if self.deployment_id:
            answer["deploymentId"] = self.deployment_id
        return answer

    new_api_before = context.patch(Api, "__init__", new_api)
    delete_api_before = context.patch(ApiGatewayV2Backend, "delete_api", delete_api)
    new_stage_before = context.patch(Stage, "__init__", new_stage)
    stage_json_before = context.patch(Stage, "to_json", stage_json)
    _check_what_is_made(context)
    _patch_responses(context)


def bad_request(message: str) -> Exception:
    from moto.apigatewayv2.exceptions import BadRequestException

    error: Exception = BadRequestException(message)
    return error


def not_found(message: str) -> Exception:
    from moto.apigatewayv2.exceptions import APIGatewayV2Error

    error: Exception = APIGatewayV2Error("NotFoundException", message)
    error.code = 404  # type: ignore[attr-defined]
    return error


def must_be_deployed(api: Any, deployment_id: str | None) -> None:
    if deployment_id and deployment_id not in api.deployments:
        raise not_found(f"Invalid Deployment identifier specified {deployment_id}")


def _check_what_is_made(context: Context) -> None:
    """Refuse what an HTTP API cannot have."""
    from moto.apigatewayv2.models import Api

    from labs import facts

    max_timeout_ms = int(facts.number("apigateway.http.timeout_s") * 1000)

    def create_integration(self: Any, **given: Any) -> Any:
        if self.protocol_type == "HTTP":
            check_integration(given, max_timeout_ms)
        return create_integration_before(self, **given)

    def update_integration(self: Any, integration_id: str, **given: Any) -> Any:
        if self.protocol_type == "HTTP" and given.get("timeout_in_millis") is not None:
            check_timeout(given["timeout_in_millis"], max_timeout_ms)
        return update_integration_before(self, integration_id=integration_id, **given)

    def create_route(self: Any, **given: Any) -> Any:
        if self.protocol_type == "HTTP":
            check_route(self, given)
        return create_route_before(self, **given)

    def create_authorizer(self: Any, **given: Any) -> Any:
        if self.protocol_type == "HTTP":
            check_authorizer(given)
        return create_authorizer_before(self, **given)

    create_integration_before = context.patch(Api, "create_integration", create_integration)
    update_integration_before = context.patch(Api, "update_integration", update_integration)
    create_route_before = context.patch(Api, "create_route", create_route)
    create_authorizer_before = context.patch(Api, "create_authorizer", create_authorizer)


def check_integration(given: dict[str, Any], max_timeout_ms: int) -> None:
    kind, uri = given.get("integration_type"), str(given.get("integration_uri") or "")
    if kind != "AWS_PROXY" or given.get("integration_subtype"):
        raise bad_request(
            f"The local cloud's HTTP APIs lead to functions (AWS_PROXY) only, not to {given.get('integration_subtype') or kind}."
        )
    if given.get("payload_format_version") != "2.0":
        raise bad_request(
            "PayloadFormatVersion is a required parameter for integration, and the local cloud has 2.0 only."
        )
    if not re.search(r"arn:aws:lambda:[^:]+:\d+:function:", uri):
        raise bad_request(f"Invalid function ARN or invalid uri: {uri}")
    if given.get("timeout_in_millis") is not None:
        check_timeout(given["timeout_in_millis"], max_timeout_ms)


def check_timeout(value: Any, max_timeout_ms: int) -> None:
    if not MIN_TIMEOUT_MS <= int(value) <= max_timeout_ms:
        raise bad_request(f"Timeout should be between {MIN_TIMEOUT_MS} ms and {max_timeout_ms} ms")


def check_route(api: Any, given: dict[str, Any]) -> None:
    try:
        Route.parse(str(given.get("route_key")))
    except ValueError as wrong:
        raise bad_request(str(wrong)) from None
    if any(route.route_key == given.get("route_key") for route in api.routes.values()):
        error = bad_request(f"Route with key {given.get('route_key')} already exists for this API")
        error.code = 409  # type: ignore[attr-defined]
        raise error
    target = str(given.get("target") or "")
    if target and target.removeprefix("integrations/") not in api.integrations:
        raise not_found(f"Invalid Integration identifier specified {target}")
    if given.get("authorization_type") == "JWT" and given.get("authorizer_id") not in api.authorizers:
        raise bad_request("Invalid authorizer ID specified")


def check_authorizer(given: dict[str, Any]) -> None:
    if given.get("authorizer_type") != "JWT":
        raise bad_request("The local cloud's HTTP APIs have JWT authorizers only.")
    config = given.get("jwt_config") or {}
    if not config.get("issuer") or not config.get("audience"):
        raise bad_request("Issuer and Audience are required for a JWT authorizer.")


def _patch_responses(context: Context) -> None:
    from moto.apigateway import urls as urls_of_both  # moto's "apigateway" has the addresses of both versions
    from moto.apigatewayv2 import urls
    from moto.apigatewayv2.responses import ApiGatewayV2Response

    def create_api(self: Any) -> Answer:
        _, headers, body = create_api_before(self)
        params, made = json.loads(self.body), json.loads(body)
        if params.get("target"):
            api = self.apigatewayv2_backend.get_api(made["apiId"])
            try:
                quick_create(api, params)
            except Exception:
                self.apigatewayv2_backend.delete_api(api.api_id)
                raise
        return 201, headers, body

    def update_stage(self: Any) -> Answer:
        api = api_of(self, -3)
        stage = api.get_stage(unquote(self.path.split("/")[-1]))
        params = json.loads(self.body)
        must_be_deployed(api, params.get("deploymentId"))
        names = {
            "accessLogSettings": "access_log_settings",
            "autoDeploy": "auto_deploy",
            "defaultRouteSettings": "default_route_settings",
            "deploymentId": "deployment_id",
            "description": "description",
            "routeSettings": "route_settings",
            "stageVariables": "stage_variables",
        }
        for name, attribute in names.items():
            if name in params:
                setattr(stage, attribute, params[name])
        stage.updated = datetime.now()
        return 200, {}, json.dumps(stage.to_json())

    def create_deployment(self: Any) -> Answer:
        api = api_of(self, -2)
        params = json.loads(self.body or "{}")
        if not api.routes:
            raise bad_request("At least one route is required before deploying the Api.")
        stage = api.get_stage(params["stageName"]) if params.get("stageName") else None
        identifier = uuid.uuid4().hex[:6]
        api.deployed[identifier] = Deployed(
            *(
                copy.copy({key: copy.copy(part) for key, part in parts.items()})
                for parts in (api.routes, api.integrations, api.authorizers)
            )
        )
        api.deployments[identifier] = {
            "autoDeployed": False,
            "createdDate": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "deploymentId": identifier,
            "deploymentStatus": "DEPLOYED",
            **({"description": params["description"]} if params.get("description") else {}),
        }
        if stage is not None:
            stage.deployment_id = identifier
        return 201, {}, json.dumps(api.deployments[identifier])

    def get_deployments(self: Any) -> Answer:
        return 200, {}, json.dumps({"items": list(api_of(self, -2).deployments.values())})

    def get_deployment(self: Any) -> Answer:
        return 200, {}, json.dumps(deployment_of(self)[1])

    def delete_deployment(self: Any) -> Answer:
        api, deployment = deployment_of(self)
        if any(stage.deployment_id == deployment["deploymentId"] for stage in api.stages.values()):
            raise bad_request("Active stages pointing to this deployment must be moved or deleted")
        del api.deployments[deployment["deploymentId"]]
        del api.deployed[deployment["deploymentId"]]
        return 204, {}, ""

    create_api_before = context.patch(ApiGatewayV2Response, "create_api", create_api)
    for action in (update_stage, create_deployment, get_deployments, get_deployment, delete_deployment):
        context.patch(ApiGatewayV2Response, action.__name__, action)
    root = "{0}/v2/apis/(?P<api_id>[^/]+)/deployments"
    for paths in (urls.url_paths, urls_of_both.url_paths):
        paths[f"{root}$"] = ApiGatewayV2Response.dispatch
        paths[root + "/(?P<deployment_id>[^/]+)$"] = ApiGatewayV2Response.dispatch


def api_of(response: Any, position: int) -> Any:
    return response.apigatewayv2_backend.get_api(response.path.split("/")[position])


def deployment_of(response: Any) -> tuple[Any, dict[str, Any]]:
    api = api_of(response, -3)
    identifier = response.path.split("/")[-1]
    must_be_deployed(api, identifier)
    return api, api.deployments[identifier]


def quick_create(api: Any, params: dict[str, Any]) -> None:
    """CreateApi with a Target: integration, route and an automatically deployed $default stage in one."""
    uri = str(params["target"])
    if function_of(uri) is None:
        raise bad_request(f"Invalid function ARN or invalid uri: {uri}")
    integration = api.create_integration(
        connection_type="INTERNET",
        description="",
        integration_method="POST",
        integration_type="AWS_PROXY",
        integration_uri=uri,
        payload_format_version="2.0",
    )
    api.create_route(
        api_key_required=False,
        authorization_scopes=[],
        authorization_type="NONE",
        route_key=params.get("routeKey") or DEFAULT,
        target=f"integrations/{integration.id}",
        authorizer_id=None,
        operation_name=None,
        model_selection_expression=None,
        request_models=None,
        request_parameters=None,
        route_response_selection_expression=None,
    )
    stage = api.create_stage({"stageName": DEFAULT, "autoDeploy": True})
    stage.managed = True
