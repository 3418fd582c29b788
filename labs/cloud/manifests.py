"""Kubernetes manifests, checked for their shape against Kubernetes' own schemas. Nothing is run, and the result says so.

    checked = check(Path("vllm.yaml").read_text(), version="1.35")
    checked.label       # "shape-checked, not run"
    checked.problems    # Problem("Deployment/vllm", "spec.replicas", "'two' is not of type 'integer', 'null'"), ...

The schemas in `schemas/` are Kubernetes' own, the strict ones: a field that Kubernetes does not know is a problem too. Beyond them three things are checked that the API server refuses and no schema says: a selector that does not select its own template, two things of one
name, a probe or a port by a name that the container has not.
Kinds of other people's (custom resources) have no schema here; they are listed as unchecked.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from labs.cloud.kubernetes_schemas import FOLDER, KINDS
from labs.errors import USAGE, Refusal

LABEL = "shape-checked, not run"


@dataclass(frozen=True)
class Problem:
    """Something that Kubernetes would refuse: in which resource, at which path, and why."""

    resource: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.path}: {self.message}" if self.path else f"{self.resource}: {self.message}"


@dataclass(frozen=True)
class Checked:
    """What came of a check."""

    version: str
    resources: tuple[str, ...]
    """"Kind/name" of everything that was checked"""
    problems: tuple[Problem, ...] = ()
    unchecked: tuple[str, ...] = ()
    """"Kind/name" of custom resources, for which there is no schema"""
    label: str = LABEL

    @property
    def passed(self) -> bool:
        return not self.problems


def check(text: str, version: str | None = None) -> Checked:
    """Check every document of `text` for a version of Kubernetes ("1.35"; None takes EKS's present one).

    Raises Refusal for text that is not YAML, or a version without schemas.
    """
    from labs import facts

    version = version or facts.text("eks.version.current")
    schemas = schemas_of(version)
    resources: list[str] = []
    unchecked: list[str] = []
    problems: list[Problem] = []
    for i, document in enumerate(documents(text)):
        if (
            not isinstance(document, dict)
            or not isinstance(document.get("kind"), str)
            or not isinstance(document.get("apiVersion"), str)
        ):
            problems.append(
                Problem(f"document {i + 1}", "", "is not a Kubernetes resource: it needs apiVersion and kind")
            )
            continue
        name = name_of(document)
        validator = schemas.validator(document["apiVersion"], document["kind"])
        if validator is None:
            group = document["apiVersion"].rpartition("/")[0]
            if "." in group and not group.endswith(".k8s.io"):
                unchecked.append(name)
            else:
                problems.append(
                    Problem(
                        name,
                        "apiVersion",
                        f"Kubernetes {version} has no {document['kind']} in {document['apiVersion']}",
                    )
                )
            continue
        if name in resources:
            problems.append(Problem(name, "metadata.name", "is there twice"))
        resources.append(name)
        found = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.absolute_path)))
        problems += [Problem(name, path_of(error.absolute_path), error.message[:300]) for error in found]
        if not found:
            problems += [Problem(name, path, message) for path, message in consistency(document)]
    if not resources and not unchecked and not problems:
        problems.append(Problem("the manifest", "", "holds no resource"))
    return Checked(version, tuple(resources), tuple(problems), tuple(unchecked))


def documents(text: str) -> Iterator[Any]:
    """Every resource in a YAML stream, those of lists included. Raises Refusal."""
    try:
        parsed = [document for document in yaml.safe_load_all(text) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise Refusal(f"The manifest is not YAML: {' '.join(str(wrong).split())[:300]}", USAGE) from None
    for document in parsed:
        # Kubernetes reads JSON; dates and the like that YAML makes of plain text are text there.
        plain = json.loads(json.dumps(document, default=str, skipkeys=True))
        if isinstance(plain, dict) and plain.get("kind") == "List" and isinstance(plain.get("items"), list):
            yield from plain["items"]
        else:
            yield plain


def name_of(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") or metadata.get("generateName") if isinstance(metadata, dict) else None
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return f"{document['kind']}/{f'{namespace}/' if namespace else ''}{name or '(no name)'}"


def path_of(parts: Any) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


# -- the schemas


class Schemas:
    """The strict schemas of one version of Kubernetes."""

    def __init__(self, version: str) -> None:
        # Cures: jsonschema compiles a grammar for international addresses on import, for seconds; it is optional.
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
        from referencing import Registry, Resource

        contents = json.loads(file_of(version).read_text(encoding="utf-8"))
        self._registry: Any = Registry().with_resource("definitions", Resource.from_contents(contents))
        self._names = dict(kinds_of(contents["$defs"]))
        self._validators: dict[tuple[str, str], Any] = {}

    def validator(self, api_version: str, kind: str) -> Any:
        """What validates resources of this kind; None when this version has none."""
        from jsonschema.validators import Draft202012Validator

        key = (api_version, kind)
        if key not in self._validators and key in self._names:
            schema = {"$ref": f"definitions#/$defs/{self._names[key]}"}
            self._validators[key] = Draft202012Validator(schema, registry=self._registry)
        return self._validators.get(key)


def kinds_of(definitions: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """((apiVersion, kind), name of the definition) of everything that can stand in a manifest."""
    for name, definition in definitions.items():
        for kind in definition.get(KINDS, ()):
            api_version = f"{kind['group']}/{kind['version']}".lstrip("/")
            # WatchEvent and the like belong to every group and are sent, never written.
            if api_version in definition["properties"].get("apiVersion", {}).get("enum", ()):
                yield (api_version, kind["kind"]), name


@cache
def schemas_of(version: str) -> Schemas:
    """Raises Refusal when there are none for it."""
    return Schemas(version)


def file_of(version: str) -> Path:
    """Raises Refusal when there is none."""
    known = {path.stem.removeprefix("kubernetes-"): path for path in FOLDER.glob("kubernetes-*.json")}
    if version not in known:
        raise Refusal(f"There are no schemas for Kubernetes {version}; there are {', '.join(sorted(known))}.", USAGE)
    return known[version]


# -- what no schema says


def consistency(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(path, problem) of what the API server, or every pod, would trip over."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return
    template = spec.get("template")
    if isinstance(template, dict) and document["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        wanted = (spec.get("selector") or {}).get("matchLabels") or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
        if any(labels.get(name) != value for name, value in wanted.items()):
            yield "spec.selector.matchLabels", f"does not select the template's labels {labels}"
    pod, at = (template.get("spec"), "spec.template.spec") if isinstance(template, dict) else (spec, "spec")
    if not isinstance(pod, dict):
        return
    for i, container in enumerate(pod.get("containers") or []):
        names = {port.get("name") for port in container.get("ports") or []}
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            for kind in ("httpGet", "tcpSocket"):
                port = ((container.get(probe) or {}).get(kind) or {}).get("port")
                if isinstance(port, str) and not port.isdigit() and port not in names:
                    yield f"{at}.containers[{i}].{probe}.{kind}.port", f"the container has no port named '{port}'"
