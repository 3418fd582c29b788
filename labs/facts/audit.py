"""Looks for what is wrong with the register: what will not load, what points nowhere, what nobody uses, what has grown old.

    for finding in audit(register.installed(), date.today(), max_age_days=180):
        print(finding)          # labs/facts/data/sqs.yaml:12: error: sqs.message.max_bytes: has no source

An error makes `lab facts check` fail; a warning does not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from labs.facts import catalogue, claims, prices
from labs.facts.documents import BadDocument, Document, read, shown
from labs.facts.register import Register, UnknownFact
from labs.facts.schema import Fact, first_day

MAX_AGE_DAYS = 400
"""Older than this, a fact should be looked up again. Prices and quotas move within a year."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks so."""

    level: str
    """'error' or 'warning'"""
    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{shown(self.path)}:{self.line}: {self.level}: {self.message}"


def audit(register: Register, today: date, max_age_days: int = MAX_AGE_DAYS) -> list[Finding]:
    """Everything that is wrong, errors first, each in the order of the files."""
    found = [*_sources(register, today)]
    if not found:
        facts, broken = _facts(register)
        found += broken
        found += _dates(facts, today, max_age_days)
        if not broken:
            found += _parts(register)
            found += _unused(register, facts)
    return sorted(found, key=lambda finding: finding.level)


def _sources(register: Register, today: date) -> Iterator[Finding]:
    try:
        sources = register.sources
    except BadDocument as bad:
        yield _error(bad)
        return
    path = register.folder / "sources.yaml"
    document = read(path)
    for name, source in sources.items():
        if first_day(source.as_of) > today:
            line = document.line(("sources", name, "as_of"))
            yield Finding("error", path, line, f"source {name}: is dated {source.as_of}, which has not come yet")


def _facts(register: Register) -> tuple[dict[str, tuple[Document, Fact]], list[Finding]]:
    facts: dict[str, tuple[Document, Fact]] = {}
    broken: list[Finding] = []
    for group in register.groups():
        for path in register.files(group):
            try:
                document = read(path)
                ids = register.entries(document, group)
            except BadDocument as bad:
                broken.append(_error(bad))
                continue
            for id in ids:
                try:
                    fact = register.fact(document, id)
                except BadDocument as bad:
                    broken.append(_error(bad))
                    continue
                if id in facts:
                    other = facts[id][0].path.name
                    broken.append(
                        Finding("error", path, document.line(("facts", id)), f"{id}: stands in {other} already")
                    )
                facts[id] = (document, fact)
    return facts, broken


def _dates(facts: dict[str, tuple[Document, Fact]], today: date, max_age_days: int) -> Iterator[Finding]:
    for id, (document, fact) in facts.items():
        age_days = (today - fact.as_of_date).days
        line = document.line(("facts", id))
        if age_days < 0:
            yield Finding("error", document.path, line, f"{id}: is dated {fact.as_of}, which has not come yet")
        elif fact.ages and age_days > max_age_days:
            yield Finding(
                "warning", document.path, line, f"{id}: is from {fact.as_of}, {age_days} days ago; look it up again"
            )


def _parts(register: Register) -> Iterator[Finding]:
    """The catalogue, the claims and the price mapping: each loads, and what it points to exists."""
    readers: list[Callable[[Register], Any]] = [claims.load, prices.load]
    for part in readers:
        try:
            part(register)
        except BadDocument as bad:
            yield _error(bad)
    try:
        entries = catalogue.load(register)
    except BadDocument as bad:
        yield _error(bad)
        return
    for name, id, kind, reference in catalogue.references(entries):
        path = register.folder / "catalogue" / f"{name}.yaml"
        try:
            if kind == "fact":
                register.get(reference)
            elif kind == "prices":
                if not any(
                    fact.id.startswith(f"{reference}.") for fact in register.group(reference.partition(".")[0]).values()
                ):
                    raise UnknownFact(reference, register.nearest(reference))
            elif reference not in entries.part(kind):
                raise catalogue.UnknownEntry(kind, reference, entries.part(kind))
        except (UnknownFact, catalogue.UnknownEntry) as unknown:
            line = read(path).line((name, id.removeprefix("ml.")))
            yield Finding("error", path, line, f"{id}: {unknown}")


def _unused(register: Register, facts: dict[str, tuple[Document, Fact]]) -> Iterator[Finding]:
    used: set[str] = {source.id for _, fact in facts.values() for source in fact.sources}
    used |= {fact.conflict.source.id for _, fact in facts.values() if fact.conflict}
    try:
        used |= {source.id for claim in claims.load(register).values() for source in claim.sources}
        used |= {source.id for source in catalogue.sources(catalogue.load(register))}
    except BadDocument:
        return
    path = register.folder / "sources.yaml"
    document = read(path)
    for name in register.sources:
        if name not in used and name != prices.SOURCE:
            yield Finding("warning", path, document.line(("sources", name)), f"source {name}: nothing refers to it")


def _error(bad: BadDocument) -> Finding:
    return Finding("error", bad.path, bad.line, bad.reason)
