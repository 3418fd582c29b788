"""`lab deploy` and `lab squid ...`: the queue in front of a target, and jobs through it."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from labs import targets, terminal
from labs.cloud import state
from labs.economics import queue
from labs.errors import FALSE, USAGE, Refusal
from labs.squid import deploy as deployment
from labs.squid import live_commands, prompts
from labs.squid.client import Answer, Job, Squid
from labs.squid.run import Account, send_all
from labs.squid.spending import JOB_S, all_calls_option, spent
from labs.squid.spending import Money as Spending
from labs.targets import Site, ceiling, guard, options
from labs.targets.ceiling import Calls
from labs.targets.commands import AwsCommand, Money, admit, ceiling_option, connect, deploy_target, real_option

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
stack_name = click.option("--name", default=deployment.DEFAULT_NAME, show_default=True, help="The stack.")


@click.command(cls=AwsCommand)
@click.argument("what", metavar="TARGET|squid")
@click.option("--target", default="bedrock-on-demand", show_default=True, help="What answers behind the queue.")
@click.option("--name", help="The deployment's name; by default 'squid', or the target's.")
@click.option("--model", help="Model id, inference profile, or name; by default the target's own choice.")
@click.option(
    "--tier",
    type=click.Choice(["default", "flex", "priority", "reserved"]),
    help="Service tier of bedrock-on-demand.",
)
@click.option("--instance-type", help="The target's instances.")
@click.option("--instances", type=click.IntRange(1), help="How many to begin with.")
@click.option("--max-instances", type=click.IntRange(1), help="How many at most.")
@click.option("--set", "pairs", multiple=True, metavar="OPTION=VALUE", help="Any other option of the target.")
@click.option("--request-quota", is_flag=True, help="Where a quota is too small, ask for more and wait.")
@click.option("--max-tokens", type=click.IntRange(1), help="Most tokens of one answer.")
@click.option("--batch-size", type=click.IntRange(1), help="Jobs handed to one worker at once.")
@click.option("--concurrency", type=click.IntRange(1), help="Most workers at a time.")
@click.option("--function-timeout", type=click.IntRange(1), help="Seconds a worker may take for its batch.")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other parameter of the queue's template (labs/squid/template.yaml), as PageOrigin or JwtIssuer.",
)
@click.option("--hours", type=click.FloatRange(1), default=24, show_default=True, help="When its tags say it may go.")
@real_option
@ceiling_option
@click.option("--requests", type=click.IntRange(0), default=0, help="Calls that are planned, for what it can cost.")
@click.option("--input-tokens", type=click.IntRange(0), default=1000, show_default=True, help="Of a planned call.")
@click.option("--output-tokens", type=click.IntRange(0), default=512, show_default=True, help="Of a planned call.")
@as_json
@click.pass_context
def deploy(
    context: click.Context,
    what: str,
    target: str,
    name: str | None,
    model: str | None,
    tier: str | None,
    instance_type: str | None,
    instances: int | None,
    max_instances: int | None,
    pairs: tuple[str, ...],
    request_quota: bool,
    max_tokens: int | None,
    batch_size: int | None,
    concurrency: int | None,
    function_timeout: int | None,
    parameters: tuple[str, ...],
    hours: float,
    real: bool,
    ceiling_usd: float | None,
    requests: int,
    input_tokens: int,
    output_tokens: int,
    as_json: bool,
) -> None:
    """Deploy a target, or 'squid': the queue pattern in front of one."""
    money = Money(real, ceiling_usd, Calls(requests, input_tokens, output_tokens))
    if what != "squid":
        given = context.get_parameter_source("target")
        if given is not None and given.name == "COMMANDLINE":
            raise Refusal(
                f"--target goes with 'lab deploy squid'; to deploy the target itself: 'lab deploy {target}'", USAGE
            )
        if what not in targets.TARGETS:
            known = ", ".join(sorted(targets.TARGETS))
            raise Refusal(
                f"there is no target '{what}'; the targets are: {known}; and 'squid' is the queue in front of one",
                USAGE,
            )
        flags = {"tier": tier, "instance_type": instance_type, "instances": instances, "max_instances": max_instances}
        deploy_target(what, name or what, pairs, hours, request_quota, as_json, money, model_id=model, **flags)
        return
    name = name or deployment.DEFAULT_NAME
    chosen = options.make(target, targets.get(target), pairs, model_id=model, tier=tier)
    settings = {
        "MaxTokens": max_tokens,
        "BatchSize": batch_size,
        "WorkerConcurrency": concurrency,
        "FunctionTimeout": function_timeout,
    } | deployment.parsed(parameters)
    where = connect(real=real, quiet=as_json)
    site = Site(where, name, hours)
    if real and not requests:
        raise Refusal(
            "what the queue's jobs cost on AWS is counted by nobody but you: say how many are planned with --requests, and --input-tokens and "
            "--output-tokens of each; nothing was created",
            USAGE,
        )
    if money.matters:
        around = queue.squid(requests, JOB_S)
        admit(ceiling.plan_calls(chosen, site, money.calls, around), ceiling_usd, as_json)
    began = time.monotonic()
    with _status(f"deploying {name}") as tell, guard.reaped(site):
        stack = deployment.deploy(
            where,
            chosen,
            name,
            {key: str(value) for key, value in settings.items() if value is not None},
            hours=hours,
            tell=tell,
        )
    if as_json:
        terminal.emit_json(
            {
                "name": name,
                "target": target,
                "model": stack.outputs.get("ModelId", ""),
                "status": stack.status,
                "outputs": dict(stack.outputs),
            }
        )
        return
    terminal.say(
        f"[b]{name}[/] is up after {time.monotonic() - began:.1f} s: the queue in front of [b]{target}[/] ({escape(stack.outputs.get('ModelId', ''))})."
    )
    terminal.say(escape(stack.outputs.get("ConcurrencyReason", "")))
    flag = "--real " if real else ""
    if real and not settings.get("JwtIssuer"):
        terminal.say(
            f"[b]Its door is open[/]: whoever knows {escape(stack.outputs.get('ApiUrl', 'its address'))} can spend this account's tokens. "
            "--parameter JwtIssuer=... and JwtAudience=... lock it."
        )
    terminal.say(f'Next: lab squid submit {_name_option(name)}{flag}"Explain a dead-letter queue in one sentence."')
    terminal.say(f"Or in a browser: lab squid web {flag}{'' if name == deployment.DEFAULT_NAME else name}")


@click.group()
def squid() -> None:
    """Send jobs through the queue."""


for command in (live_commands.follow, live_commands.cancel, live_commands.web):
    squid.add_command(command)


@squid.command(cls=AwsCommand)
@click.argument("prompt", required=False)
@click.option("--file", "file", type=click.Path(path_type=Path), help="A file of prompts, one JSON object a line.")
@click.option("--max-tokens", type=click.IntRange(1), help="Most tokens of the answer (with a prompt).")
@click.option("--run", "run", help="Name of this run (with --file); the same name again sends nothing twice.")
@click.option(
    "--answers", type=click.Path(path_type=Path), help="Write each answer, with its times, as a line of this file."
)
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0), default=900, show_default=True, help="Seconds to wait."
)
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave (with a prompt).")
@stack_name
@real_option
@all_calls_option
@as_json
def submit(
    prompt: str | None,
    file: Path | None,
    max_tokens: int | None,
    run: str | None,
    answers: Path | None,
    timeout_s: float,
    no_wait: bool,
    name: str,
    real: bool,
    ceiling_usd: float | None,
    as_json: bool,
) -> None:
    """Submit one prompt, or a file of them, and wait for the answers."""
    if (prompt is None) is (file is None):
        raise Refusal(
            'give one prompt, or a file of them: lab squid submit "...", or lab squid submit --file FILE', USAGE
        )
    lines = prompts.read(file) if file else []
    where = connect(real=real, quiet=as_json)
    stack = Squid(name)
    flag = "--real " if real else ""
    money = Spending(stack, where, ceiling_usd)
    money.require_admitted()
    run = run or secrets.token_hex(4)
    money.before([Job(prompt, max_tokens)] if prompt is not None else [line.job(run) for line in lines])
    if prompt is not None:
        with spent(money, quiet=as_json):
            _submit_one(stack, prompt, max_tokens, timeout_s, no_wait, as_json, flag)
        return
    if not as_json:
        terminal.say(
            f"Run [b]{escape(run)}[/]: {len(lines)} prompts to [b]{name}[/], which {stack.target} answers ({escape(stack.model_id)})."
        )
    provenance = "measured on AWS" if where.real else state.PROVENANCE
    with spent(money, quiet=as_json):
        account = _submit_file(stack, lines, run, timeout_s, provenance, answers)
        if as_json:
            terminal.emit_json(account.as_json())
        else:
            _say_account(account)
    if not account.is_clean:
        raise Refusal(
            f"of {account.submitted} jobs {account.lost} have no end yet, {len(account.failed)} failed and {account.duplicates} were answered "
            f"twice; 'lab squid submit {flag}--file {file} --run {account.run}' collects the late ones, 'lab squid redrive{flag and ' --real'}' tries the given-up again",
            FALSE,
        )


def _submit_one(
    squid: Squid, prompt: str, max_tokens: int | None, timeout_s: float, no_wait: bool, as_json: bool, flag: str
) -> None:
    job_id = squid.submit(prompt, max_tokens=max_tokens)
    if no_wait:
        if as_json:
            terminal.emit_json({"job_id": job_id})
        else:
            terminal.say(f"{job_id}\nNext: lab squid status {flag}{_name_option(squid.stack)}{job_id}")
        return
    with _status("waiting for the answer"):
        answer = squid.wait(job_id, timeout_s)
    _show(answer, as_json)
    if answer.status == "FAILED":
        raise Refusal(f"job {job_id} failed: {answer.error}", FALSE)


def _submit_file(
    squid: Squid, lines: list[prompts.Prompt], run: str, timeout_s: float, provenance: str, answers: Path | None
) -> Account:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress, _answers_file(answers) as write:
        sent = progress.add_task("submitted", total=len(lines))
        back = progress.add_task("answered", total=len(lines))

        def on_answer(prompt: prompts.Prompt, answer: Answer) -> None:
            write(prompt, answer)
            progress.advance(back)

        return send_all(squid, lines, run, timeout_s, provenance, lambda: progress.advance(sent), on_answer)


def _write_nothing(prompt: prompts.Prompt, answer: Answer) -> None: ...


@contextmanager
def _answers_file(path: Path | None) -> Iterator[Callable[[prompts.Prompt, Answer], None]]:
    if path is None:
        yield _write_nothing
        return
    with path.open("w", encoding="utf-8") as file:

        def write(prompt: prompts.Prompt, answer: Answer) -> None:
            line = {"id": prompt.id, "category": prompt.category, **asdict(answer), "e2e_ms": answer.e2e_ms}
            file.write(json.dumps(line, default=str, ensure_ascii=False) + "\n")

        yield write


def _say_account(account: Account) -> None:
    facts = account.as_json()
    counts = ("submitted", "answered", "failed", "lost", "duplicates")
    terminal.table("Jobs", counts, [[facts[name] for name in counts]])
    if account.answered:
        times = ("mean", "p50", "p90", "p99")
        terminal.table(
            f"End to end, {account.provenance}",
            [f"{name} (s)" for name in times],
            [[f"{facts['e2e_ms'][name] / 1000:.1f}" for name in times]],
        )
    for answer in account.failed[:5]:
        terminal.say(f"Failed: {answer.job_id}: {escape(answer.error)}")
    again = facts["attempts"] - len(account.answers)
    repeated = f"; {again} attempts had to be repeated" if again > 0 else ""
    terminal.say(
        f"{facts['answered']} answers, {facts['output_tokens']:,} tokens written for {facts['input_tokens']:,} read{repeated}."
    )
    if account.is_clean:
        terminal.say("Every job was answered exactly once.")


@squid.command(cls=AwsCommand)
@click.argument("job_id")
@stack_name
@real_option
@as_json
def status(job_id: str, name: str, real: bool, as_json: bool) -> None:
    """What has become of one job."""
    where = connect(real=real, quiet=as_json)
    stack = Squid(name)
    with spent(Spending(stack, where), quiet=as_json):
        _show(stack.status(job_id), as_json)


@squid.command(cls=AwsCommand)
@stack_name
@real_option
@all_calls_option
@as_json
def redrive(name: str, real: bool, ceiling_usd: float | None, as_json: bool) -> None:
    """Send given-up jobs from the dead-letter queue back to work."""
    where = connect(real=real, quiet=as_json)
    stack = Squid(name)
    money = Spending(stack, where, ceiling_usd)
    money.require_admitted()
    money.before_redrive()
    with _status("reading the dead-letter queue"), spent(money, quiet=as_json):
        sent, stay = stack.redrive()
    if as_json:
        terminal.emit_json({"redriven": sent, "stay": stay})
        return
    for why in stay:
        terminal.say(f"Stays: {escape(why)}")
    terminal.say(f"{sent} jobs went back to the queue; {len(stay)} stay in the dead-letter queue.")


@squid.command(cls=AwsCommand)
@click.option(
    "--every", "every_s", type=click.FloatRange(0.2), default=2, show_default=True, help="Seconds between looks."
)
@click.option("--until-empty", is_flag=True, help="Stop when nothing waits and nothing is in work.")
@stack_name
@real_option
@as_json
def watch(every_s: float, until_empty: bool, name: str, real: bool, as_json: bool) -> None:
    """The queue's depth, until you stop it."""
    where = connect(real=real, quiet=as_json)
    stack = Squid(name)
    with spent(Spending(stack, where), quiet=as_json):
        _watch(stack, every_s, until_empty, as_json)


