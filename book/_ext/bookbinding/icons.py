"""The book's few icons, drawn for it on a 24-unit grid as open strokes; templates write `{{ icon("moon") }}`.

The theme asks for Font Awesome (1.5 MB of script, or three web fonts); its templates that show an icon are overridden in
`_templates/` to use these instead.
"""

from markupsafe import Markup

STROKES = {
    "menu": "M4 7h16M4 12h16M4 17h16",
    "contents": "M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01",
    "search": "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14m5 12 4.5 4.5",
    "close": "m6 6 12 12M18 6 6 18",
    "sun": "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
    "moon": "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5",
    "system": "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M12 3.5v17M15 4.6v14.8M18 6.5v11",
    "previous": "m14.5 5-7 7 7 7",
    "next": "m9.5 5 7 7-7 7",
    "download": "M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14",
    "read": "M12 6.5C9.5 4.8 6.5 4.5 3.5 5v13c3-.5 6-.2 8.5 1.5 2.5-1.7 5.5-2 8.5-1.5V5c-3-.5-6-.2-8.5 1.5m0 0v13",
    "lab": "M10 3.5h4M10.5 3.5v6L5 18.5a1.3 1.3 0 0 0 1.2 2h11.6a1.3 1.3 0 0 0 1.2-2l-5.5-9v-6M8 14.5h8",
    "quiz": "m4 7 1.5 1.5L8.5 5.5M4 16l1.5 1.5 3-3M12 7.5h8M12 16.5h8",
}


def icon(name: str) -> Markup:
    """An icon as inline SVG, hidden from assistive technology: the control that shows it has its own name."""
    path = STROKES[name]
    return Markup(
        f'<svg class="icon" aria-hidden="true" focusable="false" viewBox="0 0 24 24"><path d="{path}"/></svg>'
    )
