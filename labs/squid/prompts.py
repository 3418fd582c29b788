"""Files of prompts: one JSON object a line, `{"id": "t-001", "category": "...", "prompt": "...", "max_tokens": 200}`.

`id` and `prompt` are required. A file is read whole before anything is sent, so that a wrong line 180 does not leave 179 jobs behind.
The course's own file is SHIPPED: work of an ordinary office, written for this course; its people and companies are made up.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.errors import USAGE, Refusal
from labs.squid.client import Job, check

SHIPPED = Path(__file__).with_name("prompts.jsonl")
_FIELDS = {"id", "category", "prompt", "max_tokens"}


@dataclass(frozen=True)
class Prompt:
    """One line of a file."""

    id: str
    prompt: str
    category: str = ""
    max_tokens: int | None = None

    def job(self, run: str) -> Job:
        """This prompt as a job of one run: submitted again in the same run, it is the same job."""
        return Job(self.prompt, self.max_tokens, key=f"{run}/{self.id}")


def read(path: Path) -> list[Prompt]:
    """The prompts of a file. Raises Refusal with file, line and reason."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as wrong:
        raise Refusal(f"{path} is not UTF-8 text: {wrong.reason} at byte {wrong.start}", USAGE) from wrong
    except OSError as wrong:
        raise Refusal(f"cannot read {path}: {wrong.strerror}", USAGE) from wrong
    found: dict[str, Prompt] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            prompt = _prompt(line)
            if prompt.id in found:
                raise ValueError(f"the id '{prompt.id}' stands in an earlier line")
            check(prompt.job("check"))
        except (ValueError, Refusal) as wrong:
            raise Refusal(f"{path}, line {number}: {wrong}; nothing was sent", USAGE) from wrong
        found[prompt.id] = prompt
    if not found:
        raise Refusal(f"{path} holds no prompts; nothing was sent", USAGE)
    return list(found.values())


def _prompt(line: str) -> Prompt:
    try:
        entry: Any = json.loads(line)
    except json.JSONDecodeError as wrong:
        raise ValueError(f"not JSON: {wrong.msg} at column {wrong.colno}") from wrong
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")
    if unknown := sorted(set(entry) - _FIELDS):
        raise ValueError(f"unknown field '{unknown[0]}' (known: {', '.join(sorted(_FIELDS))})")
    for name in ("id", "prompt"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise ValueError(f"'{name}' must be a non-empty string")
    most = entry.get("max_tokens")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool)):
        raise ValueError("'max_tokens' must be a whole number")
    return Prompt(entry["id"], entry["prompt"], str(entry.get("category", "")), most)
