"""AWS::SQS::*"""

import json
from typing import Any

from labs.cloud.stacks.types.base import Failed, ResourceType, Work, already_exists, document, is_missing

ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)
DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedrivePolicy": "",
    "VisibilityTimeout": "30",
}
"""What an attribute goes back to when a template no longer names it."""


class Queue(ResourceType):
    name = "AWS::SQS::Queue"
    properties = frozenset({*ATTRIBUTES, "QueueName", "Tags"})
    named_by = "QueueName"

    def create(self, work: Work) -> None:
        fifo = str(work.properties.get("FifoQueue", "")).lower() == "true"
        name = work.name("QueueName", longest=75 if fifo else 80)
        if fifo and not name.endswith(".fifo"):
            name += ".fifo"
        if exists(work, name):  # CreateQueue would answer with the queue that is there
            raise already_exists(self.name, name)
        attributes = {
            name: value for name, value in attributes_of(work.properties).items() if name != "RedriveAllowPolicy"
        }
        url = work.call("sqs", "CreateQueue", QueueName=name, Attributes=attributes, tags=work.tags() or None)[
            "QueueUrl"
        ]
        work.made(url, QueueName=name, QueueUrl=url)
        work.attributes["Arn"] = arn_of(work, url)

    def update(self, work: Work, before: dict[str, Any]) -> None:
        attributes = attributes_of(work.properties)
        attributes.update({name: DEFAULTS[name] for name in before if name in DEFAULTS and name not in work.properties})
        attributes = {
            name: value for name, value in attributes.items() if name not in ("FifoQueue", "RedriveAllowPolicy")
        }
        if attributes:
            work.call("sqs", "SetQueueAttributes", QueueUrl=work.physical_id, Attributes=attributes)
        if tags := work.tags():
            work.call("sqs", "TagQueue", QueueUrl=work.physical_id, Tags=tags)

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("sqs", "DeleteQueue", QueueUrl=work.physical_id))


class QueuePolicy(ResourceType):
    name = "AWS::SQS::QueuePolicy"
    properties = frozenset({"PolicyDocument", "Queues"})

    def create(self, work: Work) -> None:
        work.made(work.name("", longest=80), Id=work.logical_id)
        for url in work.properties["Queues"]:
            put_policy(work, url, document(work.properties["PolicyDocument"]))

    def update(self, work: Work, before: dict[str, Any]) -> None:
        for url in set(before["Queues"]) - set(work.properties["Queues"]):
            work.gone(lambda url=url: put_policy(work, url, ""))  # type: ignore[misc]
        for url in work.properties["Queues"]:
            put_policy(work, url, document(work.properties["PolicyDocument"]))

    def delete(self, work: Work) -> None:
        for url in work.properties["Queues"]:
            work.gone(lambda url=url: put_policy(work, url, ""))  # type: ignore[misc]


def put_policy(work: Work, url: str, text: str) -> None:
    work.call("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"Policy": text})


def attributes_of(properties: dict[str, Any]) -> dict[str, Any]:
    """Queue properties as the API's attributes: all of them text."""
    return {
        name: json.dumps(value) if isinstance(value := properties[name], dict) else value
        for name in ATTRIBUTES
        if name in properties
    }


def exists(work: Work, name: str) -> bool:
    try:
        work.call("sqs", "GetQueueUrl", QueueName=name)
    except Failed as failed:
        if is_missing(failed):
            return False
        raise
    return True


def arn_of(work: Work, url: str) -> str:
    answer = work.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


TYPES = (Queue(), QueuePolicy())
