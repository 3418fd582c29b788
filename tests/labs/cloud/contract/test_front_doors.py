"""What the labs rely on of API Gateway's HTTP APIs and AppSync Events: what is made, and that it can be asked for again."""

import uuid

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import Aws

SERVICES = ("apigatewayv2", "appsync")


def test_an_http_api_has_routes_to_integrations(cloud: Aws) -> None:
    api = cloud.apigatewayv2.create_api(Name="line", ProtocolType="HTTP")
    assert api["ApiEndpoint"].startswith("http")
    which = {"ApiId": api["ApiId"]}
    uri = "arn:aws:lambda:us-east-1:123456789012:function:front"
    integration = cloud.apigatewayv2.create_integration(
        IntegrationType="AWS_PROXY", IntegrationUri=uri, PayloadFormatVersion="2.0", **which
    )
    target = f"integrations/{integration['IntegrationId']}"
    made = cloud.apigatewayv2.create_route(RouteKey="POST /jobs", Target=target, **which)
    stage = cloud.apigatewayv2.create_stage(StageName="$default", AutoDeploy=True, **which)
    assert stage["StageName"] == "$default"
    [route] = cloud.apigatewayv2.get_routes(**which)["Items"]
    assert (route["RouteId"], route["RouteKey"], route["Target"]) == (made["RouteId"], "POST /jobs", target)
    cloud.apigatewayv2.delete_api(**which)
    with pytest.raises(ClientError, match="NotFoundException"):
        cloud.apigatewayv2.get_api(**which)


def test_an_events_api_has_namespaces_and_keys(cloud: Aws) -> None:
    keys = [{"authType": "API_KEY"}]
    config = {
        "authProviders": keys,
        "connectionAuthModes": keys,
        "defaultPublishAuthModes": keys,
        "defaultSubscribeAuthModes": keys,
    }
    api = cloud.appsync.create_api(name=f"answers-{uuid.uuid4().hex[:8]}", eventConfig=config)["api"]
    assert {"HTTP", "REALTIME"} <= set(api["dns"])
    which = {"apiId": api["apiId"]}
    cloud.appsync.create_channel_namespace(name="jobs", **which)
    listed = cloud.appsync.list_channel_namespaces(**which)["channelNamespaces"]
    assert [space["name"] for space in listed] == ["jobs"]
    key = cloud.appsync.create_api_key(**which)["apiKey"]["id"]
    assert key in [each["id"] for each in cloud.appsync.list_api_keys(**which)["apiKeys"]]
    cloud.appsync.delete_api(**which)
    with pytest.raises(ClientError, match="NotFoundException"):
        cloud.appsync.get_api(**which)
