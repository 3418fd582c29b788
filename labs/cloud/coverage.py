"""What the local cloud answers: service by service, operation by operation, and by whom. Read from the code, not written down.

`python -m labs.cloud.coverage --json` prints it; in the book the directive {cloud-coverage} makes a page of it (labs/cloud/sphinx.py).

An operation is *ours* when a module of labs.cloud.services answers it, *moto's* when moto's own code does (perhaps on parts of it that
ours has changed, which `changed` names), *refused* when nobody does: then the caller gets 501 NotImplemented, in-process
NotImplementedError.
"""

import sys
import tempfile
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from labs import terminal
from labs.cloud import extension
from labs.cloud.context import Context
from labs.cloud.services import s3

SERVICES = {
    "apigatewayv2": ("apigateway", "moto.apigatewayv2.responses:ApiGatewayV2Response"),
    "application-autoscaling": (
        "applicationautoscaling",
        "moto.applicationautoscaling.responses:ApplicationAutoScalingResponse",
    ),
    "appsync": ("appsync", "moto.appsync.responses:AppSyncResponse"),
    "bedrock": ("bedrock", "moto.bedrock.responses:BedrockResponse"),
    "bedrock-runtime": ("bedrockruntime", "moto.bedrockruntime.responses:BedrockRuntimeResponse"),
    "cloudformation": ("cloudformation", "moto.cloudformation.responses:CloudFormationResponse"),
    "cloudwatch": ("cloudwatch", "moto.cloudwatch.responses:CloudWatchResponse"),
    "dynamodb": ("dynamodb", "moto.dynamodb.responses:DynamoHandler"),
    "dynamodbstreams": ("dynamodbstreams", "moto.dynamodbstreams.responses:DynamoDBStreamsHandler"),
    "ec2": ("ec2", "moto.ec2.responses:EC2Response"),
    "eks": ("eks", "moto.eks.responses:EKSResponse"),
    "events": ("events", "moto.events.responses:EventsHandler"),
    "iam": ("iam", "moto.iam.responses:IamResponse"),
    "lambda": ("awslambda", "moto.awslambda.responses:LambdaResponse"),
    "logs": ("logs", "moto.logs.responses:LogsResponse"),
    "pricing": ("pricing", "labs.cloud.services.pricing:PricingResponse"),
    "s3": ("s3", "moto.s3.responses:S3Response"),
    "sagemaker": ("sagemaker", "moto.sagemaker.responses:SageMakerResponse"),
    "sagemaker-runtime": ("sagemakerruntime", "moto.sagemakerruntime.responses:SageMakerRuntimeResponse"),
    "scheduler": ("scheduler", "moto.scheduler.responses:EventBridgeSchedulerResponse"),
    "secretsmanager": ("secretsmanager", "moto.secretsmanager.responses:SecretsManagerResponse"),
    "service-quotas": ("servicequotas", "moto.servicequotas.responses:ServiceQuotasResponse"),
    "sns": ("sns", "moto.sns.responses:SNSResponse"),
    "sqs": ("sqs", "moto.sqs.responses:SQSResponse"),
    "ssm": ("ssm", "moto.ssm.responses:SimpleSystemManagerResponse"),
    "sts": ("sts", "moto.sts.responses:TokenResponse"),
}
"""boto3's name of a service: moto's name of it, and the class with a method for each operation (S3's has none; see `services.s3`)."""


@dataclass(frozen=True)
class Coverage:
    """One service: its operations by who answers them."""

    service: str
    ours: list[str] = field(default_factory=list)
    moto: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """What of moto, beneath its operations, works otherwise here."""


@dataclass
class Recorder(Context):
    """A context that remembers what was patched."""

    patched: list[tuple[Any, str]] = field(default_factory=list)

    def patch(self, owner: Any, name: str, replacement: Any) -> Any:
        self.patched.append((owner, name))
        return super().patch(owner, name, replacement)


def coverage(*services: str) -> list[Coverage]:
    """Look at the installed extension. It stays in this process for the length of the look, so do not ask beside a running cloud."""
    from moto import mock_aws

    with tempfile.TemporaryDirectory() as folder:
        context = Recorder(home=Path(folder))
        with mock_aws():
            try:
                extended = extension.install(context)
                return [look(context, extended, service) for service in services or SERVICES]
            finally:
                context.close()


def look(context: Recorder, extended: extension.Extension, service: str) -> Coverage:
    from moto.core.utils import camelcase_to_underscores, get_service_model

    moto_name, path = SERVICES[service]
    module_name, _, class_name = path.partition(":")
    extended.prepare(moto_name)
    module = import_module(module_name)
    answering = getattr(module, class_name)
    found = Coverage(service)
    for operation in sorted(get_service_model(service).operation_names):
        if service == "s3":
            (found.moto if operation in s3.operations()[0] else found.refused).append(operation)
            continue
        method = getattr(answering, camelcase_to_underscores(operation), None)
        if method is None or hasattr(method, "refuses"):
            found.refused.append(operation)
        elif str(getattr(method, "__module__", "")).startswith("labs."):
            found.ours.append(operation)
        else:
            found.moto.append(operation)
    package = f"{module_name.rpartition('.')[0]}."
    beneath = {name_of(owner) for owner, _ in context.patched if f"{module_of(owner)}.".startswith(package)}
    found.changed.extend(sorted(beneath - {class_name}))
    return found


def module_of(owner: Any) -> str:
    return str(getattr(owner, "__module__", None) or getattr(owner, "__name__", ""))


def name_of(owner: Any) -> str:
    return str(getattr(owner, "__name__", owner)).removeprefix("moto.")


@click.command()
@click.argument("services", nargs=-1, type=click.Choice(list(SERVICES)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every operation.")
def command(services: tuple[str, ...], as_json: bool) -> None:
    """What the local cloud answers of each service (by default all): operations of ours, of moto's, and those that it refuses."""
    found = coverage(*services)
    if as_json:
        terminal.emit_json([asdict(each) for each in found])
        return
    terminal.table(
        "What the local cloud answers",
        ("service", "ours (operations)", "moto's (operations)", "refused (operations)"),
        [(each.service, len(each.ours), len(each.moto), len(each.refused)) for each in found],
    )
    terminal.say("What is refused answers 501 NotImplemented. 'lab cloud coverage sqs --json' names every operation.")


if __name__ == "__main__":
    sys.exit(terminal.run(command, "python -m labs.cloud.coverage"))
