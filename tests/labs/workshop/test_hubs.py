"""Links, images and values for hubs: what nbgitpuller reads out of a link, and what the files in hubs/ and .binder/ may say."""

import ast
import json
import re
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from labs import terminal
from labs.cli import cli
from labs.errors import Refusal
from labs.workshop.hubs import Content, binder_link, hub_link

ROOT = Path(__file__).parents[3]
COURSE = Content("https://git.example.org/teaching/course.git", "students", "06-squid.ipynb")


def read_by_nbgitpuller(query: str) -> dict[str, str]:
    """As nbgitpuller 1.3's UIHandler takes a request apart: argument by argument, the first of each name, blanks around it gone."""
    found = {name: values[0].strip() for name, values in parse_qs(query).items()}
    repo = found["repo"]
    return {
        "repo": repo,
        "branch": found.get("branch", ""),
        "targetpath": found.get("targetpath", repo.rstrip("/").split("/")[-1]),
        "path": found["urlpath"],
    }


def test_a_link_says_what_to_fetch_from_where_and_what_to_open() -> None:
    parts = urlsplit(hub_link("https://hub.example.org/", COURSE))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://hub.example.org/hub/user-redirect/git-pull"
    assert read_by_nbgitpuller(parts.query) == {
        "repo": "https://git.example.org/teaching/course.git",
        "branch": "students",
        "targetpath": "course",
        "path": "lab/tree/course/06-squid.ipynb",
    }


def test_a_hub_below_a_path_keeps_it() -> None:
    assert urlsplit(hub_link("https://x.example.org/jupyter", COURSE)).path == "/jupyter/hub/user-redirect/git-pull"


def test_without_branch_and_file_the_default_branch_and_the_folder_are_meant() -> None:
    read = read_by_nbgitpuller(urlsplit(hub_link("https://hub.example.org", Content("https://g.example.org/c"))).query)
    assert (read["branch"], read["path"]) == ("", "lab/tree/c")


