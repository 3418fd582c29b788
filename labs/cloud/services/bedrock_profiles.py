"""Inference profiles: the system's, which lead to a model in several Regions, and an application's own, which carry its tags."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from labs.cloud.services.bedrock_access import model_arn
from labs.cloud.services.bedrock_account import Account, Resource
from labs.cloud.services.bedrock_errors import invalid, not_found
from labs.cloud.services.bedrock_listing import page
from labs.cloud.services.bedrock_models import Model, bare, callable_from, models, profile_prefix, reach

KIND = "application-inference-profile"
SYSTEM = "inference-profile"
GLOBAL_DESTINATIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-central-1", "ap-northeast-1")
"""A global profile's destinations are many and change; these stand for them."""
MOST_DESTINATIONS = 5
"""Regions that a profile lists, as the API's model has it."""
SYSTEM_SINCE = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass
class Profile(Resource):
    """An application inference profile."""

    description: str | None = None
    leads_to: str = ""
    """the id of the model or system-defined profile that it copies"""
    models: tuple[str, ...] = ()


def destinations(model: Model, profile: str, region: str) -> list[str]:
    """The Regions that a profile may send a call to: the caller's own first."""
    if profile_prefix(profile) == "global":
        found: tuple[str, ...] = GLOBAL_DESTINATIONS
    else:
        found = tuple(each for each in model.offer.through_profile if callable_from(profile, each))
    return list(dict.fromkeys((region, *found)))[:MOST_DESTINATIONS]


def system_profiles(region: str) -> dict[str, Model]:
    """The system-defined profiles that can be called from a Region, by id."""
    return {
        profile: model
        for model in models().values()
        for profile in model.offer.profiles
        if callable_from(profile, region)
    }


def describe_system(account: Account, profile: str, model: Model) -> dict[str, Any]:
    """A system-defined profile as the API shows it."""
    geography = profile_prefix(profile).upper() if profile_prefix(profile) != "global" else "Global"
    short = model.name.removeprefix(f"{model.provider} ")
    return {
        "inferenceProfileName": f"{geography} {model.provider} {short}"[:64],
        "description": f"Routes requests to {model.name} in {', '.join(destinations(model, profile, account.region))}."[
            :200
        ],
        "createdAt": SYSTEM_SINCE,
        "updatedAt": SYSTEM_SINCE,
        "inferenceProfileArn": account.arn(SYSTEM, profile),
        "models": [{"modelArn": model_arn(model, each)} for each in destinations(model, profile, account.region)],
        "inferenceProfileId": profile,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def describe(profile: Profile) -> dict[str, Any]:
    """An application's profile as the API shows it."""
    shown = {
        "inferenceProfileName": profile.name,
        "createdAt": profile.created,
        "updatedAt": profile.modified,
        "inferenceProfileArn": profile.arn,
        "models": [{"modelArn": arn} for arn in profile.models],
        "inferenceProfileId": profile.id,
        "status": "ACTIVE",
        "type": "APPLICATION",
    }
    return shown | ({"description": profile.description} if profile.description else {})


def create_inference_profile(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """CreateInferenceProfile."""
    source = params["modelSource"].get("copyFrom")
    if not source or not source.startswith("arn:"):
        raise invalid(
            "modelSource.copyFrom must be the ARN of a foundation model or of a system-defined inference profile."
        )
    made = account.again(KIND, params.get("clientRequestToken"), params["inferenceProfileName"], "inference profile")
    if made is None:
        reached = reach(source, account.region)
        regions = destinations(reached.model, reached.profile, account.region) if reached.profile else [account.region]
        id = account.new_id()
        made = Profile(
            id,
            account.arn(KIND, id),
            params["inferenceProfileName"],
            status="ACTIVE",
            token=params.get("clientRequestToken"),
            description=params.get("description"),
            leads_to=bare(source),
            models=tuple(model_arn(reached.model, region) for region in regions),
        )
        account.add(KIND, made, params.get("tags"))
    return {"inferenceProfileArn": made.arn, "status": "ACTIVE"}


def get_inference_profile(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetInferenceProfile."""
    identifier = params["inferenceProfileIdentifier"]
    model = system_profiles(account.region).get(bare(identifier))
    if model is not None:
        return describe_system(account, bare(identifier), model)
    return describe(find(account, identifier))


def list_inference_profiles(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListInferenceProfiles: the system's when the request does not say."""
    if params.get("typeEquals") == "APPLICATION":
        shown = [describe(profile) for profile in list(account.kind(KIND).values())]
    else:
        shown = [describe_system(account, id, model) for id, model in system_profiles(account.region).items()]
    return page(shown, params, "inferenceProfileSummaries")


def delete_inference_profile(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteInferenceProfile."""
    identifier = params["inferenceProfileIdentifier"]
    if bare(identifier) in system_profiles(account.region):
        raise invalid("System-defined inference profiles cannot be deleted.")
    account.drop(KIND, find(account, identifier))
    return {}


def find(account: Account, identifier: str) -> Profile:
    """The application's profile with this id or ARN."""
    found = account.find(KIND, identifier)
    if not isinstance(found, Profile):
        raise not_found(f"The inference profile {identifier} could not be found.")
    return found


OPERATIONS = {
    "CreateInferenceProfile": create_inference_profile,
    "GetInferenceProfile": get_inference_profile,
    "ListInferenceProfiles": list_inference_profiles,
    "DeleteInferenceProfile": delete_inference_profile,
}
