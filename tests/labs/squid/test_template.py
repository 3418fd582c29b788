"""The template is right for real AWS as far as can be told without one: it passes the linter, keeps to the limits, and grants little."""

import re
from typing import Any

import cfnlint.decode.cfn_yaml
import pytest
from cfnlint.api import lint_all

from labs import facts
from labs.squid import deploy
from labs.squid.deploy import TEMPLATE
from labs.targets import leftovers


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = cfnlint.decode.cfn_yaml.load(str(TEMPLATE))
    return loaded


def statements(template: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """A role's statements, those included that hang on a condition."""
    policies = template["Resources"][role]["Properties"]["Policies"]
    every = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in every]


def default(template: dict[str, Any], parameter: str) -> Any:
    return template["Parameters"][parameter]["Default"]


def test_the_linter_finds_nothing() -> None:
    context_block = "[I4010"  # advice on notes for language models
    found = [str(match)[:300] for match in lint_all(TEMPLATE.read_text())]
    assert [match for match in found if not match.startswith(context_block)] == []


WITHOUT_RESOURCE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""Actions that IAM authorises on "*" only."""
CALLS = {
    "worker.py": {"change_message_visibility", "change_message_visibility_batch", "send_message", "put_object"},
    "claims.py": {"update_item", "get_item"},
    "slots.py": {"update_item", "put_item"},
    "asynchronous.py": {"delete_message"},
    "batches.py": {"put_object", "get_object", "delete_object", "get_paginator", "send_message"},
    "door.py": {
        "put_item",
        "get_item",
        "update_item",
        "send_message",
        "get_queue_attributes",
        "generate_presigned_url",
    },
}
"""Each function's calls of AWS, by file; `test_the_functions_make_no_other_calls` holds the files to it."""
SERVICES = {"sqs": "sqs", "s3": "s3", "dynamodb": "dynamodb", "_dynamodb": "dynamodb"}


@pytest.mark.parametrize("role", ["WorkerRole", "DoorRole"])
def test_no_action_has_a_wildcard_and_every_resource_is_one_of_the_stacks_own_or_the_model(
    template: dict[str, Any], role: str
) -> None:
    for statement in statements(template, role):
        if statement["Action"] == {"Ref": "ModelActions"}:
            assert statement["Resource"] == {"Ref": "ModelResources"}
            continue
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Resource"] == "*":
            assert set(statement["Action"]) <= WITHOUT_RESOURCE
        else:
            [(how, named)] = statement["Resource"].items()
            assert how in ("Fn::GetAtt", "Fn::Sub")
            owner = named[0] if how == "Fn::GetAtt" else named.removeprefix("${").partition(".")[0]
            assert owner in template["Resources"]


@pytest.mark.parametrize(
    ("role", "files"),
    [
        ("WorkerRole", ("worker.py", "claims.py", "slots.py", "asynchronous.py", "batches.py")),
        ("DoorRole", ("door.py", "claims.py")),
    ],
)
def test_a_role_allows_what_its_function_calls_and_nothing_else(
    template: dict[str, Any], role: str, files: tuple[str, ...]
) -> None:
    """The event source reads the queue with the worker's role; a signed link is worth what its signer may do."""
    allowed = {
        action for each in statements(template, role) for action in each["Action"] if isinstance(each["Action"], list)
    }
    called = {call for file in files for call in CALLS[file]}
    actions = {
        "change_message_visibility": "sqs:ChangeMessageVisibility",
        "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
        "send_message": "sqs:SendMessage",
        "get_queue_attributes": "sqs:GetQueueAttributes",
        "delete_message": "sqs:DeleteMessage",
        "put_object": "s3:PutObject",
        "get_object": "s3:GetObject",
        "delete_object": "s3:DeleteObject",
        "get_paginator": "s3:ListBucket",
        "generate_presigned_url": "s3:GetObject",
        "update_item": "dynamodb:UpdateItem",
        "get_item": "dynamodb:GetItem",
        "put_item": "dynamodb:PutItem",
    }
    of_no_call = WITHOUT_RESOURCE | {"logs:CreateLogStream", "logs:PutLogEvents"}
    if role == "WorkerRole":
        of_no_call |= {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "appsync:EventPublish"}
    assert allowed == {actions[call] for call in called} | of_no_call


@pytest.mark.parametrize("file", sorted(path.name for path in (TEMPLATE.parent / "functions").glob("[!_]*.py")))
def test_the_functions_make_no_other_calls(file: str) -> None:
    source = (TEMPLATE.parent / "functions" / file).read_text()
    found = set(re.findall(rf"\b(?:{'|'.join(SERVICES)})\.([a-z_]+)\(", source))
    assert found == CALLS.get(file, set())


