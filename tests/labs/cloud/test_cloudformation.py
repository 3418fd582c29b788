"""Stacks are honest: what a template asks for is made, or refused, or taken back; and nothing is left when they are gone."""

import copy
import json
import re
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from labs.cloud import faults
from labs.cloud.stacks.schema import schema_of
from labs.cloud.stacks.template import Invalid, check, order, parse
from labs.cloud.stacks.types import all_types
from tests.labs.cloud.kit import TRUST, Aws, until
from tests.labs.cloud.stacks import Stacks

QUEUE = {"Type": "AWS::SQS::Queue"}
CODE = "import os\ndef handler(event, context):\n    return None if event else os.environ['TABLE']\n"
LINE: dict[str, Any] = {
    "Parameters": {"Batch": {"Type": "Number", "Default": "5", "MinValue": 1, "MaxValue": 10}},
    "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
    "Resources": {
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "EventSourceArn": {"Fn::GetAtt": ["Jobs", "Arn"]},
                "BatchSize": {"Ref": "Batch"},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Timeout": "20",
                "Role": {"Fn::GetAtt": "Role.Arn"},
                "Code": {"ZipFile": CODE},
                "Environment": {"Variables": {"TABLE": {"Ref": "Table"}}},
            },
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": json.loads(TRUST),
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
                "Policies": [
                    {
                        "PolicyName": "queue",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [
                                {"Effect": "Allow", "Action": "sqs:*", "Resource": {"Fn::GetAtt": ["Jobs", "Arn"]}}
                            ],
                        },
                    }
                ],
            },
        },
        "Jobs": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "VisibilityTimeout": 60,
                "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
            },
        },
        "Dead": QUEUE,
        "Unwanted": {"Type": "AWS::SQS::Queue", "Condition": "Never"},
        "JobsPolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Jobs"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}],
                },
            },
        },
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": "true"},
            },
        },
        "Log": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {"LogGroupName": {"Fn::Sub": "/aws/lambda/${Function}"}, "RetentionInDays": 7},
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Dead", "QueueName"]}}],
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 0,
                "ComparisonOperator": "GreaterThanThreshold",
            },
        },
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}},
        "Invoke": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Action": "lambda:InvokeFunction",
                "Principal": "sns.amazonaws.com",
            },
        },
    },
    "Outputs": {
        "Queue": {"Value": {"Ref": "Jobs"}, "Description": "where jobs go"},
        "Function": {"Value": {"Ref": "Function"}},
        "Named": {"Value": {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, {"Ref": "AWS::Region"}]]}},
    },
}


