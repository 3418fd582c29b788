"""EC2 instances that boot, pass their checks, and serve the model that their user data starts.

An instance's addresses and names (PublicIpAddress, PrivateIpAddress, PublicDnsName, PrivateDnsName) are one loopback address of its own:
a client that puts "http://", the name from DescribeInstances or a stack's output, ":" and the port together finds the server, as on AWS.
Security groups let everything in here; ports below 1024 need rights that the local cloud does not have.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): an instance runs the moment it is asked for, its checks have
passed, its console shows a sample of 2006, its addresses lead nowhere; there are no vCPU quotas; any name is an instance type.
"""

import re
from typing import Any

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services import core, quotas
from labs.cloud.services.ec2_life import Life

BUCKETS = {"g": "g-vt", "vt": "g-vt", "p": "p", "inf": "inf", "trn": "trn"}
"""letters of an instance family: the register's name of the quota that counts its vCPUs; all others are standard"""


TOO_MANY_VCPUS = (
    "You have requested more vCPU capacity than your current vCPU limit of {limit:g} allows for the instance bucket that the specified "
    "instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
)


def _name_what_is_missing(context: Context) -> None:
    """The fault `no-capacity`, when it meets EC2, is called what EC2 calls it; the API's model names no errors."""
    from labs.cloud import faults

    def refusal_of(kind: str, service: str, operation: str) -> tuple[Exception, int]:
        if (kind, service) == ("no-capacity", "ec2"):
            message = (
                "We currently do not have sufficient capacity in the Availability Zone you requested (injected fault)."
            )
            return faults.injected_class()("InsufficientInstanceCapacity", message), 500
        answer: tuple[Exception, int] = refusal_of_before(kind, service, operation)
        return answer

    refusal_of_before = context.patch(faults, "refusal_of", refusal_of)


def install(context: Context) -> None:
    """Give moto's instances a life."""
    core.install(context)
    _name_what_is_missing(context)
    from moto.core.responses import ActionResult
    from moto.core.types import Base64EncodedString
    from moto.core.utils import utcnow
    from moto.ec2.exceptions import EC2ClientError, InvalidInstanceTypeError
    from moto.ec2.models.instance_types import INSTANCE_TYPES
    from moto.ec2.models.instances import Instance, InstanceBackend
    from moto.ec2.responses.general import General

    lives: dict[str, Life] = {}

    def close() -> None:
        for life in lives.values():
            life.stop()

    context.on_close(close)

    def run_instances(
        self: Any, image_id: str, count: int, user_data: Any, security_group_names: Any, **given: Any
    ) -> Any:
        type_, user_data = chosen(self, user_data, given)
        if type_ not in INSTANCE_TYPES:
            raise InvalidInstanceTypeError(type_)
        limit = None if given.get("instance_market_options") else limit_passed(context, self, type_, count)
        if limit is not None:
            raise EC2ClientError("VcpuLimitExceeded", TOO_MANY_VCPUS.format(limit=limit))
        made = run_instances_before(self, image_id, count, user_data, security_group_names, **given)
        for instance in made.instances:
            lives[instance.id] = Life(instance.id, type_, decoded(user_data), context.wait_s)
        return made

    def start(self: Any) -> Any:
        previous = start_before(self)
        if previous.name != "running" and (life := lives.get(self.id)) is not None:
            life.restart()
        return previous

    def stop(self: Any) -> Any:
        if (life := lives.get(self.id)) is not None:
            life.stop()
        return stop_before(self)

    def terminate(self: Any) -> Any:
        if (life := lives.get(self.id)) is not None:
            life.stop()
        return terminate_before(self)

    def reboot(self: Any) -> None:
        reboot_before(self)
        if (life := lives.get(self.id)) is not None:
            life.restart()

    def is_pending(instance: Any) -> bool:
        life = lives.get(instance.id)
        return life is not None and instance._state.name == "running" and life.is_pending()

    def instance_state(self: Any) -> Any:
        from moto.ec2.models.instances import InstanceState

        return InstanceState("pending", 0) if is_pending(self) else self._state

    def checks(self: Any) -> dict[str, Any]:
        if is_pending(self) or self._state.name != "running":
            return {"Status": "not-applicable"}
        life = lives.get(self.id)
        passed = life is None or life.checks_passed()
        return {
            "Details": [{"Name": "reachability", "Status": "passed" if passed else "initializing"}],
            "Status": "ok" if passed else "initializing",
        }

    def private(before: Any) -> property:
        def address(self: Any) -> Any:
            return lives[self.id].address if self.id in lives else before.fget(self)

        return property(address)

    def public(before: Any) -> property:
        """Only for those that have a public address, and only while they run."""

        def address(self: Any) -> Any:
            if self.id not in lives:
                return before.fget(self)
            return (
                lives[self.id].address
                if self.nics and self.nics[0].public_ip and self._state.name == "running"
                else None
            )

        return property(address)

    def get_console_output(self: Any) -> Any:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        life = lives.get(instance.id)
        text = life.console() if life is not None else ""
        output = {"Output": Base64EncodedString.from_raw_string(text)} if text else {}
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), **output})

    run_instances_before = context.patch(InstanceBackend, "run_instances", run_instances)
    start_before = context.patch(Instance, "start", start)
    stop_before = context.patch(Instance, "stop", stop)
    terminate_before = context.patch(Instance, "terminate", terminate)
    reboot_before = context.patch(Instance, "reboot", reboot)
    context.patch(Instance, "instance_state", property(instance_state))
    context.patch(Instance, "state", property(lambda self: instance_state(self).name))
    context.patch(Instance, "state_code", property(lambda self: instance_state(self).code))
    context.patch(Instance, "instance_status", property(checks))
    context.patch(Instance, "system_status", property(checks))
    for name in ("private_ip", "private_ip_address", "private_dns_name"):
        context.patch(Instance, name, private(vars(Instance)[name]))
    for name in ("public_ip", "public_ip_address", "public_dns_name"):
        context.patch(Instance, name, public(vars(Instance)[name]))
    context.patch(General, "get_console_output", get_console_output)


