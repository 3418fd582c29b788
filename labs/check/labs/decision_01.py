"""What lab 1, One flowchart, four numbers, leaves in the cloud: answers handed in, worked out again here, and a signed record in S3."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date, timedelta
from functools import cache
from itertools import product
from typing import Any

from labs.check import handin
from labs.check.model import Account, Check, Finding, Lab, Task, no, yes
from labs.decide.advisor import advise
from labs.decide.chart import chart
from labs.decide.option import Sizing
from labs.decide.requirements import Requirements
from labs.errors import Refusal
from labs.serving.profiles import Choices, deployment

SLUG = "01-decision"
QUESTIONS = ("available", "weights", "control")
MOST_STEPS = 12

TEAM_TWO = Requirements(model="nova-lite", custom_weights=True, already_in_bedrock=True, requests_per_minute=100)
TEAM_THREE = Requirements(
    model="llama-3-70b",
    custom_weights=True,
    weights_format="safetensors",
    training_data_kept=False,
    requests_per_minute=2,
    profile="spiky",
)
PINNED = Requirements(
    model="llama-3-70b", custom_weights=True, training_data_kept=False, control="container", requests_per_minute=100
)
TRAFFIC = {"profile", "requests_per_minute", "input_tokens", "output_tokens"}
MUST = {"control", "residency"}

RATE, SECONDS_EACH, TOKENS_EACH = 24, 40, 2_400
"""Requests a minute, seconds an answer, tokens a request: the lab's clause reviewers."""


def given(account: Account, task: int) -> dict[str, Any]:
    """What was handed in for a task."""
    return handin.read(account.client("ssm"), SLUG, task)


# -- Tasks 1 and 2: the chart


def follow(drawn: Mapping[str, Any], answers: Mapping[str, bool]) -> str | None:
    """Where a way through a chart ends; None when it goes round or falls off."""
    at = "available"
    for _ in range(MOST_STEPS):
        arrows = drawn.get(at)
        if not isinstance(arrows, Mapping):
            return None
        if not arrows:
            return at
        at = arrows.get("then") or arrows.get("yes" if answers.get(at) else "no") or ""
    return None


def everybody() -> list[dict[str, bool]]:
    """Every combination of answers."""
    return [dict(zip(QUESTIONS, said, strict=True)) for said in product((True, False), repeat=len(QUESTIONS))]


def wall() -> dict[str, dict[str, str]]:
    """The textbook's chart, as it is printed."""
    drawn: dict[str, dict[str, str]] = {"bedrock": {}, "own": {}}
    for start, label, end in chart("textbook").printed:
        drawn.setdefault(start, {})[label or "then"] = end
    return drawn


def answered(answers: Mapping[str, bool]) -> str:
    """The wall's answer, and where it has none the box that it comes back to."""
    return follow(wall(), answers) or "sagemaker"


def loops_counted(account: Account) -> Finding:
    """How many of eight ways never end."""
    loops = handin.number(given(account, 1), "loops")
    wanted = sum(follow(wall(), answers) is None for answers in everybody())
    if loops is None:
        return no("loops is not handed in. Send each of the eight in EVERY through follow, and count the Nones.")
    if loops == wanted:
        return yes(f"{wanted} of eight go round for ever.")
    return no(f"{loops:g} is not it. A way goes round when the last place that follow returns is None: count those.")


def arrow_found(account: Account) -> Finding:
    """The arrow that every endless way takes."""
    guilty = given(account, 1).get("guilty")
    if guilty is None:
        return no('guilty is not handed in. Write the arrow as "place/answer", for example "weights/yes".')
    if str(guilty).replace(" ", "").lower() == "control/no":
        return yes("'No' to control leads back to the box from which control is asked.")
    return no(
        f"'{str(guilty)[:40]}' is not the arrow that closes the circle: which one leads back to where the way was?"
    )


def every_way_ends(account: Account) -> Finding:
    """The mended chart has an end for everybody."""
    drawn = given(account, 2).get("chart")
    if not isinstance(drawn, dict):
        return no("The chart is not handed in; run the cell below the exercise, which hands in `mended`.")
    lost = sum(follow(drawn, answers) is None for answers in everybody())
    if not lost:
        return yes("Every combination of answers reaches an end.")
    if drawn == wall():
        return no("That is the wall's chart still. Which box asks nothing, and yet has an arrow out of it?")
    return no(
        f"{lost} of eight still go round, or meet an arrow that leads nowhere. An end is a place without arrows: {{}}."
    )


