"""One instance's life: pending, running, its checks, and the model server that its user data starts, on a loopback address of its own.

    life = Life(instance_id, "g5.2xlarge", user_data, wait_s)
    life.address          # "127.81.3.7": where the instance's ports are; on AWS this would be its public and its private address
    life.state(now)       # "pending", then "running"
    life.console(now)     # what stood on its screen so far
    life.end()            # whatever listened is gone

On Linux every address of 127.0.0.0/8 is this machine, so each instance has one. Where that is not so (macOS), all instances share
127.0.0.1, and of two with the same port the second finds it taken, and says so on its console.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from labs.cloud.listener import LOOPBACK, AddressTaken, Listener, bind, open_listener
from labs.cloud.openai_server import Failed, Launch, ModelServer
from labs.cloud.services.ec2_userdata import Container, read

PENDING_S_ON_AWS = 15.0
"""From RunInstances to running."""
BOOT_S_ON_AWS = 30.0
"""From running to the first line of user data."""
CHECKS_S_ON_AWS = 150.0
"""From running to both status checks passed."""
ENGINE_START_S_ON_AWS = 40.0
"""What vLLM does besides loading weights: imports, memory profiling, CUDA graphs."""


@dataclass(frozen=True)
class Step:
    """Something that happens `at` seconds on AWS after the start."""

    at: float
    line: str


class Life:
    """See the module's docstring."""

    def __init__(self, instance_id: str, instance_type: str, user_data: str, wait_s: Callable[[float], float]) -> None:
        self.instance_id, self._instance_type, self._wait_s = instance_id, instance_type, wait_s
        self.address = new_address()
        self._container = read(user_data)
        self._user_data = bool(user_data.strip())
        self._listener: Listener | None = None
        self._timers: list[threading.Timer] = []
        self._lock = threading.Lock()
        self._ended = False
        self._late: list[str] = []
        self._start(first=True)

    # -- what the API asks

    def is_pending(self) -> bool:
        return time.monotonic() < self._began + self._wait_s(PENDING_S_ON_AWS)

    def checks_passed(self) -> bool:
        return time.monotonic() >= self._began + self._wait_s(PENDING_S_ON_AWS + CHECKS_S_ON_AWS)

    def console(self) -> str:
        """What stands on the screen by now."""
        now = time.monotonic()
        lines = [step.line for step in self._steps if self._began + self._wait_s(step.at) <= now]
        with self._lock:
            lines += self._late
        return "".join(f"{line}\n" for line in lines)

    def stop(self) -> None:
        """The machine is off; nothing answers."""
        with self._lock:
            self._ended = True
            listener, self._listener = self._listener, None
            timers, self._timers = self._timers, []
        for timer in timers:
            timer.cancel()
        if listener is not None:
            listener.close()

    def restart(self) -> None:
        """On again: what was enabled comes back, and user data does not run a second time."""
        self.stop()
        self._start(first=False)

    # -- the timeline

    def _start(self, *, first: bool) -> None:
        self._began = time.monotonic()
        self._ended = False
        self._late = []
        self._steps = [Step(PENDING_S_ON_AWS, "Linux version 6.12 (Amazon Linux 2023)")]
        at = PENDING_S_ON_AWS + BOOT_S_ON_AWS
        self._steps.append(Step(at, "cloud-init[1]: Cloud-init finished: modules:final"))
        container = self._container
        if container is None:
            if self._user_data:
                self._steps.append(
                    Step(at, "cloud-init[1]: user data ran; the local cloud knows no model server in it")
                )
            return
        if not first and not container.survives_reboot:
            return
        from labs import facts

        if first and container.image is not None:
            self._steps.append(Step(at, f"docker[2]: Pulling {container.image}"))
            at += facts.number("sagemaker.autoscaling.image_pull_qwen3-8b_s")
            self._steps.append(Step(at, f"docker[2]: Status: Downloaded newer image for {container.image}"))
        try:
            launch = launch_of(container, self._instance_type)
            planned = launch.plan()
        except Failed as failed:
            self._steps += [
                Step(at + 20, f"vllm[3]: ERROR {failed}"),
                Step(at + 20, "vllm[3]: Engine core initialization failed."),
            ]
            return
        loading = load_s(planned.deployment.memory.weights_bytes)
        self._steps.append(Step(at, f"vllm[3]: INFO Loading weights of {launch.model}"))
        for note in planned.deployment.notes:
            self._steps.append(Step(at, f"local-cloud[0]: {note}"))
        self._steps.append(Step(at + loading, "vllm[3]: INFO Application startup complete."))
        if not container.port:
            self._steps.append(Step(at + loading, "docker[2]: no port of the instance leads to the container's (-p)"))
            return
        timer = threading.Timer(self._wait_s(at), self._serve, (launch, self._wait_s(loading), container.port))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _serve(self, launch: Launch, loading_s: float, port: int) -> None:
        try:
            listener = open_listener(
                ModelServer(launch, loading_s=loading_s), self.address, port, name=f"instance-{self.instance_id}"
            )
        except AddressTaken as taken:
            with self._lock:
                self._late.append(f"docker[2]: failed to bind host port: {taken}")
            return
        with self._lock:
            if not self._ended:
                self._listener = listener
                return
        listener.close()


