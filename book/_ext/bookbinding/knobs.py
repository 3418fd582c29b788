"""A notebook's widgets on a page, which has no kernel behind it: a picture of where the knobs stood, and what they said there.

MyST-NB leaves an empty place for a script from elsewhere that would draw them and could not turn them. What the widgets were, the run has
kept in the notebook's metadata; the picture is drawn from that, in HTML.
"""

import json
import math
import re
from html import escape
from typing import Any, cast

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx

from bookbinding.downloads import is_lab

VIEW = re.compile(r'<script type="application/vnd\.jupyter\.widget-view\+json">(.*?)</script>', re.S)
CHILD = "IPY_MODEL_"

Models = dict[str, Any]


def picture(models: Models, root: str, slug: str) -> str:
    """The knobs of one widget from top to bottom, and what stands below them; `slug` is the lab in which they turn."""
    rows = "".join(_rows(models, root))
    return (
        f'<div class="knobs" role="group" aria-label="Knobs, where they stand at first">{rows}'
        f'<p class="knobs__note">They turn in your copy of the notebook: <code>lab notebook {escape(slug)}</code>.</p></div>'
    )


def _rows(models: Models, name: str) -> list[str]:
    model = models[name.removeprefix(CHILD)]
    kind, state = model["model_name"], model["state"]
    if "children" in state:
        return [row for child in state["children"] for row in _rows(models, child)]
    if kind == "HTMLModel":
        return [f'<p class="knobs__says">{state["value"]}</p>']
    label = f'<span class="knobs__name">{escape(state["description"])}</span>'
    if "_options_labels" in state:
        choices = (
            f"<b>{escape(each)}</b>" if place == state["index"] else escape(each)
            for place, each in enumerate(state["_options_labels"])
        )
        return [f'<p class="knobs__knob">{label}<span class="knobs__choices">{" · ".join(choices)}</span></p>']
    if not {"min", "max", "value"} <= set(state):
        raise ValueError(f"a page cannot show a {kind}; see bookbinding.knobs")
    value, ends, at = state["value"], (state["min"], state["max"]), state["value"]
    if "base" in state:  # a slider whose ends are powers
        ends, at = tuple(state["base"] ** end for end in ends), math.log(value, state["base"])
    part = (at - state["min"]) / (state["max"] - state["min"])
    return [
        f'<p class="knobs__knob">{label}<span class="knobs__track" aria-hidden="true"><span style="left:{part:.0%}"></span></span>'
        f'<b>{_said(value)}</b><span class="knobs__range">{_said(ends[0])} to {_said(ends[1])}</span></p>'
    ]


def _said(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:,.3g}"


def drawn(body: str, models: Models, slug: str) -> str:
    """A page's text with each widget's empty place filled."""
    return VIEW.sub(lambda found: picture(models, json.loads(found[1])["model_id"], slug), body)


def _draw(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None) -> None:
    if not is_lab(page) or not VIEW.search(context.get("body") or ""):
        return
    _, state = NbMetadataCollector.get_js_files(cast(Any, app.env), page).get("ipywidgets_state", ("", {}))
    if state:
        # MyST-NB has made the text safe for a script element: </script> cannot stand in it.
        models = json.loads(state["body"])["state"]
        context["body"] = drawn(context["body"], models, page.rpartition("/")[2])


def setup(app: Sphinx) -> None:
    """Connect to the moment before a page is written, before the mends."""
    app.connect("html-page-context", _draw, priority=800)