def _watch(stack: Squid, every_s: float, until_empty: bool, as_json: bool) -> None:
    while True:
        depth = stack.depth()
        if as_json:
            click.echo(json.dumps({"at": datetime.now().astimezone().isoformat(timespec="seconds"), **depth}))
        else:
            terminal.say(
                f"{datetime.now():%H:%M:%S}  waiting {depth['waiting']:>6}  in work {depth['working']:>4}  given up {depth['dead']:>4}"
            )
        if until_empty and not depth["waiting"] and not depth["working"]:
            return
        time.sleep(every_s)


def _show(answer: Answer, as_json: bool) -> None:
    if as_json:
        terminal.emit_json({**asdict(answer), "e2e_ms": answer.e2e_ms})
        return
    if answer.text:
        terminal.out.print(answer.text, markup=False)
    line = f"job {answer.job_id}: {answer.status}, attempts {answer.attempts}"
    if answer.e2e_ms is not None:
        line += f", {answer.e2e_ms / 1000:.1f} s end to end, {answer.output_tokens} tokens by {answer.model_id}"
    terminal.out.print(line, style="dim", markup=False)
    if answer.error:
        terminal.out.print(f"last error: {answer.error}", markup=False)


@contextmanager
def _status(text: str) -> Iterator[Callable[[str], None]]:
    """A spinner on standard error, where there is somebody to see it; yields what changes its words."""
    with Console(stderr=True).status(text) as spinner:
        yield lambda now: spinner.update(f"{text}: {now}")


def _name_option(name: str) -> str:
    return "" if name == deployment.DEFAULT_NAME else f"--name {name} "
