"""A topic's subscriptions of the kind `lambda`: the function is invoked asynchronously, if its policy lets the topic.

https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html. What it cures in moto 5.2.5 (with a test that fails once moto has it): moto runs the
function in Docker inside the publisher's call, lets any topic, and makes the topic, the subscription and the message's id up.
"""

import json
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services.lambda_ import runner_of
from labs.cloud.services.lambda_permissions import allows


def install(context: Context) -> None:
    """Invoke functions that subscribe."""
    from moto.sns.models import Subscription

    runner = runner_of(context)

    def publish(self: Any, message: str, message_id: str, subject: str | None = None, *args: Any, **more: Any) -> None:
        if self.protocol != "lambda":
            publish_before(self, message, message_id, subject, *args, **more)
            return
        attributes = args[0] if args else more.get("message_attributes")
        if self._filter_policy_matcher is not None and not self._filter_policy_matcher.matches(attributes, message):
            return
        if (args[3] if len(args) > 3 else more.get("message_structure")) == "json":
            message = self._parse_message_structure(message, self.protocol)
        function = function_of(self.account_id, self.endpoint)
        if function is None or not allows(
            function,
            "lambda:InvokeFunction",
            service="sns.amazonaws.com",
            SourceArn=self.topic.arn,
            SourceAccount=self.account_id,
        ):
            return  # on AWS the delivery fails, and the publisher never hears of it
        runner.run_later(
            function, json.dumps({"Records": [record(self, message, message_id, subject, attributes)]}).encode()
        )

    publish_before = context.patch(Subscription, "publish", publish)


def function_of(account_id: str, arn: str) -> Any:
    """The function that a subscription names; None when it is gone."""
    from moto.awslambda.exceptions import UnknownFunctionException
    from moto.awslambda.utils import get_backend

    try:
        return get_backend(account_id, arn.split(":")[3]).get_function(arn)
    except UnknownFunctionException:
        return None


def record(
    subscription: Any, message: str, message_id: str, subject: str | None, attributes: dict[str, Any] | None
) -> dict[str, Any]:
    """A message as the function sees it: what the topic's other subscribers get, under Sns."""
    told = subscription.get_post_data(message, message_id, subject)
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": {
            "Type": "Notification",
            "MessageId": message_id,
            "TopicArn": subscription.topic.arn,
            "Subject": subject,
            "Message": message,
            "Timestamp": told["Timestamp"],
            "SignatureVersion": told["SignatureVersion"],
            "Signature": told["Signature"],
            "SigningCertUrl": told["SigningCertURL"],
            "UnsubscribeUrl": told["UnsubscribeURL"],
            "MessageAttributes": {
                name: {"Type": each["Type"], "Value": each["Value"]} for name, each in (attributes or {}).items()
            },
        },
    }
