"""A container's definition, understood: its server, its options, its model. What it becomes on an instance is in `sagemaker_placing`.

    container = read(definition, read_file)        # raises CannotStart

A container that cannot start says why in the words of its own log. No model is guessed: a name that the catalogue does not know, with no
config.json in the model data, is such a reason.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labs.cloud.services.sagemaker_images import NAMED_MODEL, Server, server_of
from labs.facts import catalogue
from labs.facts.catalogue_schema import Shape
from labs.serving import profiles

ReadFile = Callable[[str], bytes | None]
"""`read_file("config.json")`: a file of the container's model data, or None."""
MODEL_FOLDER = "/opt/ml/model"


class CannotStart(Exception):  # noqa: N818 - an outcome of starting a container
    """The container does not come up; `log` is what it writes before it ends."""

    def __init__(self, *log: str) -> None:
        super().__init__(log[-1])
        self.log = log


@dataclass(frozen=True)
class Container:
    """A container, understood."""

    server: Server
    model: str
    shape: Shape
    served_name: str
    """what the answer calls the model"""
    options: Mapping[str, str]
    downloads_itself: bool
    """are the weights fetched by the container, within its start-up, rather than by SageMaker before it?"""

    def option(self, *names: str) -> str | None:
        """The first of these options that is set."""
        return next((self.options[name] for name in names if self.options.get(name)), None)

    @property
    def context_tokens(self) -> int:
        """The longest request, answer included, as it was configured or as the model has it."""
        chosen = self.option("max_model_len", "n_positions", "max_total_tokens", "ctx_size")
        return min(self.shape.context_tokens, int(chosen)) if chosen else self.shape.context_tokens

    @property
    def chose_context(self) -> bool:
        """Was it configured?"""
        return self.option("max_model_len", "n_positions", "max_total_tokens", "ctx_size") is not None


def read(definition: Mapping[str, Any], read_file: ReadFile, known_model: str | None = None) -> Container:
    """Understand a container's definition (Image, Environment). `known_model` is what its model data is known to be. Raises CannotStart."""
    environment = {str(name): str(value) for name, value in (definition.get("Environment") or {}).items()}
    image = definition.get("Image", "")
    server = server_of(image, environment)
    if server is None:
        raise CannotStart(
            f"The local cloud cannot run {image}: it knows AWS's images for large models (LMI, vLLM, SGLang, TGI, Triton), llama.cpp, and images "
            "of your own whose environment names an open model in HF_MODEL_ID."
        )
    options = {**options_of(environment, server.prefixes), **properties_of(read_file("serving.properties"))}
    named = next((environment[name] for name in NAMED_MODEL if environment.get(name)), None) or options.get("model_id")
    has_data = bool(
        definition.get("ModelDataUrl") or definition.get("ModelDataSource") or definition.get("ArtifactUrl")
    )
    in_data = has_data and (named is None or named.startswith("/"))
    if in_data:
        model, shape = model_in_data(read_file, known_model)
    elif named is None:
        raise CannotStart(
            f"ValueError: no model: set HF_MODEL_ID, or give the container model data in S3, for {server.name} to load."
        )
    elif named.startswith("s3://"):
        raise CannotStart(
            f"The local cloud does not follow {named}; give it as the model's ModelDataSource, and it is read there."
        )
    else:
        model, shape = model_named(named)
    if "dtype" not in options and (dtype := dtype_named(named or "")):
        options["quantize"] = options.get("quantize") or dtype
    served = options.get("served_model_name") or named or model
    return Container(server, model, shape, served, options, downloads_itself=not in_data)


