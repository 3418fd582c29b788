"""Rules about Bedrock's routes: catalogue, lifecycle, Regions, residency, quotas, and what each route does with weights of one's own."""

from __future__ import annotations

from labs import facts
from labs.decide.case import Case
from labs.decide.prices import exists, has_tier
from labs.decide.rules.reason import Reason
from labs.facts import catalogue
from labs.facts.catalogue_schema import OnBedrock

GEOGRAPHY = {"us": ("us.",), "eu": ("eu.",), "ap": ("apac.", "jp.", "au."), "us-gov": ("us-gov.",)}
"""Prefixes of the inference profiles that keep a Region's data in its geography. From Canada the US profile leaves it."""
ONE_COUNTRY = {"jp.": ("ap-northeast-1", "ap-northeast-3"), "au.": ("ap-southeast-2", "ap-southeast-4")}
HOURS_PER_DAY = 24


def _on(case: Case) -> OnBedrock | None:
    return case.model.bedrock if case.model else None


def in_the_catalogue(case: Case) -> Reason | None:
    if _on(case) is not None:
        return None
    if case.model is None:
        return Reason(
            "in_the_catalogue", "a model known only by its size is in no catalogue: name it to see this route"
        )
    return Reason("in_the_catalogue", f"Bedrock's catalogue does not have {case.name}")


def still_alive(case: Case) -> Reason | None:
    """Legacy takes no new customers; end of life takes nobody."""
    on = _on(case)
    if on is None:
        return None
    ends = (on.end_of_life,) if on.end_of_life else ()
    if on.lifecycle == "end-of-life":
        return Reason("still_alive", f"{case.name} has left Bedrock", ends)
    if on.lifecycle != "legacy" or case.asked.already_in_bedrock:
        return None
    until = f" and leaves on {facts.format(on.end_of_life)}" if on.end_of_life else ""
    return Reason(
        "still_alive",
        f"{case.name} is Legacy on Bedrock: it takes no new customers{until}; existing users only (--already-in-bedrock)",
        ("bedrock.lifecycle.legacy_forbids", *ends),
    )


def offered_here(case: Case) -> Reason | None:
    on = _on(case)
    if on is None or case.asked.region in on.regions:
        return None
    return Reason(
        "offered_here", f"Bedrock does not offer {case.name} in {case.asked.region}, only in {_some(on.regions)}"
    )


def data_stay_where_they_may(case: Case) -> Reason | None:
    """One Region wants the plain model id; one geography wants that or a geographic profile."""
    on, asked = _on(case), case.asked
    if on is None or asked.residency not in ("geography", "region") or asked.region in on.in_region:
        return None
    if asked.residency == "region":
        return Reason(
            "data_stay_where_they_may",
            f"from {asked.region} {case.name} is called through a profile that spans Regions; the data may not leave theirs",
            ("bedrock.profile.geographies",),
        )
    if geographic_profile(case) is not None:
        return None
    return Reason(
        "data_stay_where_they_may",
        f"no profile of {case.name} keeps the data of {asked.region} in its geography",
        ("bedrock.profile.geographies",),
    )


def geographic_profile(case: Case) -> str | None:
    """The inference profile that keeps the Region's data in its geography, or None."""
    on, region = _on(case), case.asked.region
    if on is None:
        return None
    geography = "us-gov" if region.startswith("us-gov-") else region.partition("-")[0]
    for profile in on.profiles:
        prefix = profile.partition(".")[0] + "."
        if prefix in GEOGRAPHY.get(geography, ()) and region in ONE_COUNTRY.get(prefix, (region,)):
            return profile
    return None


def takes_base_models(case: Case) -> Reason | None:
    if not case.asked.custom_weights:
        return None
    return Reason("takes_base_models", "it serves base models, and the weights are your own")


def takes_customised_models(case: Case) -> Reason | None:
    if case.asked.custom_weights:
        return None
    return Reason("takes_customised_models", "nothing is customised: the base model is served on demand")


