"""`sagemaker-gpu`: AWS's container for large models (LMI, with vLLM in it) on GPUs behind a real-time endpoint, scaled on requests at once."""

from dataclasses import dataclass

from labs.targets.base import Kind
from labs.targets.sagemaker_lmi import LmiEndpoint


@dataclass(frozen=True)
class SageMakerGpu(LmiEndpoint):
    """Scaled on CPU instead (`scaling=cpu`) it is the lesson's counter-example."""

    name = "sagemaker-gpu"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})
