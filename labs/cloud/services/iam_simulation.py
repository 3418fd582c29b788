"""What a role or user may do, by its own and its attached policies; and SimulatePrincipalPolicy, which moto 5.2.5 has not.

Conditions, permission boundaries and policies of resources are not looked at; the simulation says so where it matters (a context key).
"""

import json
from typing import Any

from labs.cloud.context import Context


def install(context: Context) -> None:
    """Answer SimulatePrincipalPolicy."""
    from moto.iam.responses import IamResponse

    def simulate_principal_policy(self: Any) -> Any:
        from moto.core.responses import ActionResult

        arn = self._get_param("PolicySourceArn")
        policies = policies_of(self.current_account, arn)
        extra = self._get_param("PolicyInputList", []) or []
        from moto.iam.access_control import IAMPolicy

        policies = [*policies, *(IAMPolicy(text) for text in extra)]
        results = [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": decision(policies, action, resource),
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for action in self._get_param("ActionNames", [])
            for resource in self._get_param("ResourceArns", []) or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    context.patch(IamResponse, "simulate_principal_policy", simulate_principal_policy)


def policies_of(account_id: str, arn: str) -> list[Any]:
    """The policies of a user, group or role. Raises NoSuchEntity."""
    from moto.iam.models import iam_backends

    backend = iam_backends[account_id]["aws"]
    kind, _, name = arn.rpartition(":")[2].partition("/")
    name = name.rpartition("/")[2]
    if kind == "role":
        return policies_of_role(account_id, arn)
    if kind == "user":
        user = backend.get_user(name)
        groups = [group for group in backend.groups.values() if user in group.users]
        return [policy for each in (user, *groups) for policy in own_and_attached(each)]
    return own_and_attached(backend.get_group(name))


def policies_of_role(account_id: str, arn: str) -> list[Any]:
    """A role's policies. Raises NoSuchEntity."""
    from moto.iam.models import iam_backends

    return own_and_attached(iam_backends[account_id]["aws"].get_role_by_arn(arn))


def own_and_attached(principal: Any) -> list[Any]:
    from moto.iam.access_control import IAMPolicy

    documents = [
        document if isinstance(document, str) else json.dumps(document) for document in principal.policies.values()
    ]
    return [IAMPolicy(text) for text in documents] + [
        IAMPolicy(policy) for policy in principal.managed_policies.values()
    ]


def decision(policies: list[Any], action: str, resource: str) -> str:
    """In the words of the API."""
    from moto.iam.access_control import PermissionResult

    verdicts = [policy.is_action_permitted(action, resource) for policy in policies]
    if PermissionResult.DENIED in verdicts:
        return "explicitDeny"
    return "allowed" if PermissionResult.PERMITTED in verdicts else "implicitDeny"


def allows(policies: list[Any], action: str, resource: str) -> bool:
    return decision(policies, action, resource) == "allowed"
