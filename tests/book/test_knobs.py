"""A lab's widgets on a page: where they stood, what they said, and in which notebook they turn."""

import json

import pytest
from bookbinding import knobs

MODELS = {
    "box": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_calls", "IPY_MODEL_row", "IPY_MODEL_says"]}},
    "row": {"model_name": "HBoxModel", "state": {"children": ["IPY_MODEL_rate", "IPY_MODEL_dtype"]}},
    "calls": {
        "model_name": "IntSliderModel",
        "state": {"description": "calls <a>", "value": 3000, "min": 1000, "max": 9000},
    },
    "rate": {
        "model_name": "FloatLogSliderModel",
        "state": {"description": "a second", "value": 1.0, "min": -1.0, "max": 1.0, "base": 10.0},
    },
    "dtype": {
        "model_name": "DropdownModel",
        "state": {"description": "weights", "_options_labels": ["bf16", "fp8"], "index": 1},
    },
    "says": {"model_name": "HTMLModel", "state": {"value": "<b>17</b> readers", "description": ""}},
}


def place(model: str) -> str:
    """What MyST-NB leaves on a page."""
    return f'<script type="application/vnd.jupyter.widget-view+json">{json.dumps({"model_id": model})}</script>'


def test_a_page_shows_each_knob_where_it_stood_and_what_was_said_there() -> None:
    page = knobs.drawn(f"<p>before</p>{place('box')}<p>after</p>", MODELS, "04-custom")
    assert page.startswith("<p>before</p><div")
    assert page.endswith("</div><p>after</p>")
    assert "<script" not in page
    assert 'calls &lt;a&gt;</span><span class="knobs__track" aria-hidden="true"><span style="left:25%">' in page
    assert "<b>3,000</b>" in page
    assert "1,000 to 9,000" in page
    assert "bf16 · <b>fp8</b>" in page
    assert '<p class="knobs__says"><b>17</b> readers</p>' in page
    assert "<code>lab notebook 04-custom</code>" in page


def test_a_slider_in_powers_stands_where_its_power_is() -> None:
    page = knobs.picture(MODELS, "rate", "07-bench")
    assert 'style="left:50%"' in page
    assert "<b>1</b>" in page
    assert "0.1 to 10" in page


def test_a_widget_that_no_page_can_show_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="cannot show a PlayModel"):
        knobs.picture({"x": {"model_name": "PlayModel", "state": {"description": ""}}}, "x", "00-start")
