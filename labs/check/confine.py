"""A process that sees little and can reach nothing: what a submission runs in.

    walls = confine.available()                 # what this machine can do
    confine.own_network(walls)                  # this process, and those it starts: loopback, and nothing else
    child = confine.start(walls, view, limits, function)   # function() in a process tree of its own, with files of its own
    child.end()                                 # all of the tree, whatever it has done to stay

On Linux this is done with user, network, mount and process namespaces, which need no privileges where the system lets users have them.
Where it does not, and on macOS, resource limits and process groups are left; `missing` says in words what is then not confined.
"""

import ctypes
import fcntl
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
BIND, RECURSIVE, PRIVATE, NO_SUID, NO_DEVICES, NO_EXEC = 0x1000, 0x4000, 0x40000, 2, 4, 8
DETACH = 2
MOUNT_SETATTR, AT_CURRENT, AT_RECURSIVE, READ_ONLY_ATTRIBUTES = 442, -100, 0x8000, 1 | 2 | 4
PARENT_DEATH_SIGNAL, NO_NEW_PRIVILEGES, SUBREAPER = 1, 38, 36
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt/homebrew")
SETTINGS = (
    "hosts",
    "nsswitch.conf",
    "ld.so.cache",
    "localtime",
    "passwd",
    "group",
    "ssl",
    "mime.types",
    "alternatives",
)
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL")
DEVICES = ("null", "zero", "full", "random", "urandom")


@dataclass(frozen=True)
class Walls:
    """What this machine can confine."""

    namespaces: bool
    why_not: str = ""

    def missing(self) -> list[str]:
        """In words, what a submission is not kept from; empty when nothing is missing."""
        if self.namespaces:
            return []
        kept = ["files: a submission can read yours, the labs' solutions among them, and write to them"]
        kept.append("network: a submission can reach whatever this machine reaches")
        if not sys.platform.startswith("linux"):
            kept.append("processes and memory: one that leaves its process group may go on after its submission")
        return [f"{each} ({self.why_not})" for each in kept]


@dataclass(frozen=True)
class View:
    """The files that a confined process sees: some of ours to read, and a little room in memory to write in."""

    stage: Path
    """An empty folder outside, under which the view is put together; nothing is ever written into it."""
    read: Sequence[Path]
    hidden: Sequence[Path]
    """Folders inside those of `read` that look empty."""
    home: Path
    """Where it may write, and starts. Without namespaces it is a real folder."""
    room_mb: int = 256


