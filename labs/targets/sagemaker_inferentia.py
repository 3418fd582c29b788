"""`sagemaker-inferentia`: AWS's container for large models on Inferentia2 behind a real-time endpoint; the model is compiled for its NeuronCores.

The account's quota for ml.inf2 is 0 by default, and LLM serving on Inf2 is in maintenance mode: the sheet says what that means.
"""

from dataclasses import dataclass
from typing import Any

from labs.targets import sagemaker_hosting as hosting
from labs.targets.base import Kind, Site
from labs.targets.options import option
from labs.targets.sagemaker_endpoint import SageMakerEndpoint


@dataclass(frozen=True)
class SageMakerInferentia(SageMakerEndpoint):
    """The default model needs no licence and is of an architecture that this container compiles; Llama does need one."""

    name = "sagemaker-inferentia"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})
    hardware = "neuron"
    image_fact = "sagemaker.image.lmi_neuron"
    ami_fact = "sagemaker.image.ami_neuron"

    model: str = option("mistral-7b", "A model of the catalogue, or a name at Hugging Face.")
    instance_type: str = option("ml.inf2.xlarge", "The endpoint's instances: ml.inf2, or ml.trn1.")
    tensor_parallel: int = option(0, "NeuronCores that one copy is spread over; 0 for all of the instance's.")
    n_positions: int = option(2048, "Length that the model is compiled for: prompt and answer together, in tokens.")
    max_batch: int = option(4, "Requests that one copy is compiled to work on at once.")
    dtype: str = option("bf16", "Precision that it is compiled to: bf16 or fp16.")
    quantize: str = option("", "static_int8 keeps the weights in 8 bits; empty for none.")
    startup_timeout_s: int = option(3600, "Download, compilation and loading until the first health check.")

    def environment(self, site: Site) -> dict[str, str]:  # noqa: ARG002
        """LMI's settings for Neuron; a change of any length, batch or precision is another compilation."""
        settings = {
            "HF_MODEL_ID": self.named_model,
            "OPTION_ENTRYPOINT": "djl_python.transformers_neuronx",
            "OPTION_ROLLING_BATCH": "auto",
            "OPTION_TENSOR_PARALLEL_DEGREE": str(hosting.parallel_of(self.instance_type, self.tensor_parallel)),
            "OPTION_N_POSITIONS": str(self.n_positions),
            "OPTION_MAX_ROLLING_BATCH_SIZE": str(self.max_batch),
            "OPTION_DTYPE": self.dtype,
            "OPTION_QUANTIZE": self.quantize,
            "OPTION_MODEL_LOADING_TIMEOUT": str(self.startup_timeout_s),
        }
        return {name: value for name, value in settings.items() if value} | hosting.token_variable(self.token_secret)

    def describe(self, site: Site) -> dict[str, Any]:
        """With what its model was compiled for: a simulation of it wants batch, precision and cores."""
        return (
            super().describe(site)
            | {"model": hosting.catalogue_id(self.outputs(site)["ModelId"])}
            | hosting.served(site.name)
        )
