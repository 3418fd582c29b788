"""AWS::ApiGatewayV2::* for HTTP APIs."""

from typing import Any

from labs.cloud.stacks.types.base import Work
from labs.cloud.stacks.types.simple import SimpleType


class Api(SimpleType):
    name = "AWS::ApiGatewayV2::Api"
    service, creates, updates, deletes = "apigatewayv2", "CreateApi", "UpdateApi", "DeleteApi"
    given = frozenset(
        {
            "ApiKeySelectionExpression",
            "CorsConfiguration",
            "CredentialsArn",
            "Description",
            "DisableExecuteApiEndpoint",
            "DisableSchemaValidation",
            "IpAddressType",
            "Name",
            "ProtocolType",
            "RouteKey",
            "RouteSelectionExpression",
            "Target",
            "Version",
        }
    )
    kept = (("ApiId", ""),)
    tags_as = "Tags"
    attributes = frozenset({"ApiEndpoint", "ApiId", "ExecuteApiArn"})

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        region, account = work.stack_id.split(":")[3:5]
        work.made(
            answer["ApiId"],
            ApiId=answer["ApiId"],
            ApiEndpoint=answer["ApiEndpoint"],
            ExecuteApiArn=f"arn:aws:execute-api:{region}:{account}:{answer['ApiId']}",
            Arn=f"arn:aws:apigateway:{region}::/apis/{answer['ApiId']}",
        )


class PartOfApi(SimpleType):
    """Something inside an API, with an id of its own."""

    service = "apigatewayv2"
    id_name: str

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:  # type: ignore[override]
        return ("ApiId", "ApiId"), (self.id_name, "")

    @property
    def changed(self) -> frozenset[str]:  # type: ignore[override]
        return self.given - {"ApiId"}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        made = answer[self.id_name]
        work.made(made, **{self.id_name: made, "ApiId": work.properties["ApiId"]})


class Route(PartOfApi):
    name = "AWS::ApiGatewayV2::Route"
    creates, updates, deletes = "CreateRoute", "UpdateRoute", "DeleteRoute"
    given = frozenset(
        {
            "ApiId",
            "ApiKeyRequired",
            "AuthorizationScopes",
            "AuthorizationType",
            "AuthorizerId",
            "ModelSelectionExpression",
            "OperationName",
            "RequestModels",
            "RequestParameters",
            "RouteKey",
            "RouteResponseSelectionExpression",
            "Target",
        }
    )
    id_name = "RouteId"
    attributes = frozenset({"RouteId"})


class Integration(PartOfApi):
    name = "AWS::ApiGatewayV2::Integration"
    creates, updates, deletes = "CreateIntegration", "UpdateIntegration", "DeleteIntegration"
    given = frozenset(
        {
            "ApiId",
            "ConnectionId",
            "ConnectionType",
            "ContentHandlingStrategy",
            "CredentialsArn",
            "Description",
            "IntegrationMethod",
            "IntegrationSubtype",
            "IntegrationType",
            "IntegrationUri",
            "PassthroughBehavior",
            "PayloadFormatVersion",
            "RequestParameters",
            "RequestTemplates",
            "TemplateSelectionExpression",
            "TimeoutInMillis",
            "TlsConfig",
        }
    )
    id_name = "IntegrationId"
    attributes = frozenset({"IntegrationId"})


class Authorizer(PartOfApi):
    name = "AWS::ApiGatewayV2::Authorizer"
    creates, updates, deletes = "CreateAuthorizer", "UpdateAuthorizer", "DeleteAuthorizer"
    given = frozenset(
        {
            "ApiId",
            "AuthorizerCredentialsArn",
            "AuthorizerPayloadFormatVersion",
            "AuthorizerResultTtlInSeconds",
            "AuthorizerType",
            "AuthorizerUri",
            "EnableSimpleResponses",
            "IdentitySource",
            "IdentityValidationExpression",
            "JwtConfiguration",
            "Name",
        }
    )
    id_name = "AuthorizerId"
    attributes = frozenset({"AuthorizerId"})


class Stage(PartOfApi):
    name = "AWS::ApiGatewayV2::Stage"
    creates, updates, deletes = "CreateStage", "UpdateStage", "DeleteStage"
    given = frozenset(
        {
            "AccessLogSettings",
            "ApiId",
            "AutoDeploy",
            "ClientCertificateId",
            "DefaultRouteSettings",
            "DeploymentId",
            "Description",
            "RouteSettings",
            "StageName",
            "StageVariables",
        }
    )
    id_name = "StageName"
    tags_as = "Tags"

    @property
    def changed(self) -> frozenset[str]:  # type: ignore[override]
        return self.given - {"ApiId", "StageName"}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        super().note(work, answer)
        region, api = work.stack_id.split(":")[3], work.properties["ApiId"]
        work.attributes["Arn"] = f"arn:aws:apigateway:{region}::/apis/{api}/stages/{answer['StageName']}"


TYPES = (Api(), Route(), Integration(), Authorizer(), Stage())
