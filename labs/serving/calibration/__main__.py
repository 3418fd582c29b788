"""`python -m labs.serving.calibration`: fit the constants, print every error and the cross-validation; `--write` commits them."""

import sys

import click

from labs import terminal
from labs.errors import FALSE
from labs.serving.calibration import report
from labs.serving.calibration.fit import PARAMETERS, as_constants, fit
from labs.serving.calibration.points import published
from labs.serving.profiles import Constants, fitted


@click.command()
@click.option(
    "--committed",
    is_flag=True,
    help="Judge the committed constants instead of fitting anew (a second instead of a minute).",
)
@click.option("--write", is_flag=True, help="Write the fitted constants and the cross-validation to their files.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the page of the book instead of tables.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def main(committed: bool, write: bool, as_markdown: bool, as_json: bool) -> int:
    """Fit the serving engine's constants to what was published, and say how far off they are."""
    constants = fitted() if committed else as_constants(fit(published()))
    validation = report.committed_cross_validation() if committed else report.cross_validate()
    if write:
        report.write(constants, validation)
    found, traced = report.rows(constants), report.trace_rows(constants)
    judged = report.verdicts(found)
    met = all(v.met for v in judged) and all(abs(r.error) <= report.TRACE_BARS[r.figure] for r in traced)
    if as_markdown:
        click.echo(report.markdown(constants, validation))
    elif as_json:
        terminal.emit_json(
            {
                "constants": constants,
                "points": [
                    {
                        "id": r.point,
                        "figure": r.figure,
                        "published": r.published,
                        "ours": r.ours,
                        "error": r.error,
                        "judged": r.judged,
                    }
                    for r in traced + found
                ],
                "bars": [
                    {"figure": v.bar.figure, "median": v.median, "worst": v.worst, "points": v.n, "met": v.met}
                    for v in judged
                ],
                "cross_validation": validation,
                "met": met,
            }
        )
    else:
        _print(constants, found, traced, judged, validation)
        terminal.say(
            f"Every bar is {'met' if met else '[bold]not[/bold] met'}. Next: `--markdown` prints the book's page."
        )
    return 0 if met else FALSE


def _print(
    constants: Constants,
    found: list[report.Row],
    traced: list[report.Row],
    judged: list[report.Verdict],
    validation: dict[str, dict[str, dict[str, float]]],
) -> None:
    terminal.table(
        "Constants",
        ("constant", "value ()", "committed ()", "what it is"),
        ((p.path, f"{constants[p.group][p.name]:.4g}", f"{fitted()[p.group][p.name]:.4g}", p.what) for p in PARAMETERS),
    )
    terminal.table(
        "Errors",
        ("point", "figure", "published ()", "ours ()", "error (%)"),
        ((r.point, r.figure, f"{r.published:,.2f}", f"{r.ours:,.2f}", f"{100 * r.error:+.1f}") for r in traced + found),
    )
    terminal.table(
        "Bars",
        ("figure", "points ()", "median (%)", "bar (%)", "worst (%)", "bar, worst (%)"),
        (
            (
                v.bar.figure,
                v.n,
                f"{100 * v.median:.1f}",
                f"{100 * v.bar.median:.0f}",
                f"{100 * v.worst:.1f}",
                f"{100 * v.bar.worst:.0f}",
            )
            for v in judged
        ),
    )
    terminal.table(
        "Cross-validation: errors on what was left out of the fit",
        ("left out", "point", "errors"),
        (
            (label, point, ", ".join(f"{figure} {report.percent(e)}" for figure, e in figures.items()))
            for label, by_point in validation.items()
            for point, figures in by_point.items()
        ),
    )
    for what, why in report.TRUST:
        terminal.say(f"[bold]{what}[/bold]: {why}")


if __name__ == "__main__":
    sys.exit(terminal.run(main, "python -m labs.serving.calibration"))
