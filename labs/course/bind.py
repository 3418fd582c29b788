"""Bind the book: one Sphinx build through Jupyter Book's configuration, in a process of its own (`python -m labs.course.bind TASK`).

Sphinx keeps global state and imports a great deal; as a child it can be stopped at any moment and leaves nothing behind.
"""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from labs.course import stamp, workers
from labs.course.layout import Layout
from labs.errors import FALSE, Refusal


@dataclass(frozen=True)
class Binding:
    """What to build: `out` gets `html/` and `doctrees/`; labs are shown with the results in `cache`, or as text without it."""

    out: Path
    cache: Path | None
    strict: bool

    @property
    def html(self) -> Path:
        """Where the pages go."""
        return self.out / "html"


def bind(layout: Layout, binding: Binding) -> None:
    """Build; unchanged pages are left alone. With `strict`, a warning fails the build. Raises Refusal."""
    note = binding.out / "machinery.json"
    machinery = stamp.machinery(layout)
    fresh = stamp.read(note).get("machinery") != machinery
    note.unlink(missing_ok=True)  # an interrupted build leaves no claim behind
    task = {
        "book": str(layout.book),
        "out": str(binding.out),
        "cache": str(binding.cache) if binding.cache else None,
        "strict": binding.strict,
        "fresh": fresh,
    }
    try:
        with closing(workers.run("labs.course.bind", task, layout.root)) as events:
            for _ in events:
                pass
    except workers.WorkerError as failed:
        raise Refusal(
            "The book was not built: see the warnings above. Each names its page and line.", FALSE
        ) from failed
    stamp.write(note, machinery=machinery)


def _build(task: dict[str, Any]) -> int:
    workers.skip_uri_grammars()
    from jupyter_book.sphinx import build_sphinx
    from myst_nb.core.execute import cache

    # The labs have been run before, on a cloud of their own; Sphinx only looks their results up. It must never run one itself.
    setattr(cache, "single_nb_execution", _changed_meanwhile)  # noqa: B010 - it is not theirs to export
    book, out = Path(task["book"]), Path(task["out"])
    settings: dict[str, Any] = {
        "nitpicky": True,
        "external_toc_path": str(book / "_toc.yml"),
        "latex_individualpages": False,
        "nb_execution_mode": "cache" if task["cache"] else "off",
    }
    if task["cache"]:
        settings["nb_execution_cache_path"] = task["cache"]
    status = build_sphinx(
        str(book),
        str(out / "html"),
        path_config=str(book / "_config.yml"),
        noconfig=True,
        confoverrides=settings,
        doctreedir=str(out / "doctrees"),
        freshenv=task["fresh"],
        force_all=task["fresh"],
        quiet=True,
        warningiserror=task["strict"],
        keep_going=True,
    )
    # Jupyter Book returns an exception instead of raising it, after it has printed it.
    return status if isinstance(status, int) else 2


class ChangedWhileTheBookWasBuilt(Exception):  # noqa: N818 - MyST-NB prints the name in its warning
    """A lab was saved after it was run and before it was read."""


def _changed_meanwhile(notebook: Any, **_: Any) -> SimpleNamespace:
    """Stands in for MyST-NB's executor and answers as it does when a lab fails."""
    return SimpleNamespace(
        nb=notebook, time=0.0, err=ChangedWhileTheBookWasBuilt(), exc_string="Build the book again.\n"
    )


if __name__ == "__main__":
    sys.exit(_build(workers.task()))
