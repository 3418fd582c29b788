"""`lab squid follow | cancel | web`: what happens while an answer is written."""

import threading
import webbrowser
from collections.abc import Sequence

import click
from rich.markup import escape

from labs import terminal
from labs.errors import FALSE, Refusal
from labs.squid import deploy as deployment
from labs.squid import pages
from labs.squid.client import Squid
from labs.squid.listening import Piece
from labs.squid.spending import Money, all_calls_option, say_spent, spent
from labs.targets.commands import AwsCommand, connect, real_option

LOOK_S = 15.0
"""Between two counts of what the page's jobs have cost."""

stack_name = click.option("--name", default=deployment.DEFAULT_NAME, show_default=True, help="The stack.")


@click.command(cls=AwsCommand)
@click.argument("job_id")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0), default=900, show_default=True, help="Seconds.")
@stack_name
@real_option
def follow(job_id: str, timeout_s: float, name: str, real: bool) -> None:
    """Show a job's answer while it is written."""
    where = connect(real=real, quiet=not real)
    stack = Squid(name)
    with spent(Money(stack, where), quiet=False):
        _follow(stack, job_id, timeout_s)


def _follow(stack: Squid, job_id: str, timeout_s: float) -> None:
    attempt, shown = 0, ""
    for said in stack.follow(job_id, timeout_s):
        if isinstance(said, Piece):
            if said.attempt != attempt and shown:
                terminal.out.print(f"\n[attempt {said.attempt} begins anew]", style="dim", markup=False)
                shown = ""
            attempt, shown = said.attempt, shown + said.text
            terminal.out.print(said.text, end="", markup=False, highlight=False, soft_wrap=True)
            continue
        if shown and said.text.startswith(shown):
            terminal.out.print(said.text[len(shown) :], markup=False, highlight=False, soft_wrap=True)
        else:  # polled, or pieces were lost on the way
            terminal.out.print(("\n\n" if shown else "") + said.text, markup=False, highlight=False, soft_wrap=True)
        line = f"job {job_id}: {said.status}, attempts {said.attempts}"
        terminal.out.print(line, style="dim", markup=False)
        if said.status not in ("DONE", "CANCELLED"):
            raise Refusal(f"job {job_id} is {said.status}: {said.error}", FALSE)


@click.command(cls=AwsCommand)
@click.argument("job_id")
@stack_name
@real_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cancel(job_id: str, name: str, real: bool, as_json: bool) -> None:
    """Stop a job: at once while it waits, at its next piece while it is written."""
    where = connect(real=real, quiet=as_json or not real)
    stack = Squid(name)
    with spent(Money(stack, where), quiet=as_json):
        answer = stack.cancel(job_id)
    over = answer.is_final and answer.status != "CANCELLED"
    if as_json:
        terminal.emit_json({"job_id": job_id, "status": answer.status})
    elif not over:
        said = "cancelled" if answer.is_final else "being answered; its worker stops at the next piece"
        terminal.say(f"Job {escape(job_id)} is {said}.")
    if over:
        raise Refusal(f"job {job_id} is {answer.status}; what is over cannot be cancelled", FALSE)


@click.command(cls=AwsCommand)
@click.argument("names", nargs=-1, metavar="[STACK]...")
@click.option("--port", type=click.IntRange(1, 65_535), help="By default the one that the stacks' doors let in.")
@click.option("--open/--no-open", "opens", default=True, show_default=True, help="Open it in a browser.")
@real_option
@all_calls_option
def web(names: Sequence[str], port: int | None, opens: bool, real: bool, ceiling_usd: float | None) -> None:
    """The web page in front of one stack, or of several side by side, until you stop it.

    What its jobs cost is counted while it is served. It ends when a stack's jobs have cost what its ceiling leaves for them.
    """
    where = connect(real=real, quiet=not real)
    squids = [Squid(name) for name in names or (deployment.DEFAULT_NAME,)]
    moneys = [Money(each, where, ceiling_usd) for each in squids]
    for money in moneys:
        money.require_admitted()
    let_in = pages.port_of(squids)
    if port is not None and port != let_in:
        raise Refusal(
            f"the doors let a page from port {let_in} in, not from {port}; deploy the stacks with another PageOrigin to change that",
            FALSE,
        )
    with pages.serving([pages.Shown.of(each) for each in squids], let_in) as url:
        terminal.say(f"The page is at [b]{url}[/]; Ctrl-C ends it.")
        if opens:
            webbrowser.open(url)
        try:
            _until_spent(moneys)
        except KeyboardInterrupt:
            terminal.say("Ended.")
        finally:
            for money in moneys:
                say_spent(money)


def _until_spent(moneys: Sequence[Money]) -> None:
    """Wait for ever, or until a stack's jobs have cost what its ceiling leaves for them. Raises Refusal then."""
    limited = [money for money in moneys if money.limit_usd is not None]
    while not threading.Event().wait(LOOK_S if limited else None):
        for money in limited:
            if (counted := money.look()).usd >= (money.limit_usd or 0.0):
                raise Refusal(
                    f"{money.says(counted)}: the page ends here. The stack's door is still open; 'lab teardown' closes it",
                    FALSE,
                )
