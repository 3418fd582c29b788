"""AWS::IAM::*"""

from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work, document


class Role(ResourceType):
    name = "AWS::IAM::Role"
    properties = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    named_by = "RoleName"

    def create(self, work: Work) -> None:
        role = work.call(
            "iam",
            "CreateRole",
            RoleName=work.name("RoleName", longest=64),
            AssumeRolePolicyDocument=document(work.properties["AssumeRolePolicyDocument"]),
            Tags=work.tag_list(),
            **work.pick("Description", "MaxSessionDuration", "Path", "PermissionsBoundary"),
        )["Role"]
        work.made(role["RoleName"], Arn=role["Arn"], RoleId=role["RoleId"])
        put_policies(work, {})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        trust = document(work.properties["AssumeRolePolicyDocument"])
        work.call("iam", "UpdateAssumeRolePolicy", RoleName=work.physical_id, PolicyDocument=trust)
        if any(work.properties.get(name) != before.get(name) for name in ("Description", "MaxSessionDuration")):
            work.call("iam", "UpdateRole", RoleName=work.physical_id, **work.pick("Description", "MaxSessionDuration"))
        put_policies(work, before)

    def delete(self, work: Work) -> None:
        role = work.physical_id

        def remove() -> None:
            for policy in work.call("iam", "ListAttachedRolePolicies", RoleName=role)["AttachedPolicies"]:
                work.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=policy["PolicyArn"])
            for name in work.call("iam", "ListRolePolicies", RoleName=role)["PolicyNames"]:
                work.call("iam", "DeleteRolePolicy", RoleName=role, PolicyName=name)
            work.call("iam", "DeleteRole", RoleName=role)

        work.gone(remove)


def put_policies(work: Work, before: dict[str, Any]) -> None:
    """Make the role's policies those of the template."""
    role = work.physical_id
    wanted = {policy["PolicyName"]: policy["PolicyDocument"] for policy in work.properties.get("Policies") or []}
    had = {policy["PolicyName"] for policy in before.get("Policies") or []}
    for name in had - set(wanted):
        work.gone(lambda name=name: work.call("iam", "DeleteRolePolicy", RoleName=role, PolicyName=name))  # type: ignore[misc]
    for name, text in wanted.items():
        work.call("iam", "PutRolePolicy", RoleName=role, PolicyName=name, PolicyDocument=document(text))
    attached, attach = set(before.get("ManagedPolicyArns") or []), list(work.properties.get("ManagedPolicyArns") or [])
    for arn in attached - set(attach):
        work.gone(lambda arn=arn: work.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn))  # type: ignore[misc]
    for arn in attach:
        if arn not in attached:
            work.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)


MAX_POLICY_VERSIONS = 5
HOLDERS = (("Roles", "Role"), ("Users", "User"), ("Groups", "Group"))


class Policy(ResourceType):
    name = "AWS::IAM::Policy"
    properties = frozenset({"Groups", "PolicyDocument", "PolicyName", "Roles", "Users"})

    def create(self, work: Work) -> None:
        work.made(work.name("", longest=64), Id=work.logical_id)
        self._put(work)

    def update(self, work: Work, before: dict[str, Any]) -> None:
        for prop, kind in HOLDERS:
            for holder in before.get(prop) or []:
                if before["PolicyName"] != work.properties["PolicyName"] or holder not in (
                    work.properties.get(prop) or []
                ):
                    self._remove(work, kind, holder, before["PolicyName"])
        self._put(work)

    def delete(self, work: Work) -> None:
        for prop, kind in HOLDERS:
            for holder in work.properties.get(prop) or []:
                self._remove(work, kind, holder, work.properties["PolicyName"])

    def _put(self, work: Work) -> None:
        for prop, kind in HOLDERS:
            for holder in work.properties.get(prop) or []:
                work.call(
                    "iam",
                    f"Put{kind}Policy",
                    **{f"{kind}Name": holder},
                    PolicyName=work.properties["PolicyName"],
                    PolicyDocument=document(work.properties["PolicyDocument"]),
                )

    def _remove(self, work: Work, kind: str, holder: str, name: str) -> None:
        work.gone(lambda: work.call("iam", f"Delete{kind}Policy", **{f"{kind}Name": holder}, PolicyName=name))


