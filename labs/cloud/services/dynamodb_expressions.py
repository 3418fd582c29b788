"""Expressions that are read once, however often they are sent.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): for every UpdateItem it reads the expression three times from
its text; copies the tree of it, node by node, with `copy.deepcopy`; and on each of ten walks over that tree asks at every node for a new table
of what is to be done there. Twice it takes a condition's text apart with patterns that it puts together for each word. That was half of
what the local cloud did for a queue of jobs, which are claimed and ended by two expressions.
"""

import copy
import pickle
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from labs.cloud.context import Context

KEPT = 512
"""Expressions; a program has a handful of them, and values are not in them."""
_PICKLED, _FINE = "_local_cloud_pickled", "_local_cloud_fine"


def install(context: Context) -> None:
    """Remember what was read."""
    from moto.dynamodb.comparisons import ConditionExpressionParser
    from moto.dynamodb.parsing import ast_nodes, expressions, validators

    words: dict[str, tuple[Any, ...]] = {}

    def lex(self: Any) -> deque[Any]:
        text = self.condition_expression
        if text not in words:
            if len(words) >= KEPT:
                words.clear()
            words[text] = tuple(lex_before(self))
        return deque(words[text])

    lex_before = context.patch(ConditionExpressionParser, "_lex_condition_expression", lex)
    parser: Any = vars(expressions)["UpdateExpressionParser"]  # moto's modules without types do not export to mypy
    make_before = parser.make  # what it raises is not remembered
    context.patch(parser, "make", staticmethod(lru_cache(KEPT)(make_before)))
    context.patch(validators, "deepcopy", copied)
    context.patch(vars(ast_nodes)["DepthFirstTraverser"], "traverse_node_recursively", walk)
    of_the_text = (
        validators.ActionCountValidator,
        validators.OverlappingPathsValidator,
        validators.UpdateHashRangeKeyValidator,
    )

    def validate(self: Any) -> Any:
        """As moto's, but what depends on the text, its names and the table's key alone is looked at once."""
        node = self.node_to_validate
        fine: set[Any] = node.__dict__.pop(_FINE, set())
        names = self.expression_attribute_names or {}
        key = (*sorted(names.items()), *self.table.table_key_attrs)
        for walker in self.processors:
            if key not in fine or not isinstance(walker, of_the_text):
                node = walker.traverse(node)
        if len(fine) < KEPT:
            fine.add(key)
        return node

    context.patch(validators.UpdateExpressionValidator, "validate", validate)


def copied(value: Any) -> Any:
    """A deep copy. Of the root of an expression, which nobody changes, from its pickled form: a tenth of the time."""
    if not hasattr(value, "find_clauses"):  # part of an item
        return copy.deepcopy(value)
    kept = value.__dict__
    if _PICKLED not in kept:
        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        kept[_FINE], kept[_PICKLED] = set(), pickled
    copy_ = pickle.loads(kept[_PICKLED])
    copy_.__dict__[_FINE] = kept[_FINE]
    return copy_


def walk(self: Any, node: Any, child_id: int = -1) -> Any:
    """As moto's: children first, then the node itself, by the first entry of the walker's table that its class fits."""
    kinds = (type(self), type(node))
    plan = _plans.get(kinds)
    if plan is None:
        plan = _plans[kinds] = Plan.of(self, type(node))
    if not plan.is_node:
        return node
    parent = node.parent
    if plan.descends and node.children is not None:
        for index, child in enumerate(node.children):
            if plan.looks_ahead:
                self.pre_processing_of_child(node, index)
            walk(self, child, index)
    if plan.do is not None:
        node = plan.do(self, node)
        node.parent = parent
        if parent:
            parent.children[child_id] = node
    return node


@dataclass(frozen=True)
class Plan:
    """What a class of walkers does with a class of nodes."""

    is_node: bool
    do: Any = None
    descends: bool = True
    looks_ahead: bool = False
    """It wants to know of each child beforehand."""

    @staticmethod
    def of(walker: Any, kind: type) -> "Plan":
        """By the walker's table, whose functions are its own methods."""
        from moto.dynamodb.parsing import ast_nodes

        nodes = vars(ast_nodes)
        if not issubclass(kind, nodes["Node"]):
            return Plan(is_node=False)
        table = walker._processing_map()
        looks_ahead = type(walker).pre_processing_of_child is not nodes["DepthFirstTraverser"].pre_processing_of_child
        # No action holds another: whoever is after actions of one kind need not look below one.
        descends = looks_ahead or set(table) != {nodes["UpdateExpressionSetAction"]} or kind not in table
        do = next((do.__func__ for of, do in table.items() if issubclass(kind, of)), None)
        return Plan(True, do, descends, looks_ahead)


_plans: dict[tuple[type, type], Plan] = {}
