"""AWS's own IAM policies, which exist in every account and which moto leaves out unless it is told; here each is made when it is asked for.

Making all fifteen hundred takes a good tenth of a second and 19 MB, for every cloud and again whenever moto resets itself. Attaching one
to a role, or reading it, makes that one. Listing policies makes them all.
"""

import json
from collections.abc import Iterator
from typing import Any

from labs.cloud.context import Context

PREFIX = ":iam::aws:policy/"


def install(context: Context) -> None:
    """Let moto's IAM know AWS's policies."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import IAMBackend

    context.patch(IAMBackend, "_init_managed_policies", lambda self: Policies(self))
    context.patch(
        IAMBackend,
        "aws_managed_policies",
        property(lambda self: self.managed_policies.of_aws(), lambda _self, _none: None),
    )

    def attach_role_policy(self: Any, policy_arn: str, role_name: str) -> None:
        """moto's goes through all policies to find one."""
        try:
            policy = self.managed_policies[policy_arn]
        except KeyError:
            raise NotFoundException(f"Policy {policy_arn} does not exist or is not attachable.") from None
        policy.attach_to(self.get_role(role_name))

    def detach_role_policy(self: Any, policy_arn: str, role_name: str) -> None:
        role = self.get_role(role_name)
        if policy_arn not in role.managed_policies:
            raise NotFoundException(f"Policy {policy_arn} was not found.")
        self.managed_policies[policy_arn].detach_from(role)

    context.patch(IAMBackend, "attach_role_policy", attach_role_policy)
    context.patch(IAMBackend, "detach_role_policy", detach_role_policy)


class Policies(dict[str, Any]):
    """A backend's managed policies by ARN. Those of AWS appear when they are looked up, all of them when they are gone through."""

    def __init__(self, backend: Any) -> None:
        super().__init__()
        self._backend = backend
        self._complete = False

    def of_aws(self) -> list[Any]:
        """AWS's policies, every one."""
        return [policy for arn, policy in self.items() if PREFIX in arn]

    def __missing__(self, arn: str) -> Any:
        policy = None if self._complete or PREFIX not in arn else self._one(arn)
        if policy is None:
            raise KeyError(arn)
        self[arn] = policy
        return policy

    def __contains__(self, arn: object) -> bool:
        if super().__contains__(arn):
            return True
        try:
            return isinstance(arn, str) and self[arn] is not None
        except KeyError:
            return False

    def get(self, arn: str, default: Any = None) -> Any:
        return self[arn] if arn in self else default  # noqa: SIM401 - this is `get`

    def __iter__(self) -> Iterator[str]:
        self._load()
        return super().__iter__()

    def __len__(self) -> int:
        self._load()
        return super().__len__()

    def keys(self) -> Any:
        self._load()
        return super().keys()

    def values(self) -> Any:
        self._load()
        return super().values()

    def items(self) -> Any:
        self._load()
        return super().items()

    def _one(self, arn: str) -> Any:
        from moto.iam.aws_managed_policies import aws_managed_policies_data as text

        name = arn.rpartition("/")[2]
        key = f'\n "{name}":'
        begin = text.find(key)
        if begin < 0:
            return None
        data, _ = json.JSONDecoder().raw_decode(text, begin + len(key))
        policy = self._made(name, data) if isinstance(data, dict) and "Document" in data else None
        return policy if policy is not None and policy.arn == arn else None

    def _load(self) -> None:
        if self._complete:
            return
        self._complete = True
        from moto.iam.aws_managed_policies import aws_managed_policies_data

        for name, data in json.loads(aws_managed_policies_data).items():
            policy = self._made(name, data)
            self.setdefault(policy.arn, policy)

    def _made(self, name: str, data: dict[str, Any]) -> Any:
        from moto.iam.models import AWSManagedPolicy

        return AWSManagedPolicy.from_data(name, self._backend.account_id, self._backend.region_name, data)
