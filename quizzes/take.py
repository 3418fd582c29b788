"""A quiz in the terminal: every kind of item, answered by letters and numbers, each reason after each answer.

    take.take(quiz, Session(log, reader="ab12"), console, ask)

`ask` reads one line; whoever answers may also skip (`s`) or stop (`q`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table

from quizzes import attempts
from quizzes.grading import BadResponse, Grade, Profile, Response, decode_response, encode_response, grade, parse_number
from quizzes.model import TYPE_NAMES, AnyItem, CaseSet, Matching, Multiple, Numeric, Ordering, Quiz, Single
from quizzes.shuffle import seed, shuffled
from quizzes.text import about, count_word, letter

Ask = Callable[[str], str]
CERTAINTIES = {1: "A guess", 2: "Fairly sure", 3: "Sure"}
"""what a taker may say of an answer before the verdict; the page's script has the same words"""


class Stopped(Exception):  # noqa: N818 - the taker's wish, not an error
    """The taker wants to stop; what was answered is kept."""


@dataclass(frozen=True)
class Session:
    """Who takes a quiz, how it is marked, and where the answers go."""

    log: attempts.Log
    reader: str
    profile: Profile = "study"
    guesses: attempts.Log | None = None
    """where a guess about the same item may stand"""
    asks_certainty: bool = False
    """study mode: how sure, before the verdict"""


@dataclass(frozen=True)
class Result:
    """One answer; a guess has neither score nor verdict."""

    id: str
    response: str
    score: float | None
    correct: bool | None
    certainty: int | None = None


@dataclass
class Outcome:
    """What came of a quiz so far."""

    results: list[Result] = field(default_factory=list)

    @property
    def score(self) -> float:
        """Points of the marked items."""
        return sum(result.score for result in self.results if result.score is not None)

    @property
    def marked(self) -> int:
        """How many items were marked (a guess is not)."""
        return sum(result.score is not None for result in self.results)


def take(quiz: Quiz, session: Session, console: Console, ask: Ask, outcome: Outcome) -> None:
    """Put every item of the (filled) quiz to whoever sits there; `outcome` grows with each answer, also if it ends early."""
    items = quiz.items
    seconds = sum(item.est_seconds for item in items)
    console.print(f"[bold]{quiz.title}[/] · {len(items)} question{'s' if len(items) != 1 else ''} · {about(seconds)}")
    console.print("[dim]s skips a question, q stops; what you have answered is kept.[/]")
    number = 0
    for entry in quiz.entries:
        if isinstance(entry, CaseSet):
            console.print(Rule(entry.title, align="left", style="dim"))
            console.print(Markdown(entry.scenario))
        for item in entry.items if isinstance(entry, CaseSet) else (entry,):
            number += 1
            outcome.results.append(one(item, f"Question {number} of {len(items)}", quiz.slug, session, console, ask))


def one(item: AnyItem, title: str, slug: str, session: Session, console: Console, ask: Ask) -> Result:
    """Put one (filled) item to whoever sits there, log the answer, and give the reason of every option. Stopped if they have had enough."""
    attempt = len(session.log.of_item(item.id, item.mode)) + 1
    order = order_of(item, session.reader, attempt)
    response, taken = put(item, title, order, console, ask)
    certainty = _certainty(console, ask) if session.asks_certainty and response and item.mode != "guess" else None
    marked = None if item.mode == "guess" else grade(item.key(), response, session.profile)
    context = attempts.Context(slug, session.reader, attempt, order, session.profile, taken, certainty=certainty)
    session.log.append(attempts.statement(item, response, marked, context))
    score, correct = (marked.score, marked.correct) if marked else (None, None)
    result = Result(item.id, encode_response(response), score, correct, certainty)
    if marked is None:
        where = f"`quiz take {item.scored_in}` scores it" if item.scored_in else "a later quiz scores it"
        console.print(f"[bold]✓ Your guess is kept.[/] {where}.", markup=True)
        return result
    _verdict(item, marked, session, console)
    console.print(Padding(explained(item, order, response), (1, 0, 0, 2)))
    return result


