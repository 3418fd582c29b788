"""Where a `modelId` leads: to a model, the engine that answers for it, and the quota that stands before it.

    route = routes.find(account, "us.amazon.nova-lite-v1:0", Wish(tier="flex"))
    route.served, route.clock, route.meter

Engines and quotas are made when first called for, one for each account, Region and thing that is called.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services import bedrock_deployments, bedrock_import, bedrock_profiles, bedrock_provisioned
from labs.cloud.services.bedrock_access import check_access
from labs.cloud.services.bedrock_account import Account
from labs.cloud.services.bedrock_cache import PromptCache
from labs.cloud.services.bedrock_copies import Copies
from labs.cloud.services.bedrock_errors import invalid, rejection
from labs.cloud.services.bedrock_models import Model, Served, models, reach, unknown
from labs.cloud.services.bedrock_quota import Meter, bedrock_quota
from labs.cloud.wallclock import WallClock
from labs.serving.engine import Engine, EngineConfig
from labs.serving.replica import Spec
from labs.serving.services import service

Made = TypeVar("Made")


@dataclass(frozen=True)
class Wish:
    """How a caller wants to be served."""

    tier: str | None = None
    latency: str | None = None


@dataclass(frozen=True)
class Route:
    """See the module's docstring."""

    served: Served
    called: str
    """the `modelId` of the call: the dimension of its metrics"""
    clock: WallClock
    meter: Meter | None = None
    cache: PromptCache | None = None
    copies: Copies | None = None
    converses: bool = True

    @property
    def imported(self) -> bool:
        """Is it an imported model?"""
        return self.copies is not None


class Routes:
    """All routes of one cloud."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.RLock()
        self._made: dict[tuple[Hashable, ...], Any] = {}

    def find(self, account: Account, identifier: str, wish: Wish) -> Route:
        """The route of a call. Raises what AWS answers when there is none, or not so."""
        parts = identifier.split(":", 5) if identifier.startswith("arn:") else []
        if parts and (len(parts) < 6 or parts[2] != "bedrock" or parts[3] not in ("", account.region)):
            raise unknown()
        kind = parts[5].partition("/")[0] if parts else ""
        if kind == bedrock_provisioned.KIND:
            return self._provisioned(account, identifier, wish)
        if kind == bedrock_import.KIND:
            return self._imported(account, identifier, wish)
        if kind == bedrock_deployments.KIND:
            return self._deployed(account, identifier, wish)
        if kind == bedrock_profiles.KIND:
            leads_to = bedrock_profiles.find(account, identifier).leads_to
            return replace(self._on_demand(account, leads_to, wish), called=identifier)
        if kind not in ("", "foundation-model", bedrock_profiles.SYSTEM):
            raise unknown()
        return replace(self._on_demand(account, identifier, wish), called=identifier)

    def _on_demand(self, account: Account, identifier: str, wish: Wish) -> Route:
        reached = reach(identifier, account.region)
        model = reached.model
        check_access(account, model)
        check_wish(model, account.region, wish)
        here = (account.id, account.region, model.id)
        quota_id = reached.profile or model.id
        return Route(
            model,
            identifier,
            self._once(("clock", *here, wish), lambda: _clock(speed(model, wish))),
            self._once(
                ("meter", *here, reached.profile),
                lambda: Meter(lambda: bedrock_quota(self._context, account.region, quota_id), model.burndown),
            ),
            self._cache(account, model),
        )

    def _provisioned(self, account: Account, arn: str, wish: Wish) -> Route:
        held = bedrock_provisioned.find(account, arn)
        if held.status == "Creating":
            raise rejection("not ready")
        model = models()[held.base]
        refuse_wish(model, wish)
        plan = service("bedrock-provisioned", model.key, units=held.units)
        assert plan.admission is not None
        quota = plan.admission.quota
        assert quota is not None
        return Route(
            model,
            arn,
            self._once(("clock", arn), lambda: _clock(plan.spec)),
            self._once(("meter", arn), lambda: Meter(lambda: quota.tokens_per_minute)),
            self._cache(account, model),
        )

    def _deployed(self, account: Account, arn: str, wish: Wish) -> Route:
        held = bedrock_deployments.find(account, arn)
        if held.status == "Creating":
            raise rejection("not ready")
        model = models()[held.base]
        refuse_wish(model, wish)
        plan = service("bedrock-custom-on-demand", model.key)
        quota = plan.admission.quota if plan.admission else None
        key = model.key.replace(".", "-")
        per_day = f"bedrock.tpd.custom-on-demand.{key}"
        return Route(
            model,
            arn,
            self._once(("clock", arn), lambda: _clock(plan.spec)),
            self._once(
                ("meter", "custom-on-demand", account.id, account.region, model.id),
                lambda: Meter(
                    lambda: quota.tokens_per_minute if quota else None,
                    model.burndown,
                    tokens_per_day=int(facts.number(per_day)) if facts.where(per_day) else None,
                ),
            ),
        )

    def _imported(self, account: Account, arn: str, wish: Wish) -> Route:
        model = bedrock_import.find(account, arn)
        refuse_wish(model.served, wish)
        copies = self._once(
            ("copies", arn), lambda: Copies(self._context, account.region, arn, model.like, model.units_per_copy)
        )
        return Route(model.served, arn, copies.clock, copies=copies, converses=model.converses)

    def copies(self) -> dict[str, Copies]:
        """The copies of every imported model that was called, by its ARN."""
        return {str(key[1]): made for key, made in list(self._made.items()) if key[0] == "copies"}

    def _cache(self, account: Account, model: Model) -> PromptCache | None:
        if model.cache_min_tokens is None:
            return None
        return self._once(("cache", account.id, account.region, model.id), PromptCache)

    def _once(self, key: tuple[Hashable, ...], make: Callable[[], Made]) -> Made:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            made: Made = self._made[key]
            return made


def _clock(spec: Spec) -> WallClock:
    return WallClock(Engine(EngineConfig(replica=spec, stream_tokens=True)))


def speed(model: Model, wish: Wish) -> Spec:
    """How fast a model answers on a tier.

    AWS gives a figure for Priority only (and calls it "up to"). The others are ends of the range that is assumed for the model:
    latency-optimised its fast end, Flex its slow one.
    """
    if wish.latency == "optimized":
        return model.speed("low")
    if wish.tier == "flex":
        return model.speed("high")
    central = model.speed("central")
    if wish.tier == "priority":
        faster = 1 - facts.number("bedrock.tier.priority.latency_percent") / 100
        return replace(central, tpot_s=central.tpot_s * faster)
    return central


def check_wish(model: Model, region: str, wish: Wish) -> None:
    """Raise ValidationException where a tier or latency setting is not offered."""
    if wish.tier == "reserved":
        raise invalid("Reservation not found.")
    if wish.tier not in (None, "default") and wish.tier not in model.offer.tiers:
        raise invalid(f"The service tier {wish.tier} is not supported for the model {model.id}.")
    if wish.latency == "optimized" and region not in model.offer.latency_optimised:
        raise invalid(f"Latency performance configuration is not supported for {model.id}.")


def refuse_wish(model: Served, wish: Wish) -> None:
    """Raise ValidationException for any tier or latency but the usual: models of one's own and units have no other."""
    if wish.tier not in (None, "default"):
        raise invalid(f"The service tier {wish.tier} is not supported for the model {model.id}.")
    if wish.latency == "optimized":
        raise invalid(f"Latency performance configuration is not supported for {model.id}.")
