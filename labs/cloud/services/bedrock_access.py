"""Who may call what: foundation models and their states, the use case that Anthropic asks for, agreements with a model's provider."""

import hashlib
from datetime import UTC, date, datetime, time
from typing import Any

from labs import facts
from labs.cloud.services.bedrock_account import Account
from labs.cloud.services.bedrock_errors import ACCESS, conflict, denied, invalid, not_found
from labs.cloud.services.bedrock_models import Model, bare, callable_from, models, today

SOLD_BY_AGREEMENT = ("Anthropic",)
"""Providers whose models an account may call once it has agreed to their terms; all others are open from the start."""
OPEN_FROM_THE_START = ("claude-haiku-4.5", "claude-sonnet-4.5")
"""Models under agreement, by id in the catalogue, for which this cloud's accounts have agreed already."""
USE_CASE_MISSING = (
    "Model use case details have not been submitted for this account. "
    "Fill out the Anthropic use case details form before using the model."
)
NAME_LENGTH = 20
"""Names of models and providers are cut there, as the API's model has it."""


def needs_agreement(model: Model) -> bool:
    """Must an account agree to the provider's terms before it can call this model?"""
    return model.provider in SOLD_BY_AGREEMENT


def has_access(account: Account, model: Model) -> bool:
    """May this account call this model?"""
    return not needs_agreement(model) or model.id in account.agreed


def check_access(account: Account, model: Model) -> None:
    """Raise AccessDeniedException unless it may."""
    if not has_access(account, model):
        raise denied(ACCESS)


def open_from_the_start() -> set[str]:
    """Models that a new account has agreed to already."""
    return {model.id for model in models().values() if model.key in OPEN_FROM_THE_START}


def foundation_model(identifier: str) -> Model:
    """The model with this id or ARN, as the control plane answers when there is none."""
    model = models().get(bare(identifier))
    if model is None or model.has_ended(today()):
        raise not_found(f"The foundation model {identifier} could not be found.")
    return model


def offered_in(model: Model, region: str) -> bool:
    """Can it be called from this Region, one way or another?"""
    return region in model.offer.in_region or any(callable_from(profile, region) for profile in model.offer.profiles)


def model_arn(model: Model, region: str) -> str:
    """The ARN of a foundation model."""
    return f"arn:aws:bedrock:{region}::foundation-model/{model.id}"


def describe(model: Model, region: str) -> dict[str, Any]:
    """A foundation model as the API shows it."""
    offer = model.offer
    types = (["ON_DEMAND"] if region in offer.in_region else []) + (
        ["PROVISIONED"] if region in offer.provisioned else []
    )
    lifecycle: dict[str, Any] = {"status": "LEGACY" if offer.lifecycle == "legacy" else "ACTIVE"}
    end = facts.value(offer.end_of_life) if offer.end_of_life else None
    if isinstance(end, date):
        lifecycle["endOfLifeTime"] = datetime.combine(end, time(), UTC)
    return {
        "modelArn": model_arn(model, region),
        "modelId": model.id,
        "modelName": model.name.removeprefix(f"{model.provider} ")[:NAME_LENGTH],
        "providerName": model.provider[:NAME_LENGTH],
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": ["FINE_TUNING"] if region in offer.fine_tuning else [],
        "inferenceTypesSupported": types,
        "modelLifecycle": lifecycle,
    }


