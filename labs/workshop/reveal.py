"""Solutions of a lab, locked task by task: the file travels with the kit, a code is shown in class when its task is done.

    codes = reveal.seal(student.find("03-sagemaker"), Path("03-sagemaker.reveal"))     # {1: "7K2F-9QXM-4TBA", ...}
    task = reveal.unseal("7k2f 9qxm 4tba", [Path("03-sagemaker.reveal")])              # a code opens its task, and no other

Each task has a code of its own, 55 random bits and a letter that finds slips of the pen. scrypt (RFC 7914) makes a key of it, AES-256-GCM locks
the task's cells, and what is locked is bound to the lab and the number of its task.
"""

import hashlib
import json
import os
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labs.check import source
from labs.cloud import state
from labs.errors import FALSE, NOT_READY, USAGE, Refusal

SUFFIX = ".reveal"
FORMAT = 1
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no I, L, O or U, so that a code survives being read out and written on a board."""
RANDOM = 11
"""Letters that are drawn, of five bits each; the twelfth is computed from them."""
COST = {"n": 2**15, "r": 8, "p": 1}
"""scrypt's: 32 MiB and about a tenth of a second for each code that somebody tries."""
LARGEST_COST = 2**18
"""A file that asks for more is not ours."""


@dataclass(frozen=True)
class SolutionCell:
    """One cell that the students' copies do not have."""

    kind: str
    """code or markdown."""
    text: str


@dataclass(frozen=True)
class Revealed:
    """One task, opened."""

    lab: str
    task: int
    title: str
    cells: tuple[SolutionCell, ...]

    def as_python(self) -> str:
        """Its cells as a Python file, which Jupyter and editors read as cells."""
        parts = [f"# {self.lab}, task {self.task}: {self.title}"]
        for cell in self.cells:
            text = cell.text if cell.kind == "code" else re.sub("^", "# ", cell.text, flags=re.MULTILINE)
            parts.append(f"# %%{'' if cell.kind == 'code' else ' [markdown]'}\n{text}")
        return "\n\n".join(parts) + "\n"


def solutions(path: Path) -> dict[int, Revealed]:
    """The cells of a lab's source that are left out of the students' copies, by the task they belong to."""
    import jupytext

    read = jupytext.read(path)  # type: ignore[no-untyped-call]
    found: dict[int, list[SolutionCell]] = {}
    titles: dict[int, str] = {}
    task = source.PREAMBLE
    for cell in read.cells:
        if cell.cell_type == "markdown":
            task = source.task_after(cell.source, task)
            titles |= {int(n): title.strip() for n, title in re.findall(r"^## Task (\d+) · (.+)$", cell.source, re.M)}
        if source.SOLUTION in cell.metadata.get("tags", []):
            found.setdefault(task, []).append(SolutionCell(cell.cell_type, cell.source))
    return {
        number: Revealed(path.stem, number, title, tuple(found[number]))
        for number, title in sorted(titles.items())
        if number in found
    }


def seal(lab: Path, bundle: Path) -> dict[int, str]:
    """Write a lab's solutions, locked, and return the code of each task. Raises Refusal for a lab without solutions."""
    tasks = solutions(lab)
    if not tasks:
        raise Refusal(f"{lab.name} has no solutions that could be locked", FALSE)
    codes = {number: new_code() for number in tasks}
    salt = secrets.token_bytes(16)
    sealed = [_seal(task, codes[number], salt) for number, task in tasks.items()]
    said = {"format": FORMAT, "lab": lab.stem, "scrypt": COST, "salt": b64encode(salt).decode(), "tasks": sealed}
    bundle.parent.mkdir(parents=True, exist_ok=True)
    fresh = bundle.with_name(f"{bundle.name}.new")
    fresh.write_text(json.dumps(said, indent=1) + "\n", "utf-8")
    fresh.replace(bundle)
    return codes


