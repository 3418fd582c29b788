"""The wheels of a kit: which ones each kind of machine wants by constraints.txt, and how they get into a folder.

wanted = stock.plan(Path("constraints.txt"), [Kind.named("linux-x86_64-3.11")])
stock.fill(Path("kit/wheels"), wanted, Path("_build/kit"), print)

The index is asked once, by uv, for every file there is of every version that is named; pip then fetches the chosen ones, and refuses any
whose digest is not in constraints.txt. A package without a wheel is built here without a compiler: what is pure then fits every machine.
"""

import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from labs.errors import NOT_READY, USAGE, Refusal
from labs.workshop import kit

GLIBCS = (28, *range(29, 44))
"""Minor versions of glibc 2: what is chosen first runs on each since 2.28 (2018); what has no such wheel wants a newer one."""
MACOS = ((11, 0), (12, 0), (13, 0), (14, 0), (15, 0))
LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
PATCHES = range(40)
"""A marker may split a Python's patch releases; a kit has what each of them wants."""
AT_ONCE = 4

Say = Callable[[str], object]


@dataclass(frozen=True)
class Kind:
    """One kind of machine, as a kit names it."""

    system: str
    processor: str
    python: str

    @staticmethod
    def named(name: str) -> "Kind":
        """From linux-x86_64-3.11. Raises Refusal for what no kit is made for."""
        platform, _, python = name.replace("aarch64", "arm64").rpartition("-")
        if platform not in kit.PLATFORMS or python not in kit.PYTHONS:
            raise Refusal(
                f"a kit is made for {', '.join(kit.PLATFORMS)}, each with Python {', '.join(kit.PYTHONS)}, as in linux-x86_64-3.11; '{name}' is none",
                USAGE,
            )
        system, _, processor = platform.partition("-")
        return Kind(system, processor, python)

    @property
    def name(self) -> str:
        """As a kit names it."""
        return f"{self.system}-{self.processor}-{self.python}"

    @property
    def machine(self) -> str:
        """The processor as its own system says it."""
        return "aarch64" if (self.system, self.processor) == ("linux", "arm64") else self.processor

    def fits(self, marker: str | None) -> bool:
        """Whether any patch release of the Python wants what stands behind a marker."""
        if marker is None:
            return True
        parsed, linux = Marker(marker), self.system == "linux"
        return any(
            parsed.evaluate(
                {
                    "os_name": "posix",
                    "sys_platform": "linux" if linux else "darwin",
                    "platform_system": "Linux" if linux else "Darwin",
                    "platform_machine": self.machine,
                    "platform_python_implementation": "CPython",
                    "implementation_name": "cpython",
                    "python_version": self.python,
                    "python_full_version": f"{self.python}.{patch}",
                    "implementation_version": f"{self.python}.{patch}",
                    "platform_release": "",
                    "platform_version": "",
                    "extra": "",
                }
            )
            for patch in (PATCHES if "full_version" in marker or "implementation_version" in marker else (0,))
        )

    def platforms(self, newest: tuple[int, ...]) -> list[str]:
        """Platform tags of a system of that version, the newest first: (2, 28) on Linux, (11, 0) on a Mac."""
        if self.system == "macos":
            return list(mac_platforms((newest[0], newest[1]), self.machine))
        names: list[str] = []
        for minor in range(newest[1], 4, -1):
            names += [f"manylinux_2_{minor}_{self.machine}"]
            names += [f"{LEGACY[minor]}_{self.machine}"] if minor in LEGACY else []
        return [*names, f"linux_{self.machine}"]

    @property
    def systems(self) -> list[tuple[int, ...]]:
        """Versions of the system, in the order in which they are tried."""
        return [(2, minor) for minor in GLIBCS] if self.system == "linux" else list(MACOS)

    @cached_property
    def _ranks(self) -> list[dict[Tag, int]]:
        numbers = [int(part) for part in self.python.split(".")]
        ranks = []
        for newest in self.systems:
            platforms = self.platforms(newest)
            tags = [
                *cpython_tags(numbers, platforms=platforms),
                *compatible_tags(numbers, f"cp{numbers[0]}{numbers[1]}", platforms),
            ]
            ranks.append({tag: rank for rank, tag in enumerate(tags)})
        return ranks

    def choose(self, files: Iterable["File"]) -> tuple["File", tuple[int, ...]] | None:
        """The best wheel for this kind of machine, and the oldest system that it runs on (empty: any); None where there is none."""
        found = [(file, file.tags) for file in files]
        for ranks in self._ranks:
            fits = [
                (min(ranks[tag] for tag in tags if tag in ranks), file.name, file)
                for file, tags in found
                if tags & ranks.keys()
            ]
            if fits:
                _, _, file = min(fits, key=lambda each: each[:2])
                return file, min(_least(tag.platform) for tag in file.tags if tag in ranks)
        return None


