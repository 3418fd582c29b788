"""A kit: one folder from which the course is installed without a network. This module reads and checks one; `packing` makes it.

    python -m labs.workshop.kit KIT VENV      # what `make setup FROM=KIT` asks, before anything is installed

It runs before there are any packages, so it imports the standard library only. `KIT` is a folder, or the address of one that
`lab serve --room` serves; then the wheels that this machine wants are fetched first.
"""

import hashlib
import json
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from labs.errors import NOT_READY, USAGE, Refusal

FORMAT = 1
MANIFEST, CONSTRAINTS, WHEELS, SOURCE = "manifest.json", "constraints.txt", "wheels", "deployment-dilemma.tar.gz"
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("linux-x86_64", "linux-arm64", "macos-arm64", "macos-x86_64")
NOTES = ("wheels", "pip", "requirements")
"""What `.ci/install` reads in VENV/kit: where the wheels are, and what to install of them."""
AGAIN = "copy the kit again from where it came from, or make it anew with 'make kit'"

SYSTEMS = {"Linux": "linux", "Darwin": "macos"}
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Machine:
    """What a wheel has to fit."""

    system: str
    processor: str
    python: str
    """As in 3.11; with a suffix where it is not CPython with its lock, for which no kit is made."""
    system_version: tuple[int, ...] | None = None
    """Of glibc on Linux, of macOS there; None where it cannot be told, which on Linux means another C library."""

    @property
    def platform(self) -> str:
        """As a kit names it: linux-x86_64."""
        return f"{self.system}-{self.processor}"

    @property
    def name(self) -> str:
        """As a kit names it: linux-x86_64-3.11."""
        return f"{self.platform}-{self.python}"


@dataclass(frozen=True)
class Environment:
    """What a kit has for one kind of machine."""

    wheels: tuple[str, ...]
    missing: tuple[str, ...]
    """Packages, as name==version, for which there is no wheel and none could be made."""
    least: tuple[int, ...]
    """The oldest glibc, or macOS, that every wheel runs on; empty where any will do."""


@dataclass(frozen=True)
class Entry:
    """One file of a kit."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a kit says of itself."""

    made: str
    """When, in UTC."""
    version: str
    commit: str
    constraints_sha256: str
    """Of the constraints.txt of the checkout that it was made in."""
    pip: str
    """The wheel of pip itself, which installs the rest."""
    environments: Mapping[str, Environment]
    files: Mapping[str, Entry]
    """By path inside the kit."""

    @property
    def day(self) -> str:
        """When it was made, for a sentence."""
        return self.made[:10]


def this_machine() -> Machine:
    """The machine and the Python that this runs on."""
    system = SYSTEMS.get(platform.system(), platform.system().lower())
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.implementation.name != "cpython":
        python += f"-{sys.implementation.name}"
    elif sysconfig.get_config_var("Py_GIL_DISABLED"):
        python += "t"
    said = (
        platform.mac_ver()[0]
        if system == "macos"
        else platform.libc_ver()[1]
        if platform.libc_ver()[0] == "glibc"
        else ""
    )
    return Machine(
        system, MACHINES.get(platform.machine(), platform.machine()), python, version(said) if said else None
    )


def in_words(platforms: Iterable[str]) -> str:
    """linux-x86_64 and macos-arm64 as "Linux (x86-64), macOS (arm64)"."""
    names = {"linux": "Linux", "macos": "macOS"}
    parts = [platform.partition("-") for platform in platforms]
    return ", ".join(f"{names[system]} ({processor.replace('_', '-')})" for system, _, processor in parts)


def version(written: str) -> tuple[int, ...]:
    """2.28 as (2, 28)."""
    return tuple(int(part) for part in re.findall(r"\d+", written)[:2])


