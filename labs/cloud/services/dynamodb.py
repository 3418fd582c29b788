"""DynamoDB whose conditions hold under concurrency, and whose items expire.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): a conditional write checks and writes in two steps, so
that of two threads both may win (an idempotency key that two workers hold); time to live is stored and nothing is deleted; a table's name
may be shorter than three characters; tables in use by a scan change under it. What may be written is `dynamodb_writes`' matter, how
expressions are read `dynamodb_expressions`', streams that Lambda reads are `dynamodb_streams`'.
"""

import re
import threading
import time
from functools import wraps
from typing import Any

from labs.cloud.context import Context
from labs.cloud.services import core, dynamodb_expressions, dynamodb_writes

SWEEP_S_ON_AWS = 300.0
"""How often expired items are looked for. AWS says "within a few days"; it is usually minutes."""
EXPIRED = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
"""Who deleted an expired item, in its stream record."""
TOO_OLD_S = 5 * 365 * 86_400
"""What expired longer ago than this is taken for a mistake and left alone."""


def install(context: Context) -> None:
    """Make moto's DynamoDB atomic and forgetful."""
    core.install(context)
    from moto.core.utils import camelcase_to_underscores, get_service_model
    from moto.dynamodb.responses import DynamoHandler

    one_at_a_time = threading.RLock()
    for operation in get_service_model("dynamodb").operation_names:
        name = camelcase_to_underscores(operation)
        if hasattr(DynamoHandler, name):
            context.patch(DynamoHandler, name, locked(getattr(DynamoHandler, name), one_at_a_time))
    create_table_locked = DynamoHandler.create_table

    def create_table(self: Any) -> Any:
        from moto.dynamodb.exceptions import MockValidationException

        name = self.body["TableName"]
        if not re.fullmatch(r"[a-zA-Z0-9_.-]{3,255}", name.rpartition("/")[2]):
            raise MockValidationException(
                "TableName must be at least 3 characters long and at most 255 characters long"
                if not 3 <= len(name) <= 255
                else f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
            )
        return create_table_locked(self)

    context.patch(DynamoHandler, "create_table", create_table)
    dynamodb_writes.install(context)
    dynamodb_expressions.install(context)
    stopping = threading.Event()
    context.on_close(stopping.set)

    def keep_sweeping() -> None:
        while not stopping.wait(max(0.25, context.wait_s(SWEEP_S_ON_AWS))):
            with one_at_a_time:
                sweep(time.time())

    if context.endpoint_url is not None:
        threading.Thread(target=keep_sweeping, name="dynamodb-ttl", daemon=True).start()


def locked(method: Any, lock: Any) -> Any:
    @wraps(method)
    def run(self: Any) -> Any:
        with lock:
            return method(self)

    return run


def sweep(now_s: float) -> int:
    """Delete the items of every table whose time to live is over at `now_s` (Unix time); how many there were."""
    from moto.dynamodb.models import dynamodb_backends

    deleted = 0
    for account in list(dynamodb_backends.values()):
        for backend in list(account.values()):
            for table in list(backend.tables.values()):
                if table.ttl["TimeToLiveStatus"] == "ENABLED":
                    deleted += sweep_table(table, now_s)
    return deleted


def sweep_table(table: Any, now_s: float) -> int:
    attribute = table.ttl["AttributeName"]
    expired = [item for item in table.all_items() if is_expired(item.attrs.get(attribute), now_s)]
    for item in expired:
        table.delete_item(item.hash_key, item.range_key)
        if table.stream_shard is not None:
            table.stream_shard.items[-1].record["userIdentity"] = EXPIRED
    return len(expired)


def is_expired(value: Any, now_s: float) -> bool:
    """Is this attribute a time that is over? Only a number counts, in seconds."""
    if value is None or value.type != "N":
        return False
    try:
        at = float(value.value)  # seconds: exact where it matters, and a table has many
    except ValueError:
        return False
    return now_s - TOO_OLD_S < at <= now_s
