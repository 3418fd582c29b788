"""SCORM 1.2: quizzes as packages for a learning platform, one page (SCO) a quiz, with the book's own questions on it.

    scorm.write(scorm.of_bank(["06-squid"]), Path("squid.zip"), pass_mark=70)

The page marks in the learner's browser, as in the book, and `web/scorm.js` reports: a question counts once, by its first try, with the
partial credit of study mode; the score is the points over the questions, times 100; `passed` or `failed` once all are answered, `incomplete`
before. The manifest names no `masteryscore`, since platforms that have one compare it with the score of a half-finished quiz, too. Where
a platform gives one, the page takes it instead of ours.
Sources: SCORM 1.2 Content Aggregation Model and Run-Time Environment (ADL, 2001).
"""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from xml.etree import ElementTree as Xml

from labs.errors import USAGE, Refusal
from quizzes import bank, figures
from quizzes.frame import document
from quizzes.marking import keys, withhold
from quizzes.model import AnyItem, Matching, Multiple, Numeric, Ordering, Quiz, Single
from quizzes.page import Setting, render_quiz

WEB = Path(__file__).parent / "web"
PASS_MARK = 70.0
"""points of 100 that pass, unless the platform or the teacher says otherwise"""
SUSPEND_DATA = 4096
"""characters that a platform must keep for a page (`cmi.suspend_data`)"""
_PER_ITEM = 20
"""characters there for an answered question, about"""
IMSCP = "http://www.imsproject.org/xsd/imscp_rootv1p1p2"
ADLCP = "http://www.adlnet.org/xsd/adlcp_rootv1p2"
_STYLE = """
.scorm-state, .scorm-told { max-width: none; }
.scorm-state, .scorm-told:not(:empty) { padding: .7rem 1rem; border-left: 4px solid var(--accent); background: var(--surface); }
.scorm-reporting .dd-score .dd-actions .dd-button:first-child { display: none; }
"""  # Start over would clear answers that the platform has
_SHARED = ("quiz.js", "scorm.js")


@dataclass(frozen=True)
class Lesson:
    """One page of a package: a quiz and the questions of it that count."""

    quiz: Quiz
    """filled"""
    items: tuple[AnyItem, ...]
    misconceptions: dict[str, str]

    @property
    def digest(self) -> str:
        """Changes with any key, and with the questions: what a platform kept about others is not taken for these."""
        said = "\n".join(f"{item.id}:{item.version}" for item in self.items)
        return hashlib.sha256(said.encode()).hexdigest()[:10]


def of_bank(slugs: Sequence[str] = (), folder: Path = bank.BANK) -> list[Lesson]:
    """A page for each of these quizzes (for all, unless named). Refusal for a name that is none, or when no question counts."""
    found = []
    for slug in slugs or bank.slugs(folder):
        quiz = figures.fill_quiz(bank.load(slug, folder))
        scored = tuple(item for item in quiz.items if item.mode == "score")
        if scored:
            found.append(Lesson(quiz, scored, bank.misconceptions(folder)))
    if not found:
        raise Refusal("there is no question for this format in these quizzes", USAGE)
    return found


def of_form(key: Path) -> list[Lesson]:
    """One page, of a form that `quiz form --withhold` drew. Refusal if the file is no key."""
    ring = keys.of_file(key)
    quiz = Quiz(slug=ring.quiz, title=ring.title, entries=tuple(ring.items.values()))
    return [Lesson(quiz, tuple(ring.items.values()), bank.misconceptions())]


def write(lessons: Sequence[Lesson], path: Path, pass_mark: float = PASS_MARK) -> None:
    """Write the package. Refusal for a quiz whose answers no platform has the room to keep."""
    for lesson in lessons:
        if len(lesson.items) * _PER_ITEM > SUSPEND_DATA:
            raise Refusal(
                f"'{lesson.quiz.slug}' has {len(lesson.items)} questions, more than a SCORM 1.2 platform can keep the answers of", USAGE
            )  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files(lessons, pass_mark):
            out.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def files(lessons: Sequence[Lesson], pass_mark: float = PASS_MARK) -> Iterator[tuple[str, str]]:
    """Name and contents of everything in the package."""
    yield "imsmanifest.xml", manifest(lessons)
    for lesson in lessons:
        yield f"{lesson.quiz.slug}.html", page(lesson, pass_mark)
        yield f"{lesson.quiz.slug}-responses.csv", responses(lesson.items)
    yield "quiz.js", (withhold.WEB / "quiz.js").read_text("utf-8")
    yield "scorm.js", (WEB / "scorm.js").read_text("utf-8")


