"""Reads the register, one service at a time and once: a fact whose id begins with `sqs.` stands in `data/sqs.yaml` or `data/sqs/`.

A data file is a mapping: `defaults` (values that its facts share) and `facts` (id: value, unit, says, source ...).
A source is named by its id in `data/sources.yaml`; its date and confidence hold for the fact unless the fact says otherwise.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from labs.errors import FALSE, Refusal
from labs.facts.documents import Document, read
from labs.facts.schema import Fact, Source

DATA = Path(__file__).parent / "data"
NOT_FACTS = frozenset({"sources", "claims", "catalogue", "prices"})
"""files and folders of `data` that hold something other than facts"""


class UnknownFact(Refusal, KeyError):  # noqa: N818 - like labs.errors.Refusal, it is said to a user
    """No fact has this id; the message offers the nearest ones."""

    def __init__(self, id: str, nearest: list[str]) -> None:
        offer = f"; nearest: {', '.join(nearest)}" if nearest else "; `lab facts list` shows them all"
        super().__init__(f"there is no fact '{id}'{offer}", FALSE)
        self.id, self.nearest = id, nearest

    def __str__(self) -> str:
        return str(self.args[0])


class Register:
    """The facts of one data folder. The module's functions speak for the one that is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sources: dict[str, Source] | None = None
        self._groups: dict[str, dict[str, Fact]] = {}
        self._lines: dict[str, tuple[Path, int]] = {}

    def files(self, group: str | None = None) -> list[Path]:
        """The data files with facts, of one group (the first part of an id) or of all."""
        if group is not None:
            return [
                *filter(Path.is_file, [self.folder / f"{group}.yaml"]),
                *sorted((self.folder / group).glob("*.yaml")),
            ]
        names = {path.stem for path in self.folder.iterdir() if path.suffix == ".yaml" or path.is_dir()} - NOT_FACTS
        return [path for name in sorted(names) for path in self.files(name)]

    def groups(self) -> list[str]:
        """The first parts of the ids, sorted: 'apigateway', 'bedrock', ..."""
        return sorted({path.relative_to(self.folder).parts[0].removesuffix(".yaml") for path in self.files()})

    @property
    def sources(self) -> Mapping[str, Source]:
        """Every source by its id."""
        if self._sources is None:
            document = read(self.folder / "sources.yaml")
            if set(document.data) != {"sources"} or not isinstance(document.data["sources"], dict):
                raise document.wrong((), "this file is one mapping 'sources:' of ids to sources")
            found = {}
            for name, entry in document.data["sources"].items():
                if not isinstance(entry, dict):
                    raise document.wrong(
                        ("sources", name), f"{name}: must be a mapping with title, url, as_of, confidence and read"
                    )
                found[name] = document.validate(Source, {"id": name, **entry}, ("sources", name))
            self._sources = found
        return self._sources

    def group(self, name: str) -> Mapping[str, Fact]:
        """The facts whose id begins with `name.`, in the order of the files."""
        if name not in self._groups:
            facts: dict[str, Fact] = {}
            for path in self.files(name) if name not in NOT_FACTS else ():
                document = read(path)
                for id in self.entries(document, name):
                    if id in facts:
                        other = self._lines[id][0].name
                        raise document.wrong(("facts", id), f"{id}: stands in {other} already")
                    facts[id] = self.fact(document, id)
                    self._lines[id] = (path, document.line(("facts", id)))
            self._groups[name] = facts
        return self._groups[name]

    def all(self) -> list[Fact]:
        """Every fact, by group and in the order of the files."""
        return [fact for name in self.groups() for fact in self.group(name).values()]

    def get(self, id: str) -> Fact:
        """The fact with this id; UnknownFact, with the nearest ids, if there is none."""
        fact = self.group(id.partition(".")[0]).get(id) if id else None
        if fact is None:
            raise UnknownFact(id, self.nearest(id))
        return fact

    def nearest(self, id: str, count: int = 3) -> list[str]:
        """Ids that somebody who wrote `id` may have meant."""
        ids = [fact.id for fact in self.all()]
        return get_close_matches(id, ids, count, 0.5) or [known for known in ids if id and known.startswith(id)][:count]

    def line(self, id: str) -> tuple[Path, int]:
        """File and line where a fact stands."""
        self.get(id)
        return self._lines[id]

    def entries(self, document: Document, group: str) -> list[str]:
        """The ids in one file, once its outer form is right."""
        unknown = set(document.data) - {"defaults", "facts"}
        if unknown:
            raise document.wrong((min(unknown),), f"'{min(unknown)}' is not a part of a facts file (defaults, facts)")
        for name in ("defaults", "facts"):
            if not isinstance(document.data.get(name) or {}, dict):
                raise document.wrong((name,), f"{name}: must be a mapping")
        for id in document.data.get("facts") or {}:
            if not str(id).startswith(f"{group}."):
                raise document.wrong(("facts", id), f"{id}: an id in this file begins with '{group}.'")
        return list(document.data.get("facts") or {})

    def fact(self, document: Document, id: str) -> Fact:
        """One fact of a file, with the file's defaults and its sources filled in."""
        place, entry = ("facts", id), document.data["facts"][id]
        if not isinstance(entry, dict):
            raise document.wrong(place, f"{id}: must be a mapping with value, unit, says and source")
        filled = {**(document.data.get("defaults") or {}), **entry, "id": id}
        filled["sources"] = self.named(document, place, filled.pop("source", ()))
        if not filled["sources"]:
            raise document.wrong(place, f"{id}: has no source")
        filled.setdefault("as_of", filled["sources"][0].as_of)
        filled.setdefault("confidence", filled["sources"][0].confidence)
        if isinstance(conflict := filled.get("conflict"), dict):
            [other] = self.named(document, (*place, "conflict"), conflict.get("source", ())) or [None]
            filled["conflict"] = {"unit": filled.get("unit"), **conflict, "source": other}
        return document.validate(Fact, filled, place)

    def named(self, document: Document, place: tuple[str | int, ...], names: Any) -> tuple[Source, ...]:
        """The sources that an entry of `document` names, one id or a list of them."""
        found = []
        for name in [names] if isinstance(names, str) else names:
            if name not in self.sources:
                near = get_close_matches(str(name), self.sources, 3, 0.4)
                offer = f"; nearest: {', '.join(near)}" if near else ""
                raise document.wrong(
                    (*place, "source"), f"{place[1]}: there is no source '{name}' in sources.yaml{offer}"
                )
            found.append(self.sources[name])
        return tuple(found)


