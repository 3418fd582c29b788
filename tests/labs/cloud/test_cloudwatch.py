"""CloudWatch: statistics, percentiles and metric math of what was put, alarms that change state and act, the same in both clouds."""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.services import cloudwatch
from labs.cloud.services.cloudwatch_alarms import decide
from labs.cloud.services.cloudwatch_math import evaluate
from labs.cloud.services.cloudwatch_statistics import Unsupported, percentile
from tests.labs.cloud.kit import Aws, until
from tests.labs.cloud.shapes import checked

NOW = datetime.now(UTC)
MINUTE = NOW.replace(second=0, microsecond=0) - timedelta(minutes=10)
"""a whole minute, ten minutes ago"""
DIMENSIONS = [{"Name": "Endpoint", "Value": "a"}]


@pytest.fixture(params=["inside", "server"])
def watch(request: pytest.FixtureRequest) -> Iterator[Any]:
    """CloudWatch's client, in-process and of the server."""
    clients: Aws = request.getfixturevalue("inside" if request.param == "inside" else "aws")
    yield checked(clients.cloudwatch)
    names = [alarm["AlarmName"] for alarm in clients.cloudwatch.describe_alarms(MaxRecords=100)["MetricAlarms"]]
    clients.cloudwatch.delete_alarms(AlarmNames=names)


@pytest.fixture
def namespace() -> str:
    return f"Course/{uuid.uuid4().hex[:8]}"


def put(
    watch: Any, namespace: str, values: list[float], at: datetime = MINUTE, name: str = "Latency", **more: Any
) -> None:
    datum = {"MetricName": name, "Timestamp": at, "Values": values, "Dimensions": DIMENSIONS, "Unit": "Milliseconds"}
    watch.put_metric_data(Namespace=namespace, MetricData=[datum | more])


def query(namespace: str, stat: str, name: str = "Latency", period: int = 60) -> dict[str, Any]:
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": DIMENSIONS}
    return {"Metric": metric, "Stat": stat, "Period": period}


def data(watch: Any, *queries: dict[str, Any], **more: Any) -> dict[str, list[float]]:
    """The values of each query by its id, oldest first."""
    given = {"StartTime": MINUTE - timedelta(minutes=5), "EndTime": NOW, "ScanBy": "TimestampAscending"} | more
    answer = watch.get_metric_data(MetricDataQueries=list(queries), **given)
    return {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}


# -- statistics


def test_every_statistic_of_what_was_put(watch: Any, namespace: str) -> None:
    put(watch, namespace, [1.0, 2.0, 3.0, 10.0])
    stats = ["SampleCount", "Sum", "Average", "Minimum", "Maximum", "p50", "p99", "p99.9", "p100"]
    queries = [{"Id": f"m{number}", "MetricStat": query(namespace, stat)} for number, stat in enumerate(stats)]
    found = [values[0] for values in data(watch, *queries).values()]
    assert found == pytest.approx([4, 16, 4, 1, 10, 2.5, 9.79, 9.979, 10])
    answer = watch.get_metric_statistics(
        Namespace=namespace,
        MetricName="Latency",
        Dimensions=DIMENSIONS,
        StartTime=MINUTE + timedelta(seconds=20),
        EndTime=NOW,
        Period=60,
        ExtendedStatistics=["p50", "p99"],
    )
    [point] = answer["Datapoints"]
    assert point["Timestamp"] == MINUTE, "the start is taken down to a whole minute"
    assert point["ExtendedStatistics"] == pytest.approx({"p50": 2.5, "p99": 9.79})
    assert point["Unit"] == "Milliseconds"


def test_counts_and_statistic_sets_weigh_what_they_say(watch: Any, namespace: str) -> None:
    put(watch, namespace, [1.0, 5.0], Counts=[99.0, 1.0])
    values = {"SampleCount": 100.0, "Sum": 300.0, "Minimum": 1.0, "Maximum": 9.0}
    watch.put_metric_data(
        Namespace=namespace,
        MetricData=[{"MetricName": "Set", "Timestamp": MINUTE, "StatisticValues": values, "Dimensions": DIMENSIONS}],
    )
    found = data(
        watch,
        {"Id": "a", "MetricStat": query(namespace, "p50")},
        {"Id": "b", "MetricStat": query(namespace, "SampleCount")},
        {"Id": "c", "MetricStat": query(namespace, "Average", "Set")},
        {"Id": "d", "MetricStat": query(namespace, "p50", "Set")},
    )
    assert found == {"a": [1.0], "b": [100.0], "c": [3.0], "d": []}, "nobody knows the percentile of a statistic set"


