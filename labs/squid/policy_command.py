"""`lab policy`: the least-privilege policy for whoever deploys, uses and removes a target, the queue, or the reaper; for the account's owner."""

import click

from labs import cloud, targets, terminal
from labs.squid import deploy as deployment
from labs.targets import permissions
from labs.targets.permissions import Deployable
from labs.targets.reaper import deploying


class Pattern:
    """What `permissions.policy` wants to know of the queue."""

    name = "squid"

    def template(self, site: object = None) -> str:  # noqa: ARG002 - as a target's
        """Its template's text."""
        return deployment.TEMPLATE.read_text(encoding="utf-8")


@click.command()
@click.argument("what", metavar="TARGET|squid|reaper")
@click.option("--name", help="Under which name it will be deployed; by default its own.")
@click.option(
    "--real", is_flag=True, help="For the account and Region of your own credentials; else for the local cloud's."
)
@click.option("--json", "as_json", is_flag=True, help="The policy alone, as IAM takes it.")
def policy(what: str, name: str | None, real: bool, as_json: bool) -> None:
    """The least-privilege policy for whoever deploys, calls and removes TARGET: for the account's owner to attach."""
    made = _made(what)
    where = cloud.connect(real=real)
    document = permissions.policy(made, where, deploying.NAME if what == deploying.Reaper.name else name)
    terminal.emit_json(document)
    if as_json:
        return
    notes = permissions.reasons(made)
    if what == Pattern.name:
        notes.append("The target behind the queue has a policy of its own: lab policy TARGET")
    if what != deploying.Reaper.name:
        notes.append("On AWS the reaper is deployed first: lab policy reaper")
    for note in notes:
        terminal.err.print(note, style="dim", markup=False)


def _made(what: str) -> Deployable:
    if what == Pattern.name:
        return Pattern()
    return deploying.Reaper() if what == deploying.Reaper.name else targets.get(what)()
