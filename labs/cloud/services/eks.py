"""EKS as far as its API goes: clusters and node groups that take their time, and add-ons. There is no Kubernetes behind it.

What a manifest would do nobody can say here; `labs.cloud.manifests` checks its shape.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): clusters and node groups are active at once, of Kubernetes
1.19 by default; a node group of instances that the account may not have is active too; add-ons do not exist.
"""

import time
import uuid
from datetime import UTC, datetime
from typing import Any

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services import core, ec2

CLUSTER_S_ON_AWS = 600.0
NODE_GROUP_S_ON_AWS = 180.0
ADD_ON_S_ON_AWS = 60.0
ADD_ONS = {
    "amazon-cloudwatch-observability": "observability",
    "aws-ebs-csi-driver": "storage",
    "aws-efs-csi-driver": "storage",
    "aws-mountpoint-s3-csi-driver": "storage",
    "coredns": "networking",
    "eks-pod-identity-agent": "security",
    "kube-proxy": "networking",
    "metrics-server": "observability",
    "vpc-cni": "networking",
}
"""those that can be had, and AWS's word for their type"""
ADD_ON_VERSION = "v0.0.0-local.1"


def install(context: Context) -> None:
    """Give clusters and node groups their time, and the API its add-ons."""
    core.install(context)
    import moto.eks.models as models

    version = facts.text("eks.version.current")
    context.patch(models, "DEFAULT_KUBERNETES_VERSION", version)
    context.patch(models, "DEFAULT_RELEASE_VERSION", f"{version}.0-local")
    context.patch(models, "DEFAULT_AMI_TYPE", "AL2023_x86_64_STANDARD")
    context.patch(models.Cluster, "status", aging(context, CLUSTER_S_ON_AWS))
    context.patch(models.Nodegroup, "status", aging(context, NODE_GROUP_S_ON_AWS))

    def new_node_group(self: Any, **given: Any) -> None:
        new_node_group_before(self, **given)
        cluster = models.eks_backends[given["account_id"]][given["region_name"]].clusters[given["cluster_name"]]
        self.version = given.get("version") or cluster.version
        if given.get("capacity_type") == "SPOT" or self.launch_template:
            return
        if (problem := launch_problem(context, given, self)) is not None:
            self.__dict__["_failed"] = "CREATE_FAILED"
            self.health = {"issues": [{"code": "AsgInstanceLaunchFailures", "message": problem, "resourceIds": []}]}

    new_node_group_before = context.patch(models.Nodegroup, "__init__", new_node_group)
    _add_add_ons(context)


def aging(context: Context, seconds_on_aws: float) -> property:
    """A status that is CREATING for a while after it was set to ACTIVE."""

    def get(self: Any) -> str:
        own = self.__dict__
        if time.monotonic() < own.get("_active_at", 0.0):
            return "CREATING"
        return str(own.get("_failed") or own["_status"])

    def set_(self: Any, value: str) -> None:
        """moto says ACTIVE when it makes one."""
        if value == "ACTIVE" and "_status" not in self.__dict__:
            self.__dict__["_active_at"] = time.monotonic() + context.wait_s(seconds_on_aws)
        self.__dict__["_status"] = value

    return property(get, set_)


def launch_problem(context: Context, given: dict[str, Any], node_group: Any) -> str | None:
    """Why the group's instances cannot be launched, if they cannot."""
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[given["account_id"]][given["region_name"]]
    type_, wanted = node_group.instance_types[0], int(node_group.scaling_config.get("desiredSize", 0))
    if ec2.vcpus(type_) == 0:
        return f"The instance type '{type_}' does not exist."
    limit = ec2.limit_passed(context, backend, type_, wanted)
    if limit is None:
        return None
    return f"VcpuLimitExceeded - {ec2.TOO_MANY_VCPUS.format(limit=limit)}"


# -- add-ons


