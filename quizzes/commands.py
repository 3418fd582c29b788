"""The subcommands of `quiz`."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from labs import terminal
from labs.errors import FALSE, USAGE, Refusal
from labs.facts.documents import shown
from quizzes import attempts, bank, blueprint, figures, forms, generate
from quizzes import bots as test_wise
from quizzes import lint as rules
from quizzes import take as face
from quizzes.grading import Profile
from quizzes.model import Quiz

BANK_OPTION = click.option(
    "--bank",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=bank.BANK,
    help="Another bank.",
)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("slug", required=False)
@click.option("--items", help="Only these items: ids, separated by commas.")
@click.option("--family", help="One computed item of this family (`quiz draw` lists them), in place of SLUG.")
@click.option("--seed", type=click.IntRange(min=0), help="Of a computed item: the same seed, the same item.")
@click.option(
    "--profile", type=click.Choice(["study", "exam"]), default="study", show_default=True, help="exam: all or nothing."
)
@JSON_OPTION
@BANK_OPTION
def take(
    slug: str | None,
    items: str | None,
    family: str | None,
    seed: int | None,
    profile: Profile,
    as_json: bool,
    folder: Path,
) -> None:
    """Answer the questions of a quiz, or one computed item of a family; without either, list what there is.

    Answers are kept in LAB_HOME/attempts. With --json the talk goes to standard error and a summary to standard output.
    """
    if family is not None or seed is not None:
        if family is None or slug is not None or items is not None:
            raise Refusal("a computed item is taken alone: quiz take --family NAME [--seed N]", USAGE)
        quiz = figures.fill_quiz(generate.quiz(family, seed))
        slug = quiz.slug
    elif slug is None:
        _list(folder, as_json)
        return
    else:
        quiz = figures.fill_quiz(_picked(bank.load(slug, folder), items))
    where = attempts.folder()
    log = attempts.Log(where / f"{slug}.jsonl")
    session = face.Session(log, attempts.reader_name(where), profile, _guesses(quiz, where, folder))
    console = Console(stderr=as_json, highlight=False, width=min(100, Console().width))
    outcome = face.Outcome()
    try:
        face.take(quiz, session, console, ask_on(console), outcome)
    except face.Stopped:
        console.print("\nStopped.")
    except (click.Abort, EOFError, KeyboardInterrupt):
        kept = f"{len(outcome.results)} of {len(quiz.items)} answers are kept in {log.path}"
        if sys.stdin.isatty():
            console.print(f"\nStopped; {kept}.", markup=False)
            raise click.Abort from None
        raise Refusal(f"the input ended; {kept}", FALSE) from None
    if as_json:
        terminal.emit_json(_summary(quiz, outcome, log))
        return
    if outcome.marked:
        console.print(f"\n[bold]{outcome.score:.3g} of {outcome.marked} points[/] ({profile} marking).", markup=True)
    console.print(f"Your answers: {log.path}", markup=False)


def _picked(quiz: Quiz, items: str | None) -> Quiz:
    wanted = [name.strip() for name in (items or "").split(",") if name.strip()]
    if not wanted:
        return quiz
    known = {item.id: item for item in quiz.items}
    if strange := [name for name in wanted if name not in known]:
        raise Refusal(f"there is no item '{strange[0]}' in {quiz.slug}; there are: {', '.join(known)}", USAGE)
    return quiz.model_copy(update={"entries": tuple(known[name] for name in wanted)})


def _guesses(quiz: Quiz, where: Path, folder: Path) -> attempts.Log | None:
    """The log of the quiz that asked for a guess about one of these items."""
    scored = {item.id for item in quiz.items if item.mode == "score"}
    for slug in bank.slugs(folder):
        if slug != quiz.slug and any(i.mode == "guess" and i.id in scored for i in bank.load(slug, folder).items):
            return attempts.Log(where / f"{slug}.jsonl")
    return None


def ask_on(console: Console) -> face.Ask:
    """Reads a line at the console's stream."""

    def ask(question: str) -> str:
        answer: str = click.prompt(question, default="", show_default=False, prompt_suffix=": ", err=console.stderr)
        return answer

    return ask


def _summary(quiz: Quiz, outcome: face.Outcome, log: attempts.Log) -> dict[str, Any]:
    return {
        "quiz": quiz.slug,
        "items": len(quiz.items),
        "answered": len(outcome.results),
        "score": outcome.score,
        "max": outcome.marked,
        "results": [vars(result) for result in outcome.results],
        "log": str(log.path),
    }


