"""The few boxes of a lesson, each kind meaning one thing, and the tags of the three families.

```{exam-answer}
Throttled while usage looks low: reduce `max_tokens`.
```

{bedrock}`Amazon Bedrock`, {sagemaker}`SageMaker AI` or {own}`own stack`?
"""

from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

BOXES = {
    "exam-answer": "Exam answer",
    "engineering-answer": "Engineering answer",
    "flip": "What would flip this",
    "try-it": "Try it",
    "cost": "What it costs",
    "key-points": "Key points",
}
"""directive: what stands on the box"""

FAMILIES = ("bedrock", "sagemaker", "own")
"""The three families of deployment targets; tokens.css has a colour for each, look.css a shape and a letter."""


class Box(SphinxDirective):
    """A box of one kind. An argument, if there is one, is said after the kind's name."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """An admonition whose class is the kind."""
        self.assert_has_content()
        label = BOXES[self.name]
        text = f"{label}: {self.arguments[0]}" if self.arguments else label
        inlined, messages = self.state.inline_text(text, self.lineno)
        box = nodes.admonition("", nodes.title(text, "", *inlined), *messages, classes=["box", self.name])
        self.set_source_info(box)
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box]


class Family(SphinxRole):
    """The name of a target or of its family, with the family's colour, shape and letter."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """A span that the stylesheet marks."""
        return [nodes.inline(self.rawtext, self.text, classes=["family", self.name])], []


def setup(app: Sphinx) -> None:
    """Register the directives and roles."""
    for name in BOXES:
        app.add_directive(name, Box)
    for name in FAMILIES:
        app.add_role(name, Family())
