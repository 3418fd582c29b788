"""A small register of our own making, so that a test can break it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labs.facts.register import Register

SOURCES = """
sources:
  page:
    title: A page
    url: https://docs.aws.amazon.com/a/page.html
    as_of: 2026-10
    confidence: official
    read: read in a copy of the page dated 2026-10
  blog:
    title: A blog
    url: https://example.org/blog
    as_of: 2025-01-15
    confidence: third-party
    read: read in 2025
"""

SHOP = """
defaults:
  source: page
facts:
  shop.price.apple:
    value: 0.5
    unit: USD/hour
    region: us-east-1
    says: An apple for an hour.
  shop.price.pear: {value: 2.25, unit: USD/hour, region: us-east-1, says: A pear for an hour., source: blog, confidence: unverified}
  shop.limit.basket: {value: 1048576, unit: B, says: The largest basket.}
"""

NOTHING = {
    "claims.yaml": "claims: {}\n",
    "prices.yaml": "prices: {}\n",
    **{
        f"catalogue/{part}.yaml": f"{part}: {{}}\n"
        for part in ("models", "accelerators", "instances", "images", "targets")
    },
}


@pytest.fixture
def make_register(tmp_path: Path) -> Callable[..., Register]:
    """A register in a folder of its own; file names and their text as keyword arguments change or add files."""

    def make(**files: str) -> Register:
        folder = tmp_path / "data"
        named = {name.replace("__", "/") + ".yaml": text for name, text in files.items()}
        for name, text in {"sources.yaml": SOURCES, "shop.yaml": SHOP, **NOTHING, **named}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Register(folder)

    return make
