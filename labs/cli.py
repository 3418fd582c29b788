"""The `lab` command. Each subcommand lives in its room's `commands.py` and is imported only when it is asked for."""

import sys
from importlib import import_module

import click

from labs import terminal

COMMANDS = {
    "doctor": ("labs.targets.doctor_commands", "doctor_", "Is this machine, or with --real this account, ready?"),
    "cloud": ("labs.cloud.commands", "cloud", "The local cloud as a background process: up, down, status, faults."),
    "facts": ("labs.facts.commands", "facts", "The dated register of prices, limits and quotas."),
    "decide": (
        "labs.decide.commands",
        "decide",
        "Where should this model run? Two views, every target ranked or ruled out.",
    ),
    "simulate": (
        "labs.economics.commands",
        "simulate",
        "How fast would this model answer there, under this load, and at what cost?",
    ),
    "deploy": ("labs.squid.commands", "deploy", "Deploy a target, or the queue pattern in front of one."),
    "invoke": ("labs.targets.commands", "invoke", "Ask a deployed target one thing."),
    "list": ("labs.targets.commands", "list_", "What is deployed."),
    "teardown": ("labs.targets.commands", "teardown", "Remove what was deployed, then look for what is left."),
    "policy": (
        "labs.squid.policy_command",
        "policy",
        "What whoever deploys a target or the queue must be allowed, as an IAM policy.",
    ),
    "squid": ("labs.squid.commands", "squid", "Send jobs through the queue."),
    "bench": (
        "labs.bench.commands",
        "bench",
        "How fast is it really? Offered load, measured from when each request was due.",
    ),
    "compare": ("labs.bench.compare_commands", "compare", "Runs side by side: a table, or a page with charts."),
    "check": ("labs.check.commands", "check", "What a lab left in the cloud, and what is missing."),
    "grade": ("labs.check.grade_commands", "grade", "A class's submissions, each confined and in a cloud of its own."),
    "spread": (
        "labs.spread.commands",
        "spread",
        "A scheduler and workers: for grading, simulating and measuring on several machines.",
    ),
    "notebook": ("labs.check.commands", "notebook", "Your copy of a lab, without its solutions."),
    "catch-up": ("labs.check.commands", "catch_up", "The local cloud as a task of a lab begins."),
    "progress": ("labs.check.commands", "progress", "How far you are in labs and quizzes, and what wants work."),
    "replay": (
        "labs.check.replay_commands",
        "replay",
        "A lab's calls to its cloud, recorded, and shown again without one.",
    ),
    "kit": ("labs.workshop.kit_commands", "kit", "A folder from which a room installs the course without a network."),
    "serve": ("labs.workshop.room_commands", "serve", "Serve the built book on this machine; with --room, to a room."),
    "room": ("labs.workshop.live.commands", "room", "A seat in a workshop's room: join, send, leave."),
    "agenda": (
        "labs.workshop.pace_commands",
        "agenda",
        "A session's agenda, its slack, and what to drop when it is late.",
    ),
    "reveal": (
        "labs.workshop.pace_commands",
        "reveal",
        "A lab's solutions, locked; a code for each task, to show in class.",
    ),
    "room-cost": (
        "labs.workshop.money_commands",
        "room_cost",
        "What a room would cost on real AWS, lab by lab, and which quotas it needs.",
    ),
    "hub-link": ("labs.workshop.hub_commands", "hub_link", "A link by which a hub or Binder brings a room the labs."),
    "room-accounts": (
        "labs.workshop.money_commands",
        "room_accounts",
        "Scripts for a room with an AWS account each: set-up, and a clean-up that proves itself.",
    ),
    "left": (
        "labs.workshop.money_commands",
        "left_",
        "What costs money in this account, whoever made it; changes nothing.",
    ),
}
"""name: (module, attribute, one line of help)"""


class LazyGroup(click.Group):
    """A group that knows its subcommands' names and help without importing their modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="deployment-dilemma", prog_name="lab")
def cli() -> None:
    """Where should this model run? Decide, deploy, queue, measure: on a local cloud by default, on AWS when you say so."""


def main() -> None:
    """Entry point of the console script."""
    sys.exit(terminal.run(cli, "lab"))


if __name__ == "__main__":
    main()
