"""A sweep: `lab simulate` at every combination of values in a file, here or shared out, each point once.

    model: llama-3.1-8b                     # a value holds for every point
    hardware: [ml.g5.2xlarge, ml.g6.2xlarge]    # lists are combined with each other
    rate: [1, 2, 5]

The names are the command's own options. A file may also be a list of such mappings, one after the other.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from labs.errors import NOT_READY, USAGE, Refusal

SCHEMA = "deployment-dilemma/sweep/1"
MOST_POINTS = 100_000
FILES = ("trace", "model_file", "hardware_file")
"""Options that name a file: its contents travel to whoever runs a point."""
Given = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """One run of a sweep."""

    given: Given
    """what the file says for it: option (with dashes) → value"""
    arguments: tuple[str, ...]
    """the command line that it is the same as; a file's name stands for its contents"""

    @property
    def key(self) -> str:
        """The same for the same run."""
        return hashlib.sha256("\0".join(self.arguments).encode()).hexdigest()[:16]


def points(path: Path, command: click.Command, base: Given) -> list[Point]:
    """Every point of a sweep file. `base` is what the command line says for all of them.

    Raises Refusal (wrong usage) for a file that is none, and for an option or a value that the command does not take.
    """
    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as failed:
        raise Refusal(
            f"the sweep {path} cannot be read: {getattr(failed, 'strerror', None) or 'it is no text'}", USAGE
        ) from None
    except yaml.YAMLError as wrong:
        raise Refusal(
            f"the sweep {path} is neither YAML nor JSON: {' '.join(str(wrong).split())[:200]}", USAGE
        ) from None
    blocks = said if isinstance(said, list) else [said]
    if not blocks or not all(isinstance(block, dict) and block for block in blocks):
        raise Refusal(
            f"the sweep {path} says nothing to vary; write options with lists of values, 'rate: [1, 2, 5]'", USAGE
        )
    known = {_name(param): param for param in command.params if isinstance(param, click.Option)}
    found: dict[str, Point] = {}
    for block in blocks:
        for given in _combined(block, path, known, base):
            point = Point(given, _arguments(base | given, known))
            found.setdefault(point.key, point)
    for point in found.values():
        _parsed(command, point, path)
    return [*found.values()]


def _combined(block: Mapping[Any, Any], path: Path, known: Mapping[str, click.Option], base: Given) -> Iterator[Given]:
    names = {str(name).replace("_", "-").removeprefix("--"): values for name, values in block.items()}
    for name in names:
        if name not in known:
            raise Refusal(f"the sweep {path} varies '{name}', and lab simulate has no --{name}", USAGE)
        if name in base:
            raise Refusal(f"--{name} stands on the command line and in {path}; say it once", USAGE)
    lists = {name: values if isinstance(values, list) else [values] for name, values in names.items()}
    count = 1
    for name, values in lists.items():
        if not values or any(value is None or isinstance(value, list | dict) for value in values):
            raise Refusal(f"the sweep {path} has no plain values for '{name}'", USAGE)
        count *= len(values)
    if count > MOST_POINTS:
        raise Refusal(f"the sweep {path} has {count:,} points, and {MOST_POINTS:,} are the most", USAGE)
    for combination in itertools.product(*lists.values()):
        yield dict(zip(lists, combination, strict=True))


def _name(param: click.Option) -> str:
    return max(param.opts, key=len).removeprefix("--")


def _arguments(given: Given, known: Mapping[str, click.Option]) -> tuple[str, ...]:
    found: list[str] = []
    for name, value in sorted(given.items()):
        if known[name].is_flag:
            found += [f"--{name}"] if value else []
        else:
            found += [f"--{name}", str(value)]
    return tuple(found)


def _parsed(command: click.Command, point: Point, path: Path | None = None) -> dict[str, Any]:
    """The options as the command reads them. Raises Refusal."""
    try:
        return command.make_context("lab simulate", [*point.arguments]).params
    except click.ClickException as wrong:
        where = f"the sweep {path}: " if path else ""
        raise Refusal(f"{where}{wrong.format_message()}", USAGE) from None


def files_of(found: Sequence[Point], command: click.Command) -> dict[str, bytes]:
    """The contents of every file that a point names. Raises Refusal for one that cannot be read."""
    names = {
        str(value) for point in found for name, value in _parsed(command, point).items() if name in FILES and value
    }
    contents = {}
    for name in sorted(names):
        try:
            contents[name] = Path(name).read_bytes()
        except OSError as failed:
            raise Refusal(f"{name} cannot be read: {failed.strerror}", USAGE) from None
    return contents


def digest(files: Mapping[str, bytes]) -> str:
    """Of their contents; empty where there are none."""
    found = hashlib.sha256()
    for name, data in files.items():
        found.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return f"(files {found.hexdigest()[:12]})" if files else ""


def run(found: Sequence[Point], files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """In whichever process: run these points. Each gives {"result": ...} as `lab simulate --json`, or {"refused": why}."""
    from labs.economics.commands import predict, simulate

    answers: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="lab-sweep-") as folder:
        places = {}
        for number, (name, data) in enumerate(files.items()):
            places[name] = Path(folder) / f"{number}{Path(name).suffix}"
            places[name].write_bytes(data)
        for point in found:
            try:
                asked = _parsed(simulate, point)
                here = {
                    name: places.get(str(value), value) if name in FILES else value for name, value in asked.items()
                }
                answers.append({"result": predict(here)})
            except Refusal as refusal:
                answers.append({"refused": str(refusal)})
    return answers


class Notes:
    """A file of results, a line each: what stands there already, of the same code, need not be run again."""

    def __init__(self, path: Path | None, code: str) -> None:
        self._path, self._code = path, code
        self.known: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = ["?"]
        for number, line in enumerate(lines):
            try:
                said = json.loads(line)
                ours = said["schema"] == SCHEMA
            except (ValueError, TypeError, KeyError):
                if number == len(lines) - 1 and number:  # the run was cut off while it wrote this
                    break
                ours = False
            if not ours:
                raise Refusal(
                    f"{path} holds something else than a sweep's results; name another file with --into", USAGE
                )
            if said["code"] == self._code:
                self.known[said["key"]] = said

    def begin(self, wanted: Sequence[Point]) -> None:
        """Keep of the file what is still true. Raises Refusal when it cannot be written."""
        if self._path is None:
            return
        keys = {point.key for point in wanted}
        kept = [said for key, said in self.known.items() if key in keys]
        draft = self._path.with_name(f".{self._path.name}.draft")
        try:
            draft.write_text("".join(json.dumps(said) + "\n" for said in kept), "utf-8")
            draft.replace(self._path)
        except OSError as failed:
            raise self._unwritable(failed) from None

    def keep(self, point: Point, answer: Mapping[str, Any]) -> None:
        """Note one answer."""
        said = {"schema": SCHEMA, "code": self._code, "key": point.key, "given": point.given, **answer}
        self.known[point.key] = said
        if self._path is None:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(said) + "\n")
        except OSError as failed:
            raise self._unwritable(failed) from None

    def _unwritable(self, failed: OSError) -> Refusal:
        return Refusal(f"the results cannot be written to {self._path}: {failed.strerror}", NOT_READY)
