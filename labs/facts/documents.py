"""YAML documents that know their lines, so that a wrong entry is reported as file, line and reason.

document = read(path)
fact = document.validate(Fact, document.data["facts"]["x.y"], ("facts", "x.y"))
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from labs.errors import FALSE, Refusal

try:  # the C parser is ten times faster; a browser has only the other one
    from yaml import CSafeLoader as _Loader
except ImportError:  # pragma: no cover - depends on how PyYAML was built
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]


class BadDocument(Refusal):
    """A data file does not say what it must; the message gives file, line and reason."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{shown(path)}:{line}: {reason}", FALSE)
        self.path, self.line, self.reason = path, line, reason


def shown(path: Path) -> str:
    """The path as a reader of the message would type it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass
class Document:
    """Parsed data and, for every place in it, the line it stands on."""

    path: Path
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it that stands in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def wrong(self, place: Place, reason: str) -> BadDocument:
        """The refusal that names this file, the line of `place`, and the reason."""
        return BadDocument(self.path, self.line(place), reason)

    def validate(self, model: type[Model], data: Any, place: Place) -> Model:
        """`data`, which stands at `place`, as a `model`; BadDocument naming the first thing wrong with it."""
        try:
            return model.model_validate(data)
        except ValidationError as invalid:
            first = invalid.errors(include_url=False)[0]
            inner = tuple(part for part in first["loc"] if isinstance(part, str | int))
            name = ".".join(str(part) for part in inner)
            where = ".".join(str(part) for part in place)
            reason = first["msg"].removeprefix("Value error, ")
            said = f"{where}: {name}: {reason}" if name else f"{where}: {reason}"
            raise self.wrong(self._nearest(place, inner), said) from None

    def _nearest(self, place: Place, inner: Place) -> Place:
        """Where `inner` stands; a union's own labels in a location are skipped."""
        at = place
        for part in inner:
            if (*at, part) in self.lines:
                at = (*at, part)
        return at


def read(path: Path) -> Document:
    """Parse one YAML file; a syntax error, a key used twice or a file that is not a mapping is a BadDocument."""
    document = Document(path)
    loader = _Loader(path.read_text(encoding="utf-8"))
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise BadDocument(path, 1, "the file must be a mapping of names to values")
        document.data = _plain(node, (), document, loader)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        reason = " ".join(part for part in (broken.problem, broken.context) if part)
        raise BadDocument(path, mark.line + 1 if mark else 1, f"not YAML: {reason}") from None
    finally:
        loader.dispose()
    return document


def _plain(node: yaml.Node, place: Place, document: Document, loader: Any) -> Any:
    document.lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str | int):
                raise BadDocument(
                    document.path, key_node.start_mark.line + 1, f"'{key}' cannot be a name; put it in quotes"
                )
            if key in mapping:
                first = document.lines[(*place, key)]
                raise BadDocument(
                    document.path, key_node.start_mark.line + 1, f"'{key}' stands here twice (first on line {first})"
                )
            mapping[key] = _plain(value_node, (*place, key), document, loader)
            document.lines[(*place, key)] = key_node.start_mark.line + 1
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*place, index), document, loader) for index, item in enumerate(node.value)]
    try:
        return loader.construct_object(node, deep=True)
    except ValueError as impossible:
        raise BadDocument(document.path, node.start_mark.line + 1, f"'{node.value}': {impossible}") from None