def _least(platform: str) -> tuple[int, ...]:
    """The system that a platform tag wants: (2, 17) of manylinux_2_17_x86_64, (11, 0) of macosx_11_0_arm64, () of any."""
    for minor, name in LEGACY.items():
        if platform.startswith(f"{name}_"):
            return (2, minor)
    parts = platform.split("_")
    return (int(parts[1]), int(parts[2])) if parts[0] in ("manylinux", "macosx") else ()


@dataclass(frozen=True)
class File:
    """A file of the index, or one that was built here."""

    name: str
    sha256: str
    size_bytes: int
    url: str = ""
    """Empty for what was built here."""

    @cached_property
    def tags(self) -> frozenset[Tag]:
        """What it fits; nothing where its name cannot be read."""
        try:
            return parse_wheel_filename(self.name)[3]
        except InvalidWheelFilename:
            return frozenset()


@dataclass(frozen=True)
class Package:
    """One version of a package that constraints.txt names, and what the index has of it."""

    name: str
    version: str
    marker: str | None
    wheels: tuple[File, ...]
    sdist: File | None

    @property
    def pinned(self) -> str:
        """As name==version."""
        return f"{self.name}=={self.version}"


@dataclass
class Shelf:
    """What one kind of machine gets."""

    kind: Kind
    files: list[tuple[Package, File]] = field(default_factory=list)
    least: tuple[int, ...] = ()
    missing: list[Package] = field(default_factory=list)


def packages(constraints: Path) -> list[Package]:
    """What the index has of everything that constraints.txt names. Raises Refusal when it cannot be asked, or has something else."""
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        lock = Path(folder) / "pylock.toml"
        command = [
            _uv(),
            "pip",
            "compile",
            str(constraints),
            "--universal",
            "--no-deps",
            "--python-version",
            kit.PYTHONS[0],
        ]
        done = _run([*command, "--format", "pylock.toml", "--quiet", "-o", str(lock)])
        if done.returncode or not lock.exists():
            raise Refusal(
                f"the package index could not be asked, and a kit is made where there is a network: {_last(done.stderr)}",
                NOT_READY,
            )
        read = tomllib.loads(lock.read_text("utf-8"))
    text = constraints.read_text("utf-8")
    known = {
        f"{canonicalize_name(block['name'])}=={block['version']}": block.group(0) for block in kit.BLOCK.finditer(text)
    }
    found = []
    for each in read["packages"]:
        sdist = [_file(each["sdist"])] if "sdist" in each else []
        package = Package(
            each["name"],
            each["version"],
            each.get("marker"),
            tuple(_file(one) for one in each.get("wheels", ())),
            sdist[0] if sdist else None,
        )
        block = known.get(package.pinned, "")
        trusted = tuple(one for one in package.wheels if one.sha256 in block)
        found.append(
            Package(
                package.name,
                package.version,
                package.marker,
                trusted,
                sdist[0] if sdist and sdist[0].sha256 in block else None,
            )
        )
    if not found or len(found) != len(known):
        raise Refusal(
            f"the index knows {len(found)} of the {len(known)} packages that {constraints.name} names; 'make lock' writes it anew",
            NOT_READY,
        )
    return found


def _file(entry: Mapping[str, Any]) -> File:
    url = str(entry["url"])
    return File(
        unquote(urlsplit(url).path.rpartition("/")[2]), str(entry["hashes"]["sha256"]), int(entry.get("size", 0)), url
    )


