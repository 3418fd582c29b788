"""A kit that is wrong is refused in one sentence that says what to do; which wheels go into one, and what is built for it."""

import asyncio
import hashlib
import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

import labs
from labs import terminal
from labs.cli import cli
from labs.course.layout import Layout
from labs.errors import NOT_READY, USAGE, Refusal
from labs.workshop import fetching, kit, packing, room, stock
from labs.workshop.kit import Machine
from labs.workshop.stock import File, Kind, Package, Workbench

ROOT = Path(labs.__file__).resolve().parents[1]
HERE = Machine("linux", "x86_64", "3.12", (2, 31))
CONSTRAINTS = "one==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\ntwo==2.0 ; python_full_version < '3.13' \\\n    --hash=sha256:cc\n"


@pytest.fixture
def constraints(tmp_path: Path) -> Path:
    path = tmp_path / "constraints.txt"
    path.write_text(CONSTRAINTS)
    return path


@pytest.fixture
def folder(tmp_path: Path, constraints: Path) -> Path:
    """A small kit, on a stick whose name has a blank in it."""
    folder = tmp_path / "NO NAME" / "kit"
    (folder / "wheels").mkdir(parents=True)
    for name in (
        "one-1.0-py3-none-any.whl",
        "two-2.0-cp312-cp312-manylinux_2_28_x86_64.whl",
        "pip-26.3-py3-none-any.whl",
    ):
        (folder / "wheels" / name).write_text(name)
    (folder / "constraints.txt").write_text(CONSTRAINTS)
    wheels = sorted(path.name for path in (folder / "wheels").iterdir())
    files = {
        path.relative_to(folder).as_posix(): {"sha256": kit.digest(path), "size_bytes": path.stat().st_size}
        for path in folder.rglob("*")
        if path.is_file()
    }
    write(
        folder,
        {
            "format": kit.FORMAT,
            "made": "2026-11-02T08:00:00+00:00",
            "version": "0.1.0",
            "commit": "abcdef123456",
            "constraints_sha256": kit.digest(constraints),
            "pip": "pip-26.3-py3-none-any.whl",
            "environments": {
                "linux-x86_64-3.12": {"wheels": wheels[:1] + wheels[2:], "missing": [], "least": [2, 28]},
                "linux-x86_64-3.11": {"wheels": wheels[:1], "missing": ["two==2.0"], "least": []},
                "macos-arm64-3.12": {"wheels": wheels[:1], "missing": [], "least": [12, 0]},
            },
            "files": files,
        },
    )
    return folder


