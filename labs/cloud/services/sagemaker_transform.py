"""Batch transform jobs: files in S3 through a model's containers, answers beside them; no endpoint stays.

The job's instances start as an endpoint's do, then each works on MaxConcurrentTransforms requests at once, at the engine's speed.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from labs import facts
from labs.cloud.services import sagemaker_metrics as metrics
from labs.cloud.services import sagemaker_models as models
from labs.cloud.services import sagemaker_s3 as s3
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_containers import CannotStart
from labs.cloud.services.sagemaker_endpoint import Endpoint
from labs.cloud.services.sagemaker_fleet import Fleet, at_scale
from labs.cloud.services.sagemaker_hosting import Hosting, Told, now, page
from labs.cloud.services.sagemaker_invocation import ContainerFailed, begin
from labs.cloud.services.sagemaker_placing import Placed, place
from labs.cloud.services.sagemaker_targets import Destination
from labs.cloud.services.sagemaker_validation import refused
from labs.cloud.services.sagemaker_variants import Start, Variant, failed_start, health_timeout_s

ENDED = ("Completed", "Failed", "Stopped")


@dataclass
class TransformJob:
    """A job and how far it has come."""

    name: str
    arn: str
    params: Told
    placed: Placed | None = None
    status: str = "InProgress"
    failure: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    created: datetime = field(default_factory=now)
    stopping: threading.Event = field(default_factory=threading.Event)

    def become(self, status: str, failure: str | None = None) -> None:
        """Change state."""
        self.status, self.failure = status, failure
        if status in ENDED:
            self.ended = now()


def create(hosting: Hosting, params: Told) -> Told:
    """CreateTransformJob."""
    name = params["TransformJobName"]
    arn = hosting.arn("transform-job", name)
    if name in hosting.transforms:
        raise ServiceError(
            "ResourceInUse",
            f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})",
        )
    model = hosting.model(params["ModelName"])
    source = params["TransformInput"]["DataSource"]["S3DataSource"]
    if source["S3DataType"] != "S3Prefix":
        raise refused(f"The local cloud reads S3Prefix as a transform job's input, not {source['S3DataType']}.")
    if params["TransformInput"].get("SplitType", "None") not in ("None", "Line"):
        raise refused("The local cloud splits a transform job's input by Line or not at all.")
    job = TransformJob(name, arn, params)
    definition = {**models.container_of(model)}
    definition["Environment"] = {**(definition.get("Environment") or {}), **(params.get("Environment") or {})}
    start = Start(0.0)
    try:
        job.placed = place(models.container(hosting, definition), params["TransformResources"]["InstanceType"])
        start = Start(job.placed.load_s)
    except CannotStart as failed:
        start = failed_start({"VariantName": name}, failed, health_timeout_s({}), "transform")
        hosting.log("/aws/sagemaker/TransformJobs", f"{name}/container", *start.log)
    hosting.transforms[name] = job
    hosting.tag(arn, params.get("Tags"))
    hosting.after(start.seconds, partial(begin_work, hosting, job, start.failure))
    return {"TransformJobArn": arn}


def begin_work(hosting: Hosting, job: TransformJob, failure: str | None) -> None:
    """The containers have come up, or have not."""
    if job.status != "InProgress":
        return
    job.started = now()
    if failure is not None:
        job.become("Failed", f"AlgorithmError: {failure}"[:1024])
        return
    threading.Thread(target=work, args=(hosting, job), name="transform", daemon=True).start()


def work(hosting: Hosting, job: TransformJob) -> None:
    """Every object, every record."""
    source = job.params["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    bucket, _ = s3.split(source)
    try:
        found = s3.keys(hosting.account_id, source)
        if not found:
            raise s3.NotThere(f"No S3 objects found under S3 URL {source}.")
        for key in found:
            transform(hosting, job, f"s3://{bucket}/{key}")
            if job.stopping.is_set():
                job.become("Stopped")
                return
        job.become("Completed")
    except s3.NotThere as missing:
        job.become("Failed", f"ClientError: {missing}")
    except ContainerFailed as failed:
        job.become("Failed", f"ClientError: See job logs for more information: {failed.status}: {failed}"[:1024])


def transform(hosting: Hosting, job: TransformJob, uri: str) -> None:
    """One object. Raises ContainerFailed, NotThere."""
    content = s3.read(hosting.account_id, uri)
    by_line = job.params["TransformInput"].get("SplitType") == "Line"
    records = [line for line in content.splitlines() if line.strip()] if by_line else [content]
    to, seats = destination(hosting, job)
    client = job.params.get("ModelClientConfig") or {}
    limit_s = float(client.get("InvocationsTimeoutInSeconds") or facts.number("sagemaker.transform.timeout_default_s"))

    def one(record: bytes) -> bytes:
        return b"" if job.stopping.is_set() else begin(to, record, limit_s, every_token=False).wait()

    with ThreadPoolExecutor(seats, thread_name_prefix="transform") as workers:
        answers = list(workers.map(one, records))
    joined = (
        b"\n".join(answers) + b"\n"
        if job.params["TransformOutput"].get("AssembleWith") == "Line"
        else b"".join(answers)
    )
    name = uri.rpartition("/")[2]
    s3.write(hosting.account_id, f"{job.params['TransformOutput']['S3OutputPath'].rstrip('/')}/{name}.out", joined)


def destination(hosting: Hosting, job: TransformJob) -> tuple[Destination, int]:
    """The job's containers, and how many requests they work on at once."""
    assert job.placed is not None
    resources = job.params["TransformResources"]
    copies = resources["InstanceCount"] * job.placed.copies
    fleet = Fleet(at_scale(job.placed.deployment.spec, 0.0), copies, "least_outstanding")
    variant = Variant(
        {"VariantName": job.name, "InstanceType": resources["InstanceType"], "ModelName": job.params["ModelName"]},
        Start(0.0),
    )
    variant.placed, variant.fleet = job.placed, fleet
    stand_in = Endpoint(job.name, job.arn, "", {}, [variant], [])
    target = metrics.Target(hosting, {"TransformJobName": job.name}, metrics.INVOCATION)
    seats = max(1, job.params.get("MaxConcurrentTransforms") or 1) * resources["InstanceCount"]
    return Destination(stand_in, variant, job.placed, target, fleet), min(seats, 64)


