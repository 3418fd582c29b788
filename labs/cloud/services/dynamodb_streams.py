"""DynamoDB streams that Lambda reads: a poller for each mapping takes records in order, and does not go on before they are done.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html. What it cures in moto 5.2.5 (each cure has a test that fails once moto has it):
a write pushes its record into Lambda inside the writer's call, all records since the beginning each time, and a failure loses them;
writes that change nothing have records.
"""

import json
import threading
import time
from typing import Any

from labs.cloud.context import Context
from labs.cloud.runtime.pool import Throttled
from labs.cloud.services.lambda_ import Runner, invalid, runner_of

POLL_S = 0.25
"""Lambda looks at a shard four times a second."""
RETRY_S, LONGEST_RETRY_S = 0.2, 5.0
PARTIAL = "ReportBatchItemFailures"
MOST_RECORDS = 1000
ACTIONS = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")


def install(context: Context) -> None:
    """Read streams for Lambda's mappings instead of pushing into it."""
    from moto.awslambda.models import LambdaBackend
    from moto.dynamodb.models.table import StreamShard

    pollers: dict[str, StreamPoller] = {}
    runner = runner_of(context)

    def add(self: Any, old: Any, new: Any) -> None:
        if old is not None and new is not None and old.to_json() == new.to_json():
            return  # "a write that does not change any data" has no record
        self.table.lambda_event_source_mappings = {}  # a write calls nobody
        add_before(self, old, new)
        self.items[-1].record["awsRegion"] = self.table.region_name

    def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
        arn = spec.get("EventSourceArn") or ""
        if ":dynamodb:" not in arn:
            return create_before(self, spec)
        check(spec)
        check_permissions(self.get_function(spec["FunctionName"]), arn)
        spec = {**spec, "RegionName": self.region_name, "AccountId": self.account_id}
        mapping = create_before(self, spec)
        pollers[mapping.uuid] = StreamPoller(runner, mapping)
        return mapping

    def delete_event_source_mapping(self: Any, uuid: str) -> Any:
        poller = pollers.pop(uuid, None)
        if poller is None:
            return delete_before(self, uuid)
        poller.stop()
        return self._event_source_mappings.pop(uuid)

    add_before = context.patch(StreamShard, "add", add)
    create_before = context.patch(LambdaBackend, "create_event_source_mapping", create_event_source_mapping)
    delete_before = context.patch(LambdaBackend, "delete_event_source_mapping", delete_event_source_mapping)
    context.on_close(lambda: stop_all(pollers))


def stop_all(pollers: dict[str, "StreamPoller"]) -> None:
    for poller in list(pollers.values()):
        poller.stop()


def check(spec: dict[str, Any]) -> None:
    """Refuse what Lambda refuses of a stream's mapping, and what the local cloud does not do."""
    if spec.get("StartingPosition") not in ("TRIM_HORIZON", "LATEST"):
        raise invalid("1 validation error detected: a stream's StartingPosition must be TRIM_HORIZON or LATEST.")
    if spec.get("FilterCriteria"):
        raise invalid("The local cloud does not filter events (FilterCriteria). On AWS this mapping may well be right.")
    if int(spec.get("BatchSize") or 100) > MOST_RECORDS:
        raise invalid(f"BatchSize of a DynamoDB stream must be at most {MOST_RECORDS}.")


def check_permissions(function: Any, stream_arn: str) -> None:
    from labs.cloud.services.iam_simulation import allows, policies_of_role

    policies = policies_of_role(function.account_id, function.role)
    if not all(allows(policies, f"dynamodb:{action}", stream_arn) for action in ACTIONS):
        raise invalid(
            f"Cannot access stream {stream_arn}. Please ensure the role can perform the {', '.join(ACTIONS[:-1])}, and "
            f"{ACTIONS[-1]} Actions on your stream in IAM."
        )