def _add_add_ons(context: Context) -> None:
    from moto.core.responses import ActionResult
    from moto.eks import urls
    from moto.eks.responses import EKSResponse

    def cluster_of(self: Any) -> Any:
        return self.eks_backend.describe_cluster(self._get_param("name"))

    def add_ons_of(cluster: Any) -> dict[str, dict[str, Any]]:
        made: dict[str, dict[str, Any]] = cluster.__dict__.setdefault("add_ons", {})
        return made

    def found(self: Any) -> tuple[Any, dict[str, Any]]:
        cluster, name = cluster_of(self), self._get_param("addonName")
        if name not in add_ons_of(cluster):
            raise error(
                "ResourceNotFoundException", f"No addon: {name} found in cluster: {cluster.name}", cluster, name
            )
        return cluster, add_ons_of(cluster)[name]

    def shown(cluster: Any, add_on: dict[str, Any]) -> dict[str, Any]:
        """What the API says of one. DNS has to run somewhere: without nodes it is degraded."""
        status, issues = "ACTIVE", []
        if time.monotonic() < add_on["_active_at"]:
            status = "CREATING"
        elif add_on["addonName"] == "coredns" and not any(g.status == "ACTIVE" for g in cluster.nodegroups.values()):
            status = "DEGRADED"
            issues = [
                {
                    "code": "InsufficientNumberOfReplicas",
                    "message": "The add-on is unhealthy because it doesn't have the desired number of replicas.",
                }
            ]
        known = {name: value for name, value in add_on.items() if not name.startswith("_") and value is not None}
        return known | {"status": status, "health": {"issues": issues}}

    def create_addon(self: Any) -> Any:
        cluster, name = cluster_of(self), self._get_param("addonName")
        if cluster.status != "ACTIVE":
            raise error("InvalidRequestException", f"Cluster is not in ACTIVE state: {cluster.status}", cluster, name)
        if name not in ADD_ONS:
            raise error(
                "InvalidParameterException",
                f"Addon {name} specified is not supported in {cluster.version} kubernetes version",
                cluster,
                name,
            )
        if name in add_ons_of(cluster):
            raise error("ResourceInUseException", "Addon already exists.", cluster, name)
        version = self._get_param("addonVersion") or ADD_ON_VERSION
        check_version(version, cluster, name)
        now = datetime.now(UTC)
        add_ons_of(cluster)[name] = {
            "addonName": name,
            "clusterName": cluster.name,
            "addonVersion": version,
            "addonArn": f"{cluster.arn.replace(':cluster/', ':addon/')}/{name}/{uuid.uuid4()}",
            "createdAt": now,
            "modifiedAt": now,
            "serviceAccountRoleArn": self._get_param("serviceAccountRoleArn"),
            "configurationValues": self._get_param("configurationValues"),
            "tags": self._get_param("tags") or {},
            "_active_at": time.monotonic() + context.wait_s(ADD_ON_S_ON_AWS),
        }
        return ActionResult({"addon": shown(cluster, add_ons_of(cluster)[name])})

    def describe_addon(self: Any) -> Any:
        return ActionResult({"addon": shown(*found(self))})

    def list_addons(self: Any) -> Any:
        return ActionResult({"addons": sorted(add_ons_of(cluster_of(self)))})

    def update_addon(self: Any) -> Any:
        cluster, add_on = found(self)
        version = self._get_param("addonVersion") or add_on["addonVersion"]
        check_version(version, cluster, add_on["addonName"])
        add_on["addonVersion"], add_on["modifiedAt"] = version, datetime.now(UTC)
        for name in ("serviceAccountRoleArn", "configurationValues"):
            add_on[name] = self._get_param(name) or add_on[name]
        update = {
            "id": str(uuid.uuid4()),
            "status": "Successful",
            "type": "AddonUpdate",
            "params": [{"type": "AddonVersion", "value": version}],
            "createdAt": add_on["modifiedAt"],
            "errors": [],
        }
        return ActionResult({"update": update})

    def delete_addon(self: Any) -> Any:
        cluster, add_on = found(self)
        del add_ons_of(cluster)[add_on["addonName"]]
        return ActionResult({"addon": shown(cluster, add_on) | {"status": "DELETING"}})

    def describe_addon_versions(self: Any) -> Any:
        wanted = self._get_param("addonName")
        version = self._get_param("kubernetesVersion") or facts.text("eks.version.current")
        compatible = [{"clusterVersion": version, "platformVersions": ["*"], "defaultVersion": True}]
        versions = [{"addonVersion": ADD_ON_VERSION, "architecture": ["amd64", "arm64"], "compatibilities": compatible}]
        addons = [
            {"addonName": name, "type": kind, "addonVersions": versions, "publisher": "eks", "owner": "aws"}
            for name, kind in ADD_ONS.items()
            if wanted in (None, name)
        ]
        return ActionResult({"addons": addons})

    def delete_cluster(self: Any, name: str) -> Any:
        cluster = delete_cluster_before(self, name)
        cluster.__dict__.pop("add_ons", None)
        return cluster

    from moto.eks.models import EKSBackend

    delete_cluster_before = context.patch(EKSBackend, "delete_cluster", delete_cluster)
    for action in (create_addon, describe_addon, list_addons, update_addon, delete_addon, describe_addon_versions):
        context.patch(EKSResponse, action.__name__, action)
    for path in (
        "clusters/(?P<name>[^/]+)/addons",
        "clusters/(?P<name>[^/]+)/addons/(?P<addonName>[^/]+)",
        "clusters/(?P<name>[^/]+)/addons/(?P<addonName>[^/]+)/update",
        "addons/supported-versions",
    ):
        urls.url_paths[f"{{0}}/{path}$"] = urls.response.dispatch


def check_version(version: str, cluster: Any, name: str) -> None:
    if version != ADD_ON_VERSION:
        raise error(
            "InvalidParameterException",
            f"Addon version specified is not supported: the local cloud has {ADD_ON_VERSION} of every add-on, not {version}; leave the version out to get the default.",
            cluster,
            name,
        )


def error(code: str, message: str, cluster: Any, add_on: str | None) -> Exception:
    from labs.cloud.services.errors import ServiceError

    return ServiceError(code, message, clusterName=cluster.name, addonName=add_on)
