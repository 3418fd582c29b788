"""On-demand deployments of custom models: no capacity to rent, paid by the token, for a few bases in a few Regions."""

from dataclasses import dataclass
from typing import Any

from labs.cloud.services.bedrock_account import Account, Resource
from labs.cloud.services.bedrock_custom import Custom, custom
from labs.cloud.services.bedrock_errors import conflict, invalid, not_found
from labs.cloud.services.bedrock_listing import chosen, page
from labs.cloud.services.bedrock_models import models

KIND = "custom-model-deployment"
CREATING_S = 120.0
"""How long a deployment takes to become active, an assumption."""


@dataclass
class Deployment(Resource):
    """A custom model that can be called by its deployment's ARN."""

    serves: str = ""
    """ARN of the custom model"""
    base: str = ""
    description: str | None = None
    updates_to: str | None = None
    updated: bool = False


def create_custom_model_deployment(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """CreateCustomModelDeployment."""
    name = params["modelDeploymentName"]
    made = account.again(KIND, params.get("clientRequestToken"), name, "deployment")
    if made is None:
        model = _deployable(account, params["modelArn"])
        id = account.new_id()
        made = Deployment(
            id, account.arn(KIND, id), name, status="Creating", token=params.get("clientRequestToken"),
            serves=model.arn, base=model.base, description=params.get("description"),
        )  # fmt: skip
        account.add(KIND, made, params.get("tags"))
        deployment = made
        account.wait(CREATING_S, lambda: deployment.becomes("Active"))
    return {"customModelDeploymentArn": made.arn}


def get_custom_model_deployment(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetCustomModelDeployment."""
    held = find(account, params["customModelDeploymentIdentifier"])
    shown = {
        "customModelDeploymentArn": held.arn,
        "modelDeploymentName": held.name,
        "modelArn": held.serves,
        "createdAt": held.created,
        "lastUpdatedAt": held.modified,
        "status": held.status,
    }
    if held.description:
        shown["description"] = held.description
    if held.updates_to:
        state = "UpdateCompleted" if held.updated else "Updating"
        shown["updateDetails"] = {"modelArn": held.updates_to, "updateStatus": state}
    return shown


def list_custom_model_deployments(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListCustomModelDeployments."""
    shown = [
        {
            "customModelDeploymentArn": held.arn,
            "customModelDeploymentName": held.name,
            "modelArn": held.serves,
            "createdAt": held.created,
            "lastUpdatedAt": held.modified,
            "status": held.status,
        }
        for held in chosen(account.kind(KIND).values(), params, time="created")
        if params.get("modelArnEquals") in (None, held.serves)
    ]
    return page(shown, params, "modelDeploymentSummaries")


def update_custom_model_deployment(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """UpdateCustomModelDeployment: another model of the same base."""
    held = find(account, params["customModelDeploymentIdentifier"])
    model = _deployable(account, params["modelArn"])
    if held.status != "Active" or model.base != held.base:
        raise invalid("A deployment can be updated when it is Active, to a model customized from the same base.")
    held.updates_to, held.updated = model.arn, False

    def swap() -> None:
        held.serves, held.updated = model.arn, True
        held.becomes("Active")

    account.wait(CREATING_S, swap)
    return {"customModelDeploymentArn": held.arn}


def delete_custom_model_deployment(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteCustomModelDeployment."""
    held = find(account, params["customModelDeploymentIdentifier"])
    if held.status == "Creating":
        raise conflict(f"The deployment {held.name} is Creating. Wait until it is Active and try again.")
    account.drop(KIND, held)
    return {}


def find(account: Account, identifier: str) -> Deployment:
    """The deployment with this name, id or ARN."""
    found = account.find(KIND, identifier)
    if not isinstance(found, Deployment):
        raise not_found(f"The custom model deployment {identifier} could not be found.")
    return found


def _deployable(account: Account, arn: str) -> Custom:
    model = custom(account, arn)
    if model.status != "Active":
        raise invalid(f"The model {model.name} is {model.status}. Wait until it is Active and try again.")
    if account.region not in models()[model.base].offer.custom_on_demand:
        raise invalid(
            f"On-demand deployment is not supported for models customized from {model.base} in {account.region}."
        )
    return model


OPERATIONS = {
    "CreateCustomModelDeployment": create_custom_model_deployment,
    "GetCustomModelDeployment": get_custom_model_deployment,
    "ListCustomModelDeployments": list_custom_model_deployments,
    "UpdateCustomModelDeployment": update_custom_model_deployment,
    "DeleteCustomModelDeployment": delete_custom_model_deployment,
}
