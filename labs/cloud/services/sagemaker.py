"""Amazon SageMaker AI: hosting, inference components, JumpStart's hub, Neo and batch transform jobs, and the runtime that answers.

Moto keeps endpoints as names: they are in service at once, on the instance types of 2019, and answer with a fixed text. Here an endpoint
runs its model on the serving engine. What is not in OPERATIONS stays moto's own (training and processing jobs, experiments, pipelines...).
"""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from labs.cloud.context import Context
from labs.cloud.services import sagemaker_components as components
from labs.cloud.services import sagemaker_configs as configs
from labs.cloud.services import sagemaker_endpoints as endpoints
from labs.cloud.services import sagemaker_entrance as entrance
from labs.cloud.services import sagemaker_jumpstart as jumpstart
from labs.cloud.services import sagemaker_metrics as metrics
from labs.cloud.services import sagemaker_models as models
from labs.cloud.services import sagemaker_neo as neo
from labs.cloud.services import sagemaker_rollout as rollout
from labs.cloud.services import sagemaker_runtime as runtime
from labs.cloud.services import sagemaker_transform as transform
from labs.cloud.services.sagemaker_hosting import Hosting, Told, of
from labs.cloud.services.sagemaker_tags import OURS, add_tags, delete_tags, list_tags
from labs.cloud.services.sagemaker_validation import checked

Operation = Callable[[Hosting, Told], Told]

OPERATIONS: dict[str, Operation] = {
    "CreateModel": models.create,
    "DescribeModel": models.describe,
    "ListModels": models.listed,
    "DeleteModel": models.delete,
    "CreateEndpointConfig": configs.create,
    "DescribeEndpointConfig": configs.describe,
    "ListEndpointConfigs": configs.listed,
    "DeleteEndpointConfig": configs.delete,
    "CreateEndpoint": endpoints.create,
    "DescribeEndpoint": endpoints.describe,
    "ListEndpoints": endpoints.listed,
    "UpdateEndpoint": rollout.update,
    "UpdateEndpointWeightsAndCapacities": endpoints.update_weights_and_capacities,
    "DeleteEndpoint": endpoints.delete,
    "CreateInferenceComponent": components.create,
    "DescribeInferenceComponent": components.describe,
    "ListInferenceComponents": components.listed,
    "UpdateInferenceComponent": components.update,
    "UpdateInferenceComponentRuntimeConfig": components.update_runtime_config,
    "DeleteInferenceComponent": components.delete,
    "DescribeHubContent": jumpstart.describe,
    "ListHubContents": jumpstart.listed,
    "CreateCompilationJob": neo.create,
    "DescribeCompilationJob": neo.describe,
    "ListCompilationJobs": neo.listed,
    "StopCompilationJob": neo.stop,
    "DeleteCompilationJob": neo.delete,
    "CreateTransformJob": transform.create,
    "DescribeTransformJob": transform.describe,
    "ListTransformJobs": transform.listed,
    "StopTransformJob": transform.stop,
}
"""API operation: what carries it out."""


def install(context: Context) -> None:
    """Replace moto's hosting, and give its runtime a data plane."""
    from botocore import xform_name

    for name, carry_out in OPERATIONS.items():
        # Cures: in moto an endpoint is in service at once and on old instance types only; updates, components, hubs do not exist.
        context.patch(SageMakerResponse, xform_name(name), method(context, name, carry_out))
    for name, ours in (("AddTags", add_tags), ("ListTags", list_tags), ("DeleteTags", delete_tags)):
        # Cures: moto finds tags only of the resources that it keeps itself.
        moto_own = getattr(SageMakerResponse, xform_name(name))
        context.patch(SageMakerResponse, xform_name(name), tag_method(context, name, ours, moto_own))
    entrance.install(context)
    runtime.install(context)
    metrics.install(context)


def method(context: Context, name: str, carry_out: Operation) -> Callable[[Any], ActionResult]:
    """An operation as a method of moto's response class."""

    def answer(self: Any) -> ActionResult:
        params = checked(name, entrance.read(self.params))
        hosting = of(context, self.current_account, self.region)
        with hosting.lock:
            hosting.settle()
            return ActionResult(carry_out(hosting, params))

    return answer


def tag_method(context: Context, name: str, ours: Operation, moto_own: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Tags of our resources; those of moto's own stay moto's."""

    def answer(self: Any) -> Any:
        params = checked(name, entrance.read(self.params))
        if params["ResourceArn"].split(":")[-1].partition("/")[0] not in OURS:
            return moto_own(self)
        hosting = of(context, self.current_account, self.region)
        with hosting.lock:
            hosting.settle()
            return ActionResult(ours(hosting, params))

    return answer