def test_periods_are_gathered_and_other_dimensions_are_another_metric(watch: Any, namespace: str) -> None:
    for minute in range(4):
        put(watch, namespace, [float(minute)], MINUTE + timedelta(minutes=minute))
    put(watch, namespace, [100.0], Dimensions=[])
    found = data(watch, {"Id": "a", "MetricStat": query(namespace, "Sum", period=120)}, StartTime=MINUTE)
    assert found == {"a": [1.0, 5.0]}


def test_high_resolution_keeps_seconds_and_the_rest_minutes(watch: Any, namespace: str) -> None:
    at = MINUTE + timedelta(seconds=25)
    put(watch, namespace, [1.0], at, StorageResolution=1)
    put(watch, namespace, [2.0], at + timedelta(seconds=10), StorageResolution=1)
    put(watch, namespace, [3.0], at, name="Coarse")
    found = data(
        watch,
        {"Id": "a", "MetricStat": query(namespace, "Sum", period=10)},
        {"Id": "b", "MetricStat": query(namespace, "Sum", "Coarse", period=10)},
        StartTime=MINUTE,
    )
    assert found == {"a": [1.0, 2.0], "b": [3.0]}


def test_a_large_call_comes_compressed_and_is_read(watch: Any, namespace: str) -> None:
    datum = {"MetricName": "Latency", "Timestamp": MINUTE, "Dimensions": DIMENSIONS}
    watch.put_metric_data(Namespace=namespace, MetricData=[datum | {"Value": float(n)} for n in range(900)])
    assert data(watch, {"Id": "a", "MetricStat": query(namespace, "SampleCount")}) == {"a": [900.0]}


def test_metrics_are_listed_by_what_they_are_called(watch: Any, namespace: str) -> None:
    put(watch, namespace, [1.0])
    put(watch, namespace, [1.0], name="Other", Dimensions=[])
    names = [metric["MetricName"] for metric in watch.list_metrics(Namespace=namespace)["Metrics"]]
    assert names == ["Latency", "Other"]
    [metric] = watch.list_metrics(Namespace=namespace, Dimensions=[{"Name": "Endpoint"}])["Metrics"]
    assert metric == {"Namespace": namespace, "MetricName": "Latency", "Dimensions": DIMENSIONS}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Namespace": "AWS/SQS"}, "InvalidParameterValue"),
        ({"Timestamp": NOW - timedelta(days=30)}, "InvalidParameterValue"),
        ({"Timestamp": NOW + timedelta(hours=3)}, "InvalidParameterValue"),
        ({"Values": [1.0], "Value": 2.0}, "InvalidParameterCombination"),
        ({"Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue"),
        ({"Value": float("nan")}, "InvalidParameterValue"),
        ({"StorageResolution": 30, "Value": 1.0}, "InvalidParameterValue"),
    ],
)
def test_data_that_aws_refuses_is_refused(inside: Aws, change: dict[str, Any], code: str) -> None:
    change = {"Value": 1.0, **change} if "Values" not in change else change
    namespace = change.pop("Namespace", "Course")
    with pytest.raises(ClientError) as refused:
        inside.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", **change}])
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("stat", ["tm90", "TM(10%:90%)", "IQM", "nonsense", "p101"])
def test_a_statistic_that_is_not_computed_is_refused_by_name(inside: Aws, stat: str) -> None:
    with pytest.raises(ClientError, match=r"tm90|TM|IQM|nonsense|p101"):
        data(inside.cloudwatch, {"Id": "a", "MetricStat": query("Course", stat)})


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40), st.floats(0, 100))
@settings(max_examples=60)
def test_a_percentile_of_counted_values_is_that_of_the_values_one_by_one(values: list[int], percent: float) -> None:
    counted: dict[float, float] = {}
    for value in values:
        counted[float(value)] = counted.get(float(value), 0) + 1
    ordered = sorted(values)
    rank = percent / 100 * (len(ordered) - 1)
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    expected = ordered[low] + (ordered[high] - ordered[low]) * (rank - low)
    assert percentile(counted, percent) == pytest.approx(expected, abs=1e-6)


# -- metric math

