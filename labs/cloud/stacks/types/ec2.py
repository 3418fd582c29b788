"""AWS::EC2::Instance and what it is launched from."""

from typing import Any

from labs.cloud.stacks.types.base import Failed, ResourceType, Work
from labs.cloud.stacks.types.network import Ec2Type, tag_specifications

PASSED = (
    "BlockDeviceMappings",
    "CpuOptions",
    "CreditSpecification",
    "DisableApiTermination",
    "EbsOptimized",
    "IamInstanceProfile",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "KeyName",
    "LaunchTemplate",
    "MetadataOptions",
    "Monitoring",
    "NetworkInterfaces",
    "PrivateIpAddress",
    "SecurityGroupIds",
    "SecurityGroups",
    "SubnetId",
)


class Instance(Ec2Type):
    name = "AWS::EC2::Instance"
    given = frozenset(PASSED)
    kind = "instance"
    also_replacing = frozenset(PASSED) - {"DisableApiTermination", "SecurityGroupIds"} | {
        "AvailabilityZone",
        "UserData",
    }
    """On AWS a new instance type or new user data stop and start the instance; here they make another one."""
    attributes = frozenset(
        {"AvailabilityZone", "InstanceId", "PrivateDnsName", "PrivateIp", "PublicDnsName", "PublicIp", "VpcId"}
    )

    @property
    def properties(self) -> frozenset[str]:  # type: ignore[override]
        return super().properties | {"AvailabilityZone", "UserData"}

    def create(self, work: Work) -> None:
        parameters = work.pick(*PASSED)
        if "IamInstanceProfile" in parameters:
            parameters["IamInstanceProfile"] = {"Name": parameters["IamInstanceProfile"]}
        if "Monitoring" in parameters:
            parameters["Monitoring"] = {"Enabled": parameters["Monitoring"]}
        if "AvailabilityZone" in work.properties:
            parameters["Placement"] = {"AvailabilityZone": work.properties["AvailabilityZone"]}
        if "UserData" in work.properties:
            parameters["UserData"] = plain_user_data(work.properties["UserData"])
        made = work.call(
            "ec2",
            "RunInstances",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=tag_specifications(work, "instance"),
            **parameters,
        )["Instances"][0]["InstanceId"]
        work.made(made, InstanceId=made)
        work.until(lambda: self._describe(work)["State"]["Name"] not in ("pending",), seconds=3600)
        now = self._describe(work)
        if now["State"]["Name"] != "running":
            why = (now.get("StateReason") or {}).get("Message", now["State"]["Name"])
            raise Failed(f'Resource handler returned message: "Instance {made} failed to start: {why}"')
        work.attributes.update(
            AvailabilityZone=(now.get("Placement") or {}).get("AvailabilityZone"),
            PrivateDnsName=now.get("PrivateDnsName"),
            PrivateIp=now.get("PrivateIpAddress"),
            PublicDnsName=now.get("PublicDnsName"),
            PublicIp=now.get("PublicIpAddress"),
            VpcId=now.get("VpcId"),
        )

    def modify(self, work: Work, before: dict[str, Any]) -> None:
        if "SecurityGroupIds" in work.properties and work.properties["SecurityGroupIds"] != before.get(
            "SecurityGroupIds"
        ):
            groups = work.properties["SecurityGroupIds"]
            work.call("ec2", "ModifyInstanceAttribute", InstanceId=work.physical_id, Groups=groups)
        if work.properties.get("DisableApiTermination") != before.get("DisableApiTermination"):
            protected = {"Value": work.properties.get("DisableApiTermination", False)}
            work.call("ec2", "ModifyInstanceAttribute", InstanceId=work.physical_id, DisableApiTermination=protected)

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("ec2", "TerminateInstances", InstanceIds=[work.physical_id]))
        ended: list[bool] = []

        def look() -> None:
            ended[:] = [self._describe(work)["State"]["Name"] == "terminated"]

        def is_gone() -> bool:
            ended.clear()
            work.gone(look)
            return not ended or ended[0]

        work.until(is_gone)

    def _describe(self, work: Work) -> dict[str, Any]:
        answer = work.call("ec2", "DescribeInstances", InstanceIds=[work.physical_id])
        instance: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return instance


def plain_user_data(encoded: str) -> str:
    """A template gives base64, as the API does on the wire; boto3 encodes once more, so it must be given the text."""
    import base64
    import binascii

    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Failed('Resource handler returned message: "Invalid BASE64 encoding of user data."') from None


class LaunchTemplate(ResourceType):
    name = "AWS::EC2::LaunchTemplate"
    properties = frozenset({"LaunchTemplateData", "LaunchTemplateName", "TagSpecifications", "VersionDescription"})
    named_by = "LaunchTemplateName"
    attributes = frozenset({"DefaultVersionNumber", "LatestVersionNumber", "LaunchTemplateId"})

    def create(self, work: Work) -> None:
        made = work.call(
            "ec2",
            "CreateLaunchTemplate",
            LaunchTemplateName=work.name("LaunchTemplateName", longest=128),
            **work.pick("LaunchTemplateData", "TagSpecifications", "VersionDescription"),
        )["LaunchTemplate"]
        work.made(made["LaunchTemplateId"], LaunchTemplateId=made["LaunchTemplateId"])
        self._number(work, made)

    def update(self, work: Work, before: dict[str, Any]) -> None:  # noqa: ARG002
        version = work.call(
            "ec2",
            "CreateLaunchTemplateVersion",
            LaunchTemplateId=work.physical_id,
            **work.pick("LaunchTemplateData", "VersionDescription"),
        )["LaunchTemplateVersion"]
        work.attributes["LatestVersionNumber"] = str(version["VersionNumber"])

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("ec2", "DeleteLaunchTemplate", LaunchTemplateId=work.physical_id))

    def _number(self, work: Work, made: dict[str, Any]) -> None:
        work.attributes["DefaultVersionNumber"] = str(made.get("DefaultVersionNumber", 1))
        work.attributes["LatestVersionNumber"] = str(made.get("LatestVersionNumber", 1))


TYPES = (Instance(), LaunchTemplate())
