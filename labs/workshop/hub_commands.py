"""`lab hub-link`: the address that brings a room the labs.

lab hub-link https://git.example.org/course --hub https://hub.example.org --branch students --open 06-squid.ipynb
"""

import click

from labs import terminal
from labs.errors import USAGE, Refusal
from labs.workshop import hubs


@click.command("hub-link")
@click.argument("repo")
@click.option("--hub", help="Address of the JupyterHub.")
@click.option("--binder", metavar="OWNER/NAME[@REF]", help="Instead of a hub: Binder, with the environment of this repository on GitHub.")  # fmt: skip
@click.option("--binder-at", default="https://mybinder.org", show_default=True, help="Address of the Binder.")
@click.option("--branch", default="", help="The students' branch; without it, the repository's own default.")
@click.option("--open", "open_path", default="", help="What to open, inside the repository: 06-squid.ipynb.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def hub_link(
    repo: str, hub: str | None, binder: str | None, binder_at: str, branch: str, open_path: str, as_json: bool
) -> None:
    """A link by which a hub, or Binder, fetches REPO with nbgitpuller and opens a lab.

    REPO and its branch must be readable without a password, since each student's server fetches it. Give it a branch without solutions: `make
    notebooks` writes those copies. Nothing is looked up: try the link yourself before you hand it out.
    """
    if bool(hub) == bool(binder):
        raise Refusal("name a hub with --hub, or an environment for Binder with --binder", USAGE)
    content = hubs.Content(repo, branch, open_path)
    if hub:
        link = hubs.hub_link(hub, content)
    else:
        name, mark, ref = str(binder).partition("@")
        link = hubs.binder_link(binder_at, name, ref if mark else "HEAD", content)
    if as_json:
        terminal.emit_json({"link": link, "folder": content.folder})
        return
    click.echo(link)
