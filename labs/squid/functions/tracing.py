"""Traces, where the stack asks for them (its parameter Tracing): a subsegment around the handler, annotated with cold starts.

Off by default: X-Ray's SDK is not even imported then, which an idle function's first request would pay for, and which needs an X-Ray to talk to.
"""

import os
from collections.abc import Callable
from typing import Any

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def traced(handler: Handler) -> Handler:
    """The handler, traced or as it is. What it returns is not recorded: it may hold an answer."""
    if os.environ.get("TRACING") != "Active":
        return handler
    from aws_lambda_powertools import Tracer

    wrapped: Handler = Tracer(patch_modules=["botocore"]).capture_lambda_handler(handler, capture_response=False)
    return wrapped
