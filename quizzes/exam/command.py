"""`quiz exam`: a deployment practice exam in the terminal.

quiz exam                  # a whole form; goes on with one that is under way
quiz exam --half           # half as long, for an evening
quiz exam --last           # the latest result again; with --reasons every question too
"""

import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from labs import terminal
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from quizzes import attempts, bank, blueprint, forms, outline, results, sections
from quizzes.blueprint import Blueprint
from quizzes.exam import report
from quizzes.exam.room import Room, clock
from quizzes.exam.sitting import Desk, Sitting, folder
from quizzes.forms import Form
from quizzes.take import order_of

EXAM = "deployment-practice"
WIDTH = 100


@click.command()
@click.option("--half", is_flag=True, help="A form half as long.")
@click.option("--questions", type=click.IntRange(1, 200), help="So many questions, instead of the exam's own number.")
@click.option("--minutes", type=click.IntRange(1, 600), help="So many minutes, instead of the exam's own.")
@click.option("--ordering", type=click.FloatRange(0, 0.5), help="Share of ordering questions, such as 0.1.")
@click.option("--matching", type=click.FloatRange(0, 0.5), help="Share of matching questions.")
@click.option(
    "--outline", "only_outline", is_flag=True, help="Say what the exam asks and leaves out, and start nothing."
)
@click.option("--last", is_flag=True, help="Show the latest result again.")
@click.option("--reasons", is_flag=True, help="With --last: every question with the reason of each option.")
@click.option("--give-up", is_flag=True, help="End the sitting that is under way without a result.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (with --outline or --last).")
@click.option(
    "--bank",
    "where",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=bank.BANK,
    help="Another bank.",
)
def exam(
    half: bool,
    questions: int | None,
    minutes: int | None,
    ordering: float | None,
    matching: float | None,
    only_outline: bool,
    last: bool,
    reasons: bool,
    give_up: bool,
    as_json: bool,
    where: Path,
) -> None:
    """Sit a practice exam: a clock, marks, a review, and no word about right or wrong before the end.

    Everything is kept after every key; leaving (q, Ctrl-C, a closed window) loses nothing, and the clock runs on. A retake draws questions that no
    earlier sitting had, as long as the bank has any.
    """
    plan = _settings(blueprint.load(EXAM), ordering, matching)
    desk = Desk(folder() / f"{EXAM}.json")
    console = Console(highlight=False, width=min(WIDTH, Console().width))
    if last or reasons:
        _last(plan, desk, where, console, reasons, as_json)
        return
    length = questions or (round(plan.length / 2) if half else plan.length)
    if only_outline:
        _outline(plan, _new_form(plan, desk, where, length, minutes), console, as_json)
        return
    if as_json:
        raise Refusal("--json goes with --outline or --last; an exam itself is answered on the screen", USAGE)
    sitting = desk.open()
    if give_up:
        if sitting is None:
            raise Refusal("no sitting is under way", FALSE)
        sitting.state, sitting.ended = "given up", time.time()
        desk.keep(sitting)
        terminal.say("The sitting is given up; its questions count as seen.")
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refusal(
            "an exam is sat at a terminal; --outline says what it asks, and the book has it as a page", NOT_READY
        )
    if sitting is None:
        form = _new_form(plan, desk, where, length, minutes)
        _outline(plan, form, console, as_json=False)
        if not form.questions:
            raise Refusal("the bank has no question left that you have not seen", FALSE)
        _wait(
            console,
            f"Enter starts the clock: {len(form.questions)} questions, {form.minutes} minutes. Ctrl-C: not now.",
        )
        sitting = desk.begin(form, time.time())
    else:
        form = _form_of(plan, sitting, where)
        left = sitting.left_s(time.time())
        if left > 0:
            said = (
                f"A sitting is under way: {len(sitting.answers)} of {len(sitting.items)} answered, {clock(left)} left."
            )
            _wait(console, f"{said} Enter goes on. (`quiz exam --give-up` ends it.)")
    _sit(form, sitting, desk, where, console)


def _settings(plan: Blueprint, ordering: float | None, matching: float | None) -> Blueprint:
    said = {"ordering_share": ordering, "matching_share": matching}
    return plan.model_copy(update={name: value for name, value in said.items() if value is not None})


def _wait(console: Console, text: str) -> None:
    console.print(f"[bold]{text}[/]")
    click.prompt("", default="", show_default=False, prompt_suffix="")


