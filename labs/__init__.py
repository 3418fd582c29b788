"""Where should this model run? The workbench behind the course: facts, serving, economics, decisions, a local cloud, targets, SQUID, bench, checks.

Rooms are floors: each imports only from those below it, in the order of `labs.FLOORS`. CONTRIBUTING.md draws the map.
"""

FLOORS = (
    "spread",
    "facts",
    "serving",
    "economics",
    "decide",
    "cloud",
    "targets",
    "squid",
    "bench",
    "check",
    "course",
    "workshop",
)
"""Rooms of the house, ground floor first. `tests/labs/test_floors.py` holds them to it."""