def contents(aws: Aws) -> set[str]:
    """Everything there is in the cloud of the kinds that stacks make here."""
    found = aws.sqs.list_queues().get("QueueUrls", []) + aws.dynamodb.list_tables()["TableNames"]
    found += [function["FunctionName"] for function in aws.lambda_.list_functions()["Functions"]]
    found += [mapping["UUID"] for mapping in aws.lambda_.list_event_source_mappings()["EventSourceMappings"]]
    found += [role["RoleName"] for role in aws.iam.list_roles()["Roles"]]
    found += [group["logGroupName"] for group in aws.logs.describe_log_groups()["logGroups"]]
    found += [alarm["AlarmName"] for alarm in aws.cloudwatch.describe_alarms()["MetricAlarms"]]
    return set(found + [bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"]])


def one_queue(**properties: Any) -> dict[str, Any]:
    return {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": properties}}}


# -- making, changing, removing


def test_a_stack_makes_all_that_works_together_and_removes_it_again(stacks: Stacks, aws: Aws) -> None:
    before = contents(aws)
    stack_id = stacks.create(LINE, Capabilities=["CAPABILITY_IAM"], Tags=[{"Key": "course", "Value": "queue"}])
    stack = stacks.described(stack_id)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs["Named"] == f"{stack['StackName']}-us-east-1"
    resources = stacks.resources(stack_id)
    assert set(resources) == set(LINE["Resources"]) - {"Unwanted"}
    assert {resource["ResourceStatus"] for resource in resources.values()} == {"CREATE_COMPLETE"}
    assert aws.invoke(outputs["Function"]) == resources["Table"]["PhysicalResourceId"]
    aws.send(outputs["Queue"], "job")
    until(lambda: aws.count(outputs["Queue"]) == aws.count(outputs["Queue"], "NotVisible") == 0)
    ttl = aws.dynamodb.describe_time_to_live(TableName=resources["Table"]["PhysicalResourceId"])
    assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    [mapping] = aws.lambda_.list_event_source_mappings(FunctionName=outputs["Function"])["EventSourceMappings"]
    assert mapping["BatchSize"] == 5
    assert aws.sqs.list_queue_tags(QueueUrl=outputs["Queue"])["Tags"]["course"] == "queue"
    for name in stacks.api.list_stack_resources(StackName=stack_id)["StackResourceSummaries"]:
        assert name["LogicalResourceId"]
        assert name["PhysicalResourceId"]
    assert stacks.delete(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert contents(aws) == before
    with pytest.raises(ClientError, match="does not exist"):
        stacks.described(stack["StackName"])


def test_waiters_work(stacks: Stacks) -> None:
    stack_id = stacks.start(one_queue())
    stacks.api.get_waiter("stack_create_complete").wait(StackName=stack_id, WaiterConfig={"Delay": 1})
    stacks.api.delete_stack(StackName=stack_id)
    stacks.api.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig={"Delay": 1})


def test_events_tell_the_story_in_order(stacks: Stacks) -> None:
    stack_id = stacks.create(one_queue())
    name = stacks.described(stack_id)["StackName"]
    assert stacks.events(stack_id) == [
        (name, "CREATE_IN_PROGRESS", "User Initiated"),
        ("Queue", "CREATE_IN_PROGRESS", ""),
        ("Queue", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("Queue", "CREATE_COMPLETE", ""),
        (name, "CREATE_COMPLETE", ""),
    ]


def test_an_update_changes_adds_replaces_and_removes(stacks: Stacks, aws: Aws) -> None:
    template: dict[str, Any] = {
        "Resources": {
            "Kept": one_queue(VisibilityTimeout=10)["Resources"]["Queue"],
            "Named": copy.deepcopy(QUEUE),
            "Gone": QUEUE,
        }
    }
    stack_id = stacks.create(template)
    before = stacks.resources(stack_id)
    template["Resources"]["Kept"]["Properties"]["VisibilityTimeout"] = 20
    template["Resources"]["Named"]["Properties"] = {"QueueName": f"named-{uuid.uuid4().hex[:8]}"}
    template["Resources"]["New"] = template["Resources"].pop("Gone")
    assert stacks.update(stack_id, template)["StackStatus"] == "UPDATE_COMPLETE"
    after = stacks.resources(stack_id)
    assert set(after) == {"Kept", "Named", "New"}
    kept = after["Kept"]["PhysicalResourceId"]
    assert kept == before["Kept"]["PhysicalResourceId"]
    assert aws.sqs.get_queue_attributes(QueueUrl=kept, AttributeNames=["VisibilityTimeout"])["Attributes"] == {
        "VisibilityTimeout": "20"
    }
    queues = aws.sqs.list_queues()["QueueUrls"]
    assert after["Named"]["PhysicalResourceId"] in queues
    assert before["Named"]["PhysicalResourceId"] not in queues
    assert before["Gone"]["PhysicalResourceId"] not in queues


def test_a_functions_code_and_settings_are_updated(stacks: Stacks, aws: Aws) -> None:
    template = copy.deepcopy(LINE)
    template["Resources"] = {
        name: template["Resources"][name] for name in ("Function", "Role", "Table", "Jobs", "Dead")
    }
    template["Outputs"] = {"Function": LINE["Outputs"]["Function"]}
    stack_id = stacks.create(template, Capabilities=["CAPABILITY_IAM"])
    function = stacks.described(stack_id)["Outputs"][0]["OutputValue"]
    properties = template["Resources"]["Function"]["Properties"]
    properties["Code"]["ZipFile"] = "import os\ndef handler(event, context):\n    return os.environ['MORE']\n"
    properties["Environment"]["Variables"]["MORE"] = "more"
    assert stacks.update(stack_id, template, Capabilities=["CAPABILITY_IAM"])["StackStatus"] == "UPDATE_COMPLETE"
    assert aws.invoke(function) == "more"


def test_an_update_without_a_change_is_refused(stacks: Stacks) -> None:
    stack_id = stacks.create(one_queue())
    with pytest.raises(ClientError, match=r"No updates are to be performed\."):
        stacks.update(stack_id, one_queue())


def test_deletion_policy_retain_is_honoured(stacks: Stacks, aws: Aws) -> None:
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"}}}
    stack_id = stacks.create(template)
    queue = stacks.resources(stack_id)["Queue"]["PhysicalResourceId"]
    stacks.delete(stack_id)
    assert queue in aws.sqs.list_queues()["QueueUrls"]
    assert ("Queue", "DELETE_SKIPPED", "") in stacks.events(stack_id)
    aws.sqs.delete_queue(QueueUrl=queue)


def test_policies_are_honoured_in_updates_too(stacks: Stacks, aws: Aws) -> None:
    kept = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    stack_id = stacks.create({"Resources": {"Removed": kept, "Replaced": kept, "Other": QUEUE}})
    before = [stacks.resources(stack_id)[name]["PhysicalResourceId"] for name in ("Removed", "Replaced")]
    renamed = kept | {"Properties": {"QueueName": f"named-{uuid.uuid4().hex[:8]}"}}
    assert stacks.update(stack_id, {"Resources": {"Replaced": renamed}})["StackStatus"] == "UPDATE_COMPLETE"
    after = stacks.resources(stack_id)["Replaced"]["PhysicalResourceId"]
    queues = aws.sqs.list_queues()["QueueUrls"]
    assert {*before, after} <= set(queues)
    stacks.delete(stack_id)
    for queue in (*before, after):
        aws.sqs.delete_queue(QueueUrl=queue)


def test_a_stack_can_be_deleted_while_it_is_being_made(stacks: Stacks, aws: Aws) -> None:
    before = contents(aws)
    with faults.inject("latency", service="sqs", operation="CreateQueue", seconds=0.3):
        stack_id = stacks.start({"Resources": {f"Q{number}": QUEUE for number in range(8)}})
        until(lambda: stacks.resources(stack_id))
        assert stacks.delete(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert len(stacks.resources(stack_id)) < 8
    assert contents(aws) == before


def test_a_template_can_lie_in_s3(stacks: Stacks, aws: Aws) -> None:
    bucket = f"bucket-{uuid.uuid4().hex[:8]}"
    aws.s3.create_bucket(Bucket=bucket)
    long = one_queue() | {"Metadata": {"Padding": "x" * 60_000}}
    aws.s3.put_object(Bucket=bucket, Key="templates/queue.json", Body=json.dumps(long))
    for root in (
        f"{aws.s3.meta.endpoint_url}/{bucket}",
        f"https://{bucket}.s3.amazonaws.com",
        f"https://s3.amazonaws.com/{bucket}",
    ):
        summary = stacks.api.get_template_summary(TemplateURL=f"{root}/templates/queue.json")
        assert summary["ResourceTypes"] == ["AWS::SQS::Queue"]
    with pytest.raises(ClientError, match="S3 error"):
        stacks.api.get_template_summary(TemplateURL=f"https://{bucket}.s3.amazonaws.com/nosuch")
    aws.s3.delete_object(Bucket=bucket, Key="templates/queue.json")
    aws.s3.delete_bucket(Bucket=bucket)


def test_a_protected_stack_is_not_deleted(stacks: Stacks) -> None:
    stack_id = stacks.create(one_queue(), EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        stacks.api.delete_stack(StackName=stack_id)
    stacks.api.update_termination_protection(StackName=stack_id, EnableTerminationProtection=False)


def test_a_bucket_that_is_not_empty_stays_and_so_does_the_stack_until_it_is(stacks: Stacks, aws: Aws) -> None:
    stack_id = stacks.create({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
    bucket = stacks.resources(stack_id)["Bucket"]["PhysicalResourceId"]
    aws.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    stack = stacks.delete(stack_id)
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert "[Bucket]" in stack["StackStatusReason"]
    assert any("not empty" in reason for _, status, reason in stacks.events(stack_id) if status == "DELETE_FAILED")
    aws.s3.delete_object(Bucket=bucket, Key="k")
    assert stacks.delete(stack_id)["StackStatus"] == "DELETE_COMPLETE"


def test_one_stack_exports_what_another_imports(stacks: Stacks) -> None:
    name = f"export-{uuid.uuid4().hex[:8]}"
    exporter = stacks.create(
        one_queue() | {"Outputs": {"Q": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}, "Export": {"Name": name}}}}
    )
    importer = stacks.create(one_queue() | {"Outputs": {"Theirs": {"Value": {"Fn::ImportValue": name}}}})
    theirs = stacks.described(importer)["Outputs"][0]["OutputValue"]
    assert stacks.resources(exporter)["Queue"]["PhysicalResourceId"].endswith(theirs)
    assert name in [export["Name"] for export in stacks.api.list_exports()["Exports"]]
    assert stacks.delete(exporter)["StackStatus"] == "DELETE_FAILED"
    stacks.delete(importer)
    assert stacks.delete(exporter)["StackStatus"] == "DELETE_COMPLETE"


# -- failing


FAILING = {
    "Resources": {
        "First": QUEUE,
        "Second": {
            "Type": "AWS::SQS::Queue",
            "DependsOn": "First",
            "Properties": {
                "RedrivePolicy": {
                    "deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:nosuch",
                    "maxReceiveCount": 3,
                }
            },
        },
        "Third": {"Type": "AWS::SQS::Queue", "DependsOn": "Second"},
    }
}


def test_a_failing_resource_rolls_the_stack_back(stacks: Stacks, aws: Aws) -> None:
    before = contents(aws)
    stack_id = stacks.create(FAILING)
    stack = stacks.described(stack_id)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = stacks.events(stack_id)
    [(_, _, reason)] = [event for event in events if event[:2] == ("Second", "CREATE_FAILED")]
    assert "Service: Sqs, Status Code: 400" in reason
    assert (
        stack["StackName"],
        "ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to create: [Second]. Rollback requested by user.",
    ) in events
    assert ("First", "DELETE_COMPLETE", "") in events
    assert not any(name == "Third" for name, _, _ in events)
    assert contents(aws) == before
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        stacks.update(stack_id, one_queue())
    with pytest.raises(ClientError, match="already exists"):
        stacks.start(one_queue(), name=stack["StackName"])


def test_on_failure_do_nothing_keeps_what_was_made(stacks: Stacks, aws: Aws) -> None:
    stack_id = stacks.create(FAILING, OnFailure="DO_NOTHING")
    assert stacks.status(stack_id) == "CREATE_FAILED"
    assert stacks.resources(stack_id)["First"]["PhysicalResourceId"] in aws.sqs.list_queues()["QueueUrls"]


def test_on_failure_delete_leaves_nothing_not_even_the_stack(stacks: Stacks, aws: Aws) -> None:
    before = contents(aws)
    stack_id = stacks.create(FAILING, OnFailure="DELETE")
    assert stacks.status(stack_id) == "DELETE_COMPLETE"
    assert contents(aws) == before


def test_a_failing_update_is_taken_back(stacks: Stacks, aws: Aws) -> None:
    template: dict[str, Any] = {"Resources": {"Changed": one_queue(VisibilityTimeout=10)["Resources"]["Queue"]}}
    stack_id = stacks.create(template)
    queues = aws.sqs.list_queues()["QueueUrls"]
    worse = copy.deepcopy(template)
    worse["Resources"]["Changed"]["Properties"]["VisibilityTimeout"] = 20
    worse["Resources"]["Added"] = QUEUE
    worse["Resources"]["Bad"] = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": ["Added", "Changed"],
        "Properties": {"DelaySeconds": 9999},
    }
    assert stacks.update(stack_id, worse)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    queue = stacks.resources(stack_id)["Changed"]["PhysicalResourceId"]
    assert set(stacks.resources(stack_id)) == {"Changed"}
    assert aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"] == {
        "VisibilityTimeout": "10"
    }
    assert aws.sqs.list_queues()["QueueUrls"] == queues


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("lambda", "CreateFunction"),
        ("lambda", "CreateEventSourceMapping"),
        ("iam", "PutRolePolicy"),
        ("dynamodb", "UpdateTimeToLive"),
        ("logs", "PutRetentionPolicy"),
    ],
)
def test_whatever_call_fails_the_rollback_leaves_nothing(
    stacks: Stacks, aws: Aws, service: str, operation: str
) -> None:
    before = contents(aws)
    with faults.inject("server-error", service=service, operation=operation):
        stack_id = stacks.create(LINE, Capabilities=["CAPABILITY_IAM"])
    assert stacks.status(stack_id) == "ROLLBACK_COMPLETE"
    assert contents(aws) == before


def test_what_was_there_before_is_not_taken_over_and_not_removed(stacks: Stacks, aws: Aws) -> None:
    queue = aws.queue()
    stack_id = stacks.create(one_queue(QueueName=queue.rsplit("/", 1)[1]))
    assert stacks.status(stack_id) == "ROLLBACK_COMPLETE"
    assert any("already exists" in reason for _, _, reason in stacks.events(stack_id))
    assert queue in aws.sqs.list_queues()["QueueUrls"]


@pytest.mark.parametrize(
    ("kind", "properties", "said"),
    [
        ("SQS::Queue", {"Visibility": 3}, r"#: extraneous key \[Visibility\] is not permitted"),
        (
            "SQS::Queue",
            {"DelaySeconds": "901"},
            r"#/DelaySeconds: failed validation constraint for keyword \[maximum\]",
        ),
        ("SQS::Queue", {"DelaySeconds": "soon"}, r"#/DelaySeconds: expected type: Integer, found: String"),
        ("SQS::Queue", {"Tags": [{"Key": "a"}]}, r"#/Tags/0: required key \[Value\] not found"),
        ("SQS::Queue", {"Arn": "arn"}, r"#: extraneous key \[Arn\] is not permitted"),
        ("DynamoDB::Table", {}, r"#: required key \[KeySchema\] not found"),
        (
            "Logs::LogGroup",
            {"RetentionInDays": 2},
            r"#/RetentionInDays: failed validation constraint for keyword \[enum\]",
        ),
        ("S3::Bucket", {"WebsiteConfiguration": {}}, "cannot give Thing the property WebsiteConfiguration"),
    ],
)
def test_a_property_that_a_type_does_not_take_fails_the_resource(
    stacks: Stacks, kind: str, properties: dict[str, Any], said: str
) -> None:
    stack_id = stacks.create({"Resources": {"Thing": {"Type": f"AWS::{kind}", "Properties": properties}}})
    assert stacks.status(stack_id) == "ROLLBACK_COMPLETE"
    [reason] = [why for name, status, why in stacks.events(stack_id) if (name, status) == ("Thing", "CREATE_FAILED")]
    assert re.search(said, reason), reason


@pytest.mark.parametrize("name", sorted(all_types()))
def test_a_type_is_one_that_aws_has_with_properties_that_it_has(name: str) -> None:
    kind, schema = all_types()[name], schema_of(name)
    assert kind.properties <= schema.settable
    assert kind.named_by is None or {kind.named_by} <= kind.properties & kind.replacing


# -- refusing


def with_parameter(**slot: Any) -> dict[str, Any]:
    return one_queue() | {"Parameters": {"P": {"Type": "String", **slot}}}


@pytest.mark.parametrize(
    ("template", "settings", "said"),
    [
        (
            {"Resources": {"A": {"Type": "AWS::Nosuch::Thing"}, "B": {"Type": "AWS::Other::Thing"}}},
            {},
            r"Template format error: Unrecognized resource types: \[AWS::Nosuch::Thing, AWS::Other::Thing\]",
        ),
        ("Resources:\n  A: [", {}, "Template format error: YAML not well-formed"),
        ('{"Resources": }', {}, r"Template format error: JSON not well-formed. \(line 1"),
        (
            {"Resources": {"A": {"Type": "AWS::Connect::Instance"}}},
            {},
            r"Unrecognized resource types: \[AWS::Connect::Instance\]. \(AWS has AWS::Connect::Instance; the local cloud does not.\)",
        ),
        (one_queue() | {"Rules": {"R": {}}}, {}, "does not evaluate the Rules"),
        ({"Resources": {"A": QUEUE | {"UpdatePolicy": {}}}}, {}, "does not follow the UpdatePolicy of resource A"),
        ({"Resources": {"A": QUEUE | {"UpdateReplacePolicy": "Keep"}}}, {}, "Unrecognized UpdateReplacePolicy Keep"),
        ({}, {}, "At least one Resources member must be defined"),
        ({"Resources": {"A": {}}}, {}, "Every Resources object must contain a Type member"),
        ({"Resources": {"A-B": QUEUE}}, {}, "Resource name A-B is non alphanumeric"),
        ({"Resources": {"A": QUEUE}, "Resource": {}}, {}, r"Invalid template property or properties \[Resource\]"),
        (
            one_queue(QueueName={"Ref": "Nosuch"}),
            {},
            r"Unresolved resource dependencies \[Nosuch\] in the Resources block",
        ),
        (one_queue() | {"Outputs": {"O": {"Value": {"Ref": "Nosuch"}}}}, {}, r"\[Nosuch\] in the Outputs block"),
        (
            {"Resources": {"A": QUEUE | {"DependsOn": "B"}, "B": QUEUE | {"DependsOn": "A"}}},
            {},
            r"Circular dependency between resources: \[A, B\]",
        ),
        ({"Resources": {"A": QUEUE | {"Condition": "C"}}}, {}, "Unresolved condition dependency C"),
        (with_parameter(), {}, r"Parameters: \[P\] must have values"),
        (one_queue(), {"P": "x"}, r"Parameters: \[P\] do not exist in the template"),
        (with_parameter(AllowedValues=["a", "b"]), {"P": "c"}, "Parameter 'P' must be one of AllowedValues"),
        (with_parameter(AllowedPattern="[a-z]+"), {"P": "A"}, r"Parameter 'P' must match pattern \[a-z\]\+"),
        (
            with_parameter(AllowedPattern="a", ConstraintDescription="only a"),
            {"P": "b"},
            "failed to satisfy constraint: only a",
        ),
        (with_parameter(Type="Number"), {"P": "x"}, "Parameter 'P' must be a number"),
        (with_parameter(Type="Number", MaxValue=3), {"P": "4"}, "not greater than 3"),
        (with_parameter(MinLength=3), {"P": "ab"}, "at least 3 characters"),
        (
            {"Resources": {"R": LINE["Resources"]["Role"]}, "Conditions": {}},
            {},
            r"Unresolved resource dependencies \[Jobs\]",
        ),
        ("x" * 52_000, {}, "Member must have length less than or equal to 51200"),
    ],
)
def test_a_wrong_template_or_parameter_is_refused_before_anything_is_made(
    stacks: Stacks, template: Any, settings: dict[str, str], said: str
) -> None:
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in settings.items()]
    with pytest.raises(ClientError, match=said) as refused:
        stacks.start(template, name="refused", Parameters=parameters)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="does not exist"):
        stacks.described("refused")


