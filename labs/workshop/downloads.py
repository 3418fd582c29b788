"""The kit on the room's server: an index in the book's look, and its files; nothing beside them.

`/kit/wheels/` is a page of links as pip and uv read them, so that `make setup FROM=http://ADDRESS:PORT/kit` installs from the room.
"""

from html import escape
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from aiohttp import web

from labs.workshop import room


def install(app: web.Application, kit: Path) -> None:
    """Add the kit's pages."""
    root = kit.resolve()
    app[room.PANELS].append(
        room.Panel(
            "The kit", room.KIT, "The course's source, its packages and the notebooks, to install without a network."
        )
    )

    async def download(request: web.Request) -> web.StreamResponse:
        asked = request.match_info["path"]
        path = _inside(root, asked)
        if path is None:
            raise web.HTTPNotFound
        if path.is_dir():
            if asked and not asked.endswith("/"):
                raise web.HTTPFound(f"{request.path}/")
            return _index(root, path)
        return web.FileResponse(path, headers={"Cache-Control": "no-cache", "Content-Security-Policy": "sandbox"})

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


def _index(root: Path, folder: Path) -> web.Response:
    here = folder.relative_to(root).as_posix()
    shown = [each for each in folder.iterdir() if not each.name.startswith(".") and not each.is_symlink()]
    rows = "".join(
        f'<tr><td><a href="{quote(each.name)}{"/" if each.is_dir() else ""}">{escape(each.name)}{"/" if each.is_dir() else ""}</a></td>'
        f'<td class="number">{"" if each.is_dir() else _size(each.stat().st_size)}</td></tr>\n'
        for each in sorted(shown, key=lambda each: (each.is_file(), each.name.lower()))
    )
    up = '<p><a href="../">One folder up</a></p>\n' if folder != root else ""
    note = (root / "README.txt").read_text("utf-8") if folder == root and (root / "README.txt").is_file() else ""
    return room.page(
        "The kit",
        f"<h1>The kit{'' if folder == root else escape(f': {here}')}</h1>\n{f'<pre>{escape(note)}</pre>' if note else ''}{up}"
        f'<div class="wide"><table>\n<thead><tr><th>File</th><th class="number">Size</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>',
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"
