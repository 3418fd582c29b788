"""A function's resource policy: who may invoke it, asked before a function URL or an HTTP API does.

What it cures in moto 5.2.5: a statement for a function URL keeps the conditions as members of its own instead of under Condition, so that
GetPolicy shows a policy that is none; a statement id may be used twice.
"""

import json
from fnmatch import fnmatchcase
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services.lambda_ import client_error


def install(context: Context) -> None:
    """Keep policies as Lambda does."""
    from moto.awslambda.policy import Policy

    def add_statement(self: Any, raw: str, qualifier: str | None = None) -> Any:
        given = json.loads(raw)
        if any(statement.get("Sid") == given.get("StatementId") for statement in self.statements):
            raise client_error(
                409,
                "ResourceConflictException",
                f"The statement id ({given.get('StatementId')}) provided already exists. Please provide a new statement id, or "
                "remove the existing statement.",
            )
        auth_type, via_url = given.pop("FunctionUrlAuthType", None), given.pop("InvokedViaFunctionUrl", None)
        statement, revision = add_statement_before(self, json.dumps(given), qualifier)
        if auth_type is not None:
            condition(statement, "StringEquals")["lambda:FunctionUrlAuthType"] = auth_type
        if via_url is not None:
            condition(statement, "Bool")["lambda:InvokedViaFunctionUrl"] = str(via_url).lower()
        return statement, revision

    add_statement_before = context.patch(Policy, "add_statement", add_statement)


def condition(statement: dict[str, Any], operator: str) -> dict[str, Any]:
    made: dict[str, Any] = statement.setdefault("Condition", {}).setdefault(operator, {})
    return made


def allows(function: Any, action: str, *, service: str | None = None, **facts: str) -> bool:
    """May `service` (None: anybody) do `action` to a function? `facts` are condition keys without their prefix (SourceArn="...")."""
    known = {name.lower(): value for name, value in facts.items()}
    allowed = False
    for statement in function.policy.statements:
        if is_about(statement, action, service) and meets(statement.get("Condition") or {}, known):
            if statement.get("Effect") == "Deny":
                return False
            allowed = True
    return allowed


def is_about(statement: dict[str, Any], action: str, service: str | None) -> bool:
    actions = statement.get("Action") or []
    if not any(fnmatchcase(action, pattern) for pattern in ([actions] if isinstance(actions, str) else actions)):
        return False
    principal = statement.get("Principal")
    if principal == "*" or (isinstance(principal, dict) and principal.get("AWS") == "*"):
        return True
    return service is not None and (
        principal == service or (isinstance(principal, dict) and principal.get("Service") == service)
    )


def meets(conditions: dict[str, Any], known: dict[str, str]) -> bool:
    """Are all conditions of a statement met? One that is not known here is not."""
    for operator, wanted in conditions.items():
        for key, value in wanted.items():
            have = known.get(key.rpartition(":")[2].lower())
            if have is None:
                return False
            matches = fnmatchcase(have, str(value)) if "Like" in operator else have == str(value)
            if not matches:
                return False
    return True