@cache
def installed() -> Register:
    """The register that comes with the course."""
    return Register(DATA)


def get(id: str) -> Fact:
    """The fact with this id; UnknownFact (a KeyError), with the nearest ids, if there is none."""
    return installed().get(id)


def value(id: str) -> Any:
    """The bare value: int, float, str, date or tuple of str, as the fact's unit says. `number` and `text` are typed."""
    return installed().get(id).value


def number(id: str) -> float:
    """The value of a fact that is a number; TypeError if it is not."""
    found = installed().get(id).value
    if not isinstance(found, int | float):
        raise TypeError(f"{id} is not a number: {found!r}")
    return float(found)


def text(id: str) -> str:
    """The value of a fact that is a word or phrase; TypeError if it is not."""
    found = installed().get(id).value
    if not isinstance(found, str):
        raise TypeError(f"{id} is not text: {found!r}")
    return found


def format(id: str) -> str:
    """The value with its unit, as a reader should see it: '1 MiB', '29 s', '$0.72 per million tokens'."""
    return installed().get(id).readable


def all() -> list[Fact]:
    """Every fact, by service."""
    return installed().all()


def where(prefix: str) -> list[Fact]:
    """The facts whose id is `prefix` or begins with it, in the order of the files; [] if there is none."""
    group, dot, _ = prefix.partition(".")
    register = installed()
    names = [group] if dot else [name for name in register.groups() if name.startswith(group)]
    return [fact for name in names for fact in register.group(name).values() if fact.id.startswith(prefix)]