def launch_of(container: Container, instance_type: str) -> Launch:
    """The server as it was started. Raises Failed."""
    options = container.options
    if not container.has_gpus and not instance_type.startswith(("inf", "trn", "c", "m", "r")):
        raise Failed(
            "RuntimeError: Failed to infer device type: the container was not given the GPUs (docker run --gpus all)."
        )
    if container.model.startswith("meta-llama/") and not container.has_token:
        raise Failed(
            f"OSError: You are trying to access a gated repo. Access to model {container.model} is restricted; give the container a "
            "Hugging Face token (HF_TOKEN)."
        )
    return Launch(
        container.model,
        instance_type,
        container.kind,
        options.get("served-model-name"),
        number(options, "tensor-parallel-size"),
        options.get("dtype", "auto"),
        options.get("quantization"),
        number(options, "max-model-len"),
        number(options, "max-num-seqs"),
        number(options, "max-num-batched-tokens"),
        fraction(options, "gpu-memory-utilization"),
        options.get("kv-cache-dtype", "auto"),
        options.get("api-key"),
    )


def number(options: dict[str, str], name: str) -> int | None:
    """A whole number, or thousands as vLLM writes them ("8k"). Raises Failed."""
    text = options.get(name)
    if text is None:
        return None
    scale = {"k": 1000, "K": 1024, "m": 1_000_000}.get(text[-1:], 1)
    digits = text[:-1] if scale > 1 else text
    if not digits.isdigit():
        raise Failed(f"vllm serve: error: argument --{name}: invalid value: '{text}'")
    return int(digits) * scale


def fraction(options: dict[str, str], name: str) -> float | None:
    text = options.get(name)
    try:
        value = None if text is None else float(text)
    except ValueError:
        raise Failed(f"vllm serve: error: argument --{name}: invalid float value: '{text}'") from None
    if value is not None and not 0 < value <= 1:
        raise Failed(f"ValueError: GPU memory utilization must be in (0, 1]. Got {text}.")
    return value


def load_s(weights_bytes: float) -> float:
    """Seconds on AWS from the container's start to its first answer."""
    from labs import facts
    from labs.serving.profiles import QWEN3_8B_BYTES

    download = facts.number("sagemaker.autoscaling.weights_qwen3-8b_s") * weights_bytes / QWEN3_8B_BYTES
    return ENGINE_START_S_ON_AWS + download


def new_address() -> str:
    """A loopback address that no other instance has, where the system lets one choose."""
    address = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
    try:
        bind(address).close()
    except AddressTaken:
        return LOOPBACK
    return address