def digest(path: Path) -> str:
    """A file's SHA-256, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read(folder: Path) -> Manifest:
    """A kit's manifest. Raises Refusal when the folder is no kit, or no complete one."""
    if not folder.is_dir():
        raise Refusal(
            f"there is no kit at {folder}; name the folder that holds {MANIFEST}: make setup FROM=/path/to/kit", USAGE
        )
    path = folder / MANIFEST
    if not path.is_file():
        raise Refusal(f"{folder} has no {MANIFEST}: it is no kit, or one that was not finished; {AGAIN}", NOT_READY)
    return parse(path.read_bytes(), str(path))


def parse(content: bytes, where: str) -> Manifest:
    """A manifest's content. Raises Refusal when it is damaged, or was written for another version of the course."""
    try:
        data: dict[str, Any] = json.loads(content)
        if data["format"] != FORMAT:
            raise Refusal(
                f"{where} is of format {data['format']}, and this checkout reads format {FORMAT}; use the source that is in the kit, {SOURCE}",
                NOT_READY,
            )
        read = Manifest(
            str(data["made"]),
            str(data["version"]),
            str(data["commit"]),
            str(data["constraints_sha256"]),
            str(data["pip"]),
            {
                str(name): Environment(tuple(each["wheels"]), tuple(each["missing"]), tuple(each["least"]))
                for name, each in data["environments"].items()
            },
            {
                _inside(name): Entry(str(each["sha256"]), int(each["size_bytes"]))
                for name, each in data["files"].items()
            },
        )
        wheels = {read.pip, *(name for each in read.environments.values() for name in each.wheels)}
        if unknown := sorted(name for name in wheels if f"{WHEELS}/{name}" not in read.files):
            raise ValueError(f"{unknown[0]} has no digest")
        return read
    except (ValueError, KeyError, TypeError, AttributeError) as damaged:
        raise Refusal(f"{where} is damaged ({damaged}); {AGAIN}", NOT_READY) from None


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or path.as_posix() != name:
        raise ValueError(f"{name!r} is no path inside a kit")
    return name


def for_machine(manifest: Manifest, machine: Machine) -> Environment:
    """What a kit has for a machine. Raises Refusal when it has nothing, saying what would help."""
    found = manifest.environments.get(machine.name)
    if found is None:
        pythons = sorted(
            (name.rpartition("-")[2] for name in manifest.environments if name.startswith(f"{machine.platform}-")),
            key=version,
        )
        if pythons:
            raise Refusal(
                f"this kit is for Python {_or(pythons)} on {machine.platform}, and this is Python {machine.python}; "
                f"name another one: make setup FROM=... PYTHON=python{pythons[-1]}",
                NOT_READY,
            )
        platforms = sorted({name.rpartition("-")[0] for name in manifest.environments})
        raise Refusal(
            f"this kit is for {_or(platforms)}, and this machine is {machine.platform}; "
            f'ask for a kit made with: make kit ARGS="--only {machine.name}"',
            NOT_READY,
        )
    if machine.system == "linux" and machine.system_version is None:
        raise Refusal(
            "this Linux has another C library than glibc, and the kit's packages want glibc; install with a network here",
            NOT_READY,
        )
    if machine.system_version is not None and machine.system_version < found.least:
        what = "macOS" if machine.system == "macos" else "the C library (glibc)"
        raise Refusal(
            f"this kit's packages want {what} {_dotted(found.least)} or newer, and this machine has {_dotted(machine.system_version)}; "
            "use a newer system, or work beside somebody who has one",
            NOT_READY,
        )
    return found


def require_current(manifest: Manifest, constraints: Path) -> None:
    """Raises Refusal when a kit was made from other constraints than a checkout's: what it holds is not what the checkout wants."""
    if digest(constraints) != manifest.constraints_sha256:
        raise Refusal(
            f"this kit, of {manifest.day}, was made for another version of the course than this checkout (commit {manifest.commit or 'unknown'}); "
            f"unpack the one that is in the kit, {SOURCE}, or make the kit anew with 'make kit'",
            NOT_READY,
        )


