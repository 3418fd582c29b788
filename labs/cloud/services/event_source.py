"""SQS event source mappings that poll: queue, batch, function, and what the function's answer means for each message.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html. What it cures in moto 5.2.5 (each cure has a test that fails once moto has it):
moto invokes the function inside the sender's SendMessage with one record at a time, makes the record's attributes up, knows no partial
batch response, never polls, and deletes the message on whatever the invocation made of it.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labs.cloud.context import Context
from labs.cloud.messages import HandleExpired, HandleInvalid, QueueClosed
from labs.cloud.runtime.pool import MAX_ENVIRONMENTS, Throttled
from labs.cloud.services import lambda_, sqs
from labs.cloud.services.lambda_ import Runner, client_error, invalid, out_of_range

TRANSITION_S_ON_AWS = 5.0
"""How long a mapping is Creating, Enabling, Disabling or Updating."""
POLL_S = 20.0
DRAIN_S = 900.0
"""A function can run so long."""
BATCH_PAYLOAD_MAX_BYTES = 6 * 1024 * 1024
PARTIAL = "ReportBatchItemFailures"


def install(context: Context) -> None:
    """Poll for moto's mappings instead of pushing."""
    from moto.awslambda.models import EventSourceMapping, LambdaBackend
    from moto.awslambda.responses import LambdaResponse

    pollers = Pollers(context, lambda_.runner_of(context))
    context.__dict__["pollers"] = pollers
    context.on_close(pollers.close)
    _patch_backend(context, pollers, LambdaBackend)
    _patch_mapping(context, EventSourceMapping)
    _patch_responses(context, LambdaResponse)
    context.patch(LambdaBackend, "send_sqs_batch", lambda *_: False)


# -- what the function's answer means


def failed_items(answer: bytes, message_ids: Sequence[str]) -> set[str]:
    """Which messages of a batch a partial batch response calls failed, by Lambda's rules.

    Nothing failed: no answer, null, an empty object, `batchItemFailures` empty or null.
    All failed: an answer that is not JSON or not an object, an item without `itemIdentifier`, with an empty or null one, or with one that
    is not in the batch.
    """
    everything = set(message_ids)
    if not answer.strip():
        return set()
    try:
        said = json.loads(answer)
    except ValueError:
        return everything
    if said is None or said == {}:
        return set()
    if not isinstance(said, dict):
        return everything
    items = said.get("batchItemFailures")
    if items is None:
        return set()
    if not isinstance(items, list):
        return everything
    failed = {str(item.get("itemIdentifier")) if isinstance(item, dict) else "" for item in items}
    return failed if failed <= everything else everything


