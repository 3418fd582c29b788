"""What lab 4, Owning the stack, leaves in the cloud before its clean-up: machines with the command lines in their user data, and what was handed in.

Room in a cache is computed from the command line that an instance was started with, by the same plan that starts the server.
"""

import base64
import math
from typing import Any

import yaml

from labs import facts
from labs.check import handin
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes
from labs.cloud import manifests
from labs.cloud.openai_server import Failed
from labs.cloud.services.ec2_life import launch_of
from labs.cloud.services.ec2_userdata import read
from labs.economics.bill import HOURS_PER_MONTH
from labs.errors import Refusal
from labs.serving.profiles import Choices, deployment

SLUG = "04-custom"
MODEL, TYPE, SHARE, REQUEST_TOKENS = "mistral-7b", "g6.xlarge", 0.70, 1_240
UP = ("pending", "running")
LIVENESS_S = 60
"""So long at least a server may be silent before it is killed."""


def cache_tokens(weights: str = "bf16", cache: str = "bf16") -> int:
    """What the cache of the lab's machine holds."""
    choices = Choices(dtype=weights, kv_dtype=cache, memory_utilisation=SHARE)
    return deployment(MODEL, TYPE, choices).memory.cache_tokens


def readers(weights: str = "bf16", cache: str = "bf16") -> int:
    """How many of the lab's requests that is."""
    return cache_tokens(weights, cache) // REQUEST_TOKENS


def room(account: Account) -> Finding:
    """Tokens of cache, and readers, by arithmetic."""
    given = handin.read(account.client("ssm"), SLUG, 1)
    tokens, people = handin.number(given, "cache_tokens"), handin.number(given, "readers")
    right = cache_tokens()
    if tokens is None or people is None:
        return no(
            "cache_tokens and readers are not handed in. What may vLLM take, less its own needs, less the weights; "
            "and how many bytes of that does one token keep?"
        )
    if not math.isclose(tokens, right, rel_tol=0.01):
        if math.isclose(tokens, 2 * right, rel_tol=0.01):
            return no(f"{tokens:,.0f} tokens are twice too many: each head of each layer keeps a key and a value.")
        if math.isclose(tokens, right / 2, rel_tol=0.01):
            return no(f"{tokens:,.0f} tokens are half of what fits: a number in BF16 has two bytes.")
        return no(
            f"The cache does not hold {tokens:,.0f} tokens. Take 70 per cent of the GPU, subtract the server's needs and two bytes for "
            "each parameter, and divide by the bytes that a token keeps."
        )
    if people != readers():
        return Finding(
            0.5,
            f"{tokens:,.0f} tokens are right. {people:g} readers are not: a request is its page and its answer, and half a request does not fit.",
        )
    return yes(f"{tokens:,.0f} tokens, so {people:g} readers: a limit that stands in no file.")


def server(account: Account, name: str) -> Any:
    """The launch in the user data of the instance of this name that is up; a sentence where there is none."""
    ec2 = account.client("ec2")
    found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [name]}])["Reservations"]
    up = [each for group in found for each in group["Instances"] if each["State"]["Name"] in UP]
    if not up:
        return f"No instance named {name} is up. Run the cells of Task 2, and check before the clean-up, which ends the machines."
    data = ec2.describe_instance_attribute(InstanceId=up[0]["InstanceId"], Attribute="userData")
    script = base64.b64decode(data["UserData"].get("Value", "")).decode("utf-8", "replace")
    container = read(script)
    if container is None:
        return f"The user data of {name} starts no vLLM server that we can find: keep the docker run of the given cell."
    try:
        launch = launch_of(container, up[0]["InstanceType"])
        launch.plan()
    except Failed as failed:
        return f"The server on {name} does not start: {failed}"
    return launch


def small_cache(account: Account) -> Finding:
    """The second machine's cache is in FP8, its weights are not."""
    launch = server(account, "lab-04-cache")
    if isinstance(launch, str):
        return no(launch)
    if not launch.kv_cache_dtype.startswith("fp8"):
        return no(
            "The server on lab-04-cache keeps its cache in two bytes a number: SMALL_CACHE lacks --kv-cache-dtype fp8."
        )
    if launch.quantisation is not None:
        return Finding(
            0.5, "The cache is in FP8, and so are the weights: this machine is to show what the cache alone does."
        )
    return yes(f"A cache in FP8 holds {launch.plan().cache_tokens:,} tokens.")


