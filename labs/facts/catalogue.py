"""What can be deployed, on what, and where: models, accelerators, instance types, container images and targets, by id.

    from labs.facts import catalogue
    catalogue.model("llama-3.3-70b").shape.kv_bytes_per_token()     # 327680 at two bytes per element
    catalogue.accelerator("h100").bandwidth.base                    # 3.35e12 bytes per second
    catalogue.instance("ml.inf2.48xlarge").price                    # 'sagemaker.price.inf2-48xlarge'
    catalogue.target("sagemaker-async").kinds                       # ('online',)

Shapes and raw hardware figures live here; how fast that makes an answer is for `labs.serving`, what it costs for
`labs.economics`. A figure that we could not find is None, never a guess; a figure that is doubtful says so.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

from labs.errors import FALSE, Refusal
from labs.facts import register
from labs.facts.catalogue_schema import (
    SCALE,
    Accelerator,
    Image,
    InstanceType,
    Measure,
    Model,
    OnBedrock,
    Shape,
    Target,
)
from labs.facts.documents import Document, read
from labs.facts.schema import Record, Source


class UnknownEntry(Refusal, KeyError):  # noqa: N818 - like labs.errors.Refusal, it is said to a user
    """The catalogue has no entry with this id; the message offers the nearest ones."""

    def __init__(self, kind: str, id: str, known: Iterable[str]) -> None:
        near = get_close_matches(id, list(known), 3, 0.4)
        offer = "nearest: " + ", ".join(near) if near else "there are " + ", ".join(known)
        super().__init__(f"there is no {kind} '{id}'; {offer}", FALSE)

    def __str__(self) -> str:
        return str(self.args[0])


Entry = TypeVar("Entry", bound=Record)


def models() -> Mapping[str, Model]:
    """Every model by id."""
    return _all().models


def accelerators() -> Mapping[str, Accelerator]:
    """Every accelerator by id."""
    return _all().accelerators


def instances() -> Mapping[str, InstanceType]:
    """Every instance type by id; SageMaker's begin with 'ml.'."""
    return _all().instances


def images() -> Mapping[str, Image]:
    """Every family of container images by id."""
    return _all().images


def targets() -> Mapping[str, Target]:
    """Every target by id, in the order in which the course meets them."""
    return _all().targets


def model(id: str) -> Model:
    """The model with this id; UnknownEntry (a KeyError) with the nearest ids if there is none."""
    return _get("model", models(), id)


def accelerator(id: str) -> Accelerator:
    """The accelerator with this id."""
    return _get("accelerator", accelerators(), id)


def instance(id: str) -> InstanceType:
    """The instance type with this id, 'g5.xlarge' or 'ml.g5.xlarge'."""
    return _get("instance type", instances(), id)


def image(id: str) -> Image:
    """The family of container images with this id."""
    return _get("image", images(), id)


def target(id: str) -> Target:
    """The target with this id."""
    return _get("target", targets(), id)


def served(id: str, route: str = "regions") -> tuple[str, ...]:
    """Regions that offer a model on Bedrock by `route` (a field of OnBedrock: 'in_region', 'provisioned' ...), () if none."""
    on = model(id).bedrock
    found: tuple[str, ...] = getattr(on, route) if on else ()
    return found


def _get(kind: str, entries: Mapping[str, Entry], id: str) -> Entry:
    if id not in entries:
        raise UnknownEntry(kind, id, entries)
    return entries[id]


@dataclass(frozen=True)
class Catalogue:
    """The whole catalogue; the module's functions speak for the one that is installed."""

    models: Mapping[str, Model]
    accelerators: Mapping[str, Accelerator]
    instances: Mapping[str, InstanceType]
    images: Mapping[str, Image]
    targets: Mapping[str, Target]

    def part(self, name: str) -> Mapping[str, Record]:
        """One of its five parts by name."""
        found: Mapping[str, Record] = getattr(self, name)
        return found


@cache
def _all() -> Catalogue:
    return load(register.installed())


def forget() -> None:
    """Read the files anew at the next question."""
    _all.cache_clear()


def load(facts: register.Register) -> Catalogue:
    """Read the catalogue that stands beside these facts."""
    folder = facts.folder / "catalogue"
    return Catalogue(
        models=MappingProxyType(_models(read(folder / "models.yaml"), facts)),
        accelerators=MappingProxyType(_accelerators(read(folder / "accelerators.yaml"), facts)),
        instances=MappingProxyType(_instances(read(folder / "instances.yaml"), facts)),
        images=MappingProxyType(_images(read(folder / "images.yaml"), facts)),
        targets=MappingProxyType(_targets(read(folder / "targets.yaml"), facts)),
    )


def _models(document: Document, facts: register.Register) -> dict[str, Model]:
    found = {}
    for id, entry, place in _entries(document, "models"):
        filled = _sourced(document, facts, entry, place)
        if isinstance(filled.get("bedrock"), dict):
            filled["bedrock"] = _dated(_sourced(document, facts, filled["bedrock"], (*place, "bedrock")))
        if isinstance(filled.get("shape"), dict):
            shape = filled["shape"]
            filled["shape"] = {"active_parameters": shape.get("parameters"), **shape}
        found[id] = document.validate(Model, {"id": id, **filled}, place)
    return found


