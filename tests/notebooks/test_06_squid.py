"""Lab 6 run from top to bottom, as it stands, against a local cloud: what its cells leave there, and what they compute."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.retries.standard import DEFAULT_MAX_ATTEMPTS

from labs import facts
from labs.check import source
from labs.economics import queue
from labs.squid.client import Squid
from tests.notebooks import kit

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "06-squid.md"
PAGE = ROOT / "book" / "06-squid.md"
STACK = "squid-lab"

pytestmark = pytest.mark.timeout(300)  # the whole lab runs in the first test that needs it


@dataclass(frozen=True)
class Standing:
    """What the cloud held before the clean-up."""

    deployed: dict[str, str]
    """Logical id: type."""
    visibility_timeout_s: int
    dead: int
    maximum_concurrency: int


def look(_: dict[str, Any]) -> Standing:
    """What the stack holds before the lab removes it."""
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    squid = Squid(STACK)
    attributes = boto3.client("sqs").get_queue_attributes(
        QueueUrl=squid.queue_url, AttributeNames=["VisibilityTimeout"]
    )
    mapping = next(r["PhysicalResourceId"] for r in resources if r["LogicalResourceId"] == "JobsToWorker")
    scaling = boto3.client("lambda").get_event_source_mapping(UUID=mapping)["ScalingConfig"]
    return Standing(
        {resource["LogicalResourceId"]: resource["ResourceType"] for resource in resources},
        int(attributes["Attributes"]["VisibilityTimeout"]),
        squid.depth()["dead"],
        scaling["MaximumConcurrency"],
    )


lab, test_the_checks = kit.proof(
    "06-squid",
    kit.Wrong(
        "milliseconds for seconds",
        edits={'int(finished["model_ms"]) / 1000': 'int(finished["model_ms"])'},
        fails={"two-times"},
    ),
    kit.Wrong(
        "the whole time for the rest of it",
        edits={") / 1000 - model_s": ") / 1000"},
        fails={"two-times"},
    ),
    kit.Wrong(
        "patience, and still three attempts",
        edits={', retries={"total_max_attempts": 1}': ""},
        fails={"patient-client"},
    ),
    kit.Wrong(
        "hidden for one function timeout",
        edits={'int(facts.number("sqs.visibility.lambda_multiple")) * function_timeout_s': "function_timeout_s"},
        fails={"visibility"},
        after=(1,),
    ),
    kit.Wrong(
        "every job priced alone",
        edits={"month.requests_per_month / 5": "month.requests_per_month"},
        fails={"shared-wait"},
        after=(),
    ),
    kit.Wrong(
        "the whole batch still fails together",
        edits={"    partial_failures=True,\n    receives=5,": "    partial_failures=False,\n    receives=5,"},
        fails={"partial-failures", "poison-alone"},
        after=(1, 3),
    ),
    kit.Wrong(
        "gives up after two, as in the experiment",
        edits={"    receives=5,": "    receives=2,"},
        fails={"receive-count"},
        after=(1, 3),
    ),
    kit.Wrong(
        "the first draft, with partial failures",
        edits={"run_squid_worker()\nknobs(": "run_first_draft()\nknobs("},
        fails={"poison-alone", "repaired"},
        after=(1, 3),
    ),
    kit.Wrong(
        "deletes the dead letter and sends nothing",
        edits={"sqs.send_message(QueueUrl=squid.queue_url, MessageBody=json.dumps(job))": "job"},
        fails={"repaired"},
        after=(1, 3),
    ),
    kit.Wrong(
        "sends it again as it was",
        edits={'job["prompt"] = job.pop("question")': "job"},
        fails={"repaired"},
        after=(1, 3),
    ),
    kit.Wrong(
        "the second burst with the brake as it was",
        edits={"workers(2 * WORKERS)": "workers(WORKERS)"},
        fails={"faster-burst"},
        after=(1, 3),
    ),
    kit.Wrong(
        "a quota without the answers",
        edits={"tokens_per_minute / (input_tokens + max_tokens)": "tokens_per_minute / input_tokens"},
        fails={"brake"},
        after=(1, 3, 5),
    ),
    kit.Wrong(
        "calls a minute for calls in flight",
        edits={"calls_per_minute * seconds_per_call / 60": "calls_per_minute"},
        fails={"brake"},
        after=(1, 3, 5),
    ),
    look=look,
    twice=("STACK = ",),
    slow_blank=True,
)


def counts(lab: kit.Solved, beginning: str) -> dict[str, int]:
    """The result of the one experiment whose label begins so."""
    (found,) = (result for label, result in lab["results"].items() if label.startswith(beginning))
    return dict(found)


def test_the_stack_has_queue_dead_letters_table_worker_and_mapping(lab: kit.Solved) -> None:
    assert {"Jobs", "DeadLetters", "Table", "Worker", "JobsToWorker"} <= set(lab.looked.deployed)


def test_a_job_moves_from_queued_over_working_to_done(lab: kit.Solved) -> None:
    statuses = [status for _, status in lab["history"]]
    assert statuses[-1] == "DONE"
    assert statuses == [status for status in ("QUEUED", "WORKING", "DONE") if status in statuses]
    assert lab["finished"]["answers"] == "1"
    assert lab["finished"]["text"]


def test_the_answer_names_its_two_times(lab: kit.Solved) -> None:
    total_s = (int(lab["finished"]["finished_at_ms"]) - int(lab["finished"]["queued_at_ms"])) / 1000
    assert lab["model_s"] + lab["rest_s"] == pytest.approx(total_s)


def test_an_impatient_client_asks_several_times_and_gets_nothing(lab: kit.Solved) -> None:
    requests, seconds, text = lab["impatient"]
    assert (requests, text) == (DEFAULT_MAX_ATTEMPTS, None)
    assert seconds > requests * 1.0


def test_a_patient_client_asks_once(lab: kit.Solved) -> None:
    requests, _, text = lab["patient"]
    assert requests == 1
    assert text


def test_the_queue_accepts_long_before_it_answers(lab: kit.Solved) -> None:
    assert lab["accepted_ms"] < lab["answer"].e2e_ms / 2
    assert (lab["answer"].attempts, lab["answer"].answers) == (1, 1)


def test_a_short_visibility_timeout_multiplies_calls_and_gives_answered_jobs_up(lab: kit.Solved) -> None:
    result = counts(lab, "first draft, hidden for 1 s")
    assert result["model calls"] > 2
    assert result["answers written"] == result["model calls"]
    assert result["in the dead-letter queue"] == 1


def test_six_function_timeouts_stop_that(lab: kit.Solved) -> None:
    assert lab["visibility_timeout_s"] == 6 * int(lab["SETTINGS"]["FunctionTimeout"])
    (label,) = (label for label in lab["results"] if re.fullmatch(r"first draft, hidden for \d\d+ s", label))
    result = lab["results"][label]
    assert result["model calls"] == result["answers written"] == 1
    assert result["in the dead-letter queue"] == 0


def test_no_visibility_timeout_helps_against_a_message_that_comes_twice(lab: kit.Solved) -> None:
    (label,) = (label for label in lab["results"] if label.startswith("first draft") and label.endswith("twice"))
    assert lab["results"][label]["model calls"] == 2


def test_with_a_claim_the_model_is_asked_once_whatever_the_queue_does(lab: kit.Solved) -> None:
    claimed = {label: result for label, result in lab["results"].items() if label.startswith("with a claim")}
    assert len(claimed) == 2
    for result in claimed.values():
        assert result["model calls"] == result["answers written"] == 1
        assert result["in the dead-letter queue"] == 0


def test_one_bad_message_takes_its_batch_along(lab: kit.Solved) -> None:
    assert lab["dead_before_the_cure"] == 5
    assert lab["before_the_cure"][-1][1:] == [0, "(no trace of it)"]
    assert max(calls for _, calls, _ in lab["before_the_cure"]) > 1, "healthy neighbours are asked again"


def test_after_the_cure_a_redrive_answers_the_rest_and_leaves_the_bad_message_alone(lab: kit.Solved) -> None:
    never_answered = sum(status != "DONE" for _, _, status in lab["before_the_cure"][:4])
    assert [status for _, _, status in lab["after_the_cure"][:4]] == ["DONE"] * 4
    assert lab["redrive_calls"] == never_answered


def test_the_repaired_message_is_answered_and_no_dead_letter_is_left(lab: kit.Solved) -> None:
    assert [(answer.status, answer.answers) for answer in lab["repaired"]] == [("DONE", 1)]
    assert lab.looked.dead == 0


def test_the_burst_loses_nobody_and_answers_nobody_twice(lab: kit.Solved) -> None:
    for answers in (lab["answers"], lab["faster"]):
        assert len({answer.job_id for answer in answers}) == len(lab["prompts"]) == 40
        assert {(answer.status, answer.answers) for answer in answers} == {("DONE", 1)}


def test_the_line_grows_and_more_workers_shorten_it(lab: kit.Solved) -> None:
    slowest_call_s = max(answer.model_ms for answer in lab["answers"]) / 1000
    assert lab["slow"]["p99"] > slowest_call_s
    assert lab["e2e_s"](lab["faster"])["p50"] < lab["slow"]["p50"]


def test_the_charts_are_valid_and_say_where_their_numbers_come_from(lab: kit.Solved) -> None:
    charts = [lab["wasted"] + lab["needed"] + lab["labels"], lab["in_line"] + lab["at_model"] + lab["named"]]
    for chart in charts:
        assert "predicted by the serving model" in str(chart.to_dict())
    assert len(lab["spans"]) == 40
    for span in lab["spans"]:
        assert 0 <= span["queued"] <= span["started"] <= span["finished"]


def test_memory_is_the_lever_of_the_waiting(lab: kit.Solved) -> None:
    waits = lab["waits"]
    assert waits[1024, "x86"] == pytest.approx(2 * waits[512, "x86"], rel=0.01)
    assert waits[128, "arm"] < waits[512, "x86"] / 4
    sqs_usd = sum(line.usd for line in lab["bill"].lines if line.name.startswith("SQS"))
    assert waits[512, "x86"] > 50 * sqs_usd


def test_five_jobs_side_by_side_share_one_wait(lab: kit.Solved) -> None:
    alone = lab["waits"][256, "arm"]
    assert lab["side_by_side_usd"] == pytest.approx(alone / 5, rel=0.01)


def test_the_brake_is_what_the_quota_feeds_and_was_set(lab: kit.Solved) -> None:
    assert lab["brake"] == math.floor(facts.number("bedrock.tpm.llama-3-3-70b") * 24 / (60 * 7_500))
    assert lab.looked.maximum_concurrency == lab["brake"]


def test_nothing_is_left_in_the_cloud(lab: kit.Solved) -> None:
    assert lab["left"] == lab.left == []


def test_every_exercise_is_followed_by_its_solution_or_by_the_run_it_predicts() -> None:
    cells = source.cells(NOTEBOOK)
    exercises = [n for n, cell in enumerate(cells) if "exercise" in cell.tags]
    assert len(exercises) >= 10
    for n in exercises:
        if "predicted" not in cells[n].source:
            assert "solution" in cells[n + 1].tags, (
                f"cell {cells[n].number} asks, and cell {cells[n + 1].number} does not answer"
            )


def test_no_exercise_gives_its_solution_away() -> None:
    for cell in source.cells(NOTEBOOK):
        if "exercise" in cell.tags:
            assert not re.search(r"lambda_multiple|total_max_attempts|ReportBatchItemFailures|job\.pop", cell.source)


def test_the_numbers_worked_out_on_the_page_follow_from_the_register() -> None:
    page = " ".join(PAGE.read_text().split())
    quota = facts.number("bedrock.tpm.llama-3-3-70b")
    brake = math.floor(quota * 24 / (60 * 7_500))
    assert f"gives **{brake} workers**, and {brake} workers review {brake * 60 // 24} contracts a minute" in page
    multiple = int(facts.number("sqs.visibility.lambda_multiple"))
    assert f"Function timeout 60 s: visibility {60 * multiple} s" in page
    assert f"so function timeout 270 s. Visibility at least six times that: {270 * multiple:,} s" in page
    assert DEFAULT_MAX_ATTEMPTS * facts.value("sqs.redrive.min_receive_count") == 15, "the page says fifteen"
    assert facts.number("lambda.timeout_s") == DEFAULT_MAX_ATTEMPTS * 300, (
        "the page says that three attempts of 300 s fill a function exactly"
    )
    waits = {
        (mb, architecture): queue.function(4_380_000, 10, mb, architecture).usd
        for mb in (128, 512)
        for architecture in ("x86", "arm")
    }
    assert "about seventy times as much" in page
    assert waits[512, "x86"] / queue.messages(4_380_000).usd == pytest.approx(70, abs=3)
    assert "the same wait costs a fifth" in page
    assert waits[128, "arm"] / waits[512, "x86"] == pytest.approx(1 / 5, abs=0.01)


def test_the_condition_that_the_lab_shows_is_the_one_that_the_worker_writes() -> None:
    (shown,) = re.findall(r"```text\n(attribute_not_exists.*?)\n```", NOTEBOOK.read_text(), re.DOTALL)
    claims = (ROOT / "labs" / "squid" / "functions" / "claims.py").read_text()
    assert " ".join(shown.split()) in re.sub(r'"\s+"', "", claims)  # a text that goes over two lines