def verify(folder: Path, manifest: Manifest, names: Iterable[str]) -> None:
    """Raises Refusal for files of a kit that are missing, or are not what the manifest says."""
    wanted = sorted(names)
    if missing := [name for name in wanted if not (folder / name).is_file()]:
        raise Refusal(f"the kit in {folder} lacks {_several(missing)}; {AGAIN}", NOT_READY)
    if damaged := [name for name in wanted if not _is_whole(folder / name, manifest.files[name])]:
        raise Refusal(
            f"the kit in {folder} was damaged on its way: {_several(damaged)} is not what the manifest says; {AGAIN}",
            NOT_READY,
        )


def _is_whole(path: Path, entry: Entry) -> bool:
    try:
        return path.stat().st_size == entry.size_bytes and digest(path) == entry.sha256
    except OSError:  # a stick that cannot be read there
        return False


def wanted_files(manifest: Manifest, environment: Environment) -> list[str]:
    """What a set-up reads: the wheels of one environment, pip's, and the constraints."""
    return [CONSTRAINTS, *(f"{WHEELS}/{name}" for name in sorted({*environment.wheels, manifest.pip}))]


BLOCK = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>(?:.*\\\n)*.*\n?)", re.MULTILINE)
"""One requirement of a constraints file: its line, and those with its digests."""


def requirements(constraints: str, missing: Iterable[str]) -> str:
    """A kit's constraints without the packages that it does not have."""
    leave_out = set(missing)
    return "".join(
        block.group(0)
        for block in BLOCK.finditer(constraints)
        if f"{block['name']}=={block['version']}" not in leave_out
    )


def prepare(kit: str, venv: Path, constraints: Path, machine: Machine) -> Path:
    """Check a kit for a machine and write down in `venv`/kit what to install; returns the folder of wheels. Raises Refusal."""
    notes = venv / "kit"
    for name in NOTES:
        (notes / f"{name}.txt").unlink(missing_ok=True)
    if re.match(r"https?://", kit):
        from labs.workshop import fetching

        folder = fetching.fetch(kit, notes, constraints, machine)
    else:
        folder = Path(kit).expanduser()
        if not (folder / MANIFEST).exists() and any(folder.glob("*.whl")):
            return _note(notes, folder)  # no kit, but a folder of wheels, whose digests constraints.txt has
    manifest = read(folder)
    require_current(manifest, constraints)
    environment = for_machine(manifest, machine)
    verify(folder, manifest, wanted_files(manifest, environment))
    if environment.missing:
        print(
            f"setup: this kit has no {_or(environment.missing)} for {machine.name}; what needs it will say so.",
            file=sys.stderr,
        )
    pip = f"pip=={manifest.pip.split('-')[1]} --hash=sha256:{manifest.files[f'{WHEELS}/{manifest.pip}'].sha256}\n"
    text = requirements((folder / CONSTRAINTS).read_text("utf-8"), environment.missing)
    return _note(notes, folder / WHEELS, pip=pip, requirements=text)


def _note(notes: Path, wheels: Path, **texts: str) -> Path:
    """Write down what `.ci/install` reads."""
    notes.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (notes / f"{name}.txt").write_text(text, "utf-8")
    (notes / "wheels.txt").write_text(f"{wheels.resolve()}\n", "utf-8")
    return wheels.resolve()


def _or(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _several(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def _dotted(numbers: Iterable[int]) -> str:
    return ".".join(map(str, numbers))


def main(arguments: list[str]) -> int:
    """`python -m labs.workshop.kit KIT VENV`, in a checkout: writes down in VENV/kit what to install."""
    if len(arguments) != 2:
        print("usage: python -m labs.workshop.kit KIT VENV", file=sys.stderr)
        return USAGE
    try:
        prepare(arguments[0], Path(arguments[1]), Path(CONSTRAINTS), this_machine())
    except Refusal as refusal:
        print(f"setup: {refusal}.", file=sys.stderr)
        return refusal.exit_status
    except OSError as failed:
        print(f"setup: {failed.filename or 'a file'} could not be read or written: {failed.strerror}.", file=sys.stderr)
        return NOT_READY
    except KeyboardInterrupt:
        print("setup: stopped by you; what was fetched stays.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
