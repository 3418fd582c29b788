"""What a vLLM server of our own is started with: the model by its name at Hugging Face, the GPUs it is spread over, the length it is cut to.

settings = Settings(model="qwen3-0.6b", instance_type="g5.xlarge")
settings.repository                      # "Qwen/Qwen3-0.6B"
settings.arguments()                     # ["--model", "Qwen/Qwen3-0.6B", "--served-model-name", "qwen3-0.6b", ...]
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from labs.errors import USAGE, Refusal
from labs.facts import catalogue
from labs.facts.catalogue_schema import InstanceType

PORT = 8000
GATED = ("meta-llama/", "google/gemma")
"""Publishers of weights that are given out only to accounts that accepted their licence."""
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*")


@dataclass(frozen=True)
class Settings:
    """Raises Refusal for what cannot be: an unknown model, an instance without GPUs, more GPUs than it has."""

    model: str
    instance_type: str
    tensor_parallel: int = 0
    """GPUs that the model is spread over; 0 takes all of the instance's."""
    dtype: str = "auto"
    quantisation: str = ""
    max_model_len: int = 4096

    def __post_init__(self) -> None:
        for value in (self.model, self.dtype, self.quantisation or "none"):
            if not _WORD.fullmatch(value):  # it becomes a word of a shell's command line
                raise Refusal(f"'{value}' is no name that vLLM takes: letters, digits, '.', '_', '-', '/', ':'", USAGE)
        _ = self.repository
        if not 1 <= self.gpus <= self.hardware.count:
            raise Refusal(
                f"{self.instance_type} has {self.hardware.count} GPUs, so tensor_parallel is 1 to {self.hardware.count}, not "
                f"{self.tensor_parallel}",
                USAGE,
            )

    @property
    def hardware(self) -> InstanceType:
        """The instance in the catalogue. Raises Refusal for one that the catalogue lacks, or without GPUs."""
        found = catalogue.instance(self.instance_type)
        kind = catalogue.accelerator(found.accelerator).kind
        if found.service != "ec2" or kind != "gpu":
            known = [
                each.id
                for each in catalogue.instances().values()
                if each.service == "ec2" and each.price and catalogue.accelerator(each.accelerator).kind == "gpu"
            ]
            raise Refusal(
                f"{self.instance_type} is no EC2 instance with GPUs, for which this image is built; there are {', '.join(known)}",
                USAGE,
            )
        return found

    @property
    def gpus(self) -> int:
        return self.tensor_parallel or self.hardware.count

    @property
    def repository(self) -> str:
        """The model's name at Hugging Face: its own, or that of the catalogue's entry."""
        if "/" in self.model:
            return self.model
        weights = catalogue.model(self.model).weights
        if weights is None:
            raise Refusal(f"the weights of {self.model} are not public, so no server of our own can load them", USAGE)
        return urlsplit(weights).path.strip("/")

    @property
    def served_name(self) -> str:
        """What callers name it."""
        return self.model.rpartition("/")[2]

    @property
    def needs_token(self) -> bool:
        """Does Hugging Face give these weights only to those who accepted the licence?"""
        return self.repository.startswith(GATED)

    def arguments(self) -> list[str]:
        """What the server's command line says."""
        words = ["--model", self.repository, "--served-model-name", self.served_name]
        words += ["--tensor-parallel-size", str(self.gpus), "--dtype", self.dtype]
        words += ["--max-model-len", str(self.max_model_len), "--port", str(PORT)]
        return words + (["--quantization", self.quantisation] if self.quantisation else [])
