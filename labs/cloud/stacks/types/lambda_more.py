"""AWS::Lambda::* around a function: its address, aliases, versions, layers, and what becomes of asynchronous invocations."""

from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work
from labs.cloud.stacks.types.simple import SimpleType


class Url(SimpleType):
    name = "AWS::Lambda::Url"
    service = "lambda"
    creates, updates, deletes = "CreateFunctionUrlConfig", "UpdateFunctionUrlConfig", "DeleteFunctionUrlConfig"
    given = frozenset({"AuthType", "Cors", "InvokeMode", "Qualifier", "TargetFunctionArn"})
    changed = frozenset({"AuthType", "Cors", "InvokeMode"})
    attributes = frozenset({"FunctionArn", "FunctionUrl"})

    def create(self, work: Work) -> None:
        answer = work.call("lambda", self.creates, **self.names(work), **work.pick("AuthType", "Cors", "InvokeMode"))
        work.made(answer["FunctionArn"], FunctionArn=answer["FunctionArn"], FunctionUrl=answer["FunctionUrl"])

    def names(self, work: Work) -> dict[str, Any]:
        return {"FunctionName": work.properties["TargetFunctionArn"], **work.pick("Qualifier")}


class Alias(ResourceType):
    name = "AWS::Lambda::Alias"
    settings = ("Description", "FunctionName", "FunctionVersion", "Name", "RoutingConfig")
    properties = frozenset({*settings, "ProvisionedConcurrencyConfig"})
    attributes = frozenset({"AliasArn"})

    def create(self, work: Work) -> None:
        arn = work.call("lambda", "CreateAlias", **self._settings(work))["AliasArn"]
        work.made(arn, AliasArn=arn)
        provision(work, {}, str(work.properties["Name"]))

    def update(self, work: Work, before: dict[str, Any]) -> None:
        work.call("lambda", "UpdateAlias", **self._settings(work))
        provision(work, before, str(work.properties["Name"]))

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("lambda", "DeleteAlias", **work.pick("FunctionName", "Name")))

    def _settings(self, work: Work) -> dict[str, Any]:
        settings = work.pick(*self.settings)
        if "RoutingConfig" in settings:  # the template has a list where the API has a map
            weights = settings["RoutingConfig"].get("AdditionalVersionWeights") or []
            settings["RoutingConfig"] = {
                "AdditionalVersionWeights": {each["FunctionVersion"]: each["FunctionWeight"] for each in weights}
            }
        return settings


class Version(ResourceType):
    name = "AWS::Lambda::Version"
    properties = frozenset({"CodeSha256", "Description", "FunctionName", "ProvisionedConcurrencyConfig"})
    attributes = frozenset({"FunctionArn", "Version"})

    def create(self, work: Work) -> None:
        answer = work.call("lambda", "PublishVersion", **work.pick("CodeSha256", "Description", "FunctionName"))
        work.made(answer["FunctionArn"], FunctionArn=answer["FunctionArn"], Version=answer["Version"])
        provision(work, {}, answer["Version"])

    def update(self, work: Work, before: dict[str, Any]) -> None:
        """Whatever changes makes a new version."""

    def delete(self, work: Work) -> None:
        work.gone(
            lambda: work.call(
                "lambda",
                "DeleteFunction",
                FunctionName=work.properties["FunctionName"],
                Qualifier=work.attributes["Version"],
            )
        )


def provision(work: Work, before: dict[str, Any], qualifier: str) -> None:
    """Make a version's or an alias's provisioned concurrency that of the template."""
    wanted, had = work.properties.get("ProvisionedConcurrencyConfig"), before.get("ProvisionedConcurrencyConfig")
    which = {"FunctionName": work.properties["FunctionName"], "Qualifier": qualifier}
    if wanted and wanted != had:
        work.call("lambda", "PutProvisionedConcurrencyConfig", **which, **wanted)
        work.until(lambda: work.call("lambda", "GetProvisionedConcurrencyConfig", **which)["Status"] == "READY")
    elif had and not wanted:
        work.gone(lambda: work.call("lambda", "DeleteProvisionedConcurrencyConfig", **which))


class LayerVersion(SimpleType):
    name = "AWS::Lambda::LayerVersion"
    service, creates, deletes = "lambda", "PublishLayerVersion", "DeleteLayerVersion"
    given = frozenset(
        {"CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LayerName", "LicenseInfo"}
    )
    kept = (
        ("LayerName", "LayerName"),
        ("VersionNumber", "VersionNumber"),
    )
    attributes = frozenset({"LayerVersionArn"})

    def more(self, work: Work) -> dict[str, Any]:
        return {"LayerName": work.name("LayerName", longest=140)}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        arn = answer["LayerVersionArn"]
        work.made(arn, LayerVersionArn=arn, LayerName=arn.split(":")[6], VersionNumber=answer["Version"])


class EventInvokeConfig(ResourceType):
    name = "AWS::Lambda::EventInvokeConfig"
    settings = ("DestinationConfig", "FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts", "Qualifier")
    properties = frozenset(settings)

    def create(self, work: Work) -> None:
        work.call("lambda", "PutFunctionEventInvokeConfig", **work.pick(*self.settings))
        work.made(work.name("", longest=120))

    def update(self, work: Work, before: dict[str, Any]) -> None:  # noqa: ARG002 - the API takes the whole anew
        work.call("lambda", "PutFunctionEventInvokeConfig", **work.pick(*self.settings))

    def delete(self, work: Work) -> None:
        work.gone(
            lambda: work.call("lambda", "DeleteFunctionEventInvokeConfig", **work.pick("FunctionName", "Qualifier"))
        )


TYPES = (Url(), Alias(), Version(), LayerVersion(), EventInvokeConfig())
