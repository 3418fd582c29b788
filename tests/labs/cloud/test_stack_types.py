"""Each resource type is made, referred to, changed, replaced and removed through its own service; and nothing of it stays."""

import base64
import copy
import json
import uuid
from typing import Any

import pytest

from labs.cloud.context import Context
from labs.cloud.stacks.types import all_types
from tests.labs.cloud.inventory import inventory
from tests.labs.cloud.kit import TRUST, Aws
from tests.labs.cloud.stacks import Stacks

Template = dict[str, Any]
HANDLER = "def handler(event, context):\n    return event\n"


def resource(kind: str, *after: str, **properties: Any) -> Template:
    made: Template = {"Type": f"AWS::{kind}", "Properties": properties}
    return made | ({"DependsOn": list(after)} if after else {})


def ref(name: str) -> Template:
    return {"Ref": name}


def att(name: str, attribute: str) -> Template:
    return {"Fn::GetAtt": [name, attribute]}


def asking(resources: Template) -> Template:
    """A template whose outputs are everything that its resources can be asked for: "Name" for Ref, "NameAttribute" for the rest."""
    outputs: Template = {}
    for name, declared in resources.items():
        outputs[name] = {"Value": ref(name)}
        for attribute in all_types()[declared["Type"]].attributes:
            outputs[name + attribute.replace(".", "")] = {"Value": att(name, attribute)}
    return {"Resources": resources, "Outputs": outputs}


class Life:
    """One template's life: made, looked at, changed, removed."""

    def __init__(self, stacks: Stacks, *services: str) -> None:
        self.stacks = stacks
        self.services = services
        self.before = inventory(stacks.aws.session, *services)
        self.id = ""

    def make(self, resources: Template) -> dict[str, str]:
        """What the outputs say."""
        self.id = self.stacks.create(asking(resources), Capabilities=["CAPABILITY_NAMED_IAM"])
        return self._outputs("CREATE_COMPLETE")

    def change(self, resources: Template) -> dict[str, str]:
        self.stacks.update(self.id, asking(resources), Capabilities=["CAPABILITY_NAMED_IAM"])
        return self._outputs("UPDATE_COMPLETE")

    def end(self, *but: str) -> None:
        """Remove it; nothing is left but what AWS leaves too: the log group that a function makes for itself."""
        assert self.stacks.delete(self.id)["StackStatus"] == "DELETE_COMPLETE", self.stacks.events(self.id)
        assert inventory(self.stacks.aws.session, *self.services) - set(but) == self.before

    def _outputs(self, status: str) -> dict[str, str]:
        stack = self.stacks.described(self.id)
        assert stack["StackStatus"] == status, [
            event for event in self.stacks.events(self.id) if event[1].endswith("FAILED")
        ]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        for name, found in outputs.items():
            assert found not in ("", "None"), f"{name} is {found!r}"
        return outputs


@pytest.fixture
def life(stacks: Stacks) -> Life:
    return Life(stacks)


def changed(resources: Template, name: str, **properties: Any) -> Template:
    """The same resources with other properties for one of them."""
    other = copy.deepcopy(resources)
    other[name]["Properties"].update(properties)
    return other


def test_topics_and_their_subscriptions(life: Life, aws: Aws) -> None:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*"}
    resources = {
        "Topic": resource("SNS::Topic", DisplayName="first", Tags=[{"Key": "a", "Value": "b"}]),
        "Queue": resource("SQS::Queue"),
        "Subscription": resource(
            "SNS::Subscription",
            TopicArn=ref("Topic"),
            Protocol="sqs",
            Endpoint=att("Queue", "Arn"),
            RawMessageDelivery=True,
        ),
        "Policy": resource(
            "SNS::TopicPolicy", Topics=[ref("Topic")], PolicyDocument={"Version": "2012-10-17", "Statement": [allow]}
        ),
    }
    first = life.make(resources)
    assert first["Topic"] == first["TopicTopicArn"] == f"arn:aws:sns:us-east-1:123456789012:{first['TopicTopicName']}"
    aws.sns.publish(TopicArn=first["Topic"], Message="hello")
    [message] = aws.receive(first["Queue"], WaitTimeSeconds=2)
    assert message["Body"] == "hello"
    then = life.change(changed(resources, "Topic", DisplayName="second"))
    assert then == first
    assert aws.sns.get_topic_attributes(TopicArn=first["Topic"])["Attributes"]["DisplayName"] == "second"
    renamed = life.change(changed(resources, "Topic", TopicName=f"topic-{uuid.uuid4().hex[:8]}"))
    assert renamed["Topic"] != first["Topic"]
    assert renamed["Subscription"].startswith(renamed["Topic"])
    life.end()


