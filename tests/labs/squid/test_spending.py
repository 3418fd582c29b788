"""What a stack's jobs cost is counted from its table, whoever handed them in; and on AWS nothing is sent that could pass the ceiling."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from labs import terminal
from labs.cli import cli
from labs.cloud import connect, environment
from labs.cloud.context import REGION
from labs.economics import queue
from labs.errors import FALSE, USAGE, Refusal
from labs.squid import live_commands, spending
from labs.squid.client import Job, Squid
from labs.squid.spending import Count, Money, count
from labs.targets import Site, spend, stacks, token_price
from labs.targets.bedrock_on_demand import BedrockOnDemand
from labs.targets.token_price import TokenPrice
from tests.labs.squid.conftest import Line

PRICE = TokenPrice(2.0, 10.0, ())
AWS = f"REAL AWS, account 123456789012, {REGION}, as arn:aws:"
Lab = Callable[..., tuple[int, str, str]]


def item(status: str, **numbers: int) -> dict[str, Any]:
    return {"status": {"S": status}, **{name: {"N": str(value)} for name, value in numbers.items()}}


@pytest.mark.parametrize(
    ("status", "attempts", "unknown"),
    [
        ("QUEUED", 0, 1),
        ("QUEUED", 2, 3),
        ("WORKING", 1, 1),
        ("WORKING", 2, 2),
        ("DONE", 1, 0),
        ("DONE", 3, 2),
        ("FAILED", 2, 2),
        ("CANCELLED", 0, 0),
        ("CANCELLED", 1, 1),
    ],
)
def test_an_attempt_that_brought_no_answer_counts_as_the_most_it_can_cost(
    status: str, attempts: int, unknown: int
) -> None:
    counted = count([item(status, attempts=attempts, prompt_bytes=1000, max_tokens=50)], PRICE, 200)
    assert counted.unknown == unknown
    assert counted.pending_usd == pytest.approx(unknown * PRICE.usd(1000, 50))
    assert counted.open == (status in ("QUEUED", "WORKING"))


def test_answers_are_counted_by_their_tokens_and_poison_not_at_all() -> None:
    done = item("DONE", attempts=1, input_tokens=100, output_tokens=20, model_ms=1500, prompt_bytes=400)
    counted = count([done, done, item("QUARANTINED")], PRICE, 200)
    assert (counted.jobs, counted.input_tokens, counted.output_tokens) == (2, 200, 40)
    assert counted.tokens_usd == pytest.approx(2 * PRICE.usd(100, 20))
    assert counted.queue_usd == pytest.approx(queue.squid(2, 1.5).usd)
    assert count([done], None, 200).tokens_usd == 0, "a target that bills hours"


def test_a_job_of_which_nothing_is_known_counts_as_the_longest_message() -> None:
    assert count([item("WORKING", attempts=1)], PRICE, 200).pending_usd == pytest.approx(
        PRICE.usd(spending._LONGEST_PROMPT, 200)
    )


def test_calls_within_one_window_of_a_copys_time_cost_one_window_each_at_most_and_two_together() -> None:
    price = TokenPrice(0.0, 0.0, (), window_usd=3.0, window_s=300)
    jobs = [
        item("DONE", attempts=1, prompt_bytes=1, started_at_ms=n * 1000, finished_at_ms=n * 1000 + 500)
        for n in range(10)
    ]
    assert count(jobs, price, 200).tokens_usd == 6.0
    assert count(jobs[:1], price, 200).tokens_usd == 3.0


@pytest.fixture
def squid(line: Line, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Squid:
    """A stack on an AWS that is played inside this process."""
    outputs = {
        "TargetName": "bedrock-on-demand",
        "ModelId": "amazon.nova-lite-v1:0",
        "Address": '{"protocol": "converse", "location": "amazon.nova-lite-v1:0"}',
        "MaxTokens": "64",
        "JobDays": "7",
        "QueueUrl": line.queue_url,
        "DeadLetterQueueUrl": line.dead_letter_queue_url,
        "TableName": line.table,
        "ApiUrl": "http://127.0.0.1:9",
        "PageOrigin": "http://127.0.0.1:0",
    }
    stack = stacks.Stack("squid", "CREATE_COMPLETE", datetime.now(UTC), "", outputs)
    monkeypatch.setattr(stacks, "find", lambda name: stack if name == "squid" else None)
    monkeypatch.setattr(environment, "_before", None)
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return Squid("squid")


@pytest.fixture
def lab(squid: Squid, capsys: pytest.CaptureFixture[str]) -> Lab:
    del squid

    def run(*args: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = terminal.run(cli, "lab", args)
        said = capsys.readouterr()
        return status, said.out, " ".join(said.err.split())

    return run


def test_on_aws_a_job_needs_a_ceiling_and_fits_under_it(lab: Lab, line: Line, squid: Squid) -> None:
    status, said, refused = lab("squid", "submit", "Why?", "--real", "--no-wait")
    assert (status, said.startswith(AWS)) == (USAGE, True)
    assert "without a ceiling" in refused
    most = token_price.of(BedrockOnDemand())
    assert most is not None
    one_job_usd = most.usd(4, 64) + queue.squid(1, spending.JOB_S).usd
    ask = ("squid", "submit", "Why?", "--real", "--no-wait", "--ceiling-usd")
    status, _, refused = lab(*ask, str(one_job_usd * 0.99))
    assert status == USAGE
    assert "nothing was sent" in refused
    assert line.receive() is None
    status, said, _ = lab(*ask, str(one_job_usd * 1.01))
    assert status == 0
    assert "--real" in said.partition("Next:")[2]
    assert "1 more could cost" in lab("squid", "submit", "And why?", "--real", "--no-wait")[2]
    [waiting] = line.dynamodb.scan(TableName=line.table)["Items"]
    event = line.receive()
    assert event is not None
    line.handle(line.new_worker(), event)
    status, said, _ = lab("squid", "status", waiting["job_id"]["S"], "--real")
    assert status == 0
    assert "squid: 1 jobs, 12 tokens read and 9 written" in said
    counted = spend.total(connect(real=True))["squid"]
    assert (counted.calls, counted.input_tokens, counted.output_tokens) == (1, 12, 9)
    assert counted.usd < one_job_usd, "what it did cost, no longer what it could"
    assert squid.depth()["waiting"] == 0


def test_a_file_that_could_pass_the_ceiling_is_not_begun(lab: Lab, line: Line, tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "prompt": "Why? " * 200}) + "\n" for n in range(50)))
    status, _, refused = lab("squid", "submit", "--file", str(path), "--real", "--ceiling-usd", "0.001")
    assert status == USAGE
    assert "50 more could cost" in refused
    assert line.dynamodb.scan(TableName=line.table)["Items"] == []


def test_a_run_that_is_collected_again_costs_nothing_anew(lab: Lab, line: Line, tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": "a", "prompt": "Why?"}\n')
    again = ("squid", "submit", "--file", str(path), "--run", "again", "--real", "--timeout", "0", "--json")
    assert json.loads(lab(*again, "--ceiling-usd", "0.0006")[1])["lost"] == 1
    event = line.receive()
    assert event is not None
    line.handle(line.new_worker(), event)
    status, said, _ = lab(*again, "--ceiling-usd", "0.0001")  # less than a job could cost, more than this one did
    assert (status, json.loads(said)["answered"]) == (0, 1)


def test_jobs_that_others_handed_in_count_as_well(lab: Lab, line: Line, squid: Squid) -> None:
    for n in range(3):
        squid.submit(f"From the page, {n}")
    spend.open_for(Site(connect(real=True), "squid"), BedrockOnDemand(), 0.0016)
    assert "the 3 jobs of 'squid' have cost up to" in lab("squid", "submit", "One more", "--real")[2]
    assert len(line.dynamodb.scan(TableName=line.table)["Items"]) == 3


@pytest.mark.parametrize(
    "words", [("watch", "--until-empty"), ("follow", "nosuch"), ("cancel", "nosuch"), ("status", "nosuch")]
)
def test_every_command_says_first_where_it_is_and_counts_in_the_end(
    lab: Lab, squid: Squid, words: tuple[str, ...]
) -> None:
    spend.open_for(Site(connect(real=True), "squid"), BedrockOnDemand(), 1)
    assert list(squid.submit_many([Job("Why?")]))
    if words[0] == "watch":
        squid._sqs.purge_queue(QueueUrl=squid.queue_url)
    status, said, _ = lab("squid", *words, "--real")
    assert status == (0 if words[0] == "watch" else FALSE)
    assert said.startswith(AWS)
    assert "squid: 1 jobs, 0 tokens read and 0 written" in said
    assert spend.total(connect(real=True))["squid"].calls == 1


def test_given_up_jobs_cost_again_when_they_are_sent_back(lab: Lab, line: Line) -> None:
    line.sqs.send_message(QueueUrl=line.dead_letter_queue_url, MessageBody="{}")
    assert "without a ceiling" in lab("squid", "redrive", "--real")[2]
    assert "1 of them again could cost" in lab("squid", "redrive", "--real", "--ceiling-usd", "0.0001")[2]
    status, said, _ = lab("squid", "redrive", "--real", "--ceiling-usd", "5")
    assert (status, "1 stay in the dead-letter queue" in said) == (0, True)


def test_the_page_ends_when_its_jobs_have_cost_what_they_may(
    lab: Lab, squid: Squid, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "without a ceiling" in lab("squid", "web", "--real", "--no-open")[2]
    spend.open_for(Site(connect(real=True), "squid"), BedrockOnDemand(), 0.0001)
    squid.submit("From the page")
    monkeypatch.setattr(live_commands, "LOOK_S", 0.01)
    with pytest.raises(Refusal, match="the page ends here"):
        live_commands._until_spent([Money(squid, connect(real=True))])


def test_what_has_no_price_is_said_to_have_none(squid: Squid) -> None:
    where = connect(real=True)
    spend.open_for(Site(where, "squid"), BedrockOnDemand("amazon.nobody-knows-v1:0"), 1)
    squid.submit("Why?")
    money = Money(squid, where)
    assert "no price of its tokens" in money.says(money.look())
    assert spend.total(where)["squid"].unpriced_calls == 1
    assert "no price" not in Money(squid, where, 1).says(Count())
