"""Children that die with their parent, also when the parent is killed with SIGKILL and cannot say goodbye.

The parent alone holds the write end of a pipe and never writes. Each child inherits the read end and a thread of it reads: the read
returns when the last write end is gone, which the kernel sees to however the parent died. Works alike on Linux and macOS.

This file is also the child's entry point (`python lifeline.py FD -m module ...`). It imports only what Python always has, since the
child's path may hold a learner's function and nothing of ours.
"""

import os
import runpy
import signal
import sys
import threading


def hold(read_fd: int, *, kill_group: bool) -> None:
    """Watch `read_fd` from a thread; when its writer is gone, end this process (and with `kill_group` its whole process group) at once."""

    def watch() -> None:
        while os.read(read_fd, 1):
            pass
        if kill_group:
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os._exit(1)

    os.set_inheritable(read_fd, False)
    threading.Thread(target=watch, name="lifeline", daemon=True).start()


class Lifeline:
    """The parent's side: one pipe for any number of children."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def spawn(self, python_args, **popen):  # type: ignore[no-untyped-def]  # typed in Context.spawn; typing's cost is not for a function's cold start
        """Start `python <python_args>` on this lifeline, as the leader of its own process group."""
        import subprocess

        return subprocess.Popen(
            [sys.executable, __file__, str(self._read), *python_args],
            pass_fds=(*popen.pop("pass_fds", ()), self._read),
            process_group=0,
            **popen,
        )

    def close(self) -> None:
        """Cut it: every child that is still alive ends now."""
        os.close(self._write)
        os.close(self._read)


def main() -> None:
    """Be the Python that was asked for: `FD -m module args...` or `FD script args...`."""
    read_fd, *args = sys.argv[1:]
    hold(int(read_fd), kill_group=True)
    if args[0] == "-m":
        sys.path[0] = os.getcwd()  # noqa: PTH109 - as `python -m` does; here stood this file's folder, whose names are not for the child
        sys.argv = args[1:]
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = args
        runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    main()
