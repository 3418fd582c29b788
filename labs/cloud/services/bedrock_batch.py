"""Batch inference: a job reads JSONL from S3, answers each record, and writes JSONL and a manifest.

Files: https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-data.html and .../batch-inference-results.html
How long a job takes is the serving engine's in virtual time; how many records AWS works at once is not published and assumed here.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any

from labs import facts
from labs.cloud.services.bedrock_access import check_access
from labs.cloud.services.bedrock_account import Account, Resource
from labs.cloud.services.bedrock_custom import find_custom
from labs.cloud.services.bedrock_errors import conflict, invalid, not_found
from labs.cloud.services.bedrock_listing import chosen, page
from labs.cloud.services.bedrock_models import Model, models, reach
from labs.cloud.services.bedrock_records import Outcome, Record, outcome, read_records, write_results
from labs.cloud.services.bedrock_s3 import Unreadable, folder
from labs.serving.admission import Admission
from labs.serving.engine import Engine, EngineConfig, Table

KIND = "model-invocation-job"
SUBMITTED_S, VALIDATING_S, SCHEDULED_S, STOPPING_S = 30.0, 60.0, 120.0, 30.0
"""How long a job stays in each state, assumptions; in InProgress it stays as long as the engine needs."""
AT_ONCE = 20
"""Records that a job works on at once, an assumption."""
OPEN = ("Submitted", "Validating", "Scheduled", "InProgress")


@dataclass
class BatchJob(Resource):
    """A model invocation job."""

    params: dict[str, Any] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    finish_s: list[float] = field(default_factory=list)
    """when each outcome is there, in seconds on AWS's clock since the work began, ascending"""
    began_at: float | None = None
    done: int | None = None
    """outcomes that were written, once the job is over"""

    @property
    def converse(self) -> bool:
        """Are its records Converse requests?"""
        return self.params.get("modelInvocationType") == "Converse"

    @property
    def timeout_s(self) -> float:
        """After how long it expires."""
        hours = self.params.get("timeoutDurationInHours")
        return float(hours * 3600) if hours else facts.number("bedrock.batch.timeout_default_s")


