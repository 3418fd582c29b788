"""AppSync Events: moto keeps the Event APIs, here they are served.

`dns` of an Event API is {"HTTP": "127.0.0.1:PORT", "REALTIME": "127.0.0.1:PORT"}: a name with which clients build addresses as on AWS,
https://HTTP/event and wss://REALTIME/event/realtime, which `labs.cloud.addresses.without_tls` turns into what loopback speaks.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): an Event API answers nowhere; its keys are not keys as
AppSync makes them, and one that is not there breaks moto; UpdateApi, GetChannelNamespace and UpdateChannelNamespace do not exist; any event configuration is accepted, and a
namespace may be made twice.
"""

import secrets
import string
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services import core
from labs.cloud.services.appsync_channels import Limits
from labs.cloud.services.errors import ServiceError

AUTH_TYPES = ("API_KEY", "AWS_IAM")
KEY_ALPHABET = string.ascii_lowercase + string.digits


def install(context: Context) -> None:
    """Serve Event APIs."""
    core.install(context)
    from moto.appsync.models import AppSyncBackend, EventsAPI, EventsAPIKey
    from moto.appsync.responses import AppSyncResponse
    from moto.core.responses import ActionResult

    from labs.cloud.services.appsync_events import EventApi, Loop

    limits, loop = Limits.of_appsync(), Loop()
    served: dict[str, EventApi] = {}

    def close() -> None:
        for api in served.values():
            api.close()
        loop.close()

    context.on_close(close)

    def new_api(self: Any, **given: Any) -> None:
        check_config(given.get("event_config"))
        new_api_before(self, **given)
        served[self.api_id] = EventApi(self, limits, loop)
        self.dns = {"HTTP": served[self.api_id].authority, "REALTIME": served[self.api_id].authority}

    def new_key(self: Any, description: str, expires: Any) -> None:
        new_key_before(self, description, expires)
        self.key_id = "da2-" + "".join(secrets.choice(KEY_ALPHABET) for _ in range(26))

    def delete_api(self: Any, api_id: str) -> None:
        if api_id not in self.events_apis:
            raise not_found(f"Event API {api_id} not found.")
        delete_api_before(self, api_id)
        served.pop(api_id).close()

    def with_key(before: Any) -> Any:
        """An API key's operation, refused where there is no such key."""

        def answer(self: Any, api_id: str, api_key_id: str, **given: Any) -> Any:
            if not any(key.key_id == api_key_id for key in self.list_api_keys(api_id)):
                raise not_found(f"API key {api_key_id} not found.")
            return before(self, api_id, api_key_id, **given)

        return answer

    def create_channel_namespace(self: Any, **given: Any) -> Any:
        check_namespace(given.get("code_handlers"), given.get("handler_configs"))
        for key in ("subscribe_auth_modes", "publish_auth_modes"):
            check_modes(given.get(key) or [], providers_of(self, given["api_id"]))
        if any(namespace.name == given["name"] for namespace in self.list_channel_namespaces(given["api_id"])):
            raise ServiceError("ConflictException", f"Channel namespace {given['name']} already exists.")
        return create_channel_namespace_before(self, **given)

    def update_api(self: Any) -> Any:
        api = self.appsync_backend.get_api(self._get_param("apiId"))
        config = self._get_param("eventConfig")
        check_config(config)
        api.event_config, api.name = config, self._get_param("name") or api.name
        if self._get_param("ownerContact") is not None:
            api.owner_contact = self._get_param("ownerContact")
        return self.get_api()

    def get_channel_namespace(self: Any) -> Any:
        return ActionResult({"channelNamespace": namespace_json(found(self), self.appsync_backend)})

    def update_channel_namespace(self: Any) -> Any:
        namespace = found(self)
        check_namespace(self._get_param("codeHandlers"), self._get_param("handlerConfigs"))
        providers = providers_of(self.appsync_backend, namespace.api_id)
        for name, attribute in (
            ("subscribeAuthModes", "subscribe_auth_modes"),
            ("publishAuthModes", "publish_auth_modes"),
        ):
            modes = self._get_param(name) or []
            check_modes(modes, providers)
            setattr(namespace, attribute, modes)
        return ActionResult({"channelNamespace": namespace_json(namespace, self.appsync_backend)})

    new_api_before = context.patch(EventsAPI, "__init__", new_api)
    new_key_before = context.patch(EventsAPIKey, "__init__", new_key)
    delete_api_before = context.patch(AppSyncBackend, "delete_api", delete_api)
    for name in ("delete_api_key", "update_api_key"):
        context.patch(AppSyncBackend, name, with_key(getattr(AppSyncBackend, name)))
    create_channel_namespace_before = context.patch(
        AppSyncBackend, "create_channel_namespace", create_channel_namespace
    )
    for action in (update_api, get_channel_namespace, update_channel_namespace):
        context.patch(AppSyncResponse, action.__name__, action)


def bad_request(message: str) -> ServiceError:
    return ServiceError("BadRequestException", message)


def not_found(message: str) -> ServiceError:
    return ServiceError("NotFoundException", message)


def found(response: Any) -> Any:
    """The channel namespace that a request names."""
    name = response._get_param("name")
    for namespace in response.appsync_backend.list_channel_namespaces(response._get_param("apiId")):
        if namespace.name == name:
            return namespace
    raise not_found(f"Channel namespace {name} not found.")


def namespace_json(namespace: Any, backend: Any) -> dict[str, Any]:
    return {
        "apiId": namespace.api_id,
        "name": namespace.name,
        "subscribeAuthModes": namespace.subscribe_auth_modes or [],
        "publishAuthModes": namespace.publish_auth_modes or [],
        "channelNamespaceArn": namespace.channel_namespace_arn,
        "created": namespace.created,
        "lastModified": namespace.last_modified,
        "handlerConfigs": namespace.handler_configs,
        "tags": backend.list_tags_for_resource(namespace.channel_namespace_arn),
    }


def providers_of(backend: Any, api_id: str) -> set[str]:
    config = backend.get_api(api_id).event_config or {}
    return {str(provider["authType"]) for provider in config.get("authProviders") or ()}


def check_config(config: dict[str, Any] | None) -> None:
    """Refuse an event configuration with which nobody could connect, or that is not checked here."""
    providers = {str(provider.get("authType")) for provider in (config or {}).get("authProviders") or ()}
    if config is None or not providers:
        raise bad_request("eventConfig with at least one auth provider is required.")
    if unknown := sorted(providers - set(AUTH_TYPES)):
        raise bad_request(f"The local cloud checks {' and '.join(AUTH_TYPES)}, not {', '.join(unknown)}.")
    for key in ("connectionAuthModes", "defaultPublishAuthModes", "defaultSubscribeAuthModes"):
        if not config.get(key):
            raise bad_request(f"{key} must not be empty.")
        check_modes(config[key], providers)


def check_modes(modes: list[dict[str, str]], providers: set[str]) -> None:
    if missing := sorted({str(mode.get("authType")) for mode in modes} - providers):
        raise bad_request(f"Auth mode {', '.join(missing)} is not one of the API's auth providers.")


def check_namespace(code: Any, handlers: Any) -> None:
    """Refuse what would have to run on AppSync."""
    if code or handlers:
        raise bad_request("The local cloud's channel namespaces have no handlers. On AWS this one may well be right.")
