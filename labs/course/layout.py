"""Where the course's parts lie in a checkout, and where what is built from them goes.

here = layout.find()
here.site          # .../_build/html, what `make book` leaves
"""

import os
from dataclasses import dataclass
from pathlib import Path

import labs
from labs.errors import NOT_READY, Refusal


@dataclass(frozen=True)
class Layout:
    """The folders of one checkout; everything built lies under `build`."""

    root: Path

    @property
    def book(self) -> Path:
        """The lessons, with the configuration and the extensions."""
        return self.root / "book"

    @property
    def notebooks(self) -> Path:
        """The labs' sources; the book shows them as `labs/`."""
        return self.root / "notebooks"

    @property
    def build(self) -> Path:
        """What may be deleted at any time."""
        return self.root / "_build"

    @property
    def site(self) -> Path:
        """The finished site."""
        return self.build / "html"

    @property
    def text(self) -> Path:
        """Where the book is built without its labs' outputs."""
        return self.build / "text"

    @property
    def full(self) -> Path:
        """Where the book is built with them, before it is published to `site`."""
        return self.build / "full"

    @property
    def stamp(self) -> Path:
        """What the finished site was built from."""
        return self.build / "site.json"

    def labs(self) -> list[Path]:
        """The labs' sources, in order."""
        return sorted(self.notebooks.glob("*.md"))

    def show_labs(self) -> None:
        """See to it that the book finds the labs as its folder `labs`: a link, made here, since not every copy of a checkout keeps links."""
        link = self.book / "labs"
        if not link.is_dir():
            draft = self.book / f".labs.{os.getpid()}"
            draft.symlink_to(os.path.relpath(self.notebooks, self.book))
            draft.replace(link)


def find() -> Layout:
    """The checkout in the current folder, else the one that this package was imported from. Raises Refusal if there is neither."""
    for root in (Path.cwd(), Path(labs.__file__).resolve().parent.parent):
        if (root / "book" / "_config.yml").exists():
            return Layout(root)
    raise Refusal("The book's sources are not here; run this in a clone of the course.", NOT_READY)
