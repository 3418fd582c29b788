"""A quiz in a notebook: the page's own items and script in a widget, whose answers reach Python.

    from quizzes import notebook
    quiz = notebook.show("06-squid")     # a cell that ends in this shows the questions
    quiz.score()                         # (points, marked items), each item's first answer
    notebook.study()                     # what is due, as `quiz study` asks it; .calibration() shows how sure you were and how right

The browser's word is not taken for a mark: every answer is marked again here, by `quizzes.grading`, and goes to the same attempt log
that the terminal writes, so that it outlives the kernel.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from labs.errors import FALSE, USAGE, Refusal
from quizzes import attempts, bank, figures, generate, page
from quizzes.grading import BadResponse, decode_response, grade
from quizzes.model import AnyItem, Quiz
from quizzes.study import certainty, pick, schedule
from quizzes.study.schedule import Deck, rating
from quizzes.take import CERTAINTIES

WEB = Path(__file__).parent / "web"
_RENDER = """
export default {
  render({ model, el }) {
    el.innerHTML = model.get("html"); // written by quizzes/page.py
    const answered = (event) => model.send(event.detail);
    el.addEventListener("dd-quiz:answered", answered);
    return () => el.removeEventListener("dd-quiz:answered", answered);
  },
};
"""


class QuizWidget(anywidget.AnyWidget):
    """The items of one quiz; `answers` grows with each answer that is given in the notebook."""

    _esm = (WEB / "quiz.js").read_text("utf-8") + _RENDER
    _css = (WEB / "quiz.css").read_text("utf-8")
    html = traitlets.Unicode().tag(sync=True)

    def __init__(self, quiz: Quiz, log: attempts.Log, reader: str) -> None:
        """`quiz` is filled."""
        markup = page.render_quiz(quiz).replace("<dd-quiz ", '<dd-quiz data-platform="notebook" ', 1)
        super().__init__(html=markup)
        self.quiz, self.attempt_log, self.reader = quiz, log, reader
        self.answers: list[dict[str, Any]] = []
        self._items = {item.id: item for item in quiz.items}
        self.on_msg(self._received)

    def _received(self, _widget: Any, said: Any, _buffers: Any) -> None:
        answer = self._marked(said)
        if answer is not None:
            self.answers.append(answer)
            self.attempt_log.append(answer)

    def _marked(self, said: Any) -> dict[str, Any] | None:
        """The statement as Python would have written it; None for what is not an answer to one of the items."""
        try:
            item = self._items[said["object"]["id"].removeprefix(f"{attempts.URN}item:")]
            extensions = said["context"]["extensions"]
            response = decode_response(item.type, said["result"]["response"])
            order = [str(part) for part in extensions[f"{attempts.URN}order"]]
            mark = None if item.mode == "guess" else grade(item.key(), response, "study")
        except (KeyError, TypeError, AttributeError, BadResponse):
            return None
        count = 1 + sum(a["object"]["id"].endswith(f":{item.id}") for a in self.answers)
        sure = extensions.get(f"{attempts.URN}certainty")
        certainty = sure if sure in CERTAINTIES else None
        context = attempts.Context(
            self._quiz_of(item), self.reader, count, order, platform="notebook", certainty=certainty
        )
        return attempts.statement(item, response, mark, context)

    def _quiz_of(self, item: AnyItem) -> str:  # noqa: ARG002 - of a study session each item has its own
        return self.quiz.slug

    def score(self) -> tuple[float, int]:
        """Points for the first answer to each item, and how many items that is."""
        first: dict[str, float] = {}
        for answer in self.answers:
            if "score" in answer["result"]:
                first.setdefault(answer["object"]["id"], answer["result"]["score"]["scaled"])
        return sum(first.values()), len(first)


class StudyWidget(QuizWidget):
    """What is due, each with how sure you are; the first answer to each moves its card."""

    def __init__(self, asked: Sequence[pick.Asked], deck: Deck, kept: Path, reader: str) -> None:
        """`asked` is what `quizzes.study.pick` chose."""
        quiz = Quiz(slug="study", title="Study", entries=tuple(one.item for one in asked))
        super().__init__(quiz, attempts.Log(kept / "study.jsonl"), reader)
        self.html = self.html.replace("<dd-quiz ", '<dd-quiz data-certainty="yes" data-fresh="yes" ', 1)
        self.asked = {one.item.id: one for one in asked}
        self.deck, self.kept = deck, kept

    def _quiz_of(self, item: AnyItem) -> str:
        return self.asked[item.id].quiz

    def _received(self, _widget: Any, said: Any, _buffers: Any) -> None:
        answer = self._marked(said)
        if answer is None:
            return
        item_id = answer["object"]["id"].removeprefix(f"{attempts.URN}item:")
        one = self.asked[item_id]
        first = all(earlier["object"]["id"] != answer["object"]["id"] for earlier in self.answers)
        self.answers.append(answer)
        attempts.Log(self.kept / f"{one.quiz}.jsonl").append(answer)
        if first:
            sure = answer["context"]["extensions"].get(f"{attempts.URN}certainty")
            self.deck.review(one.card, rating(answer["result"]["score"]["scaled"], sure), datetime.now(UTC))

    def calibration(self) -> Any:
        """How sure you were and how right, over all your answers: an Altair chart."""
        return certainty.chart(certainty.calibration(certainty.answers(self.kept)))


def study(*slugs: str, items: int = pick.ITEMS, new: int = pick.NEW, folder: Path = bank.BANK) -> StudyWidget:
    """A study session: what is due of these quizzes (or of all lessons), and a few new questions."""
    kept, deck = attempts.folder(), Deck(schedule.folder() / "cards.json")
    asked = pick.pick(deck, pick.candidates(slugs, folder), datetime.now(UTC), items, new)
    if not asked:
        raise Refusal("nothing is due, and nothing is new; come back later, or name another quiz", FALSE)
    return StudyWidget(asked, deck, kept, attempts.reader_name(kept))


def show(slug: str, items: Sequence[str] = (), folder: Path = bank.BANK) -> QuizWidget:
    """The quiz of this slug (or some of its items); Refusal for a name that is none."""
    return _widget(figures.fill_quiz(_picked(bank.load(slug, folder), items)))


def draw(family: str, seed: int | None = None) -> QuizWidget:
    """A computed item of this family: another one on each call, or that of `seed`."""
    return _widget(figures.fill_quiz(generate.quiz(family, seed)))


def _picked(quiz: Quiz, wanted: Sequence[str]) -> Quiz:
    known: dict[str, AnyItem] = {item.id: item for item in quiz.items}
    if strange := [name for name in wanted if name not in known]:
        raise Refusal(f"there is no item '{strange[0]}' in {quiz.slug}; there are: {', '.join(known)}", USAGE)
    return quiz.model_copy(update={"entries": tuple(known[name] for name in wanted)}) if wanted else quiz


def _widget(quiz: Quiz) -> QuizWidget:
    where = attempts.folder()
    return QuizWidget(quiz, attempts.Log(where / f"{quiz.slug}.jsonl"), attempts.reader_name(where))
