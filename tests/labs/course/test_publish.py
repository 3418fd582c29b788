"""Readers get the pages and what they ask for, in one step."""

from pathlib import Path

from labs.course.publish import assets, publish


def built(folder: Path, page: str = "one") -> Path:
    files = {
        "index.html": f'<link href="_static/site.css?v=1"><script src="_static/site.js?v=2"></script>{page}'
        '<meta property="og:image" content="https://course.example.org/book/_static/cards/index.png">',
        "labs/06-squid.html": '<script defer src="../_static/quiz.js?v=3"></script>',
        "labs/06-squid.ipynb": "{}",
        "searchindex.js": "Search.setIndex({})",
        "_static/site.css": "a{background:url(images/dot.png)}b{background:url('data:image/png;base64,xx')}",
        "_static/site.js": "1",
        "_static/quiz.js": "2",
        "_static/cards/index.png": "png",
        "_static/cards/gone.png": "png",
        "_static/images/dot.png": "png",
        "_static/scripts/fontawesome.js": "1.5 MB",
        "_static/vendor/deep/font.woff2": "font",
        ".buildinfo": "x",
        "_sources/index.md.txt": "x",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_assets_that_a_page_or_its_style_asks_for_are_kept(tmp_path: Path) -> None:
    html = built(tmp_path / "built")
    assert assets(html) == {
        "_static/site.css",
        "_static/site.js",
        "_static/quiz.js",
        "_static/cards/index.png",
        "_static/images/dot.png",
    }
    publish(html, tmp_path / "html")
    assert names(tmp_path / "html") == {
        "index.html",
        "labs/06-squid.html",
        "labs/06-squid.ipynb",
        "searchindex.js",
        "_static/site.css",
        "_static/site.js",
        "_static/quiz.js",
        "_static/cards/index.png",
        "_static/images/dot.png",
    }


def test_a_new_site_replaces_the_old_one_whole(tmp_path: Path) -> None:
    publish(built(tmp_path / "built"), tmp_path / "html")
    (tmp_path / "html" / "gone.html").write_text("from an older build")
    publish(built(tmp_path / "built", "two"), tmp_path / "html")
    assert not (tmp_path / "html" / "gone.html").exists()
    assert "two" in (tmp_path / "html" / "index.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built", "html"]


def test_what_an_interrupted_publication_left_is_in_nobodys_way(tmp_path: Path) -> None:
    for leftover in (".html-new", ".html-old"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "half.html").write_text("half")
    publish(built(tmp_path / "built"), tmp_path / "html")
    assert not (tmp_path / "html" / "half.html").exists()
