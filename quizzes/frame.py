"""The frame of a report: one HTML file in the course's colours, light and dark, on paper too; no script, nothing loaded."""

from html import escape

CSS = """
:root { color-scheme: light dark; --ink: #1c1d22; --soft: #555a66; --paper: #fff; --surface: #f6f5f1; --line: #dad7ce; --accent: #3a43a8; --mark: #fff3c9; }
@media (prefers-color-scheme: dark) { :root { --ink: #ecebe6; --soft: #b3b6c0; --paper: #17181c; --surface: #212329; --line: #42454f; --accent: #a9b1ff; --mark: #4b3f10; } }
* { box-sizing: border-box; }
body { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { margin-top: 2.5rem; font-size: 1.25rem; }
p { max-width: 70ch; } small, .soft { color: var(--soft); }
a { color: var(--accent); }
.wide { overflow-x: auto; } .wide:focus-visible { outline: 2px solid var(--accent); }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { padding: .3rem 0; text-align: left; font-weight: 650; }
th, td { padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td:last-child { min-width: 11rem; } td.n:last-child { min-width: 0; }
thead th { color: var(--soft); font-size: .88rem; } tbody th { font-weight: 500; }
.n { text-align: right; white-space: nowrap; }
.suspect { background: var(--mark); }
.bar { display: inline-block; width: 6rem; height: .7rem; border: 1px solid var(--soft); border-radius: .2rem; overflow: hidden; vertical-align: middle; }
.bar span { display: block; height: 100%; background: var(--accent); }
.note { padding: .7rem 1rem; border-left: 4px solid var(--accent); background: var(--surface); }
details { margin: .6rem 0; padding: .5rem .9rem; border: 1px solid var(--line); border-radius: .4rem; }
summary { cursor: pointer; font-weight: 600; }
@media print { body { max-width: none; font-size: 10pt; } .wide { overflow: visible; } }
""".strip()


def document(title: str, css: str = "") -> tuple[str, str]:
    """What stands before and after the body's contents."""
    head = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{CSS}\n{css}</style>\n</head>\n<body>\n<main>\n"
    )
    return head, "</main>\n</body>\n</html>\n"
