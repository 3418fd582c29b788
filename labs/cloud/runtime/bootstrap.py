"""What an execution environment's process runs: the official runtime interface client on the function's code, and nothing of ours in reach.

    python bootstrap.py PACKAGES     (LAMBDA_TASK_ROOT, _HANDLER and AWS_LAMBDA_RUNTIME_API stand in the environment)

A function may import what it brought, what its layers brought, the standard library and what Lambda's Python runtime has (PACKAGES).
An import that happens to work because the developer's machine has the package would fail on AWS, so it fails here.

A wrapper script (AWS_LAMBDA_EXEC_WRAPPER) runs in place of this and gets this as its arguments, as on AWS:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
"""

# ruff: noqa: PTH118, PTH120 - pathlib would lengthen every cold start

import os
import sys

PATH_ENTRY_FINDERS = ("BuiltinImporter", "FrozenImporter", "PathFinder")


def search_path(packages: str) -> list[str]:
    """Where imports are looked for, in Lambda's order."""
    standard_library = os.path.dirname(os.__file__)
    beside = os.path.dirname(standard_library)
    own = [
        entry
        for entry in sys.path
        if entry == standard_library
        or entry == os.path.join(standard_library, "lib-dynload")
        or (entry.startswith(beside) and entry.endswith(".zip"))
    ]
    layers = os.path.join(os.path.dirname(os.environ["LAMBDA_TASK_ROOT"]), "opt", "python")
    return [os.environ["LAMBDA_TASK_ROOT"], layers, *own, packages]


def on_this_machine(path: str) -> str:
    """Where a file lies whose place on Lambda is `path`: the function's code is not in /var/task here, nor its layers in /opt."""
    task = os.environ["LAMBDA_TASK_ROOT"]
    for there, here in (("/var/task", task), ("/opt", os.path.join(os.path.dirname(task), "opt"))):
        if path == there or path.startswith(f"{there}/"):
            return here + path[len(there) :]
    return path


def run_wrapper(wrapper: str, packages: str) -> int:
    """Run the function's own wrapper and return its exit status. It ends with this process, whose group it is in."""
    import subprocess

    environment = {**os.environ, "PYTHONPATH": packages, "LAMBDA_RUNTIME_DIR": packages}
    # The interpreter that the virtual environment was made of: what is installed for the course is not for the function.
    python = getattr(sys, "_base_executable", None) or sys.executable
    try:
        return subprocess.run([on_this_machine(wrapper), python, __file__, packages], env=environment).returncode
    except OSError as failed:
        print(f"{wrapper}: {failed.strerror}", flush=True)
        return 126


def main() -> None:
    packages = sys.argv[1]
    if wrapper := os.environ.pop("AWS_LAMBDA_EXEC_WRAPPER", None):
        os._exit(run_wrapper(wrapper, packages) % 256)
    sys.path[:] = search_path(packages)
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") in PATH_ENTRY_FINDERS]
    sys.path_importer_cache.clear()
    handler = os.environ["_HANDLER"]
    sys.argv[:] = ["bootstrap", handler]
    from awslambdaric.__main__ import main as run

    run(sys.argv)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
