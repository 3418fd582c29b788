"""What SageMaker checks of a request before it looks at anything else.

Botocore's client checks types; lengths, ranges, patterns and enumerations it leaves to the service.
"""

from typing import Any

from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

from labs.cloud.services.constraints import counted, violations
from labs.cloud.services.errors import ServiceError


def refused(message: str) -> ServiceError:
    """A ValidationException of the control plane."""
    return ServiceError("ValidationException", message)


def checked(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of `operation`, or AWS's refusal of them."""
    given = {name: value for name, value in params.items() if value is not None}
    shape = get_service_model("sagemaker").operation_model(operation).input_shape
    report = ParamValidator().validate(given, shape)
    if report.has_errors():
        raise refused(report.generate_report())
    if wrong := list(violations(shape, given)):
        raise refused(counted(wrong))
    return given
