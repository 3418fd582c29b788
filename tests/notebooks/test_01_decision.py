"""Lab 1: our solution, a blank copy, and those who mend the chart, read a story or size a machine in one of the usual wrong ways."""

import pytest

from labs.check.labs import decision_01
from tests.notebooks import kit

pytestmark = pytest.mark.timeout(300)

lab, test_the_checks = kit.proof(
    "01-decision",
    kit.Wrong(
        "counts the ways that end",
        edits={"[-1] is None for answers in EVERY": "[-1] is not None for answers in EVERY"},
        fails={"loops"},
    ),
    kit.Wrong("blames the box, not the arrow", edits={'guilty = "control/no"': 'guilty = "sagemaker/then"'}, fails={"arrow"}),
    kit.Wrong(
        "cuts the arrow and leaves the question in the air",
        edits={'"control": {"yes": "own", "no": "sagemaker"},\n    "bedrock"': '"control": {"yes": "own"},\n    "bedrock"'},
        fails={"ends", "same-answers"},
        after=(1,),
    ),
    kit.Wrong(
        "sends whoever needs no control to Bedrock",
        edits={'"no": "sagemaker"},\n    "bedrock": {},\n    "sagemaker"': '"no": "bedrock"},\n    "bedrock": {},\n    "sagemaker"'},
        fails={"same-answers"},
        after=(1,),
    ),
    kit.Wrong(
        "leaves out where it was tuned",
        edits={"    already_in_bedrock=True,\n": ""},
        fails={"team-two"},
        after=(),
    ),
    kit.Wrong(
        "takes bursts for a steady load",
        edits={'    profile="spiky",\n': ""},
        fails={"team-three"},
        after=(),
    ),
    kit.Wrong(
        "two clauses for one, and an engine of one's own for a must",
        edits={'{"profile": "steady"}': '{"profile": "steady", "control": "container"}', '{"control": "host"}': '{"control": "container"}'},
        fails={"flip-traffic", "flip-must"},
        after=(),
    ),
    kit.Wrong(
        "requests a minute for requests a second",
        edits={"in_flight = 24 / 60 * 40": "in_flight = 24 * 40"},
        fails={"envelope"},
        after=(),
    ),
    kit.Wrong(
        "half the bytes, so twice the room",
        edits={"fit_fp8 = int(smaller.memory.cache_bytes // (each * bytes_per_token))": "fit_fp8 = 2 * fit"},
        fails={"room"},
        after=(),
    ),
    kit.Wrong("stops halving at once", edits={"while high - low > 3": "while high - low > 60"}, fails={"flip-number"}, after=()),
    kit.Wrong(
        "signs for the easy half, for ever",
        edits={
            '    "runs it at night": "platform rota",\n': "",
            "timedelta(days=120)": "timedelta(days=3650)",
        },
        fails={"signed", "review"},
        after=(),
    ),
)  # fmt: skip


def test_the_chart_in_the_lab_is_the_one_that_the_textbook_prints(lab: kit.Solved) -> None:
    assert lab["WALL"] == decision_01.wall()


def test_the_machine_tips_over_where_the_lab_says_so_and_the_cure_works(lab: kit.Solved) -> None:
    p99 = {row["rate"]: row["p99"] for row in lab["played"]}
    assert 50 < p99[24] < 60
    assert p99[36] > 3 * p99[24]
    assert lab["cured"]["p99"] < p99[24]
    at_load_s = next(row["mean"] for row in lab["played"] if row["rate"] == 24)
    assert at_load_s == pytest.approx(40, abs=3), "the task gives 40 seconds an answer"


def test_a_knob_moves_the_answer(lab: kit.Solved) -> None:
    before = lab["says"].value
    lab["control_knob"].value = "host"
    assert "ec2-vllm" in lab["says"].value != before


def test_the_answers_that_the_text_names(lab: kit.Solved) -> None:
    assert [row[1] for row in lab["rows"]] == ["bedrock-custom-import", "sagemaker-inferentia", "ec2-vllm"]
