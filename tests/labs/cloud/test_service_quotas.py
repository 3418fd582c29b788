"""Quotas are shown, asked for and raised, and every service that asks for one sees it raised."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services import quotas, service_quotas
from tests.labs.cloud.kit import Aws, until
from tests.labs.cloud.shapes import checked

INF2 = {"ServiceCode": "sagemaker", "QuotaCode": "L-286C98BC"}
REGION = "us-east-1"


@pytest.fixture
def desk(in_process_cloud: Context, inside: Aws) -> Any:
    in_process_cloud.time_scale = 10_000.0
    return checked(inside.session.client("service-quotas"))


# -- the store


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(home=tmp_path)


def test_accelerators_begin_at_none_and_other_instances_do_not(context: Context) -> None:
    found = {
        type_: quotas.instance_quota(context, REGION, type_)
        for type_ in ("ml.inf2.48xlarge", "ml.g5.xlarge", "ml.g4dn.xlarge", "ml.p6-b200.48xlarge", "ml.c7i.large")
    }
    assert set(found.values()) == {0}
    other = int(facts.number("sagemaker.quota.endpoint-other"))
    assert quotas.instance_quota(context, REGION, "ml.m5.large") == other > 0
    assert quotas.instance_quota(context, REGION, "ml.m5.24xlarge") == other, "also for a type that is not listed"
    assert quotas.endpoint_usage("ml.g5.xlarge").name == "ml.g5.xlarge for endpoint usage"


def test_a_quota_is_raised_in_one_region_of_one_cloud(context: Context, tmp_path: Path) -> None:
    code = quotas.endpoint_usage("ml.g4dn.xlarge").code
    assert code.startswith("LOCAL-"), "AWS's own code of it was not found"
    quotas.set_value(context, REGION, "sagemaker", code, 3)
    assert quotas.instance_quota(context, REGION, "ml.g4dn.xlarge") == 3
    assert quotas.instance_quota(context, "us-west-2", "ml.g4dn.xlarge") == 0
    assert quotas.instance_quota(Context(home=tmp_path), REGION, "ml.g4dn.xlarge") == 0


@pytest.mark.parametrize(
    ("model", "fact"),
    [
        ("us.meta.llama3-3-70b-instruct-v1:0", "bedrock.tpm.llama-3-3-70b"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.llama3-1-8b-instruct-v1:0", "bedrock.tpm.llama-3-1-8b"),
        ("meta.llama3-1-8b-instruct-v1:0", "bedrock.tpm.llama-3-1-8b"),
        ("amazon.nova-lite-v1:0", "bedrock.tpm-on-demand.nova-lite"),
        ("us.amazon.nova-lite-v1:0", "bedrock.tpm.nova-lite"),
        ("us.amazon.nova-micro-v1:0", "bedrock.tpm-on-demand.nova-micro"),
    ],
)
def test_a_model_has_its_quota_by_every_name(context: Context, model: str, fact: str) -> None:
    assert quotas.bedrock_quota(context, REGION, model) == facts.number(fact)


def test_of_an_unknown_model_no_quota_is_known(context: Context) -> None:
    assert quotas.bedrock_quota(context, REGION, "nobody.model-v1:0") is None
    with pytest.raises(quotas.UnknownQuota):
        quotas.value(context, REGION, "sagemaker", "L-00000000")


def test_codes_are_unique_and_well_formed() -> None:
    every = [quota for of_service in quotas.known().values() for quota in of_service.values()]
    names = [(quota.service_code, quota.name) for quota in every]
    assert len(set(names)) == len(names)
    assert all(quota.code.startswith(("L-", "LOCAL-")) for quota in every)


# -- the service


def test_quotas_are_listed_with_their_values_and_found_by_code(desk: Any) -> None:
    assert {service["ServiceCode"] for service in desk.list_services()["Services"]} >= {"bedrock", "sagemaker", "ec2"}
    pages = desk.get_paginator("list_service_quotas").paginate(
        ServiceCode="sagemaker", PaginationConfig={"PageSize": 20}
    )
    found = {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}
    inf2 = found["ml.inf2.48xlarge for endpoint usage"]
    assert (inf2["QuotaCode"], inf2["Value"], inf2["Adjustable"]) == ("L-286C98BC", 0.0, True)
    assert desk.get_service_quota(**INF2)["Quota"] == inf2
    bedrock = desk.list_service_quotas(ServiceCode="bedrock")["Quotas"]
    [llama] = [quota for quota in bedrock if quota["QuotaCode"] == "L-0E7AA8B7"]
    assert llama["QuotaName"] == "Cross-region model inference tokens per minute for Meta Llama 3.3 70B Instruct"
    assert llama["Period"] == {"PeriodValue": 1, "PeriodUnit": "MINUTE"}


def test_a_modest_request_is_pending_and_then_approved(desk: Any, in_process_cloud: Context) -> None:
    in_process_cloud.time_scale = 1.0
    g5 = {"ServiceCode": "sagemaker", "QuotaCode": "L-1928E07B"}
    assert desk.request_service_quota_increase(**g5, DesiredValue=2)["RequestedQuota"]["Status"] == "PENDING"
    assert desk.get_service_quota(**g5)["Quota"]["Value"] == 0.0
    in_process_cloud.time_scale = 10_000.0
    made = desk.request_service_quota_increase(**INF2, DesiredValue=2)["RequestedQuota"]
    until(lambda: desk.get_service_quota(**INF2)["Quota"]["Value"] == 2.0)
    assert quotas.instance_quota(in_process_cloud, REGION, "ml.inf2.48xlarge") == 2
    assert desk.get_requested_service_quota_change(RequestId=made["Id"])["RequestedQuota"]["Status"] == "APPROVED"
    assert desk.get_aws_default_service_quota(**INF2)["Quota"]["Value"] == 0.0
    pending = desk.list_requested_service_quota_change_history(Status="PENDING")["RequestedQuotas"]
    assert [change["QuotaCode"] for change in pending] == ["L-1928E07B"]


def test_a_large_request_opens_a_case_and_a_huge_one_is_never_approved(desk: Any, in_process_cloud: Context) -> None:
    in_process_cloud.time_scale = 2e6
    g5 = {"ServiceCode": "sagemaker", "QuotaCode": "L-1928E07B"}
    desk.request_service_quota_increase(**INF2, DesiredValue=1000)
    desk.request_service_quota_increase(**g5, DesiredValue=8)
    until(lambda: desk.get_service_quota(**g5)["Quota"]["Value"] == 8.0)
    [huge] = desk.list_requested_service_quota_change_history_by_quota(**INF2)["RequestedQuotas"]
    assert huge["Status"] == "CASE_OPENED"
    assert huge["CaseId"]
    assert desk.get_service_quota(**INF2)["Quota"]["Value"] == 0.0
    history = desk.list_requested_service_quota_change_history(ServiceCode="sagemaker")["RequestedQuotas"]
    assert [change["QuotaCode"] for change in history] == ["L-1928E07B", "L-286C98BC"]


def test_ec2_counts_vcpus_so_that_four_small_machines_are_modest_there_too() -> None:
    of_gpus = quotas.get("ec2", facts.text("ec2.quota.code.g-vt"))
    assert service_quotas.case_s_on_aws(of_gpus, 16) == 0.0
    assert service_quotas.case_s_on_aws(of_gpus, 17) == service_quotas.CASE_S_ON_AWS
    assert service_quotas.case_s_on_aws(of_gpus, 41) is None


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda d: d.get_service_quota(ServiceCode="sagemaker", QuotaCode="L-00000000"), "NoSuchResourceException"),
        (lambda d: d.list_service_quotas(ServiceCode="nothing"), "NoSuchResourceException"),
        (lambda d: d.get_requested_service_quota_change(RequestId="x"), "NoSuchResourceException"),
        (lambda d: d.request_service_quota_increase(**INF2, DesiredValue=0), "IllegalArgumentException"),
        (
            lambda d: [d.request_service_quota_increase(**INF2, DesiredValue=500) for _ in range(2)],
            "ResourceAlreadyExistsException",
        ),
    ],
)
def test_what_aws_refuses_is_refused(desk: Any, call: Any, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        call(desk)
    assert refused.value.response["Error"]["Code"] == code


def test_the_server_answers_too(aws: Aws) -> None:
    desk = checked(aws.session.client("service-quotas"))
    concurrency = desk.get_service_quota(ServiceCode="lambda", QuotaCode="L-B99A9384")["Quota"]
    assert concurrency["Value"] == facts.number("lambda.concurrency.default")


# -- why moto's own is replaced: it fails once moto no longer needs it


def test_moto_still_knows_the_quotas_of_vpc_only(stock: Aws) -> None:
    desk = stock.session.client("service-quotas")
    with pytest.raises(ClientError, match="NoSuchResource"):
        desk.get_service_quota(**INF2)
    with pytest.raises(NotImplementedError):
        desk.list_service_quotas(ServiceCode="sagemaker")
