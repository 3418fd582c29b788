"""What Application Auto Scaling can scale in this cloud: services register theirs, the scaler finds them by AWS's names.

scalables.register(context, region, "sagemaker", "endpoint/mine/variant/all", "sagemaker:variant:DesiredInstanceCount", variant)
scalables.find(context, region, "sagemaker", "endpoint/mine/variant/all", "sagemaker:variant:DesiredInstanceCount").set_desired(3)
"""

from collections.abc import Callable
from typing import Protocol

from labs.cloud.context import Context

Key = tuple[str, str, str, str]


class Scalable(Protocol):
    """Something with a capacity that can be set."""

    def current(self) -> int:
        """The desired capacity now, which need not be up yet."""
        ...

    def set_desired(self, n: int) -> None:
        """Ask for `n`; must not block until they are up."""
        ...


Finder = Callable[[str, str, str], Scalable | None]
"""`finder(region, resource_id, dimension)`"""


def register(
    context: Context, region: str, namespace: str, resource_id: str, dimension: str, scalable: Scalable
) -> None:
    """Make a resource known; a second time replaces the first."""
    _all(context)[region, namespace, resource_id, dimension] = scalable


def unregister(context: Context, region: str, namespace: str, resource_id: str, dimension: str) -> None:
    """Forget a resource that is gone; nothing happens when it was not known."""
    _all(context).pop((region, namespace, resource_id, dimension), None)


def find(context: Context, region: str, namespace: str, resource_id: str, dimension: str) -> Scalable | None:
    """The resource of these names, or None when there is none."""
    found = _all(context).get((region, namespace, resource_id, dimension))
    finder = _finders(context).get(namespace)
    return finder(region, resource_id, dimension) if found is None and finder is not None else found


def register_finder(context: Context, namespace: str, finder: Finder) -> None:
    """Have a service's resources looked up when somebody asks, instead of registering each. `finder` gives None for what is not there."""
    _finders(context)[namespace] = finder


def _finders(context: Context) -> dict[str, Finder]:
    found: dict[str, Finder] = context.__dict__.setdefault("_scalable_finders", {})
    return found


def _all(context: Context) -> dict[Key, Scalable]:
    found: dict[Key, Scalable] = context.__dict__.setdefault("_scalables", {})
    return found
