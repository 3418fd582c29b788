"""The engine is as true as it says: every bar is met by the committed constants, and they are what the fit gives."""

import pytest

from labs.serving.calibration import report
from labs.serving.calibration.fit import PARAMETERS, Parameter, as_constants, fit, least_squares
from labs.serving.calibration.points import DOUBTS, measured_trace, published
from labs.serving.profiles import fitted


def test_the_trace_is_reproduced_within_its_bars() -> None:
    rows = report.trace_rows(fitted())
    assert {row.figure for row in rows} == set(report.TRACE_BARS)
    assert {row.figure: abs(row.error) <= report.TRACE_BARS[row.figure] for row in rows} == dict.fromkeys(
        report.TRACE_BARS, True
    )


def test_every_published_figure_is_compared_and_every_bar_is_met() -> None:
    rows = report.rows(fitted())
    assert {row.point for row in rows} == {point.id for point in published()}
    verdicts = report.verdicts(rows)
    assert [v.bar for v in verdicts] == list(report.BARS)
    assert [v.met for v in verdicts] == [True, True, True]


def test_the_bars_are_those_that_were_set() -> None:
    assert [(bar.figure, bar.median, bar.worst) for bar in report.BARS] == [
        ("TTFT", 0.12, 0.30),
        ("TPOT", 0.05, 0.30),
        ("saturated tokens/s", 0.12, 0.30),
    ]
    assert report.TRACE_BARS == {"TTFT mean": 0.05, "TTFT p99": 0.10, "TPOT mean": 0.05, "E2E mean": 0.05}


def test_the_committed_constants_are_what_the_fit_gives() -> None:
    found = as_constants(fit(published()))
    for parameter in PARAMETERS:
        committed = fitted()[parameter.group][parameter.name]
        assert found[parameter.group][parameter.name] == pytest.approx(committed, rel=0.01), parameter.path


def test_laws_are_fitted_and_not_rows() -> None:
    """Fewer constants than figures, and none that only one row knows by name."""
    neuron = [p for p in PARAMETERS if p.group == "neuron"]
    figures = [row for row in report.rows(fitted()) if row.group.startswith("neuron") and row.figure != "TPOT"]
    assert len(figures) > 2 * len(neuron)
    assert not any(point.id in parameter.path for point in published() for parameter in PARAMETERS)


def test_cross_validation_leaves_every_row_and_every_group_out_once() -> None:
    table = report.committed_cross_validation()
    assert {label for label in table if label.startswith("row")} == {f"row: {point.id}" for point in published()}
    groups = {point.group for point in published()} | {report.TRACE_GROUP}
    assert {label for label in table if label.startswith("group")} == {f"group: {group}" for group in groups}


def test_the_page_prints_every_point_every_doubt_and_where_not_to_trust() -> None:
    page = report.markdown()
    assert all(point.id in page for point in published())
    assert all(doubt in page for doubt in DOUBTS.values())
    assert all(what in page for what, _ in report.TRUST)
    assert all(p.path in page for p in PARAMETERS)
    assert page.startswith("## ")


def test_the_trace_is_the_one_that_was_measured() -> None:
    table = measured_trace()
    assert len(table) == 300
    assert (table.input_tokens[0], table.output_tokens[0], table.first[0]) == (2358, 531, 0.689435)


def test_least_squares_finds_a_known_minimum() -> None:
    parameters = (Parameter("a", "x", 1.0, 1e-3, 1e3, 0.0, ""), Parameter("a", "y", 1.0, 1e-3, 1e3, 0.0, ""))
    found = least_squares(
        {"a.x": 1.0, "a.y": 1.0}, parameters, lambda v: [v["a.x"] * v["a.y"] - 6.0, v["a.x"] / v["a.y"] - 1.5]
    )
    assert (found["a.x"], found["a.y"]) == (pytest.approx(3.0, rel=1e-3), pytest.approx(2.0, rel=1e-3))
