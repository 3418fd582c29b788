"""Two tables for the book's reference: ```{exam-skills}``` (what asks which skill) and ```{errata}``` (what was wrong).

Both are made from the bank whenever the book is built. `quizzes/errata.yaml` holds what was wrong outside of the questions.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from docutils import nodes
from pydantic import ValidationError
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from labs.errors import FALSE, Refusal
from labs.facts.documents import BadDocument, read
from quizzes import bank, families, outline
from quizzes.model import Part, Text

Cell = list[nodes.Node]
ERRATA = Path(__file__).parent / "errata.yaml"


class Erratum(Part):
    """One thing that was wrong."""

    day: date
    where: Text
    """a page of the book, or an item's id"""
    change: Text
    reason: Text


class Errata(Part):
    """The file."""

    errata: tuple[Erratum, ...]


@dataclass(frozen=True)
class Row:
    """What the course has on one skill."""

    skill: str
    lessons: tuple[str, ...]
    """the lessons that ask it"""
    lesson_items: int
    exam_items: int
    families: tuple[str, ...]


def rows(folder: Path = bank.BANK) -> list[Row]:
    """Skill by skill, those that some question asks."""
    lessons: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    exams: dict[str, int] = defaultdict(int)
    seen: set[str] = set()
    for quiz in bank.load_all(folder):
        for item in quiz.items:
            if item.mode == "guess" or item.id in seen:
                continue
            seen.add(item.id)
            if quiz.slug.startswith("exam-"):
                exams[item.objective] += 1
            else:
                lessons[item.objective][quiz.slug] += 1
    computed: dict[str, list[str]] = defaultdict(list)
    for name, family in families.families().items():
        computed[family.objective].append(name)
    return [
        Row(skill, tuple(lessons[skill]), sum(lessons[skill].values()), exams[skill], tuple(computed[skill]))
        for skill in outline.skills()
        if lessons[skill] or exams[skill] or computed[skill]
    ]


def errata(folder: Path = bank.BANK, path: Path = ERRATA) -> list[tuple[Erratum, str]]:
    """Everything that was wrong, the newest first, each with the quiz that holds the item (or nothing)."""
    try:
        written = Errata.model_validate_json(json.dumps(read(path).data, default=str))
    except BadDocument as bad:
        raise Refusal(f"{path.name}:{bad.line}: {bad.reason}", FALSE) from None
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise Refusal(f"{path.name}: {' › '.join(map(str, first['loc']))}: {first['msg']}", FALSE) from None
    found = [(erratum, "") for erratum in written.errata]
    for quiz in bank.load_all(folder):
        for item in quiz.items:
            if item.mode == "score":
                found += [
                    (Erratum(day=c.day, where=item.id, change=c.change, reason=c.reason), quiz.slug)
                    for c in item.history
                ]
    return sorted(found, key=lambda pair: (pair[0].day, pair[0].where), reverse=True)


class SkillsDirective(SphinxDirective):
    """```{exam-skills}```"""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """One table, and a sentence on what nothing asks."""
        folder = Path(self.config.quiz_bank)
        for path in sorted(folder.glob("*.yaml")):
            self.env.note_dependency(str(path))
        try:
            found = rows(folder)
        except Refusal as refusal:
            raise self.error(f"{{exam-skills}}: {refusal}") from None
        body = [self._cells(row) for row in found]
        total = [
            sum(row.lesson_items for row in found),
            sum(row.exam_items for row in found),
            sum(len(row.families) for row in found),
        ]
        sums: list[Cell] = [[nodes.strong(text=str(n))] for n in total]
        body.append([[nodes.strong(text="All")], [], *sums])
        heads = ("Skill", "Lessons and labs", "In lessons", "For exams", "Computed")
        table = _table(heads, body, (40, 24, 12, 12, 12))
        asked = {row.skill for row in found}
        missing = [skill for skill in outline.skills() if skill not in asked]
        said = f"Of the guide's {sum(outline.SKILLS_PER_TASK.values())} skills, no question here asks these {len(missing)}: {', '.join(missing)}."
        return [table, nodes.paragraph(text=said)]

    def _cells(self, row: Row) -> list[Cell]:
        known = self.env.found_docs
        words = outline.WORDS.get(row.skill, "")
        skill: list[nodes.Node] = [nodes.strong(text=row.skill), nodes.Text(f" {words}" if words else "")]
        where: Cell = []
        for slug in row.lessons:
            where += [nodes.Text(", ")] if where else []
            where.append(_link(f"/{slug}", slug) if slug in known else nodes.Text(slug))
            if f"labs/{slug}" in known:
                where += [nodes.Text(" ("), _link(f"/labs/{slug}", "lab"), nodes.Text(")")]
        numbers: list[nodes.Node] = [
            nodes.Text(str(n) if n else "–") for n in (row.lesson_items, row.exam_items, len(row.families))
        ]
        counts: list[Cell] = [[number] for number in numbers]
        return [skill, where or [nodes.Text("–")], *counts]


class ErrataDirective(SphinxDirective):
    """```{errata}```"""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """A table, or the sentence that there is nothing yet."""
        folder = Path(self.config.quiz_bank)
        for path in (*sorted(folder.glob("*.yaml")), ERRATA):
            self.env.note_dependency(str(path))
        try:
            found = errata(folder)
        except Refusal as refusal:
            raise self.error(f"{{errata}}: {refusal}") from None
        if not found:
            return [nodes.paragraph(text="No entry so far.")]
        body: list[list[Cell]] = []
        for erratum, quiz in found:
            page = quiz or erratum.where
            where = _link(f"/{page}", erratum.where) if page in self.env.found_docs else nodes.Text(erratum.where)
            body.append(
                [
                    [nodes.Text(erratum.day.isoformat())],
                    [where],
                    [nodes.Text(erratum.change)],
                    [nodes.Text(erratum.reason)],
                ]
            )
        return [_table(("Day", "Where", "What changed", "Why"), body, (12, 20, 34, 34))]


def _link(target: str, text: str) -> nodes.Node:
    return addnodes.pending_xref(
        "", nodes.inline(text=text), refdomain="std", reftype="doc", reftarget=target, refexplicit=True, refwarn=True
    )


def _table(heads: Sequence[str], body: Sequence[Sequence[Cell]], widths: Sequence[int]) -> nodes.table:
    def entry(cell: Cell) -> nodes.entry:
        paragraph = nodes.paragraph()
        paragraph.extend(cell)
        return nodes.entry("", paragraph)

    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(heads))
    head = nodes.row("", *(entry([nodes.Text(text)]) for text in heads))
    group += nodes.thead("", head)
    group += nodes.tbody("", *(nodes.row("", *(entry(cell) for cell in cells)) for cells in body))
    return nodes.table("", group, classes=["colwidths-auto"])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up by `quizzes.sphinx`, whose bank this is."""
    app.add_directive("exam-skills", SkillsDirective)
    app.add_directive("errata", ErrataDirective)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
