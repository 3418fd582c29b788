"""An update expression that was read once does the second time what it did the first, and what moto's own reading does."""

import inspect
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from labs.cloud.context import REGION, Context
from labs.cloud.services import dynamodb

N = "#n"
CASES: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    ("SET a = :v", {}, {":v": {"S": "x"}}),
    ("SET a = :v, b = if_not_exists(b, :w) ADD c :w REMOVE gone", {}, {":v": {"S": "x"}, ":w": {"N": "2"}}),
    ("SET a = a + :w", {}, {":w": {"N": "2"}}),
    ("SET m.#n = :v", {N: "inner"}, {":v": {"N": "7"}}),
    ("SET m.#n = :v", {N: "other"}, {":v": {"N": "8"}}),
    ("SET l = list_append(l, :l)", {}, {":l": {"L": [{"S": "end"}]}}),
    ("REMOVE l[0], l[1]", {}, {}),
    ("DELETE s :s", {}, {":s": {"SS": ["one"]}}),
    ("ADD s :s", {}, {":s": {"SS": ["two", "three"]}}),
    ("SET a = :v, a = :v", {}, {":v": {"S": "x"}}),
    ("SET #n = :v, a = :v", {N: "b"}, {":v": {"S": "x"}}),
    ("SET #n = :v, a = :v", {N: "a"}, {":v": {"S": "x"}}),
    ("SET a = :v SET b = :v", {}, {":v": {"S": "x"}}),
    ("SET id = :v", {}, {":v": {"S": "x"}}),
    ("SET #n = :v", {N: "z"}, {":v": {"S": "x"}}),
    ("SET #n = :v", {N: "id"}, {":v": {"S": "x"}}),
    ("SET nosuch.b = :v", {}, {":v": {"S": "x"}}),
    ("ADD a :v", {}, {":v": {"S": "x"}}),
    ("SET a = :missing", {}, {":v": {"S": "x"}}),
    ("SET a = = :v", {}, {":v": {"S": "x"}}),
]


def outcomes() -> Iterator[Any]:
    """What each case makes of an item that is there and of one that is not, three times in a row."""
    client = boto3.client("dynamodb", region_name=REGION)
    client.create_table(
        TableName="expressions",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    item: dict[str, Any] = {
        "a": {"N": "1"},
        "gone": {"S": "x"},
        "m": {"M": {"inner": {"N": "1"}}},
        "l": {"L": [{"S": "first"}, {"S": "second"}, {"S": "third"}]},
        "s": {"SS": ["one", "four"]},
    }
    for number, (text, names, values) in enumerate(CASES):
        client.put_item(TableName="expressions", Item={"id": {"S": f"there-{number}"}, **item})
        given: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        given |= {"ExpressionAttributeValues": values} if values else {}
        given |= {"ConditionExpression": "attribute_not_exists(claimant) OR m.inner <> a"} if number % 2 else {}
        for key in (f"there-{number}", f"new-{number}", f"there-{number}"):
            try:
                found = client.update_item(
                    TableName="expressions",
                    Key={"id": {"S": key}},
                    UpdateExpression=text,
                    ReturnValues="ALL_NEW",
                    **given,
                )
                attributes = found["Attributes"]
                yield text, key, {n: sorted(v["SS"]) if "SS" in v else v for n, v in attributes.items()}
            except ClientError as refused:
                yield text, key, refused.response["Error"]


@pytest.fixture
def as_moto_has_it(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from moto import mock_aws

    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        return list(outcomes())


def test_every_expression_does_what_it_does_in_moto_also_a_second_time(
    as_moto_has_it: list[Any], in_process_cloud: Context
) -> None:
    dynamodb.install(in_process_cloud)
    ours = list(outcomes())
    assert ours == as_moto_has_it
    assert sum("Message" in outcome for *_, outcome in ours) > len(CASES), "some of them are refused"


def test_moto_still_reads_copies_and_walks_as_it_did() -> None:
    """Fails once moto no longer needs it."""
    from moto.dynamodb import comparisons
    from moto.dynamodb.parsing import ast_nodes, expressions, validators

    assert "lru_cache" not in inspect.getsource(expressions)
    assert "deepcopy(expression)" in inspect.getsource(validators.Validator)
    assert "self._processing_map().items()" in inspect.getsource(vars(ast_nodes)["DepthFirstTraverser"])
    assert "re.compile" in inspect.getsource(comparisons.ConditionExpressionParser._lex_one_node)
    assert "for processor in self.processors" in inspect.getsource(validators.Validator.validate)
