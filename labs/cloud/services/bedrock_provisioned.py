"""Provisioned Throughput: model units that are rented by the hour, with or without a commitment.

AWS does not publish what a unit gives: `labs.serving.services` assumes it, and says so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from labs.cloud.services import quotas
from labs.cloud.services.bedrock_access import check_access, foundation_model, model_arn
from labs.cloud.services.bedrock_account import Account, Resource
from labs.cloud.services.bedrock_custom import Custom, find_custom
from labs.cloud.services.bedrock_errors import conflict, invalid, not_found, over_quota
from labs.cloud.services.bedrock_listing import chosen, page
from labs.cloud.services.bedrock_models import Model, bare, models

KIND = "provisioned-model"
CREATING_S = 600.0
"""How long units take to come into service; minutes, an assumption."""
UPDATING_S = 120.0
COMMITMENTS = {"OneMonth": timedelta(days=30), "SixMonths": timedelta(days=180)}


@dataclass
class Provisioned(Resource):
    """Model units of one model."""

    units: int = 1
    serves: str = ""
    """ARN of the model that they serve: a foundation model or a custom one"""
    base: str = ""
    """`modelId` of the foundation model at its root"""
    commitment: str | None = None
    committed_until: datetime | None = None


def unit_quota(account: Account, *, custom: bool) -> int:
    """How many model units the account may have for base models, or for its own."""
    code = quotas.local_code(f"model-units-{'custom' if custom else 'base'}")
    return int(quotas.value(account.context, account.region, "bedrock", code))


def create_provisioned_model_throughput(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """CreateProvisionedModelThroughput."""
    token, name = params.get("clientRequestToken"), params["provisionedModelName"]
    made = account.again(KIND, token, name, "provisioned model")
    if made is not None:
        return {"provisionedModelArn": made.arn}
    arn, base, custom = _servable(account, params["modelId"])
    with account.lock:
        have = sum(each.units for each in account.kind(KIND).values() if ("custom-model" in each.serves) == custom)
        quota = unit_quota(account, custom=custom)
        if have + params["modelUnits"] > quota:
            raise over_quota(
                f"The request would exceed your account's quota of {quota} model units for {'custom' if custom else 'base'} "
                f"models ({have} in use, {params['modelUnits']} requested). Request a quota increase and try again."
            )
        id = account.new_id()
        made = Provisioned(
            id, account.arn(KIND, id), name, status="Creating", token=token,
            units=params["modelUnits"], serves=arn, base=base.id, commitment=params.get("commitmentDuration"),
        )  # fmt: skip
        if made.commitment:
            made.committed_until = made.created + COMMITMENTS[made.commitment]
        account.add(KIND, made, params.get("tags"))
    account.wait(CREATING_S, lambda: made.becomes("InService"))
    return {"provisionedModelArn": made.arn}


def get_provisioned_model_throughput(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetProvisionedModelThroughput."""
    return describe(account, find(account, params["provisionedModelId"]))


def list_provisioned_model_throughputs(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListProvisionedModelThroughputs."""
    found = [
        each
        for each in chosen(account.kind(KIND).values(), params)
        if params.get("modelArnEquals") in (None, each.serves)
    ]
    return page([describe(account, each) for each in found], params, "provisionedModelSummaries")


def update_provisioned_model_throughput(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """UpdateProvisionedModelThroughput: another name, or another model of the same root."""
    held = find(account, params["provisionedModelId"])
    if held.status != "InService":
        raise conflict(f"The provisioned model {held.name} is {held.status}. Wait until it is InService and try again.")
    name = params.get("desiredProvisionedModelName")
    if name and name != held.name:
        account.again(KIND, None, name, "provisioned model")
    if wanted := params.get("desiredModelId"):
        arn, base, custom = _servable(account, wanted)
        if base.id != held.base or not (custom or "custom-model" in held.serves):
            raise invalid(
                "A provisioned model can be associated only with the base model that it was made for, or with a model customized from it."
            )
        held.serves = arn
    held.name = name or held.name
    held.becomes("Updating")
    account.wait(UPDATING_S, lambda: held.becomes("InService"))
    return {}


def delete_provisioned_model_throughput(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteProvisionedModelThroughput: not while it is committed, and not on its way."""
    held = find(account, params["provisionedModelId"])
    if held.committed_until is not None and held.committed_until > datetime.now(held.committed_until.tzinfo):
        raise conflict(
            f"The provisioned model {held.name} has a commitment of {held.commitment} that ends on "
            f"{held.committed_until:%Y-%m-%d} and cannot be deleted before."
        )
    if held.status in ("Creating", "Updating"):
        raise conflict(f"The provisioned model {held.name} is {held.status}. Wait until it is InService and try again.")
    account.drop(KIND, held)
    return {}


def find(account: Account, identifier: str) -> Provisioned:
    """The units with this name, id or ARN."""
    found = account.find(KIND, identifier)
    if not isinstance(found, Provisioned):
        raise not_found(f"Could not find a provisioned model with the identifier {identifier}.")
    return found


def describe(account: Account, held: Provisioned) -> dict[str, Any]:
    """As the API shows it."""
    shown = {
        "modelUnits": held.units,
        "desiredModelUnits": held.units,
        "provisionedModelName": held.name,
        "provisionedModelArn": held.arn,
        "modelArn": held.serves,
        "desiredModelArn": held.serves,
        "foundationModelArn": model_arn(models()[held.base], account.region),
        "status": held.status,
        "creationTime": held.created,
        "lastModifiedTime": held.modified,
    }
    if held.commitment:
        shown |= {"commitmentDuration": held.commitment, "commitmentExpirationTime": held.committed_until}
    return shown


def _servable(account: Account, identifier: str) -> tuple[str, Model, bool]:
    """ARN, root and whether it is the account's own, of a model for which units can be had."""
    own = find_custom(account, identifier) if bare(identifier) not in models() else None
    if isinstance(own, Custom):
        if own.status != "Active":
            raise invalid(f"The model {own.name} is {own.status}. Wait until it is Active and try again.")
        model, arn = models()[own.base], own.arn
    else:
        model = foundation_model(identifier)
        arn = model_arn(model, account.region)
        check_access(account, model)
    if account.region not in model.offer.provisioned:
        raise invalid(f"Provisioned Throughput is not supported for the model {model.id} in {account.region}.")
    if model.offer.lifecycle == "legacy":
        raise invalid(f"The model {model.id} is in the Legacy state, in which no new Provisioned Throughput is sold.")
    return arn, model, own is not None


OPERATIONS = {
    "CreateProvisionedModelThroughput": create_provisioned_model_throughput,
    "GetProvisionedModelThroughput": get_provisioned_model_throughput,
    "ListProvisionedModelThroughputs": list_provisioned_model_throughputs,
    "UpdateProvisionedModelThroughput": update_provisioned_model_throughput,
    "DeleteProvisionedModelThroughput": delete_provisioned_model_throughput,
}
