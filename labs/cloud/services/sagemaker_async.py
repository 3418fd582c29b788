"""Asynchronous inference: requests lie in S3, wait in the endpoint's queue, and leave their answers in S3 and a word at SNS.

As many requests are in the containers' hands as there are instances times MaxConcurrentInvocationsPerInstance; with no instance everything
waits, and the backlog is there to scale on. Waiting, time to live and time limits are real time.
"""

import json
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labs import facts
from labs.cloud.services import sagemaker_metrics as metrics
from labs.cloud.services import sagemaker_s3 as s3
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_hosting import Hosting
from labs.cloud.services.sagemaker_invocation import ContainerFailed, begin, content_type
from labs.cloud.services.sagemaker_targets import Destination, endpoint_of, invalid

if TYPE_CHECKING:
    from labs.cloud.services.sagemaker_endpoint import Endpoint

PER_INSTANCE = 4
"""Requests that an instance works on at once when the configuration does not say; AWS chooses "an optimal value", so this is an assumption."""


@dataclass
class Waiting:
    """One request in the queue."""

    id: str
    params: dict[str, Any]
    output: str
    failure: str | None
    received: datetime = field(default_factory=lambda: datetime.now(UTC))
    at: float = field(default_factory=time.monotonic)


def invoke(hosting: Hosting, params: dict[str, Any]) -> tuple[int, dict[str, Any], Any]:
    """InvokeEndpointAsync: take the request, and say where its answer will be."""
    with hosting.lock:
        endpoint = endpoint_of(hosting, params["EndpointName"])
        if not endpoint.is_async or endpoint.queue is None:
            raise invalid(
                f"Endpoint {endpoint.name} of account {hosting.account_id} is not asynchronous; call it with InvokeEndpoint."
            )
    if ("InputLocation" in params) == ("Body" in params):
        raise invalid("Exactly one of InputLocation and Body must be given.")
    largest = int(facts.number("sagemaker.async.inline_max_bytes"))
    if len(params.get("Body", b"")) > largest:
        raise invalid(f"Body must be at most {largest} bytes; put a larger one into S3 and name its InputLocation.")
    output = endpoint.config["AsyncInferenceConfig"]["OutputConfig"]
    if not output.get("S3OutputPath"):
        raise invalid(f"Endpoint {endpoint.name} has no S3OutputPath to write the answer to.")
    id, name = params.get("InferenceId") or str(uuid.uuid4()), uuid.uuid4()
    folder = params.get("S3OutputPathExtension", "").strip("/")
    file = params.get("Filename") or f"{name}.out"
    where = "/".join(part for part in (output["S3OutputPath"].rstrip("/"), folder, file) if part)
    failure = f"{output['S3FailurePath'].rstrip('/')}/{name}-error.out" if output.get("S3FailurePath") else None
    endpoint.queue.add(Waiting(id, params, where, failure))
    headers = {"status": 202, "Content-Type": "application/json", "X-Amzn-SageMaker-OutputLocation": where}
    if failure:
        headers["X-Amzn-SageMaker-FailureLocation"] = failure
    return 202, headers, json.dumps({"InferenceId": id})