def test_parameters_and_secrets(life: Life, aws: Aws) -> None:
    generated = {"SecretStringTemplate": '{"user": "u"}', "GenerateStringKey": "password", "PasswordLength": 12}
    resources = {
        "Parameter": resource("SSM::Parameter", Type="String", Value="one", Tags={"a": "b"}),
        "Secret": resource("SecretsManager::Secret", GenerateSecretString=generated),
    }
    first = life.make(resources)
    assert first["ParameterValue"] == "one"
    secret = json.loads(aws.secretsmanager.get_secret_value(SecretId=first["Secret"])["SecretString"])
    assert (secret["user"], len(secret["password"])) == ("u", 12)
    then = life.change(changed(resources, "Parameter", Value="two"))
    assert (then["Parameter"], then["ParameterValue"]) == (first["Parameter"], "two")
    assert aws.ssm.get_parameter(Name=first["Parameter"])["Parameter"]["Value"] == "two"
    life.end()


def test_rules_and_schedules(life: Life, aws: Aws) -> None:
    role = resource("IAM::Role", AssumeRolePolicyDocument=json.loads(TRUST))
    resources = {
        "Queue": resource("SQS::Queue"),
        "Role": role,
        "Rule": resource(
            "Events::Rule", ScheduleExpression="rate(1 hour)", Targets=[{"Id": "queue", "Arn": att("Queue", "Arn")}]
        ),
        "Schedule": resource(
            "Scheduler::Schedule",
            ScheduleExpression="rate(1 hour)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": att("Queue", "Arn"), "RoleArn": att("Role", "Arn")},
        ),
    }
    first = life.make(resources)
    assert [target["Id"] for target in aws.events.list_targets_by_rule(Rule=first["Rule"])["Targets"]] == ["queue"]
    then = life.change(changed(resources, "Schedule", ScheduleExpression="rate(2 hours)"))
    assert then == first
    assert aws.scheduler.get_schedule(Name=first["Schedule"])["ScheduleExpression"] == "rate(2 hours)"
    life.end()


def function(**properties: Any) -> Template:
    return {
        "Role": resource("IAM::Role", AssumeRolePolicyDocument=json.loads(TRUST)),
        "Function": resource(
            "Lambda::Function",
            Runtime="python3.13",
            Handler="index.handler",
            Role=att("Role", "Arn"),
            Code={"ZipFile": HANDLER},
            **properties,
        ),
    }


def test_what_stands_around_a_function(life: Life, aws: Aws) -> None:
    resources = {
        **function(),
        "Version": resource("Lambda::Version", FunctionName=ref("Function")),
        "Alias": resource(
            "Lambda::Alias", FunctionName=ref("Function"), FunctionVersion=att("Version", "Version"), Name="live"
        ),
        "Url": resource(
            "Lambda::Url", TargetFunctionArn=att("Function", "Arn"), AuthType="NONE", InvokeMode="BUFFERED"
        ),
        "Later": resource(
            "Lambda::EventInvokeConfig", FunctionName=ref("Function"), Qualifier="$LATEST", MaximumRetryAttempts=0
        ),
    }
    first = life.make(resources)
    assert first["VersionVersion"] == "1"
    assert first["Alias"].endswith(":live")
    assert aws.invoke(first["Alias"], {"a": 1}) == {"a": 1}
    assert aws.lambda_.get_function_event_invoke_config(FunctionName=first["Function"])["MaximumRetryAttempts"] == 0
    then = life.change(changed(resources, "Url", InvokeMode="RESPONSE_STREAM"))
    assert then["UrlFunctionUrl"] == first["UrlFunctionUrl"]
    assert aws.lambda_.get_function_url_config(FunctionName=first["Function"])["InvokeMode"] == "RESPONSE_STREAM"
    life.end(f"logs DescribeLogGroups /aws/lambda/{first['Function']}")
    aws.logs.delete_log_group(logGroupName=f"/aws/lambda/{first['Function']}")


