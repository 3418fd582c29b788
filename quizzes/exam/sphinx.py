"""The exam room of a page.

    ```{exam} deployment-practice
    ```

The argument is a blueprint; `:questions:`, `:minutes:`, `:ordering:` and `:matching:` (shares) set what it leaves to the register. The page says what the exam asks and leaves out; `web/exam.js` does the rest. Two whole forms that share no question
are drawn when the book is built; their questions lie beside the pages (`exam-forms/`), one script a form, loaded when a form is begun.
"""

import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from labs.errors import Refusal
from labs.facts.sphinx import depend_on
from quizzes import bank, blueprint, figures, forms, outline, page
from quizzes.blueprint import Blueprint
from quizzes.forms import Form, Question
from quizzes.sections import Book, Section
from quizzes.text import block_html, inline_html

DATA = "exam-forms"
"""the folder of the site with the forms' questions"""
NAMES = "ab"


class ExamNode(nodes.General, nodes.Element):
    """One exam room, with its plan and the forms of this build."""


SETTINGS: dict[str, tuple[str, type]] = {
    "questions": ("questions", int),
    "minutes": ("minutes", int),
    "ordering": ("ordering_share", float),
    "matching": ("matching_share", float),
}
"""option: (field of the blueprint, type)"""


@cache
def draw_forms(
    name: str, settings: tuple[tuple[str, float], ...], folder: str, _stamp: float
) -> tuple[Blueprint, tuple[Form, ...]]:
    """Plan and forms of a page; `_stamp` changes when the bank does."""
    plan = blueprint.load(name).model_copy(update=dict(settings))
    return plan, forms.two(plan, forms.pool(Path(folder)), f"page/{name}")


class ExamDirective(SphinxDirective):
    """```{exam} blueprint```"""

    required_arguments = 1
    has_content = False
    option_spec: ClassVar = {option: kind for option, (_, kind) in SETTINGS.items()}

    def run(self) -> list[nodes.Node]:
        """A node that holds plan and forms."""
        name, folder = self.arguments[0], Path(self.config.quiz_bank)
        files = [*sorted(folder.glob("*.yaml")), *sorted(blueprint.FOLDER.glob("*.yaml"))]
        lessons = sorted(Path(self.env.srcdir).glob("[0-9][0-9]-*.md"))
        for path in (*files, *lessons):
            self.env.note_dependency(str(path))
        settings = tuple((SETTINGS[option][0], value) for option, value in self.options.items())
        try:
            plan, drawn = draw_forms(name, settings, str(folder), max(path.stat().st_mtime for path in files))
        except (Refusal, figures.BadExpression) as refusal:
            raise self.error(f"{{exam}} {name}: {refusal}") from None
        used = (fact for form in drawn for question in form.questions for fact in question.item.facts)
        depend_on(self.env, *dict.fromkeys((*plan.facts, *used)))
        node = ExamNode(plan=plan, forms=drawn)
        self.set_source_info(node)
        return [node]


def intro_html(plan: Blueprint, drawn: tuple[Form, ...]) -> str:
    """What a taker is told before the clock starts."""
    rows = []
    for area in plan.areas:
        here = [next(got for one, _, got in form.areas if one.id == area.id) for form in drawn]
        skills = sum(outline.SKILLS_PER_TASK[task] for task in area.tasks)
        cells = "".join(f"<td>{got}</td>" for got in here)
        rows.append(
            f'<tr><th scope="row">{escape(area.title)}</th><td>{", ".join(area.tasks)}</td><td>{skills}</td>{cells}</tr>'
        )
    heads = "".join(f'<th scope="col">Form {name.upper()}</th>' for name, _ in zip(NAMES, drawn, strict=False))
    said = [*blueprint.disclosure(plan)]
    for name, form in zip(NAMES, drawn, strict=False):
        said += [f"Form {name.upper()}: {text}" for text in form.shortages]
    taught = sum(bool(q.home) and not q.home.startswith("exam-") for form in drawn for q in form.questions)
    if taught:
        total = sum(len(form.questions) for form in drawn)
        said.append(
            f"Of the {total} questions of the two forms, {taught} stand in lessons too; if you have answered them there, you know them."
        )
    said.append(
        "This page carries its own answer key: a static page cannot hide it. It tells you nothing before you hand in, but whoever looks for the "
        "key finds it. Your answers stay in this browser and are sent nowhere."
    )
    asked = sorted({skill for form in drawn for skill in form.skills}, key=list(outline.skills()).index)
    by_skill = "; ".join(
        f"{skill}: {' and '.join(str(form.skills.get(skill, 0)) for form in drawn)}" for skill in asked
    )
    paragraphs = "\n".join(f"<p>{inline_html(text)}</p>" for text in said)
    return (
        '<div class="dd-exam-table"><table><thead><tr><th scope="col">Area</th><th scope="col">Tasks of the guide</th>'
        f'<th scope="col">Skills</th>{heads}</tr></thead>\n<tbody>{"".join(rows)}</tbody></table></div>\n'
        f"<details><summary>Questions by skill of the exam guide</summary><p>Form A and form B: {by_skill}.</p></details>\n{paragraphs}"
    )


