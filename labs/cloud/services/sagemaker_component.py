"""An inference component as it stands."""

from dataclasses import dataclass, field
from datetime import datetime

from labs.cloud.services.sagemaker_endpoint import Endpoint
from labs.cloud.services.sagemaker_fleet import Fleet
from labs.cloud.services.sagemaker_hosting import Told, now
from labs.cloud.services.sagemaker_placing import Placed
from labs.cloud.services.sagemaker_room import Needs
from labs.cloud.services.sagemaker_variants import Start, Variant


@dataclass
class Component:
    """Copies of a model on a variant's instances, or an adapter on such a component."""

    name: str
    arn: str
    endpoint: Endpoint
    variant: Variant
    specification: Told
    needs: Needs
    desired: int
    base: "Component | None" = None
    placed: Placed | None = None
    start: Start = field(default_factory=lambda: Start(0.0))
    fleet: Fleet | None = None
    status: str = "Creating"
    failure: str | None = None
    granted: int = 0
    """copies that have room"""
    deployment: Told | None = None
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)

    @property
    def owns_fleet(self) -> bool:
        """False for an adapter, which answers from its base's copies."""
        return self.base is None

    @property
    def copies(self) -> int:
        """Copies that answer now."""
        return self.fleet.ready if self.fleet is not None else 0

    def become(self, status: str, failure: str | None = None) -> None:
        """Change state."""
        self.status, self.failure, self.modified = status, failure, now()