def same_answers(account: Account) -> Finding:
    """The mended chart answers as the wall does, and names SageMaker AI where the wall goes round."""
    drawn = given(account, 2).get("chart")
    if not isinstance(drawn, dict) or drawn == wall():
        return no("Nothing is mended yet: change the copy in the exercise, and hand it in with the cell below.")
    wrong = [answers for answers in everybody() if follow(drawn, answers) != answered(answers)]
    if not wrong:
        return yes("What the wall answered is answered the same, and the rest is SageMaker AI.")
    said = ", ".join(f"{name} {'yes' if yes_ else 'no'}" for name, yes_ in wrong[0].items())
    return Finding(
        0.5 * (8 - len(wrong)) / 8 if len(wrong) < 4 else 0.0,
        f"{len(wrong)} of eight are answered otherwise. One of them: {said} should end at {answered(wrong[0])}, "
        f"and ends at {follow(drawn, wrong[0]) or 'no place at all'}.",
    )


# -- Tasks 3 and 4: requirements


def read(values: Any) -> Requirements | None:
    """Requirements as they were handed in, or None."""
    if not isinstance(values, dict) or not values.keys() <= {field.name for field in fields(Requirements)}:
        return None
    return Requirements(**values)


def clauses_of(name: str, wanted: Requirements, telling: tuple[str, ...]) -> Any:
    """A check that a story's clauses are all there, with credit by clause."""

    def look(account: Account) -> Finding:
        asked = read(given(account, 3).get(name))
        if asked is None:
            return no(f"{name} is not handed in; run the cell below the table, after both requirements are filled in.")
        missing = [clause for clause in telling if getattr(asked, clause) != getattr(wanted, clause)]
        if len(missing) == len(telling):
            return no(f"{name} has none of the story's clauses yet. Begin with whose weights they are: custom_weights.")
        if missing:
            return Finding(
                0.8 * (len(telling) - len(missing)) / len(telling),
                f"{name} does not say what the story says about {', '.join(missing)}. Read that sentence again.",
            )
        try:
            best = advise(asked).best
        except Refusal as refused:
            return no(f"{name} cannot be: {refused}. Take out what the story does not say.")
        if best is None or best.target != _best(wanted).target:
            return Finding(0.5, f"{name} says more than the story does, and that moves the answer. Leave out the rest.")
        return yes(f"{name}: {best.target}, ${best.usd or 0:,.0f} a month.")

    return look


@cache
def _best(asked: Requirements) -> Any:
    return advise(asked).best


def flip(key: str, allowed: set[str], family: str) -> Any:
    """A check that one clause of these sends team three to a family."""

    def look(account: Account) -> Finding:
        clause = given(account, 4).get(key)
        if not isinstance(clause, dict) or not clause:
            return no(f'{key} is empty. Write one clause as a dictionary, for example {{"region": "eu-west-1"}}.')
        changed = {name for name, value in clause.items() if value != getattr(TEAM_THREE, name, value)}
        if len(clause) != 1:
            return no(f"{key} changes {len(clause)} clauses; the question is which single one carries the answer.")
        if not changed or not changed <= allowed:
            return no(f"{key} should change one of {', '.join(sorted(allowed))}; it has {', '.join(map(str, clause))}.")
        try:
            best = advise(replace(TEAM_THREE, **clause)).best
        except (Refusal, KeyError, TypeError) as refused:
            return no(f"{key} cannot be asked ({refused}). See help(Requirements) for what a clause may say.")
        if best is None or best.family != family:
            return no(
                f"With {key} the best is {best.target if best else 'nothing'}: not the family that was asked for."
            )
        return yes(f"{clause}: {best.target}, ${best.usd or 0:,.0f} a month.")

    return look


# -- Task 5: the envelope


@cache
def room_bytes(dtype: str) -> float:
    """What the lab's machine has beside the weights."""
    choices = Choices(dtype=dtype, tensor_parallel=4)
    return float(deployment("llama-3-70b", "ml.g6e.12xlarge", choices).memory.cache_bytes)