def plan(found: Sequence[Package], kinds: Sequence[Kind], built: Callable[[Package], File | None]) -> list[Shelf]:
    """What each kind of machine gets; `built` makes a wheel of a package that has none for it, if it can."""
    shelves = []
    for kind in kinds:
        shelf = Shelf(kind)
        for package in found:
            if not kind.fits(package.marker):
                continue
            chosen = kind.choose(package.wheels)
            if chosen is None:
                made = built(package)
                chosen = None if made is None else (made, ())
            if chosen is None:
                shelf.missing.append(package)
                continue
            shelf.files.append((package, chosen[0]))
            shelf.least = max(shelf.least, chosen[1])
        shelves.append(shelf)
    return shelves


def fill(wheels: Path, shelves: Sequence[Shelf], say: Say) -> None:
    """Fetch into `wheels` what is not there yet; what is there and is not wanted goes. Raises Refusal."""
    wheels.mkdir(parents=True, exist_ok=True)
    wanted = {file.name: file for shelf in shelves for _, file in shelf.files}
    for path in wheels.iterdir():
        file = wanted.get(path.name)
        if file is None or path.stat().st_size != file.size_bytes or kit.digest(path) != file.sha256:
            path.unlink()
    here = {path.name for path in wheels.iterdir()}
    for shelf in shelves:
        todo = [(package, file) for package, file in shelf.files if file.url and file.name not in here]
        size_mb = sum(file.size_bytes for _, file in todo) / 1e6
        say(f"{shelf.kind.name}: {len(shelf.files)} wheels, {len(todo)} to fetch ({size_mb:.0f} MB)")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(lambda batch: _fetch(batch, shelf.kind, wheels), _batches(todo)):  # noqa: B023 - the loop waits for it
                pass
        here |= {file.name for _, file in todo}


def _batches(todo: Sequence[tuple[Package, File]]) -> list[list[File]]:
    """Shares of about the same size; two versions of a package, which one call of pip refuses, in two of them."""
    batches: list[dict[str, File]] = []
    sizes: list[int] = []
    for package, file in sorted(todo, key=lambda each: -each[1].size_bytes):
        open_to_it = [number for number, batch in enumerate(batches) if package.name not in batch]
        if len(batches) < AT_ONCE or not open_to_it:
            batches.append({})
            sizes.append(0)
            open_to_it = [len(batches) - 1]
        number = min(open_to_it, key=lambda each: sizes[each])
        batches[number][package.name] = file
        sizes[number] += file.size_bytes
    return [list(batch.values()) for batch in batches]


def _fetch(files: Sequence[File], kind: Kind, to: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="kit-", dir=to.parent) as folder:
        listed, got = Path(folder) / "wanted.txt", Path(folder) / "got"
        listed.write_text("".join(f"{file.url} --hash=sha256:{file.sha256}\n" for file in files), "utf-8")
        tags = [flag for platform in kind.platforms(kind.systems[-1]) for flag in ("--platform", platform)]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-cache-dir",
            "--only-binary=:all:",
        ]
        done = _run(
            [
                *command,
                "--python-version",
                f"{kind.python}.{PATCHES[-1]}",
                *tags,
                "--require-hashes",
                "-r",
                str(listed),
                "-d",
                str(got),
            ]
        )
        if done.returncode:
            raise Refusal(
                f"wheels for {kind.name} could not be fetched: {_last(done.stderr)}; what is here stays, so try again",
                NOT_READY,
            )
        for path in got.iterdir():
            path.replace(to / path.name)