def small_both(account: Account) -> Finding:
    """The third machine has weights and cache in FP8."""
    launch = server(account, "lab-04-both")
    if isinstance(launch, str):
        return no(launch)
    if launch.quantisation != "fp8":
        return no("The weights on lab-04-both take two bytes each: SMALL_BOTH lacks --quantization fp8.")
    if not launch.kv_cache_dtype.startswith("fp8"):
        return Finding(0.5, "The weights are in FP8. Say so for the cache as well: --kv-cache-dtype fp8.")
    return yes(f"Weights and cache in FP8: {launch.plan().cache_tokens:,} tokens on the same GPU.")


def on_paper(account: Account) -> Finding:
    """The readers that were computed for both cures."""
    given = handin.read(account.client("ssm"), SLUG, 2)
    said = [handin.number(given, name) for name in ("small_cache", "small_both")]
    if None in said:
        return no(
            "readers_small_cache and readers_small_both are not handed in. Which of the terms of Task 1 does each option halve?"
        )
    right = (readers(cache="fp8"), readers("fp8", "fp8"))
    good = [abs(number - wanted) <= 0.01 * wanted for number, wanted in zip(said, right, strict=True) if number]
    if sum(good) == 2:
        return yes(f"{said[0]:g} readers with a small cache, {said[1]:g} with small weights too.")
    which = "readers_small_both" if good and good[0] else "readers_small_cache"
    return Finding(
        sum(good) / 2,
        f"{which} is not {said[1 if which.endswith('both') else 0]:g}. An FP8 cache halves the bytes of a token; FP8 weights take "
        "one byte a parameter, and what they give up goes to the cache.",
    )


def measured(account: Account) -> Finding:
    """What ran at once on the three machines, as their own gauges said."""
    given = handin.read(account.client("ssm"), SLUG, 3)
    plain, cache, both = (handin.number(given, f"running_{name}") for name in ("plain", "cache", "both"))
    if plain is None or cache is None or both is None:
        return no("The three machines were not measured, or not handed in; run the cells of Task 3.")
    if min(cache, both) <= readers():  # more never run on a machine without a cure
        return no(
            f"At most {plain:g}, {cache:g} and {both:g} requests ran at once on the three machines: the cures did not make room. "
            "Look at the command lines of Task 2, start the machines anew, and measure again."
        )
    if plain > readers():
        return no(f"{plain:g} readers cannot run at once on the plain machine: its cache holds {readers()}.")
    return yes(f"At once ran {plain:g} on the plain machine, {cache:g} with a small cache, {both:g} with both.")


def door(account: Account) -> Finding:
    """A limit below what the small cache holds."""
    limit = handin.number(handin.read(account.client("ssm"), SLUG, 3), "door")
    most = readers(cache="fp8")
    if limit is None:
        return no("door is not handed in: how many readers do you let in, of those that the cache has room for?")
    if limit != int(limit) or limit < 1:
        return no(f"A door lets whole readers in, at least one; {limit:g} is no such number.")
    if limit >= most:
        return no(f"With {limit:g} inside the cache is full ({most} fit): the queue stands in the engine again.")
    if limit < most / 2:
        return Finding(
            0.5, f"{limit:g} of {most} turns people away from a machine that is half empty. Try two thirds of it."
        )
    return yes(f"{limit:g} of the {most} that fit: the queue stands where you see it.")


def ready_before_traffic(account: Account) -> Finding:
    """With the learner's rule no call failed, and the second copy took its share."""
    given = handin.read(account.client("ssm"), SLUG, 4)
    calls, failed, second = (handin.number(given, name) for name in ("calls", "failed", "second"))
    if calls is None or failed is None or second is None:
        return no("The run with your rule is not handed in; run the cells of Task 4 down to the check.")
    launch = server(account, "lab-04-second")
    if isinstance(launch, str):
        return no(launch)
    if failed:
        return no(
            f"{failed:g} of {calls:g} calls failed while the second copy came up: your rule sent traffic to a server that only "
            "runs, or only listens. Ask the path that answers 200 when the model is loaded."
        )
    if not second:
        return Finding(
            0.25, "No call failed, and none reached the second copy: a rule that is never true keeps a machine idle."
        )
    return yes(f"{calls:g} calls, none failed, {second:g} of them answered by the copy that was replaced.")


def container(account: Account) -> dict[str, Any] | str:
    """The container of the manifest that was handed in, or why there is none."""
    text = handin.read(account.client("ssm"), SLUG, 5).get("manifest")
    if not isinstance(text, str):
        return "No manifest is handed in; run the cells of Task 5 down to the check."
    try:
        checked = manifests.check(text)
        documents = [each for each in yaml.safe_load_all(text) if isinstance(each, dict)]
    except (Refusal, yaml.YAMLError) as wrong:
        return f"The manifest cannot be read: {wrong}"
    if not checked.passed:
        return f"Kubernetes would refuse the manifest: {checked.problems[0]}."
    for each in documents:
        if each.get("kind") == "Deployment":
            found: dict[str, Any] = each["spec"]["template"]["spec"]["containers"][0]
            return found
    return "The manifest has no Deployment any more; take the given one and change its container."


