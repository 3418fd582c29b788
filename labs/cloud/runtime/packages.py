"""The packages that Lambda's Python runtime brings along, in a folder of their own, so that a function finds these and no others."""

import importlib.util
from pathlib import Path

RUNTIME_PACKAGES = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot_restore_py",
    "urllib3",
)
"""Importable names in AWS's python3.x images, besides the standard library."""
DISTRIBUTIONS = ("awslambdaric", "boto3", "botocore", "urllib3")
"""Those whose version somebody asks `importlib.metadata` for."""


def gather(folder: Path, *, native: bool | None = None) -> Path:
    """Fill `folder` with links to the runtime's packages and return it.

    `native=False` takes the plain-Python runtime client even where the native one is installed; None takes the native one if it is there.
    """
    folder.mkdir(parents=True)
    for name in RUNTIME_PACKAGES:
        source = location(name)
        if source is not None:
            (folder / source.name).symlink_to(source)
    for name in DISTRIBUTIONS:
        for metadata in location("boto3").parent.glob(f"{name}-*.dist-info"):  # type: ignore[union-attr]  # boto3 is a dependency
            (folder / metadata.name).symlink_to(metadata)
    client = location("runtime_client") if native is not False else None
    if client is None:
        if native:
            raise FileNotFoundError("awslambdaric has no native runtime client on this machine")
        client = Path(__file__).parent / "client" / "runtime_client.py"
    (folder / client.name).symlink_to(client)
    return folder


def location(name: str) -> Path | None:
    """The folder of a package, or the file of a module; None when it is not installed. Imports nothing."""
    found = importlib.util.find_spec(name)
    if found is None:
        return None
    if found.submodule_search_locations:
        return Path(found.submodule_search_locations[0])
    return Path(found.origin) if found.origin else None
