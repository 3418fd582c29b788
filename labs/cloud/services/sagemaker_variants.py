"""Variants of an endpoint: what each one runs, how many instances it has, and how its containers come up or fail to.

A container that starts takes the engine's cold start; that is also what a new instance takes later. One that crashes, or loads for longer
than its health check allows, fails when that time is over, in AWS's words, with the container's last line behind them.
"""

from dataclasses import dataclass, field
from typing import Any

from labs import facts
from labs.cloud.services import sagemaker_models as models
from labs.cloud.services.sagemaker_configs import managed
from labs.cloud.services.sagemaker_containers import CannotStart, Container
from labs.cloud.services.sagemaker_fleet import ROUTERS, Fleet, at_scale
from labs.cloud.services.sagemaker_hosting import Hosting, Told, now
from labs.cloud.services.sagemaker_placing import Placed, place
from labs.cloud.services.sagemaker_serverless import Serverless, place_serverless
from labs.serving import profiles

LONGEST_REASON = 1024


@dataclass(frozen=True)
class Start:
    """How the start of a variant's containers will go: after `seconds` on AWS it is up, or has failed with `failure`."""

    seconds: float
    failure: str | None = None
    log: tuple[str, ...] = ()


@dataclass
class Variant:
    """A production or shadow variant at work."""

    spec: Told
    """as the endpoint configuration has it"""
    start: Start
    placed: Placed | None = None
    fleet: Fleet | None = None
    serverless: Serverless | None = None
    weight: float = 1.0
    desired_weight: float = 1.0
    desired: int = 0
    """instances asked for"""
    instances_up: int = 0
    """of a variant that hosts inference components: instances that are up"""
    status: str | None = None
    status_since: Any = field(default_factory=now)

    @property
    def name(self) -> str:
        """Its name."""
        found: str = self.spec["VariantName"]
        return found

    @property
    def instance_type(self) -> str | None:
        """Its type of instance; None when it is serverless."""
        found: str | None = self.spec.get("InstanceType")
        return found

    @property
    def hosts_components(self) -> bool:
        """Does it await inference components?"""
        return not self.spec.get("ModelName")

    @property
    def copies_per_instance(self) -> int:
        """Model copies that one instance runs."""
        return self.placed.copies if self.placed else 1

    @property
    def current(self) -> int:
        """Instances that serve now."""
        if self.fleet is None:
            return self.instances_up
        return self.fleet.ready // self.copies_per_instance

    def open(self, hosting: Hosting, instances: int) -> None:
        """Its containers have come up on so many instances."""
        self.desired = instances
        if self.serverless is not None:
            return
        if self.placed is None:
            self.instances_up = instances
            return
        strategy = (self.spec.get("RoutingConfig") or {}).get("RoutingStrategy", "RANDOM")
        spec = at_scale(self.placed.deployment.spec, hosting.context.wait_s(self.placed.load_s))
        self.fleet = Fleet(spec, instances * self.copies_per_instance, ROUTERS[strategy])

    def set_instances(self, instances: int) -> None:
        """Ask for so many; new ones come up after their cold start, surplus ones finish what they hold."""
        self.desired = instances
        if self.fleet is not None:
            self.fleet.set_replicas(instances * self.copies_per_instance)
        elif self.serverless is None:
            self.instances_up = instances

    @property
    def cold_start_s(self) -> float:
        """What another instance takes on AWS."""
        return self.placed.load_s if self.placed else profiles.cold_start(0)

    def summary(self, deployed_images: list[Told]) -> Told:
        """As DescribeEndpoint shows it."""
        said: Told = {
            "VariantName": self.name,
            "CurrentWeight": self.weight,
            "DesiredWeight": self.desired_weight,
            "CurrentInstanceCount": self.current,
            "DesiredInstanceCount": self.desired,
        }
        if deployed_images:
            said["DeployedImages"] = deployed_images
        if self.status:
            said["VariantStatus"] = [{"Status": self.status, "StartTime": self.status_since}]
        for name in ("ManagedInstanceScaling", "RoutingConfig", "CapacityReservationConfig"):
            if self.spec.get(name):
                said[name] = self.spec[name]
        if self.serverless is not None:
            for name in ("CurrentInstanceCount", "DesiredInstanceCount"):
                del said[name]
            said["CurrentServerlessConfig"] = said["DesiredServerlessConfig"] = self.serverless.config
        return said

    def mark(self, status: str | None) -> None:
        """What is happening to it, as VariantStatus has it."""
        self.status, self.status_since = status, now()


