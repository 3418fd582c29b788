"""`sagemaker-graviton`: a small quantised model on Arm CPUs behind a real-time endpoint, served by llama.cpp in AWS's own container."""

from dataclasses import dataclass

from labs.economics.bill import Bill, Line
from labs.errors import FALSE, Refusal
from labs.targets import llama_cpp
from labs.targets import sagemaker_hosting as hosting
from labs.targets.base import Kind, Site
from labs.targets.options import option
from labs.targets.sagemaker_endpoint import SageMakerEndpoint


@dataclass(frozen=True)
class SageMakerGraviton(SageMakerEndpoint):
    """Weights are one GGUF file: of a repository at Hugging Face, or the first in `weights`."""

    name = "sagemaker-graviton"
    kinds = frozenset({Kind.ONLINE, Kind.STREAMING})
    hardware = "cpu"
    image_fact = "sagemaker.image.llama_cpp_arm64"

    model: str = option("bartowski/Meta-Llama-3-8B-Instruct-GGUF", "A repository at Hugging Face with GGUF files.")
    file: str = option("Meta-Llama-3-8B-Instruct-Q4_K_M.gguf", "The file in it.")
    instance_type: str = option("ml.c7g.16xlarge", "The endpoint's instances: ml.c7g, ml.m7g, ml.r7g, ml.c8g ...")
    context_tokens: int = option(4096, "Longest prompt and answer together, in tokens.")
    parallel: int = option(4, "Requests at once; they share the context.")
    usd_per_hour: float = option(0.0, "What an instance costs, where the register knows no price; it bounds the run.")

    def environment(self, site: Site) -> dict[str, str]:  # noqa: ARG002
        """llama-server's flags."""
        return llama_cpp.environment(
            "" if self.weights else self.named_model, self.file, self.context_tokens, self.parallel, self.weights
        ) | hosting.token_variable(self.token_secret)

    def worst_case(self, site: Site) -> Bill:
        """All the instances for the whole time, at the register's price, or at yours where it has none."""
        try:
            return super().worst_case(site)
        except Refusal as unpriced:
            if not self.usd_per_hour:
                raise Refusal(f"{unpriced}; or say what it costs: --set usd_per_hour=...", FALSE) from unpriced
        hours = self.most * site.hours
        stated = Line("instance hours", hours, "hour", self.usd_per_hour, assumption="the price that you stated")
        return Bill(f"{self.most} x {self.instance_type}", (stated,))
