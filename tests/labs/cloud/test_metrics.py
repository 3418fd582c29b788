"""The cloud's own metrics: cheap to record, bounded in memory, and where CloudWatch finds them; what SQS and Lambda record of themselves."""

import random
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.cloud import metrics, scalables
from labs.cloud.context import Context
from labs.cloud.metrics import MOST_SERIES, MOST_VALUES, Bucket, MetricStore, Ticker
from labs.cloud.services import sqs_metrics
from labs.cloud.services.cloudwatch_statistics import percentile
from tests.labs.cloud.kit import Aws, until

WHERE = ("123456789012", "us-east-1")


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


# -- the store


def test_what_services_put_is_found_by_its_dimensions(tmp_path: Path) -> None:
    context = Context(home=tmp_path)
    metrics.put(context, "us-east-1", "AWS/Lambda", "Errors", 1, "Count", FunctionName="b")
    metrics.put(context, "us-east-1", "AWS/Lambda", "Errors", 0, "Count", FunctionName="b")
    metrics.put(context, "us-east-1", "AWS/Lambda", "Errors", 5, "Count", FunctionName="c")
    now = time.time()
    [(at, bucket)] = metrics.store(context).read(
        WHERE, "AWS/Lambda", "Errors", (("FunctionName", "b"),), now - 120, now + 1
    )
    assert at % 60 == 0
    assert (bucket.count, bucket.total, bucket.minimum, bucket.maximum, bucket.unit) == (2, 1, 0, 1, "Count")
    assert metrics.store(context).read(WHERE, "AWS/Lambda", "Errors", (), now - 120, now + 1) == []


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    context = Context(home=tmp_path)

    def work() -> None:
        for _ in range(2000):
            metrics.put(context, "us-east-1", "N", "m", 1.0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = time.time()
    found = metrics.store(context).read(WHERE, "N", "m", (), now - 300, now + 1)
    assert sum(bucket.total for _, bucket in found) == 16_000


def test_memory_is_bounded_by_values_seconds_and_series() -> None:
    clock = Clock()
    store = MetricStore(clock)
    chance = random.Random(1)
    for _ in range(20_000):
        store.put(WHERE, "N", "latency", (), chance.lognormvariate(0, 1))
    [series] = store.all(WHERE)
    [bucket] = series.coarse.values()
    assert bucket.values is not None
    assert len(bucket.values) < MOST_VALUES + 4 * 900, "three digits of each power of ten"
    for _ in range(5 * 60):
        clock.now += 60
        store.put(WHERE, "N", "fine", (), 1.0, fine=True)
    fine = store.all(WHERE)[1]
    assert len(fine.fine) <= 3 * 60 + 2, "after three hours seconds are folded into minutes"
    assert sum(bucket.count for _, bucket in fine.buckets(0, clock.now + 1)) == 300
    for number in range(MOST_SERIES + 10):
        clock.now += 0.001
        store.put(WHERE, "N", f"m{number}", (), 1.0)
    assert len(store.all(WHERE)) == MOST_SERIES


@given(st.integers(0, 10**6), st.floats(0.1, 3))
@settings(max_examples=10)
def test_a_bucket_with_too_many_values_still_knows_its_percentiles_to_three_digits(seed: int, spread: float) -> None:
    chance = random.Random(seed)
    values = [chance.lognormvariate(0, spread) for _ in range(MOST_VALUES * 3)]
    bucket = Bucket()
    for value in values:
        bucket.add(value)
    assert bucket.values is not None
    exact = dict.fromkeys(values, 1.0)
    for percent in (50, 90, 99):
        assert percentile(bucket.values, percent) == pytest.approx(percentile(exact, percent), rel=0.006)
    assert (bucket.count, bucket.maximum) == (len(values), max(values))


def test_what_is_due_is_done_once_and_a_failure_stops_nothing() -> None:
    clock, done = Clock(), []
    ticker = Ticker(clock)
    ticker.every(10, lambda now: done.append(now), in_thread=False)
    ticker.settle()
    clock.now += 10
    ticker.settle()
    ticker.settle()
    assert done == [clock.now]
    clock.now += 35
    ticker.settle()
    assert len(done) == 2, "what was missed is not made up for"


def test_a_ticker_with_a_thread_outlives_a_gauge_that_fails() -> None:
    seen = threading.Event()
    ticker = Ticker()
    ticker.every(0.01, lambda _: 1 / 0, in_thread=True)
    ticker.every(0.02, lambda _: seen.set(), in_thread=True)
    assert seen.wait(10)
    ticker.close()


def test_scalables_are_registered_found_and_forgotten(tmp_path: Path) -> None:
    class One:
        def current(self) -> int:
            return 1

        def set_desired(self, n: int) -> None:
            raise AssertionError(n)

    context, one, looked_up = Context(home=tmp_path), One(), One()
    names = ("us-east-1", "sagemaker", "endpoint/a/variant/b", "sagemaker:variant:DesiredInstanceCount")
    scalables.register(context, *names, one)
    assert scalables.find(context, *names) is one
    assert scalables.find(Context(home=tmp_path), *names) is None
    scalables.unregister(context, *names)
    scalables.unregister(context, *names)
    assert scalables.find(context, *names) is None
    scalables.register_finder(context, "sagemaker", lambda _, id, __: looked_up if "a" in id else None)
    assert scalables.find(context, *names) is looked_up


# -- what services record


def total(clients: Aws, namespace: str, name: str, stat: str = "Sum", **dimensions: str) -> float:
    now = datetime.now(UTC)
    points = clients.cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=[stat],
    )["Datapoints"]
    return float(points[0][stat]) if points else 0.0


