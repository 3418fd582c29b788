"""Metric math: expressions over the series of other queries.

    evaluate("100 * errors / FILL(calls, 1)", {"errors": {0: 1.0}, "calls": {0: 50.0}}, period_s=60)     # {0: 2.0}

A series is {begin of a period in Unix seconds: value}. Arithmetic, comparisons, AND, OR, IF, FILL, RATE, DIFF, PERIOD, METRICS and the
functions below work as AWS documents them; every other function (SEARCH, ANOMALY_DETECTION_BAND...) is refused by name.
"""

import ast
import math
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import cast

from labs.cloud.services.cloudwatch_statistics import Unsupported

Series = dict[int, float]
Value = float | Series | list[Series]
"""a number, one series, or several (METRICS())"""

REDUCED: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "STDDEV": lambda values: math.sqrt(sum((v - sum(values) / len(values)) ** 2 for v in values) / len(values)),
}
"""of one series a number, of several a series"""
EACH: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor, "LOG10": math.log10}
OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
    ast.Gt: lambda a, b: float(a > b),
    ast.GtE: lambda a, b: float(a >= b),
    ast.Lt: lambda a, b: float(a < b),
    ast.LtE: lambda a, b: float(a <= b),
    ast.Eq: lambda a, b: float(a == b),
    ast.NotEq: lambda a, b: float(a != b),
    ast.And: lambda a, b: float(bool(a) and bool(b)),
    ast.Or: lambda a, b: float(bool(a) or bool(b)),
}
FUNCTIONS = frozenset((*REDUCED, *EACH, "PERIOD", "RATE", "DIFF"))
"""of one argument"""
WRITTEN = ((r"\^", "**"), (r"&&|\bAND\b", " and "), (r"\|\||\bOR\b", " or "))
MOST_CHARACTERS = 2048


def evaluate(
    expression: str, series: Mapping[str, Series], period_s: int, *, window: tuple[int, int] | None = None
) -> Series | list[Series]:
    """The series of an expression. Raises ValueError for what AWS refuses, Unsupported for what the local cloud does.

    `window` is the time that was asked for: FILL with a number fills all of it, and a number alone is a value for each period of it.
    """
    result = _Evaluation(series, period_s, window).value(parsed(expression))
    if isinstance(result, int | float):
        return dict.fromkeys(_grid(series, period_s, window), float(result))
    return result


def names(expression: str) -> set[str]:
    """The ids that an expression uses."""
    return {node.id for node in ast.walk(parsed(expression)) if isinstance(node, ast.Name) and node.id[0].islower()}


def parsed(expression: str) -> ast.expr:
    """An expression's tree. Raises ValueError."""
    text = expression.strip()
    if text.upper().startswith("SELECT"):
        raise Unsupported("The local cloud has no Metrics Insights: it does not answer SELECT queries, which AWS does.")
    for pattern, replacement in WRITTEN:
        text = re.sub(pattern, replacement, text)
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"Error in expression '{expression[:200]}': Invalid syntax") from None


def _grid(series: Mapping[str, Series], period_s: int, window: tuple[int, int] | None) -> list[int]:
    if window is not None:
        return list(range(window[0], window[1], period_s))
    return sorted({at for each in series.values() for at in each})


