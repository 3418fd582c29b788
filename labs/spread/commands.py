"""`lab spread`: a scheduler and workers, for the commands that take `--scheduler`."""

import asyncio

import click
from rich.markup import escape

from labs import terminal

WORKERS = click.option(
    "--workers", type=click.IntRange(0, 256), help="Worker processes; as many as there are processors unless you say."
)
THREADS = click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Pieces of work that one worker does at once.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def spread() -> None:
    """Share work out over processes and machines, on Dask.

    \b
    lab spread up                                    here: a scheduler and workers, on loopback
    lab grade class/ --scheduler tcp://127.0.0.1:8786
    lab spread join tcp://192.168.1.5:8786           on another machine: workers for a scheduler that listens there

    Whoever reaches a scheduler runs programs as you, on every worker. Name an address with --listen only in a network where you would leave a shell
    open to everybody, or with TLS (Dask's configuration) and tls:// addresses.
    """


@spread.command()
@WORKERS
@THREADS
@click.option(
    "--listen",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="This machine's address at which the scheduler listens.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8786, show_default=True, help="0: any that is free.")
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON, once all workers are there.")
def up(workers: int | None, threads: int, listen: str, port: int, as_json: bool) -> int:
    """A scheduler and its workers, until Ctrl-C."""
    from labs.spread import up as running
    from labs.spread.cluster import processors, quiet

    count = processors() if workers is None else workers

    def say(address: str) -> None:
        if as_json:
            terminal.emit_json({"scheduler": address, "workers": count, "threads": threads})
            return
        terminal.say(f"{_count(count)} at [b]{address}[/]. Ctrl-C ends all.")
        if not running.is_loopback(listen):
            terminal.say(f"Whoever reaches {escape(listen)} can run programs here as you.")
        terminal.say(f"Next: lab grade FOLDER --scheduler {address}")

    with quiet():
        asyncio.run(running.up(listen, port, count, threads, say))
    return 0


def _count(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"


@spread.command()
@click.argument("address")
@WORKERS
@THREADS
@click.option(
    "--listen",
    metavar="ADDRESS",
    help="This machine's address at which its workers listen; by default the one that leads to the scheduler.",
)
def join(address: str, workers: int | None, threads: int, listen: str | None) -> int:
    """Workers on this machine for the scheduler at ADDRESS, until Ctrl-C or the scheduler's end."""
    from labs.spread import up as running
    from labs.spread.cluster import processors, quiet, reach

    reach(address)
    count = processors() if workers is None else workers
    with quiet():
        asyncio.run(
            running.join(
                address,
                count,
                threads,
                listen,
                lambda _: terminal.say(f"{_count(count)} for {escape(address)}. Ctrl-C ends all."),
            )
        )
    return 0


@spread.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(address: str, as_json: bool) -> int:
    """Which workers a scheduler has, and whether they are of this command's make."""
    from labs.spread.cluster import connect

    with connect(address) as workers:
        there = workers.there()
    if as_json:
        terminal.emit_json({"scheduler": address, "workers": [vars(worker) for worker in there]})
    else:
        terminal.table(
            f"Workers of {address}", ["Worker", "Threads (n)"], [(worker.address, worker.threads) for worker in there]
        )
        terminal.say("All have the same Python, Dask and code as this command.")
    return 0
