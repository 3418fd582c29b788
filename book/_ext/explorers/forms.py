"""The explorers' controls as HTML: labels, sliders, lists, and the places that the script fills."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

Data = Mapping[str, Any]
OFFER = "llama-3.3-70b-custom"
"""where the break-even begins: the course's flagship question"""


def _slider(name: str, label: str, low: float, high: float, value: float, unit: str, hint: str = "") -> str:
    """A slider, logarithmic in the script where the range spans more than two decades, with a field for an exact number."""
    described = f' aria-describedby="x-{name}-hint"' if hint else ""
    says = f'<span class="x-hint" id="x-{name}-hint">{escape(hint)}</span>' if hint else ""
    return (
        f'<div class="x-control"><label for="x-{name}">{escape(label)}</label>'
        f'<span class="x-pair"><input type="range" id="x-{name}-range" data-for="x-{name}" min="0" max="1000" value="0" '
        f'aria-label="{escape(label)}, slider">'
        f'<input type="number" id="x-{name}" name="{name}" min="{low:g}" max="{high:g}" step="any" value="{value:g}" '
        f'inputmode="decimal"{described}><span class="x-unit">{escape(unit)}</span></span>{says}</div>'
    )


def _list(name: str, label: str, options: Sequence[tuple[str, str]], value: str, hint: str = "") -> str:
    rows = "".join(
        f'<option value="{escape(id)}"{" selected" if id == value else ""}>{escape(text)}</option>'
        for id, text in options
    )
    described = f' aria-describedby="x-{name}-hint"' if hint else ""
    says = f'<span class="x-hint" id="x-{name}-hint">{escape(hint)}</span>' if hint else ""
    return (
        f'<div class="x-control"><label for="x-{name}">{escape(label)}</label>'
        f'<select id="x-{name}" name="{name}"{described}>{rows}</select>{says}</div>'
    )


def _tick(name: str, label: str) -> str:
    return f'<div class="x-control x-tick"><label for="x-{name}"><input type="checkbox" id="x-{name}" name="{name}"> {escape(label)}</label></div>'


def _group(title: str, *controls: str) -> str:
    return f"<fieldset><legend>{escape(title)}</legend>{''.join(controls)}</fieldset>"


def _offers(made: Data) -> list[tuple[str, str]]:
    return [
        (id, f"{offer['name']} · ${offer['input']:g} in, ${offer['output']:g} out")
        for id, offer in sorted(made["offers"].items(), key=lambda item: item[1]["name"])
    ]


def _machines(made: Data) -> list[tuple[str, str]]:
    return [
        (id, f"{id} · {each['count']} × {made['chips'][each['chip']]['name']} · ${each['usd']:g} an hour")
        for id, each in made["machines"].items()
    ]


def _models(made: Data) -> list[tuple[str, str]]:
    return [(id, each["name"]) for id, each in made["models"].items()]


DTYPES = [
    ("bf16", "BF16: 2 bytes"),
    ("fp8", "FP8: 1 byte"),
    ("int8", "INT8: 1 byte"),
    ("int4", "INT4: about half a byte"),
    ("mxfp4", "MXFP4: about half a byte"),
]


def _frame(kind: str, title: str, groups: str, without: str) -> str:
    return (
        f'<div class="dd-explorer" id="explorer" data-kind="{kind}" role="group" aria-label="{escape(title)}">'
        f'<p class="x-verdict pst-js-only"></p><p class="x-said" role="status"></p>'
        f'<figure class="x-figure pst-js-only"><div class="x-plot"></div></figure>'
        f'<form class="x-form pst-js-only" autocomplete="off">{groups}</form>'
        f'<div class="x-answer pst-js-only"><p class="x-caption"></p><div class="x-notes"></div><details class="x-table"><summary>The figures behind this picture</summary>'
        f'<div class="x-scroll" role="region" aria-label="Figures" tabindex="0"></div></details>'
        f'<p class="x-buttons"><button type="button" class="x-reset">Start again</button></p></div>'
        f'<noscript><p class="x-no-script">{without}</p></noscript></div>'
    )


def break_even(made: Data) -> str:
    """Tokens, an instance, model units: what a month costs on each, and where they cross."""
    unit = made["units"][made["offers"][OFFER]["size"]]
    groups = _group(
        "The load",
        _slider("rpm", "Requests a minute, while they come", 0.1, 10000, 100, "a minute"),
        _slider("input", "Tokens in", 10, 100000, 500, "tokens"),
        _slider("output", "Tokens out", 1, 20000, 200, "tokens"),
        _slider("hours", "Hours a month in which they come", 1, made["hours"], made["hours"], "hours", "730 is around the clock."),
    )  # fmt: skip
    groups += _group("Tokens", _list("offer", "Paid by the token", _offers(made), OFFER))
    groups += _group(
        "The machine",
        _list("model", "Model on it", _models(made), "llama-3.3-70b"),
        _list("machine", "Instance type", _machines(made), "ml.g6e.12xlarge"),
        _list("dtype", "Precision of the weights", DTYPES, "bf16"),
        _slider(
            "fill", "How full an instance is planned", 10, 100, 80, "%", "Of the ceiling that the speed laws give."
        ),
        _slider("redundancy", "Instances that must be up", 1, 6, 1, "", "2 survive the loss of one."),
        _slider("discount", "Discount of a commitment", 0, 70, 0, "%", "Assumed, off the list price."),
        _tick("sleeps", "Scaled to zero while nobody asks"),
    )
    groups += _group(
        "Model units",
        _slider("unit_usd", "Price of a unit, an hour", 1, 200, unit["usd"], "$", "Assumed: that of a retired model of this size."),
        _slider("unit_tokens", "Tokens a minute of a unit", 1000, 1000000, unit["tokens"], "tokens", "Assumed: AWS does not publish it."),
    )  # fmt: skip
    groups += _group(
        "The picture",
        _list("axis", "Along the bottom", [("tokens", "Tokens a request"), ("rpm", "Requests a minute")], "tokens"),
    )
    without = "Without a script this explorer cannot answer. The same comparison, at a terminal: <code>lab decide --model llama-3.3-70b --custom-weights --already-in-bedrock --region us-west-2 --requests-per-minute 100</code>."
    return _frame("break-even", "Break-even explorer", groups, without)


def memory(made: Data) -> str:
    """Does it fit, and how fast would it answer."""
    groups = _group(
        "The model",
        _list("model", "Model", _models(made), "llama-3-70b"),
        _list("dtype", "Precision of the weights", DTYPES, "bf16"),
    )
    groups += _group(
        "The machine",
        _list("machine", "Instance type", _machines(made), "ml.g6e.12xlarge"),
        _slider("devices", "Devices that one copy is spread over", 1, 64, 4, "", "GPUs, or NeuronCores."),
    )
    groups += _group(
        "The load",
        _slider("input", "Tokens in", 10, 100000, 500, "tokens"),
        _slider("output", "Tokens out", 1, 20000, 200, "tokens"),
        _slider("batch", "Requests in flight", 1, 1024, 32, "at once"),
    )
    without = "Without a script this explorer cannot answer. The same estimate, at a terminal: <code>lab simulate --model llama-3-70b --hardware ml.g6e.12xlarge --tensor-parallel 4 --rate 1.67 --input-tokens 500 --output-tokens 200</code>."
    return _frame("memory", "Memory and latency estimator", groups, without)


FORMS: dict[str, Callable[[Data], str]] = {"break-even": break_even, "memory": memory}