def test_a_network(life: Life, aws: Aws) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.9.0.0/16"}
    resources = {
        "Vpc": resource("EC2::VPC", CidrBlock="10.9.0.0/16", EnableDnsHostnames=True),
        "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.9.1.0/24", MapPublicIpOnLaunch=True),
        "Gateway": resource("EC2::InternetGateway", Tags=[{"Key": "a", "Value": "b"}]),
        "Attachment": resource("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")),
        "Table": resource("EC2::RouteTable", VpcId=ref("Vpc")),
        "Route": resource(
            "EC2::Route",
            "Attachment",
            RouteTableId=ref("Table"),
            DestinationCidrBlock="0.0.0.0/0",
            GatewayId=ref("Gateway"),
        ),
        "Association": resource("EC2::SubnetRouteTableAssociation", SubnetId=ref("Subnet"), RouteTableId=ref("Table")),
        "Group": resource("EC2::SecurityGroup", GroupDescription="web", VpcId=ref("Vpc"), SecurityGroupIngress=[rule]),
        "Endpoint": resource(
            "EC2::VPCEndpoint",
            VpcId=ref("Vpc"),
            ServiceName="com.amazonaws.us-east-1.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[ref("Table")],
        ),
        "Template": resource("EC2::LaunchTemplate", LaunchTemplateData={"InstanceType": "inf2.xlarge"}),
    }
    first = life.make(resources)
    assert first["SubnetVpcId"] == first["Vpc"]
    assert first["Route"] == f"{first['Table']}|0.0.0.0/0"
    other = changed(resources, "Group", SecurityGroupIngress=[rule | {"FromPort": 80, "ToPort": 80}])
    other = changed(other, "Template", LaunchTemplateData={"InstanceType": "inf2.8xlarge"})
    then = life.change(other)
    [ingress] = aws.ec2.describe_security_groups(GroupIds=[first["Group"]])["SecurityGroups"][0]["IpPermissions"]
    assert ingress["FromPort"] == 80
    assert (first["TemplateLatestVersionNumber"], then["TemplateLatestVersionNumber"]) == ("1", "2")
    life.end()


def test_an_instance(life: Life, aws: Aws) -> None:
    image = aws.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    trust = json.loads(TRUST.replace("lambda", "ec2"))
    resources = {
        "Role": resource("IAM::Role", AssumeRolePolicyDocument=trust),
        "Profile": resource("IAM::InstanceProfile", Roles=[ref("Role")]),
        "Instance": resource(
            "EC2::Instance",
            ImageId=image,
            InstanceType="t3.micro",
            IamInstanceProfile=ref("Profile"),
            UserData=base64.b64encode(b"#!/bin/sh\necho up\n").decode(),
            Tags=[{"Key": "Name", "Value": "one"}],
        ),
    }
    first = life.make(resources)
    asked = aws.ec2.describe_instance_attribute(InstanceId=first["Instance"], Attribute="userData")
    assert base64.b64decode(asked["UserData"]["Value"]).startswith(b"#!/bin/sh")
    life.end()


IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/llama.cpp:server"
CPU = "ml.c7g.16xlarge"
"""An instance type of which an account may run some without asking."""
INSTANT = 20_000.0
"""Time scale at which minutes of starting pass in milliseconds."""