def options_of(environment: Mapping[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    """A server's options from its environment, without prefix and in lower case."""
    found: dict[str, str] = {}
    for prefix in reversed(prefixes):
        for name, value in environment.items():
            if name.upper().startswith(prefix):
                found[name[len(prefix) :].lower()] = value
    return found


def properties_of(content: bytes | None) -> dict[str, str]:
    """The `option.` lines of a serving.properties file, which override the environment."""
    found = {}
    for line in (content or b"").decode(errors="replace").splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith("#"):
            found[name.strip().lower().removeprefix("option.")] = value.strip()
    return found


def model_named(hub_id: str) -> tuple[str, Shape]:
    """The catalogue's model that a Hugging Face id means. Raises CannotStart."""
    known = {id: entry for id, entry in catalogue.models().items() if entry.shape is not None}
    wanted = hub_id.lower().strip("/")
    for id, entry in known.items():
        published = (entry.weights or "").lower().partition("huggingface.co/")[2]
        if wanted in (id, published) or plain(wanted) == plain(published or id):
            assert entry.shape is not None
            return id, entry.shape
    offered = ", ".join(
        sorted(entry.weights.partition("huggingface.co/")[2] for entry in known.values() if entry.weights)
    )
    raise CannotStart(
        f"OSError: {hub_id} is not a model identifier that the local cloud knows. It has the shapes of {offered}; "
        "for any other, put the model's config.json beside its weights in S3 and name that place in ModelDataSource."
    )


def plain(hub_id: str) -> str:
    """A model's name without what does not change its shape: organisation, tuning, precision."""
    name = hub_id.rpartition("/")[2]
    name = re.sub(r"^(meta-|unsloth-)", "", name)
    name = re.sub(r"-(instruct|chat|it|hf|fp8|awq|gptq|int4|int8|w4a16|bnb-4bit|bf16|gguf|neuron)\b", "", name)
    return re.sub(r"-v0\.\d$", "", name)


def dtype_named(hub_id: str) -> str | None:
    """The quantisation that a model's name tells."""
    lowered = hub_id.lower()
    return next((what for what in ("fp8", "awq", "gptq", "gguf") if re.search(rf"[-_]{what}\b", lowered)), None)


def model_in_data(read_file: ReadFile, known_model: str | None) -> tuple[str, Shape]:
    """The model whose weights lie in the model data: by its config.json, or as it is known. Raises CannotStart."""
    content = read_file("config.json")
    if content is not None:
        return shape_of(content)
    if known_model is not None:
        return profiles.model_shape(known_model)
    raise CannotStart(
        f"OSError: {MODEL_FOLDER} does not appear to have a file named config.json. The local cloud needs no weights, but it reads "
        "the model's shape there."
    )


def shape_of(config_json: bytes) -> tuple[str, Shape]:
    """A model's name and shape from its config.json. Raises CannotStart."""
    try:
        config = json.loads(config_json)
        text = config.get("text_config", config)
        experts = int(text.get("num_local_experts") or text.get("num_experts") or 1)
        active = int(text.get("num_experts_per_tok") or 1)
        heads, hidden = int(text["num_attention_heads"]), int(text["hidden_size"])
        shape = Shape(
            parameters=1,
            active_parameters=1,
            layers=int(text["num_hidden_layers"]),
            hidden=hidden,
            intermediate=int(text.get("moe_intermediate_size") or text["intermediate_size"]),
            heads=heads,
            kv_heads=int(text.get("num_key_value_heads") or heads),
            head_dim=int(text.get("head_dim") or hidden // heads),
            vocabulary=int(text["vocab_size"]),
            context_tokens=int(text.get("max_position_embeddings") or 2048),
            experts=experts,
            active_experts=active,
            tied_embeddings=bool(text.get("tie_word_embeddings", False)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise CannotStart(f"ValueError: {MODEL_FOLDER}/config.json is not a decoder's configuration: {wrong}") from None
    total = shape.counted_parameters()
    idle = 3 * shape.hidden * shape.intermediate * (experts - active) * shape.layers if experts > 1 else 0
    name = str(config.get("_name_or_path") or config.get("model_type") or "model")
    return name, shape.model_copy(update={"parameters": total, "active_parameters": total - idle})
