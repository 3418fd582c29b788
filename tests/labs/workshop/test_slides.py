"""A deck is what its lesson has for a room: scene, question, charts, votes, answers, key points; prose stays in the book."""

from pathlib import Path

import pytest

from labs import terminal
from labs.course import layout
from labs.errors import Refusal
from labs.workshop import slides

BOOK = layout.find().book
LESSON = """---
description: x
minutes: {read: 20, lab: 45}
questions: ["Who gave up?"]
objectives: ["Nest the time-outs."]
---
% a remark for authors
# Queue it

The pilot went well. They press [Review](elsewhere.md).

On Thursday it fails.

**Before you read on:** who gave up?

## Count the clocks

% Instructor: ask who has seen it.
Between the button and the model hangs one wire. It is long.

| a | b |
|---|---|
| 1 | 2 |

```{chart} bench.polite
:title: How long?
:desc: Flat, then steep.
```

```{dropdown} Folded
## not a heading
```

````{exam-answer}
Lower `max_tokens`.
````

````{engineering-answer}
The same, measured.
````

````{flip}
Long answers.
````

```{quiz} 06-squid
:items: squid-first-clock, squid-order
```

% Instructor: five minutes, no more.

## Exercises

1. Do it.

## Knowledge check

```{quiz} 06-squid
```

```{key-points}
- One.
```

## Sources

- Here.
"""


def test_a_lesson_becomes_its_slides_in_order() -> None:
    deck = slides.outline(LESSON)
    assert [(slide.kind, slide.heading) for slide in deck] == [
        ("title", "Queue it"),
        ("scene", "The scene"),
        ("question", "Before you read on"),
        ("section", "Count the clocks"),
        ("chart", "How long?"),
        ("answers", "Count the clocks"),
        ("flip", "What would flip this"),
        ("vote", "Vote"),
        ("verdict", "The answer"),
        ("vote", "Vote"),
        ("verdict", "The answer"),
        ("key-points", "Key points"),
    ]
    assert deck[2].body == "Who gave up?"
    assert deck[3].body == "Between the button and the model hangs one wire. It is long."
    assert deck[5].body.count("answer}") == 2


def test_what_the_instructor_is_told_stands_in_the_notes_of_the_slide_it_belongs_to() -> None:
    deck = {slide.kind: slide for slide in slides.outline(LESSON)}
    assert deck["section"].notes == ("Ask who has seen it.",)
    assert deck["key-points"].notes == ("Five minutes, no more.",)
    assert "Flat, then steep." in deck["chart"].notes
    assert deck["title"].notes[0] == "Minutes: 20 of lesson, 45 of lab."
    assert not any("remark for authors" in note for slide in deck.values() for note in slide.notes)


def test_a_deck_has_no_links() -> None:
    assert "They press Review." in slides.markdown(slides.outline(LESSON))


def test_a_long_scene_is_told_on_several_slides_and_nothing_of_it_is_lost() -> None:
    told = [f"Sentence {n} of a long story, which has some words." for n in range(40)]
    text = LESSON.replace("The pilot went well.", "\n\n".join(told))
    scenes = [slide for slide in slides.outline(text) if slide.kind == "scene"]
    assert len(scenes) > 2
    assert all(len(slide.body) < 800 for slide in scenes)
    assert all(any(sentence in slide.body for slide in scenes) for sentence in told)


@pytest.mark.parametrize("lesson", sorted(BOOK.glob("[0-9][0-9]-*.md")), ids=lambda path: path.stem)
def test_every_lesson_has_a_deck_with_notes_of_its_own(lesson: Path) -> None:
    text = lesson.read_text("utf-8")
    deck = slides.outline(text)
    kinds = [slide.kind for slide in deck]
    assert kinds[0] == "title"
    assert "scene" in kinds
    assert kinds[-1] == "key-points"
    assert kinds.count("chart") == text.count("{chart}")
    assert kinds.count("question") == text.count(slides.QUESTION)
    written = [
        line.removeprefix(slides.INSTRUCTOR).strip() for line in text.splitlines() if line.startswith(slides.INSTRUCTOR)
    ]
    notes = {note for slide in deck for note in slide.notes}
    assert {f"{line[:1].upper()}{line[1:]}" for line in written} <= notes
    assert len(written) >= 2, "two notes from whoever has taught it, at the least"


def test_a_lesson_that_there_is_not_and_a_page_without_a_title_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(slides.command, "slides", ["44-nowhere"]) == 1
    assert "there is no lesson '44-nowhere'" in capsys.readouterr().err
    with pytest.raises(Refusal, match="without a title"):
        slides.outline("---\nminutes: {read: 1}\n---\nText.\n")
