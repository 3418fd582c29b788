"""AWS::Logs::*"""

from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work


class LogGroup(ResourceType):
    name = "AWS::Logs::LogGroup"
    properties = frozenset({"KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"})
    named_by = "LogGroupName"

    def create(self, work: Work) -> None:
        name = work.name("LogGroupName", longest=512)
        work.call(
            "logs",
            "CreateLogGroup",
            logGroupName=name,
            kmsKeyId=work.properties.get("KmsKeyId"),
            tags=work.tags() or None,
        )
        work.made(name)
        groups = work.call("logs", "DescribeLogGroups", logGroupNamePrefix=name)["logGroups"]
        arn = next(group["arn"] for group in groups if group["logGroupName"] == name)
        work.attributes["Arn"] = arn if arn.endswith(":*") else f"{arn}:*"
        self._keep(work)

    def update(self, work: Work, before: dict[str, Any]) -> None:
        if "RetentionInDays" in before and "RetentionInDays" not in work.properties:
            work.call("logs", "DeleteRetentionPolicy", logGroupName=work.physical_id)
        self._keep(work)

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("logs", "DeleteLogGroup", logGroupName=work.physical_id))

    def _keep(self, work: Work) -> None:
        if (days := work.properties.get("RetentionInDays")) is not None:
            work.call("logs", "PutRetentionPolicy", logGroupName=work.physical_id, retentionInDays=days)


TYPES = (LogGroup(),)
