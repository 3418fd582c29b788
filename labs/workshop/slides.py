"""Slides for a session, made from its lesson: scene, question, charts, votes, the exam's and the engineer's answer, key points, and notes for who speaks.

    deck = slides.outline(Path("book/03-sagemaker.md").read_text())
    slides.build(layout.find(), ["03-sagemaker"])        # _build/slides/03-sagemaker.html, by sphinx-revealjs, with nothing from elsewhere

A lesson's prose is for reading, so a slide takes of a section its first sentences and what a room can look at or answer. Notes come from
the lesson's `% Instructor:` comments, from a chart's description, and from the beliefs behind a vote's wrong options.
What a deck is made of is drawn by `book/_ext/slidedeck`; here nothing is known of the questions but their names.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import click
import yaml

from labs import terminal
from labs.course import layout
from labs.course.layout import Layout
from labs.errors import FALSE, NOT_READY, Refusal

QUESTION = "**Before you read on:**"
INSTRUCTOR = "% Instructor:"
NOT_SHOWN = ("Exercises", "Knowledge check", "Sources")
"""Sections for reading and for the evening."""
BOXES = {"flip": "What would flip this", "try-it": "Try it", "cost": "What it costs"}
"""Boxes that have a slide of their own, and what stands above it."""
SCENE_CHARS, LEAD_CHARS = 620, 300
"""What stands on one slide of the scene; what of a section's first paragraph stands under its heading."""
ASK = "Everyone writes an answer down, alone. Then a show of hands, before anything is explained. Wait; five minutes are well spent."
PREDICT = "Ask what it should look like, and let two people draw it in the air. The next click shows it."


@dataclass(frozen=True)
class Block:
    """A stretch of a lesson's source between blank lines, or a directive."""

    kind: str
    """text, table, heading, comment, or a directive's name."""
    text: str
    """Without the fence."""
    argument: str = ""
    level: int = 0
    """Of a heading."""


@dataclass(frozen=True)
class Slide:
    """One slide: a heading, what stands below it (MyST), and what only the speaker sees."""

    kind: str
    """title, scene, question, section, chart, diagram, answers, flip, try-it, cost, vote, verdict, key-points."""
    heading: str
    body: str
    notes: tuple[str, ...] = ()
    level: int = 3


@dataclass
class _Deck:
    """A deck while it is being made."""

    slides: list[Slide] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """The instructor's notes for the slide that comes next."""
    heading: str = ""

    def add(self, slide: Slide) -> None:
        self.slides.append(replace(slide, notes=(*self.waiting, *slide.notes)))
        self.waiting.clear()


def outline(lesson: str) -> list[Slide]:
    """The slides of a lesson's source, in its order."""
    _, _, rest = lesson.partition("---\n")
    front, _, body = rest.partition("\n---\n")
    blocks = list(parse(body))
    deck = _Deck()
    first = next((n for n, each in enumerate(blocks) if each.kind == "heading" and each.level == 1), None)
    if first is None:
        raise Refusal("a lesson without a title has no slides", FALSE)
    deck.add(_title(blocks[first].text, yaml.safe_load(front) or {}))
    sections = [n for n, each in enumerate(blocks) if each.kind == "heading" and each.level == 2]
    ends = [*sections, len(blocks)]
    _scene(deck, blocks[first + 1 : ends[0]])
    for begin, end in zip(sections, ends[1:], strict=True):
        if blocks[begin].text not in NOT_SHOWN:
            _section(deck, blocks[begin].text, blocks[begin + 1 : end])
        else:  # a lesson may end with its key points inside its last section
            _shown(deck, [each for each in blocks[begin + 1 : end] if each.kind == "key-points"])
    if deck.waiting and deck.slides:
        deck.slides[-1] = replace(deck.slides[-1], notes=(*deck.slides[-1].notes, *deck.waiting))
    return deck.slides


def parse(body: str) -> Iterator[Block]:
    """A lesson's source, block by block."""
    lines = iter(body.splitlines())
    paragraph: list[str] = []

    def text() -> Iterator[Block]:
        if joined := "\n".join(paragraph).strip():
            yield Block("table" if joined[0] in "|>-(0123456789" or joined.startswith("<") else "text", joined)
        paragraph.clear()

    for line in lines:
        if fence := re.match(r"(`{3,}|:{3,})(?:\{([\w-]+)\})?[ ]*(.*)$", line):
            yield from text()
            inner = []
            for inside in lines:
                if inside.strip() == fence[1]:
                    break
                inner.append(inside)
            yield Block(fence[2] or "code", "\n".join(inner), fence[3].strip())
        elif heading := re.match(r"(#{1,6}) (.+)$", line):
            yield from text()
            yield Block("heading", heading[2].strip(), level=len(heading[1]))
        elif line.startswith("%"):
            yield from text()
            yield Block("comment", line)
        elif line.strip():
            paragraph.append(line)
        else:
            yield from text()
    yield from text()


