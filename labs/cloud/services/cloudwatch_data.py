"""CloudWatch's metrics: what is put, listed and asked for, and the series that queries and expressions give."""

from collections.abc import Mapping, Sequence
from typing import Any

from labs.cloud import metrics
from labs.cloud.context import Context
from labs.cloud.services import cloudwatch_math, cloudwatch_statistics
from labs.cloud.services.cloudwatch_alarms import when
from labs.cloud.services.cloudwatch_checks import (
    PAST_S,
    check_queries,
    checked_datum,
    combination,
    invalid,
    paged,
    refused,
    window_of,
)
from labs.cloud.services.errors import ServiceError

Where = tuple[str, str]
"""(account, Region)"""
Answer = cloudwatch_math.Series | list[cloudwatch_math.Series]
MOST_QUERIES = 500
MOST_STATISTICS = 1440


class MetricData:
    """The metrics of every account and Region. Each operation takes (account, Region) and the call's parameters."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def store(self) -> metrics.MetricStore:
        """Where they are kept."""
        return metrics.store(self._context)

    def put_metric_data(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        namespace, data = given.get("Namespace", ""), list(given.get("MetricData") or [])
        for entity in given.get("EntityMetricData") or []:
            data.extend(entity.get("MetricData") or [])
        if namespace.upper().startswith("AWS/"):
            raise invalid("The value AWS/ for parameter Namespace is invalid.")
        if len(data) > 1000:
            raise invalid("The collection MetricData must not have a size greater than 1000.")
        now = self.store.clock()
        checked = [checked_datum(datum, f"MetricData.member.{number}", now) for number, datum in enumerate(data, 1)]
        for datum, at in checked:
            self._record(where, namespace, datum, at)
        return {}

    def _record(self, where: Where, namespace: str, datum: dict[str, Any], at: float) -> None:
        name, dimensions = datum["MetricName"], metrics.as_dimensions(datum.get("Dimensions"))
        how: dict[str, Any] = {
            "unit": datum.get("Unit") or "None",
            "at": at,
            "fine": int(datum.get("StorageResolution") or 60) == 1,
        }
        if "StatisticValues" in datum:
            self.store.put_set(where, namespace, name, dimensions, datum["StatisticValues"], **how)
            return
        values = datum["Values"] if "Values" in datum else [datum["Value"]]
        for value, times in zip(values, datum.get("Counts") or [1.0] * len(values), strict=True):
            self.store.put(where, namespace, name, dimensions, float(value), times=float(times), **how)

    def list_metrics(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        wanted = given.get("Dimensions") or []
        active_after = self.store.clock() - (3 * 3600 if given.get("RecentlyActive") == "PT3H" else PAST_S)
        found = [
            {
                "Namespace": series.namespace,
                "MetricName": series.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in series.dimensions],
            }
            for series in self.store.all(where)
            if given.get("Namespace") in (None, series.namespace)
            and given.get("MetricName") in (None, series.name)
            and series.touched >= active_after
            and all(
                any(name == each["Name"] and each.get("Value") in (None, value) for name, value in series.dimensions)
                for each in wanted
            )
        ]
        page, token = paged(found, given.get("NextToken"), 500)
        return {"Metrics": page, **token}

    def get_metric_statistics(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        simple, extended = given.get("Statistics") or [], given.get("ExtendedStatistics") or []
        period_s, (start_s, end_s) = int(given["Period"]), window_of(given)
        if not simple and not extended:
            raise ServiceError(
                "MissingParameter", "At least one of the parameters Statistics and ExtendedStatistics is required."
            )
        try:
            cloudwatch_statistics.check_period(period_s)
            for name in (*simple, *extended):
                cloudwatch_statistics.check_statistic(name)
        except ValueError as wrong:
            raise invalid(str(wrong)) from None
        if (end_s - start_s) / period_s > MOST_STATISTICS:
            raise combination(
                f"You have requested up to {int((end_s - start_s) / period_s)} datapoints, which exceeds the limit of "
                f"{MOST_STATISTICS}. You may reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        start = cloudwatch_statistics.aligned_start(start_s, period_s)
        buckets = self.store.read(
            where,
            given["Namespace"],
            given["MetricName"],
            metrics.as_dimensions(given.get("Dimensions")),
            start,
            end_s,
        )
        points = []
        for begin, bucket in cloudwatch_statistics.periods(buckets, start, period_s, given.get("Unit")).items():
            point: dict[str, Any] = {"Timestamp": when(begin), "Unit": bucket.unit}
            point |= {name: cloudwatch_statistics.statistic(bucket, name) for name in simple}
            percentiles = {name: cloudwatch_statistics.statistic(bucket, name) for name in extended}
            if known := {name: value for name, value in percentiles.items() if value is not None}:
                point["ExtendedStatistics"] = known
            if simple or known:
                points.append(point)
        return {"Label": given["MetricName"], "Datapoints": points}

    def get_metric_data(self, where: Where, given: dict[str, Any]) -> dict[str, Any]:
        queries = given.get("MetricDataQueries") or []
        if len(queries) > MOST_QUERIES:
            raise refused(
                ValueError(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
            )
        start_s, end_s = window_of(given)
        try:
            found = self.answers(where, queries, start_s, end_s)
        except ValueError as wrong:
            raise refused(wrong) from None
        descending = (given.get("ScanBy") or "TimestampDescending") == "TimestampDescending"
        results = []
        for query in queries:
            if query.get("ReturnData", True) is False:
                continue
            answer = found[query["Id"]]
            for number, series in enumerate(answer if isinstance(answer, list) else [answer]):
                ordered = sorted(series.items(), reverse=descending)
                results.append(
                    {
                        "Id": query["Id"],
                        "Label": query.get("Label") or label_of(query) + (f" {number}" if number else ""),
                        "Timestamps": [when(at) for at, _ in ordered],
                        "Values": [value for _, value in ordered],
                        "StatusCode": "Complete",
                    }
                )
        return {"MetricDataResults": results, "Messages": []}

    def answers(
        self, where: Where, queries: Sequence[dict[str, Any]], start_s: float, end_s: float
    ) -> dict[str, Answer]:
        """Each query's series by its id. Raises ValueError."""
        check_queries(queries)
        series: dict[str, cloudwatch_math.Series] = {}
        answers: dict[str, Answer] = {}
        periods = {}
        for query in (each for each in queries if "MetricStat" in each):
            stat = query["MetricStat"]
            period_s = int(stat["Period"])
            metric = stat["Metric"]
            start = cloudwatch_statistics.aligned_start(start_s, period_s)
            buckets = self.store.read(
                where,
                metric["Namespace"],
                metric["MetricName"],
                metrics.as_dimensions(metric.get("Dimensions")),
                start,
                end_s,
            )
            periods[query["Id"]] = period_s
            series[query["Id"]] = answers[query["Id"]] = cloudwatch_statistics.points(
                buckets, stat["Stat"], start, period_s, stat.get("Unit")
            )
        left = [each for each in queries if "Expression" in each]
        while left:
            ids = {each["Id"] for each in left}
            ready = [each for each in left if not cloudwatch_math.names(each["Expression"]) & ids]
            if not ready:
                raise ValueError("Error in expression: the expressions refer to each other in a circle")
            for query in ready:
                used = cloudwatch_math.names(query["Expression"])
                period_s = int(query.get("Period") or max((periods[id] for id in used if id in periods), default=60))
                if not used and "METRICS" in query["Expression"].upper():
                    period_s = max(periods.values(), default=period_s)
                periods[query["Id"]] = period_s
                begin = cloudwatch_statistics.aligned_start(start_s, period_s)
                answer = cloudwatch_math.evaluate(
                    query["Expression"], dict(series), period_s, window=(begin, int(end_s))
                )
                answers[query["Id"]] = answer
                if isinstance(answer, dict):
                    series[query["Id"]] = answer
                left.remove(query)
        return answers


def label_of(query: Mapping[str, Any]) -> str:
    return str(query["MetricStat"]["Metric"]["MetricName"]) if "MetricStat" in query else str(query["Id"])
