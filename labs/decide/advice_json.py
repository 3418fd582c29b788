"""An advice as JSON-ready data. Names of keys are promises: programs, lessons and records read them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from labs import facts
from labs.decide.chart import Walk
from labs.decide.option import Option, ToDo
from labs.decide.rules import Reason
from labs.decide.sizing import Prediction, Range
from labs.facts import catalogue

if TYPE_CHECKING:
    from labs.decide.advisor import Advice

PROVENANCE = "predicted"


def as_dict(advice: Advice) -> dict[str, Any]:
    """`requirements`, `workload`, the two views `exam` and `engineering`, `targets`, what `flips` it, `unknowns`, `facts`."""
    best = advice.best
    traffic = advice.case.traffic()
    return {
        "requirements": asdict(advice.asked),
        "workload": {
            "model": advice.case.name,
            "requests_per_month": traffic.requests_per_month,
            "tokens_per_minute": advice.asked.tokens_per_minute,
            "input_tokens_per_month": traffic.input_millions * 1e6,
            "output_tokens_per_month": traffic.output_millions * 1e6,
        },
        "exam": {
            "says": advice.exam.says,
            "family": advice.exam.family,
            "target": advice.exam.target,
            "steps": _steps(advice.exam.walk),
            "rows": [
                {
                    "id": match.row.id,
                    "requirement": match.row.requirement,
                    "why": match.why,
                    "textbook": list(match.row.textbook),
                    "today": list(match.row.today),
                    "verdict": match.row.verdict,
                    "because": match.row.because,
                    "facts": list(match.row.facts),
                }
                for match in advice.exam.matches
            ],
            "notes": [{"says": note.says, "facts": list(note.facts)} for note in advice.exam.notes],
        },
        "engineering": {
            "says": advice.says,
            "family": best.family if best else None,
            "target": best.target if best else None,
            "tied": [option.target for option in advice.tied],
            "chart": {"end": advice.engineering.end.says, "family": advice.engineering.end.family},
            "agrees": advice.agrees,
            "steps": _steps(advice.engineering),
        },
        "targets": [_option(option) for option in advice.options],
        "flips": [flip.as_dict() for flip in advice.flips],
        "what_ifs": [what.as_dict() for what in advice.what_ifs],
        "unknowns": [asdict(unknown) for unknown in advice.unknowns],
        "notes": [{"says": note.says, "facts": list(note.facts)} for note in advice.notes],
        "facts": [_fact(id) for id in advice.facts()],
        "provenance": PROVENANCE,
    }


def _steps(way: Walk) -> list[dict[str, Any]]:
    return [
        {"asks": step.node.asks, "answer": step.taken, "because": step.said.because, "sure": step.said.sure}
        for step in way.steps
    ]


def _option(option: Option) -> dict[str, Any]:
    return {
        "target": option.target,
        "family": option.family,
        "what": option.what,
        "kinds": list(catalogue.target(option.target).kinds),
        "feasible": option.feasible,
        "rank": option.rank,
        "tied": option.tied,
        "ruled_out": [_reason(reason) for reason in option.reasons],
        "cautions": [_reason(reason) for reason in option.cautions],
        "to_do": [_todo(todo) for todo in option.todo],
        "usd_per_month": option.usd,
        "usd_per_month_range": list(option.usd_range) if option.usd_range else None,
        "bill": option.bill.as_dict() if option.bill else None,
        "unpriced": option.unpriced,
        "over_budget": option.over_budget,
        "latency": _latency(option.prediction),
        "unpredicted": option.unpredicted,
        "meets_objective": option.meets,
        "utilisation": option.utilisation,
        "sizing": option.sizing.as_dict() if option.sizing else None,
        "considered": [sizing.as_dict() for sizing in option.considered],
        "break_even": [each.as_dict() for each in option.break_even],
        "deploy": option.deploy,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {"rule": reason.rule, "because": reason.because, "facts": list(reason.facts)}


def _todo(todo: ToDo) -> dict[str, Any]:
    return {"what": todo.what, "facts": list(todo.facts)}


def _latency(prediction: Prediction | None) -> dict[str, Any] | None:
    if prediction is None:
        return None
    return {
        "ttft_ms": {"p50": prediction.ttft_p50.central, "p99": prediction.ttft_p99.central},
        "e2e_ms": {"p50": prediction.e2e_p50.central, "p99": prediction.e2e_p99.central},
        "range": {
            "ttft_ms": {"p50": _ends(prediction.ttft_p50), "p99": _ends(prediction.ttft_p99)},
            "e2e_ms": {"p50": _ends(prediction.e2e_p50), "p99": _ends(prediction.e2e_p99)},
        },
        "provenance": PROVENANCE,
    }


def _ends(figure: Range) -> list[float]:
    return [figure.low, figure.high]


def _fact(id: str) -> dict[str, Any]:
    fact = facts.get(id)
    return {
        "id": id,
        "value": fact.readable,
        "says": fact.says,
        "as_of": fact.as_of,
        "confidence": fact.confidence,
        "source": fact.source,
    }