def _accelerators(document: Document, facts: register.Register) -> dict[str, Accelerator]:
    found = {}
    for id, entry, place in _entries(document, "accelerators"):
        filled = dict(entry)
        for name in ("memory", "usable_memory", "bandwidth", "dense_bf16", "dense_fp8"):
            if isinstance(filled.get(name), dict):
                figure = _dated(_sourced(document, facts, filled[name], (*place, name)))
                filled[name] = {**figure, **_quantity(document, figure.pop("is", None), (*place, name))}
                filled[name].pop("is", None)
        found[id] = document.validate(Accelerator, {"id": id, **filled}, place)
    return found


def _instances(document: Document, facts: register.Register) -> dict[str, InstanceType]:
    """One entry of the file is a machine; EC2 and SageMaker AI each offer it, or not, with a known price, or not."""
    found = {}
    for id, entry, place in _entries(document, "instances"):
        filled = _sourced(document, facts, entry, place)
        offers = {service: filled.pop(service, "absent") for service in ("ec2", "sagemaker")}
        quota = {"quota": filled.pop("quota", None), "quota_code": filled.pop("quota_code", None)}
        for service, offer in offers.items():
            if offer == "absent":
                continue
            if offer not in ("priced", "unpriced"):
                raise document.wrong((*place, service), f"{id}: {service}: must be priced, unpriced or absent")
            name = f"ml.{id}" if service == "sagemaker" else str(id)
            price = f"{service}.price.{str(id).replace('.', '-')}" if offer == "priced" else None
            more = quota if service == "sagemaker" else {}
            offered = {
                "id": name,
                "service": service,
                "price": price,
                "priced_in": ["us-east-1"] if price else [],
                **filled,
                **more,
            }
            found[name] = document.validate(InstanceType, offered, place)
    return found


def _images(document: Document, facts: register.Register) -> dict[str, Image]:
    entries = _entries(document, "images")
    return {id: document.validate(Image, {"id": id, **_sourced(document, facts, e, p)}, p) for id, e, p in entries}


def _targets(document: Document, facts: register.Register) -> dict[str, Target]:
    entries = _entries(document, "targets")
    return {id: document.validate(Target, {"id": id, **_sourced(document, facts, e, p)}, p) for id, e, p in entries}


def _entries(document: Document, name: str) -> list[tuple[str, dict[str, Any], tuple[str, str]]]:
    if set(document.data) != {name} or not isinstance(document.data[name], dict):
        raise document.wrong((), f"this file is one mapping '{name}:' of ids to entries")
    for id, entry in document.data[name].items():
        if not isinstance(entry, dict):
            raise document.wrong((name, id), f"{id}: must be a mapping")
    return [(str(id), entry, (name, id)) for id, entry in document.data[name].items()]


def _sourced(
    document: Document, facts: register.Register, entry: dict[str, Any], place: tuple[str, ...]
) -> dict[str, Any]:
    filled = dict(entry)
    filled["sources"] = facts.named(document, place, filled.pop("source", ()))
    return filled


def _dated(filled: dict[str, Any]) -> dict[str, Any]:
    if filled["sources"]:
        filled.setdefault("as_of", filled["sources"][0].as_of)
        filled.setdefault("confidence", filled["sources"][0].confidence)
    return filled


def _quantity(document: Document, text: Any, place: tuple[str, ...]) -> dict[str, Any]:
    parts = re.fullmatch(r"([\d.]+) (\S+)", str(text))
    if not parts or parts[2] not in SCALE:
        raise document.wrong(place, f"{place[1]}: '{text}' is not a number and one of {', '.join(SCALE)}")
    return {"value": float(parts[1]), "unit": parts[2]}


def references(entries: Catalogue) -> Iterator[tuple[str, str, str, str]]:
    """What the catalogue points to: (its file, the entry, 'fact', 'prices' or a part, the id pointed to)."""
    for model in entries.models.values():
        if model.price:
            yield "models", model.id, "prices", model.price
        if model.bedrock and model.bedrock.end_of_life:
            yield "models", model.id, "fact", model.bedrock.end_of_life
    for machine in entries.instances.values():
        yield "instances", machine.id, "accelerators", machine.accelerator
        for fact in (machine.price, machine.quota):
            if fact:
                yield "instances", machine.id, "fact", fact
    for target in entries.targets.values():
        yield "targets", target.id, "models", target.default_model
        if target.default_instance:
            yield "targets", target.id, "instances", target.default_instance
        if target.image:
            yield "targets", target.id, "images", target.image


def sources(entries: Catalogue) -> Iterator[Source]:
    """Every source that the catalogue names."""
    for part in ("models", "accelerators", "instances", "images", "targets"):
        for entry in entries.part(part).values():
            yield from getattr(entry, "sources", ())
            for name in ("bedrock", "memory", "usable_memory", "bandwidth", "dense_bf16", "dense_fp8"):
                inner = getattr(entry, name, None)
                if inner is not None:
                    yield from inner.sources


__all__ = [
    "Accelerator",
    "Catalogue",
    "Image",
    "InstanceType",
    "Measure",
    "Model",
    "OnBedrock",
    "Shape",
    "Target",
    "UnknownEntry",
    "accelerator",
    "accelerators",
    "forget",
    "image",
    "images",
    "instance",
    "instances",
    "load",
    "model",
    "models",
    "references",
    "served",
    "sources",
    "target",
    "targets",
]