def test_binder_hands_the_same_link_to_the_server_that_it_starts() -> None:
    link = binder_link("https://binder.example.org", "owner/name", "release/1", COURSE)
    parts = urlsplit(link)
    assert parts.path == "/v2/gh/owner/name/release%2F1"
    path, _, query = parse_qs(parts.query)["urlpath"][0].partition("?")
    assert path == "git-pull"
    assert read_by_nbgitpuller(query)["path"] == "lab/tree/course/06-squid.ipynb"


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30))
def test_any_file_name_arrives_as_it_was(name: str) -> None:
    try:
        content = Content("https://g.example.org/c", "b", name)
    except Refusal:
        assert name.startswith("/") or ".." in name or "\\" in name
        return
    read = read_by_nbgitpuller(urlsplit(hub_link("https://h.example.org", content)).query)
    assert read["path"] == f"lab/tree/c/{name}".strip()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["https://g.example.org/c"], "name a hub with --hub"),
        (["https://g.example.org/c", "--hub", "https://h.example.org", "--binder", "a/b"], "name a hub with --hub"),
        (["git@g.example.org:c.git", "--hub", "https://h.example.org"], "the repository needs an address"),
        (["http://g.example.org/c", "--hub", "https://h.example.org"], "begins with https://"),
        (["https://me:secret@g.example.org/c", "--hub", "https://h.example.org"], "holds a name or a password"),
        (["https://g.example.org/", "--hub", "https://h.example.org"], "names no repository"),
        (["https://g.example.org/c?x=1", "--hub", "https://h.example.org"], "ends before '?'"),
        (["https://g.example.org/c", "--hub", "hub.example.org"], "the hub needs an address"),
        (["https://g.example.org/c", "--hub", "https://h.example.org:port"], "the hub needs an address"),
        (["https://g.example.org/c", "--hub", "https://h.example.org", "--branch", "two words"], "the name of a branch"),
        (["https://g.example.org/c", "--hub", "https://h.example.org", "--branch=-x"], "the name of a branch"),
        (["https://g.example.org/c", "--hub", "https://h.example.org", "--open", "../x"], "no path inside"),
        (["https://g.example.org/c", "--binder", "name"], "write OWNER/NAME"),
        (["https://g.example.org/c", "--binder", "a/b@"], "cannot be a branch, a tag"),
    ],
)  # fmt: skip
def test_what_would_not_work_is_one_sentence(args: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(cli, "lab", ["hub-link", *args]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
    assert "secret" not in said.err


def test_the_command_prints_the_link_alone(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["hub-link", COURSE.repo, "--hub", "https://hub.example.org", "--branch", "students", "--open", "06-squid.ipynb"]  # fmt: skip
    assert terminal.run(cli, "lab", args) == 0
    assert capsys.readouterr().out == hub_link("https://hub.example.org", COURSE) + "\n"
    assert terminal.run(cli, "lab", [*args, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == "course"


# --- the image


def test_the_image_is_described_by_what_repo2docker_reads() -> None:
    folder = ROOT / ".binder"
    assert {path.name for path in folder.iterdir()} == {"apt.txt", "runtime.txt", "postBuild"}
    version = re.fullmatch(r"python-3\.(\d+)\n", (folder / "runtime.txt").read_text())
    assert version is not None
    assert 11 <= int(version[1]) <= 13
    assert (folder / "postBuild").stat().st_mode & stat.S_IXUSR
    script = (folder / "postBuild").read_text()
    assert script.startswith("#!/bin/bash\n")
    assert "set -euo pipefail" in script
    assert 'course="$CONDA_DIR/course"' in script  # a hub's volume hides what lies in the home folder
    assert re.search(r"rm -rf .*deployment-dilemma-real", script)


def test_what_the_image_adds_is_pinned_with_its_hash() -> None:
    lines = (ROOT / "hubs" / "requirements.txt").read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"[a-z-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert re.search(r"^anywidget==", (ROOT / "constraints.txt").read_text(), re.M)


# --- values


def keys(data: Any, before: str = "") -> set[str]:
    """Every path of names in nested mappings."""
    if not isinstance(data, dict):
        return {before}
    return {path for name, value in data.items() for path in keys(value, f"{before}.{name}".lstrip("."))}


CHART: dict[str, type | tuple[type, ...]] = {
    "singleuser.image.name": str,
    "singleuser.image.tag": str,
    "singleuser.cmd": str,
    "singleuser.defaultUrl": str,
    "singleuser.startTimeout": int,
    "singleuser.memory.guarantee": str,
    "singleuser.memory.limit": str,
    "singleuser.cpu.guarantee": (int, float),
    "singleuser.cpu.limit": (int, float),
    "singleuser.storage.type": str,
    "singleuser.storage.capacity": str,
    "singleuser.storage.homeMountPath": str,
    "singleuser.allowPrivilegeEscalation": bool,
    "singleuser.cloudMetadata.blockWithIptables": bool,
    "singleuser.cloudMetadata.ip": str,
    "singleuser.networkPolicy.enabled": bool,
    "singleuser.networkPolicy.egressAllowRules.cloudMetadataServer": bool,
    "singleuser.networkPolicy.egressAllowRules.privateIPs": bool,
    "singleuser.networkPolicy.egressAllowRules.nonPrivateIPs": bool,
    "prePuller.hook.enabled": bool,
    "prePuller.continuous.enabled": bool,
    "cull.enabled": bool,
    "cull.timeout": int,
    "cull.every": int,
}
"""names and types that the chart's schema has for what we set: it takes no others"""


def test_the_charts_values_are_names_and_types_of_its_schema() -> None:
    values = yaml.safe_load((ROOT / "hubs/z2jh/values.yaml").read_text())
    assert keys(values) == set(CHART)
    for path, kind in CHART.items():
        found: Any = values
        for name in path.split("."):
            found = found[name]
        assert isinstance(found, kind), path
        assert kind is bool or not isinstance(found, bool), path


def test_a_pod_is_limited_and_kept_from_credentials_and_neighbours() -> None:
    pod = yaml.safe_load((ROOT / "hubs/z2jh/values.yaml").read_text())["singleuser"]
    assert (pod["memory"], pod["cpu"]["limit"]) == ({"guarantee": "1G", "limit": "2G"}, 2)
    allowed = pod["networkPolicy"]["egressAllowRules"]
    assert (allowed["cloudMetadataServer"], allowed["privateIPs"]) == (False, False)
    assert pod["cloudMetadata"]["blockWithIptables"]
    assert not pod["allowPrivilegeEscalation"]


def test_the_authenticator_has_its_four_values_and_no_secret() -> None:
    config = yaml.safe_load((ROOT / "hubs/z2jh/lti.yaml").read_text())["hub"]["config"]
    assert config["JupyterHub"] == {"authenticator_class": "ltiauthenticator.lti13.auth.LTI13Authenticator"}
    lti = config["LTI13Authenticator"]
    assert set(lti) == {"issuer", "authorize_url", "jwks_endpoint", "client_id", "username_key", "uri_scheme"}
    assert lti["client_id"] == ["set-me"]


def test_tljh_gives_everybody_a_container_with_the_charts_limits() -> None:
    config = yaml.safe_load((ROOT / "hubs/tljh/config.yaml").read_text())
    assert config["limits"] == {"memory": "2G", "cpu": 2}
    source = (ROOT / "hubs/tljh/deployment_dilemma.py").read_text()
    said: dict[str, Any] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            value = node.value
            said[ast.unparse(node.targets[0])] = value.id if isinstance(value, ast.Name) else ast.literal_eval(value)
    assert said["c.JupyterHub.spawner_class"] == "dockerspawner.DockerSpawner"
    assert (said["c.DockerSpawner.mem_limit"], said["c.DockerSpawner.cpu_limit"]) == ("2G", 2)
    assert said["c.DockerSpawner.extra_host_config"]["cap_drop"] == ["ALL"]
    page = (ROOT / "book/instructor/hubs.md").read_text()
    gateway = ast.literal_eval(re.search(r"^GATEWAY = (.*)$", source, re.M)[1])  # type: ignore[index]
    assert f"--gateway {gateway} " in page
    assert page.count(f" {said['c.DockerSpawner.network_name']}\n") >= 1