def guarantees_throughput(case: Case) -> Reason | None:
    """Best effort, within a quota that others do not share but capacity that they do."""
    if not case.asked.guaranteed_throughput:
        return None
    return Reason("guarantees_throughput", "it is best effort within a quota, and throughput must be guaranteed")


def reserved_tier(case: Case) -> Reason | None:
    """On demand guarantees nothing, but the Reserved tier does; it is sold for Claude, which has no Provisioned Throughput."""
    if not case.asked.guaranteed_throughput or (case.model is not None and case.model.provider == "Anthropic"):
        return None
    return guarantees_throughput(case)


def nobody_waits(case: Case) -> Reason | None:
    if case.asked.answer_can_wait:
        return None
    return Reason("nobody_waits", "somebody waits for the answer, and a batch job answers in hours")


def has_a_batch_price(case: Case) -> Reason | None:
    if case.price_id is None or has_tier(case.price_id, "batch"):
        return None
    return Reason("has_a_batch_price", f"no batch price of {case.name} is known, so it is taken as not offered")


# Provisioned Throughput


def sold_in_model_units_here(case: Case) -> Reason | None:
    on = _on(case)
    if on is None or case.asked.region in on.provisioned:
        return None
    where = f"only in {_some(on.provisioned)}" if on.provisioned else "in no Region"
    return Reason(
        "sold_in_model_units_here", f"Provisioned Throughput of {case.name} is sold {where}", ("bedrock.pt.models",)
    )


def sells_new_model_units(case: Case) -> Reason | None:
    on = _on(case)
    if on is None or on.lifecycle != "legacy":
        return None
    return Reason(
        "sells_new_model_units",
        f"{case.name} is Legacy on Bedrock: no new Provisioned Throughput is sold",
        ("bedrock.lifecycle.legacy_forbids",),
    )


# Custom models on demand


def can_be_tuned_in_bedrock(case: Case) -> Reason | None:
    """The customised model exists in Bedrock already, or could still be made there."""
    on, asked = _on(case), case.asked
    if on is None or not asked.custom_weights or asked.already_in_bedrock:
        return None
    if on.lifecycle == "legacy":
        ends = (on.end_of_life,) if on.end_of_life else ()
        return Reason(
            "can_be_tuned_in_bedrock",
            f"{case.name} is Legacy: Bedrock tunes it no more; only models customised before (--already-in-bedrock)",
            ("bedrock.lifecycle.legacy_forbids", *ends),
        )
    if asked.region not in on.fine_tuning:
        where = f"only in {_some(on.fine_tuning)}" if on.fine_tuning else "in no Region that we know"
        return Reason("can_be_tuned_in_bedrock", f"Bedrock tunes {case.name} {where}", ("bedrock.fine-tuning.models",))
    if asked.training_data_kept is False:
        return Reason(
            "can_be_tuned_in_bedrock", "the training data is gone, so the tuning cannot be done again in Bedrock"
        )
    return None


def deployed_on_demand_here(case: Case) -> Reason | None:
    on = _on(case)
    if on is None or case.asked.region in on.custom_on_demand:
        return None
    where = f"only in {_some(on.custom_on_demand)}" if on.custom_on_demand else "nowhere"
    return Reason(
        "deployed_on_demand_here",
        f"Bedrock deploys customised versions of {case.name} on demand {where}",
        ("bedrock.custom-on-demand.models", "bedrock.custom-on-demand.regions"),
    )


def custom_quota_fact(case: Case, per: str = "tpm") -> str | None:
    """Id of the quota of an on-demand deployment of the customised model, per minute ('tpm') or day ('tpd')."""
    id = f"bedrock.{per}.custom-on-demand.{(case.asked.model or '').replace('.', '-')}"
    return id if case.asked.model and exists(id) else None


def quota_is_fixed(id: str) -> bool:
    """Whether the register says that AWS does not raise it."""
    return "not adjustable" in facts.get(id).says


def quota_tokens_per_request(case: Case) -> float:
    """What a request counts against a quota: its input, and its output times the model's burndown rate."""
    return case.asked.input_tokens + case.asked.output_tokens * facts.number(burndown_fact(case))


