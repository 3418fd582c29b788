"""Facts in a page, built by a real Sphinx with MyST."""

import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from labs import facts
from labs.facts import register

Build = Callable[..., tuple[Path, str]]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build pages (their names and MyST text as keyword arguments, `__` for a slash): the output folder and the warnings."""
    source, out = tmp_path / "src", tmp_path / "html"
    source.mkdir()

    def make(**pages: str) -> tuple[Path, str]:
        (source / "conf.py").write_text("extensions = ['myst_parser', 'labs.facts.sphinx']\nexclude_patterns = []\n")
        for name, text in pages.items():
            page = source / f"{name.replace('__', '/')}.md"
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
        warnings = io.StringIO()
        with patch_docutils(str(source)), docutils_namespace():
            Sphinx(
                str(source), str(source), str(out), str(tmp_path / "tree"), "html", status=None, warning=warnings
            ).build()
        return out, warnings.getvalue()

    return make


def test_a_fact_in_a_sentence_is_its_value_with_date_and_source(build: Build) -> None:
    out, warnings = build(index="# Page\n\nAt most {fact}`sqs.message.max_bytes` a message.\n")
    html = (out / "index.html").read_text()
    assert warnings == ""
    assert ">1 MiB</a> a message." in html
    link = html[html.rindex("<a", 0, html.index(">1 MiB</a>")) : html.index(">1 MiB</a>")]
    assert 'class="fact reference external"' in link
    assert f'href="{facts.get("sqs.message.max_bytes").source}"' in link
    assert "as of 2026-11 · official documentation" in link


@pytest.mark.parametrize(
    ("form", "shown"),
    [("number", "15.58"), ("dollars", "$15.58"), ("as-of", "2026-09-27"), ("text", "$15.58 per instance-hour")],
)
def test_a_fact_can_be_shown_in_other_forms(build: Build, form: str, shown: str) -> None:
    out, warnings = build(index=f"# Page\n\nIt is {{fact}}`sagemaker.price.inf2-48xlarge|{form}`.\n")
    assert warnings == ""
    assert f">{shown}</a>." in (out / "index.html").read_text()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("{fact}`sqs.message.max`", "there is no fact 'sqs.message.max'; nearest: sqs.message.max_bytes"),
        ("{fact}`sqs.message.max_bytes|roman`", "cannot be shown as 'roman'; there are text, number, dollars"),
        ("```{facts} sqs.nosuch\n```", "there is no fact 'sqs.nosuch'"),
        ("```{facts}\n:prefix: nosuch.\n```", "there is no fact 'nosuch.'"),
        ("```{claims}\n:section: 9\n```", "no claim fits these options"),
        ("```{claims} textbook.cpu\n```", "nearest: textbook.cpu-70"),
    ],
)
def test_what_does_not_exist_is_a_warning_with_its_place(build: Build, text: str, warning: str) -> None:
    _, warnings = build(index=f"# Page\n\n{text}\n")
    assert warning in warnings
    assert "index.md:3" in warnings


def test_a_table_shows_value_date_source_and_conflict(build: Build) -> None:
    out, warnings = build(index="# Page\n\n```{facts} lambda.timeout_s, sqs.message.max_bytes\n:caption: Limits\n```\n")
    html = (out / "index.html").read_text()
    assert warnings == ""
    for piece in (
        "Limits",
        "15 min",
        "Another source says 90 min",
        "1 MiB",
        "official documentation",
        'id="fact-lambda-timeout-s"',
    ):
        assert piece in html
    assert html.count("<tr") == 3


def test_a_prefix_shows_all_that_begin_with_it(build: Build) -> None:
    out, warnings = build(index="# Page\n\n```{facts}\n:prefix: dynamodb.\n```\n")
    assert warnings == ""
    assert (out / "index.html").read_text().count('id="fact-dynamodb-') == len(facts.where("dynamodb."))


def test_no_options_show_the_whole_register(build: Build) -> None:
    out, warnings = build(index="# Page\n\n```{facts}\n```\n")
    assert warnings == ""
    assert (out / "index.html").read_text().count("<tr id=") + (out / "index.html").read_text().count(
        "<tr class"
    ) >= len(facts.all())


def test_a_sentence_links_to_the_registers_page_where_the_book_has_one(build: Build) -> None:
    out, warnings = build(
        index="# Page\n\n{fact}`sqs.message.max_bytes` and {fact}`lambda.timeout_s`.\n\n```{toctree}\nreference/facts\n```\n",
        reference__facts="# Facts\n\n{fact}`sqs.message.max_bytes`\n\n```{facts}\n:prefix: sqs.\n```\n",
    )
    html = (out / "index.html").read_text()
    assert warnings == ""
    assert 'href="reference/facts.html#fact-sqs-message-max-bytes"' in html
    assert f'href="{facts.get("lambda.timeout_s").source}"' in html
    reference = (out / "reference" / "facts.html").read_text()
    assert 'id="fact-sqs-message-max-bytes"' in reference
    assert 'href="#fact-sqs-message-max-bytes"' in reference


def test_ids_in_a_page_are_unique_also_when_a_fact_is_shown_twice(build: Build) -> None:
    table = "```{facts} sqs.message.max_bytes\n```\n\n"
    out, _ = build(index=f"# Page\n\n{table}{table}")
    assert (out / "index.html").read_text().count('id="fact-sqs-message-max-bytes"') == 1


def test_claims_show_what_is_said_beside_what_is_so(build: Build) -> None:
    out, warnings = build(index="# Page\n\n```{claims}\n:section: 4\n```\n\n```{claims} common.sqs-256kb\n```\n")
    html = (out / "index.html").read_text()
    assert warnings == ""
    assert html.count("<tr") == 1 + 3 + 1 + 1
    assert "It may have 1 MiB." in html


def test_a_page_is_built_again_when_its_data_change(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import shutil

    data = tmp_path / "data"
    shutil.copytree(register.DATA, data)
    monkeypatch.setattr(register, "DATA", data)
    try:
        pages = {
            "index": "# A\n\nIt costs {fact}`sqs.price.per_million_requests|dollars`.\n",
            "other": "---\norphan: true\n---\n# B\n",
        }
        out, _ = build(**pages)
        assert ">$0.40</a>" in (out / "index.html").read_text()
        untouched = (out / "other.html").stat().st_mtime_ns
        sqs = data / "sqs.yaml"
        sqs.write_text(sqs.read_text().replace("value: 0.40\n", "value: 0.45\n"))
        later = time.time() + 5
        os.utime(sqs, (later, later))
        out, _ = build()
        assert ">$0.45</a>" in (out / "index.html").read_text()
        assert (out / "other.html").stat().st_mtime_ns == untouched
    finally:
        register.installed.cache_clear()
        facts.all()
