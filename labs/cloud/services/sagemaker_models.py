"""SageMaker models: a container, its environment, and where its weights are. CreateModel looks whether the model data is there."""

from collections.abc import Mapping
from typing import Any

from labs.cloud.services import sagemaker_jumpstart as jumpstart
from labs.cloud.services import sagemaker_s3 as s3
from labs.cloud.services.sagemaker_containers import CannotStart, Container, read
from labs.cloud.services.sagemaker_hosting import Hosting, Stored, Told, page
from labs.cloud.services.sagemaker_validation import refused


def create(hosting: Hosting, params: Told) -> Told:
    """CreateModel."""
    name = params["ModelName"]
    arn = hosting.arn("model", name)
    if name in hosting.models:
        raise refused(f'Cannot create already existing model "{arn}".')
    containers = params.get("Containers") or []
    primary = params.get("PrimaryContainer")
    if primary and containers:
        raise refused("You cannot specify both PrimaryContainer and Containers in the same request.")
    if not primary and not containers:
        raise refused("Either PrimaryContainer or Containers must be specified.")
    if len(containers) > 1:
        raise refused(
            "The local cloud hosts models of one container; an inference pipeline or multi-container model has several. Give one PrimaryContainer."
        )
    if not params.get("ExecutionRoleArn"):
        raise refused("ExecutionRoleArn is required to create a model.")
    definition = primary or containers[0]
    if definition.get("Mode") == "MultiModel":
        raise refused(
            "The local cloud has no multi-model endpoints. Host each model as an inference component instead."
        )
    if definition.get("ModelPackageName"):
        raise refused("The local cloud has no model packages. Give the container's Image and its model data.")
    if not definition.get("Image"):
        raise refused(
            "1 validation error detected: Value at 'primaryContainer.image' failed to satisfy constraint: Member must not be null"
        )
    check_data(hosting, definition, params["ExecutionRoleArn"])
    hosting.models[name] = Stored(name, arn, params)
    hosting.tag(arn, params.get("Tags"))
    return {"ModelArn": arn}


def describe(hosting: Hosting, params: Told) -> Told:
    """DescribeModel."""
    model = hosting.model(params["ModelName"])
    said = {key: value for key, value in model.params.items() if key not in ("Tags", "PrimaryContainer")}
    if primary := model.params.get("PrimaryContainer"):
        said["PrimaryContainer"] = {"Mode": "SingleModel", **primary}
    return {"EnableNetworkIsolation": False, **said, "ModelArn": model.arn, "CreationTime": model.created}


def delete(hosting: Hosting, params: Told) -> Told:
    """DeleteModel. As on AWS, an endpoint that serves it goes on; it can just not be deployed anew."""
    model = hosting.model(params["ModelName"])
    del hosting.models[model.name]
    hosting.forget(model.arn)
    return {}


def listed(hosting: Hosting, params: Told) -> Told:
    """ListModels."""
    items = [{"ModelName": m.name, "ModelArn": m.arn, "CreationTime": m.created} for m in hosting.models.values()]
    return page(params, items, "Model", "Models")


def container_of(model: Stored) -> Mapping[str, Any]:
    """The definition of its one container."""
    found: Mapping[str, Any] = model.params.get("PrimaryContainer") or model.params["Containers"][0]
    return found


# -- model data


def data_uri(definition: Mapping[str, Any]) -> str | None:
    """Where the model data is, or None."""
    source = (definition.get("ModelDataSource") or {}).get("S3DataSource") or {}
    found: str | None = source.get("S3Uri") or definition.get("ModelDataUrl") or definition.get("ArtifactUrl")
    return found


def check_data(hosting: Hosting, definition: Mapping[str, Any], role: str) -> None:
    """Is the model data there, and its licence accepted? AWS's refusal if not."""
    source = (definition.get("ModelDataSource") or {}).get("S3DataSource") or {}
    uri = data_uri(definition)
    if uri is None:
        return
    if (known := jumpstart.model_at(uri)) is not None:
        accepted = (source.get("ModelAccessConfig") or {}).get("AcceptEula")
        if known.gated and accepted is not True:
            raise refused(
                f'The AcceptEula value must be explicitly defined as True in order to accept the end-user license agreement (EULA) that this "{uri}" '
                "model requires. You are responsible for reviewing and complying with any applicable license terms and making sure they are acceptable "
                "for your use case before downloading or using a model."
            )
        return
    try:
        s3.keys(hosting.account_id, uri)
    except s3.NotThere:
        raise refused(
            f'Could not access model data at {uri}. Please ensure that the role "{role}" exists and that its trust relationship policy allows the action '
            '"sts:AssumeRole" for the service principal "sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that '
            f"the object is located in {hosting.region}."
        ) from None
    if not s3.is_there(hosting.account_id, uri):
        raise refused(f"Could not find model data at {uri}.")


def container(hosting: Hosting, definition: Mapping[str, Any]) -> Container:
    """The container, understood with its model data as that is now. Raises CannotStart."""
    uri = data_uri(definition)
    if uri is None:
        return read(definition, lambda _: None)
    if (known := jumpstart.model_at(uri)) is not None:
        return read(definition, lambda _: None, known.model)
    if not s3.is_there(hosting.account_id, uri):
        raise CannotStart(
            f"ClientError: An error occurred (404) when calling the HeadObject operation: {uri} is no longer there."
        )
    cached: dict[str, bytes | None] = {}

    def read_file(name: str) -> bytes | None:
        if name not in cached:
            cached[name] = _file(hosting, uri, name)
        return cached[name]

    return read(definition, read_file)


def _file(hosting: Hosting, uri: str, name: str) -> bytes | None:
    if uri.endswith((".tar.gz", ".tgz", ".tar")):
        return s3.member(s3.read(hosting.account_id, uri), name)
    try:
        return s3.read(hosting.account_id, f"{uri.rstrip('/')}/{name}")
    except s3.NotThere:
        return None
