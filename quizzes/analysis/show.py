"""The statistics as a table, as JSON, and as a page of HTML that needs nothing else."""

from collections.abc import Mapping
from html import escape
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape as plain
from rich.table import Table

from labs import terminal
from quizzes.analysis.classical import FEW, Estimate
from quizzes.analysis.study import ItemReport, QuizReport, Report
from quizzes.frame import document

MEANINGS = (
    ("Right", "the share of takers who have it entirely right; between 20 and 90 % it can tell takers apart"),
    (
        "r",
        "corrected point-biserial: how far having this item right goes with the share of the other items of the same attempt",
    ),
    ("Distractors", "wrong options that at least 5 % of the takers take, of those there are"),
    ("Expected", "the share that the item's author expected"),
)


def to_json(report: Report) -> dict[str, Any]:
    """For programs."""
    return {
        "takers": report.takers,
        "left_out": report.left_out,
        "few": FEW,
        "suspects": [{"quiz": quiz, "item": item, "why": why} for quiz, item, why in report.suspects],
        "quizzes": [
            {
                "quiz": quiz.quiz,
                "takers": quiz.takers,
                "mean_percent": round(quiz.mean_percent, 2),
                "reliability": [
                    {
                        "form": one.form or None,
                        "n": one.n,
                        "items": one.items,
                        "too_few": one.n < FEW,
                        "kr20": one.kr20.to_json(),
                        "alpha": one.alpha.to_json(),
                        "standard_error_points": one.error_points,
                    }
                    for one in quiz.reliability
                ],
                "items": [_item_json(item) for item in quiz.items],
            }
            for quiz in report.quizzes
        ],
        "misconceptions": [
            {"id": belief.id, "says": belief.sentence, **belief.share.to_json(), "items": list(belief.items)}
            for belief in report.beliefs
        ],
    }


def _item_json(item: ItemReport) -> dict[str, Any]:
    return {
        "id": item.id,
        "type": item.type,
        "n": item.n,
        "too_few": item.n < FEW,
        "difficulty": item.difficulty.to_json(),
        "expected": item.expected,
        "item_rest": item.rest.to_json(),
        "mean_points": round(item.points, 4),
        "distractors": {"working": item.working, "of": item.distractors},
        "choices": [
            {"id": c.id, "right": c.right, "share": c.share.to_json(), "item_rest": c.rest.to_json()}
            for c in item.choices
        ],
        "suspect": item.suspect or None,
        "flags": list(item.flags),
    }


def _percent(share: Estimate) -> str:
    return "–" if share.value is None else f"{100 * share.value:.0f}"


def _percents(share: Estimate) -> str:
    return "–" if share.low is None or share.high is None else f"{100 * share.low:.0f}–{100 * share.high:.0f}"


def _r(one: Estimate) -> str:
    return "–" if one.value is None else f"{one.value:+.2f}"


def _rs(one: Estimate) -> str:
    return "–" if one.low is None or one.high is None else f"{one.low:+.2f} to {one.high:+.2f}"


def _reliability_lines(quiz: QuizReport) -> list[str]:
    lines = []
    for one in quiz.reliability[:5]:
        form = f"form {one.form}: " if one.form else ""
        if one.n < FEW:
            lines.append(
                f"{form}{one.n} takers answered the same {one.items} items: too few for a reliability ({FEW})."
            )
        elif one.kr20.value is not None:
            error = (
                f"; a total is uncertain by {one.error_points:.1f} points (standard error)" if one.error_points else ""
            )
            lines.append(
                f"{form}KR-20 {one.kr20.value:.2f} ({_range(one.kr20)}), with partial credit alpha {_r(one.alpha)} ({_range(one.alpha)}); "
                f"{one.items} items, {one.n} takers{error}."
            )
    if len(quiz.reliability) > 5:
        lines.append(f"and {len(quiz.reliability) - 5} more sets of items.")
    return lines or ["No three takers answered the same items: no reliability."]


def _range(one: Estimate) -> str:
    return "–" if one.low is None or one.high is None else f"{one.low:.2f} to {one.high:.2f}"


def as_table(report: Report) -> None:
    """For a terminal."""
    for quiz in report.quizzes:
        rows = [
            [
                plain(item.id),
                item.n,
                f"{_percent(item.difficulty)} ({_percents(item.difficulty)})",
                _r(item.rest) + ("" if item.rest.low is None else f" ({item.rest.low:+.2f}..{item.rest.high:+.2f})"),
                f"{item.working}/{item.distractors}" if item.distractors else "–",
                ", ".join(item.flags),
            ]
            for item in quiz.items
        ]
        _print_items(f"{quiz.quiz}: {quiz.takers} takers, mean {quiz.mean_percent:.0f} %", rows)
        for line in _reliability_lines(quiz):
            terminal.say(line)
        terminal.say("")
    if report.beliefs:
        terminal.table(
            "What takers believe",
            ["Belief", "Shown (%)", "Of chances (n)"],
            [
                [plain(b.sentence), f"{_percent(b.share)} ({_percents(b.share)})", b.share.n]
                for b in report.beliefs[:12]
            ],
        )
    for quiz_name, item_name, why in report.suspects:
        terminal.say(f"[bold]Look at the key of {plain(item_name)}[/] ({plain(quiz_name)}): {plain(why)}.")
    if not report.suspects:
        terminal.say(f"No key looks wrong (of the items that at least {FEW} have answered).")
    terminal.say(f"{report.takers} takers' first attempts; {report.left_out} attempts left out (later ones, and what grading set aside).")  # fmt: skip


