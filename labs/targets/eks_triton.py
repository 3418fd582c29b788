"""`eks-triton`: Triton on an EKS cluster, with vLLM as its back end and the place where a C++ back end of one's own goes in."""

import json
from dataclasses import dataclass

from labs import facts
from labs.targets.eks import OnEks


@dataclass(frozen=True)
class EksTriton(OnEks):
    """See the module's docstring."""

    name = "eks-triton"

    @property
    def health_path(self) -> str:
        return "/health/ready"

    def values(self) -> dict[str, str]:
        settings = self.settings
        engine = {
            "model": settings.repository,
            "tensor_parallel_size": settings.gpus,
            "dtype": settings.dtype,
            "max_model_len": settings.max_model_len,
        }
        return {
            "image": self.image or facts.text("ec2.own.triton_image"),
            "model_json": json.dumps(engine),
            "repository": settings.repository,
            "served_name": settings.served_name,
        }