@dataclass(frozen=True)
class Limits:
    """What one confined process may use."""

    cpu_s: int = 600
    memory_mb: int = 4096
    file_mb: int = 256
    open_files: int = 1024


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> None:
    if getattr(_libc(), name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def available() -> Walls:
    """Try it, in a child: this process stays as it is."""
    if not sys.platform.startswith("linux"):
        return Walls(False, f"{sys.platform} has no namespaces")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            walls = Walls(True)
            own_network(walls)
            _call("unshare", NEW_MOUNTS | NEW_PROCESSES | NEW_IPC)
            _mount(None, Path("/"), None, PRIVATE | RECURSIVE)
            scratch = Path("/tmp")
            _mount("tmpfs", scratch, "tmpfs", NO_SUID | NO_DEVICES, "size=1m")
            inside = scratch / "usr"
            inside.mkdir()
            _bind(Path("/usr"), inside)
        except (OSError, AttributeError) as refused:
            os.write(write, str(refused).encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 1000).decode()
    os.close(read)
    os.waitpid(child, 0)
    return Walls(not said, f"no namespaces here: {said}" if said else "")


def own_network(walls: Walls) -> None:
    """Give this process, which must have one thread only, a network of its own: loopback and nothing else."""
    if not walls.namespaces:
        return
    user, group = os.getuid(), os.getgid()
    _call("unshare", NEW_USER | NEW_NETWORK)
    with suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket() as any_socket:
        up_and_running = struct.pack("16sh22x", b"lo", 1 | 64)
        fcntl.ioctl(any_socket, 0x8914, up_and_running)


def _mount(source: str | None, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [None if text is None else text.encode() for text in (source, str(target), kind, options)]
    _call("mount", texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])


def _bind(source: Path, target: Path) -> None:
    """`source` at `target`, to be read only, with all that is mounted below it."""
    _mount(str(source), target, None, BIND | RECURSIVE)
    attributes = struct.pack("4Q", READ_ONLY_ATTRIBUTES & ~(0 if target.is_dir() else 4), 0, 0, 0)
    _call(
        "syscall",
        ctypes.c_long(MOUNT_SETATTR),
        ctypes.c_int(AT_CURRENT),
        str(target).encode(),
        ctypes.c_uint(AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )


def _see_only(view: View) -> None:
    """Exchange the whole file system for the view. For a process in mount and process namespaces of its own."""
    root = view.stage
    _mount(None, Path("/"), None, PRIVATE | RECURSIVE)
    _mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEVICES, f"size={view.room_mb}m,nr_inodes=50000,mode=755")
    for source in _outermost([*map(Path, SYSTEM), *view.read]):
        _show(source, root)
    (root / "etc").mkdir(exist_ok=True)
    for name in SETTINGS:
        _show(Path("/etc") / name, root)
    (root / "dev").mkdir()
    for name in DEVICES:
        _show(Path("/dev") / name, root)
    for folder in (root / "dev" / "shm", root / "tmp", root / "proc", root / "var" / "tmp", root / ".old"):
        folder.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # a container may forbid it; Python does without
        _mount("proc", root / "proc", "proc", NO_SUID | NO_DEVICES | NO_EXEC)
    for folder in view.hidden:
        if (at := root / folder.relative_to("/")).is_dir():
            _mount("tmpfs", at, "tmpfs", NO_SUID | NO_DEVICES | 1, "size=4k")
    (root / view.home.relative_to("/")).mkdir(parents=True, exist_ok=True)
    _call("pivot_root", str(root).encode(), str(root / ".old").encode())
    os.chdir("/")
    _call("umount2", b"/.old", DETACH)
    Path("/.old").rmdir()


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """Those that exist and lie in no other of them."""
    there = sorted({path for path in paths if path.exists()}, key=lambda path: len(path.parts))
    kept: list[Path] = []
    for path in there:
        if not any(path.is_relative_to(other) for other in kept if not other.is_symlink()):
            kept.append(path)
    return kept


def _show(source: Path, root: Path) -> None:
    """`source` at the same place under `root`; a link stays a link."""
    target = root / source.relative_to("/")
    if not source.exists() or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink() and source.resolve().is_relative_to("/usr"):
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir()
        _bind(source, target)
    else:
        target.touch()
        _bind(source, target)


def _give_up_powers() -> None:
    """No capability is left, and none can be won: what is mounted stays mounted."""
    _call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    header, none = struct.pack("Ii", 0x20080522, 0), bytes(24)
    _call("capset", header, none)


def _forget_environment() -> None:
    """Whoever grades has secrets in the environment; of it only what programs need to be found and to speak is kept."""
    for name in set(os.environ) - set(KEPT_VARIABLES):
        del os.environ[name]
    for name in KEPT_VARIABLES:
        if name in os.environ:
            os.environ[name] = os.environ[name]  # written anew, elsewhere
    # /proc/self/environ still shows what this process was started with.
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[47]), int(fields[48])
        if 0 < start < end:
            ctypes.memset(start, 0, end - start)


def _die_with_parent() -> None:
    if sys.platform.startswith("linux"):
        _call("prctl", PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _apply(limits: Limits) -> None:
    megabyte = 1024 * 1024
    grown = _size_mb()
    wanted = {
        resource.RLIMIT_CPU: (limits.cpu_s, limits.cpu_s + 2),
        resource.RLIMIT_AS: ((limits.memory_mb + grown) * megabyte,) * 2,
        resource.RLIMIT_FSIZE: (limits.file_mb * megabyte,) * 2,
        resource.RLIMIT_NOFILE: (limits.open_files,) * 2,
        resource.RLIMIT_CORE: (0, 0),
    }
    for what, (soft, hard) in wanted.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (soft, hard))


