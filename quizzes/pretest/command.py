"""`quiz pretest`: twelve questions before the first lesson, and the plan that they make."""

import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from labs import terminal
from labs.errors import FALSE, Refusal
from quizzes import attempts, bank, take
from quizzes.commands import ask_on
from quizzes.grading import grade
from quizzes.pretest import draw, plan

QUIZ = "pretest"


@click.command()
@click.option(
    "--evening",
    type=click.IntRange(30, 300),
    default=plan.EVENING_MIN,
    show_default=True,
    help="Minutes of an evening.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; the talk goes to standard error.")
@click.option(
    "--bank",
    "where",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=bank.BANK,
    help="Another bank.",
)
def pretest(evening: int, as_json: bool, where: Path) -> None:
    """Answer twelve questions from all lessons, and get a plan: what to skim, what to read, what to work through, on which evening.

    Nothing tells you which answers are right: the lessons do, and they ask these questions again.
    """
    console = Console(stderr=as_json, highlight=False, width=min(100, Console().width))
    asked, kept = draw.draw(where), attempts.folder()
    log, reader = attempts.Log(kept / f"{QUIZ}.jsonl"), attempts.reader_name(kept)
    right: Counter[str] = Counter()
    n = Counter(one.lesson for one in asked)
    console.print(
        f"[bold]Pretest[/] · {len(asked)} questions. [dim]s skips one (say so when you do not know), q stops.[/]"
    )
    ask = ask_on(console)
    try:
        for number, one in enumerate(asked, 1):
            attempt = len(log.of_item(one.item.id, one.item.mode)) + 1
            order = take.order_of(one.item, reader, attempt)
            response, seconds = take.put(one.item, f"{number} of {len(asked)}", order, console, ask)
            marked = grade(one.item.key(), response, "exam")
            right[one.lesson] += marked.correct
            context = attempts.Context(QUIZ, reader, attempt, order, "exam", seconds)
            log.append(attempts.statement(one.item, response, marked, context))
    except take.Stopped:
        raise Refusal("stopped; a plan needs all the answers. Begin again with: quiz pretest", FALSE) from None
    except (click.Abort, EOFError, KeyboardInterrupt):
        if sys.stdin.isatty():
            raise click.Abort from None
        raise Refusal("the input ended; a plan needs all the answers", FALSE) from None
    scores = {lesson: (right[lesson], n[lesson]) for lesson in n}
    lessons = plan.lessons()
    made = plan.evenings(lessons, scores, evening)
    if as_json:
        terminal.emit_json(
            {
                "right": sum(right.values()),
                "n": len(asked),
                "lessons": scores,
                "evenings": [one.to_json() for one in made],
            }
        )
        return
    _show(scores, lessons, made, console)


def _show(
    scores: dict[str, tuple[int, int]], lessons: list[plan.Lesson], made: list[plan.Evening], console: Console
) -> None:
    titles = {lesson.slug: lesson.title for lesson in lessons}
    console.print(
        f"\n[bold]{sum(right for right, _ in scores.values())} of {sum(n for _, n in scores.values())} right[/]"
    )
    for lesson, (right, n) in scores.items():
        console.print(f"  {lesson:14} {right} of {n}  [dim]{titles.get(lesson, '')}[/]")
    grid = Table(title="Your plan", title_justify="left", title_style="bold", header_style="bold")
    grid.add_column("Evening", justify="right")
    grid.add_column("What", overflow="fold")
    grid.add_column("Time (min)", justify="right")
    for number, evening in enumerate(made, 1):
        steps = "\n".join(
            f"{lesson}: {', '.join(f'{plan.WORDS[step.what]} ({step.minutes})' for step in group)}"
            for lesson, group in groupby(evening.steps, key=lambda step: step.lesson)
        )
        grid.add_row(str(number), steps, str(evening.minutes))
    console.print()
    console.print(grid)
    console.print("Begin with: make course")
