"""Which replica a request goes to: the one with the fewest outstanding requests, one at random, or each in turn."""

from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import Literal

from labs.serving.replica import Replica

RouterName = Literal["least_outstanding", "random", "round_robin"]
ROUTERS: tuple[RouterName, ...] = ("least_outstanding", "random", "round_robin")

Router = Callable[[Sequence[Replica]], Replica]


def make_router(name: RouterName, seed: int = 0) -> Router:
    """A router with its own state. SageMaker AI endpoints route at random unless told LEAST_OUTSTANDING_REQUESTS."""
    if name == "least_outstanding":
        return least_outstanding
    if name == "random":
        random = Random(seed).random
        return lambda replicas: replicas[int(random() * len(replicas))]
    if name == "round_robin":
        turns = count()
        return lambda replicas: replicas[next(turns) % len(replicas)]
    raise ValueError(f"no router is called {name!r}; there are {', '.join(ROUTERS)}")


def least_outstanding(replicas: Sequence[Replica]) -> Replica:
    """The replica with the fewest requests in hand; the first of several."""
    best = replicas[0]
    fewest = best.outstanding
    for replica in replicas:
        if replica.outstanding < fewest:
            best, fewest = replica, replica.outstanding
    return best
