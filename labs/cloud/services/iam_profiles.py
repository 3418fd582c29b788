"""Instance profiles give up only a role that they hold.

What it cures in moto 5.2.5 (tests/labs/cloud/test_iam_policies.py fails once moto has it): taking a role out of a profile that does not
hold it breaks moto, where IAM says that there is no such role; a stack that fails between the two calls then cannot roll back.
"""

from typing import Any

from labs.cloud.context import Context


def install(context: Context) -> None:
    """Look before taking out."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import IAMBackend

    def remove_role_from_instance_profile(self: Any, profile_name: str, role_name: str) -> None:
        profile, role = self.get_instance_profile(profile_name), self.get_role(role_name)
        if role not in profile.roles:
            raise NotFoundException(
                f"The role with name {role_name} is not attached to instance profile {profile_name}."
            )
        profile.roles.remove(role)

    context.patch(IAMBackend, "remove_role_from_instance_profile", remove_role_from_instance_profile)
