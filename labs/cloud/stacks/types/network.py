"""AWS::EC2::* of a network."""

from collections.abc import Mapping
from typing import Any

from labs.cloud.stacks.types.base import ResourceType, Work, document
from labs.cloud.stacks.types.simple import SimpleType


def tag_specifications(work: Work, kind: str) -> list[dict[str, Any]] | None:
    tags = work.tag_list()
    return [{"ResourceType": kind, "Tags": tags}] if tags else None


class Ec2Type(SimpleType):
    """EC2's types: referred to by id, tagged when they are made and by CreateTags."""

    service = "ec2"
    tags_as = "TagSpecifications"
    kind: str
    """EC2's word for it in tags."""
    answered: str
    """The member of `creates`' answer that describes it, and its id in there."""
    id_name: str

    def create(self, work: Work) -> None:
        parameters = {**work.pick(*self.given), **self.more(work)}
        answer = work.call(
            self.service, self.creates, TagSpecifications=tag_specifications(work, self.kind), **parameters
        )
        self.note(work, answer)
        self.settle(work)

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        made = answer[self.answered]
        work.made(made[self.id_name], **{self.id_name: made[self.id_name]})
        work.attributes.update({name: made[name] for name in self.attributes if name in made})

    def update(self, work: Work, before: dict[str, Any]) -> None:
        self.modify(work, before)
        if work.properties.get("Tags") != before.get("Tags"):
            gone = {tag["Key"] for tag in before.get("Tags") or []} - set(work.tags())
            if gone:
                work.call(
                    "ec2", "DeleteTags", Resources=[work.physical_id], Tags=[{"Key": key} for key in sorted(gone)]
                )
            if tags := work.tag_list():
                work.call("ec2", "CreateTags", Resources=[work.physical_id], Tags=tags)

    def modify(self, work: Work, before: dict[str, Any]) -> None:
        """Change what can be changed, tags aside."""

    def names(self, work: Work) -> dict[str, Any]:
        return {self.id_name: work.physical_id}


class Vpc(Ec2Type):
    name = "AWS::EC2::VPC"
    creates, deletes = "CreateVpc", "DeleteVpc"
    given = frozenset({"CidrBlock", "InstanceTenancy"})
    kind, answered, id_name = "vpc", "Vpc", "VpcId"
    attributes = frozenset({"CidrBlock", "DefaultNetworkAcl", "DefaultSecurityGroup", "VpcId"})

    @property
    def properties(self) -> frozenset[str]:  # type: ignore[override]
        return super().properties | {"EnableDnsHostnames", "EnableDnsSupport"}

    def settle(self, work: Work) -> None:
        within = [{"Name": "vpc-id", "Values": [work.physical_id]}]
        groups = work.call("ec2", "DescribeSecurityGroups", Filters=within)["SecurityGroups"]
        lists = work.call("ec2", "DescribeNetworkAcls", Filters=within)["NetworkAcls"]
        work.attributes["DefaultSecurityGroup"] = next(g["GroupId"] for g in groups if g["GroupName"] == "default")
        work.attributes["DefaultNetworkAcl"] = next(a["NetworkAclId"] for a in lists if a["IsDefault"])
        self.modify(work, {})

    def modify(self, work: Work, before: dict[str, Any]) -> None:
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            if name in work.properties and work.properties[name] != before.get(name):
                work.call(
                    "ec2", "ModifyVpcAttribute", VpcId=work.physical_id, **{name: {"Value": work.properties[name]}}
                )


class Subnet(Ec2Type):
    name = "AWS::EC2::Subnet"
    creates, deletes = "CreateSubnet", "DeleteSubnet"
    given = frozenset({"AvailabilityZone", "CidrBlock", "VpcId"})
    kind, answered, id_name = "subnet", "Subnet", "SubnetId"
    attributes = frozenset({"AvailabilityZone", "CidrBlock", "SubnetId", "VpcId"})

    @property
    def properties(self) -> frozenset[str]:  # type: ignore[override]
        return super().properties | {"MapPublicIpOnLaunch"}

    def settle(self, work: Work) -> None:
        self.modify(work, {})

    def modify(self, work: Work, before: dict[str, Any]) -> None:
        wanted = work.properties.get("MapPublicIpOnLaunch", False)
        if wanted != before.get("MapPublicIpOnLaunch", False):
            work.call("ec2", "ModifySubnetAttribute", SubnetId=work.physical_id, MapPublicIpOnLaunch={"Value": wanted})


