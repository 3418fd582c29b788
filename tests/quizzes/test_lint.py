"""Each rule of item writing finds the fault that it is for, and nothing in a sound item."""

from pathlib import Path

import pytest

from quizzes import bank, lint, words

TRIAL = Path(__file__).parent / "bank"

SOUND = """\
quiz: sound
title: Sound
items:
  - id: sound-item
    type: single
    objective: 2.4.1
    bloom: apply
    stem: A worker takes jobs from an Amazon SQS queue. Some jobs run for longer than others do. Now and then one of them is worked on twice.
    criterion: Which change helps with the LEAST effort?
    options:
      - {id: one, text: Lengthen the time during which it is hidden., correct: true, why: It then stays out of sight for long enough.}
      - {id: two, text: Shorten the period between two of the checks., why: It would come back sooner instead of later., misconception: sum-is-difference}
      - {id: three, text: Split each of the jobs into several parts., why: That is far more work than is wanted here., misconception: sum-is-difference}
      - {id: four, text: Move the jobs into a table with an index., why: A table has no such timer of its own at all., misconception: sum-is-difference}
    facts: [sqs.visibility.lambda_multiple]
    sources:
      - {title: A page, url: "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html", checked_on: 2026-11-22}
    est_seconds: 60
    difficulty_prior: 0.6
"""


def findings(folder: Path, text: str) -> list[lint.Finding]:
    (folder / "misconceptions.yaml").write_text((TRIAL / "misconceptions.yaml").read_text("utf-8"), "utf-8")
    (folder / "sound.yaml").write_text(text, "utf-8")
    return lint.check([bank.load("sound", folder)], folder)


def test_a_sound_item_passes(tmp_path: Path) -> None:
    assert findings(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("key-length", "Lengthen the time during which it is hidden.", "Lengthen the time during which it is hidden and tell everybody who may care about it that you did."),
        ("key-length", "Lengthen the time during which it is hidden.", "Hide it longer."),
        ("absolutes", "Split each of the jobs", "Always split the jobs"),
        ("hedges", "Lengthen the time", "Perhaps often lengthen the time"),
        ("echo", "Lengthen the time during which it is hidden.", "Give the worker whose jobs are longer more time."),
        ("all-of-the-above", "Move the jobs into a table with an index.", "None of the above will be of any help here."),
        ("letters", "That is far more work than is wanted here.", "That is far more work than option B would be."),
        ("negative", "Which change helps with the LEAST effort?", "Which change does not help with the LEAST effort?"),
        ("criterion", "with the LEAST effort", "with the least effort"),
        ("criterion", "with the LEAST effort", "with little effort"),
        ("criterion", "the LEAST effort?", "the LEAST effort"),
        ("criterion", "Which change helps with the LEAST effort?", "Which change helps MOST with the LEAST effort?"),
        ("select-n", "Which change helps", "Which TWO changes help"),
        ("parallel", "with an index.", "with an index"),
        ("parallel", "Split each of the jobs into several parts.", "split each of the jobs into several parts."),
        ("parallel", "Split each of the jobs into several parts.", "Shorten the period between two of all checks."),
        ("reading-time", "est_seconds: 60", "est_seconds: 15"),
        ("why", "It would come back sooner instead of later.", "It would not."),
        ("why", "It would come back sooner instead of later.", "That is far more work than is wanted here."),
        ("bare-figure", "Some jobs run for longer than others do.", "A message may have 1,048,576 bytes, which is 1 MiB."),
        ("bare-figure", "A table has no such timer of its own at all.", "A message is kept for 14 days at the very most."),
        ("bare-figure", "It would come back sooner instead of later.", "A million SQS requests cost $0.40 in this Region."),
        ("scope", "Lengthen the time during which it is hidden.", "Buy a Savings Plan for the time in question."),
        ("sources", "docs.aws.amazon.com", "my-notes.example.org"),
        ("sources", "2026-11-22", "2999-01-01"),
        ("facts", "sqs.visibility.lambda_multiple", "sqs.visibility.multiple"),
        ("facts", "    est_seconds", "    numbers: {idle: 1 + 1}\n    est_seconds"),
        ("figures", "stem: A worker", "numbers: {many: 1 +}\n    stem: \"{many}\" # A worker"),
        ("allow", "    est_seconds", "    allow: {no-such-rule: For no reason.}\n    est_seconds"),
        ("allow", "    est_seconds", "    allow: {echo: It has none.}\n    est_seconds"),
    ],
)  # fmt: skip
def test_a_fault_is_found_by_its_rule(tmp_path: Path, rule: str, old: str, new: str) -> None:
    assert SOUND.count(old) == 1
    found = findings(tmp_path, SOUND.replace(old, new))
    assert {finding.rule for finding in found} >= {rule}
    assert all(finding.item == "sound-item" and finding.line == 4 for finding in found)