def _size_mb() -> int:
    """This process's address space as it is."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() // (1024 * 1024)
    return 0


@dataclass
class Child:
    """A confined process tree."""

    waiter: int
    """The process that waits for the tree's first, or that first itself."""
    first: int
    handle: int | None
    """A descriptor of the first, so that nobody who has been given its number since is ended in its place."""
    walls: Walls
    status: int | None = None

    def ended(self) -> bool:
        """Has the first process ended? In a process namespace that ends all of them."""
        if self.status is None:
            pid, status = os.waitpid(self.waiter, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def end(self, spare: Sequence[int] = ()) -> None:
        """End all of the tree, and wait until it is gone. Without namespaces its strays are among our own children: all but `spare`."""
        if self.walls.namespaces:
            if self.handle is not None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        else:
            mine = [pid for pid in children(os.getpid()) if pid not in spare]
            for pid in [each for child in mine for each in tree(child)]:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.first, signal.SIGKILL)
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.waiter, 0)[1])
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None


def start(
    walls: Walls,
    view: View,
    limits: Limits | None,
    function: Callable[[], None],
    *,
    keep: Sequence[int] = (),
    output: int | None = None,
) -> Child:
    """Run `function` in a confined process tree; its end ends the tree. Of our open files it has those in `keep`, and `output` as 1 and 2."""
    told, tell = os.pipe()
    waiter = os.fork()
    if waiter == 0:
        try:
            _die_with_parent()
            os.close(told)
            if walls.namespaces:
                _call("unshare", NEW_MOUNTS | NEW_PROCESSES | NEW_IPC)
                first = os.fork()
            else:
                os.setpgid(0, 0)
                first = 0
            if first == 0:
                _be_first(walls, view, limits, function, keep, output, tell)
            os.write(tell, str(first).encode())
            _close_all_but(())
            os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
        except BaseException as failed:
            os.write(2, f"confine: {failed}\n".encode())
        finally:
            os._exit(70)
    os.close(tell)
    said = os.read(told, 20)
    os.close(told)
    first = int(said) if said else waiter
    handle = None
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):
            handle = os.pidfd_open(first)
    return Child(waiter, first, handle, walls)


def _be_first(
    walls: Walls,
    view: View,
    limits: Limits | None,
    function: Callable[[], None],
    keep: Sequence[int],
    output: int | None,
    tell: int,
) -> None:
    try:
        if walls.namespaces:
            _die_with_parent()
        else:
            os.write(tell, str(os.getpid()).encode())
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        for stream in (1, 2):
            os.dup2(nothing if output is None else output, stream)
        _close_all_but(keep)
        if walls.namespaces:
            _see_only(view)
            _give_up_powers()
        view.home.mkdir(parents=True, exist_ok=True)
        os.chdir(view.home)
        if limits is not None:
            _apply(limits)
        _forget_environment()
        function()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    except BaseException as failed:
        os.write(2, f"confine: {type(failed).__name__}: {failed}\n".encode())
    finally:
        os._exit(70)


def _close_all_but(keep: Sequence[int]) -> None:
    edges = [2, *sorted(keep), os.sysconf("SC_OPEN_MAX")]
    for low, high in pairwise(edges):
        os.closerange(low + 1, high)


def adopt_strays() -> None:
    """Become the parent of whatever this process's descendants leave behind, so that it can be ended."""
    if sys.platform.startswith("linux"):
        _call("prctl", SUBREAPER, 1, 0, 0, 0)


def children(pid: int) -> list[int]:
    """A process's children (Linux; elsewhere none are found)."""
    with suppress(OSError, ValueError):
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    return []


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for each in found:
        found += children(each)
    return found


def used_mb(processes: Sequence[int], above_mb: float) -> float:
    """Memory that processes take (Linux; elsewhere 0). Where a first count, which takes forks' common pages several times, is not above
    `above_mb` it is the answer; else each page is shared out among those who have it, which takes longer to find out."""
    counted = sum(_resident_mb(pid) for pid in processes)
    return counted if counted <= above_mb else sum(_share_mb(pid) for pid in processes)


def _resident_mb(pid: int) -> float:
    with suppress(OSError, ValueError):
        _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
        return (resident - shared) * resource.getpagesize() / (1024 * 1024)
    return 0.0


def _share_mb(pid: int) -> float:
    """A process's proportional share of what it maps; all of it, where it hides which pages those are."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) / 1024
    return _resident_mb(pid)


def readable(descriptors: Sequence[int], timeout_s: float) -> list[int]:
    """Those that have something to read, or have ended."""
    return select.select(descriptors, [], [], timeout_s)[0]