def test_capabilities_are_asked_for(stacks: Stacks) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)}}
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]"):
        stacks.start({"Resources": {"R": role}})
    named = copy.deepcopy(role)
    named["Properties"]["RoleName"] = "mine"
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]") as refused:
        stacks.start({"Resources": {"R": named}}, Capabilities=["CAPABILITY_IAM"])
    assert refused.value.response["Error"]["Code"] == "InsufficientCapabilitiesException"


def test_a_name_is_taken_once(stacks: Stacks) -> None:
    stack_id = stacks.create(one_queue())
    name = stacks.described(stack_id)["StackName"]
    with pytest.raises(stacks.api.exceptions.AlreadyExistsException, match=rf"Stack \[{name}\] already exists"):
        stacks.start(one_queue(), name=name)
    stacks.delete(stack_id)
    stacks.create(one_queue(), name=name)


# -- change sets


def test_a_change_set_says_what_would_change_and_does_it(stacks: Stacks) -> None:
    template: dict[str, Any] = {
        "Resources": {"Changed": one_queue(VisibilityTimeout=10)["Resources"]["Queue"], "Gone": QUEUE}
    }
    stack_id = stacks.create(template)
    template["Resources"]["Changed"]["Properties"]["VisibilityTimeout"] = 20
    template["Resources"]["New"] = template["Resources"].pop("Gone")
    made = stacks.api.create_change_set(StackName=stack_id, ChangeSetName="next", TemplateBody=json.dumps(template))
    described = stacks.api.describe_change_set(ChangeSetName=made["Id"])
    changes = {
        (
            change["ResourceChange"]["Action"],
            change["ResourceChange"]["LogicalResourceId"],
            change["ResourceChange"].get("Replacement"),
        )
        for change in described["Changes"]
    }
    assert changes == {("Modify", "Changed", "False"), ("Add", "New", None), ("Remove", "Gone", None)}
    stacks.api.execute_change_set(ChangeSetName=made["Id"])
    assert stacks.settled(stack_id)["StackStatus"] == "UPDATE_COMPLETE"
    assert set(stacks.resources(stack_id)) == {"Changed", "New"}
    same = stacks.api.create_change_set(StackName=stack_id, ChangeSetName="same", TemplateBody=json.dumps(template))
    described = stacks.api.describe_change_set(ChangeSetName=same["Id"])
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "didn't contain changes" in described["StatusReason"]


