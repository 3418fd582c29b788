"""SimulatePrincipalPolicy says what a role may do, by its own policies and AWS's."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.labs.cloud.kit import READS_QUEUES, TRUST, Aws
from tests.labs.cloud.shapes import checked

DENIES = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sqs:DeleteMessage", "Resource": "*"}]}
)


def decisions(clients: Aws, arn: str, *actions: str, **more: list[str]) -> list[str]:
    iam = checked(clients.iam)
    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=list(actions), **more)
    return [result["EvalDecision"] for result in answer["EvaluationResults"]]


def test_own_and_attached_policies_decide_and_a_denial_wins(inside: Aws) -> None:
    arn = inside.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    assert decisions(inside, arn, "sqs:ReceiveMessage") == ["implicitDeny"]
    inside.iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=READS_QUEUES)
    inside.iam.attach_role_policy(
        RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )
    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "logs:PutLogEvents", "s3:GetObject")
    assert decisions(inside, arn, *actions) == ["allowed", "allowed", "allowed", "implicitDeny"]
    assert decisions(inside, arn, "sqs:DeleteMessage", PolicyInputList=[DENIES]) == ["explicitDeny"]
    queues = ["arn:aws:sqs:us-east-1:123456789012:a", "arn:aws:sqs:us-east-1:123456789012:b"]
    assert decisions(inside, arn, "sqs:ReceiveMessage", ResourceArns=queues) == ["allowed", "allowed"]


def test_the_server_answers_too_and_nobody_is_not_simulated(aws: Aws) -> None:
    assert decisions(aws, aws.role(), "sqs:ReceiveMessage") == ["allowed"]
    with pytest.raises(ClientError, match="NoSuchEntity"):
        decisions(aws, "arn:aws:iam::123456789012:role/nobody", "sqs:ReceiveMessage")


def test_moto_still_has_no_simulation(stock: Aws) -> None:
    arn = stock.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    with pytest.raises(NotImplementedError):
        stock.iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject"])
