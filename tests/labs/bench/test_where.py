"""What a run's header says of a target's hardware is what the deployment says, and so is its price."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from labs import facts, targets
from labs.bench import where
from labs.cloud import Cloud
from labs.targets import Address, Kind, Site


@dataclass(frozen=True)
class TwoLarge:
    """A deployment with other instances than the course's own choice."""

    name = "sagemaker-gpu"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})
    model: str = ""

    def address(self, site: Site) -> Address:
        return Address("sagemaker", site.name)

    def describe(self, site: Site) -> dict[str, Any]:  # noqa: ARG002
        return {"instance_type": "ml.g5.12xlarge", "replicas": 2}


def test_a_deployment_is_priced_as_what_it_stands_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(targets.TARGETS, "sagemaker-gpu", TwoLarge)
    clouds: Any = SimpleNamespace(main=lambda: Cloud("http://127.0.0.1:1", "us-east-1", "123456789012"))
    place = where.target("sagemaker-gpu", where.Options(), clouds)
    assert (place.describe()["instance_type"], place.describe()["replicas"]) == ("ml.g5.12xlarge", 2)
    price = place.price()
    assert price is not None
    [hours] = [line for line in price.dimensions if line.basis == "hour"]
    assert hours.usd == pytest.approx(2 * facts.number("sagemaker.price.g5-12xlarge"))