class InternetGateway(Ec2Type):
    name = "AWS::EC2::InternetGateway"
    creates, deletes = "CreateInternetGateway", "DeleteInternetGateway"
    given = frozenset[str]()
    kind, answered, id_name = "internet-gateway", "InternetGateway", "InternetGatewayId"
    attributes = frozenset({"InternetGatewayId"})


class RouteTable(Ec2Type):
    name = "AWS::EC2::RouteTable"
    creates, deletes = "CreateRouteTable", "DeleteRouteTable"
    given = frozenset({"VpcId"})
    kind, answered, id_name = "route-table", "RouteTable", "RouteTableId"
    attributes = frozenset({"RouteTableId"})


class VpcGatewayAttachment(ResourceType):
    name = "AWS::EC2::VPCGatewayAttachment"
    properties = frozenset({"InternetGatewayId", "VpcId"})
    also_replacing = frozenset({"InternetGatewayId"})

    def create(self, work: Work) -> None:
        work.call("ec2", "AttachInternetGateway", **work.pick("InternetGatewayId", "VpcId"))
        work.made(f"IGW|{work.properties['VpcId']}", AttachmentType="IGW")

    def update(self, work: Work, before: dict[str, Any]) -> None:
        """Whatever changes makes a new attachment."""

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("ec2", "DetachInternetGateway", **work.pick("InternetGatewayId", "VpcId")))


DESTINATION = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
THROUGH = (
    "GatewayId",
    "InstanceId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
)


class Route(ResourceType):
    name = "AWS::EC2::Route"
    properties = frozenset({*DESTINATION, *THROUGH, "RouteTableId"})

    def create(self, work: Work) -> None:
        work.call("ec2", "CreateRoute", **work.pick(*self.properties))
        where = next(iter(work.pick(*DESTINATION).values()), "")
        work.made(f"{work.properties['RouteTableId']}|{where}", CidrBlock=where)

    def update(self, work: Work, before: dict[str, Any]) -> None:  # noqa: ARG002
        work.call("ec2", "ReplaceRoute", **work.pick(*self.properties))

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("ec2", "DeleteRoute", **work.pick("RouteTableId", *DESTINATION)))


class SubnetRouteTableAssociation(ResourceType):
    name = "AWS::EC2::SubnetRouteTableAssociation"
    properties = frozenset({"RouteTableId", "SubnetId"})
    attributes = frozenset({"Id"})

    def create(self, work: Work) -> None:
        made = work.call("ec2", "AssociateRouteTable", **work.pick("RouteTableId", "SubnetId"))["AssociationId"]
        work.made(made, Id=made)

    def update(self, work: Work, before: dict[str, Any]) -> None:
        """Whatever changes makes a new association."""

    def delete(self, work: Work) -> None:
        work.gone(lambda: work.call("ec2", "DisassociateRouteTable", AssociationId=work.physical_id))