M1, M2 = {0: 1.0, 60: 4.0}, {0: 2.0, 60: 0.0, 120: 3.0}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1/m2", {0: 0.5}),
        ("100 * (m1 + 1)", {0: 200.0, 60: 500.0}),
        ("SUM([m1, m2])", {0: 3.0, 60: 4.0, 120: 3.0}),
        ("MAX(METRICS())", {0: 2.0, 60: 4.0, 120: 3.0}),
        ("AVG(METRICS('m1'))", {0: 1.0, 60: 4.0}),
        ("m2 / MAX(m2)", {0: 2 / 3, 60: 0.0, 120: 1.0}),
        ("RATE(m1)", {60: 0.05}),
        ("DIFF(m1)", {60: 3.0}),
        ("IF(m1 > 2, 1, 0)", {0: 0.0, 60: 1.0}),
        ("IF(m1 > 2, m2)", {60: 0.0}),
        ("IF(m1 > 0 AND m2 > 0, 7, 8)", {0: 7.0, 60: 8.0}),
        ("m1 > 2 || m2 > 1", {0: 1.0, 60: 1.0}),
        ("FILL(m1, 0)", {0: 1.0, 60: 4.0, 120: 0.0}),
        ("FILL(m1, REPEAT)", {0: 1.0, 60: 4.0, 120: 4.0}),
        ("m1 ^ 2", {0: 1.0, 60: 16.0}),
        ("m1 * PERIOD(m1)", {0: 60.0, 60: 240.0}),
        ("ABS(-m1)", {0: 1.0, 60: 4.0}),
    ],
)
def test_metric_math(expression: str, expected: dict[int, float]) -> None:
    assert evaluate(expression, {"m1": M1, "m2": M2}, 60, window=(0, 180)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "m1 +",
        "m3 + 1",
        "__import__('os')",
        "m1.real",
        "[x for x in m1]",
        "(" * 300,
        "lambda: 1",
        "m1 if m2 else 1",
        "9**9**9**9 * m1",
    ],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"Error in expression|has no function"):
        evaluate(expression, {"m1": M1, "m2": M2}, 60)


@given(
    st.lists(
        st.sampled_from(
            [
                "m1",
                "m2",
                "+",
                "-",
                "/",
                "^",
                ">",
                "(",
                ")",
                ",",
                "[",
                "]",
                "0",
                "2.5",
                "IF(",
                "FILL(",
                "SUM(",
                "RATE(",
                "LOG10(",
                "METRICS()",
                " AND ",
                "REPEAT",
            ]
        ),
        max_size=9,
    ).map("".join)
)
@settings(max_examples=150)
def test_whatever_is_written_gives_real_numbers_or_is_refused(expression: str) -> None:
    try:
        answer = evaluate(expression, {"m1": {0: -1.0, 60: 4.0}, "m2": M2}, 60, window=(0, 180))
    except ValueError:
        return
    for series in answer if isinstance(answer, list) else [answer]:
        assert all(isinstance(value, float) and value == value for value in series.values())


@pytest.mark.parametrize("expression", ["SEARCH('x', 'Sum', 60)", "ANOMALY_DETECTION_BAND(m1)", "SELECT AVG(x) FROM y"])
def test_what_aws_has_and_the_local_cloud_has_not_is_refused_by_name(expression: str) -> None:
    with pytest.raises(Unsupported, match="local cloud"):
        evaluate(expression, {"m1": M1}, 60)


def test_expressions_over_queries(watch: Any, namespace: str) -> None:
    put(watch, namespace, [3.0], name="Errors")
    put(watch, namespace, [60.0], name="Calls")
    found = data(
        watch,
        {"Id": "errors", "MetricStat": query(namespace, "Sum", "Errors"), "ReturnData": False},
        {"Id": "calls", "MetricStat": query(namespace, "Sum", "Calls"), "ReturnData": False},
        {"Id": "percent", "Expression": "100 * share", "Label": "Failed"},
        {"Id": "share", "Expression": "errors / calls", "ReturnData": False},
    )
    assert found == {"percent": pytest.approx([5.0])}


# -- the rule of an alarm: AWS's own tables ("o" within, "x" breaching, "-" missing)