def burndown_fact(case: Case) -> str:
    """The fact with the burndown rate of the model."""
    model = case.asked.model or ""
    if model.startswith("claude-"):
        generation = model.rsplit("-", 1)[-1]
        if generation.startswith("5"):
            return "bedrock.burndown.claude-5"
        return "bedrock.burndown.claude-4-8" if generation == "4.8" else "bedrock.burndown.claude-4-7-and-older"
    family = model.partition("-")[0]
    return f"bedrock.burndown.{family}" if exists(f"bedrock.burndown.{family}") else "bedrock.burndown.other"


def within_the_fixed_quota_per_minute(case: Case) -> Reason | None:
    id = custom_quota_fact(case)
    needed = case.asked.requests_per_minute * quota_tokens_per_request(case)
    if id is None or not quota_is_fixed(id) or needed <= facts.number(id):
        return None
    return Reason(
        "within_the_fixed_quota_per_minute",
        f"{needed:,.0f} tokens a minute exceed its quota of {facts.format(id)}, which AWS does not raise",
        (id,),
    )


def within_the_fixed_quota_per_day(case: Case) -> Reason | None:
    id = custom_quota_fact(case, "tpd")
    if id is None or not quota_is_fixed(id):
        return None
    hours = {"steady": HOURS_PER_DAY, "office-hours": 8, "spiky": HOURS_PER_DAY, "nightly": 4}[case.asked.profile]
    share = 0.1 if case.asked.profile == "spiky" else 1.0
    needed = case.asked.requests_per_minute * quota_tokens_per_request(case) * 60 * hours * share
    if needed <= facts.number(id):
        return None
    return Reason(
        "within_the_fixed_quota_per_day",
        f"{needed:,.0f} tokens a day exceed its quota of {facts.format(id)}, which AWS does not raise",
        (id,),
    )


# Custom Model Import


def import_regions(case: Case) -> tuple[str, ...]:
    """Regions that import weights of this architecture."""
    if case.model is not None:
        return case.model.importable
    alike = (m.importable for m in catalogue.models().values() if m.architecture == case.asked.architecture)
    return next((regions for regions in alike if regions), ()) if case.asked.architecture else ()


def imports_this_architecture(case: Case) -> Reason | None:
    regions = import_regions(case)
    if case.asked.region in regions or (case.model is not None and case.shape is None):
        return None  # what is not public is another rule's
    if regions:
        because = f"Bedrock imports such weights only in {_some(regions)}, not in {case.asked.region}"
    elif case.architecture is None:
        because = "its architecture is not named (--architecture), so nobody can say whether Bedrock imports it"
    else:
        because = f"Bedrock is not known to import {case.architecture}"
    return Reason("imports_this_architecture", because, ("bedrock.import.architectures", "bedrock.import.regions"))


def imports_this_format(case: Case) -> Reason | None:
    if case.asked.weights_format != "other":
        return None
    return Reason(
        "imports_this_format",
        f"only {facts.format('bedrock.import.format')} are imported, and the weights are in another format",
        ("bedrock.import.format",),
    )


def imports_this_size(case: Case) -> Reason | None:
    limit = "bedrock.import.text_max_gb"
    if case.weights_bytes is None or case.weights_bytes < facts.number(limit) * 1e9:
        return None
    return Reason(
        "imports_this_size",
        f"{case.weights_bytes / 1e9:,.0f} GB of weights; an imported model must have less than {facts.format(limit)}",
        (limit,),
    )


def imports_this_context(case: Case) -> Reason | None:
    limit = "bedrock.import.context_max_tokens"
    if case.tokens_per_request < facts.number(limit):
        return None
    return Reason(
        "imports_this_context",
        f"{case.tokens_per_request:,} tokens; an imported model's context must be shorter than {facts.format(limit)}",
        (limit,),
    )


def _some(regions: tuple[str, ...]) -> str:
    shown = ", ".join(regions[:4])
    return f"{shown} and {len(regions) - 4} more" if len(regions) > 4 else shown
