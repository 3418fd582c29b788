"""Every registered target has a sheet that names its costs and what was not tried, and every fact that a sheet names is in the register."""

import re
from typing import Any

import pytest

from labs import facts, targets

SECTIONS = [
    "## What real AWS needs and mocks forgive",
    "## What it costs",
    "## What could not be tried on a real account",
]
LONGEST_LINES = 45


def sheet_of(name: str) -> str:
    made: Any = targets.TARGETS[name]()
    return str(made.sheet())


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_has_a_sheet_with_its_needs_its_costs_and_what_was_not_tried(name: str) -> None:
    sheet = sheet_of(name)
    assert re.search(rf"^# .*\b{name}\b", sheet), "its title names the target"
    places = [sheet.find(section) for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)
    for section in SECTIONS:
        text = sheet.partition(section)[2].partition("\n## ")[0]
        assert len(text.split()) >= 12, f"'{section}' says nothing"
    assert len(sheet.splitlines()) <= LONGEST_LINES


@pytest.mark.parametrize("name", targets.TARGETS)
def test_facts_that_a_sheet_names_are_in_the_register(name: str) -> None:
    for named in re.findall(
        r"`((?:bedrock|sagemaker|neuron|greengrass|ec2|eks|network)\.[a-z0-9._-]+)`", sheet_of(name)
    ):
        facts.value(named)


@pytest.mark.parametrize("name", [name for name in targets.TARGETS if name.startswith("sagemaker-")])
def test_a_sheet_names_the_price_of_the_instances_that_a_deployment_begins_with(name: str) -> None:
    made: Any = targets.TARGETS[name]()
    kind = getattr(made, "instance_type", "")
    price = f"sagemaker.price.{kind.removeprefix('ml.').replace('.', '-')}"
    if kind and price in {fact.id for fact in facts.all()}:
        assert f"`{price}`" in sheet_of(name)


def test_inferentias_sheet_says_since_when_it_is_maintained_only_and_which_image_is_current() -> None:
    sheet = sheet_of("sagemaker-inferentia")
    for fact in ("neuron.maintenance_mode_since", "sagemaker.image.lmi_neuron", "sagemaker.image.ami_neuron"):
        assert f"`{fact}`" in sheet