TABLES = [
    # points, periods, to alarm: missing, ignore, breaching, notBreaching
    ("o-x-x", 3, 3, "OK", "OK", "OK", "OK"),
    ("----o", 3, 3, "OK", "OK", "OK", "OK"),
    ("-----", 3, 3, "INSUFFICIENT_DATA", None, "ALARM", "OK"),
    ("oxx-x", 3, 3, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("--x--", 3, 3, "ALARM", None, "ALARM", "OK"),
    ("o-x-x", 3, 2, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("ooxox", 3, 2, "ALARM", "ALARM", "ALARM", "ALARM"),
    ("o-x--", 3, 2, "OK", "OK", "ALARM", "OK"),
    ("----o", 3, 2, "OK", "OK", "ALARM", "OK"),
    ("---x-", 3, 2, "ALARM", None, "ALARM", "OK"),
    ("----x", 3, 3, None, None, "ALARM", "OK"),
]


@pytest.mark.parametrize(("points", "periods", "to_alarm", "missing", "ignore", "breaching", "not_breaching"), TABLES)
def test_missing_points_are_taken_as_aws_takes_them(
    points: str, periods: int, to_alarm: int, missing: Any, ignore: Any, breaching: Any, not_breaching: Any
) -> None:
    seen = [{"o": False, "x": True, "-": None}[each] for each in points]
    for treatment, expected in (
        ("missing", missing),
        ("ignore", ignore),
        ("breaching", breaching),
        ("notBreaching", not_breaching),
    ):
        assert decide(seen, periods, to_alarm, treatment) == expected, treatment


# -- alarms that live


def alarm(watch: Any, namespace: str, **settings: Any) -> str:
    name = f"alarm-{uuid.uuid4().hex[:8]}"
    given = {
        "Namespace": namespace,
        "MetricName": "Latency",
        "Dimensions": DIMENSIONS,
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **settings,
    }
    watch.put_metric_alarm(AlarmName=name, **{key: value for key, value in given.items() if value is not None})
    return name


def described(watch: Any, name: str) -> dict[str, Any]:
    [found] = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(found)


def put_lately(watch: Any, namespace: str, *values: float, name: str = "Latency") -> None:
    """One value for each of the last minutes that are over, the newest last; and for this minute too, should it end meanwhile."""
    this_minute = datetime.now(UTC).replace(second=0, microsecond=0)
    for ago, value in enumerate([values[-1], *reversed(values)]):
        put(watch, namespace, [value], this_minute - timedelta(minutes=ago), name)


def test_an_alarm_goes_to_alarm_and_back_and_remembers(watch: Any, namespace: str) -> None:
    name = alarm(watch, namespace)
    assert described(watch, name)["StateValue"] == "INSUFFICIENT_DATA"
    put_lately(watch, namespace, 1.0, 9.0, 9.0)
    found = until(lambda: (a := described(watch, name))["StateValue"] == "ALARM" and a)
    assert "2 out of the last 2 datapoints" in found["StateReason"]
    assert json.loads(found["StateReasonData"])["threshold"] == 5.0
    put_lately(watch, namespace, 1.0, 1.0, 0.5)
    put_lately(watch, namespace, 0.1, 0.1, 0.1)
    until(lambda: described(watch, name)["StateValue"] == "OK")
    items = watch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
    said = [item["HistorySummary"] for item in items["AlarmHistoryItems"]]
    assert said[:2] == ["Alarm updated from INSUFFICIENT_DATA to ALARM", "Alarm updated from ALARM to OK"]


def test_alarms_of_percentiles_and_of_expressions(watch: Any, namespace: str) -> None:
    slow = alarm(watch, namespace, Statistic=None, ExtendedStatistic="p90", EvaluationPeriods=1)
    few = alarm(
        watch,
        namespace,
        Statistic=None,
        ExtendedStatistic="p90",
        EvaluationPeriods=1,
        EvaluateLowSampleCountPercentile="ignore",
    )
    failing = f"alarm-{uuid.uuid4().hex[:8]}"
    watch.put_metric_alarm(
        AlarmName=failing,
        EvaluationPeriods=1,
        Threshold=10.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        Metrics=[
            {"Id": "e", "MetricStat": query(namespace, "Sum", "Errors"), "ReturnData": False},
            {"Id": "c", "MetricStat": query(namespace, "Sum", "Calls"), "ReturnData": False},
            {"Id": "percent", "Expression": "100 * e / c"},
        ],
    )
    put_lately(watch, namespace, 9.0)
    put_lately(watch, namespace, 1.0, name="Errors")
    put_lately(watch, namespace, 10.0, name="Calls")
    for name in (slow, failing):
        until(lambda name=name: described(watch, name)["StateValue"] == "ALARM")
    assert described(watch, few)["StateValue"] == "INSUFFICIENT_DATA", "one sample says nothing of a p90"


def test_a_topic_hears_of_an_alarm(aws: Aws, namespace: str) -> None:
    topic = aws.sns.create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    queue = aws.queue()
    aws.sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=aws.arn(queue), Attributes={"RawMessageDelivery": "true"}
    )
    name = alarm(aws.cloudwatch, namespace, AlarmActions=[topic])
    aws.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a rehearsal")
    [message] = until(lambda: aws.receive(queue))
    said = json.loads(message["Body"])
    assert (said["AlarmName"], said["NewStateValue"], said["OldStateValue"]) == (name, "ALARM", "INSUFFICIENT_DATA")
    assert said["NewStateReason"] == "a rehearsal"
    assert said["Trigger"]["MetricName"] == "Latency"
    items = aws.cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
    assert f"Successfully executed action {topic}" in [item["HistorySummary"] for item in items]
    aws.cloudwatch.delete_alarms(AlarmNames=[name])
    aws.sns.delete_topic(TopicArn=topic)


def test_an_alarm_with_its_actions_disabled_does_nothing(inside: Aws, namespace: str) -> None:
    watch = checked(inside.cloudwatch)
    name = alarm(watch, namespace, AlarmActions=["arn:aws:sns:us-east-1:123456789012:nowhere"])
    watch.disable_alarm_actions(AlarmNames=[name])
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="x")
    assert watch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"] == []
    watch.enable_alarm_actions(AlarmNames=[name])
    watch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="x")
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="x")
    [item] = watch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
    assert item["HistorySummary"].startswith("Failed to execute action")
    watch.delete_alarms(AlarmNames=[name])
    kinds = [i["HistorySummary"] for i in watch.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]]
    assert kinds[0] == f'Alarm "{name}" deleted'


