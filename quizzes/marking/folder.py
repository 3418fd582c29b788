"""The attempt files of a folder, zip files opened; what is no attempt file is named and not followed.

for found in folder.find(Path("class")):
    found.problem or list(found.chunks())

A student is the first name below the folder: `class/ada/answers.jsonl` and `class/ada.jsonl` are ada's.
"""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SUFFIXES = (".jsonl", ".ndjson", ".json", ".txt")
MEGABYTE = 1 << 20
MOST_MEMBERS = 5_000
"""of one zip file"""
RESULTS = "_grades"
"""our own folder in the class's"""


class TooLong(ValueError):  # noqa: N818
    """A zip member has more in it than it said."""


@dataclass(frozen=True)
class Found:
    """One file, or one member of a zip file."""

    name: str
    """path below the folder; a member is 'file.zip: member'"""
    student: str
    size: int = 0
    changed_ns: int = 0
    problem: str = ""
    chunks: Callable[[], Iterator[bytes]] = field(default=lambda: iter(()), repr=False)
    """what is in it, in pieces that end where lines end"""


def find(top: Path, most_mb: float = 64.0) -> Iterator[Found]:
    """Every file below `top`, in the order of their names; no link is followed, nothing outside is read."""
    yield from _walk(top, "", int(most_mb * MEGABYTE))


def _walk(top: Path, below: str, most: int) -> Iterator[Found]:
    try:
        entries = sorted(os.scandir(top / below), key=lambda entry: entry.name)
    except OSError as wrong:
        yield Found(f"{below}/", _student(below), problem=f"the folder cannot be opened: {wrong.strerror}")
        return
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if entry.name.startswith(".") or (not below and entry.name == RESULTS):
            continue
        if entry.is_symlink():
            yield Found(shown, _student(shown), problem="a link; links are not followed")
        elif entry.is_dir():
            yield from _walk(top, name, most)
        else:
            yield from _file(entry, shown, most)


def _student(name: str) -> str:
    first, below, _ = name.partition("/")
    return first if below else (first.rpartition(".")[0] or first)


def _file(entry: "os.DirEntry[str]", name: str, most: int) -> Iterator[Found]:
    try:
        about = entry.stat(follow_symlinks=False)
    except OSError as wrong:
        yield Found(name, _student(name), problem=f"it cannot be looked at: {wrong.strerror}")
        return
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - a class has thousands of files, and a Path costs more than a read
    problem = ""
    if not stat.S_ISREG(about.st_mode):
        problem = "not a file but a device, a pipe or a socket"
    elif about.st_size > most:
        problem = f"{about.st_size / MEGABYTE:,.1f} MB; at most {most / MEGABYTE:g} MB are read (--most-mb)"
    elif about.st_size == 0:
        problem = "empty"
    elif suffix != ".zip" and suffix not in SUFFIXES:
        problem = "not an attempt file (.jsonl)"
    found = Found(
        name,
        _student(name),
        about.st_size,
        about.st_mtime_ns,
        problem,
        (lambda: iter(())) if problem else lambda: _chunks_of(entry.path, about.st_size),
    )
    if suffix == ".zip" and not problem:
        yield from _members(Path(entry.path), found, most)
    else:
        yield found


def _chunks_of(path: str, size: int) -> Iterator[bytes]:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    if size < MEGABYTE:  # most are small, and a buffer of a megabyte costs more than what is in them
        try:
            yield os.read(handle, size)
        finally:
            os.close(handle)
        return
    with os.fdopen(handle, "rb") as file:
        while chunk := file.read(MEGABYTE):
            yield chunk if len(chunk) < MEGABYTE else chunk + file.readline()


def _members(path: Path, archive: Found, most: int) -> Iterator[Found]:
    def problem(text: str, member: str = "") -> Found:
        name = f"{archive.name}: {member}" if member else archive.name
        return Found(name, archive.student, archive.size, archive.changed_ns, text)

    try:
        with zipfile.ZipFile(path) as opened:
            inside = [info for info in opened.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        yield problem("not a whole zip file")
        return
    if len(inside) > MOST_MEMBERS:
        yield problem(f"{len(inside):,} files in one zip; at most {MOST_MEMBERS:,}")
        return
    sound = [info for info in inside if PurePosixPath(info.filename).suffix.lower() in SUFFIXES]
    budget = most
    for info in inside:
        member = PurePosixPath(info.filename.replace("\\", "/"))
        parts = member.parts
        shown = "".join(letter if letter.isprintable() else "?" for letter in info.filename)[:200]
        if member.name.startswith(".") or "__MACOSX" in parts:
            continue
        if member.is_absolute() or ".." in parts or (parts and ":" in parts[0]):
            yield problem("its path leads out of the zip file; it is not read", shown)
        elif info.flag_bits & 1:
            yield problem("it has a password", shown)
        elif stat.S_ISLNK(info.external_attr >> 16):
            yield problem("a link; links are not followed", shown)
        elif info not in sound:
            yield problem("not an attempt file (.jsonl)", shown)
        elif info.file_size > budget:
            yield problem(f"the zip file unpacks to more than {most / MEGABYTE:g} MB (--most-mb)", shown)
        else:
            budget -= info.file_size
            own = archive.student if len(sound) == 1 or "/" in archive.name else _student(str(member))
            yield Found(
                f"{archive.name}: {shown}",
                own,
                archive.size,
                archive.changed_ns,
                chunks=lambda info=info: _chunks_in(path, info),  # type: ignore[misc]
            )


def _chunks_in(path: Path, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """What is in a member, no more of it than it says it has."""
    left = info.file_size
    try:
        with zipfile.ZipFile(path) as opened, opened.open(info) as handle:
            while chunk := handle.read(MEGABYTE):
                if len(chunk) == MEGABYTE:
                    chunk += handle.readline(MEGABYTE)
                left -= len(chunk)
                if left < 0:
                    raise TooLong("it unpacks to more than it says")
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise TooLong("it is damaged") from None
