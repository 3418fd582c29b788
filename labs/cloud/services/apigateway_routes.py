"""Which route of an HTTP API a request takes.

    find([Route.parse("GET /items/{id}"), Route.parse("$default")], "GET", "/items/7")   # (that route, {"id": "7"})

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html: the most specific one wins. A full match comes
before a greedy path variable, that before $default; a method comes before ANY.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
DEFAULT = "$default"


@dataclass(frozen=True)
class Route:
    """A route key, taken apart. `value` is whatever hangs on it."""

    key: str
    method: str
    segments: tuple[str, ...]
    value: Any = None

    @staticmethod
    def parse(key: str, value: Any = None) -> "Route":
        """Raises ValueError for a key that no HTTP API has."""
        if key == DEFAULT:
            return Route(key, "ANY", (), value)
        method, _, path = key.partition(" ")
        if method not in METHODS or not path.startswith("/"):
            raise ValueError(
                f'The provided route key is not formatted properly for HTTP protocol. Format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default": {key}'
            )
        segments = tuple(path.strip("/").split("/")) if path.strip("/") else ()
        for i, segment in enumerate(segments):
            braces = segment.startswith("{") or segment.endswith("}")
            if braces and not re.fullmatch(r"\{[A-Za-z0-9._\-:]+\+?\}", segment):
                raise ValueError(f"Invalid path variable {segment} in route key {key}")
            if segment.endswith("+}") and i < len(segments) - 1:
                raise ValueError(f"A greedy path variable must be the last part of a route key: {key}")
        return Route(key, method, segments, value)

    @property
    def is_greedy(self) -> bool:
        return bool(self.segments) and self.segments[-1].endswith("+}")

    def match(self, method: str, path: tuple[str, ...]) -> dict[str, str] | None:
        """The path parameters when it takes this request; None when it does not."""
        if self.key == DEFAULT:
            return {}
        if self.method not in ("ANY", method):
            return None
        if self.is_greedy:
            fixed = len(self.segments) - 1
            if len(path) <= fixed:
                return None
            pairs = [*zip(self.segments[:-1], path[:fixed], strict=True), (self.segments[-1], "/".join(path[fixed:]))]
        elif len(path) == len(self.segments):
            pairs = list(zip(self.segments, path, strict=True))
        else:
            return None
        parameters = {}
        for wanted, given in pairs:
            if wanted.startswith("{"):
                parameters[wanted.strip("{}+")] = unquote(given)
            elif wanted != unquote(given):
                return None
        return parameters

    def rank(self) -> tuple[Any, ...]:
        """Smaller comes first."""
        return (
            self.key == DEFAULT,
            self.is_greedy,
            tuple(segment.startswith("{") for segment in self.segments),
            -len(self.segments),
            self.method == "ANY",
        )


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route that takes the request, and its path parameters. `path` is as it was sent, still encoded."""
    parts = tuple(path.strip("/").split("/")) if path.strip("/") else ()
    matches = [(route, found) for route in routes if (found := route.match(method, parts)) is not None]
    return min(matches, key=lambda match: match[0].rank(), default=None)