def list_foundation_models(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListFoundationModels: what the Region offers, whether or not the account may call it."""
    shown = [
        describe(model, account.region)
        for model in models().values()
        if offered_in(model, account.region) and not model.has_ended(today())
    ]
    wanted = (
        ("byCustomizationType", "customizationsSupported"),
        ("byOutputModality", "outputModalities"),
        ("byInferenceType", "inferenceTypesSupported"),
    )
    for name, member in wanted:
        if params.get(name) is not None:
            shown = [each for each in shown if params[name] in each[member]]
    if provider := params.get("byProvider"):
        shown = [each for each in shown if each["providerName"].lower() == provider.lower()]
    return {"modelSummaries": shown}


def get_foundation_model(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetFoundationModel."""
    model = foundation_model(params["modelIdentifier"])
    if not offered_in(model, account.region):
        raise not_found(f"The foundation model {params['modelIdentifier']} could not be found.")
    return {"modelDetails": describe(model, account.region)}


def get_foundation_model_availability(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetFoundationModelAvailability."""
    model = foundation_model(params["modelId"])
    access = "AVAILABLE" if has_access(account, model) else "NOT_AVAILABLE"
    return {
        "modelId": model.id,
        "agreementAvailability": {"status": access},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": access,
        "regionAvailability": "AVAILABLE" if offered_in(model, account.region) else "NOT_AVAILABLE",
    }


def put_use_case_for_model_access(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """PutUseCaseForModelAccess."""
    account.use_case = bytes(params["formData"])
    return {}


def get_use_case_for_model_access(account: Account, params: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - has none
    """GetUseCaseForModelAccess."""
    if account.use_case is None:
        raise not_found("Model use case details have not been submitted for this account.")
    return {"formData": account.use_case}


def list_foundation_model_agreement_offers(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListFoundationModelAgreementOffers: one public offer for a model that is sold by agreement."""
    model = foundation_model(params["modelId"])
    if not needs_agreement(model):
        raise not_found(f"There are no agreement offers for the model {model.id}.")
    offer = {
        "offerId": f"offer-{_digest(model.id)[:16]}",
        "offerToken": _offer_token(account, model),
        "termDetails": {
            "usageBasedPricingTerm": {"rateCard": _rates(model)},
            "legalTerm": {"url": "https://aws.amazon.com/legal/bedrock/third-party-models/"},
            "supportTerm": {"refundPolicyDescription": "No refunds for tokens that were used."},
            "validityTerm": {"agreementDuration": "P365D"},
        },
    }
    return {"modelId": model.id, "offers": [offer]}


def create_foundation_model_agreement(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """CreateFoundationModelAgreement."""
    model = foundation_model(params["modelId"])
    if not needs_agreement(model) or params["offerToken"] != _offer_token(account, model):
        raise invalid(
            "The offer token is invalid. Get a new one from ListFoundationModelAgreementOffers and try again."
        )
    if account.use_case is None:
        raise not_found(USE_CASE_MISSING)
    with account.lock:
        if model.id in account.agreed:
            raise conflict(f"An agreement for the model {model.id} already exists.")
        account.agreed.add(model.id)
    return {"modelId": model.id}


def delete_foundation_model_agreement(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteFoundationModelAgreement."""
    model = foundation_model(params["modelId"])
    with account.lock:
        if model.id not in account.agreed:
            raise not_found(f"There is no agreement for the model {model.id}.")
        account.agreed.discard(model.id)
    return {}


def _offer_token(account: Account, model: Model) -> str:
    return _digest(f"{account.id} {account.region} {model.id}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _rates(model: Model) -> list[dict[str, str]]:
    from labs.facts import catalogue

    prefix = catalogue.model(model.key).price
    rates = []
    for way in ("input", "output"):
        price = facts.number(f"{prefix}.{way}_per_million")
        rates.append(
            {
                "dimension": f"{way}_tokens",
                "price": f"{price / 1000:.8f}".rstrip("0"),
                "description": f"1,000 {way} tokens",
                "unit": "1K tokens",
            }
        )
    return rates


OPERATIONS = {
    "ListFoundationModels": list_foundation_models,
    "GetFoundationModel": get_foundation_model,
    "GetFoundationModelAvailability": get_foundation_model_availability,
    "PutUseCaseForModelAccess": put_use_case_for_model_access,
    "GetUseCaseForModelAccess": get_use_case_for_model_access,
    "ListFoundationModelAgreementOffers": list_foundation_model_agreement_offers,
    "CreateFoundationModelAgreement": create_foundation_model_agreement,
    "DeleteFoundationModelAgreement": delete_foundation_model_agreement,
}
