"""DynamoDB keeps its conditions when several ask at once, and lets go of what has expired."""

import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from labs import facts
from labs.cloud.context import Context
from labs.cloud.services import dynamodb, dynamodb_streams, dynamodb_writes
from tests.labs.cloud.kit import Aws, until


@pytest.fixture
def here(in_process_cloud: Context, inside: Aws) -> Aws:
    """DynamoDB of a cloud inside this process."""
    inside.dynamodb.list_tables()
    dynamodb.install(in_process_cloud)
    return inside


def test_of_many_conditional_writes_of_one_key_one_wins(here: Aws) -> None:
    table = here.table()
    won: list[int] = []

    def claim(number: int) -> None:
        for key in range(20):
            try:
                here.dynamodb.put_item(
                    TableName=table, Item={"id": {"S": str(key)}}, ConditionExpression="attribute_not_exists(id)"
                )
                won.append(number)
            except here.dynamodb.exceptions.ConditionalCheckFailedException:
                continue

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 20


def test_what_has_expired_is_deleted_and_nothing_else(here: Aws) -> None:
    table = here.table()
    here.dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    now = int(time.time())
    for name, expires in (
        ("over", {"N": str(now - 10)}),
        ("not yet", {"N": str(now + 1000)}),
        ("text", {"S": str(now - 10)}),
        ("ancient", {"N": str(now - 6 * 365 * 86_400)}),
    ):
        here.dynamodb.put_item(TableName=table, Item={"id": {"S": name}, "expires": expires})
    here.dynamodb.put_item(TableName=table, Item={"id": {"S": "never"}})
    assert dynamodb.sweep(time.time()) == 1
    left = {item["id"]["S"] for item in here.dynamodb.scan(TableName=table)["Items"]}
    assert left == {"not yet", "text", "ancient", "never"}


@pytest.mark.parametrize("name", ["ab", "a b c"])
def test_a_table_name_has_at_least_three_characters_of_the_right_kind(here: Aws, name: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        here.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )


# -- what may be written, and once

SIZED = [
    ({"S": "é"}, 2),
    ({"N": "12345"}, 4),
    ({"N": "-1.50"}, 3),
    ({"BOOL": True}, 1),
    ({"NULL": True}, 1),
    ({"B": b"1234"}, 4),
    ({"SS": ["ab", "c"]}, 3),
    ({"L": [{"S": "ab"}, {"S": "c"}]}, 3 + 2 + 3),
    ({"M": {"k": {"S": "v"}}}, 3 + 1 + 2),
]


@pytest.mark.parametrize(("value", "size"), SIZED)
def test_a_value_is_as_large_as_the_developer_guide_says(value: dict[str, Any], size: int) -> None:
    assert dynamodb_writes.typed_bytes(value) == size


def test_an_item_may_have_400_kb_and_no_more(here: Aws) -> None:
    table, limit = here.table(), int(facts.number("dynamodb.item.max_bytes"))
    most = limit - len("id" + "a" + "x")
    here.dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "x": {"S": "x" * most}})
    here.dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "x": {"S": "y" * most}})
    too_much = {"id": {"S": "a"}, "x": {"S": "x" * (most + 1)}}
    calls: list[Any] = [
        lambda: here.dynamodb.put_item(TableName=table, Item=too_much),
        lambda: here.dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": too_much}}]}),
        lambda: here.dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": too_much}}]),
        lambda: here.dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": "a"}},
            UpdateExpression="SET x = :x",
            ExpressionAttributeValues={":x": too_much["x"]},
        ),
    ]
    for call in calls:
        with pytest.raises(ClientError, match=r"ValidationException.*exceeded the maximum allowed size"):
            call()


def test_a_batch_has_at_most_twenty_five_requests(here: Aws) -> None:
    table = here.table()
    requests = [{"PutRequest": {"Item": {"id": {"S": str(number)}}}} for number in range(26)]
    with pytest.raises(ClientError, match="Too many items requested"):
        here.dynamodb.batch_write_item(RequestItems={table: requests})
    assert here.dynamodb.batch_write_item(RequestItems={table: requests[:25]})["UnprocessedItems"] == {}