def markdown(deck: Sequence[Slide]) -> str:
    """A deck's source for Sphinx."""
    parts = []
    for slide in deck:
        mark = "#" * (1 if slide.kind == "title" else slide.level)
        notes = "\n\n".join(plain(each) for each in slide.notes)
        parts.append(f"{mark} {plain(slide.heading)}\n\n``````{{slide}} {slide.kind}\n{plain(slide.body)}\n``````\n")
        if notes:
            parts.append(f"``````{{notes}}\n{notes}\n``````\n")
    return "\n".join(parts)


def plain(text: str) -> str:
    """Without links: what they lead to is not on a slide."""
    return re.sub(r"(?<!!)\[([^\]]*)\]\([^)\s]*\)", lambda link: link[1] or "the page", text)


def build(here: Layout, slugs: Sequence[str] = ()) -> Path:
    """Make the decks of these lessons (all, unless named) and a page that lists them. Raises Refusal when Sphinx warns."""
    lessons = [here.book / f"{slug}.md" for slug in slugs] or sorted(here.book.glob("[0-9][0-9]-*.md"))
    if missing := [each.stem for each in lessons if not each.exists()]:
        raise Refusal(f"there is no lesson '{missing[0]}'", FALSE)
    source, out = here.build / "slides-source", here.build / "slides"
    shutil.rmtree(source, ignore_errors=True)
    (source / "_static").mkdir(parents=True)
    shutil.copy(here.book / "_static" / "tokens.css", source / "_static" / "tokens.css")
    for lesson in lessons:
        (source / lesson.name).write_text(markdown(outline(lesson.read_text("utf-8"))), "utf-8")
    (source / "index.md").write_text(_index(lessons), "utf-8")
    extensions = str(here.book / "_ext")
    if extensions not in sys.path:
        sys.path.insert(0, extensions)
    try:
        binding = import_module("slidedeck.binding")  # found by the path above
    except ImportError as missing_one:
        raise Refusal(f"slides need what 'make setup' installs: {missing_one}", NOT_READY) from None
    if warnings := binding.bind(source, out):
        raise Refusal(f"the slides were not made:\n{warnings}", FALSE)
    return out


def _title(title: str, meta: dict[str, object]) -> Slide:
    minutes = meta.get("minutes") or {}
    assert isinstance(minutes, dict)
    names = {"read": "of lesson", "lab": "of lab", "quiz": "of questions"}
    times = ", ".join(f"{minutes[kind]} {words}" for kind, words in names.items() if kind in minutes)
    asked, after = meta.get("questions") or [], meta.get("objectives") or []
    assert isinstance(asked, list)
    assert isinstance(after, list)
    notes = (f"Minutes: {times}.", *(["After it they can:"] if after else []), *(f"- {line}" for line in after))
    return Slide("title", title, "\n".join(f"- {line}" for line in asked), notes, 1)


def _scene(deck: _Deck, blocks: Sequence[Block]) -> None:
    """Read out, paragraph by paragraph; then its question."""
    held: list[str] = []

    def show() -> None:
        if held:
            again = deck.slides[-1].kind == "scene"
            deck.add(
                Slide("scene", "The scene", "\n\n".join(held), ("Read it out. Nobody scrolls.",), 3 if again else 2)
            )
            held.clear()

    for block in blocks:
        if block.kind == "comment":
            _note(deck, block)
        elif block.kind == "text" and not block.text.startswith(QUESTION):
            if held and len("".join([*held, block.text])) > SCENE_CHARS:
                show()
            held.append(block.text)
        else:
            show()
            _shown(deck, [block])
    show()


def _section(deck: _Deck, heading: str, blocks: Sequence[Block]) -> None:
    deck.heading = heading
    first = next((each for each in blocks if each.kind not in ("comment", "table")), None)
    lead = _lead(first.text) if first and first.kind == "text" and not first.text.startswith(QUESTION) else ""
    early = [each for each in blocks[: blocks.index(first)] if each.kind == "comment"] if first else []
    for comment in early:
        _note(deck, comment)
    deck.add(Slide("section", heading, lead, (), 2))
    _shown(deck, [each for each in blocks if each not in early])