@pytest.mark.parametrize(
    "wrong",
    [
        {"ComparisonOperator": "Bigger"},
        {"TreatMissingData": "whatever"},
        {"Period": 45},
        {"DatapointsToAlarm": 3},
        {"Period": 3000, "EvaluationPeriods": 100},
        {"Statistic": None, "ExtendedStatistic": "p101"},
        {"Statistic": None},
    ],
)
def test_an_alarm_that_aws_refuses_is_refused(inside: Aws, wrong: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match=r"ValidationError|InvalidParameter"):
        alarm(inside.cloudwatch, "Course", **wrong)


def test_the_state_of_an_alarm_that_is_not_there_cannot_be_set(inside: Aws) -> None:
    with pytest.raises(ClientError, match="ResourceNotFound"):
        inside.cloudwatch.set_alarm_state(AlarmName="nobody", StateValue="OK", StateReason="x")


def test_an_alarm_of_the_last_minute_does_not_see_the_one_that_runs(in_process_cloud: Context, inside: Aws) -> None:
    """Only whole periods count: a minute that has just begun has too little in it to judge."""
    watch = inside.cloudwatch
    name = alarm(watch, "Course/now", EvaluationPeriods=1)
    watching = cloudwatch.watch_of(in_process_cloud)
    where = (in_process_cloud.account_id, "us-east-1")
    minute = time.time() // 60 * 60
    metrics.store(in_process_cloud).put(where, "Course/now", "Latency", (("Endpoint", "a"),), 9.0, at=minute)
    one = watching.alarms(where)[name]
    watching.evaluate(where, one, minute + 59)
    assert one.state == "INSUFFICIENT_DATA"
    watching.evaluate(where, one, minute + 60)
    assert one.state == "ALARM"


# -- why moto's own is replaced: it fails once moto no longer needs it


def test_moto_still_has_no_percentiles_and_alarms_that_stay_ok(stock: Aws) -> None:
    put(stock.cloudwatch, "Course", [1.0, 2.0])
    with pytest.raises(Exception):  # noqa: B017 - whatever it is
        assert data(stock.cloudwatch, {"Id": "a", "MetricStat": query("Course", "p50")})["a"]
    name = alarm(stock.cloudwatch, "Course", EvaluationPeriods=1, Threshold=0.0)
    put_lately(stock.cloudwatch, "Course", 1.0)
    assert described(stock.cloudwatch, name)["StateValue"] == "OK"
    with pytest.raises(Exception):  # noqa: B017
        stock.cloudwatch.describe_alarm_history(AlarmName=name)
