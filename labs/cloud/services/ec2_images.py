"""Machine images by their public names in Parameter Store: those that the course's templates ask for.

Moto 5.2.5 knows Amazon Linux and ECS images only; the Deep Learning images for GPUs and Neuron are missing.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services import core

PREFIXES = ("/aws/service/deeplearning/ami/", "/aws/service/neuron/dlami/")
NAMES = (
    *(
        f"/aws/service/deeplearning/ami/{architecture}/base-oss-nvidia-driver-gpu-{system}/latest/ami-id"
        for architecture in ("x86_64", "arm64")
        for system in ("amazon-linux-2023", "ubuntu-22.04", "ubuntu-24.04")
    ),
    *(
        f"/aws/service/neuron/dlami/{flavour}/{system}/latest/image_id"
        for flavour in ("base", "multi-framework", "pytorch-2.9")
        for system in ("amazon-linux-2023", "ubuntu-22.04", "ubuntu-24.04")
    ),
)


def install(context: Context) -> None:
    """Let Parameter Store answer for them."""
    core.install(context)
    from moto.ssm.models import Parameter, ParameterDict

    def check_loading_status(self: Any, key: str) -> None:
        check_before(self, key)
        if str(key or "").startswith(PREFIXES) and not self.__dict__.get("machine_images_loaded"):
            self.machine_images_loaded = True
            for name in NAMES:
                identifier = "ami-" + hashlib.sha256(f"{name}{self.region_name}".encode()).hexdigest()[:17]
                parameter = Parameter(  # type: ignore[abstract]  # moto makes them so, too
                    account_id=self.account_id,
                    name=name,
                    value=identifier,
                    parameter_type="String",
                    description=None,
                    allowed_pattern=None,
                    keyid=None,
                    last_modified_date=datetime(2026, 10, 1, tzinfo=UTC),
                    version=1,
                    data_type="aws:ec2:image",
                )
                super(ParameterDict, self).__getitem__(name).append(parameter)

    check_before = context.patch(ParameterDict, "_check_loading_status", check_loading_status)
