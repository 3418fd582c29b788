"""Grading a lab by what it left in the cloud, never by what its notebook says of itself.

from labs.check import catch_up, check, hand_in
hand_in("06-squid", task=6, usd=41.2)    # a number that no resource shows, put where the checks look
check("06-squid", task=6)                # feedback at once, from a process of its own
catch_up("06-squid", task=6)             # the cloud, and this notebook's names, as the task starts
"""

from typing import Any


def check(slug: str, task: int | None = None) -> None:
    """Print what the checks of one task (None: of all) find in the cloud now."""
    from labs.check.feedback import show

    show(slug, task)


def hand_in(slug: str, task: int, **values: Any) -> None:
    """Put this task's numbers into the cloud, where the checks find them; None is not handed in."""
    from labs.check.handin import store

    store(slug, task, values)


def catch_up(slug: str, task: int) -> None:
    """Put the cloud, and this notebook's names, into the state that a task starts from: the cells before it are run with our solutions."""
    from labs.check import catchup

    cells = catchup.catch_up(slug, task)
    print(f"{cells} cells run, with our solutions: this is where task {task} starts.")


def withdraw(slug: str) -> None:
    """Remove everything handed in for this lab: part of its clean-up."""
    from labs.check.handin import remove

    remove(slug)
