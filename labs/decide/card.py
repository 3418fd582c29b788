"""An advice as a card for notebooks: plain HTML and CSS, nothing loaded from elsewhere, readable without colour and by a screen reader.

Colours are the book's tokens where it is shown in the book, and the same values elsewhere.
"""

from __future__ import annotations

from html import escape
from itertools import count
from typing import TYPE_CHECKING

from labs.decide import words
from labs.decide.option import Option

if TYPE_CHECKING:
    from labs.decide.advisor import Advice

_numbers = count(1)

STYLE = """
.dd-advice{font-family:var(--dd-font-text,system-ui,sans-serif);background:var(--dd-paper,#fff);color:var(--dd-ink,#1c1d22);
border:1px solid var(--dd-line,#dad7ce);border-radius:8px;padding:1rem 1.25rem;max-width:60rem;line-height:1.5}
.dd-advice h3,.dd-advice h4{margin:.2rem 0 .4rem;color:inherit}
.dd-advice h3{font-size:1.1rem}.dd-advice h4{font-size:.95rem}
.dd-advice p{margin:.3rem 0}
.dd-advice .dd-views{display:flex;flex-wrap:wrap;gap:1rem;margin:.6rem 0}
.dd-advice .dd-view{flex:1 1 20rem;background:var(--dd-surface,#f6f5f1);padding:.6rem .8rem;border-radius:6px}
.dd-advice ol{margin:.3rem 0 .3rem 1.2rem;padding:0}
.dd-advice .dd-scroll{overflow-x:auto}
.dd-advice table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.6rem 0}
.dd-advice caption{text-align:left;font-weight:600;padding:.2rem 0}
.dd-advice th,.dd-advice td{text-align:left;vertical-align:top;padding:.3rem .5rem;border-bottom:1px solid var(--dd-line,#dad7ce);
background:transparent;color:inherit}
.dd-advice .dd-num{text-align:right;white-space:nowrap}
.dd-advice .dd-soft{font-weight:400;color:var(--dd-ink-soft,#555a66)}
.dd-advice svg{width:1.25em;height:1.25em;vertical-align:-.25em;margin-right:.3em}
.dd-advice .dd-bedrock{fill:var(--dd-bedrock,#1b6b3a)}
.dd-advice .dd-sagemaker{fill:var(--dd-sagemaker,#8a5300)}
.dd-advice .dd-own{fill:var(--dd-own,#a8271f)}
.dd-advice svg text{fill:var(--dd-paper,#fff);font:700 12px sans-serif;text-anchor:middle}
.dd-advice code{font-family:var(--dd-font-code,ui-monospace,monospace)}
"""

SHAPES = {
    "bedrock": '<circle class="dd-bedrock" cx="10" cy="10" r="10"/>',
    "sagemaker": '<rect class="dd-sagemaker" x="1" y="1" width="18" height="18"/>',
    "own": '<path class="dd-own" d="M10 0 20 19H0Z"/>',
}


def card(advice: Advice) -> str:
    """The card. Everything that comes from outside is escaped."""
    id = f"dd-advice-{next(_numbers)}"
    return (
        f'<style>{STYLE}</style><section class="dd-advice" aria-labelledby="{id}">'
        f'<h3 id="{id}">{escape(words.workload(advice))}</h3>'
        f'<p class="dd-soft">{escape(", ".join(words.conditions(advice)))}</p>'
        f'<div class="dd-views">{_view("Exam view", advice.exam.family, advice.exam.says, words.steps(advice.exam.walk), *(note.says for note in advice.exam.notes))}'
        f"{_view('Engineering view', advice.best.family if advice.best else None, advice.says, words.steps(advice.engineering), advice.agrees)}"
        f"</div>{_ranked(advice)}{_out(advice)}{_list('What would flip it', _flips(advice))}{_next(advice)}</section>"
    )


def _mark(family: str) -> str:
    """The family's shape with its letter, and its name for those who do not see it."""
    name, letter = words.FAMILIES[family]
    y = 16 if family == "own" else 14
    return (
        f'<svg viewBox="0 0 20 20" role="img" aria-label="{escape(name)}">{SHAPES[family]}'
        f'<text x="10" y="{y}" aria-hidden="true">{letter}</text></svg>'
    )


def _view(title: str, family: str | None, says: str, steps: list[str], *more: str) -> str:
    items = "".join(f"<li>{escape(step)}</li>" for step in steps)
    return (
        f'<div class="dd-view"><h4>{escape(title)}</h4><p>{_mark(family) if family else ""}<strong>{escape(says)}</strong></p>'
        f"{''.join(f'<p>{escape(line)}</p>' for line in more)}<details><summary>How the chart was walked</summary><ol>{items}</ol></details></div>"
    )


def _ranked(advice: Advice) -> str:
    if not advice.ranked:
        return ""
    heads = ("", "target", "a month", "range", "first token, p99 (s)", "last token, p99 (s)", "in use")
    head = "".join(f'<th scope="col"{_num(n)}>{escape(name)}</th>' for n, name in enumerate(heads))
    body = "".join(_row(option) for option in advice.ranked)
    return (
        '<div class="dd-scroll"><table><caption>What would do, cheapest first (latencies predicted)</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _num(column: int) -> str:
    return ' class="dd-num"' if column >= 2 else ""


def _row(option: Option) -> str:
    prediction = option.prediction
    about = "; ".join([option.what, *words.marks(option)])
    cells = (
        words.money(option.usd),
        words.money_range(option) or "-",
        words.seconds(prediction.ttft_p99 if prediction else None),
        words.seconds(prediction.e2e_p99 if prediction else None),
        words.used(option),
    )
    return (
        f"<tr><td>{option.rank}{'=' if option.tied else ''}</td>"
        f'<th scope="row">{_mark(option.family)}{escape(option.target)}<br><span class="dd-soft">{escape(about)}</span></th>'
        + "".join(f'<td class="dd-num">{escape(cell)}</td>' for cell in cells)
        + "</tr>"
    )


def _out(advice: Advice) -> str:
    if not advice.ruled_out:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{_mark(option.family)}{escape(option.target)}</th>'
        f"<td>{escape('; '.join(reason.because for reason in option.reasons))}</td></tr>"
        for option in advice.ruled_out
    )
    return (
        f'<details><summary>What is out, and why ({len(advice.ruled_out)})</summary><div class="dd-scroll"><table>'
        '<caption>Ruled out</caption><thead><tr><th scope="col">target</th><th scope="col">because</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _flips(advice: Advice) -> list[str]:
    lines = [*words.flip_lines(advice), *words.break_evens(advice)]
    lines += [f"{what.says[0].upper()}{what.says[1:]}." for what in advice.what_ifs[:4]]
    return lines or [words.nothing_flips(advice) or "No single requirement, dropped alone, opens a target."]


def _list(title: str, lines: list[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h4>{escape(title)}</h4><ul>{items}</ul>"


def _next(advice: Advice) -> str:
    commands = "".join(f"<li><code>{escape(command)}</code></li>" for command in words.commands(advice))
    minds = [f"Mind: {caution.because}" for caution in advice.best.cautions] if advice.best else []
    todo = "".join(f"<li>{escape(f'{line[0].upper()}{line[1:]}')}.</li>" for line in [*minds, *words.to_do(advice)])
    return f"<h4>What next</h4><ul>{todo}{commands}</ul>" if commands or todo else ""
