"""The closed list of units a fact may have, and how each is written for a reader.

    units.write(1_048_576, "B")                # '1 MiB'
    units.write(0.72, "USD/1M tokens")         # '$0.72 per million tokens'

GB is not GiB: a unit is what the source counts in. Bytes are written in powers of two, because the limits that are known to
the byte are powers of two; where a source only says "25 MB", the unit is MB.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

Value = int | float | str | date | tuple[str, ...]


@dataclass(frozen=True)
class Unit:
    """One unit: what kind of value it takes, what it means, and how a value in it is written."""

    kind: str
    """'number', 'integer', 'text', 'date' or 'list'"""
    meaning: str
    write: Callable[[Value], str]


def plain(value: Value) -> str:
    """The value alone: thousands separated, no exponent, no trailing zeros; lists as 'a, b and c'."""
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else ", ".join(value[:-1]) + " and " + value[-1]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.12f}".rstrip("0")


def dollars(value: Value) -> str:
    """An amount of US dollars with at least two decimals: '$0.20', '$15.58', '$0.0000166667', '$300'."""
    if not isinstance(value, int | float):
        return plain(value)
    if isinstance(value, int):
        return f"${value:,}"
    digits = f"{value:,.12f}".rstrip("0")
    whole, _, decimals = digits.partition(".")
    return f"${whole}.{decimals:0<2}"


def _seconds(value: Value) -> str:
    if isinstance(value, int | float) and value >= 300:
        for size, name in ((86_400, "day"), (3_600, "h"), (60, "min")):
            if value % size == 0:
                count = int(value // size)
                return f"{count:,} {name}{'s' if name == 'day' and count != 1 else ''}"
    return f"{plain(value)} s"


def _bytes(value: Value) -> str:
    if isinstance(value, int | float):
        for size, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if value >= size and value % size == 0:
                return f"{int(value // size):,} {name}"
    return f"{plain(value)} bytes"


def _after(unit: str, singular: str | None = None) -> Callable[[Value], str]:
    return lambda value: f"{plain(value)} {singular if singular is not None and value == 1 else unit}"


def _number(meaning: str, after: str, singular: str | None = None) -> Unit:
    return Unit("number", meaning, _after(after, singular))


def _count(meaning: str, after: str, singular: str | None = None) -> Unit:
    return Unit("integer", meaning, _after(after, singular))


def _price(per: str) -> Unit:
    return Unit("number", f"US dollars per {per}", lambda value: f"{dollars(value)} per {per}")


UNITS = MappingProxyType(
    {
        # time
        "s": Unit("number", "seconds; whole minutes, hours and days from 300 s are written as such", _seconds),
        "ms": _number("milliseconds", "ms"),
        "min": _number("minutes, where the source counts in minutes", "min"),
        "months": _count("months of commitment", "months", "month"),
        "years": _count("years", "years", "year"),
        "date": Unit("date", "a calendar day", plain),
        # size and speed of memory; powers of ten and powers of two apart
        "B": Unit("integer", "bytes", _bytes),
        "KB": _number("kilobytes, as the source writes it", "KB"),
        "MB": _number("megabytes, as the source writes it", "MB"),
        "GB": _number("gigabytes, as the source writes it", "GB"),
        "GiB": _number("gibibytes", "GiB"),
        "GB/s": _number("gigabytes per second", "GB/s"),
        "GiB/s": _number("gibibytes per second", "GiB/s"),
        "MB/s": _number("megabytes per second", "MB/s"),
        # amounts
        "count": Unit("integer", "a number of things that the id names", plain),
        "items": _count("items in a list or batch", "items", "item"),
        "attempts": _count("sendings of one request, the first included", "attempts", "attempt"),
        "tokens": _count("tokens", "tokens", "token"),
        "tokens/min": _count("tokens per minute", "tokens per minute"),
        "tokens/day": _count("tokens per day", "tokens per day"),
        "tokens/s": _number("tokens per second", "tokens per second"),
        "requests/s": _number("requests per second", "requests per second"),
        "requests/min": _number("requests per minute", "requests per minute"),
        "executions": _count("concurrent executions", "concurrent executions"),
        "executions/min": _count("concurrent executions added per minute", "concurrent executions per minute"),
        "HTTP status": Unit("integer", "an HTTP status code", lambda value: str(value)),
        "skills": _count("skills of the exam guide", "skills", "skill"),
        "CMU": _count("custom model units", "CMU"),
        "points": _count("points of an exam's scale", "points"),
        "questions": _count("questions", "questions"),
        "x": Unit("number", "a factor", lambda value: f"{plain(value)}×"),
        "percent": Unit("number", "per cent", lambda value: f"{plain(value)} %"),
        # money
        "USD": Unit("number", "US dollars", dollars),
        "JPY": Unit("integer", "Japanese yen", lambda value: f"¥{plain(value)}"),
        "USD/month": _price("month"),
        "USD/hour": _price("hour"),
        "USD/instance-hour": _price("instance-hour"),
        "USD/model-unit-hour": _price("model unit and hour"),
        "USD/CMU-minute": _price("CMU-minute"),
        "USD/CMU-month": _price("CMU-month"),
        "USD/model-month": _price("model and month"),
        "USD/1M tokens": _price("million tokens"),
        "USD/1M requests": _price("million requests"),
        "USD/1M messages": _price("million messages"),
        "USD/1M connection-minutes": _price("million connection-minutes"),
        "USD/GB-second": _price("GB-second"),
        "USD/GB-month": _price("GB-month"),
        "USD/GB": _price("GB"),
        # words
        "text": Unit("text", "a word or short phrase", plain),
        "list": Unit("list", "several words, in the source's order", plain),
    }
)
"""unit: how it is written. A unit that is not here is not a unit."""


def write(value: Value, unit: str) -> str:
    """Write `value` for a reader in `unit`; KeyError if there is no such unit."""
    return UNITS[unit].write(value)


def fits(value: Value, unit: str) -> bool:
    """Whether `value` is of the kind that `unit` takes (a bool is never a number)."""
    kinds: dict[str, tuple[type, ...]] = {
        "number": (int, float),
        "integer": (int,),
        "text": (str,),
        "date": (date,),
        "list": (tuple,),
    }
    return isinstance(value, kinds[UNITS[unit].kind]) and not isinstance(value, bool)
