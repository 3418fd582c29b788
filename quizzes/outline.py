"""The skills of the exam guide, as far as an item's `objective` needs them: which numbers exist.

Titles and weights are the course's statements and live elsewhere; this is only the shape that a number such as 2.4.1 must fit.
"""

from collections.abc import Iterator
from types import MappingProxyType

SKILLS_PER_TASK = MappingProxyType(
    {
        "1.1": 3, "1.2": 4, "1.3": 4, "1.4": 5, "1.5": 6, "1.6": 6,
        "2.1": 7, "2.2": 3, "2.3": 5, "2.4": 4, "2.5": 6,
        "3.1": 5, "3.2": 3, "3.3": 4, "3.4": 3,
        "4.1": 4, "4.2": 6, "4.3": 6,
        "5.1": 9, "5.2": 5,
    }
)  # fmt: skip
"""task: how many skills it has. From the five domain pages of the AIP-C01 exam guide, read in copies dated 2026."""

TASKS = MappingProxyType(
    {
        "1.1": "Requirements and design", "1.2": "Choosing and configuring models", "2.1": "Agents and tools", "2.2": "Deployment of models",
        "2.3": "Integration into a company", "2.4": "Calling models", "2.5": "Applications and their tools", "3.2": "Protected data and access",
        "4.1": "Cost", "4.2": "Performance", "4.3": "Watching what runs", "5.1": "Evaluation", "5.2": "Troubleshooting",
    }
)  # fmt: skip
"""tasks that this course touches, in our words"""

WORDS = MappingProxyType(
    {
        "1.1.1": "an architecture that fits, deployment included",
        "1.1.2": "a proof of concept before the build",
        "1.1.3": "the Well-Architected lens for generative AI",
        "1.2.1": "a model chosen by benchmarks and limits",
        "1.2.2": "another model or provider without a change of code",
        "1.2.3": "resilience: circuit breakers, other Regions, less instead of nothing",
        "1.2.4": "the life of a customised model: adapters, registry, rollback, retirement",
        "2.2.1": "the way of serving, by need and performance",
        "2.2.2": "what is special about large models: memory, accelerators, loading",
        "2.2.3": "performance against resources: smaller models, cascades",
        "2.3.1": "older systems, events, synchronised data",
        "2.3.2": "generative AI in applications that exist",
        "2.3.3": "identity, roles, least privilege",
        "2.3.4": "several environments and jurisdictions",
        "2.3.5": "pipelines, rollback, a gateway for all models",
        "2.4.1": "synchronous and asynchronous calls",
        "2.4.2": "streaming",
        "2.4.3": "backoff, rate limits, fallbacks, traces",
        "2.4.4": "routing between models",
        "2.5.1": "streams, token limits and timeouts in an interface",
        "3.2.1": "private access to models",
        "3.2.2": "data kept private",
        "3.2.3": "data kept no longer than needed",
        "4.1.1": "fewer tokens",
        "4.1.2": "a model by price and performance",
        "4.1.3": "batching, capacity and scaling",
        "4.1.4": "caching",
        "4.2.1": "latency against cost",
        "4.2.2": "retrieval that is fast",
        "4.2.3": "throughput: batches and concurrency",
        "4.2.4": "parameters tuned and compared",
        "4.2.5": "resources planned in tokens",
        "4.2.6": "a profile from end to end",
        "4.3.1": "observability",
        "4.3.2": "tokens and costs watched",
        "4.3.3": "dashboards and insight",
        "4.3.6": "failures that only models have",
        "5.1.2": "canaries and comparisons before a choice",
        "5.1.4": "quality gates",
        "5.1.9": "a deployment tried with synthetic traffic",
        "5.2.1": "prompts that do not fit",
        "5.2.2": "calls that fail",
    }
)
"""what a skill is about, in our words and as far as the course asks it; the guide's own text is on the domain pages"""


def skills() -> Iterator[str]:
    """Every skill number, in order."""
    for task, count in SKILLS_PER_TASK.items():
        for number in range(1, count + 1):
            yield f"{task}.{number}"


def is_skill(objective: str) -> bool:
    """Whether the guide has this skill."""
    task, _, number = objective.rpartition(".")
    return number.isdecimal() and 1 <= int(number) <= SKILLS_PER_TASK.get(task, 0)
