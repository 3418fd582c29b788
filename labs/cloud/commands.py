"""`lab cloud`: the local cloud as a background process."""

from importlib import import_module

import click

from labs import terminal
from labs.cloud import server, state
from labs.cloud.state import ServerRecord
from labs.errors import FALSE

LAZY = {"coverage": ("labs.cloud.coverage", "command"), "faults": ("labs.cloud.faults_commands", "faults")}
"""Subcommands that live elsewhere, imported when asked for."""


class CloudGroup(click.Group):
    """`lab cloud`, with the subcommands of other modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *LAZY]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LAZY:
            module, attribute = LAZY[cmd_name]
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=CloudGroup)
def cloud() -> None:
    """The local cloud as a background process: no AWS account, no Docker, no network."""


@cloud.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=server.DEFAULT_PORT, show_default=True, help="0: any free one."
)
@click.option(
    "--time-scale",
    type=click.FloatRange(min=1),
    default=server.DEFAULT_TIME_SCALE,
    show_default=True,
    help="How many times faster than on AWS creations, cold starts, cooldowns and idle times pass. Tokens and quotas never do.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def up(port: int, time_scale: float, as_json: bool) -> None:
    """Start it. Exit status 1 when it is up already, 3 when it cannot start."""
    show(server.start(state.home_folder(), port, time_scale), as_json)


@cloud.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def down(as_json: bool) -> None:
    """Stop it; everything in it is gone."""
    stopped = server.stop(state.home_folder())
    if as_json:
        terminal.emit_json({"stopped": stopped})
    else:
        terminal.say("The local cloud is down." if stopped else "The local cloud was not up.")


@cloud.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> int:
    """Where it is. Exit status 1 when it is not up."""
    record = server.running(state.home_folder())
    if record is not None:
        show(record, as_json)
        return 0
    if as_json:
        terminal.emit_json({"endpoint_url": None, "pid": None, "time_scale": None, "provenance": None})
    else:
        terminal.say("The local cloud is not up; 'lab cloud up' starts it, and so does every command that needs it.")
    return FALSE


def show(record: ServerRecord, as_json: bool) -> None:
    """Print a running cloud's record."""
    if as_json:
        terminal.emit_json(record.public())
        return
    terminal.say(f"The local cloud is up at [bold]{record.endpoint_url}[/] (process {record.pid}).")
    terminal.say(
        f"Control-plane waits pass {record.time_scale:g} times as fast as on AWS; tokens, quotas and timeouts in real time."
    )
    terminal.say(f"Answers are {record.texts}; every timing is {record.provenance}.")
