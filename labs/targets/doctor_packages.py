"""Are the packages that are installed here the ones that constraints.txt names?"""

from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from labs.targets.doctor import Finding

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


def look(constraints: Path = CONSTRAINTS) -> Finding:
    """One finding; where there is no constraints.txt, as in an installation without a checkout, nothing can be said against it."""
    if not constraints.is_file():
        return Finding(
            "packages", True, "there is no constraints.txt here to compare the packages with", required=False
        )
    others = differing(constraints.read_text("utf-8"))
    if not others:
        return Finding("packages", True, "every package is the one that constraints.txt names", required=False)
    shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    return Finding(
        "packages",
        False,
        f"not as constraints.txt says: {shown}",
        "touch constraints.txt, then 'make setup'",
        required=False,
    )


def differing(constraints: str) -> list[str]:
    """Packages that are missing or have another version, as 'name 1.0 instead of 1.1'."""
    installed = {
        each.name.lower().replace("_", "-").replace(".", "-"): each.version for each in metadata.distributions()
    }
    found = []
    for line in constraints.splitlines():
        if not line[:1].isalnum():
            continue
        try:
            wanted = Requirement(line.rstrip(" \\"))
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        here = installed.get(wanted.name.lower().replace("_", "-").replace(".", "-"))
        if here is None:
            found.append(f"{wanted.name} is missing")
        elif not wanted.specifier.contains(here, prereleases=True):
            found.append(f"{wanted.name} {here} instead of {str(wanted.specifier).removeprefix('==')}")
    return found
