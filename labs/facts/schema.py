"""What a fact and a source are: the shapes that every entry of the register must have."""

import re
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlparse

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from labs.facts import units

Confidence = Literal["official", "aws-owned", "price-list", "third-party", "arithmetic", "unverified"]

CONFIDENCE = MappingProxyType(
    {
        "official": ("official documentation", "stated by AWS's own documentation or by the API model in its SDK"),
        "aws-owned": (
            "AWS-owned",
            "stated by an AWS blog, product page or repository, which is not the reference documentation",
        ),
        "price-list": (
            "price list, second hand",
            "a price that a third party says it read from the AWS Price List or pricing page",
        ),
        "third-party": (
            "third party",
            "stated by somebody outside AWS: a blog, study notes, a question-and-answer thread, a vendor",
        ),
        "arithmetic": ("our arithmetic", "inferred or calculated by us from figures that others state"),
        "unverified": ("unverified", "commonly said, and not found in a source that we could read"),
    }
)
"""confidence: (label, what it means), from the firmest to the weakest"""

REGION = re.compile(r"(any|global|[a-z]{2}(-gov)?-[a-z]+-\d)")


def _as_of(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _region(value: str) -> str:
    for part in value.split(", "):
        if not REGION.fullmatch(part):
            raise ValueError(
                f"'{part}' is not a Region; write a code such as us-east-1, several with ', ' between, or 'any'"
            )
    return value


def _https(value: str) -> str:
    parts = urlparse(value)
    if parts.scheme != "https" or "." not in parts.netloc or " " in value:
        raise ValueError(f"'{value}' is not an https address")
    return value


def _known_unit(value: str) -> str:
    if value not in units.UNITS:
        from difflib import get_close_matches

        near = get_close_matches(value, units.UNITS, 3, 0.3)
        raise ValueError(f"'{value}' is not a unit" + (f"; nearest: {', '.join(near)}" if near else ""))
    return value


def _day(value: str) -> str:
    try:
        first_day(value)
    except ValueError:
        raise ValueError(f"'{value}' is not a date; write 2026-10 or 2026-10-14") from None
    return value


def first_day(as_of: str) -> date:
    """The day, or the first day of the month, that an `as_of` names."""
    return date.fromisoformat(as_of if len(as_of) > 7 else f"{as_of}-01")


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


AsOf = Annotated[str, BeforeValidator(_as_of), Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$"), AfterValidator(_day)]
Region = Annotated[str, AfterValidator(_region)]
Url = Annotated[str, AfterValidator(_https)]
UnitName = Annotated[str, AfterValidator(_known_unit)]
Line = Annotated[str, Field(min_length=1, max_length=400, pattern=r"\S")]
FactId = Annotated[str, Field(pattern=r"^[a-z0-9]+(\.[a-z0-9_-]+)+$")]
FactValue = Annotated[int | float | date | str | tuple[str, ...], BeforeValidator(_tuple)]


class Record(BaseModel):
    """Base of everything in the register: frozen, strict, and nothing but what is declared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", str_strip_whitespace=True)


class Source(Record):
    """A page, package or model that states facts, and how we read it."""

    id: str
    title: Line
    url: Url
    as_of: AsOf
    """when what it says was true: the date of the page, or of the copy we read"""
    confidence: Confidence
    read: Line
    """how it was read, in words: 'read in a copy of the page dated 2026-10'"""


class Conflict(Record):
    """What another source says instead."""

    value: FactValue
    unit: UnitName
    source: Source
    says: Line


class Fact(Record):
    """One figure or statement that the course may repeat."""

    id: FactId
    value: FactValue
    unit: UnitName
    says: Line
    """what it means, in one line"""
    region: Region = "any"
    as_of: AsOf
    confidence: Confidence
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    conflict: Conflict | None = None
    note: Line | None = None
    ages: bool = True
    """False for what happened or was said once: a measurement, an announcement, a price of a retired model"""

    @model_validator(mode="after")
    def _value_fits_unit(self) -> Self:
        for value, unit in (
            (self.value, self.unit),
            *([(self.conflict.value, self.conflict.unit)] if self.conflict else []),
        ):
            if not units.fits(value, unit):
                raise ValueError(f"{value!r} cannot be in '{unit}', which takes {_an(units.UNITS[unit].kind)}")
        return self

    @property
    def source(self) -> str:
        """The address of the first source."""
        return self.sources[0].url

    @property
    def as_of_date(self) -> date:
        """`as_of` as a date; a month counts from its first day."""
        return first_day(self.as_of)

    @property
    def readable(self) -> str:
        """The value with its unit, as a reader should see it."""
        return units.write(self.value, self.unit)

    @property
    def standing(self) -> str:
        """Date, confidence, Region and conflict in one line: what a reader should know before trusting the value."""
        parts = [f"as of {self.as_of}", CONFIDENCE[self.confidence][0]]
        if self.region != "any":
            parts.append(self.region)
        if self.conflict:
            parts.append(f"another source says {units.write(self.conflict.value, self.conflict.unit)}")
        return " · ".join(parts)


def _an(kind: str) -> str:
    return {"number": "a number", "integer": "a whole number", "date": "a date", "list": "a list"}.get(kind, kind)
