"""A topic of the local cloud invokes the function that subscribes to it, as on AWS."""

import json
from typing import Any

import boto3
import pytest

from labs.cloud.state import ServerRecord
from tests.labs.cloud.kit import Aws, until

SAVES = """
    import json, os, boto3

    def handler(event, context):
        boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    """
SENDS = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
)


@pytest.mark.usefixtures("local_cloud")
def test_a_function_hears_of_what_its_topic_may_tell_it(local_cloud: ServerRecord) -> None:
    del local_cloud
    aws: Any = Aws(boto3.Session())
    try:
        queue = aws.queue()
        function = aws.function(SAVES, Environment={"Variables": {"QUEUE": queue}}, Role=aws.role(SENDS))
        arn = aws.lambda_.get_function_configuration(FunctionName=function)["FunctionArn"]
        told, other = (aws.sns.create_topic(Name=f"{function}-{name}")["TopicArn"] for name in ("told", "other"))
        for topic in (told, other):
            aws.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
        aws.lambda_.add_permission(
            FunctionName=function,
            StatementId="told",
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=told,
        )
        aws.sns.publish(TopicArn=other, Message="it may not")
        sent = aws.sns.publish(TopicArn=told, Message="it may", Subject="news")["MessageId"]
        [message] = until(lambda: aws.receive(queue))
        [record] = json.loads(message["Body"])["Records"]
        assert record["EventSource"] == "aws:sns"
        said = record["Sns"]
        assert (said["Message"], said["Subject"], said["MessageId"], said["TopicArn"]) == ("it may", "news", sent, told)
        for topic in (told, other):
            aws.sns.delete_topic(TopicArn=topic)
    finally:
        aws.tidy()
