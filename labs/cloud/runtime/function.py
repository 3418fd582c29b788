"""A function as its execution environments see it: a frozen copy of everything that decides how its code runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
"""Set by Lambda; CreateFunction refuses a function that sets them itself."""


@dataclass(frozen=True)
class Function:
    """One version of a function, with one configuration."""

    name: str
    arn: str
    version: str
    region: str
    runtime: str
    handler: str
    memory_mb: int
    timeout_s: int
    code_sha256: str
    variables: tuple[tuple[str, str], ...] = ()
    layers: tuple[str, ...] = ()
    own_log_group: str | None = None
    """LoggingConfig.LogGroup"""
    log_format: str = "Text"
    log_level: str | None = None

    @property
    def log_group(self) -> str:
        return self.own_log_group or f"/aws/lambda/{self.name}"

    def reserved_environment(self, log_stream: str, task_root: str, *, provisioned: bool = False) -> dict[str, str]:
        """The variables that Lambda sets, all but the credentials and the runtime API's address."""
        return {
            "_HANDLER": self.handler,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.runtime}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency" if provisioned else "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": self.log_format,
            "AWS_LAMBDA_LOG_GROUP_NAME": self.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "AWS_REGION": self.region,
            "LAMBDA_TASK_ROOT": task_root,
            "TZ": ":UTC",
        } | ({"AWS_LAMBDA_LOG_LEVEL": self.log_level} if self.log_level else {})


def leads_astray(name: str) -> bool:
    """Would this variable lead the function's AWS SDK to another cloud, or to other credentials?"""
    upper = name.upper()
    return bool(
        re.match(
            r"AWS_(ENDPOINT_URL|IGNORE_CONFIGURED|PROFILE|DEFAULT_PROFILE|CONFIG_FILE|SHARED_CRED|CREDENTIAL|ROLE_|WEB_IDENTITY|CONTAINER_)",
            upper,
        )
    ) or upper in ("BOTO_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def forbidden(variables: Mapping[str, str]) -> list[str]:
    """The names in a function's environment that CreateFunction must refuse, sorted."""
    return sorted(name for name in variables if name in RESERVED_VARIABLES or leads_astray(name))
