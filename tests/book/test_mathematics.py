"""A formula becomes MathML when the book is built; it never becomes a script from somewhere else."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest
from bookbinding import mathematics
from mini_book import Built

PAGE = "---\ndescription: x\n---\n# P\n\nLittle's law: {math}`L = \\lambda W`.\n\n```{math}\n\\frac{a}{b}\n```\n"


def test_a_formula_is_mathml_or_a_warning_and_never_a_script(build_book: Callable[..., Built]) -> None:
    built = build_book({"page": PAGE})
    page = built.page("page")
    if find_spec("latex2mathml"):
        assert built.warnings == ""
        assert page.count("<math") == 2
        assert "<mfrac>" in page
    else:
        assert built.warnings.count("a formula needs the package latex2mathml") == 2
    assert "mathjax" not in page.lower()
    assert "//cdn" not in page


def test_what_cannot_be_converted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def convert(latex: str, display: str) -> str:
            raise RuntimeError(f"{display} of {latex}")

    monkeypatch.setattr(mathematics, "import_module", lambda _: Broken)
    with pytest.raises(ValueError, match="cannot convert the formula"):
        mathematics.mathml("\\nonsense", block=True)
