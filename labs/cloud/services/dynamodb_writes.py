"""What DynamoDB refuses to write, and what it writes only once.

What it cures in moto 5.2.5 (each cure has a test that fails once moto has it): the limit of an item is some 5 KB too low and overwritten
attributes count twice; BatchWriteItem takes any number of requests; TransactWriteItems takes no notice of ClientRequestToken, and breaks
over an item without a write in it, as PartiQL does over a statement that it cannot read.
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from labs import facts
from labs.cloud.context import Context

MOST_REQUESTS = 25
TOKEN_KEPT_S = 600.0
"""How long a ClientRequestToken is remembered."""


def install(context: Context) -> None:
    """Check and remember as AWS does."""
    from moto.dynamodb.exceptions import ItemSizeTooLarge, MockValidationException, ResourceNotFoundException
    from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict
    from moto.dynamodb.parsing import partiql
    from moto.dynamodb.responses import DynamoHandler

    limit = int(facts.number("dynamodb.item.max_bytes"))

    def set_item(self: Any, key: str, value: Any) -> None:
        total = attribute_bytes(key, value) + sum(attribute_bytes(k, v) for k, v in self.items() if k != key)
        if total > limit:
            raise ItemSizeTooLarge()
        dict.__setitem__(self, key, value)

    context.patch(LimitedSizeDict, "__setitem__", set_item)
    context.patch(DynamoType, "size", lambda self: value_bytes(self.type, self.value))

    def batch_write_item(self: Any) -> Any:
        if sum(len(requests) for requests in self.body["RequestItems"].values()) > MOST_REQUESTS:
            raise MockValidationException("Too many items requested for the BatchWriteItem call")
        return batch_before(self)

    tokens = Tokens()

    def well_formed(parse: Any) -> Any:
        """PartiQL's parser, which says None, or anything else, of what it cannot read."""

        def answer(*given: Any) -> Any:
            try:
                found = parse(*given)
            except (MockValidationException, ResourceNotFoundException):
                raise
            except Exception:
                found = None
            if found is None:
                raise MockValidationException(
                    "Statement wasn't well formed, can't be processed. (The local cloud wants a space on either side of an operator.)"
                )
            return found

        return answer

    for name in ("query", "get_query_metadata"):
        context.patch(partiql, name, well_formed(getattr(partiql, name)))

    def transact_write_items(self: Any) -> Any:
        if any(len(item or ()) != 1 for item in self.body.get("TransactItems") or ()):
            raise MockValidationException("TransactItems can only contain one of Check, Put, Update or Delete")
        token = self.body.get("ClientRequestToken")
        if token is None:
            return transact_before(self)
        body = {name: value for name, value in self.body.items() if name != "ReturnConsumedCapacity"}
        return tokens.once((self.current_account, self.region, token), body, lambda: transact_before(self))

    batch_before = context.patch(DynamoHandler, "batch_write_item", batch_write_item)
    transact_before = context.patch(DynamoHandler, "transact_write_items", transact_write_items)


class Tokens:
    """Transactions that were done, by their tokens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[tuple[str, str, str], tuple[float, str, Any]] = {}

    def once(self, key: tuple[str, str, str], body: dict[str, Any], do: Callable[[], Any]) -> Any:
        """The answer of the first time; raises when the token comes back with something else."""
        from labs.cloud.services.errors import ServiceError

        text, now = json.dumps(body, sort_keys=True, default=str), time.monotonic()
        with self._lock:
            self._done = {k: done for k, done in self._done.items() if now - done[0] < TOKEN_KEPT_S}
            before = self._done.get(key)
        if before is not None:
            if before[1] != text:
                raise ServiceError(
                    "IdempotentParameterMismatchException",
                    "The request uses the same client token as a previous, but non-identical request.",
                )
            return before[2]
        answer = do()
        with self._lock:
            self._done[key] = (now, text, answer)
        return answer


# -- sizes, as the developer guide's "DynamoDB item sizes and formats" says


def attribute_bytes(name: str, value: Any) -> int:
    """What an attribute adds to its item: its name in UTF-8, and its value."""
    return len(name.encode()) + typed_bytes(value)


def typed_bytes(value: Any) -> int:
    """A value as moto keeps it: a DynamoType, or {type: value}."""
    if isinstance(value, dict) and len(value) == 1:
        kind, inner = next(iter(value.items()))
        return value_bytes(kind, inner)
    return value_bytes(value.type, value.value) if hasattr(value, "type") else len(str(value).encode())


def value_bytes(kind: str, value: Any) -> int:
    """The size of a value of a DynamoDB type."""
    if kind == "N":
        digits = str(value).lstrip("-").replace(".", "").strip("0")
        return (len(digits) + 1) // 2 + 1 + str(value).startswith("-")
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "B":
        return len(value) if isinstance(value, bytes) else len(str(value)) * 3 // 4
    if kind in ("SS", "NS", "BS"):
        return sum(value_bytes(kind[0], each) for each in value)
    if kind == "L":
        return 3 + sum(1 + typed_bytes(each) for each in value)
    if kind == "M":
        return 3 + sum(1 + attribute_bytes(name, each) for name, each in value.items())
    return len(str(value).encode())