def put(item: AnyItem, title: str, order: Sequence[str], console: Console, ask: Ask) -> tuple[Response, float]:
    """Show one (filled) item and read its answer; the seconds that it took. Tells nothing about right and wrong."""
    kind = f"Select {count_word(item.select)}" if isinstance(item, Multiple) else TYPE_NAMES[item.type]
    console.print()
    console.print(Rule(f"[bold]{title}[/] · {kind} · skill {item.objective}", align="left", style="dim"))
    console.print(Markdown(item.stem))
    console.print()
    console.print(Markdown(f"**{item.criterion}**"))
    console.print(Padding(_shown(item, order), (1, 0, 1, 2)))
    started = time.monotonic()
    response = _answer(item, order, console, ask)
    return response, time.monotonic() - started


def order_of(item: AnyItem, reader: str, attempt: int) -> list[str]:
    """The ids of an item in the order in which this reader sees them at this attempt."""
    key = item.key()
    if not item.shuffle:
        return list(key.options)
    return shuffled(key.options, seed(reader, item.id, attempt), key.correct if isinstance(item, Ordering) else ())


# --- showing


def texts_of(item: AnyItem) -> dict[str, str]:
    """What is shown for each id of `order_of`."""
    match item:
        case Single() | Multiple():
            return {option.id: option.text for option in item.options}
        case Ordering():
            return {step.id: step.text for step in item.steps}
        case Matching():
            return {choice.id: choice.text for choice in item.choices}
        case Numeric():
            return {}


def _rows() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _shown(item: AnyItem, order: Sequence[str]) -> Table:
    grid, texts = _rows(), texts_of(item)
    if isinstance(item, Matching):
        for index, prompt in enumerate(item.prompts, 1):
            grid.add_row(str(index), Markdown(prompt.text))
        grid.add_row("", "")
    for index, part in enumerate(order):
        grid.add_row(str(index + 1) if isinstance(item, Ordering) else letter(index), Markdown(texts[part]))
    if isinstance(item, Numeric):
        grid.add_row("", f"[dim]in {item.unit}[/]")
    return grid


def _verdict(item: AnyItem, marked: Grade, session: Session, console: Console) -> None:
    if marked.correct:
        said = "[bold]✓ Right.[/]"
    elif marked.score > 0:
        said = f"[bold]½ Partly right:[/] {marked.score:.2g} of 1 point."
    else:
        said = "[bold]✗ Not right.[/]" if marked.answered else "[bold]– Skipped[/], which counts as wrong."
    console.print(said)
    guesses = session.guesses.of_item(item.id, "guess") if session.guesses else []
    if guesses:
        guess = decode_response(item.type, guesses[-1]["result"].get("response", ""))
        parts: list[str] = list(guess) if isinstance(guess, list) else [str(guess)]
        said = " ".join(texts_of(item).get(part, part) for part in parts)
        console.print(f"[dim]Your guess at the start: {said}[/]")


def explained(item: AnyItem, order: Sequence[str], response: Response) -> Table:
    """Every option with its sign, what was chosen, and its reason; for an answer that is not whole as well."""
    grid = _rows()
    given: Sequence[str] = response if isinstance(response, list) else ()
    pairs = response if isinstance(response, Mapping) else {}

    def row(sign: str, name: str, text: str, reason: str) -> None:
        grid.add_row(f"{sign} {name}", Markdown(f"**{text}** {reason}"))

    match item:
        case Single() | Multiple():
            for index, option in enumerate(order):
                part = next(o for o in item.options if o.id == option)
                sign = "✓" if part.correct else "✗" if part.id in given else "–"
                said = "Right." if part.correct else "Your choice is wrong." if part.id in given else "Not this one."
                row(sign, letter(index), said, part.why)
        case Ordering():
            for index, step in enumerate(item.steps):
                here = len(given) > index and given[index] == step.id
                row("✓" if here else "✗" if given else "–", str(index + 1), step.text, step.why)
        case Matching():
            place = {choice: letter(index) for index, choice in enumerate(order)}
            for index, prompt in enumerate(item.prompts, 1):
                right = pairs.get(prompt.id) == prompt.choice
                sign = "✓" if right else "✗" if prompt.id in pairs else "–"
                row(sign, str(index), f"{place[prompt.choice]} is right.", prompt.why)
            for choice in item.unused:
                row("–", place[choice.id], "Fits nothing here.", choice.why or "")
        case Numeric():
            key = item.key()
            row("✓", "", f"{key.answer:,.10g} {item.unit} is right.", item.why)
            for mistake in item.mistakes:
                value = float(mistake.value)
                yours = isinstance(response, str) and abs(parse_number(response, item.unit) - value) < 1e-6 * max(
                    1, abs(value)
                )
                row("✗" if yours else "–", "", f"{value:,.10g} {item.unit} would be wrong.", mistake.why)
    return grid