def test_a_parameter_of_systems_manager_is_looked_up_and_looked_up_again(stacks: Stacks, aws: Aws) -> None:
    name = f"/course/{uuid.uuid4().hex[:8]}"
    template = one_queue(VisibilityTimeout={"Ref": "Seconds"}) | {
        "Parameters": {"Seconds": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": name}}
    }
    with pytest.raises(ClientError, match=r"Unable to fetch parameters \[/course/\w+\] from parameter store"):
        stacks.start(template)
    aws.ssm.put_parameter(Name=name, Value="11", Type="String")
    stack_id = stacks.create(template)
    queue = {"QueueUrl": stacks.resources(stack_id)["Queue"]["PhysicalResourceId"], "AttributeNames": ["All"]}
    assert aws.sqs.get_queue_attributes(**queue)["Attributes"]["VisibilityTimeout"] == "11"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.update(stack_id, template)
    aws.ssm.put_parameter(Name=name, Value="12", Type="String", Overwrite=True)
    assert stacks.update(stack_id, template)["StackStatus"] == "UPDATE_COMPLETE"
    assert aws.sqs.get_queue_attributes(**queue)["Attributes"]["VisibilityTimeout"] == "12"
    aws.ssm.delete_parameter(Name=name)


def test_a_change_set_says_what_a_replacement_brings_with_it(stacks: Stacks) -> None:
    template: dict[str, Any] = {
        "Resources": {
            "Queue": QUEUE,
            "Other": {"Type": "AWS::SQS::Queue", "Properties": {"Tags": [{"Key": "q", "Value": {"Ref": "Queue"}}]}},
        }
    }
    stack_id = stacks.create(template)
    template["Resources"]["Queue"] = one_queue(QueueName=f"named-{uuid.uuid4().hex[:8]}")["Resources"]["Queue"]
    made = stacks.api.create_change_set(StackName=stack_id, ChangeSetName="next", TemplateBody=json.dumps(template))
    listed = stacks.api.describe_change_set(ChangeSetName=made["Id"])["Changes"]
    changes = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in listed}
    assert changes["Queue"]["Replacement"] == "True"
    assert changes["Other"]["Action"] == "Modify"


