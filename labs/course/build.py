"""Build the book: its text in seconds, and the whole with its labs' outputs; nothing at all when nothing has changed.

here = layout.find()
build.text(here)                   # _build/text/html, no lab is run
build.site(here, on_step=print)    # _build/html, as readers get it
"""

from collections.abc import Callable
from pathlib import Path

from labs.course import execute, lock, stamp
from labs.course.bind import Binding, bind
from labs.course.execute import Step
from labs.course.layout import Layout
from labs.course.publish import publish


def _quiet() -> None:
    pass


def is_current(layout: Layout) -> bool:
    """Was the finished site built from exactly what is here now?"""
    return layout.site.is_dir() and stamp.read(layout.stamp).get("everything") == stamp.everything(layout)


def text(layout: Layout, on_wait: Callable[[], None] = _quiet) -> Path:
    """The book without outputs; returns the folder of its pages. Warnings are printed and do not stop it. Raises Refusal."""
    binding, note = Binding(layout.text, cache=None, strict=False), layout.text / "made-from.json"
    layout.show_labs()
    with lock.held(layout.build / "text.lock", on_wait):
        made_from = stamp.everything(layout)
        if stamp.read(note).get("everything") != made_from:
            note.unlink(missing_ok=True)
            bind(layout, binding)
            stamp.write(note, everything=made_from)
    return binding.html


def site(layout: Layout, on_step: Callable[[Step], None], on_wait: Callable[[], None] = _quiet) -> bool:
    """The whole: run the labs whose results are missing, build with warnings as errors, publish to `layout.site`.

    Returns whether there was anything to do. Raises Refusal with the lab's cell or the page's line that is at fault; the site
    that was there before then stands as it was.
    """
    layout.show_labs()
    if is_current(layout):
        return False
    with lock.held(layout.build / "site.lock", on_wait):
        if is_current(layout):
            return False
        # Taken before the work: what changes meanwhile makes the result old, not current.
        made_from = stamp.everything(layout)
        cache = execute.cache_folder(layout)
        if labs := execute.waiting(layout, cache):
            execute.execute(layout, labs, cache, on_step)
        binding = Binding(layout.full, cache, strict=True)
        bind(layout, binding)
        layout.stamp.unlink(missing_ok=True)
        publish(binding.html, layout.site)
        stamp.write(layout.stamp, everything=made_from)
        return True
