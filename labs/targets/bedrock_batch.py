"""`bedrock-batch`: many requests in a file of S3, answered by a job of Amazon Bedrock at about half the price.

target.deploy(site)                                           # a bucket, and a role with which Bedrock reads and writes there
run = target.run(site, [Record(str(n), f"Summarise {n}.") for n in range(100)])
run.answers[0].reply, run.bill.usd
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from labs import facts
from labs.economics.bill import Bill, Line
from labs.economics.prices import known, usd
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import batching, bedrock_offers, bedrock_roles, ledger, removing, steps
from labs.targets.base import Address, Kind, Site
from labs.targets.batching import Answer, Job, Place, Record
from labs.targets.handmade import Handmade, begun, once, wait, with_new_role
from labs.targets.options import option

__all__ = ["Answer", "BatchRun", "BedrockBatch", "Record"]

KIND = "batch-job"
PATIENCE_S = 7 * 86_400.0
"""A job ends by itself when its own time is over: at most 168 hours."""


@dataclass(frozen=True)
class BatchRun:
    """What a job came to."""

    job: Job
    answers: list[Answer]
    """One for each record, in their order."""
    bill: Bill

    @property
    def answered(self) -> int:
        """Records that have a reply."""
        return sum(answer.reply is not None for answer in self.answers)


@dataclass(frozen=True)
class BedrockBatch(Handmade):
    """Jobs on one base model."""

    name = "bedrock-batch"
    kinds = frozenset({Kind.BATCH})

    model_id: str = option("amazon.nova-lite-v1:0", "A base model's id or an inference profile's.")
    timeout_hours: int = option(24, "After how many hours a job ends with what it has; 24 to 168.")

    def __post_init__(self) -> None:
        if not 24 <= self.timeout_hours <= 168:
            raise Refusal(f"timeout_hours of {self.name} is 24 to 168, not {self.timeout_hours}", USAGE)

    def worst_case(self, site: Site) -> Bill:  # noqa: ARG002 - a bucket and a role cost nothing by the hour
        """Nothing but the tokens of the jobs."""
        return Bill(self.name, ())

    def check(self, site: Site) -> None:
        """The model must be callable from the Region; which Regions have batch as well, AWS says when a job is created."""
        model = bedrock_offers.find(self.model_id)
        bedrock_offers.require_region(model, "regions", "batch inference", site)
        tried = bedrock_offers.regions_of(self.name)
        if site.cloud.region not in tried:
            site.tell(
                f"whether {site.cloud.region} has batch inference is not recorded; {bedrock_offers.listed(tried)} has it"
            )

    def create(self, site: Site) -> None:
        """A bucket and a role; jobs are made by `run`."""
        bucket = bedrock_roles.bucket(site, self.name)
        own = [
            *bedrock_roles.reads(site, f"s3://{bucket}/in/"),
            *bedrock_roles.writes(site, f"s3://{bucket}/out/"),
        ]
        if len(arns := bedrock_roles.model_arns(site, self.model_id)) > 1:  # a profile calls its models with the role
            own.append({"Effect": "Allow", "Action": ["bedrock:InvokeModel"], "Resource": arns})
        bedrock_roles.role(site, self.name, "model-invocation-job", own)

    def status(self, site: Site) -> str | None:
        """Its bucket and role are there, or None."""
        held = {entry.kind: entry.name for entry in steps.entries(site.cloud, site.name)}
        there = all(kind in held and removing.there(kind, held[kind]) for kind in ("bucket", "role"))
        return "ready for jobs" if there else None

    def address(self, site: Site) -> Address:  # noqa: ARG002 - there is none anywhere
        """There is none: it answers files."""
        raise Refusal(
            f"{self.name} answers files of at least {fewest()} records, not single calls: put a queue before it with "
            f"'lab deploy squid --target {self.name}', or call its run(site, records) from Python",
            USAGE,
        )

    def place(self, site: Site) -> Place:
        """Where its jobs run, for whoever submits them. Raises Refusal when it is not deployed."""
        if self.status(site) is None:
            raise self.not_deployed(site)
        bucket, role = begun(site, "bucket"), begun(site, "role")
        assert bucket is not None
        assert role is not None
        return Place(self.model_id, bucket, bedrock_roles.role_arn(site))

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Put records into the bucket, create jobs with its role, follow them, and read what they wrote."""
        bucket = bedrock_roles.bucket_name(site)
        jobs = bedrock_roles.arn(site, "model-invocation-job", "*")
        read, objects = bedrock_roles.reads(site, f"s3://{bucket}/out/")
        return [
            {
                "Effect": "Allow",
                "Action": ["bedrock:CreateModelInvocationJob"],
                "Resource": [*bedrock_roles.model_arns(site, self.model_id), jobs],
            },
            {
                "Effect": "Allow",
                "Action": ["bedrock:GetModelInvocationJob", "bedrock:StopModelInvocationJob"],
                "Resource": [jobs],
            },
            *bedrock_roles.writes(site, f"s3://{bucket}/in/"),
            read,
            objects,
            bedrock_roles.passing(site),
        ]

    def run(self, site: Site, records: Sequence[Record]) -> BatchRun:
        """Submit the records as one job, watch it, and read its answers; a job that runs out of time gives those that it has.

        Raises Refusal when they are too few or too many, before anything is created, and with AWS's reason when the job fails.
        """
        check_count(len(records))
        place = self.place(site)
        name = f"{site.name}-{datetime.now(UTC):%y%m%d%H%M%S}-{secrets.token_hex(2)}"
        marks = bedrock_roles.tags(site)

        def submit(token: str) -> str:
            return with_new_role(
                lambda: batching.submit(place, name, records, token=token, timeout_hours=self.timeout_hours, tags=marks)
            )

        resting = tuple(status for status in batching.OVER if status != "Failed")
        try:
            arn = once(site, self.name, KIND, name, submit)
            wait(site, f"the job {name}", lambda: _state(arn), until=resting, over=("Failed",), patience_s=PATIENCE_S)
        finally:
            if not removing.there(KIND, name):
                ledger.strike(site.cloud, KIND, name)
        job = batching.look(arn)
        return BatchRun(job, batching.read(place, name, job, records), self.bill(*batching.tokens(place, name, job)))

    def bill(self, input_tokens: int, output_tokens: int) -> Bill:
        """What so many tokens cost in batch."""
        price = bedrock_offers.find(self.model_id).price or ""
        if self.model_id.startswith("global.") and price.endswith("-geo"):
            price = price.removesuffix("geo") + "global"
        lines = []
        for direction, amount in (("input", input_tokens), ("output", output_tokens)):
            fact = f"{price}.batch_{direction}_per_million"
            if known(fact):
                line = Line(f"{direction} tokens", amount / 1e6, "million tokens", usd(fact), (fact,))
            else:
                on_demand, factor = f"{price}.{direction}_per_million", "bedrock.batch.price_factor"
                each = usd(on_demand) * facts.number(factor)
                assumed = "the register has no batch price of it: its on-demand price times the usual factor"
                line = Line(f"{direction} tokens", amount / 1e6, "million tokens", each, (on_demand, factor), assumed)
            lines.append(line)
        return Bill(f"{self.model_id}, batch", tuple(lines))


def _state(arn: str) -> tuple[str, str]:
    job = batching.look(arn)
    return job.status, job.reason


def fewest() -> int:
    """The fewest records of a job."""
    return int(facts.number("bedrock.batch.records_min"))


def most() -> int:
    """The most records of a job."""
    return int(facts.number("bedrock.batch.records_max"))


def check_count(records: int) -> None:
    """Return when a job may have so many records; a Refusal says what to do with fewer or more."""
    if records < fewest():
        raise Refusal(
            f"a batch job needs at least {fewest()} records, and there are {records}: collect more, "
            "or ask bedrock-on-demand; nothing was created",
            FALSE,
        )
    if records > most():
        raise Refusal(
            f"a batch job takes at most {most():,} records, and there are {records:,}: divide them "
            "(labs.targets.batching.divide); nothing was created",
            FALSE,
        )
