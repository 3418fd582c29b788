"""The guard rails before whatever costs money: who we are, what it costs at the very most, the ceiling that it must fit, what its calls may spend.

    site = Site(cloud.connect(real=True), "mine", hours=2, tell=print)      # identity, account and Region come first
    target = targets.get("sagemaker-gpu")()
    guard.deploy(target, site, ceiling_usd=20, calls=Calls(requests=100, input_tokens=500, output_tokens=200))

On AWS nothing is deployed without a ceiling: a target's own `deploy` asks `guard.require_admitted`. On the local cloud a ceiling is a rehearsal.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from labs.errors import USAGE, Refusal
from labs.targets import ceiling, spend, token_price
from labs.targets.base import Site, Target
from labs.targets.ceiling import NO_CALLS, Calls, Plan


def admit(plan: Plan, ceiling_usd: float | None) -> None:
    """Return when all of it fits under the ceiling; what that leaves is from now on what its calls may spend.

    Raises Refusal when nobody named a ceiling on AWS, when it does not fit, or when a part of it has no price. Nothing is created.
    """
    site = plan.site
    if site.cloud.real:
        token_price.of(plan.target)  # there, a call without a price is no call for nothing
    if ceiling_usd is None:
        if not site.cloud.real:
            return
        raise Refusal(
            f"on AWS a ceiling comes first: {site.name} for {site.hours:g} hours can cost up to ${plan.usd:,.2f}, and calls beyond those that "
            f"are planned more; say --ceiling-usd {ceiling.up(max(plan.usd, 0.01))} or more; nothing was created",
            USAGE,
        )
    ceiling.require(plan, ceiling_usd)
    spend.open_for(site, plan.target, ceiling_usd - plan.standing_usd)


def require_admitted(site: Site) -> None:
    """Return unless this is AWS and nobody named a ceiling for this deployment; called before anything is created there."""
    if not site.cloud.real:
        return
    spent = spend.total(site.cloud).get(site.name)
    if spent is None or spent.limit_usd is None:
        raise Refusal(
            f"'{site.name}' would be deployed on AWS without a ceiling; say how much it may cost: --ceiling-usd, or guard.deploy(..., "
            "ceiling_usd=...); nothing was created",
            USAGE,
        )


def deploy(target: Target, site: Site, ceiling_usd: float | None = None, calls: Calls = NO_CALLS) -> None:
    """Admit it, see that the account has its reaper, deploy it. Raises Refusal as each of them does."""
    if site.cloud.real or ceiling_usd is not None:
        admit(ceiling.plan(target, site, calls), ceiling_usd)
    deploy_admitted(target, site)


def deploy_admitted(target: Target, site: Site) -> None:
    """What would be refused is refused before there is a reaper."""
    if site.cloud.real and not getattr(target, "creates_nothing", False):
        target.check(site)
        with reaped(site):
            target.deploy(site)
    else:
        target.deploy(site)


@contextmanager
def reaped(site: Site) -> Iterator[None]:
    """On AWS the reaper stands before anything that costs money there; when nothing comes of the block, it goes again."""
    if not site.cloud.real:
        yield
        return
    from labs.targets.reaper import deploying

    deploying.ensure(site.cloud, site.tell)
    try:
        yield
    except Refusal:
        deploying.remove_if_last(site.cloud, site.tell)
        raise