def _new_form(plan: Blueprint, desk: Desk, where: Path, length: int, minutes: int | None) -> Form:
    name = attempts.reader_name(attempts.folder())
    sittings = desk.all()
    return forms.draw_unseen(plan, forms.pool(where), f"{name}/{len(sittings) + 1}", length, desk.seen(), minutes)


def _form_of(plan: Blueprint, sitting: Sitting, where: Path) -> Form:
    form = forms.again(plan, sitting.items, where, sitting.asked_for, sitting.minutes)
    if form is None:
        raise Refusal("the bank no longer has all questions of this sitting; `quiz exam --give-up` ends it", FALSE)
    return form


def _sit(form: Form, sitting: Sitting, desk: Desk, where: Path, console: Console) -> None:
    from quizzes.exam import screen  # a terminal's own modules: not everywhere

    room = Room(form, sitting, desk.keep)
    try:
        screen.sit(room)
    except KeyboardInterrupt:
        room.left = True
    if not room.done:
        left = clock(sitting.left_s(time.time()))
        console.print(
            f"{len(sitting.answers)} of {len(sitting.items)} answered, all kept; the clock runs on, {left} left. Go on with: quiz exam"
        )
        raise click.exceptions.Exit(FALSE)
    result = results.mark(form, sitting.answers, sections.Book.read())
    _log(form, sitting, result)
    report.show(result, form, sitting, bank.misconceptions(where), console)
    console.print("Every question with its reasons: quiz exam --last --reasons")
    console.print("A retake has other questions:     quiz exam")


def _log(form: Form, sitting: Sitting, result: results.Result) -> None:
    """The sitting's answers, into the log that statistics and progress read."""
    where = attempts.folder()
    log, reader = attempts.Log(where / f"exam-{form.name}.jsonl"), attempts.reader_name(where)
    for question, marked in zip(form.questions, result.marked, strict=True):
        item = question.item
        context = attempts.Context(
            form.name,
            reader,
            1,
            order_of(item, sitting.registration, 1),
            "exam",
            sitting.seconds.get(item.id),
            registration=sitting.registration,
            form=sitting.form,
        )
        log.append(attempts.statement(item, sitting.answers.get(item.id), marked.grade, context))


def _last(plan: Blueprint, desk: Desk, where: Path, console: Console, reasons: bool, as_json: bool) -> None:
    sitting = desk.last()
    if sitting is None:
        raise Refusal("no exam has been handed in yet; sit one with: quiz exam", FALSE)
    form = _form_of(plan, sitting, where)
    result = results.mark(form, sitting.answers, sections.Book.read())
    if as_json:
        terminal.emit_json(
            {"exam": form.name, "form": sitting.form, "sitting": sitting.registration, **result.to_json()}
        )
        return
    if reasons:
        report.every_question(result, form, sitting, console)
    report.show(result, form, sitting, bank.misconceptions(where), console)


def _outline(plan: Blueprint, form: Form, console: Console, as_json: bool) -> None:
    rows = [
        {"area": area.title, "tasks": list(area.tasks), "skills": _skills(area.tasks), "wanted": want, "here": here}
        for area, want, here in form.areas
    ]
    said = blueprint.disclosure(plan)
    if as_json:
        terminal.emit_json(
            {
                "exam": plan.name,
                "questions": len(form.questions),
                "asked_for": form.asked_for,
                "minutes": form.minutes,
                "areas": rows,
                "skills": form.skills,
                "says": said,
                "shortages": form.shortages,
                "seen_before": form.seen_before,
            }
        )
        return
    console.print(f"[bold]{form.title}[/]: {len(form.questions)} questions, {form.minutes} minutes\n")
    grid = Table(header_style="bold")
    for name in ("Area", "Tasks of the guide", "Skills", "Questions"):
        grid.add_column(name, justify="right" if name in ("Skills", "Questions") else "left")
    for row in rows:
        grid.add_row(str(row["area"]), ", ".join(map(str, _listed(row["tasks"]))), str(row["skills"]), str(row["here"]))
    console.print(grid)
    by_skill = " · ".join(f"{skill}: {n}".replace(" ", report.NBSP) for skill, n in form.skills.items())
    console.print(f"Questions by skill: {by_skill}")
    for text in (*said, *form.shortages):
        console.print(Padding(text, (1, 0, 0, 0)))
    if form.seen_before:
        console.print(f"\nThe bank has no more that is new to you: {form.seen_before} of these you have had before.")
    console.print()


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value]


def _skills(tasks: tuple[str, ...]) -> int:
    return sum(outline.SKILLS_PER_TASK[task] for task in tasks)
