"""How commands print: JSON for programs on standard output, a small readable page for people, refusals on standard error.

from labs import terminal
terminal.say("stack [b]squid[/b] is up")
terminal.emit_json({"submitted": 200})
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labs.errors import NOT_READY, USAGE, Refusal

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line for a person, with rich markup."""
    out.print(text)


def emit_json(data: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print `data` as indented JSON; dates and paths become strings."""
    click.echo(json.dumps(data, indent=2, default=str, ensure_ascii=False))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table that fits 100 columns; a column whose name ends in a unit in parentheses is right-aligned."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="bold", width=None)
    for name in columns:
        grid.add_column(name, justify="right" if name.endswith(")") else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(str(cell) for cell in row))
    Console(highlight=False, width=min(100, out.width)).print(grid)


def run(command: Callable[..., Any], prog_name: str, args: Sequence[str] | None = None) -> int:
    """Run a click command; turn refusals, usage errors and Ctrl-C into one sentence on standard error and an exit status."""
    try:
        result = command(args=args, prog_name=prog_name, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except Refusal as refusal:
        err.print(f"[bold red]{prog_name}:[/] {escape(str(refusal))}")
        return refusal.exit_status
    except click.ClickException as wrong:
        context = getattr(wrong, "ctx", None)
        err.print(f"[bold red]{prog_name}:[/] ", end="")
        err.print(wrong.format_message(), markup=False)
        if context is not None:
            err.print(f"See '{context.command_path} --help'.", markup=False)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        err.print(f"[bold red]{prog_name}:[/] stopped by you.")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except ConnectionError as broken:
        err.print(f"[bold red]{prog_name}:[/] ", end="")
        err.print(f"no answer from the server: {broken}", markup=False)
        return NOT_READY
