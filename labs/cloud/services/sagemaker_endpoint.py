"""An endpoint as it stands: its variants, its state, and which of them a request goes to."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from labs.cloud.services.sagemaker_hosting import Told, now
from labs.cloud.services.sagemaker_variants import Variant

IN_PROGRESS = ("Creating", "Updating", "RollingBack", "Deleting", "SystemUpdating")
SERVING = ("InService", "Updating", "RollingBack", "SystemUpdating")
"""States in which requests are answered."""


@dataclass
class Pending:
    """An update under way: the new variants, and what share of the traffic they have."""

    config_name: str
    config: Told
    variants: list[Variant]
    shadows: list[Variant]
    deployment: Told | None
    share: float = 0.0
    started: datetime = field(default_factory=now)


@dataclass
class Endpoint:
    """See the module's docstring."""

    name: str
    arn: str
    config_name: str
    config: Told
    """as the configuration was when it was deployed"""
    variants: list[Variant]
    shadows: list[Variant]
    status: str = "Creating"
    failure: str | None = None
    deployment: Told | None = None
    """the last DeploymentConfig"""
    pending: Pending | None = None
    queue: Any = None
    """of requests, when the endpoint is asynchronous (`sagemaker_async.Queue`)"""
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)
    chance: random.Random = field(default_factory=lambda: random.Random(0), repr=False)

    @property
    def in_progress(self) -> bool:
        """Is something being done to it that must end first?"""
        return self.status in IN_PROGRESS

    @property
    def serves(self) -> bool:
        """Does it answer requests?"""
        return self.status in SERVING

    @property
    def is_async(self) -> bool:
        """Does it take its requests from S3?"""
        return bool(self.config.get("AsyncInferenceConfig"))

    @property
    def configs_in_use(self) -> set[str]:
        """Names of its configuration and of the one it is being changed to."""
        return {self.config_name} | ({self.pending.config_name} if self.pending else set())

    @property
    def hosts_components(self) -> bool:
        """Is it one for inference components?"""
        return any(variant.hosts_components for variant in self.variants)

    def become(self, status: str, failure: str | None = None) -> None:
        """Change state."""
        self.status, self.failure, self.modified = status, failure, now()

    def variant(self, name: str) -> Variant | None:
        """The production variant of this name."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def choose(self, target: str | None = None) -> Variant | None:
        """The variant for the next request: the one named, else by weight; during an update the new ones have their share. None if there is none."""
        pool = self.variants
        if self.pending is not None and self.pending.share > 0 and self.chance.random() < self.pending.share:
            pool = self.pending.variants
        if target is not None:
            return next((variant for variant in pool if variant.name == target), None)
        total = sum(variant.weight for variant in pool)
        if total <= 0:
            return None
        at = self.chance.random() * total
        for variant in pool:
            at -= variant.weight
            if at < 0:
                return variant
        return pool[-1]