class ManagedPolicy(ResourceType):
    name = "AWS::IAM::ManagedPolicy"
    properties = frozenset({"Description", "Groups", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users"})
    named_by = "ManagedPolicyName"

    def create(self, work: Work) -> None:
        arn = work.call(
            "iam",
            "CreatePolicy",
            PolicyName=work.name("ManagedPolicyName", longest=128),
            PolicyDocument=document(work.properties["PolicyDocument"]),
            **work.pick("Description", "Path"),
        )["Policy"]["Arn"]
        work.made(arn, PolicyArn=arn)
        self._attach(work, {})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        if work.properties["PolicyDocument"] != before["PolicyDocument"]:
            self._publish(work)
        self._attach(work, before)

    def delete(self, work: Work) -> None:
        for prop, kind in HOLDERS:
            for holder in work.properties.get(prop) or []:
                self._detach(work, kind, holder)
        work.gone(lambda: self._delete(work))

    def _delete(self, work: Work) -> None:
        for version in work.call("iam", "ListPolicyVersions", PolicyArn=work.physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                work.call("iam", "DeletePolicyVersion", PolicyArn=work.physical_id, VersionId=version["VersionId"])
        work.call("iam", "DeletePolicy", PolicyArn=work.physical_id)

    def _publish(self, work: Work) -> None:
        """A new version; the oldest makes room for it when there are as many as IAM keeps."""
        versions = work.call("iam", "ListPolicyVersions", PolicyArn=work.physical_id)["Versions"]
        others = sorted(
            (version for version in versions if not version["IsDefaultVersion"]), key=lambda v: v["CreateDate"]
        )
        if len(versions) >= MAX_POLICY_VERSIONS:
            oldest = others[0]["VersionId"]
            work.call("iam", "DeletePolicyVersion", PolicyArn=work.physical_id, VersionId=oldest)
        work.call(
            "iam",
            "CreatePolicyVersion",
            PolicyArn=work.physical_id,
            PolicyDocument=document(work.properties["PolicyDocument"]),
            SetAsDefault=True,
        )

    def _attach(self, work: Work, before: dict[str, Any]) -> None:
        for prop, kind in HOLDERS:
            had, wanted = before.get(prop) or [], work.properties.get(prop) or []
            for holder in wanted:
                if holder not in had:
                    work.call("iam", f"Attach{kind}Policy", **{f"{kind}Name": holder}, PolicyArn=work.physical_id)
            for holder in had:
                if holder not in wanted:
                    self._detach(work, kind, holder)

    def _detach(self, work: Work, kind: str, holder: str) -> None:
        work.gone(
            lambda: work.call("iam", f"Detach{kind}Policy", **{f"{kind}Name": holder}, PolicyArn=work.physical_id)
        )


class InstanceProfile(ResourceType):
    name = "AWS::IAM::InstanceProfile"
    properties = frozenset({"InstanceProfileName", "Path", "Roles"})
    named_by = "InstanceProfileName"

    def create(self, work: Work) -> None:
        profile = work.call(
            "iam",
            "CreateInstanceProfile",
            InstanceProfileName=work.name("InstanceProfileName", longest=128),
            **work.pick("Path"),
        )["InstanceProfile"]
        work.made(profile["InstanceProfileName"], Arn=profile["Arn"])
        self._put(work, {})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        self._put(work, before)

    def delete(self, work: Work) -> None:
        for role in work.properties["Roles"]:
            self._take_out(work, role)
        work.gone(lambda: work.call("iam", "DeleteInstanceProfile", InstanceProfileName=work.physical_id))

    def _put(self, work: Work, before: dict[str, Any]) -> None:
        had, wanted = before.get("Roles") or [], work.properties["Roles"]
        for role in had:
            if role not in wanted:
                self._take_out(work, role)
        for role in wanted:
            if role not in had:
                work.call("iam", "AddRoleToInstanceProfile", InstanceProfileName=work.physical_id, RoleName=role)

    def _take_out(self, work: Work, role: str) -> None:
        work.gone(
            lambda: work.call(
                "iam", "RemoveRoleFromInstanceProfile", InstanceProfileName=work.physical_id, RoleName=role
            )
        )


TYPES = (Role(), Policy(), ManagedPolicy(), InstanceProfile())
