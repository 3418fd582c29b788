"""From what was named on the command line to an endpoint, the cloud that it is in, and whether its timing is predicted or measured."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from labs import cloud, targets
from labs.bench.cost import Price, price_of
from labs.bench.endpoints import Endpoint
from labs.bench.endpoints.bedrock import OPERATIONS as BEDROCK_OPERATIONS
from labs.bench.endpoints.bedrock import Bedrock
from labs.bench.endpoints.openai import APIS, OpenAi
from labs.bench.endpoints.sagemaker import OPERATIONS as SAGEMAKER_OPERATIONS
from labs.bench.endpoints.sagemaker import SageMaker
from labs.bench.endpoints.squid import ThroughSquid, ThroughSquidByPush
from labs.bench.records import Provenance
from labs.cloud import Cloud, environment, server, state
from labs.cloud.guard import is_loopback_url
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from labs.squid.client import Squid
from labs.targets import Address, Kind, Site, Target
from labs.targets import options as target_options
from labs.targets.calling import converse_settings


@dataclass(frozen=True)
class Place:
    """An endpoint that can be measured."""

    name: str
    endpoint: Endpoint
    address: str
    provenance: Provenance
    note: str
    only_loopback: bool
    target: str = ""
    """the target that answers, where it is one of the course's: it has a price"""
    hardware: Mapping[str, Any] = field(default_factory=dict)
    """what the deployment says that it stands on: instance type, replicas"""
    deployed: tuple[Target, Site] | None = None
    """the target with its options, and where it stands: whose calls they are"""

    def describe(self) -> dict[str, Any]:
        """For the record of a run."""
        return {"name": self.name, "address": self.address, **self.hardware, **self.endpoint.describe()}

    def price(self) -> Price | None:
        """Its list price of today, as far as the register knows one."""
        return price_of({**self.describe(), "name": self.target})


@dataclass(frozen=True)
class Options:
    """How to call what was named."""

    api: str | None = None
    model: str = ""
    format: str = ""
    component: str = ""
    bucket: str = ""
    extra: Mapping[str, Any] | None = None
    real: bool = False


class Clouds:
    """The cloud of this command: entered when the first endpoint needs it, and only then."""

    def __init__(self, real: bool, tell: Callable[[str], object]) -> None:
        self._real, self._tell = real, tell
        self._cloud: Cloud | None = None

    def main(self) -> Cloud:
        """The local cloud, or AWS where that was asked for."""
        if self._cloud is None:
            self._cloud = cloud.connect(real=True) if self._real else cloud.connect(real=False)
            self._tell(str(self._cloud))
        return self._cloud

    @property
    def entered(self) -> Cloud | None:
        """That cloud, where an endpoint needed it; None where every endpoint has an address of its own."""
        return self._cloud

    def service(self, variable: str) -> tuple[str, bool]:
        """The address that calls of a service go to, and whether it must be on this machine.

        A service that the environment names by its own variable is called there, and no local cloud is started for it.
        """
        named = os.environ.get(variable, "")
        if named and not self._real and self._cloud is None:
            if not is_loopback_url(named):
                raise Refusal(
                    f"{variable} names {named}, which is not on this machine; say --real to call it with your own credentials",
                    NOT_READY,
                )
            environment.enter(named)
            self._tell(f"Calling {named}, which {variable} names.")
            return named, True
        where = self.main()
        return where.endpoint_url or f"AWS, {where.region}", not where.real


