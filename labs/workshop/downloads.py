"""The kit on the room's server: an index in the book's look, and its files; nothing beside them.

`/kit/wheels/` is a page of links as pip and uv read them, so that `make setup FROM=http://ADDRESS:PORT/kit` installs from the room.
"""

from html import escape
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from aiohttp import web

from labs.workshop import kit as kits
from labs.workshop import room
from labs.workshop.kit import Manifest

PAGES = ("site/", "slides/")
PAGES_POLICY = "base-uri 'none'; frame-ancestors 'self'"


def install(app: web.Application, kit: Path) -> None:
    """Add the kit's pages. Raises Refusal when there is no kit."""
    root, manifest = kit.resolve(), kits.read(kit)
    app[room.PANELS].append(
        room.Panel(
            "The kit", room.KIT, "The course's source, its packages and the notebooks, to install without a network."
        )
    )
    if (root / "slides" / "index.html").is_file():
        app[room.PANELS].append(room.Panel("Slides", f"{room.KIT}slides/index.html", "A deck for each lesson."))

    async def download(request: web.Request) -> web.StreamResponse:
        asked = request.match_info["path"]
        path = _inside(root, asked)
        if path is None:
            raise web.HTTPNotFound
        if path.is_dir():
            if asked and not asked.endswith("/"):
                raise web.HTTPFound(f"{request.path}/")
            return _index(path, request.path, _steps(manifest, app[room.ROOM].url) if path == root else "")
        # Pages that the course built bring their scripts with them; any other file is to be kept, and does nothing in a browser.
        policy = PAGES_POLICY if asked.startswith(PAGES) else "sandbox"
        return web.FileResponse(path, headers={"Cache-Control": "no-cache", "Content-Security-Policy": policy})

    app.router.add_get("/kit", room._to_folder)
    app.router.add_get(room.KIT + "{path:.*}", download)


def _inside(root: Path, asked: str) -> Path | None:
    """The file or folder of the kit; None for what is not in it, is hidden, or is a link."""
    parts = PurePosixPath(asked).parts
    if any(part in ("..", "/") or part.startswith(".") or "\0" in part or "\\" in part for part in parts):
        return None
    path = root
    for part in parts:
        path = path / part
        if path.is_symlink():
            return None
    return path if path.is_file() or path.is_dir() else None


def _index(folder: Path, address: str, steps: str) -> web.Response:
    shown = [each for each in folder.iterdir() if not each.name.startswith(".") and not each.is_symlink()]
    rows = "".join(
        f'<tr><td><a href="{quote(each.name)}{"/" if each.is_dir() else ""}">{escape(each.name)}{"/" if each.is_dir() else ""}</a></td>'
        f'<td class="number">{"" if each.is_dir() else _size(each.stat().st_size)}</td></tr>\n'
        for each in sorted(shown, key=lambda each: (each.is_file(), each.name.lower()))
    )
    title = "The kit" if steps else f"The kit: {address.removeprefix(room.KIT).strip('/')}"
    above = f"{steps}<h2>Its files</h2>\n" if steps else '<p><a href="../">One folder up</a></p>\n'
    head = '<thead><tr><th scope="col">File</th><th scope="col" class="number">Size</th></tr></thead>'
    return room.page(
        title,
        f'<h1>{escape(title)}</h1>\n{above}<div class="wide"><table>\n{head}\n<tbody>\n{rows}</tbody></table></div>',
    )


def _steps(manifest: Manifest, url: str) -> str:
    """What somebody in the room does with the kit, in commands to copy."""
    pythons = sorted({name.rpartition("-")[2] for name in manifest.environments}, key=kits.version)
    platforms = sorted({name.rpartition("-")[0] for name in manifest.environments})
    kit = f"{url}{room.KIT.strip('/')}"
    lines = [
        f"curl -fO {kit}/{kits.SOURCE}",
        f"tar xzf {kits.SOURCE}",
        "cd deployment-dilemma",
        f"make setup FROM={kit}",
        ".venv/bin/lab doctor --code",
    ]
    return (
        "<p>You need <code>make</code>, <code>curl</code> and Python "
        f"{escape(', '.join(pythons))}, on {escape(kits.in_words(platforms))}. On Windows, work inside WSL. Then, in a terminal:</p>\n"
        f'<pre tabindex="0">{escape(chr(10).join(lines))}</pre>\n'
        "<p>The last line says whether you are ready. Tell the instructor the code that it prints.</p>\n"
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"