def _list(folder: Path, as_json: bool) -> None:
    rows = []
    for quiz in bank.load_all(folder):
        minutes = round(sum(item.est_seconds for item in quiz.items) / 60)
        rows.append({"quiz": quiz.slug, "title": quiz.title, "items": len(quiz.items), "minutes": minutes})
    if as_json:
        terminal.emit_json(rows)
        return
    terminal.table("Quizzes", ["Quiz", "About", "Questions (n)", "Time (min)"], [list(row.values()) for row in rows])
    terminal.say("Take one with: quiz take SLUG")


@click.command()
@click.argument("slug", required=False)
@JSON_OPTION
@BANK_OPTION
def lint(slug: str | None, as_json: bool, folder: Path) -> None:
    """Check all items, or those of one quiz, against the rules that a program can check.

    Exit status 1 if there is an error; a warning is worth a look.
    """
    quizzes = [bank.load(slug, folder)] if slug else bank.load_all(folder)
    found = rules.check(quizzes, folder)
    unused = [] if slug else rules.unused_misconceptions(quizzes, folder)
    errors = sum(finding.level == "error" for finding in found)
    if as_json:
        listed = [{**vars(finding), "path": shown(finding.path)} for finding in found]
        terminal.emit_json(
            {"items": _count(quizzes), "errors": errors, "findings": listed, "unused_misconceptions": unused}
        )
    else:
        for finding in found:
            place = f"{shown(finding.path)}:{finding.line}"
            click.echo(f"{place}: {finding.level}: {finding.item}: {finding.rule}: {finding.message}")
        for name in unused:
            click.echo(f"{shown(folder / bank.MISCONCEPTIONS)}: warning: '{name}' is used by no item")
        warnings = len(found) - errors + len(unused)
        terminal.say(f"{_count(quizzes)} items, {len(rules.RULES) + 1} rules: {errors} errors, {warnings} warnings.")
    if errors:
        click.get_current_context().exit(FALSE)


def _count(quizzes: list[Quiz]) -> int:
    return len({item.id for quiz in quizzes for item in quiz.items})


@click.command()
@JSON_OPTION
@BANK_OPTION
def bots(as_json: bool, folder: Path) -> None:
    """Let takers who only look at the shape of the options answer the whole bank, and each half of it.

    Exit status 1 if one of them scores above chance and two standard deviations. The practice exam's forms are reported as well; with fourteen bots on
    so few items, one will be lucky now and then.
    """
    items = {
        item.id: item
        for quiz in bank.load_all(folder)
        for item in figures.fill_quiz(quiz).items
        if item.mode == "score"
    }
    whole = test_wise.run(items.values())
    parts = [test_wise.run(half) for half in test_wise.halves(items.values())]
    drawn = [test_wise.run(question.item for question in form.questions) for form in _forms(folder)]
    passed = all(result.passed for part in (whole, *parts) for result in part.values())
    if as_json:
        terminal.emit_json(
            {
                "bots": {name: result.to_json() for name, result in whole.items()},
                "halves": [{name: result.to_json() for name, result in part.items()} for part in parts],
                "forms": [{name: result.to_json() for name, result in part.items()} for part in drawn],
            }
        )
    else:
        rows = [
            [
                name,
                f"{r.score:.0%}",
                f"{r.chance:.0%}",
                f"{r.limit:.0%}",
                _halves(name, parts),
                _halves(name, drawn),
                r.n,
                _verdict(name, whole, parts),
            ]
            for name, r in whole.items()
        ]
        columns = ["Bot", "Score", "Chance", "Limit", "Halves", "Forms", "Items", ""]
        terminal.table("Takers who know nothing", columns, rows)
        few = (
            f" With fewer than {test_wise.FEW} items this says little."
            if any(r.n < test_wise.FEW for r in whole.values())
            else ""
        )
        terminal.say(("No bot scores above chance." if passed else "A bot scores better than chance allows.") + few)
    if not passed:
        click.get_current_context().exit(FALSE)


def _forms(folder: Path) -> list[forms.Form]:
    """The forms of the exam's page."""
    return list(forms.two(blueprint.load("deployment-practice"), forms.pool(folder), "page/deployment-practice"))


def _halves(name: str, parts: list[dict[str, test_wise.Result]]) -> str:
    return " · ".join(f"{part[name].score:.0%}" if name in part else "–" for part in parts)


def _verdict(name: str, whole: dict[str, test_wise.Result], parts: list[dict[str, test_wise.Result]]) -> str:
    return "ok" if all(part[name].passed for part in (whole, *parts) if name in part) else "too good"