class StreamPoller:
    """One mapping at work."""

    def __init__(self, runner: Runner, mapping: Any) -> None:
        self._runner, self._mapping = runner, mapping
        self._stopping = threading.Event()
        shard = self._shard()
        self._next = len(shard.items) if shard is not None and mapping.starting_position == "LATEST" else 0
        threading.Thread(target=self._poll, name="stream-poll", daemon=True).start()

    def stop(self) -> None:
        """Read nothing more."""
        self._stopping.set()

    def _shard(self) -> Any:
        from moto.dynamodb.models import dynamodb_backends

        mapping = self._mapping
        table = dynamodb_backends[mapping.account_id][mapping.region].tables.get(mapping.event_source_arn.split("/")[1])
        return None if table is None else table.stream_shard

    def _poll(self) -> None:
        while not self._stopping.wait(POLL_S):
            batch = self._batch()
            if batch and self._mapping.enabled:
                self._see_through(batch)

    def _batch(self) -> list[Any]:
        """What has come: a whole batch, or what came within the batching window."""
        until = time.monotonic() + float(self._mapping.max_batch_window or 0)
        while True:
            shard = self._shard()
            batch = list(shard.items[self._next : self._next + self._mapping.batch_size]) if shard is not None else []
            if not batch or len(batch) >= self._mapping.batch_size or time.monotonic() >= until:
                return batch
            if self._stopping.wait(POLL_S):
                return []

    def _see_through(self, batch: list[Any]) -> None:
        """Have a batch processed: again after failures, until it is done or given up."""
        mapping, attempt, size = self._mapping, 0, len(batch)
        most = -1 if mapping.max_retry_attempts is None else int(mapping.max_retry_attempts)
        while batch and not self._stopping.is_set():
            done = self._invoke(batch[:size])
            if done:  # what is done is never done again, and begins a new count
                batch, attempt, size = batch[done:], 0, len(batch) - done
                self._next += done
                continue
            attempt += 1
            if 0 <= most < attempt:
                self._give_up(batch[:size], attempt)
                self._next += size
                batch, attempt, size = batch[size:], 0, len(batch) - size
            else:
                size = max(1, size // 2) if mapping.bisect_on_error else size
                self._stopping.wait(min(LONGEST_RETRY_S, RETRY_S * 2**attempt))

    def _invoke(self, batch: list[Any]) -> int:
        """How many of the batch, from its beginning, are done."""
        from moto.awslambda.exceptions import LambdaClientError
        from moto.awslambda.utils import get_backend

        mapping = self._mapping
        try:
            function = get_backend(mapping.account_id, mapping.region).get_function(mapping.function_arn)
            outcome = self._runner.run(function, event_of(batch, mapping.event_source_arn), wait_s=60.0)
        except (LambdaClientError, Throttled):
            return 0
        mapping.last_processing_result = "PROBLEM: Function call failed" if outcome.error else "OK"
        if outcome.error:
            return 0
        if PARTIAL not in (mapping.function_response_types or []):
            return len(batch)
        failed = failed_numbers(outcome.body)
        numbers = [each.record["dynamodb"]["SequenceNumber"] for each in batch]
        return min((numbers.index(number) for number in failed if number in numbers), default=len(batch))

    def _give_up(self, batch: list[Any], attempts: int) -> None:
        """Tell the destination for failures which records were left behind."""
        from labs.cloud.services import lambda_async

        mapping = self._mapping
        arn = ((mapping.destination_config or {}).get("OnFailure") or {}).get("Destination")
        numbers = [each.record["dynamodb"]["SequenceNumber"] for each in batch]
        record = {
            "requestContext": {
                "functionArn": mapping.function_arn,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": attempts,
            },
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "shardId": self._shard().id,
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "batchSize": len(batch),
                "streamArn": mapping.event_source_arn,
            },
        }
        lambda_async.deliver(self._runner, mapping, arn, json.dumps(record), {})


def event_of(batch: list[Any], stream_arn: str) -> bytes:
    """A function's event."""
    from moto.dynamodb.models.utilities import dynamo_json_dump

    records = []
    for each in batch:
        record = dict(each.record)
        change = dict(record["dynamodb"])
        change["ApproximateCreationDateTime"] = int(change["ApproximateCreationDateTime"].timestamp())
        if identity := record.pop("userIdentity", None):
            record["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
        records.append(record | {"dynamodb": change, "eventSourceARN": stream_arn})
    text: str = dynamo_json_dump({"Records": records})
    return text.encode()


def failed_numbers(body: bytes) -> list[str]:
    """Sequence numbers that a function says it failed at."""
    try:
        failures = (json.loads(body or b"null") or {}).get("batchItemFailures") or []
        return [str(failure["itemIdentifier"]) for failure in failures]
    except (ValueError, AttributeError, KeyError, TypeError):
        return []
