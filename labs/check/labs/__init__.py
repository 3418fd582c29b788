"""The labs that can be graded: one module each with a `LAB`, named after its lab: `06-squid` is graded by `squid_06`.

`00-small` is not in the course; it is what grading is measured with.
"""

import re
from importlib import import_module
from pkgutil import iter_modules

from labs.check.model import Lab
from labs.errors import USAGE, Refusal


def known() -> dict[str, str]:
    """Slug: module of this package."""
    parts = [re.fullmatch(r"(\w+)_(\d\d)", module.name) for module in iter_modules(__path__)]
    found = {f"{part[2]}-{part[1].replace('_', '-')}": part[0] for part in parts if part is not None}
    return dict(sorted(found.items()))


def load(slug: str) -> Lab:
    """The checks of a lab, by its slug or by the beginning of it. Raises Refusal when there is none, or several."""
    modules = known()
    fits = [slug] if slug in modules else [each for each in modules if slug and each.startswith(slug)]
    if len(fits) != 1:
        raise Refusal(f"there are no checks for a lab '{slug}'; there are some for {', '.join(modules)}", USAGE)
    lab: Lab = import_module(f"{__name__}.{modules[fits[0]]}").LAB
    return lab