def add_one(table: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
            "Key": {"id": {"S": "count"}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def test_a_transaction_with_a_token_is_done_once(here: Aws) -> None:
    table = here.table()
    for _ in range(3):
        here.dynamodb.transact_write_items(ClientRequestToken="token", TransactItems=[add_one(table)])
    here.dynamodb.transact_write_items(TransactItems=[add_one(table)])
    assert here.dynamodb.get_item(TableName=table, Key={"id": {"S": "count"}})["Item"]["n"] == {"N": "2"}
    with pytest.raises(here.dynamodb.exceptions.IdempotentParameterMismatchException):
        here.dynamodb.transact_write_items(ClientRequestToken="token", TransactItems=[add_one(table), put(table)])


def put(table: str, key: str = "other", **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {"id": {"S": key}}, **more}}


def test_a_transaction_is_done_whole_or_not_at_all_and_says_why_not(here: Aws) -> None:
    table = here.table()
    here.dynamodb.put_item(TableName=table, Item={"id": {"S": "there"}})
    with pytest.raises(here.dynamodb.exceptions.TransactionCanceledException) as cancelled:
        here.dynamodb.transact_write_items(
            TransactItems=[put(table), put(table, "there", ConditionExpression="attribute_not_exists(id)")]
        )
    reasons = [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert "Item" not in here.dynamodb.get_item(TableName=table, Key={"id": {"S": "other"}})


# -- streams

READS_STREAMS = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [f"dynamodb:{action}" for action in dynamodb_streams.ACTIONS],
                "Resource": "*",
            }
        ],
    }
)
FORWARDS = """
    import boto3, json, os

    def handler(event, context):
        records = event["Records"]
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        keys = [record["dynamodb"]["Keys"]["id"]["S"] for record in records]
        kinds = [record["eventName"] + ("*" if "userIdentity" in record else "") for record in records]
        boto3.client("sqs").send_message(
            QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps({"keys": keys, "kinds": kinds})
        )
        if "poison" in keys:
            if os.environ["MODE"] == "raise":
                raise ValueError("poison")
            return {"batchItemFailures": [{"itemIdentifier": numbers[keys.index("poison")]}]}
    """


