"""What CloudWatch refuses: parameters of its calls, checked as AWS does, with its error codes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from labs.cloud.services import cloudwatch_math, cloudwatch_statistics
from labs.cloud.services.cloudwatch_alarms import COMPARISONS, MISSING
from labs.cloud.services.errors import ServiceError

PAST_S, FUTURE_S = 14 * 86_400, 2 * 3600
"""How old and how far ahead a datum may be."""


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", message)


def combination(message: str) -> ServiceError:
    return ServiceError("InvalidParameterCombination", message)


def refused(wrong: ValueError) -> ServiceError:
    return ServiceError("ValidationError", str(wrong))


def seconds(value: Any) -> float | None:
    """A timestamp of the API as Unix time."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)


def window_of(given: Mapping[str, Any]) -> tuple[float, float]:
    start, end = seconds(given.get("StartTime")), seconds(given.get("EndTime"))
    if start is None or end is None:
        raise ServiceError("MissingParameter", "The parameters StartTime and EndTime are required.")
    if start >= end:
        raise refused(ValueError("The parameter StartTime must be less than the parameter EndTime."))
    return start, end


def checked_datum(datum: dict[str, Any], name: str, now: float) -> tuple[dict[str, Any], float]:
    """The datum and when it is of. Raises as PutMetricData does."""
    kinds = [kind for kind in ("Value", "Values", "StatisticValues") if kind in datum]
    if not kinds:
        raise ServiceError("MissingParameter", f"The parameter {name}.Value is required.")
    if len(kinds) > 1:
        raise combination(f"The parameters {name}.{kinds[0]} and {name}.{kinds[1]} are mutually exclusive.")
    numbers = (
        datum["Values"]
        if "Values" in datum
        else list((datum.get("StatisticValues") or {"": datum.get("Value")}).values())
    )
    if any(number != number or abs(number) > 2.0**360 for number in numbers):
        raise invalid(f"The value {numbers} for parameter {name}.{kinds[0]} is invalid.")
    if "Values" in datum:
        if len(numbers) > 150:
            raise invalid(f"The collection {name}.Values must not have a size greater than 150.")
        if "Counts" in datum and len(datum["Counts"]) != len(numbers):
            raise invalid(f"The parameters {name}.Values and {name}.Counts must be of the same size.")
    if len(datum.get("Dimensions") or []) > 30:
        raise invalid(f"The collection {name}.Dimensions must not have a size greater than 30.")
    if int(datum.get("StorageResolution") or 60) not in (1, 60):
        raise invalid(f"The value {datum['StorageResolution']} for parameter {name}.StorageResolution is invalid.")
    at = seconds(datum.get("Timestamp"))
    at = now if at is None else at
    if not now - PAST_S <= at <= now + FUTURE_S:
        raise invalid(
            f"The parameter {name}.Timestamp must specify a time no more than two weeks in the past and no more than two hours in the future."
        )
    return datum, at


def check_queries(queries: Sequence[Mapping[str, Any]]) -> None:
    """Raises ValueError for what GetMetricData and PutMetricAlarm refuse."""
    ids = [str(query.get("Id")) for query in queries]
    if len(set(ids)) != len(ids):
        raise ValueError("The values for parameter id in MetricDataQueries are not unique.")
    for number, query in enumerate(queries, 1):
        if not str(query.get("Id") or "")[:1].islower():
            raise ValueError(
                f"The value {query.get('Id')} for parameter MetricDataQueries.member.{number}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
            )
        if ("MetricStat" in query) == ("Expression" in query):
            raise ValueError(
                f"The parameter MetricDataQueries.member.{number}.MetricStat is required.\n"
                if "MetricStat" not in query
                else f"The parameters MetricDataQueries.member.{number}.MetricStat and Expression are mutually exclusive."
            )
        if "MetricStat" in query:
            cloudwatch_statistics.check_statistic(query["MetricStat"]["Stat"])
            cloudwatch_statistics.check_period(int(query["MetricStat"]["Period"]))
        else:
            for name in cloudwatch_math.names(query["Expression"]):
                if name not in ids:
                    raise ValueError(
                        f"Error in expression '{query['Id']}': there is no metric or expression '{name}' in this call"
                    )


def checked_alarm(settings: dict[str, Any]) -> dict[str, Any]:
    """PutMetricAlarm's parameters, complete. Raises as it does."""
    settings = {name: value for name, value in settings.items() if value is not None and value != []}
    if "ThresholdMetricId" in settings:
        raise refused(
            ValueError(
                "The local cloud has no anomaly detection: an alarm of it needs a Threshold, where AWS would take ThresholdMetricId."
            )
        )
    if settings.get("ComparisonOperator") not in COMPARISONS:
        raise refused(
            ValueError(
                f"The value {settings.get('ComparisonOperator')} for parameter ComparisonOperator is not supported."
            )
        )
    if "Threshold" not in settings:
        raise ServiceError("MissingParameter", "The parameter Threshold is required.")
    if settings.get("TreatMissingData", "missing") not in MISSING:
        raise refused(
            ValueError(
                f"Option {settings['TreatMissingData']} is not supported. Supported options for parameter TreatMissingData are {', '.join(MISSING)}."
            )
        )
    if settings.get("EvaluateLowSampleCountPercentile", "evaluate") not in ("evaluate", "ignore"):
        raise refused(
            ValueError(
                f"Option {settings['EvaluateLowSampleCountPercentile']} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore."
            )
        )
    periods, to_alarm = int(settings["EvaluationPeriods"]), settings.get("DatapointsToAlarm")
    if periods < 1 or (to_alarm is not None and not 1 <= int(to_alarm) <= periods):
        raise refused(
            ValueError("The parameter DatapointsToAlarm must be at least 1 and not greater than EvaluationPeriods.")
        )
    try:
        if "Metrics" in settings:
            check_queries(settings["Metrics"])
            shown = [query for query in settings["Metrics"] if query.get("ReturnData", True) is not False]
            if len(shown) != 1:
                raise ValueError("Exactly one element of the metrics list should return data.")
            if "MetricName" in settings:
                raise ValueError("The parameters MetricName and Metrics are mutually exclusive.")
        else:
            check_single_metric(settings)
    except ValueError as wrong:
        raise refused(wrong) from None
    return settings


def check_single_metric(settings: Mapping[str, Any]) -> None:
    for name in ("MetricName", "Namespace", "Period"):
        if name not in settings:
            raise ValueError(f"The parameter {name} is required.")
    if ("Statistic" in settings) == ("ExtendedStatistic" in settings):
        raise ValueError("Exactly one of the parameters Statistic and ExtendedStatistic is required.")
    cloudwatch_statistics.check_statistic(settings.get("Statistic") or settings["ExtendedStatistic"])
    period_s = int(settings["Period"])
    cloudwatch_statistics.check_period(period_s)
    longest = 86_400 if period_s < 3600 else 7 * 86_400
    if period_s * int(settings["EvaluationPeriods"]) > longest:
        raise ValueError(
            f"Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= {longest})."
        )


def paged(found: list[Any], token: str | None, size: int) -> tuple[list[Any], dict[str, str]]:
    """One page, and the token of the next as the answer has it."""
    try:
        start = int(token or 0)
    except ValueError:
        raise invalid("Request parameter NextToken is invalid") from None
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return found[start : start + size], more
