"""Whatever an operation is called with, it answers as AWS would: with what was asked for, or with an error that is the caller's."""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from labs.cloud import environment, extension
from labs.cloud.context import REGION
from labs.cloud.coverage import SERVICES, Recorder
from labs.cloud.state import ServerRecord
from tests.labs.cloud.kit import Aws
from tests.labs.cloud.sweep import sweep

FEW = ("appsync", "eks", "pricing", "service-quotas")
BROKEN: dict[str, set[str]] = {
    "dynamodb": {"ListExports"},
    "dynamodbstreams": {"DescribeStream", "GetShardIterator"},
    "ec2": {
        "AllocateHosts",
        "DeleteManagedPrefixList",
        "DeleteNatGateway",
        "DeleteVpc",
        "DescribePrefixLists",
        "EnableTransitGatewayRouteTablePropagation",
        "ModifyManagedPrefixList",
        "ModifySecurityGroupRules",
        "ModifySpotFleetRequest",
        "ReplaceNetworkAclAssociation",
        "RequestSpotFleet",
        "RequestSpotInstances",
    },
    "events": {"PutPartnerEvents"},
    "iam": {"CreateServiceLinkedRole"},
    "logs": {"DescribeDestinations", "DescribeLogGroups", "PutDeliveryDestination", "PutDeliverySource", "StartQuery"},
    "sagemaker": {"CreateCluster", "CreateFeatureGroup"},
    "secretsmanager": {"GetRandomPassword", "ListSecrets", "ReplicateSecretToRegions", "TagResource"},
    "sns": {"DeletePlatformApplication"},
    "ssm": {
        "DeletePatchBaseline",
        "DescribeMaintenanceWindows",
        "DescribePatchBaselines",
        "GetPatchBaselineForPatchGroup",
    },
    "sts": {"AssumeRoleWithSAML"},
}
"""Operations of moto's that break over input which is in order by AWS's model: labs call none of them so."""

Cloud = tuple[Recorder, extension.Extension]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud inside this process that knows what it is made of."""
    for name in filter(environment.is_aws_variable, dict(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    monkeypatch.setattr(environment, "_only_loopback", False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    context = Recorder(home=tmp_path, time_scale=20_000)
    with mock_aws():
        yield context, extension.install(context)
    context.close()


def held(cloud: Cloud, service: str) -> int:
    """Sweep a service; how many calls that were."""
    calls, broken = sweep(*cloud, service)
    assert [each for each in broken if each.operation not in BROKEN.get(service, ())] == []
    assert BROKEN.get(service, set()) <= {each.operation for each in broken}
    return calls


@pytest.mark.filterwarnings("ignore")
def test_a_few_services_take_anything(cloud: Cloud) -> None:
    assert sum(held(cloud, service) for service in FEW) > 500


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("service", [name for name in SERVICES if name != "s3"])
def test_every_service_takes_anything(cloud: Cloud, service: str) -> None:
    print(f"{service}: {held(cloud, service)} calls")


def unchecked(service: str) -> Any:
    return boto3.client(service, config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("service", "operation", "given", "code", "says"),
    [
        ("dynamodb", "get_item", {}, "ValidationException", "Value null at 'tableName' failed"),
        ("dynamodb", "list_tables", {"Limit": "many"}, "SerializationException", "STRING_VALUE"),
        ("sqs", "change_message_visibility", {}, "MissingParameter", "Value null at 'queueUrl'"),
        ("eks", "create_cluster", {}, "InvalidParameterException", "Value null at 'name'"),
        ("eks", "list_nodegroups", {"clusterName": "nosuch"}, "ResourceNotFoundException", "nosuch"),
        ("eks", "list_clusters", {"nextToken": "made-up"}, "InvalidParameterException", "token"),
        ("appsync", "create_api_key", {"apiId": "nosuch"}, "NotFoundException", "nosuch"),
        ("sns", "delete_topic", {"TopicArn": "no-arn"}, "InvalidParameter", "six parts"),
        ("ec2", "delete_transit_gateway", {"TransitGatewayId": "tgw-1"}, "InvalidTransitGatewayID.NotFound", "tgw-1"),
        ("cloudformation", "list_stacks", {"NextToken": "made-up"}, "ValidationError", "NextToken"),
        ("cloudformation", "get_template", {}, "ValidationError", "Either StackName or ChangeSetName"),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_a_wrong_request_is_its_callers_fault(
    service: str,
    operation: str,
    given: dict[str, Any],
    code: str,
    says: str,
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(unchecked(service), operation)(**given)
    response = refused.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"] // 100) == (code, 4)
    assert says in response["Error"]["Message"]


def post(record: ServerRecord, path: str, body: bytes, scope: str, target: str = "") -> tuple[int, bytes]:
    """The server's answer to a request that no SDK would write."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0" if target else "application/json",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=X/20260101/us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=0",
    }
    request = urllib.request.Request(
        f"{record.endpoint_url}{path}", body, headers | ({"X-Amz-Target": target} if target else {})
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_bytes_that_are_no_json_are_refused_by_the_server(local_cloud: ServerRecord) -> None:
    for body in (b"no JSON", b"[1]", b"\xff\xfe", b'"text"'):
        status, said = post(local_cloud, "/", body, "dynamodb", "DynamoDB_20120810.GetItem")
        assert (status, b"SerializationException" in said) == (400, True), said
    status, said = post(local_cloud, "/2015-03-31/functions", b"no JSON", "lambda")
    assert (status, b"SerializationException" in said) == (400, True), said


def test_an_address_with_an_empty_name_is_no_operation(local_cloud: ServerRecord, aws: Aws) -> None:
    status, said = post(local_cloud, "/model//converse", b"{}", "bedrock")
    assert (status, b"UnknownOperationException" in said) == (404, True), said
    with pytest.raises(ClientError) as refused:
        aws.eks.describe_nodegroup(clusterName="nosuch", nodegroupName="")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)


def test_moto_breaks_over_a_cluster_that_is_not_there(stock: Aws) -> None:
    """The reason for our own: once moto refuses it, this fails."""
    with pytest.raises(KeyError):
        stock.eks.list_nodegroups(clusterName="nosuch")