def limit_passed(context: Context, backend: Any, type_: str, count: int) -> float | None:
    """The quota in vCPUs that `count` more instances of this type would pass; None when they would not."""
    bucket = bucket_of(type_)
    limit = quotas.value(context, backend.region_name, "ec2", facts.text(f"ec2.quota.code.{bucket}"))
    used = sum(
        vcpus(instance.instance_type)
        for instance in backend.all_instances()
        if instance._state.name == "running"
        and instance.lifecycle != "spot"
        and bucket_of(instance.instance_type) == bucket
    )
    return limit if used + count * vcpus(type_) > limit else None


def vcpus(type_: str) -> int:
    """How many vCPUs an instance of this type has; 0 for a type that there is not."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return int(INSTANCE_TYPES[type_]["VCpuInfo"]["DefaultVCpus"]) if type_ in INSTANCE_TYPES else 0


def bucket_of(instance_type: str) -> str:
    """The quota under which an instance type's vCPUs count."""
    letters = re.match(r"[a-z]*", instance_type)  # those before the generation: "g" of g6e, "inf" of inf2
    return BUCKETS.get(letters[0] if letters else "", "standard")


def chosen(backend: Any, user_data: Any, given: dict[str, Any]) -> tuple[str, Any]:
    """The instance type and user data: the call's own, else the launch template's."""
    type_ = str(given.get("instance_type"))
    if given.get("launch_template"):
        template = backend._get_template_from_args(given["launch_template"]).data
        user_data = user_data if user_data is not None else template.get("UserData")
        if given.get("is_instance_type_default") and template.get("InstanceType"):
            type_ = template["InstanceType"]
    return type_, user_data


def decoded(user_data: Any) -> str:
    """User data as text; what is not text starts nothing that is known here."""
    import base64
    import gzip

    if user_data is None:
        return ""
    encoded = user_data.as_bytes() if hasattr(user_data, "as_bytes") else str(user_data).encode()
    try:
        data = base64.b64decode(encoded)
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(errors="replace")
    except (ValueError, OSError, EOFError):
        return ""