def test_a_queue_counts_what_goes_through_it_and_how_long_it_is(in_process_cloud: Context, inside: Aws) -> None:
    name = f"queue-{uuid.uuid4().hex[:8]}"
    queue = inside.queue(name)
    inside.send(queue, "a", "bb", "ccc")
    [message] = inside.receive(queue, MaxNumberOfMessages=1)
    inside.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    inside.receive(inside.queue())
    sqs_metrics.look(in_process_cloud)

    def of_queue(metric: str, stat: str = "Sum") -> float:
        return total(inside, "AWS/SQS", metric, stat, QueueName=name)

    assert (of_queue("NumberOfMessagesSent"), of_queue("SentMessageSize")) == (3, 6)
    assert (of_queue("NumberOfMessagesReceived"), of_queue("NumberOfMessagesDeleted")) == (1, 1)
    assert of_queue("NumberOfEmptyReceives") == 0
    assert of_queue("ApproximateNumberOfMessagesVisible", "Maximum") == 2
    assert of_queue("ApproximateNumberOfMessagesNotVisible", "Maximum") == 0
    assert of_queue("ApproximateAgeOfOldestMessage", "Maximum") < 60


def test_a_function_counts_its_invocations_errors_and_durations(aws: Aws) -> None:
    function = aws.function("def handler(event, context):\n    return 1 / event['by']\n")
    aws.invoke(function, {"by": 1})
    with pytest.raises(Exception, match="ZeroDivisionError"):
        aws.invoke(function, {"by": 0})

    def of_function(metric: str, stat: str = "Sum") -> float:
        return total(aws, "AWS/Lambda", metric, stat, FunctionName=function)

    assert (of_function("Invocations"), of_function("Errors"), of_function("Throttles")) == (2, 1, 0)
    assert of_function("Duration", "SampleCount") == 2
    assert of_function("Duration", "Maximum") > 0
    assert of_function("ConcurrentExecutions", "Maximum") == 1
    aws.lambda_.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    with pytest.raises(aws.lambda_.exceptions.TooManyRequestsException):
        aws.invoke(function, {"by": 1})
    assert (of_function("Throttles"), of_function("Invocations")) == (1, 2)


def test_a_queue_that_a_function_reads_counts_what_was_deleted(aws: Aws) -> None:
    name = f"queue-{uuid.uuid4().hex[:8]}"
    queue = aws.queue(name, VisibilityTimeout="60")
    aws.mapping(queue, aws.function("def handler(event, context):\n    pass\n"))
    aws.send(queue, "a", "b")
    until(lambda: total(aws, "AWS/SQS", "NumberOfMessagesDeleted", QueueName=name) == 2)


def test_provisioned_concurrency_is_scaled_by_application_auto_scaling(aws: Aws) -> None:
    function = aws.function("def handler(event, context):\n    pass\n")
    version = aws.lambda_.publish_version(FunctionName=function)["Version"]
    scaling: Any = aws.session.client("application-autoscaling")
    target = {
        "ServiceNamespace": "lambda",
        "ResourceId": f"function:{function}:{version}",
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    config = aws.lambda_.get_provisioned_concurrency_config(FunctionName=function, Qualifier=version)
    assert config["RequestedProvisionedConcurrentExecutions"] == 1
    [activity] = scaling.describe_scaling_activities(ServiceNamespace="lambda", ResourceId=target["ResourceId"])[
        "ScalingActivities"
    ]
    assert activity["Cause"] == "minimum capacity was set to 1"
    scaling.deregister_scalable_target(**target)
    aws.lambda_.delete_provisioned_concurrency_config(FunctionName=function, Qualifier=version)
