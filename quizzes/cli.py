"""The `quiz` command. What a subcommand needs is imported only when it is asked for."""

import sys
from importlib import import_module

import click

from labs import terminal

COMMANDS = {
    "take": ("quizzes.commands", "take", "Answer a quiz here; every option gives its reason."),
    "pretest": (
        "quizzes.pretest.command",
        "pretest",
        "Twelve questions before the first lesson, and a plan of evenings.",
    ),
    "exam": (
        "quizzes.exam.command",
        "exam",
        "Sit a practice exam: clock, marks, review, and a result with its interval.",
    ),
    "study": (
        "quizzes.study.command",
        "study",
        "Answer what is due; say how sure you are, and see how far that was true.",
    ),
    "draw": ("quizzes.generate", "draw", "Draw computed items: any number of one kind."),
    "grade": (
        "quizzes.marking.command",
        "grade",
        "Mark the attempt files of a class; what cannot be marked is named.",
    ),
    "stats": (
        "quizzes.analysis.command",
        "stats",
        "What a class's answers say about the questions, and which keys may be wrong.",
    ),
    "form": ("quizzes.marking.command", "form", "Draw a form to hand out, and keep its key."),
    "export": (
        "quizzes.exports.command",
        "export",
        "Write the questions for Moodle, Anki, a live poll or a learning platform.",
    ),
    "lint": ("quizzes.commands", "lint", "Check the bank against the rules of item writing."),
    "bots": ("quizzes.commands", "bots", "Let takers who know nothing try the bank."),
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
@click.version_option(package_name="deployment-dilemma", prog_name="quiz")
def cli() -> None:
    """Questions about where a model should run, with the reason of every answer."""


def main() -> None:
    """Entry point of the console script."""
    sys.exit(terminal.run(cli, "quiz"))


if __name__ == "__main__":
    main()
