"""`lab serve`: the built book on this machine; with --room, book, kit and live pages for everybody on one network."""

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
from pathlib import Path

import click
from aiohttp import web
from rich.markup import escape

from labs import terminal
from labs.cloud import state
from labs.course import build, layout
from labs.course import commands as course_commands
from labs.course.server import DEFAULT_PORT, PORTS_TRIED
from labs.errors import NOT_READY, USAGE, Refusal
from labs.workshop import kit as kits
from labs.workshop import room


@click.command()
@course_commands.port_option
@click.option(
    "--room", "address", metavar="ADDRESS", help="Serve a workshop on this address of this machine, in numbers."
)
@click.option(
    "--exposed",
    is_flag=True,
    help="Also where anybody may come by: every network of this machine, or a public address.",
)
@click.option(
    "--kit",
    type=click.Path(path_type=Path, file_okay=False),
    help="The kit's folder (with --room); default kit/, if there is one.",
)
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Where the room keeps its state (with --room)."
)
@course_commands.json_option
@click.pass_context
def serve(
    context: click.Context,
    port: int | None,
    address: str | None,
    exposed: bool,
    kit: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Serve the built book on this machine until Ctrl-C; with --room, to a whole room."""
    if address is None:
        if exposed or kit is not None or folder is not None:
            raise Refusal(
                "--exposed, --kit and --folder go with --room ADDRESS; without it the book is served to this machine alone",
                USAGE,
            )
        context.invoke(course_commands.serve, port=port, as_json=as_json)
        return
    where = address_of(address, exposed)
    kit = _kit(kit)
    here = layout.find()
    sites = [here.site, *([kit / "site"] if kit else [])]  # whoever set up from a kit has the book there
    site = next((each for each in sites if each.is_dir()), None)
    listener = _listener(where, port)
    url = _url(where, listener.getsockname()[1])
    app = room.application(folder or state.home_folder() / "room", site, kit, url=url)
    if as_json:
        terminal.emit_json(
            {"url": url, "site": site, "kit": kit, "folder": app[room.ROOM].folder, "lines": app[room.LINES]}
        )
    else:
        _announce(app, where)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(app, listener))


def address_of(written: str, exposed: bool) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address to listen on. Raises Refusal for what is none, and for one where strangers come by unless that is meant."""
    try:
        found = ipaddress.ip_address(written.strip("[]"))
    except ValueError:
        raise Refusal(f"'{written}' is no address in numbers; this machine has {_own_addresses()}", USAGE) from None
    if found.is_unspecified and not exposed:
        raise Refusal(
            f"{found} means every network that this machine is in, the conference's as well as yours; name one address ({_own_addresses()}), "
            "or say --exposed if you mean it",
            USAGE,
        )
    if found.is_global and not exposed:
        raise Refusal(
            f"{found} is a public address: the whole internet could read along; say --exposed if you mean it", USAGE
        )
    return found


def _own_addresses() -> str:
    found = {"127.0.0.1"}
    with contextlib.suppress(OSError):
        found |= {str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for far in ("192.0.2.1", "10.255.255.255"):  # nothing is sent: the routing table is asked
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            found.add(probe.getsockname()[0])
    return ", ".join(sorted(found, key=lambda each: (each.startswith("127."), each)))


def _kit(named: Path | None) -> Path | None:
    here = layout.find().root
    kit = named or here / "kit"
    if (kit / kits.MANIFEST).is_file():
        try:
            kits.require_current(kits.read(kit), here / kits.CONSTRAINTS)
        except Refusal as old:
            terminal.err.print(f"The kit: {old}.", markup=False)
        return kit
    if named is not None:
        raise Refusal(f"{named} is no kit: it has no manifest.json; 'make kit' writes one", USAGE)
    return None


def _listener(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    for candidate in [port] if port is not None else [*range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED), 0]:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((str(address), candidate))
            listener.listen(128)
        except OSError as refused:
            listener.close()
            if refused.errno == errno.EADDRNOTAVAIL:
                raise Refusal(
                    f"{address} is not an address of this machine; it has {_own_addresses()}", USAGE
                ) from None
            if refused.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            continue
        return listener
    raise Refusal(
        f"port {port} is taken by another program or not yours to use; choose another with '--port N', or leave '--port' out",
        NOT_READY,
    )


def _url(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> str:
    shown = _own_addresses().partition(",")[0] if address.is_unspecified else str(address)
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"


def _announce(app: web.Application, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    here = app[room.ROOM]
    terminal.say(f"The room: [b]{here.url}[/b]  (Ctrl-C stops)")
    for line in app[room.LINES]:
        terminal.say(escape(line))
    shown = ["the front page", *(f"{panel.title[0].lower()}{panel.title[1:]}" for panel in app[room.PANELS])]
    who = (
        "this machine alone"
        if address.is_loopback
        else "whoever reaches this address, without a password and without encryption"
    )
    terminal.say(f"Open to {who}: {', '.join(shown)}.")
    terminal.say("Not open: the local cloud, notebooks, every other file; they stay with this machine.")
    if here.site is None:
        terminal.say("The book is missing: 'make book' builds it.")
    elif here.site == layout.find().site and not build.is_current(layout.find()):
        terminal.say(
            "The book is older than the sources here; 'make book' builds it anew, and this server then shows the new one."
        )
    if here.kit is None:
        terminal.say("The kit is missing: 'make kit' makes it.")
    terminal.say(f"Its state: {escape(str(here.folder))}")


async def _run(app: web.Application, listener: socket.socket) -> None:
    """Until Ctrl-C or an end from outside; whoever is being answered gets the answer."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=2.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await stop.wait()
    await runner.cleanup()
