"""What the tests of the local cloud share: clients, short ways to make what a test needs, functions from source text."""

import io
import json
import textwrap
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
READS_QUEUES = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                "Resource": "*",
            }
        ],
    }
)


def until(condition: Callable[[], Any], *, seconds: float = 20) -> Any:
    """What `condition` gives once it is true; fails the test when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found


@dataclass
class Aws:
    """Clients of one cloud, and short ways to make what tests need. Everything it makes it removes."""

    session: boto3.Session
    _clients: dict[str, Any] = field(default_factory=dict)
    _made: list[Callable[[], Any]] = field(default_factory=list)

    def __getattr__(self, service: str) -> Any:
        name = {"lambda_": "lambda"}.get(service, service)
        if name not in self._clients:
            self._clients[name] = self.session.client(
                name, config=Config(retries={"max_attempts": 0}, max_pool_connections=40)
            )
        return self._clients[name]

    def queue(self, name: str | None = None, **attributes: Any) -> str:
        """A queue's address."""
        name = name or f"queue-{uuid.uuid4().hex[:8]}" + (".fifo" if attributes.get("FifoQueue") else "")
        text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
        url: str = self.sqs.create_queue(QueueName=name, Attributes=text)["QueueUrl"]
        self._made.append(lambda: self.sqs.delete_queue(QueueUrl=url))
        return url

    def arn(self, queue_url: str) -> str:
        arn: str = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        return arn

    def count(self, queue_url: str, which: str = "") -> int:
        name = f"ApproximateNumberOfMessages{which}"
        return int(self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])["Attributes"][name])

    def send(self, queue_url: str, *bodies: str, **more: Any) -> list[str]:
        return [self.sqs.send_message(QueueUrl=queue_url, MessageBody=body, **more)["MessageId"] for body in bodies]

    def receive(self, queue_url: str, **how: Any) -> list[dict[str, Any]]:
        given = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"], "MessageAttributeNames": ["All"], **how}
        messages: list[dict[str, Any]] = self.sqs.receive_message(QueueUrl=queue_url, **given).get("Messages", [])
        return messages

    def role(self, policy: str | None = READS_QUEUES, trust: str = TRUST) -> str:
        name = f"role-{uuid.uuid4().hex[:8]}"
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if policy:
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
            self._made.append(lambda: self.iam.delete_role(RoleName=name))
            self._made.append(lambda: self.iam.delete_role_policy(RoleName=name, PolicyName="own"))
        return arn

    def function(self, source: str, *, wait: bool = True, files: dict[str, str] | None = None, **settings: Any) -> str:
        """A function's name; its module is `app`."""
        name = f"function-{uuid.uuid4().hex[:8]}"
        given = {"Runtime": "python3.13", "Handler": "app.handler", "Timeout": 20, "MemorySize": 256, **settings}
        given.setdefault("Role", self.role() if "Role" not in settings else settings["Role"])
        self.lambda_.create_function(FunctionName=name, Code={"ZipFile": zipped(source, files)}, **given)
        self._made.append(lambda: self.lambda_.delete_function(FunctionName=name))
        if wait:
            until(lambda: self.lambda_.get_function_configuration(FunctionName=name)["State"] == "Active")
        return name

    def invoke(self, function: str, event: Any = None, **how: Any) -> Any:
        """What a function answers; its error as `Failed`."""
        answer = self.lambda_.invoke(FunctionName=function, Payload=json.dumps(event), **how)
        body = answer["Payload"].read()
        said = json.loads(body) if body else None
        if "FunctionError" in answer:
            raise Failed(answer["FunctionError"], said)
        return said

    def mapping(self, queue_url: str, function: str, **settings: Any) -> str:
        """An event source mapping's UUID."""
        made = self.lambda_.create_event_source_mapping(
            EventSourceArn=self.arn(queue_url), FunctionName=function, **settings
        )
        self._made.append(lambda: self.lambda_.delete_event_source_mapping(UUID=made["UUID"]))
        uuid_: str = made["UUID"]
        return uuid_

    def table(self) -> str:
        name = f"table-{uuid.uuid4().hex[:8]}"
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        self._made.append(lambda: self.dynamodb.delete_table(TableName=name))
        return name

    def tidy(self) -> None:
        for remove in reversed(self._made):
            try:
                remove()
            except ClientError as gone:
                if not any(word in str(gone) for word in ("NotFound", "NoSuch", "NonExistent")):
                    raise


class Failed(Exception):  # noqa: N818
    """A function's error."""

    def __init__(self, kind: str, said: Any) -> None:
        super().__init__(f"{kind}: {said}")
        self.kind, self.said = kind, said


def zipped(source: str, files: dict[str, str] | None = None) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", textwrap.dedent(source))
        for name, text in (files or {}).items():
            package.writestr(name, text)
    return archive.getvalue()