def manifest(lessons: Sequence[Lesson]) -> str:
    """imsmanifest.xml: an organization with an item for each quiz, and the files of each."""
    title = lessons[0].quiz.title if len(lessons) == 1 else "The Deployment Dilemma"
    package = "dd-" + hashlib.sha256("".join(lesson.quiz.slug for lesson in lessons).encode()).hexdigest()[:8]
    root = Xml.Element("manifest", {"identifier": package, "version": "1.0", "xmlns": IMSCP, "xmlns:adlcp": ADLCP})
    metadata = Xml.SubElement(root, "metadata")
    Xml.SubElement(metadata, "schema").text = "ADL SCORM"
    Xml.SubElement(metadata, "schemaversion").text = "1.2"
    organizations = Xml.SubElement(root, "organizations", default="course")
    organization = Xml.SubElement(organizations, "organization", identifier="course")
    Xml.SubElement(organization, "title").text = title
    resources = Xml.SubElement(root, "resources")
    for lesson in lessons:
        slug = lesson.quiz.slug
        entry = Xml.SubElement(organization, "item", identifier=f"item-{slug}", identifierref=f"sco-{slug}", isvisible="true")  # fmt: skip
        Xml.SubElement(entry, "title").text = lesson.quiz.title
        kind = {"identifier": f"sco-{slug}", "type": "webcontent", "adlcp:scormtype": "sco", "href": f"{slug}.html"}
        resource = Xml.SubElement(resources, "resource", kind)
        for name in (f"{slug}.html", f"{slug}-responses.csv", *_SHARED):
            Xml.SubElement(resource, "file", href=name)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def page(lesson: Lesson, pass_mark: float = PASS_MARK) -> str:
    """The quiz's page; quiz.js and scorm.js stand beside it."""
    quiz = lesson.quiz
    head, foot = document(quiz.title, (withhold.WEB / "quiz.css").read_text("utf-8") + withhold.TOKENS + _STYLE)
    settings = {
        "pass": int(pass_mark) if pass_mark == int(pass_mark) else pass_mark,
        "digest": lesson.digest,
        "skills": {item.id: item.objective for item in lesson.items},
    }
    asked = render_quiz(quiz, lesson.items, Setting(heading_level=2, misconceptions=lesson.misconceptions))
    said = json.dumps(settings).replace("<", "\\u003c")
    return (
        f'{head}<h1>{escape(quiz.title)}</h1>\n<p class="scorm-state" role="status">This page needs JavaScript to mark an answer and to report it.</p>\n'
        f'{asked}\n<p class="scorm-told" role="status"></p>\n<script id="scorm-settings" type="application/json">{said}</script>\n'
        f'<script src="quiz.js"></script>\n<script src="scorm.js"></script>\n{foot}'
    )


def responses(items: Sequence[AnyItem]) -> str:
    """What the letters and numbers in a platform's report mean, as CSV: item, sign, text, key."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("item", "sign", "text", "key"))
    for item in items:
        writer.writerows((item.id, *row) for row in _signs(item))
    return out.getvalue()


def _signs(item: AnyItem) -> Iterator[tuple[str, str, str]]:
    letters = {name: chr(ord("a") + place) for place, name in enumerate(item.key().options)}
    match item:
        case Single() | Multiple():
            for option in item.options:
                yield letters[option.id], option.text, "right" if option.correct else ""
        case Ordering():
            for place, step in enumerate(item.steps, 1):
                yield letters[step.id], step.text, f"step {place}"
        case Matching():
            for place, prompt in enumerate(item.prompts, 1):
                yield str(place), prompt.text, letters[prompt.choice]
            for choice in item.choices:
                yield letters[choice.id], choice.text, ""
        case Numeric():
            yield "", f"a number, in {item.unit}", f"{item.key().answer:.10g}"