def create_model_invocation_job(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """CreateModelInvocationJob."""
    made = account.again(KIND, params.get("clientRequestToken"), params["jobName"], "job")
    if made is not None:
        return {"jobArn": made.arn}
    _model(account, params["modelId"])
    if not (params["inputDataConfig"].get("s3InputDataConfig") or {}).get("s3Uri"):
        raise invalid("inputDataConfig.s3InputDataConfig.s3Uri is required.")
    if not (params["outputDataConfig"].get("s3OutputDataConfig") or {}).get("s3Uri"):
        raise invalid("outputDataConfig.s3OutputDataConfig.s3Uri is required.")
    id = account.new_id()
    job = BatchJob(
        id, account.arn(KIND, id), params["jobName"], status="Submitted", token=params.get("clientRequestToken"), params=params
    )  # fmt: skip
    account.add(KIND, job, params.get("tags"))
    account.wait(SUBMITTED_S, lambda: _validate(account, job))
    return {"jobArn": job.arn}


def _validate(account: Account, job: BatchJob) -> None:
    if job.status == "Submitted":
        job.becomes("Validating")
        account.wait(VALIDATING_S, lambda: _schedule(account, job))


def _schedule(account: Account, job: BatchJob) -> None:
    if job.status != "Validating":
        return
    try:
        job.records = read_records(account.id, _input(job))
        folder(account.id, _output(job))
    except Unreadable as unreadable:
        job.becomes("Failed", str(unreadable))
        return
    job.becomes("Scheduled")
    account.wait(SCHEDULED_S, lambda: _work(account, job))


def _work(account: Account, job: BatchJob) -> None:
    if job.status != "Scheduled":
        return
    model = _model(account, job.params["modelId"])
    unordered = [outcome(record, model, converse=job.converse) for record in job.records]
    times = finish_times(model, unordered)
    order = sorted(range(len(unordered)), key=times.__getitem__)
    job.outcomes, job.finish_s = [unordered[i] for i in order], [times[i] for i in order]
    job.began_at = monotonic()
    job.becomes("InProgress")
    account.wait(min(job.finish_s[-1], job.timeout_s), lambda: _finish(account, job))


def finish_times(model: Model, outcomes: list[Outcome]) -> list[float]:
    """When each record is answered, in seconds since the work began; one that is refused is done at once."""
    good = [i for i, each in enumerate(outcomes) if each.error is None]
    times = [0.0] * len(outcomes)
    if good:
        table = Table.of(
            [0.0] * len(good), [outcomes[i].input_tokens for i in good], [outcomes[i].output_tokens for i in good]
        )
        Engine(EngineConfig(replica=model.speed(), admission=Admission(max_concurrency=AT_ONCE))).run(table)
        for i, t in zip(good, table.finish, strict=True):
            times[i] = t
    return times


def _finish(account: Account, job: BatchJob) -> None:
    if job.status != "InProgress":
        return
    done = bisect_right(job.finish_s, job.timeout_s)
    if not _write(account, job, done):
        return
    if done == len(job.outcomes):
        job.becomes("Completed")
    elif done:
        job.becomes("PartiallyCompleted", f"The job timed out: {done} of {len(job.outcomes)} records were processed.")
    else:
        job.becomes("Expired", "The job timed out before a record was processed.")


def _write(account: Account, job: BatchJob, done: int) -> bool:
    """Write what is done; False when that failed, and the job with it."""
    try:
        write_results(account.id, _input(job), _output(job), job.id, job.records, job.outcomes[:done])
    except Unreadable as unreadable:
        job.becomes("Failed", str(unreadable))
        return False
    job.done = done
    return True


def stop_model_invocation_job(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """StopModelInvocationJob: what is answered by then is written."""
    job = find(account, params["jobIdentifier"])
    if job.status not in OPEN:
        raise conflict(f"The job {job.name} is {job.status} and cannot be stopped.")
    done = processed(account, job)
    working = job.status == "InProgress"
    job.becomes("Stopping")

    def stopped() -> None:
        if not working or _write(account, job, done):
            job.becomes("Stopped")

    account.wait(STOPPING_S, stopped)
    return {}


def processed(account: Account, job: BatchJob) -> int:
    """How many records are answered by now."""
    if job.done is not None:
        return job.done
    if job.began_at is None:
        return 0
    return bisect_right(job.finish_s, (monotonic() - job.began_at) * account.context.time_scale)


def get_model_invocation_job(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """GetModelInvocationJob."""
    return describe(account, find(account, params["jobIdentifier"]))


def list_model_invocation_jobs(account: Account, params: dict[str, Any]) -> dict[str, Any]:
    """ListModelInvocationJobs."""
    found = chosen(account.kind(KIND).values(), params, time="submitTime")
    return page([describe(account, job) for job in found], params, "invocationJobSummaries")


def find(account: Account, identifier: str) -> BatchJob:
    """The job with this id or ARN."""
    found = account.find(KIND, identifier)
    if not isinstance(found, BatchJob):
        raise not_found(f"The model invocation job {identifier} could not be found.")
    return found


def describe(account: Account, job: BatchJob) -> dict[str, Any]:
    """As the API shows it."""
    done = processed(account, job)
    wrong = sum(each.error is not None for each in job.outcomes[:done])
    shown: dict[str, Any] = {
        "jobArn": job.arn,
        "jobName": job.name,
        "modelId": job.params["modelId"],
        "roleArn": job.params["roleArn"],
        "status": job.status,
        "submitTime": job.created,
        "lastModifiedTime": job.modified,
        "inputDataConfig": job.params["inputDataConfig"],
        "outputDataConfig": job.params["outputDataConfig"],
        "timeoutDurationInHours": int(job.timeout_s // 3600),
        "jobExpirationTime": job.created + timedelta(seconds=job.timeout_s),
        "modelInvocationType": job.params.get("modelInvocationType", "InvokeModel"),
        "totalRecordCount": len(job.records),
        "processedRecordCount": done,
        "successRecordCount": done - wrong,
        "errorRecordCount": wrong,
    }
    for name in ("clientRequestToken", "vpcConfig"):
        if job.params.get(name):
            shown[name] = job.params[name]
    if job.status not in (*OPEN, "Stopping"):
        shown["endTime"] = job.modified
    return shown | ({"message": job.failure} if job.failure else {})


def _model(account: Account, identifier: str) -> Model:
    if any(f":{kind}/" in identifier for kind in ("provisioned-model", "imported-model", "custom-model-deployment")):
        raise invalid("Batch inference is not supported for the provided model.")
    own = find_custom(account, identifier)
    if own is not None:
        return models()[own.base]
    model = reach(identifier, account.region).model
    check_access(account, model)
    return model


def _input(job: BatchJob) -> str:
    return str(job.params["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])


def _output(job: BatchJob) -> str:
    return str(job.params["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])


OPERATIONS = {
    "CreateModelInvocationJob": create_model_invocation_job,
    "GetModelInvocationJob": get_model_invocation_job,
    "ListModelInvocationJobs": list_model_invocation_jobs,
    "StopModelInvocationJob": stop_model_invocation_job,
}
