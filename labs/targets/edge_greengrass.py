"""`edge-greengrass`: a model compiled by SageMaker Neo, and the recipe of a Greengrass V2 component that brings it to a device. Its result runs elsewhere."""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3
from botocore.exceptions import ClientError

from labs.economics.bill import Bill
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import bedrock_roles, greengrass, removing, stacks
from labs.targets.base import Address, Kind, Site
from labs.targets.handmade import Handmade, once, wait, with_new_role
from labs.targets.options import option

SAMPLE = "sample"
KIND = "compilation-job"
DONE = "COMPLETED"
ARCHITECTURES = {"ARM64": "aarch64", "X86_64": "amd64", "ARM_EABIHF": "arm"}
"""Neo's word: Greengrass's."""
MOST_COMPILING_S = 3_600
_IN, _OUT = "in/", "out/"


@dataclass(frozen=True)
class EdgeGreengrass(Handmade):
    """One compilation job and one recipe."""

    name = "edge-greengrass"
    kinds = frozenset({Kind.ARTIFACT})

    model: str = option(SAMPLE, "s3://BUCKET/NAME.tar.gz of a trained model, or 'sample' (local cloud).")
    framework: Literal["PYTORCH", "TENSORFLOW", "TFLITE", "ONNX", "KERAS", "MXNET", "XGBOOST", "DARKNET"] = option(
        "PYTORCH", "What it was trained with."
    )
    framework_version: str = option("2.0", "The version of it, for PyTorch and TensorFlow; empty for Neo's choice.")
    inputs: str = option('{"input0": [1, 3, 224, 224]}', "Names and shapes of the model's inputs, as JSON.")
    architecture: Literal["ARM64", "X86_64", "ARM_EABIHF"] = option("ARM64", "The device's processor; it runs Linux.")
    component: str = option("deployment-dilemma.model", "The component's name.")
    version: str = option("1.0.0", "The component's version; Greengrass takes each once.")
    recipe: str = option("", "File for the recipe; empty for NAME.recipe.yaml in this folder.")

    def worst_case(self, site: Site) -> Bill:  # noqa: ARG002 - nothing is kept that costs by the hour
        """Nothing by the hour: no price of a compilation job is in the register, and devices are the owner's."""
        return Bill(self.name, ())

    def check(self, site: Site) -> None:
        """Options, the model, and the place for the recipe."""
        try:
            if not json.loads(self.inputs):
                raise ValueError
        except ValueError:
            raise Refusal(
                f"inputs of {self.name} are JSON that names each input's shape, as {{\"input0\": [1, 3, 224, 224]}}, not '{self.inputs}'",
                USAGE,
            ) from None
        try:
            greengrass.check(self._recipe("s3://bucket/out/model.tar.gz"))
        except ValueError as wrong:
            raise Refusal(f"{self.name}: {wrong}; nothing was created", USAGE) from wrong
        if not self.recipe_file(site).parent.is_dir():
            raise Refusal(
                f"there is no folder {self.recipe_file(site).parent} for the recipe; nothing was created", USAGE
            )
        if self.model == SAMPLE:
            if site.cloud.real:
                raise Refusal(
                    "model=sample is a model that nobody has trained, for the local cloud; on AWS give s3://BUCKET/NAME.tar.gz; nothing was created",
                    USAGE,
                )
        elif not _is_there(self.model):
            raise Refusal(f"there is nothing at {self.model}; nothing was created", FALSE)

    def create(self, site: Site) -> None:
        """A bucket, a role, the compilation job, and then the recipe of what came of it."""
        bucket = bedrock_roles.bucket(site, self.name)
        source = self.model
        if source == SAMPLE:
            source = f"s3://{bucket}/{_IN}model.tar.gz"
            boto3.client("s3").put_object(Bucket=bucket, Key=f"{_IN}model.tar.gz", Body=_sample())
        role = self._role(site, bucket, source)
        once(
            site, self.name, KIND, site.name, lambda _: with_new_role(lambda: self._compile(site, source, bucket, role))
        )
        sagemaker: Any = boto3.client("sagemaker")

        def look() -> tuple[str, str]:
            now = sagemaker.describe_compilation_job(CompilationJobName=site.name)
            return now["CompilationJobStatus"], now.get("FailureReason", "")

        wait(site, "the compilation job", look, until=(DONE,), over=("FAILED", "STOPPED"))
        document = self._recipe(self.artefact(site))
        greengrass.check(document)
        self.recipe_file(site).write_text(greengrass.to_yaml(document), encoding="utf-8")
        site.tell(f"the recipe is {self.recipe_file(site)}")

    def status(self, site: Site) -> str | None:
        """COMPLETED, or None."""
        return DONE if (job := _job(site)) and job["CompilationJobStatus"] == DONE else None

    def artefact(self, site: Site) -> str:
        """Where in S3 the compiled model is. Raises Refusal when it is not deployed."""
        job = _job(site)
        if job is None or job["CompilationJobStatus"] != DONE:
            raise self.not_deployed(site)
        return str(job["ModelArtifacts"]["S3ModelArtifacts"])

    def recipe_file(self, site: Site) -> Path:
        """Where the recipe is written."""
        return Path(self.recipe or f"{site.name}.recipe.yaml").absolute()

    def address(self, site: Site) -> Address:  # noqa: ARG002 - there is none anywhere
        """There is none: it runs on a device."""
        raise Refusal(
            f"{self.name} makes a file that runs on a device, so there is nothing here to call; "
            "'aws greengrassv2 create-component-version --inline-recipe fileb://RECIPE' brings it into Greengrass",
            USAGE,
        )

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """What the devices' role (token exchange) must be allowed: to read the artefact."""
        return bedrock_roles.reads(site, self.artefact(site))

    def _recipe(self, artefact: str) -> dict[str, Any]:
        return greengrass.recipe(self.component, self.version, artefact, architecture=ARCHITECTURES[self.architecture])

    def _compile(self, site: Site, source: str, bucket: str, role: str) -> None:
        given = {"S3Uri": source, "DataInputConfig": self.inputs, "Framework": self.framework}
        if self.framework_version and self.framework in ("PYTORCH", "TENSORFLOW"):
            given["FrameworkVersion"] = self.framework_version
        sagemaker: Any = boto3.client("sagemaker")
        try:
            sagemaker.create_compilation_job(
                CompilationJobName=site.name,
                RoleArn=role,
                InputConfig=given,
                OutputConfig={
                    "S3OutputLocation": f"s3://{bucket}/{_OUT}",
                    "TargetPlatform": {"Os": "LINUX", "Arch": self.architecture},
                },
                StoppingCondition={"MaxRuntimeInSeconds": MOST_COMPILING_S},
                Tags=_tags(site),
            )
        except ClientError as refused:  # a first run that was killed has begun it
            if refused.response["Error"]["Code"] != "ResourceInUse":
                raise

    def _role(self, site: Site, bucket: str, source: str) -> str:
        """The role with which Neo reads the model and writes what it compiled."""
        name = f"{site.name}-neo-{site.cloud.region}"
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": site.cloud.account_id}},
        }
        out = f"s3://{bucket}/{_OUT}"
        own = [
            *bedrock_roles.reads(site, source),
            *bedrock_roles.reads(site, out),
            *bedrock_roles.writes(site, out),
            {
                "Effect": "Allow",
                "Action": ["s3:GetBucketLocation"],
                "Resource": [f"arn:{_partition(site)}:s3:::{bucket}"],
            },
        ]

        def create(_: str) -> None:
            iam = boto3.client("iam")
            document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
            try:
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, Tags=_tags(site))
            except ClientError as refused:
                if refused.response["Error"]["Code"] != "EntityAlreadyExists":
                    raise
            policy = json.dumps({"Version": "2012-10-17", "Statement": own})
            iam.put_role_policy(RoleName=name, PolicyName=bedrock_roles.POLICY, PolicyDocument=policy)

        once(site, self.name, "role", name, create)
        return f"arn:{_partition(site)}:iam::{site.cloud.account_id}:role/{name}"


def _job(site: Site) -> dict[str, Any] | None:
    if not removing.there(KIND, site.name):
        return None
    return dict(boto3.client("sagemaker").describe_compilation_job(CompilationJobName=site.name))


def _is_there(uri: str) -> bool:
    try:
        bucket, key = bedrock_roles.split(uri)
    except ValueError as wrong:
        raise Refusal(
            f"a model is s3://BUCKET/NAME.tar.gz, or '{SAMPLE}': {wrong}; nothing was created", USAGE
        ) from wrong
    return bool(key) and bool(boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents"))


def _sample() -> bytes:
    """An archive that says that it is no model."""
    made, says = io.BytesIO(), b"A placeholder for a trained model: nobody has trained it.\n"
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        entry = tarfile.TarInfo("README")
        entry.size = len(says)
        archive.addfile(entry, io.BytesIO(says))
    return made.getvalue()


def _tags(site: Site) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in stacks.tags(site.hours).items()]


def _partition(site: Site) -> str:
    return boto3.Session().get_partition_for_region(site.cloud.region)
