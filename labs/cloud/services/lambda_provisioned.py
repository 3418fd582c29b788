"""Provisioned concurrency: environments of a published version that are started ahead and stay warm.

Moto 5.2.5 has none of its operations.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from labs.cloud import metrics, scalables
from labs.cloud.context import Context
from labs.cloud.services.lambda_ import client_error, frozen, invalid, package_of, reserved, runner_of

GAUGED_EVERY_S = 10.0
ALLOCATION_S_ON_AWS = 60.0
"""How long AWS takes to allocate: a minute or two."""


@dataclass
class Provision:
    """What was asked for one qualifier, and what there is."""

    function: Any
    requested: int
    status: str = "IN_PROGRESS"
    available: int = 0
    changed: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AvailableProvisionedConcurrentExecutions": self.available,
            "AllocatedProvisionedConcurrentExecutions": self.available,
            "Status": self.status,
            "LastModified": self.changed,
        }


class ScalableConcurrency:
    """Provisioned concurrency of one version or alias."""

    def __init__(self, provision: Callable[[], Provision | None], set_desired: Callable[[int], None]) -> None:
        self._provision, self.set_desired = provision, set_desired

    def current(self) -> int:
        """What was asked for."""
        provision = self._provision()
        return provision.requested if provision is not None else 0


def install(context: Context) -> None:
    """Answer the four operations."""
    from moto.awslambda import urls
    from moto.awslambda.responses import LambdaResponse

    runtime = runner_of(context).runtime
    stopping = threading.Event()
    context.on_close(stopping.set)
    provisions: dict[tuple[str, str], Provision] = {}

    def allocate(provision: Provision) -> None:
        if stopping.wait(context.wait_s(ALLOCATION_S_ON_AWS)):
            return
        had = runtime.provision(frozen(provision.function), lambda: package_of(provision.function), provision.requested)
        provision.available, provision.status = had, "READY" if had >= provision.requested else "FAILED"

    def named(self: Any) -> tuple[Any, str]:
        function = self.backend.get_function(unquote(self.path.split("?")[0].split("/")[-2]))
        return function, self.querystring.get("Qualifier", [""])[0]

    def put_provisioned_concurrency_config(self: Any) -> tuple[int, dict[str, Any], str]:
        function, qualifier = named(self)
        if qualifier in ("", "$LATEST"):
            raise invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        version = self.backend.get_function(function.function_name, qualifier)
        wanted = int(self.json_body.get("ProvisionedConcurrentExecutions") or 0)
        if wanted < 1:
            raise invalid("ProvisionedConcurrentExecutions must be at least 1.")
        kept = reserved(function)
        if kept is not None and wanted > kept:
            raise invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
            )
        return 202, {}, json.dumps(ask(function.function_arn, qualifier, version, wanted).as_json())

    def ask(arn: str, qualifier: str, version: Any, wanted: int) -> Provision:
        changed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
        provision = provisions[arn, qualifier] = Provision(version, wanted, changed=changed)
        threading.Thread(target=allocate, args=(provision,), name="provision", daemon=True).start()
        return provision

    def scalable(region: str, resource_id: str, _dimension: str) -> "ScalableConcurrency | None":
        """What Application Auto Scaling may scale: any version or alias, whether it has provisioned concurrency yet or not."""
        from moto.awslambda.models import lambda_backends

        _, name, qualifier = resource_id.split(":")
        try:
            backend = lambda_backends[context.account_id][region]
            arn, version = backend.get_function(name).function_arn, backend.get_function(name, qualifier)
        except Exception:  # moto has several for a function that is not there
            return None

        def set_desired(wanted: int) -> None:
            if wanted:
                ask(arn, qualifier, version, wanted)
            elif (provision := provisions.pop((arn, qualifier), None)) is not None:
                runtime.release(frozen(provision.function))

        return ScalableConcurrency(lambda: provisions.get((arn, qualifier)), set_desired)

    def gauge(_now: float) -> None:
        for (_, qualifier), provision in list(provisions.items()):
            if provision.available:
                function = provision.function
                name = function.function_name
                busy = min(1.0, runtime.concurrency(name) / provision.available)
                metrics.put(
                    context,
                    function.region,
                    "AWS/Lambda",
                    "ProvisionedConcurrencyUtilization",
                    busy,
                    FunctionName=name,
                    Resource=f"{name}:{qualifier}",
                )

    scalables.register_finder(context, "lambda", scalable)
    metrics.every(context, GAUGED_EVERY_S, gauge)

    def get_provisioned_concurrency_config(self: Any) -> tuple[int, dict[str, Any], str]:
        return 200, {}, json.dumps(found(self).as_json())

    def delete_provisioned_concurrency_config(self: Any) -> tuple[int, dict[str, Any], str]:
        provision = found(self)
        function, qualifier = named(self)
        del provisions[function.function_arn, qualifier]
        runtime.release(frozen(provision.function))
        return 204, {}, ""

    def list_provisioned_concurrency_configs(self: Any) -> tuple[int, dict[str, Any], str]:
        function, _ = named(self)
        configs = [
            {"FunctionArn": f"{arn}:{qualifier}", **provision.as_json()}
            for (arn, qualifier), provision in provisions.items()
            if arn == function.function_arn
        ]
        return 200, {}, json.dumps({"ProvisionedConcurrencyConfigs": configs})

    def found(self: Any) -> Provision:
        function, qualifier = named(self)
        provision = provisions.get((function.function_arn, qualifier))
        if provision is None:
            raise client_error(
                404,
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
            )
        return provision

    for action in (
        put_provisioned_concurrency_config,
        get_provisioned_concurrency_config,
        delete_provisioned_concurrency_config,
        list_provisioned_concurrency_configs,
    ):
        context.patch(LambdaResponse, action.__name__, action)
    path = r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[^/]+)/provisioned-concurrency/?$"
    urls.url_paths[path] = LambdaResponse.dispatch
