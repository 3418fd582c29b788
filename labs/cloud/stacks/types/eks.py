"""AWS::EKS::*"""

from typing import Any

from labs.cloud.stacks.types.base import Failed, Work
from labs.cloud.stacks.types.simple import SimpleType, found


class EksType(SimpleType):
    """EKS's types take their time to come and to go."""

    service = "eks"
    tags_as = "tags"
    describes: str
    answered: str

    def describe(self, work: Work) -> dict[str, Any]:
        described: dict[str, Any] = work.call("eks", self.describes, **self.names(work))[self.answered]
        return described

    def settle(self, work: Work) -> None:
        work.until(lambda: self.describe(work)["status"] not in ("CREATING", "UPDATING", "PENDING"), seconds=3600)
        now = self.describe(work)
        if now["status"] != "ACTIVE":
            issues = (now.get("health") or {}).get("issues") or [{"message": now["status"]}]
            raise Failed(f'Resource handler returned message: "{issues[0].get("message")}"')
        self.take(work, now)

    def take(self, work: Work, now: dict[str, Any]) -> None:
        """Note what is known once it is there."""

    def removed(self, work: Work) -> None:
        work.until(lambda: found(lambda: self.describe(work)) is None, seconds=3600)


class Cluster(EksType):
    name = "AWS::EKS::Cluster"
    creates, updates, deletes, describes = "CreateCluster", "UpdateClusterConfig", "DeleteCluster", "DescribeCluster"
    given = frozenset(
        {
            "AccessConfig",
            "BootstrapSelfManagedAddons",
            "DeletionProtection",
            "EncryptionConfig",
            "KubernetesNetworkConfig",
            "Logging",
            "Name",
            "ResourcesVpcConfig",
            "RoleArn",
            "UpgradePolicy",
            "Version",
        }
    )
    changed = frozenset({"Logging", "ResourcesVpcConfig"})
    answered = "cluster"
    named_by = "Name"
    kept = (("name", ""),)
    attributes = frozenset({"Arn", "CertificateAuthorityData", "Endpoint", "Id", "OpenIdConnectIssuerUrl"})

    def more(self, work: Work) -> dict[str, Any]:
        logging = work.properties.get("Logging")
        enabled = ((logging or {}).get("ClusterLogging") or {}).get("EnabledTypes") or []
        types = [each["Type"] for each in enabled]
        return {
            "Name": work.name("Name", longest=100),
            **({"Logging": {"clusterLogging": [{"types": types, "enabled": True}]}} if logging else {}),
        }

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        cluster = answer["cluster"]
        work.made(cluster["name"], Arn=cluster["arn"], Id=cluster["name"])

    def take(self, work: Work, now: dict[str, Any]) -> None:
        identity = (now.get("identity") or {}).get("oidc") or {}
        known = {
            "Endpoint": now.get("endpoint"),
            "CertificateAuthorityData": (now.get("certificateAuthority") or {}).get("data"),
            "ClusterSecurityGroupId": (now.get("resourcesVpcConfig") or {}).get("clusterSecurityGroupId"),
            "OpenIdConnectIssuerUrl": identity.get("issuer"),
        }
        # a cluster here has no security group of its own; asking for it is refused rather than answered with nothing
        work.attributes.update({name: value for name, value in known.items() if value is not None})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        super().update(work, before)
        if work.properties.get("Version") != before.get("Version") and "Version" in work.properties:
            work.call("eks", "UpdateClusterVersion", name=work.physical_id, version=work.properties["Version"])
            self.settle(work)


class Nodegroup(EksType):
    name = "AWS::EKS::Nodegroup"
    creates, updates, deletes = "CreateNodegroup", "UpdateNodegroupConfig", "DeleteNodegroup"
    describes, answered = "DescribeNodegroup", "nodegroup"
    given = frozenset(
        {
            "AmiType",
            "CapacityType",
            "ClusterName",
            "DiskSize",
            "InstanceTypes",
            "Labels",
            "LaunchTemplate",
            "NodeRole",
            "NodegroupName",
            "ReleaseVersion",
            "ScalingConfig",
            "Subnets",
            "Taints",
            "UpdateConfig",
            "Version",
        }
    )
    changed = frozenset({"ScalingConfig", "UpdateConfig"})
    also_replacing = frozenset({"Labels", "LaunchTemplate", "ReleaseVersion", "Taints", "Version"})
    named_by = "NodegroupName"
    kept = (
        ("clusterName", "ClusterName"),
        ("nodegroupName", "NodegroupName"),
    )
    attributes = frozenset({"Arn", "ClusterName", "Id", "NodegroupName"})

    def more(self, work: Work) -> dict[str, Any]:
        return {"NodegroupName": work.name("NodegroupName", longest=63)}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        group = answer["nodegroup"]
        made = f"{group['clusterName']}/{group['nodegroupName']}"
        work.made(
            made,
            Arn=group["nodegroupArn"],
            Id=made,
            ClusterName=group["clusterName"],
            NodegroupName=group["nodegroupName"],
        )


class Addon(EksType):
    name = "AWS::EKS::Addon"
    creates, updates, deletes, describes = "CreateAddon", "UpdateAddon", "DeleteAddon", "DescribeAddon"
    given = frozenset(
        {"AddonName", "AddonVersion", "ClusterName", "ConfigurationValues", "ResolveConflicts", "ServiceAccountRoleArn"}
    )
    changed = frozenset({"AddonVersion", "ConfigurationValues", "ResolveConflicts", "ServiceAccountRoleArn"})
    answered = "addon"
    kept = (
        ("clusterName", "ClusterName"),
        ("addonName", "AddonName"),
    )
    attributes = frozenset({"Arn"})

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        addon = answer["addon"]
        cluster, name = addon["clusterName"], addon["addonName"]
        work.made(f"{cluster}|{name}", Arn=addon["addonArn"], ClusterName=cluster, AddonName=name)


TYPES = (Cluster(), Nodegroup(), Addon())