@dataclass
class Workbench:
    """Builds wheels of packages that have none, without a compiler; what it built stays in `folder` for the next time."""

    folder: Path
    say: Say
    made: dict[str, File | None] = field(default_factory=dict)
    """By name==version; None where it could not be built, or is not pure."""

    def build(self, package: Package) -> File | None:
        """A wheel that fits every machine, or None."""
        if package.pinned not in self.made:
            self.made[package.pinned] = self._built(package)
        return self.made[package.pinned]

    def path(self, package: Package) -> Path:
        """Where a built wheel lies."""
        made = self.made[package.pinned]
        assert made is not None
        assert package.sdist is not None
        return self.folder / package.sdist.sha256[:16] / made.name

    def _built(self, package: Package) -> File | None:
        if package.sdist is None:
            return None
        shelf = self.folder / package.sdist.sha256[:16]
        wheel = next(iter(sorted(shelf.glob("*.whl"))), None)
        if wheel is None:
            self.say(f"{package.pinned} has no wheel for some machine: building a pure one")
            wheel = self._build(package, shelf)
        return None if wheel is None else File(wheel.name, kit.digest(wheel), wheel.stat().st_size)

    def _build(self, package: Package, shelf: Path) -> Path | None:
        assert package.sdist is not None
        shelf.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="kit-", dir=self.folder) as folder:
            listed = Path(folder) / "wanted.txt"
            listed.write_text(f"{package.pinned} --hash=sha256:{package.sdist.sha256}\n", "utf-8")
            command = [
                sys.executable,
                "-m",
                "pip",
                "wheel",
                "--quiet",
                "--no-deps",
                "--no-binary",
                package.name,
                "--require-hashes",
            ]
            # No compiler: parts in C that may be left out are. Always the same date: the same source gives the same bytes.
            surroundings = {"CC": "false", "CXX": "false", "SOURCE_DATE_EPOCH": "1577836800"}
            done = _run([*command, "-r", str(listed), "-w", folder], surroundings)
            wheel = next(iter(Path(folder).glob("*.whl")), None)
            if done.returncode or wheel is None or not is_pure(wheel):
                return None
            if not wheel.name.endswith("-none-any.whl"):
                tags = ["--python-tag", "py3", "--abi-tag", "none", "--platform-tag", "any", "--remove"]
                if _run([sys.executable, "-m", "wheel", "tags", *tags, str(wheel)], surroundings).returncode:
                    return None
                wheel = next(Path(folder).glob("*.whl"))
            return wheel.replace(shelf / wheel.name)


def is_pure(wheel: Path) -> bool:
    """Whether nothing in it was compiled for one machine."""
    with zipfile.ZipFile(wheel) as archive:
        return not any(name.endswith((".so", ".pyd", ".dylib", ".dll")) for name in archive.namelist())


def wanted_by(package: str) -> list[str]:
    """Who asks for a package, of what is installed here; to say what its absence means."""
    found = set()
    for distribution in metadata.distributions():
        for written in distribution.requires or ():
            if canonicalize_name(Requirement(written).name) == canonicalize_name(package):
                found.add(canonicalize_name(distribution.name))
    return sorted(found)


def pip_wheel(to: Path) -> Path:
    """pip's own wheel, the newest that the index has: the first that a set-up from a kit installs. Raises Refusal."""
    with tempfile.TemporaryDirectory(prefix="kit-", dir=to.parent) as folder:
        done = _run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "-d",
                folder,
                "pip",
            ]
        )
        wheel = next(iter(Path(folder).glob("pip-*.whl")), None)
        if done.returncode or wheel is None:
            raise Refusal(f"pip's own wheel could not be fetched: {_last(done.stderr)}", NOT_READY)
        return wheel.replace(to / wheel.name)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    if not beside.exists():
        raise Refusal("uv is not installed in this environment; 'make setup' installs it", NOT_READY)
    return str(beside)


def _run(command: Sequence[str], surroundings: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ) | dict(surroundings or {})
    if "UV_DEFAULT_INDEX" not in environment and (index := _index()):
        environment["UV_DEFAULT_INDEX"] = index
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def _index() -> str:
    """The index that pip asks, for uv to ask too."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _last(text: str) -> str:
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and "WARNING" not in line and "[notice]" not in line
    ]
    return lines[-1].removeprefix("ERROR: ").rstrip(".") if lines else "no reason was given"


def with_digests(constraints: str, built: Iterable[tuple[Package, File]]) -> str:
    """Constraints in which the wheels that were built here are allowed too."""
    extra = {package.pinned: file.sha256 for package, file in built}

    def blocks() -> Iterator[str]:
        for block in kit.BLOCK.finditer(constraints):
            digest = extra.get(f"{canonicalize_name(block['name'])}=={block['version']}")
            text = block.group(0).rstrip("\n")
            yield f"{text} \\\n    --hash=sha256:{digest}\n" if digest else f"{text}\n"

    return "".join(blocks())