def test_a_change_set_can_create_a_stack(stacks: Stacks) -> None:
    name = f"stack-{uuid.uuid4().hex[:8]}"
    made = stacks.api.create_change_set(
        StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(one_queue())
    )
    stacks.ids.append(made["StackId"])
    assert stacks.status(name) == "REVIEW_IN_PROGRESS"
    stacks.api.execute_change_set(ChangeSetName="first", StackName=name)
    until(lambda: stacks.status(name) == "CREATE_COMPLETE")


# -- templates on their own


def test_short_forms_and_dates_are_read_as_cloudformation_reads_them() -> None:
    template = parse(
        """
        AWSTemplateFormatVersion: 2010-09-09
        Resources:
          A:
            Type: AWS::SQS::Queue
            Properties:
              QueueName: !Sub "${AWS::StackName}-x"
              Version: 2012-10-17
              List: !Join [",", [!Ref A, !GetAtt A.B.C]]
        """
    )
    assert template["AWSTemplateFormatVersion"] == "2010-09-09"
    assert template["Resources"]["A"]["Properties"] == {
        "QueueName": {"Fn::Sub": "${AWS::StackName}-x"},
        "Version": "2012-10-17",
        "List": {"Fn::Join": [",", [{"Ref": "A"}, {"Fn::GetAtt": ["A", "B.C"]}]]},
    }


