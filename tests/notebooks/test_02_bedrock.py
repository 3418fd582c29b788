"""Lab 2: our solution, a blank copy, and those who size, order, retry or price in one of the usual wrong ways."""

import pytest

from tests.notebooks import kit

pytestmark = pytest.mark.timeout(300)

lab, test_the_checks = kit.proof(
    "02-bedrock",
    kit.Wrong(
        "books what is written, not what may be",
        edits={"booked = tokens_in + 8_192": "booked = tokens_in + 40"},
        fails={"booking"},
    ),
    kit.Wrong(
        "enough for the hundred that were tried",
        edits={"ceiling = math.ceil(1.3 * p99)": "ceiling = 4_096"},
        fails={"department-fits"},
        after=(1,),
    ),
    kit.Wrong(
        "the median for the longest",
        edits={"ceiling = math.ceil(1.3 * p99)": "ceiling = lengths[len(lengths) // 2]"},
        fails={"answers-fit"},
        after=(1,),
    ),
    kit.Wrong(
        "the cache point behind the time",
        cells={
            "def system_prompt": "def system_prompt(now):\n"
            "    return [{'text': HANDBOOK}, {'text': f'It is {now}.'}, HERE_ENDS_WHAT_IS_FIXED]"
        },
        fails={"cache-read"},
        after=(),
    ),
    kit.Wrong(
        "branches on the status number",
        edits={
            'refused.response["Error"]["Code"] == "ModelNotReadyException"': 'refused.response["ResponseMetadata"]["HTTPStatusCode"] == 429'
        },
        fails={"by-name"},
        after=(),
        slow=True,
    ),
    kit.Wrong(
        "pays for minutes and not for windows",
        edits={"capacity.active_minutes(calls)": "sum(minutes for _, minutes in calls)"},
        fails={"keep-warm"},
        after=(),
    ),
    kit.Wrong(
        "a successor that is Legacy as well",
        cells={
            "/claims/model-id": 'ssm.put_parameter(Name="/claims/model-id", Value="meta.llama3-1-70b-instruct-v1:0", '
            'Type="String", Overwrite=True)'
        },
        fails={"model-lives"},
        after=(),
    ),
    quick=4,
)  # fmt: skip


def test_one_integer_throttles_the_desks_and_another_lets_them_all_in(lab: kit.Solved) -> None:
    assert (
        lab["ended"]["ThrottlingException"] > 0
    )  # how many: on a slow machine the first have ended when the last arrive
    assert lab["let_in"] in (72, 73)
    assert lab["used"] < 0.05 * lab["quota"]
    assert lab["after"]["ThrottlingException"] == 0
    assert lab["after"]["max_tokens"] <= 1


def test_the_time_in_the_first_line_costs_every_read(lab: kit.Solved) -> None:
    assert [row[2] for row in lab["broken"]] == [0, 0, 0]
    assert lab["mended"][0][2] == 0
    assert min(row[2] for row in lab["mended"][1:]) > 1024


def test_a_sleeping_model_is_asked_again_and_a_throttle_is_not(lab: kit.Solved) -> None:
    assert lab["asked"]["asleep"] >= 1  # one, where a slow machine gave the copy the time to start
    assert lab["asked"]["throttled"] == 1


def test_without_a_keep_warm_the_model_falls_asleep(lab: kit.Solved) -> None:
    assert lab["found"][False] == "ModelNotReadyException"
    assert lab["found"][True] == "an answer"


def test_the_knob_says_when_the_department_gets_in(lab: kit.Solved) -> None:
    assert "does not" in lab["says"].value
    lab["ceiling_knob"].value = 256
    assert "gets in" in lab["says"].value
