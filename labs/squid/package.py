"""The functions' deployment package: their modules, the calls of models, and Powertools with what that needs, all pure Python, so that it runs on any architecture.

The same content gives the same zip and the same key, on every machine and every day: a key that is there need not be sent again.
boto3 is not in it; Lambda's Python runtimes bring their own.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from labs.targets import batching, calling

FUNCTIONS = Path(__file__).parent / "functions"
CALLING, BATCHING = Path(calling.__file__), Path(batching.__file__)
PACKAGES = ("labs", "labs/squid", "labs/squid/functions", "labs/targets")
"""The folders that modules keep their names in; the course's own `__init__` files, which import its rooms, stay at home."""
DISTRIBUTIONS = ("aws-lambda-powertools", "jmespath", "typing-extensions", "aws-xray-sdk", "wrapt")
"""Powertools and the two packages it requires; X-Ray's SDK and the one that needs, imported only where a stack asks for traces."""
_NOT_SHIPPED = ("RECORD", "WHEEL", "INSTALLER", "REQUESTED", "direct_url.json")
"""What pip writes about its own doing; it differs from machine to machine."""
_COMPILED = (".pyc", ".so", ".pyd", ".c")
"""wrapt has the same in Python, and takes that where its compiled half is missing."""
_LEFT_OUT = (
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/",
    "aws_xray_sdk/ext/django/",
    "aws_xray_sdk/ext/flask_sqlalchemy/",
)
"""Web pages and frameworks that no function here has."""


@dataclass(frozen=True)
class Package:
    """A zip and the key that its content gives it."""

    content: bytes
    key: str


def build() -> Package:
    """Build the package from what is installed here."""
    files = dict(sorted(_files()))
    digest = hashlib.sha256()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # Unix, readable by all: Lambda needs that
            package.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return Package(buffer.getvalue(), f"squid/worker-{digest.hexdigest()[:16]}.zip")


def _files() -> Iterator[tuple[str, bytes]]:
    for folder in PACKAGES:
        yield f"{folder}/__init__.py", b""
    for path in FUNCTIONS.glob("[!_]*.py"):
        yield f"labs/squid/functions/{path.name}", path.read_bytes()
    for path in (CALLING, BATCHING):
        yield f"labs/targets/{path.name}", path.read_bytes()
    for name in DISTRIBUTIONS:
        for file in distribution(name).files or ():
            inside = str(file)
            shipped = (
                file.suffix not in _COMPILED
                and file.name not in _NOT_SHIPPED
                and not inside.startswith(("..", *_LEFT_OUT))
            )
            if shipped:
                yield inside, Path(str(file.locate())).read_bytes()
