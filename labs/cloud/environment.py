"""Which cloud this process talks to. Configuration is the only switch, and it fails closed: towards the local cloud.

    from labs import cloud
    cloud.connect()            # this process: the local cloud, started if it is not up
    cloud.connect(real=True)   # this process: real AWS, asked for
    subprocess.run(command, env=environment.local_environment(endpoint_url))

Everything in the environment that botocore would follow elsewhere (endpoints, profiles, credentials of every kind, proxies for loopback) is
taken out or pointed at files of ours. Neither boto3 code nor templates need to know.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labs.cloud.context import ACCOUNT_ID, REGION
from labs.cloud.guard import is_loopback_url
from labs.errors import NOT_READY, Refusal

ACCESS_KEY_ID = "LOCALCLOUDNOTAREALKEY"
SECRET_ACCESS_KEY = "local-cloud-no-secret-here"

HOW_TO_REAL = "Real AWS has to be asked for: connect(real=True), '--real', or the kernel named for it."
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Cloud:
    """The cloud that this process talks to from now on."""

    endpoint_url: str | None
    """None for real AWS: each service has its own."""
    region: str
    account_id: str
    real: bool = False
    identity: str = ""
    """Who we are there (an ARN); empty on the local cloud."""

    def __str__(self) -> str:
        if self.real:
            return f"REAL AWS, account {self.account_id}, {self.region}, as {self.identity}. What you create here costs money."
        return f"Local cloud at {self.endpoint_url}, account {self.account_id} (made up), {self.region}. Nothing here costs money."


def local_environment(
    endpoint_url: str, base: Mapping[str, str] = os.environ, *, home: Path | None = None
) -> dict[str, str]:
    """A copy of `base` in which AWS means the local cloud at `endpoint_url`, whatever `base` said of AWS.

    Raises Refusal when `endpoint_url` is not on this machine's loopback interface.
    """
    from labs.cloud import state

    if not is_loopback_url(endpoint_url):
        raise Refusal(
            f"The local cloud is always on this machine, and {endpoint_url} is not a loopback address. {HOW_TO_REAL}",
            NOT_READY,
        )
    home = home or state.home_folder()
    config, credentials = _aws_files(home, endpoint_url)
    clean = {name: value for name, value in base.items() if not is_aws_variable(name)}
    for name in ("NO_PROXY", "no_proxy"):
        exempt = [host.strip() for host in clean.get(name, "").split(",") if host.strip()]
        clean[name] = ",".join([*exempt, *(host for host in LOOPBACK_HOSTS if host not in exempt)])
    closed = closed_environment(endpoint_url)
    return (
        clean
        | closed
        | {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials), "LAB_HOME": str(home)}
    )


def closed_environment(endpoint_url: str) -> dict[str, str]:
    """The AWS variables that lead to `endpoint_url` and nowhere else, with no configuration file behind them."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Some services' host names carry the account (https://ACCOUNT.service...); with an endpoint of our own they must not.
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    }


def is_aws_variable(name: str) -> bool:
    """Would an AWS SDK read this variable, or moto, or boto's older self?"""
    upper = name.upper()
    return upper.startswith(("AWS_", "MOTO_")) or upper in ("BOTO_CONFIG", "BOTO_PATH", "S3_USE_SIGV4", "EC2_USE_SIGV4")


def _aws_files(home: Path, endpoint_url: str) -> tuple[Path, Path]:
    """The configuration and credentials files that stand in for ~/.aws: should a library drop our variables and keep these two, it still ends here."""
    from labs.cloud import state

    try:
        state.ensure_home(home)
    except Refusal:  # nowhere to put them; the variables lead here without them
        return Path(os.devnull), Path(os.devnull)
    config, credentials = home / "aws-config", home / "aws-credentials"
    wanted = {
        config: f"[default]\nregion = {REGION}\nendpoint_url = {endpoint_url}\naccount_id_endpoint_mode = disabled\n",
        credentials: f"[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n",
    }
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            state.write_private(path, text)
    return config, credentials


