"""A class's results in the forms that others read: CSV, one HTML page, nbgrader's gradebook and feedback, Gradescope's results.json.

The shapes are those of nbgrader's `nbgrader export` (nbgrader/plugins/export.py) and of Gradescope's autograder documentation, which Otter
writes too. A result is what `lab grade --json` has under "results".
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

Results = Sequence[dict[str, Any]]

NBGRADER = (
    "assignment",
    "duedate",
    "timestamp",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "raw_score",
    "late_submission_penalty",
    "score",
    "max_score",
)
"""The columns of nbgrader's CSV export."""


def as_csv(results: Results) -> str:
    """A line for each submission, a column for each check of any of the labs."""
    checks = list(dict.fromkeys(check["id"] for result in results for check in result["checks"]))
    columns = ["student", "submission", "lab", "score", "max", *checks, "problem", "notes"]
    rows = []
    for result in results:
        points = {check["id"]: f"{check['score']:g}" for check in result["checks"]}
        row = {name: result.get(name) for name in ("student", "submission", "lab", "score", "max", "problem")}
        rows.append(row | points | {"notes": " ".join(result["notes"])})
    return _csv(columns, rows)


def as_html(results: Results, title: str = "Results") -> str:
    """One page that needs nothing else: a table for each lab, with how many passed each check, and below what each submission was told."""
    labs = sorted({str(result["lab"] or "no lab") for result in results})
    tables = "".join(
        _table(lab, [(n, result) for n, result in enumerate(results) if str(result["lab"] or "no lab") == lab])
        for lab in labs
    )
    alone = " open" if len(results) == 1 else ""
    told = "".join(
        f"<details{alone}><summary>{escape(result['submission'])}: {_mark(result)}</summary>"
        f'<div id="s{number}">{_told(result)}</div></details>'
        for number, result in enumerate(results)
    )
    return _page(title, f"<h1>{escape(title)}</h1>{tables}<h2>What each was told</h2>{told}")


def _mark(result: dict[str, Any]) -> str:
    return "not graded" if result["problem"] else f"{result['score']:g} of {result['max']:g}"


def _table(lab: str, numbered: Sequence[tuple[int, dict[str, Any]]]) -> str:
    checks = list(dict.fromkeys(check["id"] for _, result in numbered for check in result["checks"]))
    graded = [result for _, result in numbered if not result["problem"]]
    heads = "".join(f'<th scope="col">{escape(check)}</th>' for check in checks)
    rows = []
    for number, result in numbered:
        found = {check["id"]: check for check in result["checks"]}
        cells = "".join(_cell(found.get(check)) for check in checks)
        name = f'<a href="#s{number}">{escape(result["submission"])}</a>'
        rows.append(f'<tr><th scope="row">{name}</th><td>{_mark(result)}</td>{cells}</tr>')
    passed = [
        sum(each["id"] == check and each["passed"] for result in graded for each in result["checks"])
        for check in checks
    ]
    foot = "".join(f"<td>{number} of {len(graded)}</td>" for number in passed)
    last = f'<tfoot><tr><th scope="row">passed by</th><td></td>{foot}</tr></tfoot>' if checks else ""
    head = f'<thead><tr><th scope="col">Submission</th><th scope="col">Points</th>{heads}</tr></thead>'
    return f"<h2>{escape(lab)}</h2><table>{head}<tbody>{''.join(rows)}</tbody>{last}</table>"


def _cell(check: dict[str, Any] | None) -> str:
    if check is None:
        return "<td></td>"
    kind, mark = ("yes", "✓") if check["passed"] else ("no", "✗")
    return f'<td class="{kind}" title="{escape(check["message"])}">{mark} {check["score"]:g}/{check["max"]:g}</td>'


def _told(result: dict[str, Any]) -> str:
    checks = "".join(
        f"<li>{'✓' if check['passed'] else '✗'} <b>{escape(check['id'])}</b> "
        f"({check['score']:g} of {check['max']:g}): {escape(check['message'])}</li>"
        for check in result["checks"]
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in [*filter(None, [result["problem"]]), *result["notes"]])
    errors = "".join(f"<li>Cell {error['cell']}: {escape(error['error'])}</li>" for error in result["errors"])
    parts = (("Checks", checks), ("Notes", notes), ("Cells that failed", errors))
    return "".join(f"<h3>{name}</h3><ul>{items}</ul>" for name, items in parts if items)


def _page(title: str, body: str) -> str:
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#1c1d22;background:#fff}"
        "table{border-collapse:collapse;display:block;overflow-x:auto}th,td{text-align:left;padding:.3rem .7rem;border-bottom:1px solid #dad7ce;white-space:nowrap}"
        "th a{font-weight:normal}summary{padding:.3rem 0;cursor:pointer}tfoot{font-size:.9em}"
        ".yes{color:#1b6b3a}.no{color:#a3231f}a{color:inherit}h2{margin-top:2.5rem;font-size:1.1rem}h3{font-size:1rem;margin-bottom:0}"
        "@media(prefers-color-scheme:dark){body{color:#e9e7e1;background:#17181c}th,td{border-color:#3a3c44}.yes{color:#7fce9c}.no{color:#ff9a94}}"
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{style}</style><body>{body}</body></html>\n"
    )


def write_nbgrader(results: Results, folder: Path) -> Path:
    """`grades.csv` as nbgrader exports it, and a page of feedback for each student where nbgrader's are: feedback/STUDENT/LAB/LAB.html."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "assignment": result["lab"] or "",
            "student_id": result["student"],
            "raw_score": result["score"],
            "late_submission_penalty": 0.0,
            "score": result["score"],
            "max_score": result["max"],
        }
        for result in results
    ]
    (folder / "grades.csv").write_text(_csv(NBGRADER, rows), "utf-8")
    for result in results:
        lab = result["lab"] or "unknown"
        page = folder / "feedback" / _name(result["student"]) / _name(lab) / f"{_name(lab)}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(as_html([result], f"{lab}: {result['student']}"), "utf-8")
    return folder / "grades.csv"


def write_gradescope(results: Results, folder: Path) -> list[Path]:
    """STUDENT/results.json for each submission, in the shape that Gradescope reads and Otter writes."""
    written = []
    for result in results:
        path = folder / _name(result["submission"]) / "results.json"
        while path in written:  # two names can become one
            path = path.parent.with_name(f"{path.parent.name}_") / "results.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(gradescope(result), indent=1, ensure_ascii=False) + "\n", "utf-8")
        written.append(path)
    return written


def gradescope(result: dict[str, Any]) -> dict[str, Any]:
    """One submission as Gradescope's results.json."""
    return {
        "score": result["score"],
        "execution_time": round(result.get("seconds", 0.0)),
        "output": "\n".join([*filter(None, [result["problem"]]), *result["notes"]]),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            {
                "score": check["score"],
                "max_score": check["max"],
                "status": "passed" if check["passed"] else "failed",
                "name": check["id"],
                "number": str(check["task"]),
                "output": check["message"],
                "tags": ["stretch"] if check["stretch"] else [],
                "visibility": "visible",
            }
            for check in result["checks"]
        ],
    }


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return text.getvalue()


def _harmless(value: Any) -> Any:
    """A name that a spreadsheet would take for a formula gets a quote before it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def _name(text: str) -> str:
    """A name for a file or folder, whatever a submission was called."""
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in text)
    return plain.strip(".") or "_"