def data_js(form: Form, sections: list[dict[str, str]], setting: page.Setting) -> str:
    """The script with a form's questions."""
    questions = [
        {
            "area": question.area,
            "skill": question.item.objective,
            "scenario": block_html(question.scenario) if question.scenario else "",
            "section": section,
            "html": page.render_item(question.item, setting),
        }
        for question, section in zip(form.questions, sections, strict=True)
    ]
    data = json.dumps({"questions": questions}, ensure_ascii=False, separators=(",", ":"))
    return f"(window.ddExamForms = window.ddExamForms || {{}})[{json.dumps(form.id)}] = {data};\n"


def _section(builder: Any, question: Question, plan: Blueprint, book: Book) -> dict[str, str]:
    lessons = next((area.lessons for area in plan.areas if area.id == question.area), ())
    found: Section = book.teaches(question.item, question.home, lessons)
    env, here = builder.env, builder.current_docname
    if found.lesson not in env.found_docs:
        return {"href": "#", "title": found.title, "of": found.lesson}
    address = builder.get_relative_uri(here, found.lesson)
    of = env.titles[found.lesson].astext() if found.lesson in env.titles else found.lesson
    title = found.title if found.anchor else of
    return {"href": address + (f"#{found.anchor}" if found.anchor else ""), "title": title, "of": of}


def _visit_html(translator: Any, node: ExamNode) -> None:
    builder = translator.builder
    plan, drawn = node["plan"], node["forms"]
    folder = Path(builder.outdir) / DATA
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{plan.name}-*.js"):
        old.unlink()
    book = Book.read(Path(builder.srcdir))
    setting = page.Setting(
        heading_level=2, misconceptions=bank.misconceptions(Path(builder.config.quiz_bank)), with_score=False
    )
    up = "../" * builder.current_docname.count("/")
    listed = []
    for name, form in zip(NAMES, drawn, strict=False):
        path = folder / f"{plan.name}-{name}-{form.id}.js"
        sections = [_section(builder, question, plan, book) for question in form.questions]
        path.write_text(data_js(form, sections, setting), "utf-8")
        listed.append(
            {
                "id": form.id,
                "src": f"{up}{DATA}/{path.name}",
                "minutes": form.minutes,
                "ids": [question.item.id for question in form.questions],
                "halves": forms.halves(form),
            }
        )
    areas = [{"id": area.id, "title": area.title} for area in plan.areas]
    translator.body.append(
        f'<dd-exam data-exam="{plan.name}" data-forms="{escape(json.dumps(listed))}" data-areas="{escape(json.dumps(areas))}">\n'
        f'<div class="dd-exam-intro">\n{intro_html(plan, drawn)}\n</div>\n'
        '<p class="dd-no-script">An exam with a clock needs JavaScript. Without it, <code>quiz exam</code> in a terminal is the same room.</p>\n'
        "</dd-exam>\n"
    )
    raise nodes.SkipNode


def _visit_other(translator: Any, node: ExamNode) -> None:  # noqa: ARG001 - the shape that Sphinx calls
    raise nodes.SkipNode


def _assets(app: Sphinx, _page: str, _template: str, _context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Scripts and styles on pages with an exam, and on no others; the exam's script after the questions' own."""
    if doctree is not None and next(iter(doctree.findall(ExamNode)), None) is not None:
        for name in ("quiz", "exam"):
            app.builder.add_css_file(f"{name}.css")  # type: ignore[attr-defined]
            app.builder.add_js_file(f"{name}.js", defer="defer")  # type: ignore[attr-defined]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up by `quizzes.sphinx`, whose bank and files these are."""
    other = (_visit_other, None)
    app.add_node(ExamNode, html=(_visit_html, None), latex=other, text=other, man=other, texinfo=other)
    app.add_directive("exam", ExamDirective)
    app.connect("builder-inited", lambda _app: draw_forms.cache_clear())  # a server rebuilds in one process
    app.connect("html-page-context", _assets, priority=400)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
