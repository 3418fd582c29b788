"""`lab doctor`: is this machine, or with --real this account, ready?"""

from dataclasses import asdict

import click
from rich.markup import escape

from labs import cloud, targets, terminal
from labs.errors import FALSE, NOT_READY, USAGE, Refusal
from labs.targets import doctor, doctor_account, readiness
from labs.targets.doctor import Finding


@click.command("doctor")
@click.option("--real", is_flag=True, help="The AWS account of your own credentials, without creating anything there.")
@click.option("--target", "names", multiple=True, help="Only these targets (with --real).")
@click.option("--code", "as_code", is_flag=True, help="Say it as a short code, for the instructor.")
@click.option("--read", "code", metavar="CODE", help="Say in words what somebody's code says.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor_(real: bool, names: tuple[str, ...], as_code: bool, code: str | None, as_json: bool) -> int:
    """Is this machine ready, and with --real this account? Each "no" comes with what to do. Exit status 3 when not."""
    if code is not None:
        if real or names or as_code:
            raise Refusal("--read looks at a code and at nothing else: leave --real, --target and --code away", USAGE)
        return _read(code, as_json)
    if as_code:
        return _code(real, names, as_json)
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
    return 0


def _code(real: bool, names: tuple[str, ...], as_json: bool) -> int:
    """The machine, and with --real the account as well, in twelve letters; what is missing stands above them."""
    machine, account = doctor.examine(), None
    if real:
        where = cloud.connect(real=True)
        account = doctor_account.examine(where, names or tuple(targets.TARGETS))
    said = readiness.of(machine, account)
    code = readiness.encode(said)
    if as_json:
        terminal.emit_json({"code": code, "ready": said.ready})
    else:
        for finding in [*machine, *(account or ())]:
            if not finding.passed:
                _show(finding)
        terminal.say(f"Your code: [b]{code}[/b]")
    return 0 if said.ready else NOT_READY


def _read(code: str, as_json: bool) -> int:
    said = readiness.decode(code)
    same = said.course == readiness.course()
    if as_json:
        terminal.emit_json({"ready": said.ready, "same_course": same, "parts": [asdict(part) for part in said.parts]})
    else:
        for part in said.parts:
            mark = "[green]yes[/]" if part.ok else "[bold red]no [/]" if part.required else "[yellow]no [/]"
            terminal.say(f"{mark}  {escape(part.what)}")
        if said.account is None:
            terminal.say("     no AWS account was looked at")
        if not same:
            terminal.say(
                "Its packages are not this checkout's: one of the two is of another day. 'make setup' after an update."
            )
        terminal.say("Ready." if said.ready else "Not ready: what 'lab doctor' says there is to be done first.")
    return 0 if said.ready else FALSE


def _show(finding: Finding) -> None:
    mark = "[green]yes[/]" if finding.passed else "[bold red]no [/]" if finding.required else "[yellow]no [/]"
    terminal.say(f"{mark}  {escape(finding.id)}: {escape(finding.says)}")
    if not finding.passed and finding.todo:
        terminal.say(f"     [dim]to do:[/] {escape(finding.todo)}")
