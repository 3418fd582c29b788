"""Links that a room clicks: a hub, or Binder, fetches the students' branch with nbgitpuller and opens a lab.

    hub_link("https://hub.example.org", Content("https://git.example.org/course", "students", "06-squid.ipynb"))

nbgitpuller reads `repo`, `branch`, `targetpath` and `urlpath` from the query (its UIHandler). The folder is always named, since its own
default keeps a `.git` at the end. The page *Hubs* computes the same links in the browser; the tests hold both to each other.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from labs.errors import USAGE, Refusal

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NO_BRANCH = re.compile(r"^[-/]|[\s~^:?*\[\\\x00-\x1f\x7f]|\.\.|//|@\{|/$|\.$|\.lock$")
"""what `git check-ref-format` refuses, and a leading dash"""


@dataclass(frozen=True)
class Content:
    """What a link brings: a repository, a branch of it, and a file to open."""

    repo: str
    branch: str = ""
    """empty: the repository's own default"""
    open_path: str = ""
    """inside the repository; empty: its folder"""

    def __post_init__(self) -> None:
        """Refusal, usage, for what would not work, or would give a secret away, in everybody's browser."""
        _address(self.repo, "the repository")
        if not self.folder:
            raise Refusal(f"'{self.repo}' names no repository", USAGE)
        if self.branch and _NO_BRANCH.search(self.branch):
            raise Refusal(f"'{self.branch}' cannot be the name of a branch", USAGE)
        if self.open_path.startswith("/") or ".." in self.open_path.split("/") or "\\" in self.open_path:
            raise Refusal(f"'{self.open_path}' is no path inside the repository", USAGE)

    @property
    def folder(self) -> str:
        """Where it lies in a student's home folder."""
        return urlsplit(self.repo).path.rstrip("/").rpartition("/")[2].removesuffix(".git")


def hub_link(hub: str, content: Content) -> str:
    """For a JupyterHub: whoever follows it logs in, gets the newest, and keeps what they changed. Refusal for an address that is none."""
    return f"{_address(hub, 'the hub')}/hub/user-redirect/{_pull(content)}"


def binder_link(binder: str, repo: str, ref: str, content: Content) -> str:
    """For Binder: the environment of one repository (`owner/name` on GitHub, at `ref`), the content of another, or of another branch."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+", repo):
        raise Refusal(f"'{repo}' is no repository for Binder; write OWNER/NAME, as on GitHub", USAGE)
    if not ref or _NO_BRANCH.search(ref):
        raise Refusal(f"'{ref}' cannot be a branch, a tag or a commit", USAGE)
    return f"{_address(binder, 'Binder')}/v2/gh/{repo}/{_component(ref)}?urlpath={_component(_pull(content))}"


def _pull(content: Content) -> str:
    path = f"lab/tree/{content.folder}" + (f"/{content.open_path}" if content.open_path else "")
    said = {"repo": content.repo, "branch": content.branch, "targetpath": content.folder, "urlpath": path}
    return "git-pull?" + "&".join(f"{name}={_component(value)}" for name, value in said.items() if value)


def _component(text: str) -> str:
    """As encodeURIComponent writes it."""
    return quote(text, safe="-_.!~*'()")


def _address(text: str, what: str) -> str:
    """An https address without a slash at its end; plain http only where nothing leaves the machine."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or re.search(r"[\s<>\"]", text):
        raise Refusal(f"{what} needs an address that begins with https://, and '{text}' is none", USAGE)
    if parts.username or parts.password:
        raise Refusal(
            f"the address of {what} holds a name or a password, which everybody with the link would read", USAGE
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise Refusal(f"{what} needs an address that begins with https://, and '{text}' does not", USAGE)
    if parts.query or parts.fragment:
        raise Refusal(f"the address of {what} ends before '?' and '#'", USAGE)
    return text.rstrip("/")
