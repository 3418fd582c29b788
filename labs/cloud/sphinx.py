"""The directives {cloud-coverage} and {cloud-types}: what the local cloud answers, read from the code when the book is built.

```{cloud-coverage}
```

```{cloud-types}
```
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

FOLDER = Path(__file__).parent


class FromCloud(SphinxDirective):
    """Something that is read from the code, so that a page with it is built again when the code changes."""

    def note_code(self, *folders: str) -> None:
        for folder in folders:
            for path in (FOLDER / folder).rglob("*.py"):
                self.env.note_dependency(str(path))


class CoverageTables(FromCloud):
    """A table of counts, then every operation by service and by who answers it."""

    def run(self) -> list[nodes.Node]:
        self.note_code("services")
        found = covered()
        counts = [(each["service"], *(str(len(each[mode])) for mode in ("ours", "moto", "refused"))) for each in found]
        shown: list[nodes.Node] = [table(("Service", "Ours", "moto's", "Refused"), counts, ("cloud-coverage",))]
        for each in found:
            shown.append(nodes.rubric("", each["service"]))
            for mode, title in (
                ("ours", "Ours"),
                ("moto", "moto's"),
                ("refused", "Refused"),
                ("changed", "Changed in moto"),
            ):
                if each[mode]:
                    shown.append(listing(title, each[mode]))
        return shown


class TypesTable(FromCloud):
    """The resource types that CloudFormation makes here: what they can be asked for, and which properties of AWS's they do not take."""

    def run(self) -> list[nodes.Node]:
        self.note_code("stacks")
        from labs.cloud.stacks.schema import schema_of
        from labs.cloud.stacks.types import all_types

        rows = []
        for name, kind in sorted(all_types().items()):
            lacking = sorted(schema_of(name).settable - kind.properties)
            rows.append((name, ", ".join(sorted(kind.attributes)), ", ".join(lacking)))
        return [table(("Type", "Fn::GetAtt", "Properties of AWS's that are refused here"), rows, ("cloud-types",))]


@cache
def covered() -> list[dict[str, Any]]:
    """Asked of another process: looking takes all of moto into memory."""
    command = [sys.executable, "-m", "labs.cloud.coverage", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], classes: tuple[str, ...]) -> nodes.table:
    made = nodes.table(classes=list(classes))
    group = nodes.tgroup(cols=len(head))
    made += group
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", line(head))
    group += nodes.tbody("", *(line(row) for row in rows))
    return made


def line(cells: tuple[str, ...]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", cell)) for cell in cells))


def listing(title: str, names: list[str]) -> nodes.paragraph:
    head = nodes.strong("", f"{title} ({len(names)}): ")
    return nodes.paragraph("", "", head, nodes.Text(", ".join(names) + "."))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx's entry point."""
    app.add_directive("cloud-coverage", CoverageTables)
    app.add_directive("cloud-types", TypesTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
