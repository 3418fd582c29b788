"""Questions for a live poll: a sheet with a row for each question that a show of hands can answer, as CSV or XLSX.

    rows = poll.rows(gather.items(["06-squid"]))
    poll.write_xlsx(rows, Path("poll.xlsx"))

Poll programs cut long questions off, and ours are scenarios: put the column *scenario* on a slide, and let the poll ask *question*. The XLSX
file has one sheet, as ECMA-376 (Office Open XML) describes it, with texts in their cells.
"""

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from quizzes.exports.gather import Exported, shown_order
from quizzes.model import Multiple, Single

ANSWERS = 8
COLUMNS = (
    "id",
    "quiz",
    "skill",
    "scenario",
    "question",
    *(f"answer {n}" for n in range(1, ANSWERS + 1)),
    "right",
    "seconds",
    "reasons",
)
WIDTHS = {"scenario": 60, "question": 40, "reasons": 60}
Row = list[str | int]


def rows(exported: Sequence[Exported]) -> list[Row]:
    """A row for each question with one or several answers; `right` gives the numbers of the right ones."""
    found: list[Row] = []
    for one in exported:
        item = one.item
        if not isinstance(item, Single | Multiple):
            continue
        by_id = {option.id: option for option in item.options}
        options = [by_id[name] for name in shown_order(item)]
        scenario = f"{one.scenario}\n\n{item.stem}" if one.scenario else item.stem
        texts = [plain_text(option.text) for option in options]
        right = ",".join(str(place) for place, option in enumerate(options, 1) if option.correct)
        reasons = "\n".join(f"{place}: {plain_text(option.why)}" for place, option in enumerate(options, 1))
        found.append(
            [
                item.id,
                one.quiz,
                item.objective,
                plain_text(scenario),
                plain_text(item.criterion),
                *texts,
                *[""] * (ANSWERS - len(texts)),
                right,
                item.est_seconds,
                reasons,
            ]
        )
    return found


def plain_text(text: str) -> str:
    """Without Markdown's marks; a link's words alone."""
    without_links = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[*`]", "", without_links).strip()


def as_csv(table: Sequence[Row]) -> str:
    """With a header, and a byte order mark, without which Excel takes UTF-8 for something else."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([[_as_text(cell) for cell in row] for row in table])
    return "\ufeff" + out.getvalue()


def _as_text(cell: str | int) -> str | int:
    """A text that a spreadsheet would take for a formula, marked as text."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


_TYPES = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" \
ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" \
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" \
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/styles.xml" \
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>"""
_ROOT = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" \
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"""
_BOOK = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">\
<sheets><sheet name="Poll" sheetId="1" r:id="rId1"/></sheets></workbook>"""
_PARTS = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" \
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" \
Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"""
_STYLES = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/>\
<name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>\
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>\
</cellStyleXfs><cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>\
<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"""


def write_xlsx(table: Sequence[Row], path: Path) -> None:
    """One sheet; a text is a text there, whatever it begins with."""
    lines = [_line(1, list(COLUMNS), 1)] + [_line(number, row, 0) for number, row in enumerate(table, 2)]
    widths = "".join(
        f'<col min="{n}" max="{n}" width="{WIDTHS.get(name, 24 if name.startswith("answer") else 12)}" customWidth="1"/>'
        for n, name in enumerate(COLUMNS, 1)
    )
    sheet = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews>'
        '<sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"<cols>{widths}</cols><sheetData>{''.join(lines)}</sheetData></worksheet>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in (
            ("[Content_Types].xml", _TYPES),
            ("_rels/.rels", _ROOT),
            ("xl/workbook.xml", _BOOK),
            ("xl/_rels/workbook.xml.rels", _PARTS),
            ("xl/styles.xml", _STYLES),
            ("xl/worksheets/sheet1.xml", sheet),
        ):
            out.writestr(name, content)


def _line(number: int, row: Sequence[str | int], style: int) -> str:
    cells = []
    for index, value in enumerate(row):
        place = f"{chr(ord('A') + index)}{number}"
        if isinstance(value, int):
            cells.append(f'<c r="{place}" s="{style}"><v>{value}</v></c>')
        elif value:
            cells.append(
                f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
            )
    return f'<row r="{number}">{"".join(cells)}</row>'
