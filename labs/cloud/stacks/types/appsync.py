"""AWS::AppSync::* for Events APIs."""

from typing import Any

from labs.cloud.stacks.types.base import Work
from labs.cloud.stacks.types.simple import SimpleType


class Api(SimpleType):
    name = "AWS::AppSync::Api"
    service, creates, updates, deletes = "appsync", "CreateApi", "UpdateApi", "DeleteApi"
    given = frozenset({"EventConfig", "Name", "OwnerContact"})
    kept = (("apiId", "ApiId"),)
    tags_as = "tags"
    tagged_by = "ApiArn"
    attributes = frozenset({"ApiArn", "ApiId", "Dns.Http", "Dns.Realtime"})

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        api = answer["api"]
        work.made(api["apiArn"], ApiArn=api["apiArn"], ApiId=api["apiId"])
        dns = api.get("dns") or {}
        work.attributes.update({"Dns.Http": dns.get("HTTP"), "Dns.Realtime": dns.get("REALTIME")})


class ChannelNamespace(SimpleType):
    name = "AWS::AppSync::ChannelNamespace"
    service = "appsync"
    creates, updates, deletes = "CreateChannelNamespace", "UpdateChannelNamespace", "DeleteChannelNamespace"
    given = frozenset({"ApiId", "CodeHandlers", "HandlerConfigs", "Name", "PublishAuthModes", "SubscribeAuthModes"})
    kept = (
        ("apiId", "ApiId"),
        ("name", "Name"),
    )
    tags_as = "tags"
    tagged_by = "ChannelNamespaceArn"
    attributes = frozenset({"ChannelNamespaceArn"})

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        made = answer["channelNamespace"]
        arn = made["channelNamespaceArn"]
        work.made(arn, ChannelNamespaceArn=arn, ApiId=made["apiId"], Name=made["name"])


class ApiKey(SimpleType):
    name = "AWS::AppSync::ApiKey"
    service, creates, updates, deletes = "appsync", "CreateApiKey", "UpdateApiKey", "DeleteApiKey"
    given = frozenset({"ApiId", "Description", "Expires"})
    kept = (
        ("apiId", "ApiId"),
        ("id", "ApiKeyId"),
    )
    attributes = frozenset({"ApiKey", "ApiKeyId", "Arn"})

    def note(self, work: Work, answer: dict[str, Any]) -> None:
        region, account = work.stack_id.split(":")[3:5]
        key, api = answer["apiKey"]["id"], work.properties["ApiId"]
        arn = f"arn:aws:appsync:{region}:{account}:apis/{api}/apikeys/{key}"
        # what a client sends as x-api-key is the key's id
        work.made(arn, Arn=arn, ApiKey=key, ApiKeyId=key, ApiId=api)


TYPES = (Api(), ChannelNamespace(), ApiKey())
