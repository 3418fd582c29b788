"""The exam's view: where its own wording leads, by the textbook's chart and the rows of its matrix."""

from __future__ import annotations

from dataclasses import dataclass

from labs.decide.chart import Walk, chart, walk
from labs.decide.matrix import Match, matches
from labs.decide.requirements import Requirements
from labs.facts import catalogue

CHART_TARGETS = {"bedrock": "bedrock-on-demand", "sagemaker": "sagemaker-gpu", "own": "eks-vllm"}
"""What an end of the textbook's chart means when no row of the matrix says it more exactly."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know beside an answer, with the facts that it rests on."""

    says: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExamView:
    """What an exam question in these words wants to hear."""

    walk: Walk
    matches: tuple[Match, ...]
    family: str
    target: str
    says: str
    notes: tuple[Note, ...]


def exam_view(asked: Requirements) -> ExamView:
    """Walk the textbook's chart; a row of the matrix sharpens its end, and one that contradicts it is told."""
    way, found = walk(chart("textbook"), asked), matches(asked)
    edge = next((match for match in found if match.row.id == "edge"), None)
    family = catalogue.target("edge-greengrass").family if edge else way.end.family
    row = edge or _sharpest(found, family)
    target = row.row.textbook[0] if row else CHART_TARGETS[family]
    says = f"{way.end.says}: {target}"
    if edge:
        says = f"SageMaker Neo or Greengrass: {target}"
    elif row:
        says = f"{way.end.says}: {target}, by the row '{row.row.requirement}'"
    return ExamView(way, found, family, target, says, _notes(way, found, target, family))


def _sharpest(found: tuple[Match, ...], family: str) -> Match | None:
    """Of the rows that stay in the chart's family the most special, which the matrix has further down; never its edge row."""
    order = ("scale", "guaranteed", "custom", "mvp")
    fitting = [m for m in found if m.row.id in order and catalogue.target(m.row.textbook[0]).family == family]
    return min(fitting, key=lambda match: order.index(match.row.id), default=None)


def _notes(way: Walk, found: tuple[Match, ...], target: str, family: str) -> tuple[Note, ...]:
    notes = [
        Note(
            f"The matrix's row '{match.row.requirement}' says {match.row.textbook[0]}; the chart ends at {way.end.says}.",
            match.row.facts,
        )
        for match in found
        if catalogue.target(match.row.textbook[0]).family != family
    ]
    if target in ("sagemaker-inferentia", "sagemaker-graviton"):
        notes.append(Note("The list of services in scope does not name Inferentia or Trainium.", ("exam.unnamed",)))
    if not catalogue.target(target).in_exam_scope:
        notes.append(
            Note(
                "Greengrass is outside the exam's scope; its edge is Outposts, Wavelength and Neo.",
                ("exam.out_of_scope", "exam.in_scope.edge"),
            )
        )
    notes += [
        Note(f"'{match.row.requirement}': {match.row.verdict}. {match.row.because}", match.row.facts)
        for match in found
        if match.row.verdict != "true"
    ]
    return tuple(notes)
