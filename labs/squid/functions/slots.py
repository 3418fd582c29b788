"""Slots: how many jobs of one tenant are with the model at once. Leases, so that a worker that is killed frees its own in time.

    slots = Slots(dynamodb, "desk", most=10)
    if slots.take("acme", lease="worker-1", until_ms=..., now_ms=...): ...; slots.give_back("acme", "worker-1")

One item a tenant, with a map of leases. Taking a slot is one conditional write while fewer than `most` are out. Only when all are out is the
item looked at: a lease past its time belongs to a worker that is gone, and is replaced, again in one conditional write.
"""

from typing import Any


class Slots:
    """The leases of all tenants, in one table with the key `id`."""

    def __init__(self, dynamodb: Any, table: str, most: int) -> None:
        self._dynamodb, self._table, self.most = dynamodb, table, most

    def take(self, tenant: str, lease: str, until_ms: int, now_ms: int) -> bool:
        """Take a slot until that time; False when all are taken."""
        try:
            self._put(tenant, lease, until_ms)
            return True
        except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
            item = refused.response.get("Item")
        if not item:  # the tenant's first job
            self._begin(tenant)
            return self.take(tenant, lease, until_ms, now_ms)
        leases = item["leases"]["M"]
        for other, until in leases.items():
            if int(until["N"]) < now_ms and self._replace(tenant, lease, until_ms, other, until["N"]):
                return True
        return False

    def give_back(self, tenant: str, lease: str) -> None:
        """Free it; nothing happens when it has been taken over meanwhile."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(tenant),
            UpdateExpression="REMOVE leases.#lease",
            ExpressionAttributeNames={"#lease": lease},
        )

    def _put(self, tenant: str, lease: str, until_ms: int) -> None:
        self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(tenant),
            UpdateExpression="SET leases.#lease = :until",
            ConditionExpression="attribute_exists(leases) AND size(leases) < :most",
            ExpressionAttributeNames={"#lease": lease},
            ExpressionAttributeValues={":until": {"N": str(until_ms)}, ":most": {"N": str(self.most)}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def _replace(self, tenant: str, lease: str, until_ms: int, expired: str, its_until: str) -> bool:
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(tenant),
                UpdateExpression="SET leases.#lease = :until REMOVE leases.#expired",
                ConditionExpression="leases.#expired = :its_until",
                ExpressionAttributeNames={"#lease": lease, "#expired": expired},
                ExpressionAttributeValues={":until": {"N": str(until_ms)}, ":its_until": {"N": its_until}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _begin(self, tenant: str) -> None:
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={**_key(tenant), "leases": {"M": {}}},
                ConditionExpression="attribute_not_exists(id)",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return


def _key(tenant: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": f"tenant/{tenant}"}}
