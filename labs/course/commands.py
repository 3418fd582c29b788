"""`lab serve`, and what stands behind `make course` and `make book`."""

import threading
import time
from dataclasses import asdict

import click

from labs import terminal
from labs.course import build, layout, server, site
from labs.course.execute import Step
from labs.course.layout import Layout
from labs.course.progress import Report, sentence
from labs.course.server import CourseServer, Desk, State
from labs.errors import FALSE, NOT_READY, USAGE, Refusal

port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Port on this machine; default 8000, or the next free one.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@port_option
@json_option
def serve(port: int | None, as_json: bool) -> None:
    """Serve the built book on this machine until Ctrl-C."""
    here = layout.find()
    if not here.site.is_dir():
        raise Refusal(
            "There is no built book yet; 'make course' builds and serves it, 'make book' only builds it.", NOT_READY
        )
    running = server.listen(Desk(site.load(here.site), folder=here.site), port)
    if as_json:
        terminal.emit_json({"url": running.url, "folder": str(here.site), "current": build.is_current(here)})
    else:
        terminal.say(f"The book: [b]{running.url}[/b]  (Ctrl-C stops)")
        if not build.is_current(here):
            terminal.say(
                "It is older than the sources here; 'make book' builds it anew, and this server then shows the new one."
            )
    _until_stopped(running)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@port_option
@click.pass_context
def course(context: click.Context, port: int | None) -> None:
    """Serve the book as soon as its text is built; run the labs behind it and fill their outputs in."""
    if context.invoked_subcommand is not None:
        return
    here = layout.find()
    if build.is_current(here):
        running = server.listen(Desk(site.load(here.site), folder=here.site), port)
        terminal.say(f"The book: [b]{running.url}[/b]  (nothing has changed; Ctrl-C stops)")
        _until_stopped(running)
        return
    desk = Desk(site.Site(), State(final=False, text="The text is being built."))
    running = server.listen(desk, port)  # first, so that a port that is taken is known before anything is built
    terminal.say("Building the text ...")
    pages = build.text(here, on_wait=_say_waiting)
    desk.shown_now(site.load(pages))
    running.start()
    terminal.say(f"The book: [b]{running.url}[/b]  (Ctrl-C stops)")
    try:
        _fill_in(here, desk)
    except Refusal as refusal:
        desk.settle("The labs' outputs are missing: the terminal says why.")
        terminal.err.print(f"[bold red]course:[/] {refusal}")
        _until_stopped(running, "The text stays up without the outputs. Ctrl-C stops.")
        raise Refusal("The labs' outputs are missing, for the reason above.", refusal.exit_status) from refusal
    _until_stopped(running, "The labs have run and their outputs are in; reload what you have open. Ctrl-C stops.")


def _fill_in(here: Layout, desk: Desk) -> None:
    with Report() as report:

        def step(step: Step) -> None:
            desk.say(f"The labs behind this page are running. {step.lab}: {sentence(step)}.")
            report(step)

        desk.say("The labs behind this page are about to run.")
        build.site(here, step, _say_waiting)
    desk.swap(site.load(here.site), "The labs have run: their outputs are in.")


@course.command("build")
@click.option("--text", "text_only", is_flag=True, help="Only the text, without running a lab; into _build/text/html.")
@json_option
def build_command(text_only: bool, as_json: bool) -> None:
    """Run the labs and build the whole book, warnings as errors, into _build/html."""
    here, started, steps = layout.find(), time.monotonic(), {}
    if text_only:
        folder, anything = build.text(here, _say_waiting), True
    else:
        with Report() as report:

            def step(step: Step) -> None:
                steps[step.lab] = step
                report(step)

            folder, anything = here.site, build.site(here, step, _say_waiting)
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        labs = [asdict(one) for one in steps.values()]
        terminal.emit_json({"folder": str(folder), "changed": anything, "seconds": seconds, "labs": labs})
    else:
        shown = folder.relative_to(here.root)
        terminal.say(
            f"The book is in {shown} ({seconds} s)." if anything else f"Nothing has changed; the book is in {shown}."
        )


@course.command("pdf")
@json_option
def pdf_command(as_json: bool) -> None:
    """Print the built book into one PDF, _build/deployment-dilemma.pdf, with Chromium."""
    from labs.course import pdf

    here = layout.find()
    if not here.site.is_dir():
        raise Refusal("There is no built book yet; 'make book' builds it.", NOT_READY)
    to = here.build / "deployment-dilemma.pdf"
    sheets = pdf.write(here.site, here.book / "_toc.yml", to, lambda name: terminal.err.print(f"printing {name}"))
    if as_json:
        terminal.emit_json({"file": str(to), "pages": sheets, "current": build.is_current(here)})
    else:
        terminal.say(f"{to.relative_to(here.root)}: {sheets} pages, {to.stat().st_size / 1e6:.1f} MB.")


@course.command("lighthouse")
@click.argument("pages", nargs=-1)
@click.option("--runs", type=click.IntRange(1, 9), default=3, show_default=True, help="Visits, whose median counts.")
@json_option
def lighthouse_command(pages: tuple[str, ...], runs: int, as_json: bool) -> int:
    """Visit PAGES of the built site with Lighthouse (needs Node and Chromium): scores, bytes and times beside the bars."""
    from labs.course import lighthouse

    here = layout.find()
    if not here.site.is_dir():
        raise Refusal("There is no built book yet; 'make book' builds it.", NOT_READY)
    chosen = [page.removesuffix(".html") for page in pages] or list(lighthouse.PAGES)
    if unknown := [page for page in chosen if not (here.site / f"{page}.html").is_file()]:
        raise Refusal(f"The site has no page {unknown[0]!r}; a page is named like 'labs/06-squid'.", USAGE)
    running = server.listen(Desk(site.load(here.site)), 0)
    running.start()
    seen = []
    try:
        for visit in lighthouse.visit(running.url, chosen, lighthouse.DEVICES, runs):
            seen.append(visit)
            terminal.err.print(f"{visit.page}, {visit.device}: {visit.performance}")
    finally:
        running.shutdown()
        running.server_close()
    short = {(visit.page, visit.device): bars for visit in seen if (bars := visit.short_of())}
    if as_json:
        terminal.emit_json([{**asdict(visit), "short_of": visit.short_of()} for visit in seen])
    else:
        columns = ("page", "device", "perf", "a11y", "best", "SEO", "(kB)", "asked", "LCP (s)", "CLS", "TBT (ms)")
        rows = [tuple(asdict(visit).values()) for visit in seen]
        terminal.table(f"Lighthouse, median of {runs}", columns, rows)
        for (page, device), bars in short.items():
            terminal.say(f"{page} on a {device} is short of the bar in: {', '.join(bars)}.")
        terminal.say("All bars are met." if not short else "A busy machine lowers the performance score, nothing else.")
    return FALSE if short else 0


def _say_waiting() -> None:
    terminal.err.print("Another build is running in this checkout; waiting for it.")


def _until_stopped(running: CourseServer, sentence: str = "") -> None:
    """Serve until Ctrl-C; whoever reads the sentence may press it at once."""
    try:
        running.start()
        if sentence:
            terminal.say(sentence)
        threading.Event().wait()
    except KeyboardInterrupt:
        terminal.say("")
    finally:
        running.shutdown()
        running.server_close()