class Streamed:
    """A table whose stream a function reads; the function sends what it saw to a queue."""

    def __init__(self, aws: Aws, mode: str = "", **mapping: Any) -> None:
        self.aws, self.queue = aws, aws.queue()
        self.table = aws.table()
        aws.dynamodb.update_table(
            TableName=self.table,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.arn = aws.dynamodb.describe_table(TableName=self.table)["Table"]["LatestStreamArn"]
        variables = {"QUEUE": self.queue, "MODE": mode}
        self.function = aws.function(FORWARDS, Role=aws.role(READS_STREAMS), Environment={"Variables": variables})
        given = {"StartingPosition": "TRIM_HORIZON", **mapping}
        made = aws.lambda_.create_event_source_mapping(EventSourceArn=self.arn, FunctionName=self.function, **given)
        aws._made.append(lambda: aws.lambda_.delete_event_source_mapping(UUID=made["UUID"]))

    def put(self, *keys: str) -> None:
        for key in keys:
            self.aws.dynamodb.put_item(TableName=self.table, Item={"id": {"S": key}})

    def seen(self, wanted: int) -> list[dict[str, Any]]:
        """What the function saw, batch by batch, once it has seen so many records."""
        batches: list[dict[str, Any]] = []

        def enough() -> bool:
            for message in self.aws.receive(self.queue, WaitTimeSeconds=1):
                self.aws.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                batches.append(json.loads(message["Body"]))
            return sum(len(batch["keys"]) for batch in batches) >= wanted

        until(enough)
        return batches


def test_a_function_reads_a_stream_in_order_and_learns_what_was_deleted(aws: Aws) -> None:
    stream = Streamed(aws)
    stream.put("a", "b", "a")
    aws.dynamodb.put_item(TableName=stream.table, Item={"id": {"S": "a"}, "new": {"S": "x"}})
    aws.dynamodb.delete_item(TableName=stream.table, Key={"id": {"S": "b"}})
    batches = stream.seen(4)
    assert [key for batch in batches for key in batch["keys"]] == ["a", "b", "a", "b"]
    kinds = [kind for batch in batches for kind in batch["kinds"]]
    assert kinds == ["INSERT", "INSERT", "MODIFY", "REMOVE"], "the second 'a' changed nothing"


def test_what_expires_says_that_dynamodb_deleted_it(aws: Aws) -> None:
    stream = Streamed(aws)
    aws.dynamodb.update_time_to_live(
        TableName=stream.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    item = {"id": {"S": "over"}, "expires": {"N": str(int(time.time()) - 10)}}
    aws.dynamodb.put_item(TableName=stream.table, Item=item)
    assert [kind for batch in stream.seen(2) for kind in batch["kinds"]] == ["INSERT", "REMOVE*"]


def test_a_record_that_fails_is_tried_again_and_then_left_behind_with_word_of_it(aws: Aws) -> None:
    dead = aws.queue()
    stream = Streamed(
        aws,
        "raise",
        MaximumRetryAttempts=1,
        BatchSize=1,
        DestinationConfig={"OnFailure": {"Destination": aws.arn(dead)}},
    )
    stream.put("a", "poison", "b")
    assert [batch["keys"] for batch in stream.seen(4)] == [["a"], ["poison"], ["poison"], ["b"]]
    [message] = until(lambda: aws.receive(dead))
    said = json.loads(message["Body"])
    assert said["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert said["DDBStreamBatchInfo"]["batchSize"] == 1


def test_what_was_done_before_a_reported_failure_is_not_done_again(aws: Aws) -> None:
    stream = Streamed(
        aws,
        "report",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=0,
        MaximumBatchingWindowInSeconds=2,
    )
    requests = [{"PutRequest": {"Item": {"id": {"S": key}}}} for key in ("a", "poison", "b")]
    aws.dynamodb.batch_write_item(RequestItems={stream.table: requests})
    assert [batch["keys"] for batch in stream.seen(5)] == [["a", "poison", "b"], ["poison", "b"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"StartingPosition": "AT_TIMESTAMP"}, "StartingPosition"), ({"BatchSize": 2000}, "BatchSize")],
)
def test_a_mapping_that_lambda_refuses_is_refused(aws: Aws, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        Streamed(aws, **change)


def test_a_role_that_may_not_read_the_stream_is_refused(aws: Aws) -> None:
    stream = Streamed(aws)
    function = aws.function(FORWARDS)
    with pytest.raises(ClientError, match="Cannot access stream"):
        aws.lambda_.create_event_source_mapping(
            EventSourceArn=stream.arn, FunctionName=function, StartingPosition="LATEST"
        )


# -- why moto's own is extended: it fails once moto no longer needs it


def test_moto_still_keeps_expired_items_and_takes_short_names(stock: Aws) -> None:
    stock.dynamodb.create_table(
        TableName="ab",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    stock.dynamodb.update_time_to_live(
        TableName="ab", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    stock.dynamodb.put_item(TableName="ab", Item={"id": {"S": "a"}, "expires": {"N": str(int(time.time()) - 3600)}})
    time.sleep(0.2)
    assert stock.dynamodb.scan(TableName="ab")["Count"] == 1


def test_moto_still_checks_and_writes_without_a_lock() -> None:
    import inspect

    import moto.dynamodb.models
    import moto.dynamodb.models.table
    import moto.dynamodb.responses

    modules = (moto.dynamodb.models, moto.dynamodb.models.table, moto.dynamodb.responses)
    assert not any("Lock" in inspect.getsource(module) for module in modules)


def test_moto_still_refuses_items_too_early_and_repeats_transactions(stock: Aws) -> None:
    table = stock.table()
    with pytest.raises(ClientError, match="exceeded the maximum allowed size"):
        stock.dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "x": {"S": "x" * 408_000}})
    for _ in range(2):
        stock.dynamodb.transact_write_items(ClientRequestToken="token", TransactItems=[add_one(table)])
    assert stock.dynamodb.get_item(TableName=table, Key={"id": {"S": "count"}})["Item"]["n"] == {"N": "2"}
    requests = [{"PutRequest": {"Item": {"id": {"S": str(number)}}}} for number in range(26)]
    stock.dynamodb.batch_write_item(RequestItems={table: requests})


def test_moto_still_calls_functions_inside_a_write() -> None:
    import inspect

    from moto.dynamodb.models.table import StreamShard

    assert "send_dynamodb_items" in inspect.getsource(StreamShard.add)


def test_what_is_no_statement_and_what_is_no_write_is_refused(inside: Aws) -> None:
    for statement in ("SELEKT 1", "SELECT * FROM"):
        with pytest.raises(ClientError, match=r"ValidationException.*well formed"):
            inside.dynamodb.execute_statement(Statement=statement)
    with pytest.raises(ClientError, match=r"ValidationException.*can only contain one of"):
        inside.dynamodb.transact_write_items(TransactItems=[{}])


def test_moto_still_breaks_over_them(stock: Aws) -> None:
    with pytest.raises(TypeError):
        stock.dynamodb.execute_statement(Statement="SELEKT 1")
    with pytest.raises(IndexError):
        stock.dynamodb.transact_write_items(TransactItems=[{}])