def budget_s(probe: dict[str, Any]) -> float:
    """Seconds of failures that a probe bears, with Kubernetes' own defaults."""
    return float(probe.get("periodSeconds", 10)) * float(probe.get("failureThreshold", 3))


def asks_health(probe: Any) -> bool:
    """Does it ask the engine's own path?"""
    return isinstance(probe, dict) and (probe.get("httpGet") or {}).get("path") == "/health"


def startup(account: Account) -> Finding:
    """Time enough to start, and not for ever."""
    found = container(account)
    if isinstance(found, str):
        return no(found)
    probe: dict[str, Any] = found.get("startupProbe") or {}
    needed_s = 1.5 * sum(facts.number(f"sagemaker.autoscaling.{part}_qwen3-8b_s") for part in ("image_pull", "weights"))
    if not asks_health(probe):
        return no("There is no startupProbe on /health: until it says yes, the liveness probe should not be asked.")
    if budget_s(probe) < needed_s:
        return Finding(
            0.5,
            f"The startupProbe gives up after {budget_s(probe):g} s. Half as long again as the slowest start is {needed_s:g} s: "
            "raise failureThreshold or periodSeconds.",
        )
    if budget_s(probe) > 3_600:
        return Finding(0.5, f"After {budget_s(probe):g} s nobody believes in this start any more; an hour is plenty.")
    return yes(f"{budget_s(probe):g} s to start.")


def readiness(account: Account) -> Finding:
    """Traffic follows the engine."""
    found = container(account)
    if isinstance(found, str):
        return no(found)
    if not asks_health(found.get("readinessProbe")):
        return no(
            "There is no readinessProbe that asks /health, so the Service sends traffic as soon as the process exists."
        )
    return yes("Traffic comes when the engine says that it can answer.")


def liveness(account: Account) -> Finding:
    """Slow and lenient, or absent."""
    found = container(account)
    if isinstance(found, str):
        return no(found)
    probe = found.get("livenessProbe")
    if probe is None:
        return Finding(0.5, "Without a livenessProbe a server that hangs for good stays; give it a lenient one.")
    if budget_s(probe) < LIVENESS_S:
        return no(
            f"The livenessProbe kills a server that is silent for {budget_s(probe):g} s, which a busy one may be; allow {LIVENESS_S} s or more."
        )
    return yes(f"A server is killed after {budget_s(probe):g} s of silence, not before.")


def pinned(account: Account) -> Finding:
    """One image for all copies."""
    found = container(account)
    if isinstance(found, str):
        return no(found)
    image = str(found.get("image"))
    tag = image.rpartition("/")[2].partition(":")[2]
    if "@sha256:" in image or tag not in ("", "latest", "nightly"):
        return yes(f"Every copy runs {image}.")
    return no(
        f"{image} is another server on another day, so that two copies differ: pin a version's tag, or better its digest."
    )


def machines(account: Account) -> Finding:
    """From how many machines on the discount pays for the people."""
    said = handin.number(handin.read(account.client("ssm"), SLUG, 6), "machines")
    markup = facts.number("sagemaker.price.g6e-12xlarge") - facts.number("ec2.price.g6e-12xlarge")
    plane = HOURS_PER_MONTH * facts.number("eks.price.control_plane_per_hour")
    wanted = math.ceil((40 * 100 + plane) / (HOURS_PER_MONTH * markup))
    if said is None:
        return no(
            "machines is not handed in: what does one save in a month, and what do people and control plane cost?"
        )
    if said == wanted:
        return yes(f"From {wanted} machines on the discount pays.")
    return no(
        f"{said:g} is not it: divide the month's fixed cost by what one machine saves in 730 hours, and take the next whole machine."
    )


LAB = Lab(
    SLUG,
    (
        Task(1, "Room for how many?", 7, (Check("room", 3, room),)),
        Task(
            2,
            "Two cures, on paper",
            8,
            (Check("small-cache", 2, small_cache), Check("small-both", 2, small_both), Check("on-paper", 2, on_paper)),
        ),
        Task(3, "The fifth reader", 8, (Check("measured", 2, measured), Check("door", 1, door))),
        Task(4, "Running is not ready", 9, (Check("ready-first", 4, ready_before_traffic),)),
        Task(
            5,
            "Three probes",
            6,
            (
                Check("startup", 1, startup),
                Check("readiness", 1, readiness),
                Check("liveness", 1, liveness),
                Check("pinned", 1, pinned),
            ),
        ),
        Task(6, "From how many machines on?", 5, (Check("machines", 2, machines),), stretch=True),
    ),
    time_limit_s=300,
)
