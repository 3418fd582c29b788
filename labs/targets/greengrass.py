"""The recipe of an AWS IoT Greengrass V2 component: what a device downloads, what it runs, and whether the recipe has the shape that Greengrass takes.

document = greengrass.recipe("com.example.model", "1.0.0", "s3://bucket/out/model.tar.gz", architecture="aarch64")
greengrass.check(document)                    # raises ValueError with the first thing that is wrong
Path("recipe.yaml").write_text(greengrass.to_yaml(document))

The shape is that of https://docs.aws.amazon.com/greengrass/v2/developerguide/component-recipe-reference.html
"""

import re
from typing import Any

import yaml

FORMAT = "2020-01-25"
"""The one version of the recipe's format."""
ARCHITECTURES = ("amd64", "aarch64", "arm", "x86")
UNARCHIVE = ("NONE", "ZIP")
_NAME = re.compile(r"[a-zA-Z0-9-_.]{1,128}")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_ARTIFACT = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+")
_STEPS = frozenset({"install", "run", "startup", "shutdown", "recover", "bootstrap", "setenv"})


def recipe(name: str, version: str, artefact: str, *, architecture: str, says: str = "") -> dict[str, Any]:
    """The recipe of a component that unpacks a compiled model and keeps it there for the component that serves it."""
    file = artefact.rpartition("/")[2]
    # Greengrass unpacks zip files only, so the component unpacks its tar.gz itself.
    unpack = f'mkdir -p {{work:path}}/model && tar -xzf "{{artifacts:path}}/{file}" -C {{work:path}}/model'
    return {
        "RecipeFormatVersion": FORMAT,
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentType": "aws.greengrass.generic",
        "ComponentDescription": says or f"A compiled model: {file}",
        "ComponentPublisher": "the account's owner",
        "Manifests": [
            {
                "Platform": {"os": "linux", "architecture": architecture},
                "Lifecycle": {"install": {"script": unpack}},
                "Artifacts": [{"URI": artefact, "Unarchive": "NONE", "Permission": {"Read": "OWNER"}}],
            }
        ],
    }


def check(document: dict[str, Any]) -> None:
    """Raises ValueError with the first thing that Greengrass would refuse, of those that can be seen from here."""
    if document.get("RecipeFormatVersion") != FORMAT:
        raise ValueError(f"RecipeFormatVersion is '{FORMAT}'")
    if not _NAME.fullmatch(str(document.get("ComponentName", ""))):
        raise ValueError("ComponentName is up to 128 letters, digits, points, hyphens and underscores")
    if not _VERSION.fullmatch(str(document.get("ComponentVersion", ""))):
        raise ValueError("ComponentVersion is a semantic version, as 1.0.0")
    if not document.get("Manifests"):
        raise ValueError("Manifests has no entry")
    for manifest in document["Manifests"]:
        _check_manifest(manifest)


def to_yaml(document: dict[str, Any]) -> str:
    """The text of the file."""
    return str(yaml.safe_dump(document, sort_keys=False, width=150))


def _check_manifest(manifest: dict[str, Any]) -> None:
    architecture = manifest.get("Platform", {}).get("architecture", "*")
    if architecture not in (*ARCHITECTURES, "*"):
        raise ValueError(f"architecture is one of {', '.join(ARCHITECTURES)}, not '{architecture}'")
    if unknown := {step.lower() for step in manifest.get("Lifecycle", {})} - _STEPS:
        raise ValueError(f"Lifecycle has no step {', '.join(sorted(unknown))}")
    for artefact in manifest.get("Artifacts", ()):
        if not _ARTIFACT.fullmatch(str(artefact.get("URI", ""))):
            raise ValueError(f"an artefact's URI is s3://BUCKET/KEY, not '{artefact.get('URI', '')}'")
        if artefact.get("Unarchive", "NONE") not in UNARCHIVE:
            raise ValueError(f"Unarchive is {' or '.join(UNARCHIVE)}, not '{artefact['Unarchive']}'")