@pytest.fixture
def fast_life(in_process_cloud: Context, inside: Aws) -> Life:
    """A life in a cloud inside this process, in which endpoints come up at once."""
    in_process_cloud.time_scale = INSTANT
    return Life(Stacks(inside), "application-autoscaling", "ec2", "eks", "iam", "sagemaker")


def endpoint(role: Template, **variant: Any) -> Template:
    """A model behind an endpoint."""
    return {
        "Role": role,
        "Model": resource(
            "SageMaker::Model",
            ExecutionRoleArn=att("Role", "Arn"),
            PrimaryContainer={"Image": IMAGE, "Environment": {"HF_MODEL_ID": "Qwen/Qwen3-0.6B"}},
        ),
        "Config": resource(
            "SageMaker::EndpointConfig",
            ProductionVariants=[
                {
                    "VariantName": "main",
                    "ModelName": att("Model", "ModelName"),
                    "InstanceType": CPU,
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": 1,
                    **variant,
                }
            ],
        ),
        "Endpoint": resource("SageMaker::Endpoint", EndpointConfigName=att("Config", "EndpointConfigName")),
    }


def sagemaker_role() -> Template:
    return resource("IAM::Role", AssumeRolePolicyDocument=json.loads(TRUST.replace("lambda", "sagemaker")))


def test_an_endpoint_that_scales(fast_life: Life) -> None:
    life, aws = fast_life, fast_life.stacks.aws
    name = f"endpoint-{uuid.uuid4().hex[:8]}"
    resources = endpoint(sagemaker_role())
    resources["Endpoint"]["Properties"]["EndpointName"] = name
    resources["Target"] = resource(
        "ApplicationAutoScaling::ScalableTarget",
        "Endpoint",
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{name}/variant/main",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
    )
    resources["Policy"] = resource(
        "ApplicationAutoScaling::ScalingPolicy",
        PolicyName=f"policy-{name}",
        PolicyType="TargetTrackingScaling",
        ScalingTargetId=ref("Target"),
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 5,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    )
    first = life.make(resources)
    assert first["Endpoint"].endswith(f":endpoint/{first['EndpointEndpointName']}")
    assert first["Target"] == f"endpoint/{name}/variant/main|sagemaker:variant:DesiredInstanceCount|sagemaker"
    then = life.change(changed(changed(resources, "Target", MaxCapacity=3), "Model", EnableNetworkIsolation=True))
    assert then["Endpoint"] == first["Endpoint"]
    assert then["Model"] != first["Model"]
    assert then["Config"] != first["Config"]
    described = aws.sagemaker.describe_endpoint(EndpointName=name)
    assert described["EndpointConfigName"] == then["ConfigEndpointConfigName"]
    asked = {"ServiceNamespace": "sagemaker", "ResourceIds": [f"endpoint/{name}/variant/main"]}
    [target] = aws.session.client("application-autoscaling").describe_scalable_targets(**asked)["ScalableTargets"]
    assert target["MaxCapacity"] == 3
    life.end()


def test_an_endpoint_that_cannot_be_rolls_the_stack_back(fast_life: Life) -> None:
    stacks = fast_life.stacks
    stack_id = stacks.create(
        {"Resources": endpoint(sagemaker_role(), InstanceType="ml.nosuch.large")}, Capabilities=["CAPABILITY_IAM"]
    )
    assert stacks.status(stack_id) == "ROLLBACK_COMPLETE"
    [reason] = [why for name, status, why in stacks.events(stack_id) if (name, status) == ("Config", "CREATE_FAILED")]
    assert "InstanceType" in reason or "instanceType" in reason
    stacks.delete(stack_id)
    assert inventory(stacks.aws.session, *fast_life.services) == fast_life.before


