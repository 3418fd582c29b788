"""What came of an exam, on paper of 80 columns: the percentage with its interval, areas, misconceptions, and where to read.

report.show(result, form, sitting, console)
report.every_question(result, form, sitting, console)     # with the reason of each option
"""

from collections.abc import Mapping

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table

from quizzes.exam.room import clock
from quizzes.exam.sitting import Sitting
from quizzes.forms import Form
from quizzes.grading import BadResponse
from quizzes.results import Result
from quizzes.sections import Section
from quizzes.take import explained, order_of, texts_of

BLOCKS = 10
NBSP = "\u00a0"


def bar(share: float) -> str:
    """Ten squares."""
    full = round(share * BLOCKS)
    return "■" * full + "·" * (BLOCKS - full)


def place(section: Section) -> str:
    """A section in words: '06-squid, How it breaks'."""
    return f"{section.lesson}, {section.title}" if section.anchor else section.lesson


def show(result: Result, form: Form, sitting: Sitting, misconceptions: Mapping[str, str], console: Console) -> None:
    """The page after handing in."""
    low, high = result.interval
    n = len(result.marked)
    console.print(f"\n[bold]{form.title}[/]: {result.right} of {n} right, [bold]{result.percent:.0f} %[/]")
    console.print(
        f"95 % interval {low:.0f} to {high:.0f} %: so far apart may sittings with {n} questions lie by chance alone."
    )
    open_ = sum(not one.grade.answered for one in result.marked)
    used = clock((sitting.ended or sitting.ends) - sitting.started)
    console.print(
        f"[dim]{used} of {clock(60 * sitting.minutes)} used; {open_ or 'none'} left open, which counts as wrong.[/]\n"
    )
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(no_wrap=True)
    for area in result.areas:
        grid.add_row(area.title, f"{area.right} of {area.n}", bar(area.right / area.n if area.n else 0))
    console.print("[bold]By area[/]")
    console.print(Padding(grid, (0, 0, 0, 1)))
    console.print("\n[bold]By skill of the exam guide[/]")
    console.print(
        Padding(" · ".join(f"{s.title}: {s.right} of {s.n}".replace(" ", NBSP) for s in result.skills), (0, 0, 0, 1))
    )
    if result.mistaken:
        console.print("\n[bold]What you may believe[/]")
        rows = Table.grid(padding=(0, 2, 0, 0))
        rows.add_column(justify="right")
        rows.add_column(overflow="fold")
        for name, count, section in result.mistaken[:8]:
            said = misconceptions.get(name, name)
            rows.add_row(f"{count} ×", f"“{said}” [dim]→ {section.lesson}[/]")
        console.print(Padding(rows, (0, 0, 0, 1)))
    if result.to_read:
        console.print("\n[bold]Read again[/]")
        for lesson in dict.fromkeys(section.lesson for section, _ in result.to_read):
            own = [(section, n) for section, n in result.to_read if section.lesson == lesson]
            named = "; ".join(f"{s.title if s.anchor else 'the lesson'} ({n})" for s, n in own)
            console.print(Padding(f"[bold]{lesson}[/]: {named}", (0, 0, 0, 1)))
    console.print()


def every_question(result: Result, form: Form, sitting: Sitting, console: Console) -> None:
    """Each question with what was answered and why each option is right or wrong."""
    for number, (question, marked) in enumerate(zip(form.questions, result.marked, strict=True), 1):
        item, given = question.item, sitting.answers.get(question.item.id)
        order = order_of(item, sitting.registration, 1)
        verdict = "✓ right" if marked.grade.correct else "✗ not right" if marked.grade.answered else "○ left open"
        console.print()
        console.print(
            Rule(f"[bold]Question {number}[/] · {verdict} · skill {item.objective}", align="left", style="dim")
        )
        if question.scenario:
            console.print(Markdown(question.scenario))
        console.print(Markdown(item.stem))
        console.print(Markdown(f"**{item.criterion}**"))
        texts = texts_of(item)
        if item.type in ("single", "multiple", "matching"):
            shown = Table.grid(padding=(0, 2, 0, 0))
            for index, part in enumerate(order):
                shown.add_row(chr(ord("A") + index), Markdown(texts[part]))
            for index, prompt in enumerate(item.prompts if item.type == "matching" else (), 1):
                shown.add_row(str(index), Markdown(prompt.text))
            console.print(Padding(shown, (1, 0, 0, 2)))
        try:
            console.print(Padding(explained(item, order, given), (1, 0, 0, 0)))
        except BadResponse:  # half a number, when time was up
            console.print(Padding(explained(item, order, None), (1, 0, 0, 0)))
        console.print(f"[dim]Taught in: {place(marked.section)}[/]")
