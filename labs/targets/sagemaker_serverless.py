"""`sagemaker-serverless`: a very small model on CPUs that start when somebody calls and cost nothing until then; no GPU, no streaming."""

from dataclasses import dataclass
from typing import Any

from labs import facts
from labs.economics.bill import Bill
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import llama_cpp
from labs.targets import sagemaker_hosting as hosting
from labs.targets.base import Kind, Site
from labs.targets.options import option
from labs.targets.stacked import Stacked


@dataclass(frozen=True)
class SageMakerServerless(Stacked):
    """Weights are one GGUF file: of a repository at Hugging Face, or the first in `weights`."""

    name = "sagemaker-serverless"
    kinds = frozenset({Kind.ONLINE})

    model: str = option("Qwen/Qwen3-0.6B-GGUF", "A repository at Hugging Face with GGUF files.")
    file: str = option("Qwen3-0.6B-Q8_0.gguf", "The file in it.")
    weights: str = option("", "s3://BUCKET/PREFIX/ of the file; empty: the container fetches it from Hugging Face.")
    memory_mb: int = option(6144, "Memory of one environment, in steps of 1024.")
    max_concurrency: int = option(4, "Environments at most; each has one request at a time.")
    provisioned: int = option(0, "Environments that are always warm, and are paid for.")
    context_tokens: int = option(2048, "Longest prompt and answer together, in tokens.")
    image: str = option("", "The container; empty for the register's.")
    usd_per_second: float | None = option(
        None, "What AWS asks for a second of this memory; none for the register's price."
    )

    def worst_case(self, site: Site) -> Bill:  # noqa: ARG002 - nothing is kept, so time costs nothing
        """Nothing without a call. What a kept-warm second costs is not in the register, so such environments have no worst case."""
        if self.provisioned:
            raise Refusal(
                "what an environment that is kept warm costs is not in the register, so a worst case cannot be computed; leave 'provisioned' at 0",
                FALSE,
            )
        return Bill(self.name, ())

    def check(self, site: Site) -> None:
        """Options within serverless inference's limits."""
        least, most = (int(facts.number(f"sagemaker.serverless.memory_{end}_mb")) for end in ("min", "max"))
        if not least <= self.memory_mb <= most or self.memory_mb % 1024:
            raise Refusal(f"memory_mb is {least} to {most} in steps of 1024, not {self.memory_mb}", USAGE)
        highest = int(facts.number("sagemaker.serverless.concurrency_max"))
        if not 0 <= self.provisioned <= self.max_concurrency <= highest or not self.max_concurrency:
            raise Refusal(
                f"max_concurrency is 1 to {highest} and provisioned at most that, not {self.max_concurrency} and {self.provisioned}",
                USAGE,
            )
        self.parameters(site)

    def parameters(self, site: Site) -> dict[str, str]:
        """The template's parameters."""
        container = self.image or hosting.image_uri("sagemaker.image.llama_cpp", site.cloud.region)
        return {
            "TargetName": self.name,
            "ModelId": self.weights or hosting.hub_id(self.model),
            "Image": container,
            "ImageRepositoryArn": hosting.repository_arn(container),
            "WeightsPath": hosting.weights_path(self.weights),
            "MemoryMb": str(self.memory_mb),
            "MaxConcurrency": str(self.max_concurrency),
            "ProvisionedConcurrency": str(self.provisioned),
        }

    def template(self, site: Site) -> str:
        """The template, with what the container is told written in."""
        environment = llama_cpp.environment(
            "" if self.weights else hosting.hub_id(self.model), self.file, self.context_tokens, 1, self.weights
        )
        # Only /tmp can be written to in a serverless environment.
        return hosting.with_environment(super().template(site), environment | {"LLAMA_CACHE": "/tmp"})

    def statements(self, site: Site) -> list[dict[str, Any]]:
        """Invoke this endpoint; there is no stream."""
        arn = self.outputs(site)["EndpointArn"]
        return [{"Effect": "Allow", "Action": ["sagemaker:InvokeEndpoint"], "Resource": [arn]}]