def build(hosting: Hosting, spec: Told, role: str) -> Variant:
    """A variant that is about to start. Its model must exist; whether its container comes up is in `start`."""
    weight = float(spec.get("InitialVariantWeight", 1.0))
    count = initial_instances(spec)
    if not spec.get("ModelName"):
        return Variant(spec, Start(profiles.cold_start(0)), weight=weight, desired_weight=weight, desired=count)
    model = hosting.model(spec["ModelName"])
    definition = models.container_of(model)
    if serverless := spec.get("ServerlessConfig"):
        timeout = facts.number("sagemaker.serverless.health_timeout_s")
        try:
            placed = place_serverless(models.container(hosting, definition), serverless)
        except CannotStart as failed:
            return Variant(spec, failed_start(spec, failed, timeout, role), weight=weight, desired_weight=weight)
        made = Variant(spec, outcome(spec, placed, timeout, None, role), placed, weight=weight, desired_weight=weight)
        made.serverless = Serverless(hosting.context, placed, dict(serverless))
        return made
    timeout = health_timeout_s(spec)
    try:
        container: Container = models.container(hosting, definition)
        placed = place(container, spec["InstanceType"])
    except CannotStart as failed:
        return Variant(
            spec, failed_start(spec, failed, timeout, role), weight=weight, desired_weight=weight, desired=count
        )
    start = outcome(spec, placed, timeout, spec.get("ModelDataDownloadTimeoutInSeconds"), role)
    return Variant(spec, start, placed, weight=weight, desired_weight=weight, desired=count)


def initial_instances(spec: Told) -> int:
    """Instances that a variant starts with."""
    if spec.get("ServerlessConfig"):
        return 0
    least = (spec.get("ManagedInstanceScaling") or {}).get("MinInstanceCount", 0) if managed(spec) else 0
    return max(int(spec.get("InitialInstanceCount") or 0), int(least))


def health_timeout_s(spec: Told) -> float:
    """How long a container may take to pass its first health check."""
    return float(
        spec.get("ContainerStartupHealthCheckTimeoutInSeconds")
        or facts.number("sagemaker.container.health_timeout_default_s")
    )


def outcome(spec: Told, placed: Placed, timeout_s: float, download_timeout_s: float | None, role: str) -> Start:
    """Does the container come up in time? The download counts where it happens: before the container, or within its start."""
    before_s = 0.0 if placed.container.downloads_itself else placed.download_s
    within_s = placed.load_s - before_s
    if download_timeout_s is not None and before_s > download_timeout_s:
        reason = (
            f"Failed to download model data for {role} variant {spec['VariantName']}: the download did not finish within "
            f"{download_timeout_s:g} seconds (ModelDataDownloadTimeoutInSeconds); at the rate assumed here it takes {before_s:.0f}."
        )
        return Start(download_timeout_s, reason)
    if within_s > timeout_s:
        last = (
            f"INFO  still loading {placed.container.model} ({placed.deployment.memory.weights_bytes / 1e9:.0f} GB of weights): "
            f"start-up takes {within_s:.0f} s, and the health check's timeout is {timeout_s:g} s"
        )
        return Start(before_s + timeout_s, ping_failed(spec, role, last), (last,))
    notes = tuple(f"INFO  {note}" for note in placed.deployment.notes)
    ready = (
        f"INFO  {placed.container.server.name} serves {placed.container.served_name} on {placed.deployment.hardware}"
    )
    return Start(placed.load_s, None, (*notes, ready))


def failed_start(spec: Told, failed: CannotStart, timeout_s: float, role: str) -> Start:
    """A container that crashes is started again until the time is over."""
    return Start(timeout_s, ping_failed(spec, role, failed.log[-1]), tuple(f"ERROR {line}" for line in failed.log))


def ping_failed(spec: Told, role: str, last: str) -> str:
    """AWS's sentence for a container that does not come up, and the reason that AWS leaves to the log."""
    reason = (
        f"The primary container for {role} variant {spec['VariantName']} did not pass the ping health check. "
        f"Please check CloudWatch logs for this endpoint. The last line there: {last}"
    )
    return reason[:LONGEST_REASON]
