"""Bedrock's control plane: what can be called, and everything an account makes so that it can be called.

Moto has customisation jobs and custom models, whose answers do not have the API's shape, and none of the rest.
"""

from collections.abc import Callable
from typing import Any

from moto.bedrock.responses import BedrockResponse
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores

from labs.cloud.context import Context
from labs.cloud.services import (
    bedrock_access,
    bedrock_batch,
    bedrock_custom,
    bedrock_deployments,
    bedrock_import,
    bedrock_profiles,
    bedrock_provisioned,
    bedrock_tags,
)
from labs.cloud.services.bedrock_account import Account, accounts
from labs.cloud.services.bedrock_check import check

Operation = Callable[[Account, dict[str, Any]], dict[str, Any]]

OPERATIONS: dict[str, Operation] = {
    **bedrock_access.OPERATIONS,
    **bedrock_profiles.OPERATIONS,
    **bedrock_provisioned.OPERATIONS,
    **bedrock_import.OPERATIONS,
    **bedrock_custom.OPERATIONS,
    **bedrock_deployments.OPERATIONS,
    **bedrock_batch.OPERATIONS,
    **bedrock_tags.OPERATIONS,
}
"""Operation: what answers it."""


def install(context: Context) -> None:
    """Give moto's Bedrock its control plane."""
    known = accounts(context)

    def method(name: str, operation: Operation) -> Callable[[Any], ActionResult]:
        def answer(self: Any) -> ActionResult:
            # Cures: moto reads the parameters of this service by hand in each of its few methods.
            self.parse_parameters(self.normalized_request)
            params = {key: value for key, value in self.params.items() if value is not None}
            check("bedrock", name, params)
            known.later.settle()
            account = known.of(self.current_account, self.region)
            with account.lock:  # a name is not taken twice
                return ActionResult(operation(account, params))

        return answer

    for name, operation in OPERATIONS.items():
        context.patch(BedrockResponse, camelcase_to_underscores(name), method(name, operation))