@cache
def bytes_per_token() -> float:
    """Of a conversation."""
    return float(deployment("llama-3-70b", "ml.g6e.12xlarge", Choices(tensor_parallel=4)).memory.kv_bytes_per_token)


def envelope(account: Account) -> Finding:
    """Tokens a minute, in flight, gigabytes."""
    handed = given(account, 5)
    flight = RATE / 60 * SECONDS_EACH
    wanted = {
        "tokens_per_minute": (RATE * TOKENS_EACH, "requests a minute × tokens in and out"),
        "in_flight": (flight, "requests a second × seconds each: a minute has sixty of them"),
        "kv_gb": (flight * TOKENS_EACH * bytes_per_token() / 1e9, "in flight × tokens × bytes per token, in 10⁹ bytes"),
    }
    numbers = {key: handin.number(handed, key) for key in wanted}
    if None in numbers.values():
        missing = ", ".join(key for key, value in numbers.items() if value is None)
        return no(f"{missing} is not handed in. Each is one multiplication of what the task gives.")
    wrong = {
        key: f"{key} is {numbers[key]:g}; it is {how}"
        for key, (right, how) in wanted.items()
        if not math.isclose(numbers[key] or 0.0, right, rel_tol=0.02)
    }
    if wrong:
        return Finding((len(wanted) - len(wrong)) / len(wanted) * 0.9, "; ".join(wrong.values()) + ".")
    return yes(f"{flight:.0f} in flight hold {wanted['kv_gb'][0]:.1f} GB.")


def room(account: Account) -> Finding:
    """How many requests fit, in BF16 and in FP8."""
    handed = given(account, 5)
    found = {key: handin.number(handed, key) for key in ("fit", "fit_fp8")}
    if None in found.values():
        return no("fit or fit_fp8 is not handed in: room beside the weights ÷ what one request of 2,400 tokens holds.")
    fits = {
        key: math.floor(room_bytes(dtype) / (TOKENS_EACH * bytes_per_token()))
        for key, dtype in (("fit", "bf16"), ("fit_fp8", "fp8"))
    }
    wrong = [key for key in fits if abs((found[key] or 0) - fits[key]) > 1]
    if wrong == ["fit_fp8"] and math.isclose(found["fit_fp8"] or 0, 2 * fits["fit"], abs_tol=2):
        return Finding(
            0.5, "Twice as many? Half the weights' bytes leave more than that: the room is what is left over."
        )
    if wrong:
        return Finding(
            0.5 * (2 - len(wrong)),
            f"{' and '.join(wrong)}: not whole requests that fit. Divide the room by one request.",
        )
    return yes(f"{fits['fit']} fit in BF16, {fits['fit_fp8']} in FP8.")


# -- Tasks 6 and 7: a number, and a record


@cache
def machines(per_minute: float) -> tuple[str, int]:
    """The best answer's instance type and number at this rate."""
    sizing = _best(replace(PINNED, requests_per_minute=per_minute)).sizing
    assert isinstance(sizing, Sizing)
    return sizing.instance, sizing.count


def flip_number(account: Account) -> Finding:
    """The rate at which one machine is no longer the answer."""
    rate = handin.number(given(account, 6), "flips_at")
    if rate is None:
        return no("flips_at is not handed in. Halve the distance between 100 and 200 until five are left.")
    if not 100 < rate <= 200:
        return no(
            f"{rate:g} a minute is outside of what was asked for: between 100, one machine, and 200, another answer."
        )
    if machines(max(100.0, rate - 5)) == machines(100) != machines(min(200.0, rate + 5)):
        return yes(f"At about {rate:g} a minute one machine is no longer the answer.")
    side = "still enough" if machines(rate) == machines(100) else "no longer enough"
    return no(f"At {rate:g} a minute one machine is {side}, and five further on nothing changes. Go on halving.")


def bucket(account: Account) -> str:
    """The lab's bucket in this account."""
    return f"decision-lab-{account.client('sts').get_caller_identity()['Account']}"


