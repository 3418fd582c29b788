"""Endpoint configurations: what is checked when one is made, and what is kept."""

from typing import Any

from labs import facts
from labs.cloud.services.sagemaker_hosting import Hosting, Stored, Told, page
from labs.cloud.services.sagemaker_validation import refused
from labs.facts import catalogue

MB_STEP = 1024
"""Memory of a serverless endpoint comes in steps of this many MB."""


def create(hosting: Hosting, params: Told) -> Told:
    """CreateEndpointConfig."""
    name = params["EndpointConfigName"]
    arn = hosting.arn("endpoint-config", name)
    if name in hosting.configs:
        raise refused(f'Cannot create already existing endpoint configuration "{arn}".')
    variants, shadows = params["ProductionVariants"], params.get("ShadowProductionVariants") or []
    names = [variant["VariantName"] for variant in (*variants, *shadows)]
    if twice := next((each for each in names if names.count(each) > 1), None):
        raise refused(f"VariantName must be unique; '{twice}' is given more than once.")
    for variant in (*variants, *shadows):
        check_variant(hosting, params, variant)
    if shadows:
        check_shadows(params, variants, shadows)
    hosting.configs[name] = Stored(name, arn, params)
    hosting.tag(arn, params.get("Tags"))
    return {"EndpointConfigArn": arn}


def describe(hosting: Hosting, params: Told) -> Told:
    """DescribeEndpointConfig."""
    config = hosting.config(params["EndpointConfigName"])
    said = {key: value for key, value in config.params.items() if key != "Tags"}
    for kind in ("ProductionVariants", "ShadowProductionVariants"):
        if kind in said:
            said[kind] = [{"InitialVariantWeight": 1.0, **variant} for variant in said[kind]]
    return {**said, "EndpointConfigArn": config.arn, "CreationTime": config.created}


def delete(hosting: Hosting, params: Told) -> Told:
    """DeleteEndpointConfig. AWS lets you delete one that an endpoint uses, and says that you must not while the endpoint is being made or changed."""
    config = hosting.config(params["EndpointConfigName"])
    for endpoint in hosting.endpoints.values():
        if endpoint.status in ("Creating", "Updating", "RollingBack") and config.name in endpoint.configs_in_use:
            raise refused(
                f'Cannot delete endpoint configuration "{config.arn}" while endpoint "{endpoint.arn}" is {endpoint.status}.'
            )
    del hosting.configs[config.name]
    hosting.forget(config.arn)
    return {}


def listed(hosting: Hosting, params: Told) -> Told:
    """ListEndpointConfigs."""
    items = [
        {"EndpointConfigName": c.name, "EndpointConfigArn": c.arn, "CreationTime": c.created}
        for c in hosting.configs.values()
    ]
    return page(params, items, "EndpointConfig", "EndpointConfigs")


# -- checks


def check_variant(hosting: Hosting, params: Told, variant: Told) -> None:
    """One variant: it is serverless or on instances, has a model or awaits inference components, and its settings go together."""
    name = variant["VariantName"]
    if variant.get("InstancePools"):
        raise refused(f"The local cloud has no instance pools; give variant {name} one InstanceType.")
    if serverless := variant.get("ServerlessConfig"):
        check_serverless(params, variant, serverless)
    elif not variant.get("InstanceType"):
        raise refused(f"Either InstanceType or ServerlessConfig must be specified for variant {name}.")
    elif not variant.get("InitialInstanceCount") and not managed(variant):
        raise refused(f"InitialInstanceCount is required for variant {name}.")
    if variant.get("ModelName"):
        hosting.model(variant["ModelName"])
        if managed(variant):
            raise refused(
                f"ManagedInstanceScaling is for variants that host inference components; variant {name} names a model."
            )
    elif variant.get("ServerlessConfig"):
        raise refused(f"ModelName is required for serverless variant {name}.")
    else:
        check_component_variant(params, variant)
    check_ami(variant)


def check_component_variant(params: Told, variant: Told) -> None:
    """A variant without a model awaits inference components; its containers' role stands in the configuration."""
    name = variant["VariantName"]
    if not params.get("ExecutionRoleArn"):
        raise refused(
            "ExecutionRoleArn is required in the endpoint configuration when a production variant names no model."
        )
    if params.get("AsyncInferenceConfig"):
        raise refused(f"Asynchronous inference does not host inference components; name a model in variant {name}.")
    scaling = variant.get("ManagedInstanceScaling") or {}
    if scaling.get("MinInstanceCount", 0) > scaling.get("MaxInstanceCount", 1 << 31):
        raise refused(f"MinInstanceCount must not exceed MaxInstanceCount in variant {name}.")


def check_serverless(params: Told, variant: Told, serverless: dict[str, Any]) -> None:
    """Serverless variants have their own limits and none of an instance's settings."""
    name, memory = variant["VariantName"], serverless["MemorySizeInMB"]
    if memory % MB_STEP:
        steps = ", ".join(
            str(mb)
            for mb in range(
                int(facts.number("sagemaker.serverless.memory_min_mb")),
                int(facts.number("sagemaker.serverless.memory_max_mb")) + 1,
                MB_STEP,
            )
        )
        raise refused(
            f"1 validation error detected: Value '{memory}' at 'productionVariants.1.member.serverlessConfig.memorySizeInMB' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{steps}]"
        )
    if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
        raise refused(f"ProvisionedConcurrency must be less than or equal to MaxConcurrency in variant {name}.")
    for setting in (
        "InstanceType",
        "InitialInstanceCount",
        "ManagedInstanceScaling",
        "InferenceAmiVersion",
        "RoutingConfig",
    ):
        if variant.get(setting):
            raise refused(f"{setting} and ServerlessConfig cannot both be specified for variant {name}.")
    for setting in ("AsyncInferenceConfig", "DataCaptureConfig", "VpcConfig", "ShadowProductionVariants"):
        if params.get(setting):
            raise refused(f"{setting} is not supported for serverless endpoints.")
    if len(params["ProductionVariants"]) > 1:
        raise refused("Serverless endpoints have one production variant.")


def check_shadows(params: Told, variants: list[Told], shadows: list[Told]) -> None:
    """Shadow tests: one variant and its shadow, on a real-time endpoint."""
    if params.get("AsyncInferenceConfig"):
        raise refused("ShadowProductionVariants are not supported for asynchronous endpoints.")
    if len(variants) != 1 or len(shadows) != 1:
        raise refused("A shadow test has exactly one production variant and one shadow variant.")
    if not all(variant.get("ModelName") for variant in (*variants, *shadows)):
        raise refused("Shadow tests need a model in the production variant and in its shadow.")


def check_ami(variant: Told) -> None:
    """The instance's system must have the driver of its accelerator."""
    version, instance_type = variant.get("InferenceAmiVersion"), variant.get("InstanceType")
    if not version or not instance_type:
        return
    entry = catalogue.instances().get(instance_type)
    kind = catalogue.accelerator(entry.accelerator).kind if entry else None
    if kind is not None and ("neuron" in version) != (kind == "neuron"):
        raise refused(f"InferenceAmiVersion {version} is not supported for instance type {instance_type}.")


def managed(variant: Told) -> bool:
    """Does SageMaker choose the number of instances?"""
    scaling = variant.get("ManagedInstanceScaling") or {}
    return bool(scaling) and scaling.get("Status", "ENABLED") == "ENABLED"
