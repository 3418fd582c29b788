"""Which models Bedrock offers by which route and where, in sentences: no single Region serves all targets.

offer = bedrock_offers.find("amazon.nova-lite-v1:0")
bedrock_offers.require_region(offer, "provisioned", "Provisioned Throughput", site)      # a Refusal names the Regions that have it
"""

from labs import facts
from labs.errors import FALSE, USAGE, Refusal
from labs.facts import catalogue
from labs.facts.catalogue import Model, OnBedrock
from labs.targets.base import Site


def find(model: str) -> Model:
    """The model with this Bedrock id, or this id in the catalogue. Raises Refusal with those there are."""
    offered = {entry.bedrock.model_id: entry for entry in catalogue.models().values() if entry.bedrock}
    through = {profile: entry for entry in offered.values() for profile in on_bedrock(entry).profiles}
    name = model.rpartition("/")[2] if model.startswith("arn:") else model
    entry = offered.get(name) or through.get(name) or catalogue.models().get(name)
    if entry is None or entry.bedrock is None:
        raise Refusal(f"the catalogue has no model '{model}' on Bedrock; it has {', '.join(sorted(offered))}", USAGE)
    return entry


def on_bedrock(model: Model) -> OnBedrock:
    """How Bedrock offers it."""
    assert model.bedrock is not None
    return model.bedrock


def require_region(model: Model, route: str, what: str, site: Site) -> None:
    """Return when Bedrock has this model by `route` (a field of OnBedrock) in the site's Region; a Refusal names where it has."""
    where: tuple[str, ...] = getattr(on_bedrock(model), route)
    if site.cloud.region in where:
        return
    if where:
        raise Refusal(
            f"{what} of {model.name} is not offered in {site.cloud.region} but in {listed(where)}; "
            f"set AWS_REGION to one of them and try again; nothing was created",
            FALSE,
        )
    others = [
        on_bedrock(entry).model_id
        for entry in catalogue.models().values()
        if entry.bedrock and site.cloud.region in getattr(entry.bedrock, route)
    ]
    instead = f"in {site.cloud.region} it has {', '.join(others)}" if others else f"in {site.cloud.region} it has none"
    raise Refusal(f"Bedrock has no {what} of {model.name}; {instead}; nothing was created", FALSE)


def require_active(model: Model, what: str) -> None:
    """Return unless the model is Legacy or has ended; then a Refusal says so."""
    offer = on_bedrock(model)
    if offer.lifecycle not in ("legacy", "end-of-life"):
        return
    end = f" (it ends on {facts.format(offer.end_of_life)})" if offer.end_of_life else ""
    raise Refusal(
        f"{model.name} is {offer.lifecycle} on Bedrock{end}, and such a model takes no new {what}; choose an active one; nothing was created",
        FALSE,
    )


def regions_of(target: str) -> tuple[str, ...]:
    """Regions in which the course's own choice of model is known to work on a target."""
    return catalogue.target(target).regions


def listed(names: tuple[str, ...]) -> str:
    """'us-east-1', 'us-east-1 and us-west-2'."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
