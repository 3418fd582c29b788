"""`sagemaker-async`: an endpoint that takes requests into a queue, writes answers to S3, announces them by SNS, and can stand at no instance."""

from dataclasses import dataclass
from typing import Any

from labs.targets import sagemaker_hosting as hosting
from labs.targets.base import Kind, Site
from labs.targets.options import option
from labs.targets.sagemaker_lmi import LmiEndpoint


@dataclass(frozen=True)
class SageMakerAsync(LmiEndpoint):
    """The container is that of `sagemaker-gpu`; how a request reaches it is not."""

    name = "sagemaker-async"
    kinds = frozenset({Kind.ONLINE})
    template_name = "sagemaker-async"

    min_instances: int = option(0, "Instances that stay when nothing waits.")
    backlog: int = option(5, "Waiting requests per instance that scaling aims at.")
    concurrent: int = option(8, "Requests that one instance works on at once.")
    answer_days: int = option(7, "Days until an answer in S3 expires.")

    def check(self, site: Site) -> None:
        """As a real-time endpoint's; it may go down to none."""
        hosting.check_counts(self.min_instances, self.most, least=0)
        super().check(site)

    def parameters(self, site: Site) -> dict[str, str]:
        """The template's parameters."""
        given = super().parameters(site)
        return {name: value for name, value in given.items() if name not in ("Scaling", "ScalingTarget")} | {
            "MinInstances": str(self.min_instances),
            "Backlog": str(self.backlog),
            "ConcurrentInvocations": str(self.concurrent),
            "AnswerDays": str(self.answer_days),
        }

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Hand a request in, and read its answer; without ListBucket, S3 says 403 of an answer that is not there yet."""
        outputs = self.outputs(site)
        bucket = f"{outputs['EndpointArn'].partition(':sagemaker:')[0]}:s3:::{outputs['AnswersBucket']}"
        return [
            {"Effect": "Allow", "Action": ["sagemaker:InvokeEndpointAsync"], "Resource": [outputs["EndpointArn"]]},
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [f"{bucket}/*"]},
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket]},
        ]