def _print_items(title: str, rows: list[list[Any]]) -> None:
    """100 columns, also where the output is no terminal: an item's name and its figures each stay on one line."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE, pad_edge=False)
    for name in ("Item", "n", "Right, %", "r with the rest", "Distr.", ""):
        grid.add_column(name, justify="left" if name in ("Item", "") else "right", no_wrap=bool(name), overflow="fold")
    for row in rows:
        grid.add_row(*(str(cell) for cell in row))
    width = 100 if not terminal.out.is_terminal else min(100, terminal.out.width)
    Console(highlight=False, width=width).print(grid)


def as_html(report: Report, title: str, texts: Mapping[str, str]) -> str:
    """One page; `texts` are the items' questions, as HTML."""
    head, foot = document(title)
    parts = [head, f"<h1>{escape(title)}</h1>\n"]
    parts.append(
        f"<p>{report.takers} takers' first attempts; {report.left_out} attempts left out (later ones, and what grading set aside). Intervals are at 95 %. "
        f"Below {FEW} takers a figure says little, and the row says <em>too few</em>.</p>\n"
    )
    if report.suspects:
        rows = "".join(f'<li><a href="#{_anchor(q, i)}">{escape(i)}</a>: {escape(why)}.</li>' for q, i, why in report.suspects)  # fmt: skip
        parts.append(f'<div class="note"><h2>Keys to look at</h2><ul>{rows}</ul></div>\n')
    else:
        parts.append('<p class="note">No key looks wrong.</p>\n')
    for quiz in report.quizzes:
        parts.append(_quiz_html(quiz, texts))
    parts.append(_beliefs_html(report))
    parts.append("<h2>How to read this</h2>\n<dl>")
    parts.extend(f"<dt><strong>{name}</strong></dt><dd>{escape(what)}</dd>" for name, what in MEANINGS)
    parts.append(
        "</dl>\n<p>A key is suspected when a wrong answer goes with a good rest, and more so than what the key says, both intervals apart. KR-20 is "
        "Cronbach's alpha of marks that are 0 or 1.</p>\n"
    )
    parts.append(foot)
    return "".join(parts)


def _anchor(quiz: str, item: str) -> str:
    return escape(f"{quiz}-{item}")


def _bar(share: Estimate) -> str:
    width = 0 if share.value is None else round(100 * share.value)
    return f'<span class="bar" aria-hidden="true"><span style="width:{width}%"></span></span>'


def _quiz_html(quiz: QuizReport, texts: Mapping[str, str]) -> str:
    out = [f"<h2>{escape(quiz.quiz)}</h2>\n<p>{quiz.takers} takers, mean {quiz.mean_percent:.0f} %.</p>\n"]
    out.extend(f"<p>{escape(line)}</p>\n" for line in _reliability_lines(quiz))
    out.append(
        f'<div class="wide" tabindex="0" role="region" aria-label="Items of {escape(quiz.quiz)}"><table><caption>Items</caption><thead><tr>'
        '<th scope="col">Item</th><th scope="col" class="n">n</th><th scope="col" colspan="2">Right, %</th><th scope="col" class="n">Expected, %</th>'
        '<th scope="col" class="n">r</th><th scope="col" class="n">Interval of r</th><th scope="col" class="n">Distractors</th><th scope="col">To know</th></tr></thead><tbody>\n'
    )
    for item in quiz.items:
        mark = ' class="suspect"' if item.suspect else ""
        shown = f"{item.working} of {item.distractors}" if item.distractors else "–"
        out.append(
            f'<tr{mark} id="{_anchor(quiz.quiz, item.id)}"><th scope="row">{escape(item.id)}</th><td class="n">{item.n}</td>'
            f'<td>{_bar(item.difficulty)}</td><td class="n">{_percent(item.difficulty)} ({_percents(item.difficulty)})</td><td class="n">{100 * item.expected:.0f}</td>'
            f'<td class="n">{_r(item.rest)}</td><td class="n">{_rs(item.rest)}</td><td class="n">{shown}</td><td>{escape(", ".join(item.flags))}</td></tr>\n'
        )
    out.append("</tbody></table></div>\n<h3>What was chosen</h3>\n")
    for item in quiz.items:
        rows = "".join(
            f'<tr><th scope="row">{escape(c.id)}{" ✓ <span>(key)</span>" if c.right else ""}</th><td>{_bar(c.share)}</td><td class="n">{_percent(c.share)} '
            f'({_percents(c.share)})</td><td class="n">{_r(c.rest)}</td></tr>'
            for c in item.choices
        )
        why = f'<p class="note">{escape(item.suspect)}.</p>' if item.suspect else ""
        out.append(
            f'<details><summary>{escape(item.id)}</summary><p>{texts.get(item.id, "")}</p>{why}<table><thead><tr><th scope="col">Answer</th>'
            f'<th scope="col" colspan="2">Takers, %</th><th scope="col" class="n">r</th></tr></thead><tbody>{rows}</tbody></table></details>\n'
        )
    return "".join(out)


def _beliefs_html(report: Report) -> str:
    if not report.beliefs:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(b.sentence)}</th><td>{_bar(b.share)}</td><td class="n">{_percent(b.share)} ({_percents(b.share)})</td><td class="n">{b.share.n}</td>'
        f"<td>{escape(', '.join(b.items))}</td></tr>\n"
        for b in report.beliefs
    )
    return (
        '<h2>What takers believe</h2>\n<div class="wide" tabindex="0" role="region" aria-label="Misconceptions"><table><caption>How often a misconception showed, of the '
        'answers to items that offered it</caption><thead><tr><th scope="col">Belief</th><th scope="col" colspan="2">Shown, %</th><th scope="col" class="n">Chances</th>'
        f'<th scope="col">Items</th></tr></thead><tbody>\n{rows}</tbody></table></div>\n'
    )