def bedrock(model_id: str, options: Options, clouds: Clouds) -> Place:
    """A model of Bedrock."""
    operation = _choice(options.api, BEDROCK_OPERATIONS, "Bedrock")
    address, only_loopback = clouds.service("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
    endpoint = Bedrock(model_id, operation, options.format, options.extra or {})  # type: ignore[arg-type]
    return _place(model_id, endpoint, address, only_loopback)


def sagemaker(name: str, options: Options, clouds: Clouds) -> Place:
    """A SageMaker endpoint."""
    operation = _choice(options.api, SAGEMAKER_OPERATIONS, "SageMaker")
    address, only_loopback = clouds.service("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME")
    endpoint = SageMaker(
        name,
        operation,  # type: ignore[arg-type]
        options.format or "messages",  # type: ignore[arg-type]
        options.component,
        options.bucket,
        options.extra or {},
    )
    return _place(name, endpoint, address, only_loopback)


def openai(url: str, options: Options) -> Place:
    """A server of OpenAI's API, or Triton's own, at an address of its own."""
    api = _choice(options.api, APIS, "such a server")
    if not options.model:
        raise Refusal("name the model that the server at this address holds: --model NAME", USAGE)
    endpoint = OpenAi(url, options.model, api, extra=options.extra or {})  # type: ignore[arg-type]
    return _place(f"{options.model} at {url}", endpoint, url, only_loopback=False)


def through_squid(stack: str, clouds: Clouds, target: str | None, *, push: bool = False) -> Place:
    """A SQUID stack; `target` is what is expected to answer behind it. With `push`, its pieces are listened for."""
    where = clouds.main()
    squid = Squid(stack)
    if target is not None and squid.target != target:
        raise Refusal(
            f"the stack '{stack}' stands in front of {squid.target}, not of {target}; "
            f"'lab deploy squid --target {target} --name OTHER' makes one that does, --stack OTHER names it",
            FALSE,
        )
    address = where.endpoint_url or f"AWS, {where.region}"
    endpoint = ThroughSquidByPush(stack) if push else ThroughSquid(stack)
    place = _place(f"{squid.target} through {stack}", endpoint, address, not where.real)
    return replace(place, target=squid.target)


def target(name: str, options: Options, clouds: Clouds) -> Place:
    """A deployed target, at the address that it gives."""
    make = targets.get(name)
    where = clouds.main()
    chosen = target_options.make(name, make, model_id=options.model or None)
    return standing(chosen, Site(where, name), options)


def standing(chosen: Target, site: Site, options: Options) -> Place:
    """A target with its options, where it stands."""
    name, where = chosen.name, site.cloud
    if Kind.ONLINE not in chosen.kinds:
        raise Refusal(
            f"{name} does not answer calls ({', '.join(chosen.kinds)}), so there is no latency to measure", USAGE
        )
    address, describe = chosen.address(site), getattr(chosen, "describe", None)  # a target without hardware has none
    endpoint = _of_address(address, options, Kind.STREAMING in chosen.kinds)
    place = address.location if address.protocol == "openai" else where.endpoint_url or f"AWS, {where.region}"
    found = _place(name, endpoint, place, not where.real, local=not where.real)
    return replace(found, target=name, hardware=describe(site) if describe else {}, deployed=(chosen, site))


def _of_address(address: Address, options: Options, streams: bool) -> Endpoint:
    extra = options.extra or {}
    match address.protocol:
        case "converse":
            api = _choice(options.api, BEDROCK_OPERATIONS if streams else ("converse", "invoke"), "this target")
            if api.startswith("converse"):  # InvokeModel takes none of it in its body
                extra = {**converse_settings(address), **extra}
            return Bedrock(address.location, api, options.format, extra)  # type: ignore[arg-type]
        case "bedrock-chat":
            return Bedrock(address.location, "invoke-with-response-stream" if streams else "invoke", "openai", extra)
        case "sagemaker":
            api = _choice(options.api, SAGEMAKER_OPERATIONS if streams else ("invoke", "async"), "this target")
            return SageMaker(
                address.location,
                api,  # type: ignore[arg-type]
                options.format or "messages",  # type: ignore[arg-type]
                address.component or options.component,
                options.bucket,
                extra,
            )
        case "openai":
            api = _choice(options.api, APIS, "this target")
            return OpenAi(address.location, address.model or options.model, api, streams, extra)  # type: ignore[arg-type]
    raise Refusal(f"nothing here speaks {address.protocol}", FALSE)


def _choice(api: str | None, known: tuple[str, ...], whose: str) -> str:
    """The API that was asked for, else the first."""
    if api is not None and api not in known:
        raise Refusal(f"--api {api} is none of {whose}: it has {', '.join(known)}", USAGE)
    return api or known[0]


def _place(name: str, endpoint: Endpoint, address: str, only_loopback: bool, *, local: bool | None = None) -> Place:
    if local is None:
        record = server.running(state.home_folder())
        local = record is not None and address.rstrip("/").startswith(record.endpoint_url.rstrip("/"))
    if local:
        return Place(
            name, endpoint, address, "predicted", f"{state.PROVENANCE}, offered to the local cloud", only_loopback
        )
    return Place(name, endpoint, address, "measured", f"measured at {address}", only_loopback)