def page(account: Account) -> str | None:
    """The record in S3, or None."""
    s3 = account.client("s3")
    try:
        found: bytes = s3.get_object(Bucket=bucket(account), Key="decision.md")["Body"].read(100_000)
    except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
        return None
    return found.decode("utf-8", "replace")


NO_PAGE = "There is no decision.md in the lab's bucket. Put the page there with put_object, under that key."


def record_holds(account: Account) -> Finding:
    """The record is there, whole, and about the decision."""
    text = page(account)
    if text is None:
        return no(NO_PAGE)
    parts = ("Context", "Options", "Decision", "What would flip it", "What is unknown", "Facts it rests on", "Signed")
    missing = [part for part in parts if f"## {part}" not in text]
    if missing:
        return Finding(
            0.5 * (1 - len(missing) / len(parts)), f"The record lacks {', '.join(missing)}: keep the whole page."
        )
    best = _best(TEAM_TWO)
    if best.target not in text or f"${best.usd:,.0f}" not in text:
        return Finding(0.5, f"The record is not about team two's decision: it should name {best.target} and its price.")
    return yes(f"The record names {best.target}, its price, and what would flip it.")


def record_signed(account: Account) -> Finding:
    """Each role has a name and a day."""
    text = page(account)
    if text is None:
        return no(NO_PAGE)
    roles = ("decides", "pays", "runs it at night")
    signed = [
        role
        for role in roles
        if re.search(rf"^\| *{role} *\|[^|\n]*[^\s|][^|\n]*\| *\d{{4}}-\d\d-\d\d *\|", text, re.M)
    ]
    if len(signed) == len(roles):
        return yes("Somebody decides, somebody pays, and somebody gets up at night.")
    missing = [role for role in roles if role not in signed]
    return Finding(
        len(signed) / len(roles), f"Nobody has signed for: {', '.join(missing)}. Each row needs a name and a day."
    )


def looked_at_again(account: Account) -> Finding:
    """The object says when somebody looks again."""
    if page(account) is None:
        return no(NO_PAGE)
    tags = account.client("s3").get_object_tagging(Bucket=bucket(account), Key="decision.md")["TagSet"]
    day = next((tag["Value"] for tag in tags if tag["Key"] == "review-by"), None)
    if day is None:
        return no("The object has no tag 'review-by'. A decision without a day to look again is a memory.")
    try:
        review = date.fromisoformat(day)
    except ValueError:
        return no(f"The tag review-by is '{day[:20]}', which is not a day as in 2027-03-31.")
    if date.today() < review <= date.today() + timedelta(days=366):
        return yes(f"Somebody looks again by {review}.")
    return no(
        f"review-by is {review}. It should lie ahead, and not further than a year: prices and models do not wait."
    )


LAB = Lab(
    SLUG,
    (
        Task(1, "Round in a circle", 4, (Check("loops", 1, loops_counted), Check("arrow", 1, arrow_found))),
        Task(2, "Mend it", 6, (Check("ends", 2, every_way_ends), Check("same-answers", 2, same_answers))),
        Task(
            3,
            "From a story to requirements",
            6,
            (
                Check(
                    "team-two",
                    2,
                    clauses_of("team_two", TEAM_TWO, ("custom_weights", "already_in_bedrock", "requests_per_minute")),
                ),
                Check(
                    "team-three",
                    2,
                    clauses_of(
                        "team_three",
                        TEAM_THREE,
                        ("custom_weights", "weights_format", "training_data_kept", "requests_per_minute", "profile"),
                    ),
                ),
            ),
        ),
        Task(
            4,
            "One clause",
            5,
            (
                Check("flip-traffic", 2, flip("by_traffic", TRAFFIC, "sagemaker")),
                Check("flip-must", 2, flip("by_must", MUST, "own")),
            ),
        ),
        Task(5, "The envelope, and the edge", 8, (Check("envelope", 3, envelope), Check("room", 2, room))),
        Task(6, "The number that flips it", 5, (Check("flip-number", 2, flip_number),), stretch=True),
        Task(
            7,
            "Sign it",
            6,
            (
                Check("record", 1, record_holds),
                Check("signed", 2, record_signed),
                Check("review", 1, looked_at_again),
            ),
        ),
    ),
    time_limit_s=180,
)