class _Evaluation:
    def __init__(self, series: Mapping[str, Series], period_s: int, window: tuple[int, int] | None) -> None:
        self.series = series
        self.period_s = period_s
        self.window = window

    def value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return float(cast(float, node.value))
        if isinstance(node, ast.Name):
            if node.id not in self.series:
                raise ValueError(f"Error in expression: there is no metric or expression '{node.id}'")
            return self.series[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return paired(OPERATORS[type(node.op)], self.value(node.left), self.value(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return paired(OPERATORS[ast.Sub], 0.0, self.value(node.operand))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in OPERATORS:
            return paired(OPERATORS[type(node.ops[0])], self.value(node.left), self.value(node.comparators[0]))
        if isinstance(node, ast.BoolOp):
            result = self.value(node.values[0])
            for each in node.values[1:]:
                result = paired(OPERATORS[type(node.op)], result, self.value(each))
            return result
        if isinstance(node, ast.List):
            return [self.one(each) for each in node.elts]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self.call(node.func.id.upper(), node.args)
        raise ValueError("Error in expression: Invalid syntax")

    def one(self, node: ast.expr) -> Series:
        value = self.value(node)
        if not isinstance(value, dict):
            raise ValueError("Error in expression: a single time series is needed here")
        return value

    def call(self, name: str, args: list[ast.expr]) -> Value:
        if name == "METRICS":
            part = args[0].value if args and isinstance(args[0], ast.Constant) else ""
            return [each for id, each in self.series.items() if str(part) in id]
        if name == "IF" and len(args) in (2, 3):
            return self.choose(args)
        if name == "FILL" and len(args) == 2:
            return self.fill(self.value(args[0]), args[1])
        if name not in FUNCTIONS:
            raise Unsupported(
                f"The local cloud's metric math has no function {name}; on AWS the expression may be right."
            )
        if len(args) != 1:
            raise ValueError(f"Error in expression: {name} does not take {len(args)} arguments")
        if name == "PERIOD":
            return float(self.period_s)
        value = self.value(args[0])
        if name in REDUCED:
            return reduced(REDUCED[name], value)
        if name in EACH:
            return applied(EACH[name], value)
        return each_series(lambda series: self.changes(series, per_second=name == "RATE"), value)

    def choose(self, args: list[ast.expr]) -> Value:
        """IF(condition, true, false); without the third a false condition gives no point."""
        condition, truth = self.value(args[0]), self.value(args[1])
        falsehood = self.value(args[2]) if len(args) == 3 else None
        if isinstance(condition, int | float):
            chosen = truth if condition else falsehood
            return {} if chosen is None else chosen
        if not isinstance(condition, dict):
            raise ValueError("Error in expression: IF needs a single time series as its condition")
        result = {}
        for at, holds in condition.items():
            branch = truth if holds else falsehood
            found = branch.get(at) if isinstance(branch, dict) else branch
            if isinstance(found, int | float):
                result[at] = float(found)
        return result

    def fill(self, value: Value, with_what: ast.expr) -> Value:
        if isinstance(with_what, ast.Name) and with_what.id.upper() in ("REPEAT", "LINEAR"):
            linear = with_what.id.upper() == "LINEAR"
            return each_series(lambda series: self.filled(series, linear=linear), value)
        filler = self.value(with_what)

        def fill_one(series: Series) -> Series:
            at_filler = filler if isinstance(filler, dict) else None
            number = filler if isinstance(filler, int | float) else 0.0
            grid = _grid(self.series, self.period_s, self.window)
            return {at: series.get(at, at_filler.get(at, 0.0) if at_filler else number) for at in grid}

        return each_series(fill_one, value)

    def filled(self, series: Series, *, linear: bool) -> Series:
        result: Series = {}
        known = sorted(series)
        for at in _grid(self.series, self.period_s, self.window):
            before = [each for each in known if each <= at]
            after = [each for each in known if each >= at]
            if at in series:
                result[at] = series[at]
            elif before and linear and after:
                low, high = before[-1], after[0]
                result[at] = series[low] + (series[high] - series[low]) * (at - low) / (high - low)
            elif before and not linear:
                result[at] = series[before[-1]]
        return result

    def changes(self, series: Series, *, per_second: bool) -> Series:
        ordered = sorted(series.items())
        return {
            at: (value - earlier) / ((at - begin) if per_second else 1)
            for (begin, earlier), (at, value) in pairwise(ordered)
        }


def paired(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """An operation between numbers and series; of two series, where both have a point. A division by zero gives no point."""
    if isinstance(left, list) and isinstance(right, list):
        raise ValueError("Error in expression: an operation between two lists of time series")
    if isinstance(left, list):
        return [cast(Series, paired(operation, each, right)) for each in left]
    if isinstance(right, list):
        return [cast(Series, paired(operation, left, each)) for each in right]
    if isinstance(left, dict):
        pairs = [
            (at, value, right[at] if isinstance(right, dict) else right)
            for at, value in left.items()
            if not isinstance(right, dict) or at in right
        ]
    elif isinstance(right, dict):
        pairs = [(at, left, value) for at, value in right.items()]
    else:
        found = number(operation, left, right)
        if found is None:
            raise ValueError("Error in expression: it has no value")
        return found
    results = {at: number(operation, a, b) for at, a, b in pairs}
    return {at: value for at, value in results.items() if value is not None}


def number(function: Callable[..., float], *values: float) -> float | None:
    """What a function gives; None where that is no real number, as of a division by zero."""
    try:
        found = function(*values)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else None


def reduced(function: Callable[[list[float]], float], value: Value) -> Value:
    """Of several series one, of one series the number, which stands for every period."""
    if isinstance(value, list):
        times = sorted({at for series in value for at in series})
        return {at: float(function([series[at] for series in value if at in series])) for at in times}
    if isinstance(value, dict):
        return float(function(list(value.values()))) if value else {}
    return value


def applied(function: Callable[[float], float], value: Value) -> Value:
    if isinstance(value, int | float):
        value = {0: float(value)}
        return next(iter(applied_to(function, value).values()), {})
    return each_series(lambda series: applied_to(function, series), value)


def applied_to(function: Callable[[float], float], series: Series) -> Series:
    found = {at: number(function, value) for at, value in series.items()}
    return {at: value for at, value in found.items() if value is not None}


def each_series(function: Callable[[Series], Series], value: Value) -> Value:
    if isinstance(value, list):
        return [function(series) for series in value]
    if isinstance(value, dict):
        return function(value)
    raise ValueError("Error in expression: a time series is needed here, not a number")