def _shown(deck: _Deck, blocks: Sequence[Block]) -> None:
    """What a room can look at or answer."""
    pair: list[Block] = []

    def answers() -> None:
        if pair:
            both = "\n\n".join(f"`````{{{each.kind}}} {each.argument}\n{each.text}\n`````" for each in pair)
            deck.add(
                Slide(
                    "answers",
                    deck.heading,
                    both,
                    ("One sentence of your own on each: which you have lived through, and what it cost.",),
                )
            )
            pair.clear()

    for block in blocks:
        if block.kind in ("exam-answer", "engineering-answer"):
            if pair and (pair[-1].kind != "exam-answer" or block.kind != "engineering-answer"):
                answers()
            pair.append(block)
            continue
        answers()
        _one(deck, block)
    answers()


def _one(deck: _Deck, block: Block) -> None:
    match block.kind:
        case "comment":
            _note(deck, block)
        case "heading":
            deck.heading = block.text
        case "text" if block.text.startswith(QUESTION):
            asked = block.text.removeprefix(QUESTION).strip()
            deck.add(Slide("question", "Before you read on", f"{asked[:1].upper()}{asked[1:]}", (ASK,)))
        case "chart" | "diagram":
            options = dict(re.findall(r"^:(title|desc):[ ]*(.*)$", block.text, re.MULTILINE))
            directive = f"`````{{{block.kind}}} {block.argument}\n{block.text}\n`````"
            ask = (PREDICT,) if block.kind == "chart" else ()
            deck.add(Slide(block.kind, options.get("title", deck.heading), directive, (*ask, options.get("desc", ""))))
        case "quiz":
            _votes(deck, block)
        case "key-points":
            deck.add(Slide("key-points", "Key points", block.text, (), 2))
        case name if name in BOXES:
            title = f"{BOXES[name]}: {block.argument}" if block.argument else BOXES[name]
            deck.add(Slide(name, title, block.text))


def _votes(deck: _Deck, block: Block) -> None:
    """Each checkpoint is a vote, and then its answer; a guess has none yet."""
    named = re.search(r"^:items:[ ]*(.+)$", block.text, re.MULTILINE)
    items = named[1].replace(",", " ").split() if named else [""]
    for item in items:
        deck.add(Slide("vote", "Vote", f"`````{{vote}} {block.argument} {item}\n`````"))
        if item:
            deck.add(Slide("verdict", "The answer", f"`````{{verdict}} {block.argument} {item}\n`````"))


def _note(deck: _Deck, comment: Block) -> None:
    if comment.text.startswith(INSTRUCTOR):
        said = comment.text.removeprefix(INSTRUCTOR).strip()
        deck.waiting.append(f"{said[:1].upper()}{said[1:]}")


def _lead(paragraph: str) -> str:
    """Its first sentences, as many as a slide bears."""
    taken = ""
    for sentence in re.split(r"(?<=[.?!])\s+", " ".join(paragraph.split())):
        if taken and len(taken) + len(sentence) > LEAD_CHARS:
            break
        taken = f"{taken} {sentence}".strip()
    return taken


def _index(lessons: Sequence[Path]) -> str:
    listed = "\n".join(f"- {{deck}}`{each.stem}`" for each in lessons)
    names = "\n".join(each.stem for each in lessons)
    return (
        f"# Slides\n\n``````{{slide}} index\n{listed}\n``````\n\n"
        "``````{notes}\nS opens this view beside any deck, O shows all its slides, F fills the screen, B blackens it; ?theme=dark for a dark room.\n``````\n\n"
        f"```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    )


@click.command()
@click.argument("slugs", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(slugs: tuple[str, ...], as_json: bool) -> None:
    """Make the slides of these lessons, or of all, into _build/slides."""
    here = layout.find()
    out = build(here, slugs)
    decks = sorted(each.stem for each in out.glob("[0-9][0-9]-*.html"))
    if as_json:
        terminal.emit_json({"folder": str(out), "decks": decks})
    else:
        terminal.say(
            f"{len(decks)} decks are in {out.relative_to(here.root)}; open index.html there. S shows the speaker's notes."
        )


if __name__ == "__main__":
    sys.exit(terminal.run(command, "slides"))
