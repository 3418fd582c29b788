"""What SQS tells CloudWatch: of each call what it sent, received and deleted, and from time to time how long each queue is and how old.

On AWS the lengths come once a minute; here every ten seconds of the minute, so that a short lab has something to look at.
"""

import time
from typing import Any

from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.messages import MessageStore

NAMESPACE = "AWS/SQS"
GAUGED_EVERY_S = 10.0


def install(context: Context) -> None:
    """Measure every queue from time to time."""
    metrics.every(context, GAUGED_EVERY_S, lambda _: look(context))


def count(context: Context, queue: Any, name: str, value: float = 1.0, unit: str = "Count") -> None:
    """Record something of a moto queue."""
    metrics.put(context, queue.region, NAMESPACE, name, value, unit, QueueName=queue.name)


def sent(context: Context, queue: Any, size_bytes: int) -> None:
    count(context, queue, "NumberOfMessagesSent")
    count(context, queue, "SentMessageSize", size_bytes, "Bytes")


def received(context: Context, queue: Any, messages: int) -> None:
    if messages:
        count(context, queue, "NumberOfMessagesReceived", messages)
    else:
        count(context, queue, "NumberOfEmptyReceives")


def look(context: Context) -> None:
    """Record how every queue stands."""
    from moto.sqs.models import sqs_backends

    now = time.time()
    for account in list(sqs_backends.values()):
        for backend in list(account.values()):
            for queue in list(backend.queues.values()):
                store: MessageStore = vars(queue)["store"]
                count(context, queue, "ApproximateNumberOfMessagesVisible", store.visible)
                count(context, queue, "ApproximateNumberOfMessagesNotVisible", store.in_flight)
                count(context, queue, "ApproximateNumberOfMessagesDelayed", store.delayed)
                oldest = store.oldest
                age_s = max(0.0, now - oldest.sent_timestamp / 1000) if oldest is not None else 0.0
                count(context, queue, "ApproximateAgeOfOldestMessage", age_s, "Seconds")
