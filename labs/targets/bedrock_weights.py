"""Weights for Bedrock: where they are, what they are, and whether Custom Model Import would take them; looked at before anything is created.

weights = bedrock_weights.find("sample")           # or a local folder, or "s3://bucket/prefix/"
weights.check(site)
uri = weights.stage(site, "bedrock-custom-import")
"""

import json
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from labs import facts
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import bedrock_roles
from labs.targets.base import Site

SAMPLE = "sample"
SAMPLE_CONFIG: Mapping[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}
"""A Llama that nobody has trained, small enough to be made on the spot."""
CHAT_TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"


@dataclass(frozen=True)
class Weights:
    """Files of a model in the Hugging Face layout."""

    source: str
    folder: Path | None
    """where they are on this machine; None when they are in S3"""

    @property
    def is_sample(self) -> bool:
        """Are they the made-up ones?"""
        return self.source == SAMPLE

    def uri(self, site: Site) -> str:
        """Where in S3 they are, or will be."""
        return f"s3://{bedrock_roles.bucket_name(site)}/weights/" if self.folder else self.source

    def sizes(self) -> dict[str, int]:
        """Bytes of each file, by its name under the folder or prefix."""
        if self.folder is not None:
            files = (path for path in self.folder.rglob("*") if path.is_file())
            return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in files}
        bucket, prefix = bedrock_roles.split(self.source)
        pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {
            entry["Key"].removeprefix(prefix): entry["Size"] for page in pages for entry in page.get("Contents", [])
        }

    def config(self) -> dict[str, Any]:
        """Its config.json. Raises Refusal when that is no JSON object."""
        try:
            found = json.loads(self._read("config.json"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refusal(f"config.json at {self.source} is no JSON object; nothing was created", FALSE)
        return found

    def check(self, site: Site) -> None:
        """Refuse what Custom Model Import refuses, before gigabytes are sent: a sentence for each."""
        if self.is_sample and site.cloud.real:
            raise Refusal(
                "weights=sample is a model that nobody has trained, for the local cloud; on AWS give weights=s3://bucket/prefix/ or a folder; nothing was created",
                USAGE,
            )
        sizes = self.sizes()
        if "config.json" not in sizes:
            adapter = (
                " It holds an adapter: merge it into its base model first." if "adapter_config.json" in sizes else ""
            )
            raise Refusal(f"there is no config.json at {self.source}.{adapter} Nothing was created", FALSE)
        if not any(name.endswith(".safetensors") for name in sizes):
            raise Refusal(
                f"there are no weights in the {facts.text('bedrock.import.format')} format (.safetensors) at {self.source}; nothing was created",
                FALSE,
            )
        limit_gb = facts.number("bedrock.import.text_max_gb")
        if (size_gb := self.weight_bytes(sizes) / 1e9) >= limit_gb:
            raise Refusal(
                f"the weights at {self.source} have {size_gb:,.0f} GB, and an import takes less than {limit_gb:g} GB: "
                "quantise them, or deploy them to sagemaker-gpu; nothing was created",
                FALSE,
            )

    def weight_bytes(self, sizes: Mapping[str, int] | None = None) -> int:
        """Bytes of the weights alone."""
        return sum(size for name, size in (sizes or self.sizes()).items() if name.endswith(".safetensors"))

    def stage(self, site: Site, target: str) -> str:
        """See that they are in S3: what is there with the same size is not sent again. Returns the URI of their folder."""
        uri = self.uri(site)
        if self.folder is None:
            return uri
        bucket = bedrock_roles.bucket(site, target)
        prefix = bedrock_roles.split(uri)[1]
        there = Weights(uri, None).sizes()
        s3 = boto3.client("s3")
        for name, size in sorted(self.sizes().items()):
            if there.get(name) != size:
                site.tell(f"sending {name} ({size / 1e6:,.1f} MB)")
                s3.upload_file(str(self.folder / name), bucket, f"{prefix}{name}")
        return uri

    def _read(self, name: str) -> bytes:
        if self.folder is not None:
            return (self.folder / name).read_bytes()
        bucket, prefix = bedrock_roles.split(self.source)
        return bytes(boto3.client("s3").get_object(Bucket=bucket, Key=f"{prefix}{name}")["Body"].read())


def find(source: str, base: str = "") -> Weights:
    """The weights that an option names: "sample", a folder, or "s3://bucket/prefix/". Raises Refusal.

    `base` is the base model that the sample says it was trained from, in its files' names, as SageMaker's own jobs do it.
    """
    if source == SAMPLE:
        return Weights(
            SAMPLE, make_sample(Path(tempfile.gettempdir()) / "deployment-dilemma-sample" / (base or "llama"), base)
        )
    if source.startswith("s3://"):
        try:
            bucket, prefix = bedrock_roles.split(source)
        except ValueError as wrong:
            raise Refusal(str(wrong), USAGE) from None
        return Weights(f"s3://{bucket}/{prefix.rstrip('/')}/" if prefix else f"s3://{bucket}/", None)
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise Refusal(f"there is no folder {source}; weights are 'sample', a folder, or s3://bucket/prefix/", USAGE)
    return Weights(source, folder)


def make_sample(folder: Path, base: str = "") -> Path:
    """Write the made-up model: configuration, chat template, and every tensor of it, all zeros."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = {
        "config.json": json.dumps(SAMPLE_CONFIG).encode(),
        "tokenizer_config.json": json.dumps({"chat_template": CHAT_TEMPLATE}).encode(),
        f"{base or 'model'}.safetensors": _safetensors(_tensors(SAMPLE_CONFIG)),
    }
    for name, content in files.items():
        if not (folder / name).exists() or (folder / name).read_bytes() != content:
            (folder / name).write_bytes(content)
    return folder


def _tensors(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a Llama's tensors."""
    hidden, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    keys = hidden * config["num_key_value_heads"] // config["num_attention_heads"]
    layer = {
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
        "input_layernorm": (hidden,),
        "post_attention_layernorm": (hidden,),
    }
    ends = {"model.embed_tokens": (vocabulary, hidden), "model.norm": (hidden,), "lm_head": (vocabulary, hidden)}
    layers = {
        f"model.layers.{number}.{name}": shape
        for number in range(config["num_hidden_layers"])
        for name, shape in layer.items()
    }
    return {f"{name}.weight": shape for name, shape in {**ends, **layers}.items()}


def _safetensors(tensors: Mapping[str, tuple[int, ...]]) -> bytes:
    """The format: the header's length in eight bytes, a JSON header, the data. https://huggingface.co/docs/safetensors"""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in tensors.items():
        begin = end
        end += 2 * (shape[0] * (shape[1] if len(shape) > 1 else 1))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(end)
