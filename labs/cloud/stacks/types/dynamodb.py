"""AWS::DynamoDB::*"""

from typing import Any

from labs.cloud.stacks.types.base import Failed, ResourceType, Work, code_of

ON_CREATE = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
)


class Table(ResourceType):
    name = "AWS::DynamoDB::Table"
    properties = frozenset(
        {
            *ON_CREATE,
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "StreamSpecification",
            "TableName",
            "Tags",
            "TimeToLiveSpecification",
        }
    )
    also_replacing = frozenset({"KeySchema", "LocalSecondaryIndexes"})
    named_by = "TableName"

    def create(self, work: Work) -> None:
        stream = work.properties.get("StreamSpecification")
        encryption = work.properties.get("SSESpecification")
        table = work.call(
            "dynamodb",
            "CreateTable",
            TableName=work.name("TableName", longest=255),
            StreamSpecification={"StreamEnabled": True, **stream} if stream else None,
            SSESpecification={"Enabled" if key == "SSEEnabled" else key: value for key, value in encryption.items()}
            if encryption
            else None,
            Tags=work.tag_list(),
            **work.pick(*ON_CREATE),
        )["TableDescription"]
        work.made(table["TableName"], Arn=table["TableArn"])
        if "LatestStreamArn" in table:
            work.attributes["StreamArn"] = table["LatestStreamArn"]
        work.until(lambda: status(work) == "ACTIVE")
        self._put_settings(work, {})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        changed = {
            name: work.properties[name]
            for name in (
                "AttributeDefinitions",
                "BillingMode",
                "ProvisionedThroughput",
                "DeletionProtectionEnabled",
                "TableClass",
            )
            if name in work.properties and work.properties[name] != before.get(name)
        }
        if (indexes := index_changes(before, work.properties)) and "AttributeDefinitions" not in changed:
            changed["AttributeDefinitions"] = work.properties["AttributeDefinitions"]
        if set(changed) - {"AttributeDefinitions"} and not indexes:
            work.call("dynamodb", "UpdateTable", TableName=work.physical_id, **changed)
        for index in indexes:
            work.call(
                "dynamodb", "UpdateTable", TableName=work.physical_id, GlobalSecondaryIndexUpdates=[index], **changed
            )
        self._put_settings(work, before)

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("dynamodb", "DeleteTable", TableName=work.physical_id))

    def _put_settings(self, work: Work, before: dict[str, Any]) -> None:
        """What the API sets on a table that exists."""
        ttl, ttl_before = work.properties.get("TimeToLiveSpecification"), before.get("TimeToLiveSpecification")
        if ttl != ttl_before and (ttl or ttl_before):
            wanted = ttl or {**(ttl_before or {}), "Enabled": False}
            if ttl_before or str(wanted.get("Enabled")).lower() == "true":
                work.call("dynamodb", "UpdateTimeToLive", TableName=work.physical_id, TimeToLiveSpecification=wanted)
        recovery = work.properties.get("PointInTimeRecoverySpecification")
        if recovery is not None and recovery != before.get("PointInTimeRecoverySpecification"):
            work.call(
                "dynamodb",
                "UpdateContinuousBackups",
                TableName=work.physical_id,
                PointInTimeRecoverySpecification=recovery,
            )


def index_changes(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Global secondary indexes that come and go, one change a call as the API has it."""
    old = {index["IndexName"]: index for index in before.get("GlobalSecondaryIndexes") or []}
    new = {index["IndexName"]: index for index in after.get("GlobalSecondaryIndexes") or []}
    changes: list[dict[str, Any]] = [{"Delete": {"IndexName": name}} for name in old if name not in new]
    return changes + [{"Create": index} for name, index in new.items() if name not in old]


def status(work: Work) -> str:
    try:
        return str(work.call("dynamodb", "DescribeTable", TableName=work.physical_id)["Table"]["TableStatus"])
    except Failed as failed:
        if code_of(failed) == "ResourceNotFoundException":
            return "GONE"
        raise


TYPES = (Table(),)
