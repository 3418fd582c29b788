"""Where a model can be deployed: one module per target, all behind one small seam (`labs.targets.base.Target`).

    from labs import cloud, targets
    target = targets.get("bedrock-on-demand")(model_id="amazon.nova-lite-v1:0")
    site = targets.Site(cloud.connect(), "mine")
    print(asking.ask(target, site, "Name three rivers.", max_tokens=50).text)

To add one: write its module, and enter its class in TARGETS.
"""

from collections.abc import Callable

from labs.errors import USAGE, Refusal
from labs.targets.base import Address, Kind, Reply, Site, Target
from labs.targets.bedrock_batch import BedrockBatch
from labs.targets.bedrock_custom_import import BedrockCustomImport
from labs.targets.bedrock_custom_on_demand import BedrockCustomOnDemand
from labs.targets.bedrock_on_demand import BedrockOnDemand
from labs.targets.bedrock_provisioned import BedrockProvisioned
from labs.targets.ec2_vllm import Ec2Vllm
from labs.targets.edge_greengrass import EdgeGreengrass
from labs.targets.eks_triton import EksTriton
from labs.targets.eks_vllm import EksVllm
from labs.targets.sagemaker_async import SageMakerAsync
from labs.targets.sagemaker_components import SageMakerComponents
from labs.targets.sagemaker_gpu import SageMakerGpu
from labs.targets.sagemaker_graviton import SageMakerGraviton
from labs.targets.sagemaker_inferentia import SageMakerInferentia
from labs.targets.sagemaker_jumpstart import SageMakerJumpStart
from labs.targets.sagemaker_serverless import SageMakerServerless

__all__ = ["TARGETS", "Address", "Kind", "Reply", "Site", "Target", "get"]

TARGETS: dict[str, Callable[..., Target]] = {
    each.name: each
    for each in (
        BedrockOnDemand,
        BedrockBatch,
        BedrockProvisioned,
        BedrockCustomImport,
        BedrockCustomOnDemand,
        Ec2Vllm,
        EksVllm,
        EksTriton,
        EdgeGreengrass,
        SageMakerGpu,
        SageMakerInferentia,
        SageMakerJumpStart,
        SageMakerAsync,
        SageMakerServerless,
        SageMakerComponents,
        SageMakerGraviton,
    )
}
"""name: what makes one; keyword arguments are the target's own options"""


def get(name: str) -> Callable[..., Target]:
    """The target of this name; a Refusal that lists them all when there is none."""
    if name not in TARGETS:
        raise Refusal(f"there is no target '{name}'; the targets are: {', '.join(sorted(TARGETS))}", USAGE)
    return TARGETS[name]