def test_resources_are_made_after_what_they_refer_to() -> None:
    made = order(LINE["Resources"])
    for first, then in (
        ("Dead", "Jobs"),
        ("Jobs", "Role"),
        ("Role", "Function"),
        ("Function", "Mapping"),
        ("Function", "Log"),
    ):
        assert made.index(first) < made.index(then)


def test_a_transform_is_refused_rather_than_ignored() -> None:
    with pytest.raises(Invalid, match="No transform named AWS::Serverless-2016-10-31"):
        check({"Transform": "AWS::Serverless-2016-10-31", **one_queue()}, {"AWS::SQS::Queue"})


def test_a_template_can_be_validated_and_summarised(stacks: Stacks) -> None:
    answer = stacks.api.validate_template(TemplateBody=json.dumps(LINE))
    assert answer["Capabilities"] == ["CAPABILITY_IAM"]
    assert [parameter["ParameterKey"] for parameter in answer["Parameters"]] == ["Batch"]
    assert "AWS::SQS::Queue" in stacks.api.get_template_summary(TemplateBody=json.dumps(LINE))["ResourceTypes"]


# -- why moto's own is replaced: each of these fails once moto no longer needs it


@pytest.mark.filterwarnings("ignore:Tried to parse")
def test_moto_still_completes_a_stack_without_what_it_does_not_know(stock: Aws) -> None:
    stock.cloudformation.create_stack(
        StackName="s", TemplateBody=json.dumps({"Resources": {"A": {"Type": "AWS::Nosuch::Thing"}}})
    )
    assert stock.cloudformation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    [resource] = stock.cloudformation.describe_stack_resources(StackName="s")["StackResources"]
    assert "LogicalResourceId" not in resource


def test_moto_still_leaves_half_a_stack_when_a_resource_fails(stock: Aws) -> None:
    template = {
        "Resources": {
            "First": QUEUE,
            "Second": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "DependsOn": "First",
                "Properties": {"FunctionName": "nosuch", "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:nosuch"},
            },
        }
    }
    with pytest.raises(Exception, match=r"Function not found|nvalid|parse"):
        stock.cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(template))
    assert stock.cloudformation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    assert stock.sqs.list_queues()["QueueUrls"]


def test_moto_still_takes_any_parameter_and_any_capability(stock: Aws) -> None:
    template = {
        "Parameters": {"P": {"Type": "String", "AllowedValues": ["a"]}},
        "Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)}}},
    }
    stock.cloudformation.create_stack(
        StackName="s", TemplateBody=json.dumps(template), Parameters=[{"ParameterKey": "P", "ParameterValue": "z"}]
    )
    assert stock.cloudformation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
