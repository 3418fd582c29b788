"""`lab kit make`, `lab kit check`: the folder from which a room installs the course without a network."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from labs import terminal
from labs.course import layout
from labs.errors import NOT_READY, Refusal
from labs.workshop import kit as kits

if TYPE_CHECKING:
    from labs.workshop.stock import Kind

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def kit() -> None:
    """A folder for a USB stick or the room's server: with it, the course installs without a network."""


@kit.command("make")
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="The kit's folder; default kit/.")
@click.option(
    "--only",
    multiple=True,
    metavar="KIND",
    help="Only for these machines, as in linux-x86_64-3.11 or macos-arm64; 'here': this one.",
)
@json_option
def make(to: Path | None, only: tuple[str, ...], as_json: bool) -> None:
    """Make the kit, or bring it up to date. Wants a network and about a gigabyte."""
    from labs.workshop import packing

    here = layout.find()
    kinds = _kinds(only)
    try:
        packed = packing.pack(to or here.root / "kit", kinds, here, lambda text: terminal.err.print(text, markup=False))
    except (OSError, shutil.Error) as failed:
        raise Refusal(
            f"the kit could not be written ({failed}); set that right, and run it again: what is there is not fetched twice",
            NOT_READY,
        ) from None
    if as_json:
        environments = {
            shelf.kind.name: {
                "wheels": len(shelf.files),
                "bytes": sum(file.size_bytes for _, file in shelf.files),
                "missing": [package.pinned for package in shelf.missing],
                "least": shelf.least,
            }
            for shelf in packed.shelves
        }
        terminal.emit_json(
            {"folder": packed.folder, "bytes": packed.size_bytes, "files": packed.files, "environments": environments}
            | {"built": packed.built, "notes": packed.notes}
        )
        return
    rows = []
    for shelf in packed.shelves:
        wants = ".".join(map(str, shelf.least)) or "any"
        what = "glibc" if shelf.kind.system == "linux" else "macOS"
        size_mb = sum(file.size_bytes for _, file in shelf.files) / 1e6
        rows.append((shelf.kind.name, len(shelf.files), f"{size_mb:.0f}", len(shelf.missing), f"{what} ≥ {wants}"))
    terminal.table("In the kit", ["For", "Wheels (n)", "Size (MB)", "Missing (n)", "Runs on"], rows)
    if packed.built:
        terminal.say(
            escape(f"Built here, without their parts in C, for machines that have no wheel: {', '.join(packed.built)}.")
        )
    for note in packed.notes:
        terminal.say(escape(note))
    terminal.say(escape(f"The kit is in {packed.folder}: {packed.files} files, {packed.size_bytes / 1e6:.0f} MB."))
    terminal.say("Next: copy it to a stick, or 'lab serve --room ADDRESS'; a student then runs 'make setup FROM=...'.")


def _kinds(only: tuple[str, ...]) -> "list[Kind]":
    from labs.workshop.stock import Kind

    every = [f"{platform}-{python}" for platform in kits.PLATFORMS for python in kits.PYTHONS]
    named: list[str] = []
    for name in only:
        wanted = kits.this_machine().name if name == "here" else name.replace("aarch64", "arm64")
        named += [each for each in every if each.startswith(f"{wanted}-")] or [wanted]
    return [Kind.named(name) for name in dict.fromkeys(named or every)]


@kit.command("check")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@json_option
def check(folder: Path | None, as_json: bool) -> None:
    """Is the kit whole, and is it this checkout's? Reads every file of it. Exit status 3 when not."""
    here = layout.find()
    folder = folder or here.root / "kit"
    manifest = kits.read(folder)
    kits.verify(folder, manifest, manifest.files)
    kits.require_current(manifest, here.root / kits.CONSTRAINTS)
    if as_json:
        described = {name: asdict(each) | {"wheels": len(each.wheels)} for name, each in manifest.environments.items()}
        terminal.emit_json(
            {
                "folder": folder,
                "made": manifest.made,
                "commit": manifest.commit,
                "files": len(manifest.files),
                "environments": described,
            }
        )
        return
    terminal.say(escape(f"Whole: {len(manifest.files)} files, made {manifest.made}, from commit {manifest.commit}."))
    terminal.say(escape(f"For {', '.join(manifest.environments)}."))


if __name__ == "__main__":
    import sys

    sys.exit(terminal.run(kit, "kit"))
