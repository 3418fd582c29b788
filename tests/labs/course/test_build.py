"""The book is built with its labs' outputs, and only what has changed is built again."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mini_course import lab_of, make_course

from labs.course import build, execute
from labs.course.execute import Step
from labs.course.layout import Layout
from labs.errors import FALSE, Refusal


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, list[Step]]:
    """A small course, built once for this file; tests copy it before they change it."""
    course = make_course(tmp_path_factory.mktemp("course"))
    steps: list[Step] = []
    assert build.site(course, steps.append) is True
    return course, steps


@pytest.fixture
def changed(built: tuple[Layout, list[Step]], tmp_path: Path) -> Iterator[Layout]:
    """A copy of the built course, to be changed."""
    course, _ = built
    # Sphinx keeps absolute paths, so the copy stands where the original stood and the original waits aside.
    aside = tmp_path / "aside"
    shutil.copytree(course.root, aside, symlinks=True)
    yield course
    shutil.rmtree(course.root)
    aside.rename(course.root)


def page(course: Layout, name: str) -> str:
    return (course.site / name).read_text("utf-8")


def test_a_lab_is_run_on_the_local_cloud_and_its_outputs_stand_in_its_page(
    built: tuple[Layout, list[Step]],
) -> None:
    course, _ = built
    assert "the answer is 42" in page(course, "labs/01-lab.html")
    assert "http://127.0.0.1" in page(course, "labs/01-lab.html")


def test_a_lab_is_run_once(built: tuple[Layout, list[Step]]) -> None:
    course, _ = built
    assert (course.root / "runs.txt").read_text() == "run\n"


def test_progress_is_told_cell_by_cell(built: tuple[Layout, list[Step]]) -> None:
    _, steps = built
    assert [(step.lab, step.cell, step.cells, step.done) for step in steps] == [
        ("01-lab", 0, 2, False),
        ("01-lab", 1, 2, False),
        ("01-lab", 2, 2, True),
    ]
    assert steps[-1].seconds > 0


def test_a_lab_can_be_taken_away(built: tuple[Layout, list[Step]]) -> None:
    course, _ = built
    assert (course.site / "labs" / "01-lab.ipynb").exists()
    assert 'href="01-lab.ipynb"' in page(course, "labs/01-lab.html")


def test_nothing_changed_means_nothing_is_done(built: tuple[Layout, list[Step]]) -> None:
    course, _ = built
    before = {path: path.stat().st_mtime_ns for path in course.site.rglob("*")}
    assert build.site(course, pytest.fail) is False
    assert {path: path.stat().st_mtime_ns for path in course.site.rglob("*")} == before


def test_a_changed_page_is_built_without_running_a_lab(changed: Layout) -> None:
    (changed.book / "01-lesson.md").write_text((changed.book / "01-lesson.md").read_text() + "\nA new sentence.\n")
    assert build.site(changed, pytest.fail) is True
    assert "A new sentence." in page(changed, "01-lesson.html")
    assert "the answer is 42" in page(changed, "labs/01-lab.html")


def test_a_changed_lab_is_run_again(changed: Layout) -> None:
    source = changed.notebooks / "01-lab.md"
    source.write_text(source.read_text().replace("6 * 7", "6 * 8"))
    assert build.site(changed, lambda _: None) is True
    assert "the answer is 48" in page(changed, "labs/01-lab.html")


def test_outputs_do_not_outlive_the_code_they_came_from(changed: Layout) -> None:
    (changed.root / "labs").mkdir()
    (changed.root / "labs" / "engine.py").write_text("SPEED = 2")
    assert execute.waiting(changed, execute.cache_folder(changed)) == changed.labs()


def test_a_warning_fails_the_build_and_readers_keep_the_site_they_have(
    changed: Layout, capfd: pytest.CaptureFixture[str]
) -> None:
    (changed.book / "01-lesson.md").write_text("---\ndescription: x\n---\n# A lesson\n\n[nowhere](nowhere.md)\n")
    with pytest.raises(Refusal, match="not built") as refused:
        build.site(changed, lambda _: None)
    assert refused.value.exit_status == FALSE
    said = capfd.readouterr().err
    assert "01-lesson.md:6" in said
    assert "nowhere.md" in said
    assert "Some text." in page(changed, "01-lesson.html")
    assert not build.is_current(changed)


def test_sphinx_never_runs_a_lab_itself(
    changed: Layout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    source = changed.notebooks / "01-lab.md"
    source.write_text(source.read_text().replace("6 * 7", "6 * 9"))
    monkeypatch.setattr(execute, "waiting", lambda *_: [])  # as if it had been saved after it was run
    with pytest.raises(Refusal, match="not built"):
        build.site(changed, lambda _: None)
    assert "ChangedWhileTheBookWasBuilt" in capfd.readouterr().err


def test_the_text_needs_no_lab(course: Layout) -> None:
    (course.notebooks / "01-lab.md").write_text(lab_of("raise RuntimeError('must not run')"))
    pages = build.text(course)
    assert "must not run" in (pages / "labs" / "01-lab.html").read_text()
    assert not course.site.exists()


def test_a_cell_that_raises_is_named(new_course: Callable[[str], Layout], capfd: pytest.CaptureFixture[str]) -> None:
    course = new_course(lab_of("quota = 0", "60 / quota", "print('never')"))
    with pytest.raises(Refusal) as refused:
        build.site(course, lambda _: None)
    sentence = str(refused.value)
    assert "Lab 01-lab failed in code cell 2 of 3 (notebooks/01-lab.md, line 14)" in sentence
    assert "ZeroDivisionError: division by zero" in sentence
    assert "60 / quota" in capfd.readouterr().err
    assert not course.site.exists()


def test_a_cell_that_takes_its_kernel_with_it_is_named(new_course: Callable[[str], Layout]) -> None:
    course = new_course(lab_of("import os\nos._exit(3)"))
    with pytest.raises(Refusal, match="failed in code cell 1 of 1"):
        build.site(course, lambda _: None)


def test_a_kernel_that_is_not_installed_is_one_sentence(new_course: Callable[[str], Layout]) -> None:
    course = new_course(lab_of("1").replace("name: deployment-dilemma", "name: no-such-kernel"))
    with pytest.raises(Refusal, match="'no-such-kernel' is not installed; 'make setup' installs it"):
        build.site(course, lambda _: None)


def test_only_the_newest_results_are_kept(course: Layout) -> None:
    for number in range(4):
        (course.build / "cache" / f"old-{number}").mkdir(parents=True)
    execute.execute(course, [], execute.cache_folder(course), lambda _: None)
    assert len(list((course.build / "cache").iterdir())) == execute.KEPT_CACHES
    assert execute.cache_folder(course).exists()
