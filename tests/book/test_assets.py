"""One stylesheet and one script for the site, without what no page uses, and nothing from anywhere else."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bookbinding import scripts, styles
from bookbinding.icons import STROKES, icon
from mini_book import BOOK, Built


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".used{a:b}", ".used{a:b}"),
        (".unused{a:b}", ""),
        (".used .unused{a:b}", ""),
        (".unused,.used{a:b}", ".used{a:b}"),
        ("#here.used{a:b}", "#here.used{a:b}"),
        ("a:hover,p{a:b}", "a:hover,p{a:b}"),
        (".used:not(.unused){a:b}", ".used:not(.unused){a:b}"),
        (":is(.used,.unused) p{a:b}", ":is(.used,.unused) p{a:b}"),
        (":is(.unused,.other) p{a:b}", ""),
        ("[data-x='.unused']{a:b}", "[data-x='.unused']{a:b}"),
        (r".md\:used{a:b}", ""),
        ("@media print{.used{a:b}.unused{c:d}}", "@media print{.used{a:b}}"),
        ("@media print{.unused{c:d}}", ""),
        ("@supports (x:y){@media print{.used{a:b}}}", "@supports (x:y){@media print{.used{a:b}}}"),
        ("@font-face{font-family:'Font Awesome 6 Free'}", ""),
        ("@font-face{font-family:Own}", "@font-face{font-family:Own}"),
        ("@keyframes turn{from{a:b}to{c:d}}", "@keyframes turn{from{a:b}to{c:d}}"),
        ("@charset 'utf-8';.used{a:b}", "@charset 'utf-8';.used{a:b}"),
        (".used{content:'a;b'}p{c:d}", ".used{content:'a;b'}p{c:d}"),
    ],
)
def test_rules_that_no_page_uses_are_left_out(css: str, kept: str) -> None:
    assert styles.purge(css, {"used", "here"}) == kept


def test_the_words_of_a_page_are_its_classes_and_ids() -> None:
    assert styles.words('<p class="a b" id="c" data-class="d">class="e"</p><i\nclass="f">') == {"a", "b", "c", "f"}


def test_imports_are_resolved_and_addresses_follow_their_sheet(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "main.css").write_text("@import 'more.css'; a{b:url('../x.png')} c{d:url(data:abc)}")
    (tmp_path / "sub" / "more.css").write_text("e{f:url(y.png)}")
    (tmp_path / "only.css").write_text("@import url(sub/more.css);")
    assert styles.join(tmp_path, ["only.css"]) == "e{f:url(sub/y.png)}"
    joined = styles.join(tmp_path, ["sub/main.css", "missing.css"])
    assert "e{f:url(sub/y.png)}" in joined
    assert "a{b:url(x.png)}" in joined
    assert "c{d:url(data:abc)}" in joined


def test_a_page_asks_for_one_stylesheet_and_one_script(mini_book: Built) -> None:
    for name in ("index", "lesson", "labs/01-lab", "404"):
        page = mini_book.page(name)
        assert len(re.findall(r'<link rel="stylesheet"', page)) == 1
        assert re.findall(r'<script[^>]*src="([^"]+)"', page) == re.findall(
            r'src="([^"]*_static/site\.js\?v=\w{10})"', page
        )
    assert len(re.findall(r"<script[^>]*src=", mini_book.page("search"))) == 4


def test_versions_are_the_contents_own(mini_book: Built) -> None:
    import hashlib

    for name in ("site.css", "site.js"):
        digest = hashlib.sha256((mini_book.html / "_static" / name).read_bytes()).hexdigest()[:10]
        assert f"{name}?v={digest}" in mini_book.page("lesson")
        assert f"{name}?v={digest}" in mini_book.page("labs/01-lab")


def test_the_bundles_are_small_and_hold_what_pages_need(mini_book: Built) -> None:
    css = (mini_book.html / "_static" / "site.css").read_text()
    js = (mini_book.html / "_static" / "site.js").read_text()
    assert len(css) < 160_000
    assert len(js) < 36_000
    for needed in (".lesson-header", ".book-bar", ".admonition", "--dd-bedrock", ".family.own"):
        assert needed in css
    for unwanted in ("@font-face", "fontawesome", "url(http", "@import"):
        assert unwanted not in css
    for needed in ("theme-switch-button", "sidebar-modal", "ClipboardJS"):
        assert needed in js


def test_a_class_that_only_a_pages_own_script_makes_keeps_its_style(
    build_book: Callable[..., Built], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    static = tmp_path / "extra"
    static.mkdir()
    (static / "later.js").write_text("document.body.className = 'dd-made-later'")
    (static / "later.css").write_text(".dd-made-later{color:red}.dd-never{color:red}")
    (tmp_path / "an_extension_of_this_test.py").write_text(
        "def setup(app):\n"
        f"    app.config.html_static_path.append({str(static)!r})\n"
        "    app.add_css_file('later.css')\n"
        "    app.connect('html-page-context', lambda app, name, *_: app.add_js_file('later.js') if name == 'page' else None)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    extensions = ["myst_nb", "sphinx_design", "sphinx_book_theme", "an_extension_of_this_test", "bookbinding"]
    built = build_book({"page": "---\ndescription: x\n---\n# P\n"}, extensions=extensions)
    css = (built.html / "_static" / "site.css").read_text()
    assert ".dd-made-later" in css
    assert ".dd-never" not in css
    assert "later.js" in built.page("page")
    assert "later.js" not in built.page("index")
    assert "later.css" not in built.page("page")


def test_a_changed_style_is_brought_over_when_no_page_has_changed(build_book: Callable[..., Built]) -> None:
    pages = {"page": "---\ndescription: x\n---\n# P\n"}
    built = build_book(pages)
    before = built.page("page")
    build_book(pages, static={"look.css": ".book-bar{color:rebeccapurple}"})
    assert "rebeccapurple" in (built.html / "_static" / "site.css").read_text()
    assert built.page("page") != before  # it asks for the new version


def test_nothing_on_a_page_comes_from_another_host(mini_book: Built) -> None:
    for path in mini_book.html.rglob("*.html"):
        if "_static" not in path.parts:
            assert re.findall(r'\s(?:src|srcset)="(?:https?:)?//[^"]*', path.read_text()) == []
            assert re.findall(r'<link[^>]*href="(?:https?:)?//[^"]*', path.read_text()) == []


def test_scripts_that_nobody_uses_are_named_with_their_reason() -> None:
    source = Path(scripts.__file__).read_text()
    for name in scripts.UNUSED[:4]:
        assert re.search(rf'"{re.escape(name)}",  # \w', source)


def test_every_icon_that_a_template_asks_for_is_drawn() -> None:
    templates = "".join(path.read_text() for path in (BOOK / "_templates").glob("*.html"))
    asked = set(re.findall(r'icon\("(\w+)"\)', templates)) | {"read", "lab", "quiz"}
    assert asked - set(STROKES) == set()
    assert set(STROKES) - asked == set()
    assert 'aria-hidden="true"' in icon("menu")


def test_the_page_for_lost_readers_works_at_any_depth(mini_book: Built) -> None:
    addresses = re.findall(r'(?:href|src|action)="([^"#:]+)"', mini_book.page("404"))
    assert addresses
    assert [address for address in addresses if not address.startswith("/")] == []


def test_where_the_site_stands_is_said_once(build_book: Callable[..., Built], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOK_URL", "https://example.org/course")
    built = build_book({"page": "---\ndescription: x\n---\n# P\n"})
    assert '<link rel="canonical" href="https://example.org/course/page.html"' in built.page("page")
    assert '<meta property="og:url" content="https://example.org/course/page.html">' in built.page("page")
    assert 'href="/course/_static/site.css' in built.page("404")
