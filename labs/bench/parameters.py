"""What `lab bench` takes on its command line that click has no type for."""

import json
from collections.abc import Mapping
from typing import Any

import click

from labs.bench.lengths import Lengths


class LengthsType(click.ParamType[Lengths]):
    """`500`, `normal:500,100` ..."""

    name = "tokens"

    def convert(self, value: Any, param: Any, ctx: Any) -> Lengths:  # noqa: ARG002
        return value if isinstance(value, Lengths) else Lengths.parse(value)


class RatesType(click.ParamType[tuple[float, ...]]):
    """`5,10,20`"""

    name = "rates"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            rates = tuple(float(part) for part in value.split(","))
        except ValueError:
            rates = ()
        if not rates or min(rates) <= 0:
            self.fail(f"'{value}': write rates above 0 with commas, 5,10,20", param, ctx)
        return rates


class JsonType(click.ParamType[Mapping[str, Any]]):
    """A JSON object."""

    name = "json"

    def convert(self, value: Any, param: Any, ctx: Any) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        try:
            data = json.loads(value)
        except ValueError:
            data = None
        if not isinstance(data, dict):
            self.fail(f"'{value}': write a JSON object, '{{\"ignore_eos\": true}}'", param, ctx)
        return data
