"""A target whose resources are one CloudFormation stack: checked first, created whole or not at all, found again by its outputs.

    @dataclass(frozen=True)
    class SageMakerGpu(Stacked):
        name = "sagemaker-gpu"                                   # and so templates/sagemaker-gpu.yaml, sheets/sagemaker-gpu.md
        kinds = frozenset({Kind.ONLINE, Kind.STREAMING})
        instance_type: str = option("ml.g5.2xlarge", "The endpoint's instances.")

        def parameters(self, site: Site) -> dict[str, str]: ...  # the template's parameters, from options and register
        def statements(self, site: Site) -> list[dict[str, Any]]: ...
        def worst_case(self, site: Site) -> Bill: ...
        def check(self, site: Site) -> None: ...

The template gives `Address` (the JSON of `labs.targets.calling.Address`) and `TargetName` among its outputs; `InstanceType` where it
has instances. Defaults that age come in as parameters; the template holds none.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from labs.economics.bill import Bill
from labs.errors import FALSE, Refusal
from labs.targets import asking, guard, stacks
from labs.targets.base import Address, Kind, Site

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
SHEETS = HERE / "sheets"


class Stacked(ABC):
    """See the module's docstring."""

    name: str
    kinds: frozenset[Kind]
    template_name: str = ""
    """Of the file in templates/, where several targets share one; otherwise the target's own name."""

    @abstractmethod
    def worst_case(self, site: Site) -> Bill:
        """As `Target.worst_case`."""

    @abstractmethod
    def parameters(self, site: Site) -> dict[str, str]:
        """What the template is given; an empty text leaves a thing out."""

    @abstractmethod
    def statements(self, site: Site) -> list[dict[str, Any]]:
        """As `Target.statements`."""

    @abstractmethod
    def check(self, site: Site) -> None:
        """As `Target.check`."""

    def template(self, site: Site) -> str:  # noqa: ARG002 - some fill in what no parameter can carry
        """The template's text."""
        return (TEMPLATES / f"{self.template_name or self.name}.yaml").read_text(encoding="utf-8")

    def sheet(self) -> str:
        """What real AWS needs, what it costs, what could not be tried: a page of Markdown."""
        return (SHEETS / f"{self.name}.md").read_text(encoding="utf-8")

    def deploy(self, site: Site) -> None:
        """Check, create, and ask for one token; what does not answer is removed again."""
        if (there := stacks.find(site.name)) is not None:
            raise Refusal(stacks.name_is_taken(site.name, there.status), FALSE)
        guard.require_admitted(site)
        self.check(site)
        stacks.create(
            site.cloud,
            site.name,
            self.template(site),
            self.parameters(site),
            hours=site.hours,
            target=self.name,
            tell=site.tell,
        )
        try:
            self.ready(site)
        except Refusal as silent:
            site.tell("it does not answer: removing it")
            left = stacks.delete(site.cloud, site.name, site.tell)
            rest = f"left behind: {', '.join(map(str, left))}" if left else "everything was removed"
            raise Refusal(f"'{site.name}' came up and did not answer: {silent}; {rest}", silent.exit_status) from silent

    def ready(self, site: Site) -> None:
        """Return when it answers; raises Refusal when it does not. Targets whose server starts after their stack is up wait here."""
        asking.ready(self, site)

    def address(self, site: Site) -> Address:
        """From the stack's outputs."""
        return Address.from_json(self.outputs(site)["Address"])

    def outputs(self, site: Site) -> dict[str, str]:
        """The outputs of the stack that stands at `site`. Raises Refusal when it is not there, is another target's, or is not up."""
        stack = stacks.find(site.name)
        if stack is None:
            named = f" --name {site.name}" if site.name != self.name else ""
            raise Refusal(
                f"{self.name} is not deployed as '{site.name}'; 'lab deploy {self.name}{named}' deploys it", FALSE
            )
        if not stack.status.endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")):
            raise Refusal(f"'{site.name}' is {stack.status}, so it does not answer; 'lab list' shows it", FALSE)
        if stack.outputs.get("TargetName") != self.name:
            other = stack.outputs.get("TargetName", "another stack")
            raise Refusal(f"'{site.name}' is {other}, not {self.name}", FALSE)
        return dict(stack.outputs)

    def describe(self, site: Site) -> dict[str, Any]:
        """What a measurement notes of it: its hardware, as far as the stack says."""
        outputs = self.outputs(site)
        found: dict[str, Any] = {}
        if outputs.get("InstanceType"):
            found["instance_type"] = outputs["InstanceType"]
        if outputs.get("Instances"):
            found["replicas"] = int(outputs["Instances"])
        return found

    def remove(self, site: Site) -> None:
        """Delete the stack, and look for each of its resources."""
        if left := stacks.delete(site.cloud, site.name, site.tell):
            raise Refusal(
                f"left of '{site.name}': {', '.join(map(str, left))}; run 'lab teardown {site.name}' again in a minute",
                FALSE,
            )
