"""The inline Markdown of items, for a page and for a terminal."""

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def inline_html(text: str) -> str:
    """HTML of a text without paragraphs: `code`, *emphasis*, links; tags in it are shown, not obeyed."""
    html: str = _MARKDOWN.renderInline(" ".join(text.split()))
    return html


def block_html(text: str) -> str:
    """HTML of a text with paragraphs and lists."""
    html: str = _MARKDOWN.render(text)
    return html.strip()


def letter(index: int) -> str:
    """A, B, C ..."""
    return chr(ord("A") + index)


def count_word(count: int) -> str:
    """'TWO', as in *Select TWO*."""
    return ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX")[count] if 0 <= count <= 6 else str(count)


def about(seconds: int) -> str:
    """A reading time: 'about 40 seconds', 'about 2 minutes'."""
    if seconds < 55:
        return f"about {round(seconds, -1)} seconds"
    minutes = max(1, round(seconds / 60))
    return f"about {minutes} minute" + ("s" if minutes > 1 else "")
