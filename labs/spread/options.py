"""The options of every command that can share its work out."""

import click

SCHEDULER = click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Share the work out to the workers of this Dask scheduler: tcp://HOST:PORT. 'lab spread up' starts one.",
)
