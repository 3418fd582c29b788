"""What the labs rely on of CloudWatch."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.labs.cloud.kit import Aws, until

SERVICES = ("cloudwatch",)


def put(cloud: Aws, namespace: str, *values: float) -> None:
    data = [{"MetricName": "Latency", "Value": value, "Unit": "Milliseconds"} for value in values]
    cloud.cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def window() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=10), "EndTime": now + timedelta(minutes=2), "Period": 3600}


def test_statistics_and_percentiles_of_what_was_put(cloud: Aws) -> None:
    namespace = f"lab/{uuid.uuid4().hex[:8]}"
    put(cloud, namespace, *range(1, 101))
    asked = {"Namespace": namespace, "MetricName": "Latency", **window()}
    points = cloud.cloudwatch.get_metric_statistics(Statistics=["Average", "SampleCount", "Maximum"], **asked)[
        "Datapoints"
    ]
    assert sum(point["SampleCount"] for point in points) == 100
    assert max(point["Maximum"] for point in points) == 100
    [point] = cloud.cloudwatch.get_metric_statistics(ExtendedStatistics=["p50"], **asked)["Datapoints"]
    assert 49 <= point["ExtendedStatistics"]["p50"] <= 52


def test_metric_data_by_query(cloud: Aws) -> None:
    namespace = f"lab/{uuid.uuid4().hex[:8]}"
    put(cloud, namespace, 2, 4)
    when = window()
    stat = {"Metric": {"Namespace": namespace, "MetricName": "Latency"}, "Period": when.pop("Period"), "Stat": "Sum"}
    answer = cloud.cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "sum", "MetricStat": stat}], **when)
    [result] = answer["MetricDataResults"]
    assert (result["Id"], sum(result["Values"])) == ("sum", 6)


def test_an_alarm_goes_off(cloud: Aws) -> None:
    namespace, name = f"lab/{uuid.uuid4().hex[:8]}", f"alarm-{uuid.uuid4().hex[:8]}"
    cloud.cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName="Latency",
        Statistic="Maximum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )

    def state() -> str:
        put(cloud, namespace, 10)
        told: str = cloud.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]
        return told

    until(lambda: state() == "ALARM", seconds=60)
    cloud.cloudwatch.delete_alarms(AlarmNames=[name])
    assert cloud.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
