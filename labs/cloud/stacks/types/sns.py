"""AWS::SNS::*"""

import json
from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work, already_exists, document
from labs.cloud.stacks.types.simple import retag

TOPIC = (
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
)
SUBSCRIPTION = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
)


class Topic(ResourceType):
    name = "AWS::SNS::Topic"
    properties = frozenset({*TOPIC, "Subscription", "Tags", "TopicName"})
    named_by = "TopicName"
    attributes = frozenset({"TopicArn", "TopicName"})

    def create(self, work: Work) -> None:
        name = work.name("TopicName", longest=200)
        if str(work.properties.get("FifoTopic")).lower() == "true" and not name.endswith(".fifo"):
            name += ".fifo"
        region, account = work.stack_id.split(":")[3:5]
        arn = f"arn:aws:sns:{region}:{account}:{name}"
        topics = work.call("sns", "ListTopics")["Topics"]
        if any(topic["TopicArn"] == arn for topic in topics):  # CreateTopic would answer with the topic that is there
            raise already_exists(self.name, name)
        answer = work.call(
            "sns", "CreateTopic", Name=name, Attributes=as_text(work.pick(*TOPIC)) or None, Tags=work.tag_list()
        )
        work.made(answer["TopicArn"], TopicArn=answer["TopicArn"], TopicName=name)
        self._subscribe(work, {})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        for name, value in as_text(work.pick(*TOPIC)).items():
            if work.properties[name] != before.get(name):
                work.call(
                    "sns", "SetTopicAttributes", TopicArn=work.physical_id, AttributeName=name, AttributeValue=value
                )
        self._subscribe(work, before)
        if work.properties.get("Tags") != before.get("Tags"):
            retag(work, "sns", str(work.physical_id), before)

    def delete(self, work: Work) -> None:
        for arn in self._subscriptions(work).values():
            work.gone(lambda arn=arn: work.call("sns", "Unsubscribe", SubscriptionArn=arn))  # type: ignore[misc]
        work.gone(lambda: work.call("sns", "DeleteTopic", TopicArn=work.physical_id))

    def _subscribe(self, work: Work, before: dict[str, Any]) -> None:
        wanted = {(each["Protocol"], each["Endpoint"]) for each in work.properties.get("Subscription") or []}
        had = {(each["Protocol"], each["Endpoint"]) for each in before.get("Subscription") or []}
        for protocol, endpoint in sorted(wanted - had):
            work.call("sns", "Subscribe", TopicArn=work.physical_id, Protocol=protocol, Endpoint=endpoint)
        if had - wanted:
            there = self._subscriptions(work)
            for key in had - wanted:
                if key in there:
                    work.call("sns", "Unsubscribe", SubscriptionArn=there[key])

    def _subscriptions(self, work: Work) -> dict[tuple[str, str], str]:
        """Those of the topic's own property, which go with it."""
        own = {(each["Protocol"], each["Endpoint"]) for each in work.properties.get("Subscription") or []}
        if not own and not work.physical_id:
            return {}
        there: dict[tuple[str, str], str] = {}

        def look() -> None:
            for each in work.call("sns", "ListSubscriptionsByTopic", TopicArn=work.physical_id)["Subscriptions"]:
                there[each["Protocol"], each["Endpoint"]] = each["SubscriptionArn"]

        work.gone(look)
        return {key: arn for key, arn in there.items() if key in own}


class Subscription(ResourceType):
    name = "AWS::SNS::Subscription"
    properties = frozenset({*SUBSCRIPTION, "Endpoint", "Protocol", "TopicArn"})
    attributes = frozenset({"Arn"})

    def create(self, work: Work) -> None:
        answer = work.call(
            "sns",
            "Subscribe",
            ReturnSubscriptionArn=True,
            Attributes=as_text(work.pick(*SUBSCRIPTION)) or None,
            **work.pick("Endpoint", "Protocol", "TopicArn"),
        )
        work.made(answer["SubscriptionArn"], Arn=answer["SubscriptionArn"])

    def update(self, work: Work, before: dict[str, Any]) -> None:
        for name, value in as_text(work.pick(*SUBSCRIPTION)).items():
            if work.properties[name] != before.get(name):
                work.call(
                    "sns",
                    "SetSubscriptionAttributes",
                    SubscriptionArn=work.physical_id,
                    AttributeName=name,
                    AttributeValue=value,
                )

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("sns", "Unsubscribe", SubscriptionArn=work.physical_id))


class TopicPolicy(ResourceType):
    name = "AWS::SNS::TopicPolicy"
    properties = frozenset({"PolicyDocument", "Topics"})
    attributes = frozenset({"Id"})

    def create(self, work: Work) -> None:
        work.made(work.name("", longest=80), Id=work.logical_id)
        self._put(work)

    def update(self, work: Work, before: dict[str, Any]) -> None:
        for topic in set(before["Topics"]) - set(work.properties["Topics"]):
            self._reset(work, topic)
        self._put(work)

    def delete(self, work: Work) -> None:
        for topic in work.properties["Topics"]:
            self._reset(work, topic)

    def _put(self, work: Work) -> None:
        for topic in work.properties["Topics"]:
            put_policy(work, topic, document(work.properties["PolicyDocument"]))

    def _reset(self, work: Work, topic: str) -> None:
        """What a topic has when nobody gave it a policy: its owner may do everything."""
        account = topic.split(":")[4]
        statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "SNS:*", "Resource": topic}
        work.gone(
            lambda: put_policy(
                work, topic, json.dumps({"Version": "2008-10-17", "Statement": [{"Sid": "owner", **statement}]})
            )
        )


def put_policy(work: Work, topic: str, text: str) -> None:
    work.call("sns", "SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=text)


def as_text(properties: dict[str, Any]) -> dict[str, str]:
    """Properties as the API's attributes: all of them text."""
    return {
        name: json.dumps(value)
        if isinstance(value, dict | list)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for name, value in properties.items()
    }


TYPES = (Topic(), Subscription(), TopicPolicy())