def write(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change(folder: Path, **values: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    write(folder, manifest | values)


class TestChecking:
    def test_a_good_kit_says_what_to_install(self, folder: Path, constraints: Path, tmp_path: Path) -> None:
        venv = tmp_path / "venv"
        wheels = kit.prepare(str(folder), venv, constraints, HERE)
        assert wheels == folder / "wheels"
        assert (venv / "kit" / "wheels.txt").read_text() == f"{wheels}\n"
        assert (venv / "kit" / "requirements.txt").read_text() == CONSTRAINTS
        pip = hashlib.sha256(b"pip-26.3-py3-none-any.whl").hexdigest()
        assert (venv / "kit" / "pip.txt").read_text() == f"pip==26.3 --hash=sha256:{pip}\n"

    def test_what_a_kit_could_not_have_is_left_out_and_said(
        self, folder: Path, constraints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        kit.prepare(str(folder), tmp_path / "venv", constraints, replace(HERE, python="3.11"))
        assert "two" not in (tmp_path / "venv" / "kit" / "requirements.txt").read_text()
        assert "this kit has no two==2.0 for linux-x86_64-3.11" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("machine", "says"),
        [
            (
                replace(HERE, python="3.13"),
                "for Python 3.11 or 3.12 on linux-x86_64, and this is Python 3.13; .* PYTHON=python3.12",
            ),
            (replace(HERE, python="3.13t"), "this is Python 3.13t"),
            (replace(HERE, python="3.11-pypy"), "this is Python 3.11-pypy"),
            (
                replace(HERE, processor="arm64"),
                'this machine is linux-arm64; .*make kit ARGS="--only linux-arm64-3.12"',
            ),
            (replace(HERE, system="freebsd"), "for linux-x86_64 or macos-arm64, and this machine is freebsd-x86_64"),
            (replace(HERE, system_version=None), "another C library than glibc"),
            (
                replace(HERE, system_version=(2, 17)),
                r"want the C library \(glibc\) 2.28 or newer, and this machine has 2.17",
            ),
            (Machine("macos", "arm64", "3.12", (11, 7)), "want macOS 12.0 or newer, and this machine has 11.7"),
        ],
    )
    def test_a_kit_for_other_machines_says_for_which(self, folder: Path, machine: Machine, says: str) -> None:
        with pytest.raises(Refusal, match=says) as refused:
            kit.for_machine(kit.read(folder), machine)
        assert refused.value.exit_status == NOT_READY

    def test_a_newer_system_than_the_least_is_well(self, folder: Path) -> None:
        for version in ((2, 28), (2, 100), (3, 0)):
            assert kit.for_machine(kit.read(folder), replace(HERE, system_version=version)).missing == ()

    def test_a_stale_kit_is_refused_with_where_its_own_source_is(
        self, folder: Path, constraints: Path, tmp_path: Path
    ) -> None:
        constraints.write_text(CONSTRAINTS.replace("1.0", "1.1"))
        with pytest.raises(
            Refusal, match=r"of 2026-11-02, .* another version of the course .*deployment-dilemma\.tar\.gz"
        ):
            kit.prepare(str(folder), tmp_path / "venv", constraints, HERE)

    def test_an_incomplete_kit_names_what_it_lacks(self, folder: Path, constraints: Path, tmp_path: Path) -> None:
        (folder / "wheels" / "one-1.0-py3-none-any.whl").unlink()
        with pytest.raises(Refusal, match=r"lacks wheels/one-1\.0-py3-none-any\.whl; copy the kit again"):
            kit.prepare(str(folder), tmp_path / "venv", constraints, HERE)
        (folder / "constraints.txt").unlink()
        with pytest.raises(Refusal, match=r"lacks constraints\.txt \(and 1 more\)"):
            kit.prepare(str(folder), tmp_path / "venv", constraints, HERE)

    @pytest.mark.parametrize("content", ["one-1.0-py3-none-any.whL", "", "longer than it was before it was copied"])
    def test_a_damaged_file_is_named(self, folder: Path, constraints: Path, tmp_path: Path, content: str) -> None:
        (folder / "wheels" / "one-1.0-py3-none-any.whl").write_text(content)
        with pytest.raises(
            Refusal, match=r"damaged on its way: wheels/one-1\.0-py3-none-any\.whl is not what the manifest says"
        ):
            kit.prepare(str(folder), tmp_path / "venv", constraints, HERE)

    def test_another_machines_damaged_wheel_stops_nobody(self, folder: Path, constraints: Path, tmp_path: Path) -> None:
        (folder / "wheels" / "two-2.0-cp312-cp312-manylinux_2_28_x86_64.whl").write_text("damaged")
        kit.prepare(str(folder), tmp_path / "venv", constraints, replace(HERE, python="3.11"))

    def test_a_folder_that_is_none(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(Refusal, match="there is no kit at"):
            kit.read(tmp_path / "nowhere")
        (folder / "manifest.json").unlink()
        with pytest.raises(Refusal, match=r"has no manifest\.json: it is no kit, or one that was not finished"):
            kit.read(folder)

    @pytest.mark.parametrize(
        ("values", "says"),
        [
            ({"format": 2}, r"of format 2, and this checkout reads format 1; use the source that is in the kit"),
            ({"environments": []}, "damaged"),
            ({"pip": "pip-99-py3-none-any.whl"}, r"damaged \(pip-99-py3-none-any\.whl has no digest\)"),
            ({"files": {"../../.bashrc": {"sha256": "", "size_bytes": 1}}}, "damaged .*no path inside a kit"),
            ({"files": {"/etc/passwd": {"sha256": "", "size_bytes": 1}}}, "damaged .*no path inside a kit"),
            ({"files": {"a/./b": {"sha256": "", "size_bytes": 1}}}, "damaged .*no path inside a kit"),
            ({"files": {"a": {"sha256": ""}}}, "damaged"),
        ],
    )
    def test_a_manifest_that_cannot_be_meant_is_refused(
        self, folder: Path, values: dict[str, object], says: str
    ) -> None:
        change(folder, **values)
        with pytest.raises(Refusal, match=says):
            kit.read(folder)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 1}'])
    def test_a_manifest_cut_short_is_refused(self, folder: Path, content: bytes) -> None:
        (folder / "manifest.json").write_bytes(content)
        with pytest.raises(Refusal, match="damaged"):
            kit.read(folder)

    def test_a_folder_of_wheels_without_a_manifest_is_taken_as_it_is(
        self, folder: Path, constraints: Path, tmp_path: Path
    ) -> None:
        venv = tmp_path / "venv"
        kit.prepare(str(folder), venv, constraints, HERE)  # notes of an earlier try go
        assert kit.prepare(str(folder / "wheels"), venv, constraints, HERE) == folder / "wheels"
        assert [path.name for path in (venv / "kit").iterdir()] == ["wheels.txt"]

    def test_it_needs_nothing_but_python_and_says_one_sentence(self, folder: Path, tmp_path: Path) -> None:
        """As `make setup` runs it: no site-packages (-S), in the checkout."""
        command = [sys.executable, "-S", "-m", "labs.workshop.kit", str(folder), str(tmp_path / "venv")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (NOT_READY, "")
        assert done.stderr.startswith("setup: this kit, of 2026-11-02, was made for another version of the course")
        assert done.stderr.count("\n") == 1

    def test_what_cannot_be_written_is_one_sentence(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        change(folder, constraints_sha256=kit.digest(ROOT / "constraints.txt"))
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(kit, "this_machine", lambda: HERE)
        (tmp_path / "venv").write_text("in the way")
        assert kit.main([str(folder), str(tmp_path / "venv")]) == NOT_READY
        assert "could not be read or written: Not a directory" in capsys.readouterr().err

    def test_this_machine_is_told_by_what_wheels_ask(self) -> None:
        machine = kit.this_machine()
        assert machine.python.startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
        assert machine.platform.count("-") == 1

    def test_the_command_reads_every_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        change(folder, constraints_sha256=kit.digest(ROOT / "constraints.txt"))
        assert terminal.run(cli, "lab", ["kit", "check", str(folder), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["files"] == 4
        (folder / "wheels" / "two-2.0-cp312-cp312-manylinux_2_28_x86_64.whl").write_text("damaged")
        assert terminal.run(cli, "lab", ["kit", "check", str(folder)]) == NOT_READY
        assert "damaged on its way" in " ".join(capsys.readouterr().err.split())


class TestFetching:
    """From the room's server, which holds the kit."""

    def served(
        self, folder: Path, tmp_path: Path, constraints: Path, *, path: str = "kit/", then: str = ""
    ) -> list[str]:
        """Prepare from a server's kit, and once more; returns what was asked for the second time."""
        asked: list[str] = []

        async def run() -> None:
            app = room.application(tmp_path / "room", kit=folder, parts=())

            async def note(request: Any, _: Any) -> None:
                asked.append(request.path)

            app.on_response_prepare.append(note)
            async with TestServer(app) as server:
                address = str(server.make_url(f"/{path}"))
                await asyncio.to_thread(kit.prepare, address, tmp_path / "venv", constraints, HERE)
                asked.clear()
                if then:
                    (tmp_path / "venv" / "kit" / then).write_text("half")
                await asyncio.to_thread(kit.prepare, address, tmp_path / "venv", constraints, HERE)

        asyncio.run(run())
        return asked

    def test_it_fetches_what_this_machine_wants_and_that_once(
        self, folder: Path, tmp_path: Path, constraints: Path
    ) -> None:
        assert self.served(folder, tmp_path, constraints) == ["/kit/manifest.json"]
        assert len(list((tmp_path / "venv" / "kit" / "wheels").iterdir())) == 3

    def test_what_was_cut_short_is_fetched_again(self, folder: Path, tmp_path: Path, constraints: Path) -> None:
        wheel = "wheels/one-1.0-py3-none-any.whl"
        assert self.served(folder, tmp_path, constraints, then=wheel) == ["/kit/manifest.json", f"/kit/{wheel}"]

    def test_what_the_server_changed_is_refused(self, folder: Path, tmp_path: Path, constraints: Path) -> None:
        (folder / "wheels" / "one-1.0-py3-none-any.whl").write_text("something else, and longer than it was")
        with pytest.raises(Refusal, match="is not what the manifest says"):
            self.served(folder, tmp_path, constraints)

    def test_a_wrong_address_is_one_sentence(self, folder: Path, tmp_path: Path, constraints: Path) -> None:
        with pytest.raises(Refusal, match="answers 404; ask the instructor for the kit's address"):
            self.served(folder, tmp_path, constraints, path="kitt")
        with pytest.raises(Refusal, match=r"cannot be reached .*is this machine in the room's network\?"):
            fetching.fetch("http://127.0.0.1:9/kit", tmp_path / "to", constraints, HERE)


def file(name: str, url: str = "https://index.example/") -> File:
    return File(name, hashlib.sha256(name.encode()).hexdigest(), len(name), url + name if url else "")


def package(
    name: str, *wheels: str, version: str = "1.0", marker: str | None = None, sdist: File | None = None
) -> Package:
    return Package(name, version, marker, tuple(file(each) for each in wheels), sdist)


LINUX, MAC, INTEL_MAC = Kind.named("linux-x86_64-3.12"), Kind.named("macos-arm64-3.12"), Kind.named("macos-x86_64-3.11")


class TestChoosing:
    @pytest.mark.parametrize(
        ("kind", "wheels", "chosen", "least"),
        [
            (LINUX, ["a-1-py3-none-any.whl"], 0, ()),
            (
                LINUX,
                ["a-1-py3-none-any.whl", "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"],
                1,
                (2, 17),
            ),
            (
                LINUX,
                ["a-1-cp38-abi3-manylinux_2_28_x86_64.whl", "a-1-cp313-cp313-manylinux_2_17_x86_64.whl"],
                0,
                (2, 28),
            ),
            (LINUX, ["a-1-cp312-cp312-manylinux_2_35_x86_64.whl"], 0, (2, 35)),
            (
                LINUX,
                ["a-1-cp312-cp312-manylinux_2_35_x86_64.whl", "a-1-cp38-abi3-manylinux_2_17_x86_64.whl"],
                1,
                (2, 17),
            ),
            (
                LINUX,
                ["a-1-cp312-cp312-musllinux_1_2_x86_64.whl", "a-1-cp312-cp312-manylinux_2_28_aarch64.whl"],
                None,
                None,
            ),
            (Kind.named("linux-aarch64-3.11"), ["a-1-cp311-cp311-manylinux2014_aarch64.whl"], 0, (2, 17)),
            (MAC, ["a-1-cp312-cp312-macosx_11_0_arm64.whl", "a-1-cp312-cp312-macosx_10_9_x86_64.whl"], 0, (11, 0)),
            (MAC, ["a-1-cp312-cp312-macosx_14_0_arm64.whl"], 0, (14, 0)),
            (MAC, ["a-1-cp312-cp312-macosx_10_13_universal2.whl"], 0, (10, 13)),
            (INTEL_MAC, ["a-1-cp311-cp311-macosx_11_0_arm64.whl"], None, None),
            (INTEL_MAC, ["a-1-cp311-cp311-macosx_11_0_universal2.whl"], 0, (11, 0)),
            (LINUX, ["a-1-cp312-cp312t-manylinux_2_28_x86_64.whl", "not a wheel.whl"], None, None),
        ],
    )
    def test_the_best_wheel_that_runs_on_the_oldest_system(
        self, kind: Kind, wheels: list[str], chosen: int | None, least: tuple[int, ...] | None
    ) -> None:
        found = kind.choose([file(name) for name in wheels])
        if chosen is None:
            assert found is None
        else:
            assert found is not None
            assert (found[0].name, found[1]) == (wheels[chosen], least)

    @pytest.mark.parametrize(
        ("name", "marker", "fits"),
        [
            ("linux-x86_64-3.11", "sys_platform == 'linux' and platform_machine == 'x86_64'", True),
            ("linux-arm64-3.11", "platform_machine == 'aarch64'", True),
            ("macos-arm64-3.11", "platform_machine == 'arm64' and sys_platform == 'darwin'", True),
            ("macos-x86_64-3.13", "sys_platform == 'linux'", False),
            ("linux-x86_64-3.13", "python_full_version < '3.12'", False),
            ("linux-x86_64-3.11", "python_full_version < '3.11.5'", True),
            ("linux-x86_64-3.11", "python_full_version >= '3.11.5'", True),
            ("linux-x86_64-3.11", "platform_python_implementation != 'CPython'", False),
            ("linux-x86_64-3.11", "os_name == 'nt' or sys_platform == 'win32'", False),
        ],
    )
    def test_markers_are_those_of_the_other_machine(self, name: str, marker: str, fits: bool) -> None:
        assert Kind.named(name).fits(marker) is fits

    @pytest.mark.parametrize(
        "name", ["windows-x86_64-3.11", "linux-x86_64", "linux-x86_64-3.10", "linux-riscv64-3.12", ""]
    )
    def test_no_kit_is_made_for_anything_else(self, name: str) -> None:
        with pytest.raises(Refusal, match="a kit is made for linux-x86_64") as refused:
            Kind.named(name)
        assert refused.value.exit_status == USAGE

    def test_a_plan_says_what_is_missing_and_takes_what_was_built(self) -> None:
        packages = [
            package("pure", "pure-1.0-py3-none-any.whl"),
            package("built"),
            package("native", "native-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"),
            package("windows", marker="sys_platform == 'win32'"),
        ]
        made = file("built-1.0-py3-none-any.whl", "")
        linux, mac = stock.plan(packages, [LINUX, MAC], lambda each: made if each.name == "built" else None)
        assert [each.name for _, each in linux.files] == [
            "pure-1.0-py3-none-any.whl",
            "built-1.0-py3-none-any.whl",
            "native-1.0-cp312-cp312-manylinux_2_28_x86_64.whl",
        ]
        assert (linux.least, linux.missing) == ((2, 28), [])
        assert [each.pinned for each in mac.missing] == ["native==1.0"]

    def test_two_versions_of_a_package_are_not_fetched_by_one_call(self) -> None:
        todo = [(package(f"p{number}"), file(f"p{number}-1-py3-none-any.whl")) for number in range(20)]
        todo += [
            (package("twice", version=version), file(f"twice-{version}-py3-none-any.whl")) for version in ("1", "2")
        ]
        batches = stock._batches(todo)
        assert sorted(each.name for batch in batches for each in batch) == sorted(each.name for _, each in todo)
        assert all(sum(each.name.startswith("twice") for each in batch) <= 1 for batch in batches)
        assert 1 < len(batches) <= stock.AT_ONCE

    def test_what_was_built_here_is_allowed_by_the_kits_constraints(self) -> None:
        text = stock.with_digests(
            CONSTRAINTS, [(package("two", version="2.0"), File("two-2.0-py3-none-any.whl", "dd", 1))]
        )
        assert "--hash=sha256:cc \\\n    --hash=sha256:dd\n" in text
        assert text.replace(" \\\n    --hash=sha256:dd", "") == CONSTRAINTS
        assert kit.requirements(text, ["one==1.0"]).startswith("two==2.0 ;")


SETUP = """
from setuptools import Extension, setup
setup(name="half-native", version="1.0", py_modules=["half"], ext_modules=[Extension("_half", ["half.c"], optional={optional})])
"""


class TestBuilding:
    @pytest.fixture(autouse=True)
    def sources(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A folder that stands for the index; what builds is what is installed here."""
        sources = tmp_path / "sources"
        sources.mkdir()
        for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(sources)), ("NO_BUILD_ISOLATION", "0")):
            monkeypatch.setenv(f"PIP_{name}", value)  # pip reads the last as its opposite: no isolation
        return sources

    def sdist(self, sources: Path, *, optional: bool) -> File:
        tree = sources.parent / "half_native-1.0"
        tree.mkdir()
        (tree / "setup.py").write_text(SETUP.format(optional=optional))
        (tree / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        )
        (tree / "half.py").write_text("HALF = 0.5\n")
        (tree / "half.c").write_text("this does not compile\n")
        (tree / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: half-native\nVersion: 1.0\n")
        path = sources / "half_native-1.0.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(tree, "half_native-1.0")
        return File(path.name, kit.digest(path), path.stat().st_size)

    def test_a_package_whose_native_part_may_be_left_out_fits_every_machine(
        self, sources: Path, tmp_path: Path
    ) -> None:
        wanted = package("half-native", sdist=self.sdist(sources, optional=True))
        said: list[str] = []
        bench = Workbench(tmp_path / "bench", said.append)
        bench.folder.mkdir()
        made = bench.build(wanted)
        assert made is not None
        assert made.name == "half_native-1.0-py3-none-any.whl"
        assert "half.py" in zipfile.ZipFile(bench.path(wanted)).namelist()
        assert Workbench(bench.folder, said.append).build(wanted) == made  # it stays for the next time
        assert len(said) == 1

    def test_one_that_needs_a_compiler_is_missing(self, sources: Path, tmp_path: Path) -> None:
        wanted = package("half-native", sdist=self.sdist(sources, optional=False))
        bench = Workbench(tmp_path / "bench", lambda _: None)
        bench.folder.mkdir()
        assert bench.build(wanted) is None
        assert bench.build(package("no-source")) is None

    def test_a_wheel_with_compiled_parts_is_not_pure(self, tmp_path: Path) -> None:
        for name, pure in (("half.py", True), ("_half.cpython-312-x86_64-linux-gnu.so", False), ("x/_half.pyd", False)):
            path = tmp_path / "a.whl"
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(name, "")
            assert stock.is_pure(path) is pure


class TestPacking:
    def clone(self, tmp_path: Path) -> Layout:
        root = tmp_path / "clone"
        root.mkdir()
        (root / "constraints.txt").write_text(CONSTRAINTS)
        for arguments in (
            ["init", "-q"],
            ["add", "."],
            ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first"],
        ):
            subprocess.run(["git", *arguments], cwd=root, check=True)
        return Layout(root)

    def test_a_folder_with_something_else_in_it_is_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
        (tmp_path / "holiday.jpg").touch()
        with pytest.raises(Refusal, match=r"holds other things \(holiday\.jpg\)"):
            packing.pack(tmp_path, [LINUX], Layout(tmp_path), print)
        (tmp_path / "holiday.jpg").rename(tmp_path / "03-sagemaker.reveal")  # which an instructor may well put there
        with pytest.raises(Refusal, match="is no clone"):
            packing.pack(tmp_path, [LINUX], Layout(tmp_path), print)
        (tmp_path / "holiday.jpg").touch()
        with pytest.raises(Refusal, match="is a file"):
            packing.pack(tmp_path / "holiday.jpg", [LINUX], Layout(tmp_path), print)

    def test_a_disk_that_is_full_is_one_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(packing, "pack", full)
        assert terminal.run(cli, "lab", ["kit", "make", "--to", str(tmp_path / "kit")]) == NOT_READY
        assert "No space left on device" in capsys.readouterr().err

    def test_kinds_are_named_in_part_or_as_this_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked: list[list[str]] = []

        def pack(folder: Path, kinds: list[Kind], *_: object) -> packing.Packed:
            asked.append([kind.name for kind in kinds])
            return packing.Packed(folder, [], [], ["A note."], 0, 0)

        monkeypatch.setattr(packing, "pack", pack)
        monkeypatch.setattr(kit, "this_machine", lambda: HERE)
        for only in (
            (),
            ("--only", "here"),
            ("--only", "linux-aarch64"),
            ("--only", "macos-arm64-3.13", "--only", "here"),
        ):
            assert terminal.run(cli, "lab", ["kit", "make", "--to", str(tmp_path / "kit"), *only]) == 0
        assert "A note." in capsys.readouterr().out
        assert [len(each) for each in asked] == [12, 1, 3, 2]
        assert asked[2] == ["linux-arm64-3.11", "linux-arm64-3.12", "linux-arm64-3.13"]
        assert terminal.run(cli, "lab", ["kit", "make", "--only", "solaris"]) == USAGE

    def test_constraints_that_are_not_committed_are_refused_before_anything_is_fetched(self, tmp_path: Path) -> None:
        here = self.clone(tmp_path)
        (here.root / "constraints.txt").write_text("other==1.0\n")
        with pytest.raises(Refusal, match="changed and not committed"):
            packing.pack(tmp_path / "kit", [LINUX], here, print)

    def test_a_folder_that_is_no_clone_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
        with pytest.raises(Refusal, match="is no clone"):
            packing.pack(tmp_path / "kit", [LINUX], Layout(tmp_path), print)

    def test_without_an_index_it_says_so_and_an_old_kit_stays_as_it_is(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        with pytest.raises(Refusal, match="the package index could not be asked") as refused:
            packing.pack(folder, [LINUX], self.clone(tmp_path), print)
        assert refused.value.exit_status == NOT_READY
        kit.read(folder)
