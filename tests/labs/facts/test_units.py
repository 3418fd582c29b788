"""How a value is written for a reader."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labs.facts import units


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (29, "s", "29 s"),
        (60, "s", "60 s"),
        (350, "s", "350 s"),
        (300, "s", "5 min"),
        (900, "s", "15 min"),
        (21_600, "s", "6 h"),
        (345_600, "s", "4 days"),
        (86_400, "s", "1 day"),
        (1_048_576, "B", "1 MiB"),
        (409_600, "B", "400 KiB"),
        (1000, "B", "1,000 bytes"),
        (25, "MB", "25 MB"),
        (0.05718, "USD/CMU-minute", "$0.05718 per CMU-minute"),
        (0.0000166667, "USD/GB-second", "$0.0000166667 per GB-second"),
        (0.4, "USD/1M requests", "$0.40 per million requests"),
        (15.58, "USD/instance-hour", "$15.58 per instance-hour"),
        (63.0, "USD/model-unit-hour", "$63.00 per model unit and hour"),
        (300, "USD", "$300"),
        (44_000, "JPY", "¥44,000"),
        (600_000, "tokens/min", "600,000 tokens per minute"),
        (6, "x", "6×"),
        (99.5, "percent", "99.5 %"),
        (1, "months", "1 month"),
        (12, "months", "12 months"),
        (3, "attempts", "3 attempts"),
        (429, "HTTP status", "429"),
        (("a",), "list", "a"),
        (("a", "b", "c"), "list", "a, b and c"),
    ],
)
def test_a_value_is_written_as_a_reader_expects(value: units.Value, unit: str, written: str) -> None:
    assert units.write(value, unit) == written


def test_gb_is_not_gib() -> None:
    assert units.write(24, "GB") != units.write(24, "GiB")


def test_there_is_no_unit_that_the_list_does_not_have() -> None:
    with pytest.raises(KeyError):
        units.write(1, "furlongs")


@given(st.floats(min_value=1e-9, max_value=1e12, allow_nan=False))
def test_no_number_is_written_with_an_exponent_or_a_trailing_zero(value: float) -> None:
    for written in (units.plain(value), units.dollars(value)):
        assert "e" not in written.lower()
    plain = units.plain(value)
    assert "." not in plain or not plain.endswith("0")
    assert math.isclose(float(plain.replace(",", "") or 0), value, rel_tol=1e-3, abs_tol=1e-12)


@given(st.integers(min_value=0, max_value=1 << 50))
def test_bytes_lose_nothing(value: int) -> None:
    number, unit = units.write(value, "B").split(" ")
    assert int(number.replace(",", "")) * {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit] == value


@pytest.mark.parametrize(
    ("value", "unit"),
    [("29", "s"), (2.5, "B"), (True, "count"), (3, "text"), ("2026-10-01", "date"), ("a", "list")],
)
def test_a_value_of_the_wrong_kind_does_not_fit(value: units.Value, unit: str) -> None:
    assert not units.fits(value, unit)