def test_who_can_listen_cannot_speak(template: dict[str, Any]) -> None:
    config = template["Resources"]["Events"]["Properties"]["EventConfig"]
    assert config["DefaultPublishAuthModes"] == [{"AuthType": "AWS_IAM"}]
    assert config["DefaultSubscribeAuthModes"] == config["ConnectionAuthModes"] == [{"AuthType": "API_KEY"}]


def test_a_browser_may_call_the_door_from_one_origin_only(template: dict[str, Any]) -> None:
    cors = template["Resources"]["Api"]["Properties"]["CorsConfiguration"]
    assert cors["AllowOrigins"] == [{"Ref": "PageOrigin"}]
    assert "AllowCredentials" not in cors


def test_every_route_of_the_door_has_a_handler_and_asks_for_a_token_where_there_is_an_issuer(
    template: dict[str, Any],
) -> None:
    routes = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
    ]
    source = (TEMPLATE.parent / "functions" / "door.py").read_text()
    assert {route["RouteKey"] for route in routes} == set(re.findall(r'^    "([A-Z]+ /[^"]*)":', source, re.M))
    for route in routes:
        assert route["AuthorizationType"] == {"Fn::If": ["AsksForTokens", "JWT", "NONE"]}


def test_visibility_and_model_time_follow_from_the_functions_time(template: dict[str, Any]) -> None:
    timeouts = template["Mappings"]["Timeouts"]
    assert list(timeouts) == template["Parameters"]["FunctionTimeout"]["AllowedValues"]
    for seconds, derived in timeouts.items():
        assert derived["Visibility"] == int(seconds) * facts.number("sqs.visibility.lambda_multiple")
        assert derived["Visibility"] <= facts.number("sqs.visibility.max_s")
        assert derived["Silence"] < derived["Model"]
        assert derived["Model"] < int(seconds), "time must be left to write down that the model did not answer"
    assert max(map(int, timeouts)) <= facts.number("lambda.timeout_s")


def test_the_settings_keep_to_the_registers_limits(template: dict[str, Any]) -> None:
    parameters, resources = template["Parameters"], template["Resources"]
    assert parameters["MaxReceives"]["MinValue"] >= facts.number("sqs.redrive.min_receive_count")
    assert parameters["WorkerConcurrency"]["MinValue"] == facts.number("lambda.sqs.maximum_concurrency_min")
    assert parameters["WorkerConcurrency"]["MaxValue"] == facts.number("lambda.sqs.maximum_concurrency_max")
    assert parameters["MaxAnswerBytes"]["MaxValue"] < facts.number("dynamodb.item.max_bytes") * 0.95
    assert parameters["MaxPromptBytes"]["MaxValue"] == facts.number("sqs.message.max_bytes")
    assert min(parameters["MemorySize"]["AllowedValues"]) >= facts.number("lambda.memory.min_mb")
    assert resources["DeadLetters"]["Properties"]["MessageRetentionPeriod"] == facts.number("sqs.retention.max_s")
    assert resources["Jobs"]["Properties"]["ReceiveMessageWaitTimeSeconds"] <= facts.number("sqs.long_poll.max_s")
    kept_s = resources["Jobs"]["Properties"]["MessageRetentionPeriod"]
    assert parameters["JobDays"]["MinValue"] * 86_400 > kept_s, "no message may outlive its job's item"


def test_function_timeout_memory_and_logs_are_chosen_not_defaulted(template: dict[str, Any]) -> None:
    worker = template["Resources"]["Worker"]["Properties"]
    assert int(default(template, "FunctionTimeout")) > facts.number("lambda.timeout_default_s")
    assert default(template, "MemorySize") > facts.number("lambda.memory.min_mb")
    assert worker["LoggingConfig"]["LogGroup"] == {"Ref": "WorkerLogs"}
    assert "RetentionInDays" in template["Resources"]["WorkerLogs"]["Properties"]


def test_teardown_can_look_for_every_type_of_resource(template: dict[str, Any]) -> None:
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert types <= set(leftovers.LOOKS)


def test_what_is_computed_here_has_the_templates_own_defaults(template: dict[str, Any]) -> None:
    assert {name: default(template, name) for name in deploy.DEFAULTS} == deploy.DEFAULTS
    assert default(template, "BatchFewest") == facts.number("bedrock.batch.records_min")
    assert template["Parameters"]["AnswerWait"]["MaxValue"] < facts.number("sqs.visibility.max_s")
    assert template["Parameters"]["BatchLook"]["MaxValue"] == facts.number("sqs.delay_max_s")


def test_a_targets_further_statements_stay_as_they_are(template: dict[str, Any]) -> None:
    passing = {
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": ["arn:aws:iam::123456789012:role/batch"],
        "Condition": {"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}},
    }
    text = deploy.with_statements(TEMPLATE.read_text(), [passing])
    written = statements(cfnlint.decode.cfn_yaml.loads(text), "WorkerRole")
    assert passing in written
    assert len(written) == len(statements(template, "WorkerRole")) + 1
