"""The exam on a screen: what each key does, and what is seen. No terminal in here, so that a test can sit an exam.

    room = Room(form, sitting, keep=desk.keep)
    room.press("b", now)                     # chooses option B
    lines = room.lines(80, 24, now)          # exactly 24 lines

Letters choose, numbers order, ←→ turn pages, `m` marks, `r` reviews; nothing says whether an answer is right.
"""

import io
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from quizzes.exam.sitting import Sitting
from quizzes.forms import Form, Question
from quizzes.model import TYPE_NAMES, AnyItem, Matching, Multiple, Numeric, Ordering
from quizzes.take import order_of, texts_of
from quizzes.text import count_word, letter

TEXT_WIDTH = 96
CELL = 6
"""columns of one question in the review"""
NUMBER_KEYS = frozenset("0123456789.,-+eE$")


def clock(seconds: float) -> str:
    """'1:05:09', or '05:09' in the last hour."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes:02}:{whole % 60:02}"


def is_whole(item: AnyItem, given: object) -> bool:
    """Whether this answers all that is asked."""
    if not given:
        return False
    match item:
        case Multiple():
            return isinstance(given, list) and len(given) == item.select
        case Ordering():
            return isinstance(given, list) and len(given) == len(item.steps)
        case Matching():
            return isinstance(given, dict) and len(given) == len(item.prompts)
    return True


class Room:
    """Keys in, lines out. `done` is true when the exam is handed in, `left` when somebody goes out for a while."""

    def __init__(self, form: Form, sitting: Sitting, keep: Callable[[Sitting], None]) -> None:
        self.form, self.sitting, self._keep = form, sitting, keep
        self.view = "question"
        self.done = self.left = False
        self.top = 0
        """first line of the body that is seen"""
        self.line = 0
        """which prompt of a matching item the next letter is for"""
        self._since: float | None = None
        self._body_height = self._body_lines = 0
        self._order: dict[str, list[str]] = {}

    # --- what is asked

    @property
    def question(self) -> Question:
        """The one on the screen."""
        return self.form.questions[self.sitting.at]

    def order(self, item: AnyItem) -> list[str]:
        """The ids as this sitting shows them."""
        if item.id not in self._order:
            self._order[item.id] = order_of(item, self.sitting.registration, 1)
        return self._order[item.id]

    def open_questions(self) -> list[int]:
        """Places of those that are not wholly answered."""
        answers = self.sitting.answers
        return [n for n, q in enumerate(self.form.questions) if not is_whole(q.item, answers.get(q.item.id))]

    # --- keys

    def press(self, key: str, now: float) -> None:
        """One key: a character, or 'left', 'right', 'up', 'down', 'enter', 'escape', 'backspace', 'pageup', 'pagedown', 'home', 'end'."""
        if self.tick(now):
            return
        self._count_time(now)
        {"question": self._in_question, "review": self._in_review, "confirm": self._in_confirm}[self.view](key, now)
        self._keep(self.sitting)

    def tick(self, now: float) -> bool:
        """Time passes; True once there is none left, and the exam is handed in as it stands."""
        if not self.done and now >= self.sitting.ends:
            self._hand_in(self.sitting.ends)
        return self.done

    def _count_time(self, now: float) -> None:
        if self._since is not None and self.view == "question":
            name = self.question.item.id
            self.sitting.seconds[name] = self.sitting.seconds.get(name, 0.0) + max(0.0, now - self._since)
        self._since = now

    def _go(self, place: int) -> None:
        self.sitting.at = max(0, min(place, len(self.form.questions) - 1))
        self.view, self.top, self.line = "question", 0, 0

    def _in_question(self, key: str, now: float) -> None:  # noqa: ARG002 - one shape for all views
        item, last = self.question.item, len(self.form.questions) - 1
        if self._answer(item, key):
            return
        match key:
            case "left" | "p":
                self._go(self.sitting.at - 1)
            case "right" | "n" | "enter" if self.sitting.at < last:
                self._go(self.sitting.at + 1)
            case "right" | "n" | "enter" | "r" | "R":
                self.view, self.top = "review", 0
            case "m" | "M":
                self._flag(item.id)
            case "q" | "Q":
                self.left = True
            case _:
                self._scroll(key)

    def _scroll(self, key: str) -> None:
        page = max(1, self._body_height - 2)
        by = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, " ": page, "home": -(10**6), "end": 10**6}
        self.top = max(0, min(self.top + by.get(key, 0), self._body_lines - self._body_height))

    def _flag(self, name: str) -> None:
        flagged = self.sitting.flagged
        if name in flagged:
            flagged.remove(name)
        else:
            flagged.append(name)

    def _answer(self, item: AnyItem, key: str) -> bool:
        """Whether the key was part of an answer."""
        match item:
            case Numeric():
                return self._type(item, key)
            case Ordering():
                return self._number(item, key)
            case Matching():
                return self._pair(item, key)
            case _:
                return self._choose(item, key)

    def _set(self, item: AnyItem, response: list[str] | dict[str, str] | str) -> None:
        if response:
            self.sitting.answers[item.id] = response
        else:
            self.sitting.answers.pop(item.id, None)

    def _list(self, item: AnyItem) -> list[str]:
        given = self.sitting.answers.get(item.id)
        return list(given) if isinstance(given, list) else []

    def _choose(self, item: AnyItem, key: str) -> bool:
        order = self.order(item)
        place = ord(key.upper()) - ord("A") if len(key) == 1 else -1
        if not 0 <= place < len(order):
            return False
        chosen, given = order[place], self._list(item)
        if chosen in given:
            given.remove(chosen)
        elif isinstance(item, Multiple):
            # One too many pushes the oldest out, so that the answer always is what was asked for.
            given = [*given, chosen][-item.select :]
        else:
            given = [chosen]
        self._set(item, given)
        return True

    def _number(self, item: Ordering, key: str) -> bool:
        order, given = self.order(item), self._list(item)
        if key == "backspace":
            self._set(item, given[:-1])
            return True
        if not (key.isdecimal() and 1 <= int(key) <= len(order)):
            return False
        chosen = order[int(key) - 1]
        self._set(item, [one for one in given if one != chosen] if chosen in given else [*given, chosen])
        return True

    def _pair(self, item: Matching, key: str) -> bool:
        if key in ("up", "down"):
            self.line = (self.line + (1 if key == "down" else -1)) % len(item.prompts)
            self.top = 0 if self.line == 0 else self.top
            return True
        if key.isdecimal() and 1 <= int(key) <= len(item.prompts):
            self.line = int(key) - 1
            return True
        given = self.sitting.answers.get(item.id)
        pairs = dict(given) if isinstance(given, Mapping) else {}
        prompt = item.prompts[self.line].id
        order = self.order(item)
        if key == "backspace":
            pairs.pop(prompt, None)
            self._set(item, pairs)
            return True
        place = ord(key.upper()) - ord("A") if len(key) == 1 else -1
        if not 0 <= place < len(order):
            return False
        pairs = {name: choice for name, choice in pairs.items() if choice != order[place]}
        pairs[prompt] = order[place]
        self._set(item, pairs)
        self.line = min(self.line + 1, len(item.prompts) - 1)
        return True

    def _type(self, item: Numeric, key: str) -> bool:
        given = self.sitting.answers.get(item.id)
        text = given if isinstance(given, str) else ""
        if key == "backspace":
            self._set(item, text[:-1])
            return True
        if len(key) == 1 and key in NUMBER_KEYS and len(text) < 20:
            self._set(item, text + key)
            return True
        return False

    def _in_review(self, key: str, now: float) -> None:
        last = len(self.form.questions) - 1
        moves = {"left": -1, "right": 1, "up": -self._across, "down": self._across, "home": -last, "end": last}
        if key in moves:
            self.sitting.at = max(0, min(self.sitting.at + moves[key], last))
        elif key == "enter":
            self._go(self.sitting.at)
        elif key in ("m", "M"):
            self._flag(self.question.item.id)
        elif key in ("o", "O"):
            self._go_on(self.open_questions())
        elif key in ("f", "F"):
            marked = [n for n, q in enumerate(self.form.questions) if q.item.id in self.sitting.flagged]
            self._go_on(marked)
        elif key in ("s", "S"):
            self.view = "confirm"
        elif key in ("q", "Q"):
            self.left = True
        elif key in ("escape", "r", "R"):
            self._go(self.sitting.at)
        _ = now

    def _go_on(self, places: Sequence[int]) -> None:
        """To the next of these places, round the end."""
        if places:
            self._go(next((place for place in places if place > self.sitting.at), places[0]))

    def _in_confirm(self, key: str, now: float) -> None:
        if key in ("y", "Y"):
            self._hand_in(now)
        elif key in ("n", "N", "escape", "q", "r"):
            self.view = "review"

    def _hand_in(self, now: float) -> None:
        self.sitting.ended, self.sitting.state, self.done = now, "done", True
        self._keep(self.sitting)

    # --- what is seen

    _across = 10

    def lines(self, width: int, height: int, now: float) -> list[str]:
        """The screen: `height` lines with their colours, none wider than `width`."""
        self._across = max(1, min(10, (width - 2) // CELL))
        footer = self._footer(width)
        self._body_height = max(1, height - 2 - len(footer))
        body = _printed(self._body(), min(width, TEXT_WIDTH))
        self._body_lines = len(body)
        self._keep_cursor_in_sight(body)
        self.top = max(0, min(self.top, len(body) - self._body_height))
        seen = body[self.top : self.top + self._body_height]
        seen += [""] * (self._body_height - len(seen))
        return [self._header(width, now), self._more(width), *seen, *footer][:height]

    def _keep_cursor_in_sight(self, body: Sequence[str]) -> None:
        if self.view != "question" or not isinstance(self.question.item, Matching) or self.line == 0:
            return
        place = next((n for n, line in enumerate(body) if "›" in line), 0)
        if not self.top <= place < self.top + self._body_height - 2:
            self.top = max(0, place - self._body_height + 4)

    def _header(self, width: int, now: float) -> str:
        left = self.sitting.left_s(now)
        time = f"{clock(left)} left"
        title = self.form.title
        if self.view == "question":
            flag = "  ⚑ marked" if self.question.item.id in self.sitting.flagged else ""
            item = self.question.item
            kind = f"Select {count_word(item.select)}" if isinstance(item, Multiple) else TYPE_NAMES[item.type]
            title = f"Question {self.sitting.at + 1} of {len(self.form.questions)} · {kind}{flag}"
        gap = max(1, width - 2 - len(title) - len(time))
        text = Text(f" {title}{' ' * gap}{time} ", style="reverse", no_wrap=True)
        if left < 300:
            text.stylize("bold", len(title) + gap)
        return _one_line(text, width)

    def _more(self, width: int) -> str:
        """Between header and body: whether something is above or below."""
        above, below = self.top, self._body_lines - self._body_height - self.top
        said = [f"▲ {above} lines above"] * (above > 0) + [f"▼ {below} lines below: Space"] * (below > 0)
        return _one_line(Text(" ".join(said).rjust(width - 1), style="dim", no_wrap=True), width)

    def _footer(self, width: int) -> list[str]:
        rows = [self._status(), self._keys()]
        return [
            _one_line(Text("─" * width, style="dim"), width),
            *(line for row in rows for line in _printed(row, width)),
        ]

    def _status(self) -> Text:
        total, open_ = len(self.form.questions), len(self.open_questions())
        said = f"{total - open_} of {total} answered"
        if self.sitting.flagged:
            said += f" · {len(self.sitting.flagged)} marked"
        if self.view == "confirm":
            left = f"{open_} are still open. " if open_ > 1 else "One is still open. " if open_ else ""
            return Text(f" {left}Hand in now? There is no way back.", style="bold")
        return Text(f" {said} · the clock also runs while you are away", style="dim")

    def _keys(self) -> Text:
        if self.view == "confirm":
            return Text(" y  yes, hand in    n  no, back to the review")
        if self.view == "review":
            return Text(" ←→↑↓ and Enter: go there · o next open · f next marked · s hand in · q leave")
        how = {
            "single": "letter: choose",
            "multiple": "letters: choose",
            "ordering": "numbers: the order, ⌫ undo",
            "matching": "↑↓ line, letter: its choice",
            "numeric": "type the number",
        }[self.question.item.type]
        return Text(f" {how} · ←→ page · m mark · r review · q leave")

    def _body(self) -> RenderableType:
        return self._review() if self.view in ("review", "confirm") else self._shown(self.question)

    def _shown(self, question: Question) -> RenderableType:
        item = question.item
        page = Table.grid(padding=0)
        page.add_column()
        if question.scenario:
            page.add_row(Markdown(question.scenario))
            page.add_row("")
        page.add_row(Markdown(item.stem))
        page.add_row("")
        page.add_row(Markdown(f"**{item.criterion}**"))
        page.add_row("")
        page.add_row(self._parts(item))
        return Padding(page, (0, 1))

    def _parts(self, item: AnyItem) -> Table:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, style="bold", justify="right")
        grid.add_column(overflow="fold")
        texts, order, given = texts_of(item), self.order(item), self._list(item)
        match item:
            case Matching():
                self._pairs(item, grid, order, texts)
            case Ordering():
                for index, step in enumerate(order):
                    grid.add_row(" ", str(index + 1), Markdown(texts[step]))
                said = " ".join(str(order.index(step) + 1) for step in given) or "nothing yet"
                grid.add_row("", "", "")
                grid.add_row("", "", Text(f"Your order, first to last: {said}", style="bold"))
            case Numeric():
                typed = self.sitting.answers.get(item.id) or ""
                grid.add_row("", "", Text(f"Your answer: {typed}▏ {item.unit}", style="bold"))
            case _:
                on, off = ("■", "□") if isinstance(item, Multiple) else ("●", "○")
                for index, option in enumerate(order):
                    grid.add_row(on if option in given else off, letter(index), Markdown(texts[option]))
        return grid

    def _pairs(self, item: Matching, grid: Table, order: Sequence[str], texts: Mapping[str, str]) -> None:
        given = self.sitting.answers.get(item.id)
        pairs = given if isinstance(given, Mapping) else {}
        for index, choice in enumerate(order):
            grid.add_row(" ", letter(index), Markdown(texts[choice]))
        grid.add_row("", "", "")
        for index, prompt in enumerate(item.prompts):
            chosen = pairs.get(prompt.id)
            mark = letter(order.index(chosen)) if chosen else "_"
            grid.add_row("›" if index == self.line else " ", mark, Markdown(f"{index + 1}\\. {prompt.text}"))

    def _review(self) -> RenderableType:
        grid = Table.grid(padding=0)
        for _ in range(self._across):
            grid.add_column(width=CELL, no_wrap=True)
        open_ = set(self.open_questions())
        cells = []
        for place, question in enumerate(self.form.questions):
            sign = "○" if place in open_ else "●"
            flag = "⚑" if question.item.id in self.sitting.flagged else " "
            here = "reverse" if place == self.sitting.at else ""
            cells.append(Text(f"{place + 1:>3}{sign}{flag}", style=here))
        for start in range(0, len(cells), self._across):
            grid.add_row(*cells[start : start + self._across])
        page = Table.grid()
        page.add_column()
        page.add_row(Text("Review", style="bold"))
        page.add_row(Text("● answered   ○ still open, or not wholly answered   ⚑ marked by you", style="dim"))
        page.add_row("")
        page.add_row(grid)
        return Padding(page, (0, 1))


def _printed(what: RenderableType, width: int) -> list[str]:
    console = Console(
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
        highlight=False,
        legacy_windows=False,
    )
    console.print(what)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def _one_line(text: Text, width: int) -> str:
    text.truncate(width)
    return (_printed(text, width) or [""])[0]