def record(message: Any, queue_arn: str, region: str) -> dict[str, Any]:
    """A received message as the function sees it."""
    seen = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": sqs.system_attributes(message),
        "messageAttributes": {name: attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    if message.message_attributes:
        seen["md5OfMessageAttributes"] = message.attribute_md5
    return seen


def attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    """A message attribute in a Lambda event."""
    binary = value.get("BinaryValue")
    seen: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if value.get("StringValue") is not None:
        seen["stringValue"] = value["StringValue"]
    if binary is not None:
        seen["binaryValue"] = base64.b64encode(binary if isinstance(binary, bytes) else binary.encode()).decode()
    return seen


# -- polling


class Poller:
    """One mapping at work: a thread that receives batches, and threads that invoke the function with them."""

    def __init__(self, context: Context, runner: Runner, mapping: Any) -> None:
        from labs import facts

        self.mapping = mapping
        self._context = context
        self._runner = runner
        self._initial = int(facts.value("lambda.sqs.initial_concurrency"))
        self._growth_per_s = float(facts.value("lambda.sqs.scaling_per_min")) / 60
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._running = 0
        self._busy_since: float | None = None
        self._workers = ThreadPoolExecutor(MAX_ENVIRONMENTS, thread_name_prefix="event-source")
        self._thread = threading.Thread(target=self._poll, name="event-source-poll", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Receive nothing more; batches that are being processed finish."""
        self._stopping.set()
        self.wake()

    def drain(self, timeout_s: float) -> None:
        """After `stop`: wait until the last batch is settled."""
        until = time.monotonic() + timeout_s
        self._thread.join(timeout_s)
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0, max(0.0, until - time.monotonic()))
        self._workers.shutdown(wait=False)

    def wake(self) -> None:
        """Look again at what the mapping says."""
        with self._changed:
            self._changed.notify_all()
        if (queue := self._queue()) is not None:
            sqs.store_of(queue).wake()

    # -- inside

    def _poll(self) -> None:
        while not self._stopping.is_set():
            queue, function = self._queue(), self._function()
            if queue is None or function is None or not self._active():
                self.mapping.last_processing_result = (
                    "No records processed" if function else "PROBLEM: Function not found"
                )
                with self._changed:
                    self._changed.wait(0.1)
                continue
            with self._changed:
                if self._running >= self._limit(function):
                    self._changed.wait(0.2)
                    continue
            try:
                batch = self._receive(queue)
            except QueueClosed:
                continue
            if not batch:
                with self._changed:
                    self._busy_since = None if self._running == 0 else self._busy_since
                continue
            with self._changed:
                self._running += 1
                self._busy_since = self._busy_since or time.monotonic()
            self._workers.submit(self._process, queue, batch)

    def _receive(self, queue: Any) -> list[Any]:
        """A batch: full, or what came within the batching window, or what was there when no window is set."""
        window_s = float(self.mapping.max_batch_window or 0)
        batch: list[Any] = []
        size = 0
        until: float | None = None
        while len(batch) < self.mapping.batch_size and size < BATCH_PAYLOAD_MAX_BYTES:
            wait_s = POLL_S if until is None else until - time.monotonic()
            if wait_s <= 0 and batch and window_s:
                break
            more = sqs.receive(
                self._context,
                queue,
                min(10, self.mapping.batch_size - len(batch)),
                wait_s=max(0.0, wait_s) if not batch or window_s else 0.0,
                stopped=lambda: self._stopping.is_set() or not self._active(),
            )
            if not more:
                break
            until = until or time.monotonic() + window_s
            batch += more
            size += sum(len(message.body) for message in more)
        return batch

    def _process(self, queue: Any, batch: list[Any]) -> None:
        try:
            function = self._function()
            if function is not None:
                self._invoke(queue, function, batch)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _invoke(self, queue: Any, function: Any, batch: list[Any]) -> None:
        event = {"Records": [record(message, queue.queue_arn, queue.region) for message in batch]}
        try:
            # Lambda retries a throttled batch until its messages would be visible again anyway.
            outcome = self._runner.run(function, json.dumps(event).encode(), wait_s=float(queue.visibility_timeout))
        except Throttled:
            return
        if outcome.error:
            self.mapping.last_processing_result = "PROBLEM: Function call failed"
            return
        ids = [message.id for message in batch]
        partial = PARTIAL in (self.mapping.function_response_types or [])
        failed = failed_items(outcome.body, ids) if partial else set()
        self.mapping.last_processing_result = "OK"
        store = sqs.store_of(queue)
        for message in batch:
            if message.id not in failed:
                try:
                    store.delete(message.receipt_handle)
                except (HandleExpired, HandleInvalid):
                    continue  # it has become visible again meanwhile and is somebody else's

    def _limit(self, function: Any) -> int:
        """How many batches may be processed at once: Lambda starts with five and adds while there is work."""
        most = (self.mapping.scaling_config or {}).get("MaximumConcurrency") or MAX_ENVIRONMENTS
        busy_s = time.monotonic() - self._busy_since if self._busy_since is not None else 0.0
        limit = min(int(most), int(self._initial + busy_s * self._growth_per_s), MAX_ENVIRONMENTS)
        kept = lambda_.reserved(function)
        return limit if kept is None else min(limit, kept)

    def _active(self) -> bool:
        mapping = self.mapping
        return bool(mapping.enabled) and time.monotonic() >= mapping.__dict__.get("settled_at", 0.0)

    def _queue(self) -> Any:
        from moto.sqs.models import sqs_backends

        name = self.mapping.event_source_arn.rsplit(":", 1)[-1]
        return sqs_backends[self.mapping.account_id][self.mapping.region].queues.get(name)

    def _function(self) -> Any:
        from moto.awslambda.exceptions import LambdaClientError
        from moto.awslambda.utils import get_backend

        try:
            function = get_backend(self.mapping.account_id, self.mapping.region).get_function(self.mapping.function_arn)
        except LambdaClientError:
            return None
        return function if function.state == "Active" else None


class Pollers:
    """The pollers of all mappings of one local cloud."""

    def __init__(self, context: Context, runner: Runner) -> None:
        self._context = context
        self._runner = runner
        self._pollers: dict[str, Poller] = {}

    def start(self, mapping: Any) -> None:
        self._pollers[mapping.uuid] = Poller(self._context, self._runner, mapping)

    def wake(self, uuid: str) -> None:
        if poller := self._pollers.get(uuid):
            poller.wake()

    def stop(self, uuid: str, then: Callable[[], object]) -> None:
        """Stop polling for a mapping; when its last batch is settled, do `then`."""
        poller = self._pollers.pop(uuid, None)
        if poller is None:
            return

        def drain() -> None:
            poller.drain(DRAIN_S)
            then()

        poller.stop()
        threading.Thread(target=drain, name="event-source-drain", daemon=True).start()

    def close(self) -> None:
        pollers, self._pollers = list(self._pollers.values()), {}
        for poller in pollers:
            poller.stop()
        # The runtime closes next and ends their invocations; nothing is to be waited for.


# -- moto's LambdaBackend


def _patch_backend(context: Context, pollers: Pollers, backend: Any) -> None:
    from moto.awslambda import models
    from moto.sqs.models import sqs_backends

    transition_s = context.wait_s(TRANSITION_S_ON_AWS)

    def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
        spec = dict(spec)
        for name in ("EventSourceArn", "FunctionName"):
            if not spec.get(name):
                raise invalid(f"{name} is required")
        if ":sqs:" not in spec["EventSourceArn"]:
            return create_before(self, spec)
        function = self.get_function(spec["FunctionName"])
        queue = next(
            (
                q
                for q in sqs_backends[self.account_id][self.region_name].queues.values()
                if q.queue_arn == spec["EventSourceArn"]
            ),
            None,
        )
        if queue is None:
            raise invalid(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
                "SQS Error Message: The specified queue does not exist."
            )
        normalise(spec)
        check(spec, queue, function)
        check_permissions(function, queue)
        for mapping in self._event_source_mappings.values():
            if (mapping.event_source_arn, mapping.function_arn) == (queue.queue_arn, function.function_arn):
                raise client_error(
                    409,
                    "ResourceConflictException",
                    f'An event source mapping with SQS arn (" {queue.queue_arn} ") and function (" {function.function_name} ") '
                    f"already exists. Please update or delete the existing mapping with UUID {mapping.uuid}",
                )
        spec |= {"RegionName": self.region_name, "AccountId": self.account_id, "FunctionArn": function.function_arn}
        mapping_class: Any = models.EventSourceMapping
        mapping = mapping_class(spec)
        mapping.last_processing_result = "No records processed"
        mapping.transition = "Creating"
        mapping.settled_at = time.monotonic() + transition_s
        self._event_source_mappings[mapping.uuid] = mapping
        pollers.start(mapping)
        return mapping

    def update_event_source_mapping(self: Any, uuid: str, spec: dict[str, Any]) -> Any:
        mapping = self.get_event_source_mapping(uuid)
        if mapping is None:
            raise missing()
        if ":sqs:" not in mapping.event_source_arn:
            return update_before(self, uuid, spec)
        spec = dict(spec)
        normalise(spec)
        was_enabled = mapping.enabled
        queue = sqs_backends[self.account_id][self.region_name].queues.get(mapping.event_source_arn.rsplit(":", 1)[-1])
        function = self.get_function(spec.get("FunctionName") or mapping.function_arn)
        merged = {
            "BatchSize": mapping.batch_size,
            "MaximumBatchingWindowInSeconds": mapping.max_batch_window,
            "ScalingConfig": mapping.scaling_config,
        } | spec
        if queue is not None:
            check(merged, queue, function)
        update_before(self, uuid, spec)
        mapping.transition = (
            "Updating" if mapping.enabled == was_enabled else "Enabling" if mapping.enabled else "Disabling"
        )
        mapping.settled_at = time.monotonic() + transition_s
        pollers.wake(uuid)
        return mapping

    def delete_event_source_mapping(self: Any, uuid: str) -> Any:
        """The mapping is Deleting, and still listed, until its last batch is settled."""
        mapping = self.get_event_source_mapping(uuid)
        if mapping is None:
            raise missing()
        mapping.transition, mapping.settled_at = "Deleting", float("inf")
        pollers.stop(uuid, then=lambda: delete_before(self, uuid))
        return mapping

    create_before = context.patch(backend, "create_event_source_mapping", create_event_source_mapping)
    update_before = context.patch(backend, "update_event_source_mapping", update_event_source_mapping)
    delete_before = context.patch(backend, "delete_event_source_mapping", delete_event_source_mapping)


def missing() -> Exception:
    return client_error(404, "ResourceNotFoundException", "The resource you requested does not exist.")


def normalise(spec: dict[str, Any]) -> None:
    """Numbers and booleans come as text from templates."""
    for name in ("BatchSize", "MaximumBatchingWindowInSeconds"):
        if spec.get(name) is not None:
            spec[name] = int(spec[name])
    if isinstance(spec.get("Enabled"), str):
        spec["Enabled"] = spec["Enabled"].lower() == "true"
    if (spec.get("ScalingConfig") or {}).get("MaximumConcurrency") is not None:
        spec["ScalingConfig"] = {"MaximumConcurrency": int(spec["ScalingConfig"]["MaximumConcurrency"])}


def check(spec: Mapping[str, Any], queue: Any, function: Any) -> None:
    """Refuse what Lambda refuses in a mapping to SQS."""
    from labs import facts

    fifo = queue.fifo_queue
    most = int(facts.value("lambda.sqs.batch_max_fifo" if fifo else "lambda.sqs.batch_max_standard"))
    size = spec.get("BatchSize")
    window_s = spec.get("MaximumBatchingWindowInSeconds") or 0
    if size is not None and not 1 <= size <= most:
        raise out_of_range("batchSize", size, 1, most)
    if not 0 <= window_s <= 300:
        raise out_of_range("maximumBatchingWindowInSeconds", window_s, 0, 300)
    if fifo and window_s:
        raise invalid("Batching window is not supported for FIFO queues")
    if size is not None and size > 10 and not window_s:
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
    if (concurrency := (spec.get("ScalingConfig") or {}).get("MaximumConcurrency")) is not None:
        low, high = (
            int(facts.value("lambda.sqs.maximum_concurrency_min")),
            int(facts.value("lambda.sqs.maximum_concurrency_max")),
        )
        if not low <= concurrency <= high:
            raise out_of_range("scalingConfig.maximumConcurrency", concurrency, low, high)
    if unknown := set(spec.get("FunctionResponseTypes") or []) - {PARTIAL}:
        raise invalid(f"FunctionResponseTypes does not know {sorted(unknown)[0]}; it knows {PARTIAL}")
    if spec.get("FilterCriteria"):
        raise invalid("The local cloud does not filter events (FilterCriteria). On AWS this mapping may well be right.")
    if queue.visibility_timeout < int(function.timeout):
        raise invalid(
            f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than Function timeout: {function.timeout} seconds"
        )


def check_permissions(function: Any, queue: Any) -> None:
    """Refuse a mapping whose function's role may not read the queue, as Lambda does when the mapping is made."""
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.iam.models import iam_backends

    role = iam_backends[function.account_id][function.partition].get_role_by_arn(function.role)
    documents = [text if isinstance(text, str) else json.dumps(text) for text in role.policies.values()]
    policies = [IAMPolicy(text) for text in documents] + [
        IAMPolicy(policy) for policy in role.managed_policies.values()
    ]
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        verdicts = [policy.is_action_permitted(f"sqs:{action}", queue.queue_arn) for policy in policies]
        if PermissionResult.PERMITTED not in verdicts or PermissionResult.DENIED in verdicts:
            raise invalid(f"The function execution role does not have permissions to call {action} on SQS")


# -- moto's EventSourceMapping


def _patch_mapping(context: Context, mapping_class: Any) -> None:
    configuration_before = mapping_class.get_configuration

    def get_configuration(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = configuration_before(self)
        if ":sqs:" in self.event_source_arn:
            answer["MaximumBatchingWindowInSeconds"] = self.max_batch_window or 0
            answer["StateTransitionReason"] = "USER_INITIATED"
            answer.pop("LastProcessingResult", None)
            if time.monotonic() < self.__dict__.get("settled_at", 0.0):
                answer["State"] = self.transition
        return answer

    context.patch(mapping_class, "get_configuration", get_configuration)


def _patch_responses(context: Context, response_class: Any) -> None:
    """moto's answers for a mapping that does not exist have no error code."""

    def get_event_source_mapping(self: Any) -> tuple[int, dict[str, str], str]:
        mapping = self.backend.get_event_source_mapping(self.path.rstrip("/").split("/")[-1])
        if mapping is None:
            raise missing()
        return 200, {}, json.dumps(mapping.get_configuration())

    context.patch(response_class, "get_event_source_mapping", get_event_source_mapping)
