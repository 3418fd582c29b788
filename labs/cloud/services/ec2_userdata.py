"""What an instance's user data starts: the model server in it, if there is one, read out of the script without running it.

    read("#!/bin/bash\\ndocker run --gpus all -p 8000:8000 vllm/vllm-openai:v0.19 --model Qwen/Qwen3-0.6B")   # Container(...)

Understood are `docker run` of a vLLM or Triton image, `vllm serve`, `python -m vllm.entrypoints.openai.api_server` and `tritonserver`, in a
script, in a systemd unit or in cloud-config; with line continuations, shell variables that are set in the same script, and here-documents.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Literal

Kind = Literal["vllm", "triton"]
DOCKER_FLAGS = frozenset(
    [
        "-d",
        "--detach",
        "--rm",
        "-i",
        "-t",
        "-it",
        "-ti",
        "-dit",
        "-itd",
        "--interactive",
        "--tty",
        "--privileged",
        "--init",
        "--read-only",
        "--no-healthcheck",
        "-P",
        "--publish-all",
        "--oom-kill-disable",
    ]
)
"""Options of `docker run` that stand alone; every other one takes a value."""
SERVER_FLAGS = frozenset(
    [
        "--enable-prefix-caching",
        "--enforce-eager",
        "--trust-remote-code",
        "--disable-log-requests",
        "--disable-log-stats",
        "--enable-chunked-prefill",
        "--enable-auto-tool-choice",
        "--enable-lora",
        "--no-enable-prefix-caching",
        "--async-scheduling",
        "--return-tokens-as-token-ids",
    ]
)
"""Options of vLLM that stand alone."""
DEFAULT_PORT = 8000


@dataclass(frozen=True)
class Container:
    """A model server that user data starts."""

    kind: Kind
    model: str
    options: dict[str, str]
    """vLLM's options, by name without dashes"""
    port: int
    """where the instance answers"""
    image: str | None = None
    has_gpus: bool = True
    """Was it given the instance's GPUs?"""
    survives_reboot: bool = False
    has_token: bool = False
    """Does the script bring what Hugging Face asks of those who want gated weights?"""


def read(script: str) -> Container | None:
    """The model server that the script starts; None when it starts none that is known."""
    text = substituted(joined(script))
    stays = bool(
        re.search(r"--restart[= ](always|unless-stopped|on-failure)|\[Install\]|systemctl\s+(--now\s+)?enable", text)
    )
    token = bool(re.search(r"HF_TOKEN|HUGGING_FACE_HUB_TOKEN|huggingface-cli login|hf auth login", text))
    for line in text.splitlines():
        words = split(line)
        for i, word in enumerate(words):
            found = None
            if word.rpartition("/")[2] in ("docker", "nerdctl", "podman") and words[i + 1 : i + 2] == ["run"]:
                found = of_docker(words[i + 2 :], text)
            elif word.rpartition("/")[2] == "vllm" and words[i + 1 : i + 2] == ["serve"]:
                found = of_vllm(words[i + 2 :])
            elif word == "vllm.entrypoints.openai.api_server":
                found = of_vllm(words[i + 1 :])
            elif word.rpartition("/")[2] == "tritonserver":
                found = of_triton(words[i + 1 :], text)
            if found is not None:
                return Container(**{**vars(found), "survives_reboot": stays, "has_token": token})
    return None


def joined(script: str) -> str:
    """Continued lines as one."""
    return re.sub(r"\\\r?\n[ \t]*", " ", script.replace("\r\n", "\n"))


def substituted(text: str) -> str:
    """Shell variables replaced by what the script sets them to."""
    values: dict[str, str] = {}
    for name, value in re.findall(
        r"^\s*(?:export\s+|Environment=\"?)?([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|[^\s;\"]*)", text, re.MULTILINE
    ):
        values.setdefault(name, value.strip("\"'"))

    def value_of(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        return values.get(name, (found[2] or "")[2:] or found[0])

    for _ in range(3):  # a variable may be made of others
        text = re.sub(r"\$\{(\w+)(:-[^}]*)?\}|\$(\w+)", value_of, text)
    return text


def split(line: str) -> list[str]:
    line = re.sub(r"^\s*(ExecStart=|-\s+)", "", line)
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return line.split()
    return [part for word in words for part in (word.split() if " docker run " in f" {word} " else [word])]


def of_docker(words: list[str], text: str) -> Container | None:
    """The words after `docker run`: options, the image, and what the image is given."""
    published: list[str] = []
    host_network = has_gpus = False
    entrypoint = ""
    i = 0
    while i < len(words) and words[i].startswith("-"):
        name, has_value, value = words[i].partition("=")
        if not has_value and name not in DOCKER_FLAGS:
            i += 1
            value = words[i] if i < len(words) else ""
        match name:
            case "-p" | "--publish":
                published.append(value)
            case "--network" | "--net":
                host_network = value == "host"
            case "--gpus" | "--runtime" | "--device":
                has_gpus = True
            case "--entrypoint":
                entrypoint = value
        i += 1
    if i >= len(words):
        return None
    image, rest = words[i], words[i + 1 :]
    if "tritonserver" in image:
        rest = rest[1:] if rest[:1] == ["tritonserver"] else rest
        found = of_triton(rest, text)
    elif "vllm" in image:
        if rest[:2] == ["vllm", "serve"]:
            rest = rest[2:]
        elif rest[:1] == ["serve"] or entrypoint.endswith("vllm"):
            rest = rest[1:]
        found = of_vllm(rest)
    else:
        return None
    if found is None:
        return None
    port = found.port if host_network else host_port(published, found.port)
    return Container(**{**vars(found), "image": image, "has_gpus": has_gpus, "port": port})


def host_port(published: list[str], inside: int) -> int:
    """The instance's port that leads to the container's; 0 when none does."""
    for mapping in published:
        parts = mapping.removesuffix("/tcp").split(":")
        if parts[-1] == str(inside) and len(parts) > 1 and parts[-2].isdigit():
            return int(parts[-2])
    return 0


def of_vllm(words: list[str]) -> Container | None:
    options, model = {}, ""
    i = 0
    while i < len(words):
        word = words[i]
        if word in ("|", "||", "&", "&&", ";", ">", ">>", "2>&1"):
            break
        if word.startswith("--"):
            name, has_value, value = word[2:].partition("=")
            if not has_value and word not in SERVER_FLAGS and i + 1 < len(words) and not words[i + 1].startswith("--"):
                i += 1
                value = words[i]
            options[name.replace("_", "-")] = value
        elif not model and not word.startswith("-"):
            model = word
        i += 1
    model = options.get("model", model)
    if not model:
        return None
    port = options.get("port", "")
    return Container("vllm", model, options, int(port) if port.isdigit() else DEFAULT_PORT)


def of_triton(words: list[str], text: str) -> Container | None:
    """Triton with the vLLM back end: which model it has stands in the model's own model.json."""
    model = re.search(r'"model"\s*:\s*"([^"]+)"', text)
    if model is None:
        return None
    options = dict(
        re.findall(
            r'"(tensor_parallel_size|dtype|quantization|max_model_len|gpu_memory_utilization|max_num_seqs)"\s*:\s*"?([\w.]+)',
            text,
        )
    )
    name = re.search(r"/([\w.-]+)/1/model\.json", text)
    port = next((word.partition("=")[2] for word in words if word.startswith("--http-port=")), str(DEFAULT_PORT))
    named = {key.replace("_", "-"): value for key, value in options.items()} | {
        "served-model-name": name[1] if name else "vllm_model"
    }
    return Container("triton", model[1], named, int(port) if port.isdigit() else DEFAULT_PORT)