def test_an_item_may_be_let_off_a_rule_with_a_reason(tmp_path: Path) -> None:
    text = SOUND.replace("Split each of the jobs", "Always split the jobs")
    text = text.replace("    est_seconds", "    allow: {absolutes: The word is a name here.}\n    est_seconds")
    assert findings(tmp_path, text) == []


def test_a_figure_of_the_situation_is_no_figure_of_the_register(tmp_path: Path) -> None:
    assert (
        findings(
            tmp_path,
            SOUND.replace("Some jobs run for longer than others do.", "A job takes 47 seconds, another 300 bytes."),
        )
        == []
    )


def test_amounts_stand_in_order(tmp_path: Path) -> None:
    texts = ["Lengthen the time during which it is hidden.", "Shorten the period between two of the checks.",
             "Split each of the jobs into several parts.", "Move the jobs into a table with an index."]  # fmt: skip
    text = SOUND
    for old, new in zip(texts, ["41 workers.", "52 workers.", "63 workers.", "74 workers."], strict=True):
        text = text.replace(old, new)
    assert "amounts" in {finding.rule for finding in findings(tmp_path, text)}
    text = text.replace("    est_seconds", "    shuffle: false\n    est_seconds")
    assert "amounts" not in {finding.rule for finding in findings(tmp_path, text)}


def test_a_matching_item_gives_no_pair_away_by_a_word(tmp_path: Path) -> None:
    for path in TRIAL.glob("*.yaml"):
        (tmp_path / path.name).write_text(
            path.read_text("utf-8").replace("text: The cow.", "text: The calving cow."), "utf-8"
        )
    text = (tmp_path / "trial.yaml").read_text("utf-8").replace("text: A calf.", "text: It comes with calving.")
    (tmp_path / "trial.yaml").write_text(text, "utf-8")
    found = lint.check([bank.load("trial", tmp_path)], tmp_path)
    assert any(finding.rule == "echo" and "'calf' and its choice share calvin" in finding.message for finding in found)


def test_two_items_that_say_the_same_are_found(tmp_path: Path) -> None:
    body = SOUND.split("items:\n")[1]
    twin = body.replace("sound-item", "twin-item").replace("Some jobs run", "A few jobs run")
    found = findings(tmp_path, SOUND + twin)
    assert [(finding.rule, finding.item) for finding in found] == [("near-duplicate", "twin-item")]


def test_a_guess_is_checked_where_the_item_stands() -> None:
    assert lint.check([bank.load("trial-guess", TRIAL)], TRIAL) == []


def test_a_misconception_that_nobody_has_is_found() -> None:
    assert lint.unused_misconceptions([bank.load("trial-guess", TRIAL)], TRIAL) == ["bigger-is-later"]
    assert lint.unused_misconceptions([bank.load("trial", TRIAL)], TRIAL) == []


def test_the_bank_is_clean() -> None:
    quizzes = bank.load_all()
    assert [f"{f.item}: {f.rule}: {f.message}" for f in lint.check(quizzes)] == []
    assert lint.unused_misconceptions(quizzes) == []


def test_words_are_compared_by_their_stem() -> None:
    assert words.content_words("The answers were answered, and `throttled`.") == {"answer", "thrott"}
