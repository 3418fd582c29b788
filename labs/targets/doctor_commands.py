"""`lab doctor`: is this machine, or with --real this account, ready?"""

from dataclasses import asdict

import click
from rich.markup import escape

from labs import cloud, targets, terminal
from labs.errors import NOT_READY, Refusal
from labs.targets import doctor, doctor_account
from labs.targets.doctor import Finding


@click.command("doctor")
@click.option("--real", is_flag=True, help="The AWS account of your own credentials, without creating anything there.")
@click.option("--target", "names", multiple=True, help="Only these targets (with --real).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor_(real: bool, names: tuple[str, ...], as_json: bool) -> None:
    """Is this machine ready, and with --real this account? Each "no" comes with what to do. Exit status 3 when not."""
    identity = ""
    if real:
        where = cloud.connect(real=True)
        identity = str(where)
        if not as_json:
            terminal.out.print(identity, style="bold", markup=False)
        chosen = names or tuple(targets.TARGETS)
        for name in chosen:
            targets.get(name)
        findings = doctor_account.examine(where, chosen)
    else:
        findings = doctor.examine()
    ready = doctor.is_ready(findings)
    if as_json:
        terminal.emit_json(
            {"ready": ready, "real": real, "cloud": identity, "checks": [asdict(each) for each in findings]}
        )
    else:
        for finding in findings:
            _show(finding)
    if not ready:
        missing = ", ".join(finding.id for finding in findings if finding.required and not finding.passed)
        raise Refusal(f"not ready: {missing}; what to do stands beside each", NOT_READY)
    if not as_json:
        terminal.say(
            "Ready. Next: lab deploy squid" if not real else "Ready. What it would cost: lab deploy TARGET --real"
        )


def _show(finding: Finding) -> None:
    mark = "[green]yes[/]" if finding.passed else "[bold red]no [/]" if finding.required else "[yellow]no [/]"
    terminal.say(f"{mark}  {escape(finding.id)}: {escape(finding.says)}")
    if not finding.passed and finding.todo:
        terminal.say(f"     [dim]to do:[/] {escape(finding.todo)}")
