"""`make prose`: figures that should come from the register, reading levels, and the list of addresses that pages link to.

With --quiet, as in `make lint`, only the figures.
"""

import sys
from collections import Counter

from proofreading import figures, pages, reading


def main() -> int:
    """Print the report; 1 if a figure of the register stands bare in a sentence."""
    found: list[figures.Finding] = []
    addresses = Counter[str]()
    report = [f"{'page':34} {'words':>6} {'a sentence':>11} {'grade':>6}"]
    for path in pages.all_pages():
        name = path.relative_to(pages.BOOK).as_posix()
        text = path.read_text("utf-8")
        level = reading.level(text)
        report.append(f"{name:34} {level.words:6} {level.words_per_sentence:11.1f} {level.grade:6.1f}")
        found += figures.check(path, name)
        addresses.update(address for _, address in pages.links(text) if address.startswith("http"))
    report += [
        "",
        f"{len(addresses)} addresses outside the book:",
        *(f"  {address}" for address in sorted(addresses)),
        "",
    ]
    if "--quiet" not in sys.argv[1:]:
        print("\n".join(report))
    for finding in found:
        print(finding)
    print(f"{len(found)} bare figures.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
