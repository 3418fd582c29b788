"""Neo compilation jobs: the control plane. A job looks whether its input is there, takes its time, and leaves an artefact that says what it is.

Nothing is compiled: the artefact holds a description of the job. Neo was made for vision models; large language models are compiled by the
Neuron SDK instead, which is said when a job asks for one.
"""

import io
import json
import tarfile
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from labs.cloud.services import sagemaker_s3 as s3
from labs.cloud.services.errors import ServiceError
from labs.cloud.services.sagemaker_hosting import Hosting, Told, now, page
from labs.cloud.services.sagemaker_validation import refused

STARTING_S = 60.0
COMPILING_S = 240.0
"""What a job takes on AWS: assumptions."""
STOPPING_S = 20.0
ENDED = ("COMPLETED", "FAILED", "STOPPED")


@dataclass
class CompilationJob:
    """A job and how far it has come."""

    name: str
    arn: str
    params: Told
    status: str = "STARTING"
    failure: str = ""
    artefact: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)

    def become(self, status: str, failure: str = "") -> None:
        """Change state."""
        self.status, self.failure, self.modified = status, failure, now()
        if status == "INPROGRESS":
            self.started = now()
        if status in ENDED:
            self.ended = now()


def create(hosting: Hosting, params: Told) -> Told:
    """CreateCompilationJob."""
    name = params["CompilationJobName"]
    arn = hosting.arn("compilation-job", name)
    if name in hosting.compilations:
        raise ServiceError(
            "ResourceInUse",
            f"Compilation job names must be unique within an AWS account and region, and {arn} exists already.",
        )
    if params.get("ModelPackageVersionArn"):
        raise refused("The local cloud has no model packages. Give InputConfig.")
    if not params.get("InputConfig"):
        raise refused("Either InputConfig or ModelPackageVersionArn must be specified.")
    output = params["OutputConfig"]
    if bool(output.get("TargetDevice")) == bool(output.get("TargetPlatform")):
        raise refused("Exactly one of TargetDevice and TargetPlatform must be specified in OutputConfig.")
    job = CompilationJob(name, arn, params)
    hosting.compilations[name] = job
    hosting.tag(arn, params.get("Tags"))
    hosting.after(STARTING_S, partial(start, hosting, job))
    return {"CompilationJobArn": arn}


def start(hosting: Hosting, job: CompilationJob) -> None:
    """From STARTING to INPROGRESS."""
    if job.status == "STARTING":
        job.become("INPROGRESS")
        limit_s = job.params["StoppingCondition"].get("MaxRuntimeInSeconds", COMPILING_S + 1)
        hosting.after(min(COMPILING_S, limit_s), partial(finish, hosting, job, limit_s < COMPILING_S))


def finish(hosting: Hosting, job: CompilationJob, too_long: bool) -> None:
    """The end: an artefact in S3, or the reason why there is none."""
    if job.status != "INPROGRESS":
        return
    if too_long:
        job.become("FAILED", "ClientError: MaxRuntimeInSeconds exceeded.")
        return
    given = job.params["InputConfig"]
    if not s3.is_there(hosting.account_id, given["S3Uri"]):
        job.become("FAILED", f"ClientError: InputConfiguration: No S3 objects found under S3 URL {given['S3Uri']}.")
        return
    if not given.get("DataInputConfig"):
        job.become(
            "FAILED",
            "ClientError: InputConfiguration: DataInputConfig is required: it states the names and shapes of the model's inputs.",
        )
        return
    output = job.params["OutputConfig"]
    target = output.get("TargetDevice") or "-".join(output["TargetPlatform"].values()).lower()
    model = given["S3Uri"].rstrip("/").rpartition("/")[2].partition(".")[0] or "model"
    where = f"{output['S3OutputLocation'].rstrip('/')}/{model}-{target}.tar.gz"
    try:
        s3.write(hosting.account_id, where, artefact_of(job, target))
    except s3.NotThere as missing:
        job.become("FAILED", f"ClientError: OutputConfiguration: {missing}")
        return
    job.artefact = where
    job.become("COMPLETED")


def artefact_of(job: CompilationJob, target: str) -> bytes:
    """The archive: a description of the job in place of what a compiler would have made."""
    about = {
        "note": "made by the local cloud, which compiles nothing",
        "compilation_job": job.arn,
        "framework": job.params["InputConfig"]["Framework"],
        "input": job.params["InputConfig"]["S3Uri"],
        "data_input_config": job.params["InputConfig"]["DataInputConfig"],
        "target": target,
    }
    content = json.dumps(about, indent=2).encode()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def find(hosting: Hosting, name: str) -> CompilationJob:
    """The job of this name, or AWS's refusal."""
    if name not in hosting.compilations:
        raise ServiceError(
            "ResourceNotFound", f"Could not find compilation job '{hosting.arn('compilation-job', name)}'."
        )
    return hosting.compilations[name]


def describe(hosting: Hosting, params: Told) -> Told:
    """DescribeCompilationJob."""
    job = find(hosting, params["CompilationJobName"])
    said = {
        **{key: value for key, value in job.params.items() if key != "Tags"},
        "CompilationJobArn": job.arn,
        "CompilationJobStatus": job.status,
        "CreationTime": job.created,
        "LastModifiedTime": job.modified,
        "FailureReason": job.failure,
        "ModelArtifacts": {"S3ModelArtifacts": job.artefact},
    }
    return said | times(job)


def listed(hosting: Hosting, params: Told) -> Told:
    """ListCompilationJobs."""
    items = []
    for job in hosting.compilations.values():
        output = job.params["OutputConfig"]
        item: Told = {
            "CompilationJobName": job.name,
            "CompilationJobArn": job.arn,
            "CreationTime": job.created,
            "LastModifiedTime": job.modified,
            "CompilationJobStatus": job.status,
        } | times(job)
        if output.get("TargetDevice"):
            item["CompilationTargetDevice"] = output["TargetDevice"]
        for part in ("Os", "Arch", "Accelerator"):
            if value := (output.get("TargetPlatform") or {}).get(part):
                item[f"CompilationTargetPlatform{part}"] = value
        items.append(item)
    return page(params, items, "CompilationJob", "CompilationJobSummaries", order="Ascending")


def times(job: CompilationJob) -> Told:
    """When it began and ended, as far as it has."""
    return {
        name: moment
        for name, moment in (("CompilationStartTime", job.started), ("CompilationEndTime", job.ended))
        if moment is not None
    }


def stop(hosting: Hosting, params: Told) -> Told:
    """StopCompilationJob."""
    job = find(hosting, params["CompilationJobName"])
    if job.status in ENDED:
        raise refused(f"The compilation job {job.arn} has ended already: it is {job.status}.")
    job.become("STOPPING")
    hosting.after(STOPPING_S, partial(job.become, "STOPPED"))
    return {}


def delete(hosting: Hosting, params: Told) -> Told:
    """DeleteCompilationJob."""
    job = find(hosting, params["CompilationJobName"])
    if job.status not in ENDED:
        raise refused(f"The compilation job {job.arn} must have ended to be deleted: it is {job.status}.")
    del hosting.compilations[job.name]
    hosting.forget(job.arn)
    return {}