_before: dict[str, str] | None = None
"""What this process's environment was before it entered the local cloud."""
_only_loopback = False
"""Is the way out barred?"""
_real_by_default = False


def enter(endpoint_url: str, *, home: Path | None = None) -> None:
    """Make this process's AWS the local cloud at `endpoint_url`, until `leave`."""
    global _before, _only_loopback
    wanted = local_environment(endpoint_url, home=home)
    if _before is None:
        _before = dict(os.environ)
    _replace_environment(wanted)
    _only_loopback = True
    _bar_the_way_out()


def leave() -> None:
    """Give this process its own AWS configuration back; what it inherited of ours from its parent goes too."""
    global _before, _only_loopback
    before = dict(os.environ) if _before is None else _before
    _before, _only_loopback = None, False
    if before.get("AWS_ACCESS_KEY_ID") == ACCESS_KEY_ID:
        before = {name: value for name, value in before.items() if not is_aws_variable(name)}
    _replace_environment(before)


def _replace_environment(wanted: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
    if "boto3" in sys.modules:  # its default session would still hold the old configuration
        setattr(sys.modules["boto3"], "DEFAULT_SESSION", None)  # noqa: B010 - boto3's stubs do not know it


def _bar_the_way_out() -> None:
    """A second lock: a client with an endpoint of its own (`endpoint_url="https://..."`) is refused before it sends, as long as we are in."""
    from botocore.handlers import BUILTIN_HANDLERS

    if not any(handler is _refuse_elsewhere for _, handler, *_ in BUILTIN_HANDLERS):
        BUILTIN_HANDLERS.append(("before-send", _refuse_elsewhere))


def _refuse_elsewhere(request: Any, **_: Any) -> None:
    if _only_loopback and not is_loopback_url(request.url):
        host = urlsplit(request.url).hostname
        raise Refusal(
            f"This process is connected to the local cloud; a request to {host} was stopped before it left. {HOW_TO_REAL}",
            NOT_READY,
        )


def connect(*, real: bool | None = None) -> Cloud:
    """Choose this process's cloud: the local one (started if none runs), or with `real=True` the AWS account of your own credentials.

    Without a choice it is the local one, except in the Jupyter kernel that is named for real AWS.
    Raises Refusal when the local cloud cannot be started, or when AWS does not say who you are.
    """
    if real or (real is None and _real_by_default):
        leave()
        return _identify()
    from labs.cloud import server, state

    home = state.home_folder()
    record = server.ensure_running(home)
    enter(record.endpoint_url, home=home)
    return Cloud(record.endpoint_url, REGION, ACCOUNT_ID)


def choose_real() -> None:
    """Make real AWS what a bare `connect()` means in this process. Only the kernel that is named for it does this."""
    global _real_by_default
    leave()
    _real_by_default = True


def _identify() -> Cloud:
    """Who we are on AWS, from AWS."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    if named := os.environ.get("AWS_REGION"):  # what everybody else's tools read; botocore reads the other one only
        os.environ["AWS_DEFAULT_REGION"] = named
    session = boto3.Session()
    if session.region_name is None:
        raise Refusal("Real AWS needs a region: set AWS_REGION, or a profile that has one.", NOT_READY)
    try:
        sts = session.client("sts", config=Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2}))
        if is_loopback_url(sts.meta.endpoint_url):
            raise Refusal(
                f"Real AWS was asked for, but your AWS configuration sends calls to {sts.meta.endpoint_url}.", NOT_READY
            )
        identity = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as failed:
        raise Refusal(
            f"AWS did not say who you are: {failed} Set credentials up ('aws configure', or AWS_PROFILE) and try again.",
            NOT_READY,
        ) from None
    return Cloud(None, session.region_name, identity["Account"], real=True, identity=identity["Arn"])
