"""When a scheduled action is due: `at(2026-12-01T08:00:00)`, `rate(5 minutes)` and `cron(0 8 ? * MON-FRI *)`, in a time zone.

schedule = parse("cron(0/15 8-17 ? * MON-FRI *)", "Europe/Berlin")
schedule.due(after, until)          # did it fall in that time?
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UNITS_S = {"minute": 60, "hour": 3600, "day": 86_400}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS = (
    ("minutes", 0, 59),
    ("hours", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 1, 7),
    ("year", 1970, 2199),
)


@dataclass(frozen=True)
class Schedule:
    """One of the three kinds: a moment, an interval, or six sets of numbers that a local time must be in."""

    at: float | None = None
    every_s: float | None = None
    fields: tuple[frozenset[int], ...] = ()
    zone: tzinfo = UTC

    def due(self, after: float, until: float, begun: float) -> bool:
        """Does it fall into after < t <= until? `begun` is when an interval started."""
        if self.at is not None:
            return after < self.at <= until
        if self.every_s is not None:
            passed = (until - begun) // self.every_s
            return passed >= 1 and begun + passed * self.every_s > after
        minute = datetime.fromtimestamp(max(after, until - 3600) // 60 * 60 + 60, UTC)
        while minute.timestamp() <= until:
            if self._matches(minute.astimezone(self.zone)):
                return True
            minute += timedelta(minutes=1)
        return False

    def _matches(self, local: datetime) -> bool:
        minutes, hours, days, months, weekdays, years = self.fields
        return (
            local.minute in minutes
            and local.hour in hours
            and local.month in months
            and local.year in years
            and local.day in days
            and local.isoweekday() % 7 + 1 in weekdays
        )


def parse(expression: str, zone: str | None = None) -> Schedule:
    """Raises ValueError, with the words for the caller."""
    try:
        where: tzinfo = UTC if zone in (None, "UTC", "Etc/UTC") else ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"Invalid timezone: {zone}") from None
    if match := re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", expression):
        return Schedule(at=datetime.fromisoformat(match[1]).replace(tzinfo=where).timestamp())
    if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        if int(match[1]) < 1:
            raise ValueError(f"Invalid rate expression: {expression}")
        return Schedule(every_s=int(match[1]) * UNITS_S[match[2]])
    if match := re.fullmatch(r"cron\((.+)\)", expression):
        parts = match[1].split()
        if len(parts) != 6:
            raise ValueError(f"Invalid cron expression: {expression} has {len(parts)} fields instead of 6")
        if (parts[2] == "?") == (parts[4] == "?"):
            raise ValueError(
                f"Invalid cron expression: {expression} needs '?' as day of the month or as day of the week"
            )
        fields = tuple(numbers(part, name, low, high) for part, (name, low, high) in zip(parts, FIELDS, strict=True))
        return Schedule(fields=fields, zone=where)
    raise ValueError(f"Invalid schedule expression: {expression}")


def numbers(part: str, name: str, low: int, high: int) -> frozenset[int]:
    """The values of one field."""
    words = {"month": MONTHS, "day of the week": DAYS}.get(name, ())
    found: set[int] = set()
    for piece in part.upper().split(","):
        for number, word in enumerate(words, 1):
            piece = piece.replace(word, str(number))
        match = re.fullmatch(r"(\*|\?|\d+)(?:-(\d+))?(?:/(\d+))?", piece)
        if match is None:
            raise ValueError(f"Invalid cron expression: the local cloud does not read '{part}' as {name}")
        first, last, step = match[1], match[2], int(match[3] or 1)
        begin = low if first in "*?" else int(first)
        end = high if first in "*?" or (match[3] and not last) else int(last or first)
        if not low <= begin <= end <= high or step < 1:
            raise ValueError(f"Invalid cron expression: '{part}' is not a {name}")
        found.update(range(begin, end + 1, step))
    return frozenset(found)