class SecurityGroup(Ec2Type):
    name = "AWS::EC2::SecurityGroup"
    creates, deletes = "CreateSecurityGroup", "DeleteSecurityGroup"
    given = frozenset({"GroupName", "VpcId"})
    kind, id_name = "security-group", "GroupId"
    named_by = "GroupName"
    attributes = frozenset({"GroupId", "Id", "VpcId"})

    @property
    def properties(self) -> frozenset[str]:  # type: ignore[override]
        return super().properties | {"GroupDescription", "SecurityGroupEgress", "SecurityGroupIngress"}

    def more(self, work: Work) -> dict[str, Any]:
        return {
            "GroupName": work.name("GroupName", longest=255),
            "Description": work.properties["GroupDescription"],
        }

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        made = answer["GroupId"]
        work.made(made, GroupId=made, Id=made)
        group = work.call("ec2", "DescribeSecurityGroups", GroupIds=[made])["SecurityGroups"][0]
        work.attributes["VpcId"] = group["VpcId"]

    def settle(self, work: Work) -> None:
        self.modify(work, {})

    def modify(self, work: Work, before: dict[str, Any]) -> None:
        for way, verb in (("SecurityGroupIngress", "Ingress"), ("SecurityGroupEgress", "Egress")):
            had, wanted = before.get(way) or [], work.properties.get(way) or []
            if verb == "Egress" and wanted and not had:  # the rule that every group is born with gives way
                had = [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]
            self._tell(work, f"RevokeSecurityGroup{verb}", [rule for rule in had if rule not in wanted])
            self._tell(work, f"AuthorizeSecurityGroup{verb}", [rule for rule in wanted if rule not in had])

    def _tell(self, work: Work, operation: str, rules: list[dict[str, Any]]) -> None:
        if rules:
            work.call("ec2", operation, GroupId=work.physical_id, IpPermissions=[permission(rule) for rule in rules])


def permission(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A template's rule as the API has it."""
    made: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    made |= {port: rule[port] for port in ("FromPort", "ToPort") if port in rule}
    said = {"Description": rule["Description"]} if "Description" in rule else {}
    for ours, ranges, theirs in (
        ("CidrIp", "IpRanges", "CidrIp"),
        ("CidrIpv6", "Ipv6Ranges", "CidrIpv6"),
        ("SourceSecurityGroupId", "UserIdGroupPairs", "GroupId"),
        ("DestinationSecurityGroupId", "UserIdGroupPairs", "GroupId"),
        ("SourcePrefixListId", "PrefixListIds", "PrefixListId"),
        ("DestinationPrefixListId", "PrefixListIds", "PrefixListId"),
    ):
        if ours in rule:
            made[ranges] = [{theirs: rule[ours], **said}]
    return made


class VpcEndpoint(Ec2Type):
    name = "AWS::EC2::VPCEndpoint"
    creates, deletes = "CreateVpcEndpoint", "DeleteVpcEndpoints"
    given = frozenset(
        {
            "IpAddressType",
            "PolicyDocument",
            "PrivateDnsEnabled",
            "RouteTableIds",
            "SecurityGroupIds",
            "ServiceName",
            "SubnetIds",
            "VpcEndpointType",
            "VpcId",
        }
    )
    kind, answered, id_name = "vpc-endpoint", "VpcEndpoint", "VpcEndpointId"
    attributes = frozenset({"Id"})

    def more(self, work: Work) -> dict[str, Any]:
        policy = work.properties.get("PolicyDocument")
        return {"PolicyDocument": document(policy)} if policy else {}

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        super().note(work, answer)
        work.attributes["Id"] = work.physical_id

    def modify(self, work: Work, before: dict[str, Any]) -> None:
        parameters: dict[str, Any] = {}
        for name in ("RouteTableIds", "SecurityGroupIds", "SubnetIds"):
            had, wanted = set(before.get(name) or []), set(work.properties.get(name) or [])
            parameters[f"Add{name}"] = sorted(wanted - had) or None
            parameters[f"Remove{name}"] = sorted(had - wanted) or None
        if work.properties.get("PolicyDocument") != before.get("PolicyDocument"):
            parameters |= self.more(work) or {"ResetPolicy": True}
        if any(value is not None for value in parameters.values()):
            work.call("ec2", "ModifyVpcEndpoint", VpcEndpointId=work.physical_id, **parameters)

    def names(self, work: Work) -> dict[str, Any]:
        return {"VpcEndpointIds": [work.physical_id]}


TYPES = (
    Vpc(),
    Subnet(),
    InternetGateway(),
    VpcGatewayAttachment(),
    RouteTable(),
    Route(),
    SubnetRouteTableAssociation(),
    SecurityGroup(),
    VpcEndpoint(),
)
