"""A small course in a folder of its own: the real book's machinery, two short pages, one short lab."""

import shutil
from pathlib import Path

from labs.course.layout import Layout

ROOT = Path(__file__).parents[3]

LESSON = """---
description: A lesson of the tests.
minutes: {read: 1}
---
# A lesson

Some text.
"""

LAB = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: deployment-dilemma, display_name: local cloud, language: python}
description: A lab of the tests.
---
# A lab

```{code-cell} ipython3
answer = 6 * 7
print("the answer is", answer)
with open("../runs.txt", "a") as runs:
    runs.write("run\\n")
```

```{code-cell} ipython3
import os

print(os.environ["AWS_ENDPOINT_URL"].rsplit(":", 1)[0])
```
"""


def make_course(root: Path, lab: str = LAB) -> Layout:
    """A checkout in miniature."""
    book = root / "book"
    for name in ("_ext", "_static", "_templates", "_assets"):
        shutil.copytree(ROOT / "book" / name, book / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "book" / "_config.yml", book)
    (book / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n  - file: 01-lesson\n  - file: labs/01-lab\n"
    )
    (book / "index.md").write_text(LESSON.replace("# A lesson", "# A course"))
    (book / "01-lesson.md").write_text(LESSON)
    (root / "notebooks").mkdir()
    (root / "notebooks" / "01-lab.md").write_text(lab)
    (book / "labs").write_text("../notebooks")  # what a link becomes where links are not kept
    (root / "constraints.txt").write_text("")
    return Layout(root)


def lab_of(*cells: str) -> str:
    """A lab with these code cells."""
    head = LAB[: LAB.index("```{code-cell}")]
    return head + "\n\n".join(f"```{{code-cell}} ipython3\n{cell}\n```" for cell in cells) + "\n"