def test_an_http_api(life: Life, aws: Aws) -> None:
    resources = {
        **function(),
        "Api": resource("ApiGatewayV2::Api", Name="line", ProtocolType="HTTP"),
        "Integration": resource(
            "ApiGatewayV2::Integration",
            ApiId=ref("Api"),
            IntegrationType="AWS_PROXY",
            IntegrationUri=att("Function", "Arn"),
            PayloadFormatVersion="2.0",
        ),
        "Route": resource(
            "ApiGatewayV2::Route",
            ApiId=ref("Api"),
            RouteKey="POST /jobs",
            Target={"Fn::Join": ["/", ["integrations", ref("Integration")]]},
        ),
        "Stage": resource("ApiGatewayV2::Stage", ApiId=ref("Api"), StageName="$default", AutoDeploy=True),
        "Authorizer": resource(
            "ApiGatewayV2::Authorizer",
            ApiId=ref("Api"),
            AuthorizerType="JWT",
            IdentitySource=["$request.header.Authorization"],
            JwtConfiguration={"Issuer": "https://example.com", "Audience": ["line"]},
            Name="who",
        ),
    }
    first = life.make(resources)
    assert first["Api"] == first["ApiApiId"]
    then = life.change(changed(resources, "Route", RouteKey="PUT /jobs"))
    assert then["Route"] == first["Route"]
    assert aws.apigatewayv2.get_route(ApiId=first["Api"], RouteId=first["Route"])["RouteKey"] == "PUT /jobs"
    life.end()


def test_an_events_api(life: Life, aws: Aws) -> None:
    keys = [{"AuthType": "API_KEY"}]
    modes = {"ConnectionAuthModes": keys, "DefaultPublishAuthModes": keys, "DefaultSubscribeAuthModes": keys}
    resources = {
        "Api": resource("AppSync::Api", Name="answers", EventConfig={"AuthProviders": keys, **modes}),
        "Namespace": resource("AppSync::ChannelNamespace", ApiId=att("Api", "ApiId"), Name="jobs"),
        "Key": resource("AppSync::ApiKey", ApiId=att("Api", "ApiId"), Description="first"),
    }
    first = life.make(resources)
    assert first["Api"].endswith(first["ApiApiId"])
    then = life.change(changed(resources, "Namespace", Name="others"))
    assert then["Namespace"] != first["Namespace"]
    assert [
        space["name"] for space in aws.appsync.list_channel_namespaces(apiId=first["ApiApiId"])["channelNamespaces"]
    ] == ["others"]
    life.end()


def test_a_cluster(fast_life: Life) -> None:
    life = fast_life
    trust = json.loads(TRUST.replace("lambda", "eks"))
    resources = {
        "Role": resource("IAM::Role", AssumeRolePolicyDocument=trust),
        "NodeRole": resource("IAM::Role", AssumeRolePolicyDocument=json.loads(TRUST.replace("lambda", "ec2"))),
        "Vpc": resource("EC2::VPC", CidrBlock="10.8.0.0/16"),
        "One": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.8.1.0/24", AvailabilityZone="us-east-1a"),
        "Two": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.8.2.0/24", AvailabilityZone="us-east-1b"),
        "Cluster": resource(
            "EKS::Cluster", RoleArn=att("Role", "Arn"), ResourcesVpcConfig={"SubnetIds": [ref("One"), ref("Two")]}
        ),
        "Nodes": resource(
            "EKS::Nodegroup",
            ClusterName=ref("Cluster"),
            NodeRole=att("NodeRole", "Arn"),
            Subnets=[ref("One"), ref("Two")],
            InstanceTypes=["t3.medium"],
            ScalingConfig={"MinSize": 1, "MaxSize": 2, "DesiredSize": 1},
        ),
    }
    first = life.make(resources)
    assert first["Nodes"] == f"{first['Cluster']}/{first['NodesNodegroupName']}"
    life.end()


def test_guardrails_and_application_inference_profiles(life: Life) -> None:
    resources = {
        "Profile": resource(
            "Bedrock::ApplicationInferenceProfile",
            InferenceProfileName=f"profile-{uuid.uuid4().hex[:8]}",
            ModelSource={"CopyFrom": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"},
        ),
    }
    first = life.make(resources)
    assert first["Profile"] == first["ProfileInferenceProfileArn"]
    life.end()