def find(hosting: Hosting, name: str) -> TransformJob:
    """The job of this name, or AWS's refusal."""
    if name not in hosting.transforms:
        raise ServiceError("ResourceNotFound", f"Could not find requested job with name: {name}")
    return hosting.transforms[name]


def describe(hosting: Hosting, params: Told) -> Told:
    """DescribeTransformJob."""
    job = find(hosting, params["TransformJobName"])
    said: Told = {
        **{key: value for key, value in job.params.items() if key != "Tags"},
        "TransformJobArn": job.arn,
        "TransformJobStatus": job.status,
        "CreationTime": job.created,
    }
    for name, value in (
        ("TransformStartTime", job.started),
        ("TransformEndTime", job.ended),
        ("FailureReason", job.failure),
    ):
        if value is not None:
            said[name] = value
    return said


def listed(hosting: Hosting, params: Told) -> Told:
    """ListTransformJobs."""
    items = []
    for job in hosting.transforms.values():
        item: Told = {
            "TransformJobName": job.name,
            "TransformJobArn": job.arn,
            "CreationTime": job.created,
            "LastModifiedTime": job.ended or job.started or job.created,
            "TransformJobStatus": job.status,
        }
        for name, value in (("TransformEndTime", job.ended), ("FailureReason", job.failure)):
            if value is not None:
                item[name] = value
        items.append(item)
    return page(params, items, "TransformJob", "TransformJobSummaries")


def stop(hosting: Hosting, params: Told) -> Told:
    """StopTransformJob."""
    job = find(hosting, params["TransformJobName"])
    if job.status in ENDED:
        raise refused(f"The request was rejected because the transform job is in status {job.status}.")
    job.stopping.set()
    job.become("Stopping" if job.started else "Stopped")
    return {}