# --- asking


def _certainty(console: Console, ask: Ask) -> int:
    said = ", ".join(f"{level} {words.lower()}" for level, words in CERTAINTIES.items())
    while True:
        line = ask(f"How sure are you ({said})").strip()
        if line.lower() in ("q", "quit"):
            raise Stopped
        if line in {str(level) for level in CERTAINTIES}:
            return int(line)
        console.print("1, 2 or 3.")


def _answer(item: AnyItem, order: Sequence[str], console: Console, ask: Ask) -> Response:
    """Ask until the line is an answer, `s` or `q`."""
    while True:
        line = ask(_question(item, order)).strip()
        if line.lower() in ("q", "quit"):
            raise Stopped
        if line.lower() in ("s", "skip"):
            return None
        try:
            return read_answer(item, order, line)
        except BadResponse as wrong:
            console.print(f"{wrong}.", markup=False)


def _question(item: AnyItem, order: Sequence[str]) -> str:
    match item:
        case Single():
            return "One letter"
        case Multiple():
            return f"{count_word(item.select).capitalize()} letters"
        case Ordering():
            return "The numbers in the right order, such as " + " ".join(str(n) for n in range(len(order), 0, -1))
        case Matching():
            return "Pairs, such as " + " ".join(f"{n}{letter(n % len(order))}" for n in range(1, len(item.prompts) + 1))
        case Numeric():
            return f"A number, in {item.unit}"


def read_answer(item: AnyItem, order: Sequence[str], line: str) -> Response:
    """What somebody typed, as a response. BadResponse says what is missing or strange."""
    if isinstance(item, Numeric):
        parse_number(line, item.unit)
        return line
    marks = line.upper().replace(",", " ").split()
    if isinstance(item, Matching):
        return _read_pairs(item, order, marks)
    if len(marks) == 1 and len(marks[0]) > 1:
        marks = list(marks[0])  # BD, or 31425
    names = [str(n + 1) if isinstance(item, Ordering) else letter(n) for n in range(len(order))]
    if strange := [mark for mark in marks if mark not in names]:
        raise BadResponse(f"'{strange[0]}' is none of {' '.join(names)}")
    if len(set(marks)) < len(marks):
        raise BadResponse("one stands there twice")
    wanted = len(order) if isinstance(item, Ordering) else item.select if isinstance(item, Multiple) else 1
    if len(marks) != wanted:
        raise BadResponse(f"{len(marks) or 'nothing'} given, {wanted} wanted")
    return [order[names.index(mark)] for mark in marks]


def _read_pairs(item: Matching, order: Sequence[str], marks: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for mark in marks:
        number, name = mark[:-1].rstrip("=:-"), mark[-1:]
        place = ord(name) - ord("A") if name else -1
        if not number.isdecimal() or not 1 <= int(number) <= len(item.prompts) or not 0 <= place < len(order):
            raise BadResponse(f"'{mark}' is not a pair such as 1B")
        prompt = item.prompts[int(number) - 1].id
        if prompt in pairs:
            raise BadResponse(f"{number} stands there twice")
        if order[place] in pairs.values():
            raise BadResponse(f"{name} stands there twice, and fits one line at most")
        pairs[prompt] = order[place]
    if len(pairs) < len(item.prompts):
        raise BadResponse(f"{len(pairs) or 'nothing'} given, {len(item.prompts)} wanted")
    return pairs
