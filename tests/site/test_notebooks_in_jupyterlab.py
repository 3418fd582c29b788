"""Each lab in JupyterLab, as a learner has it: every cell run, with the solutions in, and its widgets turned with the keyboard.

One JupyterLab and one window for all, and a new cloud for each. `make soak` takes them: most of their time is a lab's own waiting.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jupytext
import nbformat
import pytest

from labs.check.student import NOTEBOOKS
from labs.cloud import environment, server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LABS = sorted(path.stem for path in NOTEBOOKS.glob("*.md"))
RENDER_ALL = json.dumps({"windowingMode": "none"})

pytestmark = pytest.mark.timeout(400)

RUN = """async path => {
    const {commands, shell} = window.jupyterapp;
    const panel = await commands.execute('docmanager:open', {path, factory: 'Notebook'});
    await panel.context.ready;
    await panel.sessionContext.ready;
    shell.activateById(panel.id);
    await commands.execute('notebook:run-all-cells');
}"""

OUTCOME = """() => {
    const cells = [...window.jupyterapp.shell.currentWidget.content.widgets].filter(cell => cell.model.type === 'code');
    const outputs = cells.flatMap(cell => cell.model.outputs.toJSON());
    return {
        cells: cells.length,
        run: cells.filter(cell => cell.model.executionCount).length,
        errors: outputs.filter(each => each.output_type === 'error').map(each => `${each.ename}: ${each.evalue}`),
        widgets: outputs.filter(each => each.data && 'application/vnd.jupyter.widget-view+json' in each.data).length,
    };
}"""


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs."""

    url: str
    folder: Path
    home: Path
    """the cloud's"""
    port: int

    def new_cloud(self, slug: str) -> None:
        """A new cloud at the old address, in which waits pass as fast as they do where the book is built."""
        server.stop(self.home)
        text = (NOTEBOOKS / f"{slug}.md").read_text("utf-8")
        said: Any = jupytext.reads(text, fmt="md:myst").metadata.get("time_scale", server.DEFAULT_TIME_SCALE)
        server.start(self.home, port=self.port, time_scale=float(said), die_with_parent=True)


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with the course's kernel, in front of a cloud of its own; nothing of this user's Jupyter is read or written."""
    home, folder = tmp_path_factory.mktemp("cloud"), tmp_path_factory.mktemp("notebooks")
    own = tmp_path_factory.mktemp("jupyter")
    tracker = own / "settings" / "@jupyterlab" / "notebook-extension"
    tracker.mkdir(parents=True)
    (tracker / "tracker.jupyterlab-settings").write_text(RENDER_ALL)
    record = server.start(home, port=0, die_with_parent=True)
    surroundings = {
        **environment.local_environment(record.endpoint_url, home=home),
        **{f"JUPYTER_{name}_DIR": str(own / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")},
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"),
        *("--IdentityProvider.token=", "--ServerApp.password=", f"--ServerApp.root_dir={folder}"),
        *(
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.news_url=",
        ),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = own / "log"
    with log.open("w") as said:
        process = subprocess.Popen(command, env={**os.environ, **surroundings}, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + 120
        while not (found := [*(own / "runtime").glob("jpserver-*.json")]):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        port = urlsplit(record.endpoint_url).port or 0
        yield Lab(json.loads(found[0].read_text())["url"], folder, home, port)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        server.stop(home)


@pytest.fixture(scope="module")
def page(browser: "Browser", jupyterlab: Lab) -> "Page":
    """JupyterLab's window, ready."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(120_000)
    opened.goto(f"{jupyterlab.url}lab")
    opened.wait_for_function("window.jupyterapp && window.jupyterapp.restored")
    opened.evaluate("window.jupyterapp.restored")
    return opened


def solved(slug: str, folder: Path) -> str:
    """The lab with its solutions, without its clean-up, as a notebook in this folder."""
    read: Any = jupytext.reads((NOTEBOOKS / f"{slug}.md").read_text("utf-8"), fmt="md:myst")
    read.cells = [cell for cell in read.cells if "clean-up" not in cell.metadata.get("tags", [])]
    nbformat.write(read, folder / f"{slug}.ipynb")
    return f"{slug}.ipynb"


SAID = """before => JSON.stringify(
    [...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .widget-html-content')].map(it => it.textContent)
) !== before"""


def turn(page: "Page") -> int:
    """Turn every slider and every list of choices that is shown, until what the widgets say is another; how many were turned.

    Not every knob changes the answer: at two loads the same machine may be the better one.
    """
    shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    before = json.dumps(
        shown.locator(".widget-html-content").all_text_contents(), separators=(",", ":"), ensure_ascii=False
    )
    knobs = shown.locator(".widget-slider .noUi-handle, .widget-dropdown select").all()
    for knob in knobs:
        knob.scroll_into_view_if_needed()
        if knob.evaluate("it => it.tagName") == "SELECT":
            knob.select_option(index=1 if knob.evaluate("it => it.selectedIndex") == 0 else 0)
        else:
            at_its_end = knob.evaluate("it => Number(it.ariaValueNow) >= Number(it.ariaValueMax)")
            knob.press("ArrowLeft" if at_its_end else "ArrowRight")
    page.wait_for_function(SAID, arg=before, timeout=60_000)
    return len(knobs)


@pytest.mark.soak
@pytest.mark.parametrize("slug", LABS)
def test_a_lab_runs_in_jupyterlab_and_its_widgets_turn(slug: str, page: "Page", jupyterlab: Lab) -> None:
    jupyterlab.new_cloud(slug)
    page.evaluate(RUN, solved(slug, jupyterlab.folder))
    outcome = page.evaluate(OUTCOME)
    assert outcome["errors"] == []
    assert outcome["run"] == outcome["cells"] > 0
    if outcome["widgets"]:
        assert turn(page) >= outcome["widgets"]
        assert page.evaluate(OUTCOME)["errors"] == []
    page.evaluate("""async () => {
        const panel = window.jupyterapp.shell.currentWidget;
        await panel.sessionContext.shutdown();
        panel.context.model.dirty = false;
        panel.close();
    }""")
