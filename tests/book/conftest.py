"""The book's extensions on the import path, and a book in miniature that uses each of them."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "book" / "_ext")]

from mini_book import Built, build  # noqa: E402 - once the path is set


@pytest.fixture
def build_book(tmp_path: Path) -> Callable[..., Built]:
    """Builds a book of the test's own pages."""
    return lambda pages, **settings: build(tmp_path, pages, **settings)


LESSON = """---
description: A lesson that "quotes" & more.
minutes: {read: 20, lab: 45, quiz: 8}
questions: ["Why `429` & not 503?", "Who gave up?"]
objectives: ["Nest the *time-outs*."]
---
# Every box

{bedrock}`Amazon Bedrock`, {sagemaker}`SageMaker AI` or {own}`own stack`?

```{exam-answer}
Lower `max_tokens`.
```

```{engineering-answer} and then measure
The same.
```

```{flip}
Long answers.
```

```{try-it}
Do it.
```

```{cost}
Nothing.
```

```{key-points}
- One.
```

## A picture

```{diagram}
:title: Where a request waits
:desc: A caller, a queue, and a model behind it.
caller -> queue: job
queue -> model
model: Amazon Bedrock {class: bedrock}
endpoint: SageMaker AI {class: sagemaker}
own: Own stack {class: own}
```

```{diagram}
:title: The same picture again
:alt: Told once more.
caller -> queue: job
```

## A table and code

| | |
|---|---|
| one | two |

| Head | Other |
|---|---|
| one | two |

| | Corner |
|---|---|
| one | two |

```python
print(1)
```

![A picture](dot.png)
"""

LAB = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: python3, display_name: Python, language: python}
description: A lab.
---
# A lab

Read this.

```{code-cell} ipython3
:tags: [hide-input]
1 + 1
```

```{code-cell} ipython3
:tags: [solution]
"the solution"
```

```{code-cell} ipython3
:tags: [book-only]
"only in the book"
```
"""


@pytest.fixture(scope="session")
def mini_book(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A book with a lesson that uses everything, a lab, and a plain page; built once for all tests."""
    folder: Path = tmp_path_factory.mktemp("mini-book")
    (folder / "source").mkdir()
    (folder / "source" / "dot.png").write_bytes(bytes.fromhex("89504e470d0a1a0a"))
    return build(
        folder, {"lesson": LESSON, "labs/01-lab": LAB, "plain": "---\ndescription: Plain.\n---\n# Plain\n\nText.\n"}
    )
