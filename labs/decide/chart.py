"""Flowcharts as data, walked with a reason at every step.

walk(chart("engineering"), Requirements(model="nova-lite")).end.says       # 'Bedrock on demand'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from labs.decide.questions import QUESTIONS, Said
from labs.decide.requirements import Requirements
from labs.facts.documents import read

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Ask:
    """A node that asks: `by` names the question in labs.decide.questions."""

    id: str
    asks: str
    by: str
    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class End:
    """A node where a walk ends: a family ('bedrock', 'sagemaker', 'own') and the targets that it means, best first."""

    id: str
    family: str
    says: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A flowchart without loops. `printed` lists the edges as the textbook draws them, for the picture."""

    id: str
    title: str
    start: str
    nodes: Mapping[str, Ask | End]
    printed: tuple[tuple[str, str, str], ...] = ()

    def ends(self) -> list[End]:
        return [node for node in self.nodes.values() if isinstance(node, End)]


@dataclass(frozen=True, slots=True)
class Step:
    """One question on the way, its answer, and why."""

    node: Ask
    said: Said

    @property
    def taken(self) -> str:
        return "yes" if self.said.yes else "no"


@dataclass(frozen=True, slots=True)
class Walk:
    """The way through a chart for some requirements."""

    chart: str
    steps: tuple[Step, ...]
    end: End


@cache
def chart(id: str) -> Chart:
    """'textbook' (mended) or 'engineering'. Raises ValueError for a chart that loops, dangles or asks an unknown question."""
    data = read(DATA / "charts.yaml").data[id]
    nodes = {name: _node(name, entry) for name, entry in data["nodes"].items()}
    drawn = Chart(
        id,
        data["title"],
        data["start"],
        MappingProxyType(nodes),
        tuple((str(a), str(label), str(b)) for a, label, b in data.get("printed", ())),
    )
    _sound(drawn)
    return drawn


def _node(name: str, entry: Mapping[str, Any]) -> Ask | End:
    if "end" in entry:
        return End(name, entry["end"], entry["says"], tuple(entry.get("targets", ())))
    return Ask(name, entry["asks"], entry["by"], entry["yes"], entry["no"])


def _sound(drawn: Chart) -> None:
    for node in drawn.nodes.values():
        if isinstance(node, Ask):
            if node.by not in QUESTIONS:
                raise ValueError(f"chart {drawn.id}: '{node.id}' asks by '{node.by}', which is no question")
            for onward in (node.yes, node.no):
                if onward not in drawn.nodes:
                    raise ValueError(f"chart {drawn.id}: '{node.id}' leads to '{onward}', which does not exist")
    reached = {end for path in paths(drawn) for end in path}
    if unreached := set(drawn.nodes) - reached:
        raise ValueError(f"chart {drawn.id}: nothing leads to {', '.join(sorted(unreached))}")


def paths(drawn: Chart) -> Iterator[tuple[str, ...]]:
    """Every way from the start to an end, as node ids. Raises ValueError for a loop."""

    def onward(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        node = drawn.nodes[path[-1]]
        if isinstance(node, End):
            yield path
            return
        for then in dict.fromkeys((node.yes, node.no)):
            if then in path:
                raise ValueError(f"chart {drawn.id} loops: {' -> '.join((*path, then))}")
            yield from onward((*path, then))

    yield from onward((drawn.start,))


def walk(drawn: Chart, asked: Requirements) -> Walk:
    """Follow the chart for these requirements."""
    steps: list[Step] = []
    node = drawn.nodes[drawn.start]
    while isinstance(node, Ask):
        step = Step(node, QUESTIONS[node.by](asked))
        steps.append(step)
        node = drawn.nodes[node.yes if step.said.yes else node.no]
    return Walk(drawn.id, tuple(steps), node)
