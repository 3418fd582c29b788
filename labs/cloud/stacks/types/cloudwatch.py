"""AWS::CloudWatch::*"""

from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work, already_exists

SETTINGS = (
    "ActionsEnabled",
    "AlarmActions",
    "AlarmDescription",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
)


class Alarm(ResourceType):
    name = "AWS::CloudWatch::Alarm"
    properties = frozenset({*SETTINGS, "AlarmName", "Tags"})
    named_by = "AlarmName"

    def create(self, work: Work) -> None:
        name = work.name("AlarmName", longest=255)
        if work.call("cloudwatch", "DescribeAlarms", AlarmNames=[name])[
            "MetricAlarms"
        ]:  # PutMetricAlarm would overwrite it
            raise already_exists(self.name, name)
        self._put(work, name)
        region, account = work.stack_id.split(":")[3:5]
        work.made(name, Arn=f"arn:aws:cloudwatch:{region}:{account}:alarm:{name}")

    def update(self, work: Work, before: dict[str, Any]) -> None:  # noqa: ARG002 - the API takes the whole alarm anew
        self._put(work, str(work.physical_id))

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("cloudwatch", "DeleteAlarms", AlarmNames=[work.physical_id]))

    def _put(self, work: Work, name: str) -> None:
        work.call("cloudwatch", "PutMetricAlarm", AlarmName=name, Tags=work.tag_list(), **work.pick(*SETTINGS))


class Dashboard(ResourceType):
    name = "AWS::CloudWatch::Dashboard"
    properties = frozenset({"DashboardBody", "DashboardName"})
    named_by = "DashboardName"

    def create(self, work: Work) -> None:
        name = work.name("DashboardName", longest=255)
        work.call("cloudwatch", "PutDashboard", DashboardName=name, DashboardBody=work.properties["DashboardBody"])
        work.made(name)

    def update(self, work: Work, before: dict[str, Any]) -> None:  # noqa: ARG002
        work.call(
            "cloudwatch", "PutDashboard", DashboardName=work.physical_id, DashboardBody=work.properties["DashboardBody"]
        )

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("cloudwatch", "DeleteDashboards", DashboardNames=[work.physical_id]))


TYPES = (Alarm(), Dashboard())
