"""Puts figures into an item: facts of the register, and numbers computed from them.

    item = figures.fill(item)          # {sqs.message.max_bytes} → 1 MiB, {timeout} → 560
    figures.calculate("{sqs.visibility.lambda_multiple} * 90 + 20")    # 560.0

So no text holds a figure of its own, and a changed price or limit changes keys and reasons with it.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from labs import facts as register
from quizzes.model import PLACEHOLDER, BaseItem, CaseSet, Part, Quiz

Filled = TypeVar("Filled", bound=Part)
_OPERATIONS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {"min": min, "max": max, "round": round}
_TEXTS = frozenset({"stem", "criterion", "text", "why", "scenario"})


class Figures(Protocol):
    """Where figures come from; `labs.facts` in earnest, something smaller in tests."""

    def number(self, id: str, /) -> float:
        """The bare number."""
        ...

    def format(self, id: str, /) -> str:
        """The figure as a reader sees it."""
        ...


class BadExpression(ValueError):  # noqa: N818 - said of the text, not of the program
    """Not arithmetic over numbers and facts."""


def calculate(expression: str | int | float, figures: Figures = register) -> float:
    """The value of arithmetic over numbers and `{fact.id}`: + - * / // %, parentheses, min, max, round."""
    if isinstance(expression, int | float):
        return float(expression)
    values: dict[str, float] = {}

    def name(match: Any) -> str:
        values[f"_{len(values)}"] = figures.number(match.group(1))
        return f"_{len(values) - 1}"

    try:
        tree = ast.parse(PLACEHOLDER.sub(name, expression), mode="eval")
        return float(_value(tree.body, values))
    except (SyntaxError, BadExpression, ZeroDivisionError, TypeError, OverflowError) as wrong:
        raise BadExpression(f"'{expression}' is not arithmetic over numbers and {{facts}}: {wrong}") from None


def _value(node: ast.expr, values: Mapping[str, float]) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.Name) and node.id in values:
        return values[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_value(node.operand, values))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _FUNCTIONS
        and not node.keywords
    ):
        return _FUNCTIONS[node.func.id](*(_value(argument, values) for argument in node.args))
    raise BadExpression(f"{ast.unparse(node)} is not allowed")


def readable(number: float) -> str:
    """A computed number as a reader sees it: '560', '1,800', '0.25'."""
    text = f"{number:,.6g}" if abs(number) < 1e6 else f"{number:,.0f}"
    return text if "e" not in text else f"{number:,}"


def fill(item: Filled, figures: Figures = register) -> Filled:
    """The item with every placeholder replaced and every computed number worked out."""
    data = item.model_dump(mode="json")
    _fill_in(data, figures, {})
    return type(item).model_validate(data, strict=False)


def fill_quiz(quiz: Quiz, figures: Figures = register) -> Quiz:
    """Every item of the quiz, filled."""
    return Quiz(slug=quiz.slug, title=quiz.title, entries=tuple(fill(entry, figures) for entry in quiz.entries))


def _fill_in(data: dict[str, Any], figures: Figures, numbers: Mapping[str, str]) -> None:
    if "numbers" in data:
        worked_out = {name: calculate(expression, figures) for name, expression in data["numbers"].items()}
        numbers, data["numbers"] = {name: readable(value) for name, value in worked_out.items()}, worked_out
    for name, value in data.items():
        if name in _TEXTS and isinstance(value, str):
            data[name] = PLACEHOLDER.sub(
                lambda match: numbers.get(match.group(1)) or figures.format(match.group(1)), value
            )
        elif name in ("answer", "value") and isinstance(value, str):
            data[name] = calculate(value, figures)
        elif isinstance(value, list):
            for inner in value:
                if isinstance(inner, dict):
                    _fill_in(inner, figures, numbers)


def fact_ids(entry: BaseItem | CaseSet) -> tuple[str, ...]:
    """The facts that an entry rests on, once each, in the order in which they are named."""
    own = list(entry.facts)
    for item in entry.items if isinstance(entry, CaseSet) else ():
        own.extend(item.facts)
    return tuple(dict.fromkeys(own))
