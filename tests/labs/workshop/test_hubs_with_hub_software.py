"""Our files and links before the programs that read them: JupyterHub, DockerSpawner, ltiauthenticator, nbgitpuller and repo2docker.

A soak test, since it fetches them by pip for the time of the run. The chart of Zero to JupyterHub is in no package registry; what its schema says of
our values stands in `test_hubs.py`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labs.workshop.hubs import Content, hub_link

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[3]
PACKAGES = (
    "jupyterhub==6.1.1",
    "dockerspawner==14.0.0",
    "jupyterhub-ltiauthenticator==1.6.3",
    "nbgitpuller==1.3.0",
    "jupyter_server>=2",
    "jupyter-repo2docker==2026.4.0",
    "PyYAML",
)
LOAD = """
import json, sys, yaml
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader
from jupyterhub.app import JupyterHub
from dockerspawner import DockerSpawner
from ltiauthenticator.lti13.auth import LTI13Authenticator

tljh = PyFileConfigLoader("deployment_dilemma.py", path="hubs/tljh").load_config()
hub = JupyterHub(config=tljh)
unknown = [name for section, kind in (("JupyterHub", JupyterHub), ("DockerSpawner", DockerSpawner)) for name in tljh[section] if name not in kind.class_traits()]
lti = yaml.safe_load(open("hubs/z2jh/lti.yaml"))["hub"]["config"]
authenticator = LTI13Authenticator(config=Config(lti))
unknown += [name for name in lti["LTI13Authenticator"] if name not in LTI13Authenticator.class_traits()]
print(json.dumps({
    "spawner": hub.spawner_class.__name__, "hub_ip": hub.hub_ip, "unknown": unknown, "issuer": authenticator.issuer,
    "login": authenticator.login_url("/hub"), "callback": authenticator.callback_url("/hub"), "config": authenticator.config_json_url("/hub"),
    "authenticator": JupyterHub(config=Config(lti)).authenticator_class.__name__,
}))
"""
PULL = """
import json, re, sys
from html import unescape
from urllib.parse import unquote
from jupyter_server.serverapp import ServerApp
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets

queries, base = json.loads(sys.argv[1]), sys.argv[2]
app = ServerApp.instance()
app.initialize(argv=["--IdentityProvider.token=t", f"--ServerApp.base_url={base}", "--allow-root", "--no-browser"], new_httpserver=False)
sockets = bind_sockets(0, "127.0.0.1")
HTTPServer(app.web_app).add_sockets(sockets)

async def ask():
    found = []
    for query in queries:
        answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{sockets[0].getsockname()[1]}{base}git-pull?{query}&token=t")
        said = dict(re.findall(r'data-([a-z]+)="([^"]*)"', answer.body.decode()))
        found.append({name: unquote(unescape(said.get(name, ""))) for name in ("repo", "branch", "targetpath", "path")})
    print(json.dumps(found))

IOLoop.current().run_sync(ask)
"""
CLONE = """
import sys
from nbgitpuller.pull import GitPuller
for line in GitPuller(sys.argv[1], sys.argv[2], branch="students").pull():
    pass
"""


def run(*command: str, cwd: Path = ROOT) -> str:
    """What it printed; a missing program, or no network, is a failure that says so."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)[:80]} failed (this test needs pip and a network): {done.stderr[-800:]}"  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the hubs' programs."""
    folder = tmp_path_factory.mktemp("hub")
    run(sys.executable, "-m", "venv", "env", cwd=folder)
    found = str(folder / "env" / "bin" / "python")
    run(found, "-m", "pip", "install", "-q", *PACKAGES, cwd=folder)
    return found


def test_every_setting_is_one_that_the_hub_s_programs_have(python: str) -> None:
    said = json.loads(run(python, "-c", LOAD))
    assert said["unknown"] == []
    assert (said["spawner"], said["hub_ip"]) == ("DockerSpawner", "172.30.0.1")
    assert (said["authenticator"], said["issuer"]) == ("LTI13Authenticator", "https://moodle.example.org")
    page = (ROOT / "book/instructor/hubs.md").read_text("utf-8")
    for address in (said["login"], said["callback"], said["config"]):
        assert f"https://hub.example.org{address}`" in page


@pytest.mark.parametrize("base", ["/", "/user/ada/"])
def test_nbgitpuller_reads_out_of_a_link_what_was_put_in(python: str, base: str) -> None:
    contents = [
        Content("https://git.example.org/teaching/course.git", "students", "06-squid.ipynb"),
        Content("https://git.example.org/c"),
        Content("https://git.example.org/c", "2026/autumn", "a b/é#?&=.ipynb"),
    ]
    queries = [hub_link("https://hub.example.org/jupyter/", one).partition("git-pull?")[2] for one in contents]
    found = json.loads(run(python, "-c", PULL, json.dumps(queries), base).splitlines()[-1])
    for one, read in zip(contents, found, strict=True):
        path = f"lab/tree/{one.folder}" + (f"/{one.open_path}" if one.open_path else "")
        assert read == {"repo": one.repo, "branch": one.branch, "targetpath": one.folder, "path": path}


def test_what_a_student_changed_is_kept_when_the_branch_moves_on(python: str, tmp_path: Path) -> None:
    source, home = tmp_path / "source", tmp_path / "home"
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
    source.mkdir()
    run(*git, "init", "-q", "-b", "students", cwd=source)
    for said in ("first\n", "second\n"):
        (source / "lab.ipynb").write_text(f"{{}}\n{said}")
        (source / f"{said.strip()}.txt").write_text(said)
        run(*git, "add", ".", cwd=source)
        run(*git, "commit", "-qm", said, cwd=source)
        run(python, "-c", CLONE, f"file://{source}", str(home), cwd=tmp_path)
        if said == "first\n":
            (home / "lab.ipynb").write_text("{}\nmine\n")
    assert (home / "lab.ipynb").read_text() == "{}\nmine\n"
    assert (home / "second.txt").exists()


def test_repo2docker_makes_an_image_of_what_stands_there(python: str, tmp_path: Path) -> None:
    run("git", "clone", "-q", str(ROOT), str(tmp_path / "course"), cwd=tmp_path)
    done = subprocess.run(
        [python, "-m", "repo2docker", "--no-build", "--debug", str(tmp_path / "course")], capture_output=True, text=True, timeout=600, cwd=tmp_path
    )  # fmt: skip
    dockerfile = done.stdout + done.stderr
    assert done.returncode == 0, dockerfile[-800:]
    assert "environment-2epy-2d3-2e12" in dockerfile
    assert "RUN ./.binder/postBuild" in dockerfile
    assert "--no-install-recommends make" in dockerfile
