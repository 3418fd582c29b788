"""What the local cloud adds to moto, service by service, installed in one call, in-process and in the server alike.

    from moto import mock_aws
    from labs.cloud.context import Context
    from labs.cloud import extension

    context = Context(home=Path(folder))
    with mock_aws():
        extension.install(context)
        boto3.client("bedrock-runtime").converse(...)
    context.close()

A service's module is imported only when moto first needs that service: importing all of moto takes seconds.
"""

import threading
from importlib import import_module
from typing import Any

from labs.cloud.context import Context

SERVICES: dict[str, tuple[str, ...]] = {
    "sqs": ("sqs",),
    "dynamodb": ("dynamodb",),
    "cloudwatch": ("cloudwatch",),
    "iam": ("iam_simulation", "iam_profiles"),
    "servicequotas": ("service_quotas",),
    "applicationautoscaling": ("cloudwatch", "autoscaling"),
    "s3": ("s3",),
    "awslambda": (
        "sqs",
        "lambda_",
        "lambda_permissions",
        "lambda_url",
        "lambda_provisioned",
        "event_source",
        "dynamodb_streams",
        "sns_lambda",
    ),
    "apigateway": ("sqs", "lambda_", "lambda_permissions", "lambda_url", "lambda_provisioned", "apigateway"),
    "bedrock": ("bedrock",),
    "appsync": ("appsync",),
    "ec2": ("ec2",),
    "eks": ("ec2", "eks"),
    "ssm": ("ec2_images",),
    "bedrockruntime": ("bedrock_runtime",),
    "sagemaker": ("sqs", "sagemaker"),
    "sagemakerruntime": ("sqs", "sagemaker"),
    "cloudformation": ("sqs", "dynamodb", "lambda_", "event_source", "cloudformation"),
}
"""moto's name of a service: our modules (in `labs.cloud.services`) that must be in place before it answers, in the order to install them.

CloudFormation makes other services' resources without calling their API, so it needs theirs too.
"""


class Extension:
    """The modules installed for one context."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._installed: set[str] = set()
        self._lock = threading.RLock()

    def prepare(self, service: str) -> None:
        """Install what `service` (moto's name) needs, once."""
        with self._lock:
            for module in SERVICES.get(service, ()):
                if module not in self._installed:
                    self._installed.add(module)
                    import_module(f"labs.cloud.services.{module}").install(self._context)

    def open_account(self) -> None:
        """Set up the account that every call is made in, which takes moto a moment; else the first call waits for it."""
        from moto.iam.models import iam_backends

        _ = iam_backends[self._context.account_id]["aws"]

    def warm_up(self, *services: Any) -> None:
        """Import these services (moto's names) now, so that their first call does not wait for it."""
        import moto.backends

        for service in services:
            self.prepare(service)
            moto.backends.get_backend(service)


def install(context: Context) -> Extension:
    """Extend moto in this process until `context.close()`."""
    import moto.backends

    from labs.cloud.services import core, pricing

    core.install(context)
    pricing.extend(context)
    extension = Extension(context)
    get_backend = moto.backends.get_backend

    def get_extended_backend(name: Any) -> Any:
        extension.prepare(name)
        return pricing.backends() if name == "pricing" else get_backend(name)

    # Both of moto's entrances, the server's and the in-process one, ask here for a service before its first call.
    context.patch(moto.backends, "get_backend", get_extended_backend)
    return extension
