"""AWS's container for large models (LMI) with vLLM in it, as the targets on GPUs are told to run it."""

from dataclasses import dataclass

from labs.targets import sagemaker_hosting as hosting
from labs.targets.base import Site
from labs.targets.options import option
from labs.targets.sagemaker_endpoint import SageMakerEndpoint


@dataclass(frozen=True)
class LmiEndpoint(SageMakerEndpoint):
    """The default model needs no licence; Llama does (see `token_secret`)."""

    hardware = "gpu"
    image_fact = "sagemaker.image.lmi"
    ami_fact = "sagemaker.image.ami_gpu"

    model: str = option("qwen3-0.6b", "A model of the catalogue, or a name at Hugging Face.")
    instance_type: str = option("ml.g5.2xlarge", "The endpoint's instances: ml.g5, ml.g6, ml.g6e, ml.p4d, ml.p5 ...")
    tensor_parallel: int = option(0, "GPUs that one copy of the model is spread over; 0 for all of the instance's.")
    max_model_len: int = option(8192, "Longest prompt and answer together, in tokens.")
    max_batch: int = option(0, "Requests that one copy works on at once; 0 for the container's own choice.")
    dtype: str = option("", "bf16 or fp16; empty for what the weights are.")
    quantize: str = option("", "How the weights are quantised (fp8, awq, gptq); empty for what they are.")

    def environment(self, site: Site) -> dict[str, str]:  # noqa: ARG002
        """LMI's settings: an OPTION_ for each of its configuration's."""
        return lmi_environment(
            self.named_model,
            hosting.parallel_of(self.instance_type, self.tensor_parallel),
            self.max_model_len,
            self.max_batch,
            self.dtype,
            self.quantize,
        ) | hosting.token_variable(self.token_secret)


def lmi_environment(
    model: str, parallel: int, max_model_len: int, max_batch: int = 0, dtype: str = "", quantize: str = ""
) -> dict[str, str]:
    """What LMI with vLLM is told."""
    settings = {
        "HF_MODEL_ID": model,
        "OPTION_ROLLING_BATCH": "disable",  # since V15, vLLM's own asynchronous engine, which needs the next one
        "OPTION_ASYNC_MODE": "true",
        "OPTION_ENTRYPOINT": "djl_python.lmi_vllm.vllm_async_service",
        "OPTION_TENSOR_PARALLEL_DEGREE": str(parallel),
        "OPTION_MAX_MODEL_LEN": str(max_model_len),
        "OPTION_MAX_ROLLING_BATCH_SIZE": str(max_batch or ""),
        "OPTION_DTYPE": dtype,
        "OPTION_QUANTIZE": quantize,
        "SERVING_FAIL_FAST": "true",  # a model that cannot load ends the container at once, and its reason is in the log
    }
    return {name: value for name, value in settings.items() if value}