class Queue:
    """The requests of one asynchronous endpoint, and those who work on them."""

    def __init__(self, hosting: Hosting, endpoint: "Endpoint") -> None:
        self._hosting, self._endpoint = hosting, endpoint
        self._waiting: deque[Waiting] = deque()
        self._working: dict[str, Waiting] = {}
        self._lock = threading.Lock()
        self._closed = False

    def add(self, request: Waiting) -> None:
        """Queue a request."""
        with self._lock:
            self._waiting.append(request)
        self.pump()

    def pump(self) -> None:
        """Hand out what there is capacity for. Called when a request comes, ends, or instances may have changed."""
        while True:
            with self._lock:
                if self._closed or not self._waiting or len(self._working) >= self._capacity():
                    return
                request = self._waiting.popleft()
                self._working[request.id + request.output] = request
            threading.Thread(target=self._work, args=(request,), name="async-inference", daemon=True).start()

    def close(self) -> None:
        """The endpoint is gone, and with it what waits."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def gauge(self) -> None:
        """Tell CloudWatch how long the queue is; and pump, for instances come up unannounced."""
        self.pump()
        with self._lock:
            backlog = len(self._waiting) + len(self._working)
            oldest = min((each.at for each in (*self._waiting, *self._working.values())), default=None)
        instances = sum(variant.current for variant in self._endpoint.variants)
        target = metrics.Target(self._hosting, {"EndpointName": self._endpoint.name})
        target.put("ApproximateBacklogSize", backlog, "Count")
        target.put("HasBacklogWithoutCapacity", float(backlog > 0 and instances == 0), "Count")
        target.put("ApproximateAgeOfOldestRequest", time.monotonic() - oldest if oldest is not None else 0.0, "Seconds")
        if instances:
            target.put("ApproximateBacklogSizePerInstance", backlog / instances, "Count")

    def _capacity(self) -> int:
        client = self._endpoint.config["AsyncInferenceConfig"].get("ClientConfig") or {}
        each = client.get("MaxConcurrentInvocationsPerInstance", PER_INSTANCE)
        return int(each) * sum(variant.current for variant in self._endpoint.variants)

    def _work(self, request: Waiting) -> None:
        try:
            self._process(request)
        finally:
            with self._lock:
                self._working.pop(request.id + request.output, None)
            self.pump()

    def _process(self, request: Waiting) -> None:
        endpoint = self._endpoint
        variant = endpoint.choose()
        if variant is None or variant.placed is None:
            return
        target = metrics.of_variant(self._hosting, endpoint, variant)
        waited_s = time.monotonic() - request.at
        target.put("TimeInBacklog", waited_s * 1000, "Milliseconds")
        if waited_s > int(request.params.get("RequestTTLSeconds", facts.number("sagemaker.async.ttl_default_s"))):
            target.put("ExpiredRequests", 1, "Count")
            self._failed(request, target, "The request expired in the queue before it could be processed.")
            return
        try:
            body = request.params.get("Body")
            if body is None:
                body = s3.read(self._hosting.account_id, request.params["InputLocation"])
        except s3.NotThere as missing:
            target.put("RequestDownloadFailures", 1, "Count")
            self._failed(request, target, f"Failed to download the request payload: {missing}")
            return
        if len(body) > facts.number("sagemaker.async.payload_max_bytes"):
            self._failed(request, target, "The request payload is larger than asynchronous inference takes.")
            return
        limit_s = float(
            request.params.get("InvocationTimeoutSeconds", facts.number("sagemaker.async.timeout_default_s"))
        )
        to = Destination(endpoint, variant, variant.placed, target, variant.fleet)
        try:
            invocation = begin(to, body, limit_s, every_token=False)
            said = invocation.wait()
            s3.write(self._hosting.account_id, request.output, said)
        except ContainerFailed as failed:
            kind = "client" if 400 <= failed.status < 500 else "server"
            self._failed(
                request, target, f'Received {kind} error ({failed.status}) from primary with message "{failed}".'
            )
            return
        except s3.NotThere as missing:
            target.put("ResponseUploadFailures", 1, "Count")
            self._failed(request, target, f"Failed to upload the response: {missing}")
            return
        target.put("InvocationsProcessed", 1, "Count")
        target.put("TotalProcessingTime", (time.monotonic() - request.at) * 1000, "Milliseconds")
        told = {"contentType": content_type(invocation.asked), "outputLocation": request.output}
        self._notify("SuccessTopic", request, target, "Completed", {"responseParameters": told}, said)

    def _failed(self, request: Waiting, target: metrics.Target, reason: str) -> None:
        target.put("InvocationFailures", 1, "Count")
        if request.failure:
            with suppress(s3.NotThere):
                s3.write(self._hosting.account_id, request.failure, reason.encode())
        more: dict[str, Any] = {"failureReason": reason}
        if request.failure:
            more["failureLocation"] = request.failure
        self._notify("ErrorTopic", request, target, "Failed", more, reason.encode())

    def _notify(
        self, topic: str, request: Waiting, target: metrics.Target, status: str, more: dict[str, Any], said: bytes
    ) -> None:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-check-predictions.html shows this message."""
        settings = self._endpoint.config["AsyncInferenceConfig"]["OutputConfig"].get("NotificationConfig") or {}
        if not settings.get(topic):
            return
        asked = {"endpointName": self._endpoint.name}
        for name, key in (("InputLocation", "inputLocation"), ("ContentType", "contentType"), ("Accept", "accept")):
            if request.params.get(name):
                asked[key] = request.params[name]
        message = {
            "awsRegion": self._hosting.region,
            "eventTime": stamp(datetime.now(UTC)),
            "receivedTime": stamp(request.received),
            "invocationStatus": status,
            "requestParameters": asked,
            **more,
            "inferenceId": request.id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        wanted = {"SuccessTopic": "SUCCESS_NOTIFICATION_TOPIC", "ErrorTopic": "ERROR_NOTIFICATION_TOPIC"}[topic]
        if wanted in (settings.get("IncludeInferenceResponseIn") or ()):
            message["responseBody"] = {"content": said.decode(errors="replace"), "encoding": "UTF-8"}
        try:
            publish(self._hosting, settings[topic], json.dumps(message))
        except ServiceError:
            target.put("NotificationFailures", 1, "Count")


def publish(hosting: Hosting, topic_arn: str, message: str) -> None:
    """To an SNS topic. Raises ServiceError when there is none."""
    from moto.core.exceptions import ServiceException
    from moto.sns.models import sns_backends

    try:
        sns_backends[hosting.account_id][topic_arn.split(":")[3]].publish(message, arn=topic_arn)
    except ServiceException as refused:
        raise ServiceError("NotFound", str(refused)) from None


def stamp(moment: datetime) -> str:
    """As the service writes times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
