"""What the queue pattern costs beside the model: the worker that waits, the queue, the table, the front door, the way back.

    squid(4_380_000, wait_s=10, memory_mb=512).usd        # the wait is nearly all of it

Free tiers are left out: they hide the shape of a bill and end with the first month of real traffic.
"""

from __future__ import annotations

from math import ceil
from typing import Literal

from labs.economics.bill import Bill, Line, total
from labs.economics.prices import usd

Architecture = Literal["x86", "arm"]

MB_PER_GB = 1024
"""Lambda bills memory in units of 1,024 MB."""


def function(invocations: float, duration_s: float, memory_mb: float, architecture: Architecture = "arm") -> Bill:
    """Lambda: every invocation, and its memory for as long as it runs, waiting on a model included."""
    gb_s = f"lambda.price.per_gb_s_{architecture}"
    return Bill(
        "Lambda",
        (
            Line(
                "Lambda requests",
                invocations / 1e6,
                "million",
                usd("lambda.price.per_million_requests"),
                ("lambda.price.per_million_requests",),
            ),
            Line(
                "Lambda memory while it runs",
                invocations * duration_s * memory_mb / MB_PER_GB,
                "GB-second",
                usd(gb_s),
                (gb_s,),
            ),
        ),
    )


def messages(
    count: float, message_bytes: float = 1024, calls_per_message: float = 3, batch: int = 1, fifo: bool = False
) -> Bill:
    """SQS: send, receive and delete of each message, billed for every started 64 KB; a batch call counts once per 64 KB of all it holds."""
    price = "sqs.price.fifo_per_million_requests" if fifo else "sqs.price.per_million_requests"
    chunk_bytes = usd("sqs.price.chunk_kb") * 1024
    billed = count / batch * max(1, ceil(message_bytes * batch / chunk_bytes)) * calls_per_message
    return Bill("SQS", (Line("SQS requests", billed / 1e6, "million", usd(price), (price, "sqs.price.chunk_kb")),))


def table(writes: float, reads: float, item_bytes: float = 1024) -> Bill:
    """DynamoDB on demand: a write unit for each started KiB, a read unit (strongly consistent) for each started 4 KiB."""
    write, read = "dynamodb.price.per_million_writes", "dynamodb.price.per_million_reads"
    return Bill(
        "DynamoDB",
        (
            Line("DynamoDB writes", writes * max(1, ceil(item_bytes / 1024)) / 1e6, "million", usd(write), (write,)),
            Line("DynamoDB reads", reads * max(1, ceil(item_bytes / 4096)) / 1e6, "million", usd(read), (read,)),
        ),
    )


def http_api(requests: float) -> Bill:
    """API Gateway HTTP API: every request through the front door, each poll included."""
    price = "apigateway.price.http_per_million"
    return Bill("API Gateway", (Line("API requests", requests / 1e6, "million", usd(price), (price,)),))


def rest_api(requests: float) -> Bill:
    """API Gateway REST API, in its first price step."""
    price = "apigateway.price.rest_per_million"
    return Bill("API Gateway", (Line("API requests", requests / 1e6, "million", usd(price), (price,)),))


def websocket(sent: float, connection_minutes: float) -> Bill:
    """API Gateway WebSocket API: messages in either direction, and minutes connected."""
    message, minute = (
        "apigateway.price.websocket_per_million_messages",
        "apigateway.price.websocket_per_million_connection_minutes",
    )
    return Bill(
        "API Gateway WebSocket",
        (
            Line("WebSocket messages", sent / 1e6, "million", usd(message), (message,)),
            Line("WebSocket connection minutes", connection_minutes / 1e6, "million", usd(minute), (minute,)),
        ),
    )


def events(updates: float, connection_minutes: float) -> Bill:
    """AppSync: real-time updates delivered, and minutes connected."""
    update, minute = "appsync.price.updates_per_million", "appsync.price.per_million_connection_minutes"
    return Bill(
        "AppSync",
        (
            Line("AppSync updates", updates / 1e6, "million", usd(update), (update,)),
            Line("AppSync connection minutes", connection_minutes / 1e6, "million", usd(minute), (minute,)),
        ),
    )


def squid(
    jobs: float,
    wait_s: float,
    memory_mb: float = 512,
    architecture: Architecture = "arm",
    batch: int = 1,
    message_bytes: float = 1024,
    item_bytes: float = 2048,
    polls: float = 2,
) -> Bill:
    """A month of the queue pattern around `jobs` model calls of `wait_s` each; the model's own bill is not in it.

    With `batch` messages an invocation answers them one after another, so it runs `batch` times as long, `batch` times as rarely.
    A job is written when it is claimed and when it is done, and read `polls` times through the HTTP API, which also takes it in.
    """
    return total(
        "queue pattern",
        (
            http_api(jobs * (1 + polls)),
            messages(jobs, message_bytes, batch=batch),
            function(jobs / batch, wait_s * batch, memory_mb, architecture),
            table(2 * jobs, polls * jobs, item_bytes),
        ),
    )