def unseal(code: str, bundles: Sequence[Path]) -> Revealed:
    """The task that a code opens in one of these files. Raises Refusal for a slip, for a code that opens nothing, and for a damaged file."""
    letters = normal(code)
    damaged = []
    for path in bundles:
        try:
            opened = _opened(letters, json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            damaged.append(path.name)
            continue
        if opened is not None:
            return opened
    if damaged and len(damaged) == len(bundles):
        raise Refusal(
            f"{', '.join(damaged)} cannot be read as a file of locked solutions; copy it from the kit again", FALSE
        )
    also = f" ({', '.join(damaged)} could not be read)" if damaged else ""
    raise Refusal(
        f"the code {shown(letters)} opens nothing in {', '.join(path.name for path in bundles)}{also}; compare it with the one on the board",
        FALSE,
    )


def bundles(named: Path | None = None) -> list[Path]:
    """The files of locked solutions: the one that is named, or those here, in a kit beside us, and in LAB_HOME. Raises Refusal for none."""
    if named is not None:
        if not named.is_file():
            raise Refusal(f"there is no file {named}", USAGE)
        return [named]
    places = [Path(), Path("reveal"), Path("kit"), Path("kit/reveal"), state.home_folder()]
    found = [path for place in places for path in sorted(place.glob(f"*{SUFFIX}")) if path.is_file()]
    if not found:
        raise Refusal(
            f"there is no file of locked solutions (*{SUFFIX}) here, in kit/ or in {state.home_folder()}; name it: --bundle FILE",
            NOT_READY,
        )
    return found


def new_code() -> str:
    """A code that nobody has had before, as it is shown."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM))
    return shown(letters + _check_letter(letters))


def normal(code: str) -> str:
    """A code as somebody typed it, in its twelve letters. Raises Refusal for what cannot be one."""
    letters = re.sub(r"[\s-]", "", code).upper().translate(str.maketrans("OIL", "011"))
    if len(letters) != RANDOM + 1 or set(letters) - set(ALPHABET):
        raise Refusal(f"'{code}' is no code: a code has twelve letters and digits, as in 7K2F-9QXM-4TBA", USAGE)
    if letters[-1] != _check_letter(letters[:-1]):
        raise Refusal(
            f"the code {shown(letters)} has a slip in it: compare each letter with the one on the board", FALSE
        )
    return letters


def shown(letters: str) -> str:
    """In groups of four."""
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _check_letter(letters: str) -> str:
    return ALPHABET[hashlib.sha256(letters.encode()).digest()[0] % len(ALPHABET)]


def _seal(task: Revealed, code: str, salt: bytes) -> dict[str, Any]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    cells = json.dumps([asdict(cell) for cell in task.cells]).encode()
    locked = AESGCM(_key(normal(code), salt, COST)).encrypt(nonce, cells, _bound_to(task.lab, task.task, task.title))
    return {
        "task": task.task,
        "title": task.title,
        "nonce": b64encode(nonce).decode(),
        "sealed": b64encode(locked).decode(),
    }


def _opened(letters: str, said: Any) -> Revealed | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cost = {name: int(said["scrypt"][name]) for name in COST}
    if said["format"] != FORMAT or not 2 <= cost["n"] <= LARGEST_COST or cost["r"] * cost["p"] > 64:
        raise ValueError("of another version, or not ours")
    lock = AESGCM(_key(letters, b64decode(said["salt"], validate=True), cost))
    lab = str(said["lab"])
    for each in said["tasks"]:
        number, title = int(each["task"]), str(each["title"])
        nonce, sealed = (b64decode(each[part], validate=True) for part in ("nonce", "sealed"))
        try:
            cells = json.loads(lock.decrypt(nonce, sealed, _bound_to(lab, number, title)))
        except InvalidTag:
            continue
        return Revealed(lab, number, title, tuple(SolutionCell(**cell) for cell in cells))
    return None


def _key(letters: str, salt: bytes, cost: dict[str, int]) -> bytes:
    return hashlib.scrypt(letters.encode(), salt=salt, **cost, maxmem=2 * 128 * cost["n"] * cost["r"], dklen=32)


def _bound_to(lab: str, task: int, title: str) -> bytes:
    return f"deployment-dilemma/reveal/{FORMAT}/{lab}/{task}/{title}".encode()
