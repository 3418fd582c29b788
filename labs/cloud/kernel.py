"""The course's own Jupyter kernels: one that can only talk to the local cloud, and one named for real AWS.

    python -m labs.cloud.kernel install      # both, into this virtual environment

Safety sits in the kernel, not in a notebook's first cell: a kernel that was restarted and whose first cell was skipped is still local. The
kernel's own file carries an environment that leads nowhere but here, and `launch` scrubs whatever else the notebook server's environment
held, starts the local cloud if it is not up, and then becomes an ordinary Python kernel.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from labs.cloud import environment
from labs.errors import Refusal

LOCAL, REAL = "deployment-dilemma", "deployment-dilemma-real"


def specification(*, real: bool) -> dict[str, object]:
    """A kernelspec's content."""
    from labs.cloud.server import DEFAULT_PORT

    name = "The Deployment Dilemma (REAL AWS: costs money)" if real else "The Deployment Dilemma (local cloud)"
    flags = ["--real"] if real else []
    return {
        # -P: no module of the notebook's folder takes the place of one of Python's or ours while the kernel starts.
        "argv": [sys.executable, "-P", "-m", "labs.cloud.kernel", "launch", *flags, "-f", "{connection_file}"],
        "display_name": name,
        "language": "python",
        "metadata": {"debugger": True},
        # Should anything ever start this kernel without `launch`, it still ends at loopback and with no credentials.
        "env": {} if real else environment.closed_environment(f"http://127.0.0.1:{DEFAULT_PORT}"),
    }


def install(prefix: str = sys.prefix) -> list[Path]:
    """Put both kernelspecs under `prefix`; returns their folders."""
    from jupyter_client.kernelspec import KernelSpecManager

    folders = []
    for name, real in ((LOCAL, False), (REAL, True)):
        with tempfile.TemporaryDirectory() as draft:
            (Path(draft) / "kernel.json").write_text(json.dumps(specification(real=real), indent=2) + "\n")
            _copy_icons(Path(draft))
            folders.append(Path(KernelSpecManager().install_kernel_spec(draft, name, prefix=prefix)))
    return folders


def _copy_icons(folder: Path) -> None:
    import ipykernel

    for icon in (Path(ipykernel.__file__).parent / "resources").glob("logo-*"):
        shutil.copy(icon, folder)


def launch(arguments: list[str]) -> None:
    """Become a kernel; `arguments` are ipykernel's, with `--real` before them for real AWS."""
    real = arguments[:1] == ["--real"]
    if real:
        environment.choose_real()
    else:
        _go_local()
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher", *arguments[1 if real else 0 :]]
    # Notebooks import from their own folder; as in IPython without -P, after the standard library and before installed packages.
    packages = (i for i, path in enumerate(sys.path) if Path(path).name in ("site-packages", "dist-packages"))
    sys.path.insert(next(packages, len(sys.path)), "")
    IPKernelApp.launch_instance()


def _go_local() -> None:
    try:
        environment.connect(real=False)
    except Refusal as refusal:
        # No cloud, but still closed: calls fail at loopback, and `connect()` says why.
        from labs.cloud.server import DEFAULT_PORT

        environment.enter(f"http://127.0.0.1:{DEFAULT_PORT}")
        print(f"deployment-dilemma: {refusal}", file=sys.stderr)


def main() -> None:
    """`python -m labs.cloud.kernel install | launch [--real] -f FILE`."""
    match sys.argv[1:]:
        case ["install"]:
            for folder in install():
                print(folder)
        case ["launch", *arguments]:
            launch(arguments)
        case _:
            sys.exit("usage: python -m labs.cloud.kernel install")


if __name__ == "__main__":
    main()
