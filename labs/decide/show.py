"""An advice on a terminal: the two views, the ranked table, what is out, what flips it, what next. Fits 100 columns."""

from __future__ import annotations

from textwrap import wrap

from rich.markup import escape

from labs import terminal
from labs.decide import words
from labs.decide.advisor import Advice
from labs.decide.option import Option

WIDTH = 98
MOST = 4
COLOURS = {"bedrock": "green", "sagemaker": "yellow", "own": "red"}
SHAPES = {"bedrock": "●", "sagemaker": "■", "own": "▲"}


def show(advice: Advice) -> None:
    """Print it."""
    _views(advice)
    _ranked(advice)
    _out(advice)
    _flips(advice)
    _next(advice)


def _views(advice: Advice) -> None:
    _say(words.workload(advice), bold=True)
    _say(", ".join(words.conditions(advice)), indent="  ")
    terminal.say("")
    for title, answer, way in (
        ("Exam view", advice.exam.says, advice.exam.walk),
        ("Engineering view", advice.says, advice.engineering),
    ):
        terminal.say(f"[bold]{title}[/bold]")
        _say(answer, indent="  ", bold=True)
        _say(words.path(way), indent="  ", dim=True)
        if way is advice.engineering:
            _say(advice.agrees, indent="  ")
        else:
            for note in advice.exam.notes:
                _say(note.says, indent="  ")
    terminal.say("")


def _ranked(advice: Advice) -> None:
    if not advice.ranked:
        return
    rows = []
    for option in advice.ranked:
        prediction = option.prediction
        about = [option.what, words.money_range(option), _used(option), *words.marks(option)]
        detail = escape(" · ".join(part for part in about if part))
        lines = [_name(option), f"[dim]{detail}[/dim]"]
        rows.append(
            (
                f"{option.rank}{'=' if option.tied else ''}",
                "\n".join(lines),
                words.money(option.usd),
                words.seconds(prediction.ttft_p99 if prediction else None),
                words.seconds(prediction.e2e_p99 if prediction else None),
            )
        )
    columns = ("", "target", "a month ($)", "first token (s)", "last token (s)")
    terminal.table("What would do, cheapest first (latency: p99, predicted)", columns, rows)


def _out(advice: Advice) -> None:
    if not advice.ruled_out:
        return
    rows = [("\n".join(map(_name, options)), escape(because)) for options, because in words.grouped_out(advice)]
    terminal.table("What is out, and the first reason (--json has them all)", ("target", "because"), rows)


def _flips(advice: Advice) -> None:
    terminal.say("[bold]What would flip it[/bold]")
    lines = words.flip_lines(advice) + words.break_evens(advice)
    if nothing := words.nothing_flips(advice):
        lines.append(nothing)
    lines += [f"{what.says[0].upper()}{what.says[1:]}." for what in advice.what_ifs[:MOST]]
    for line in lines or ["No single requirement, dropped alone, opens a target: drop two."]:
        _say(line, indent="  ", bullet=True)
    if advice.unknowns:
        terminal.say("[bold]What is unknown[/bold]")
        for unknown in advice.unknowns:
            _say(words.unknown_line(unknown), indent="  ", bullet=True)
    for note in advice.notes if advice.ranked else ():
        _say(note.says, indent="  ", bullet=True)


def _next(advice: Advice) -> None:
    best = advice.best
    terminal.say("[bold]What next[/bold]")
    if best is None:
        _say("Change a requirement as above, and ask again.", indent="  ")
        return
    for caution in best.cautions:
        _say(f"Mind: {caution.because}.", indent="  ", bullet=True)
    for todo in words.to_do(advice)[:MOST]:
        _say(f"{todo[0].upper()}{todo[1:]}.", indent="  ", bullet=True)
    for command in words.commands(advice):
        terminal.say(f"  {escape(command)}")
    terminal.say("  lab decide ... --record decision.md")


def _used(option: Option) -> str:
    return "" if option.utilisation is None else f"{words.used(option)} in use"


def _name(option: Option) -> str:
    colour = COLOURS[option.family]
    return f"[{colour}]{SHAPES[option.family]} {words.FAMILIES[option.family][1]}[/{colour}] {option.target}"


def _say(text: str, *, indent: str = "", bold: bool = False, dim: bool = False, bullet: bool = False) -> None:
    first = f"{indent}- " if bullet else indent
    then = f"{indent}  " if bullet else indent
    for line in wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    ):
        style = "bold" if bold else "dim" if dim else ""
        terminal.say(f"[{style}]{escape(line)}[/{style}]" if style else escape(line))
