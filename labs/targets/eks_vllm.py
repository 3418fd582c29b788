"""`eks-vllm`: vLLM as a Deployment on an EKS cluster, with probes, a device plugin and an autoscaler that looks at waiting requests."""

import json
from dataclasses import dataclass

from labs import facts
from labs.targets.eks import OnEks


@dataclass(frozen=True)
class EksVllm(OnEks):
    """See the module's docstring."""

    name = "eks-vllm"

    def values(self) -> dict[str, str]:
        return {
            "image": self.image or facts.text("ec2.own.vllm_image"),
            "arguments": json.dumps(self.settings.arguments()),
        }
