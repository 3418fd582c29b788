"""Moodle XML: every type, the reason of every option kept, partial credit as in study mode.

    text = moodle.document(gather.items(["06-squid"]))

Written from Moodle's own importer (question/format/xml/format.php, question/type/ordering/questiontype.php) and
https://docs.moodle.org/en/Moodle_XML_format. *Several answers*: each right one gives its share, each wrong one takes as much.
*Ordering* (a core type since Moodle 5.0, a plugin before): graded by neighbours, RELATIVE_NEXT_EXCLUDE_LAST, which is our own rule.
*Matching* and *ordering* have no place for the reason of a single pair or step, so these stand in the general feedback. Moodle's own
marking of *several answers* cannot be all or nothing.
"""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from xml.etree import ElementTree as Xml

from quizzes.exports.gather import Exported, shown_order, sources
from quizzes.model import AnyItem, Matching, Multiple, Numeric, Ordering, Single
from quizzes.text import block_html, count_word, inline_html

CATEGORY = "$course$/top/The Deployment Dilemma"
SHARES = {2: "50", 3: "33.33333", 4: "25"}
"""of one right option among so many: values that Moodle's list of grades has, which an import is strict about"""
Element = Xml.Element


def document(exported: Sequence[Exported]) -> str:
    """The whole file."""
    root = Xml.Element("quiz")
    for (quiz, title), of_quiz in groupby(exported, key=lambda one: (one.quiz, one.quiz_title)):
        category = _sub(root, "question", type="category")
        _text(category, "category", f"{CATEGORY}/{quiz}: {title.replace('/', '//')}")
        for case, of_case in groupby(of_quiz, key=lambda one: one.case_id):
            members = list(of_case)
            if case:
                _description(root, members[0])
            for number, one in enumerate(members, 1):
                _question(root, one, f"{one.case_title}, {number} of {len(members)}" if case else "")
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _sub(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    element = Xml.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _text(parent: Element, tag: str, text: str, form: str = "", **attributes: str) -> Element:
    """<tag format="html"><text>...</text></tag>"""
    element = _sub(parent, tag, **({"format": form} if form else {}), **attributes)
    _sub(element, "text", text)
    return element


def _description(root: Element, one: Exported) -> None:
    question = _sub(root, "question", type="description")
    _text(question, "name", f"{one.case_id}: {one.case_title}")
    _text(question, "questiontext", f"<h4>{inline_html(one.case_title)}</h4>{block_html(one.scenario)}", "html")
    _text(question, "generalfeedback", "", "html")
    _sub(question, "defaultgrade", "0")
    _sub(question, "penalty", "0")
    _sub(question, "hidden", "0")
    _sub(question, "idnumber", one.case_id)


def _question(root: Element, one: Exported, case: str) -> None:
    item = one.item
    kind = {"single": "multichoice", "multiple": "multichoice", "numeric": "numerical"}.get(item.type, item.type)
    question = _sub(root, "question", type=kind)
    _text(question, "name", item.id)
    said = f"<p><em>{escape(case)}</em></p>" if case else ""
    text = f"{said}{block_html(item.stem)}<p><strong>{inline_html(item.criterion)}</strong></p>"
    _text(question, "questiontext", text, "html")
    _text(question, "generalfeedback", _reasons(item) + _sources(item), "html")
    _sub(question, "defaultgrade", "1")
    _sub(question, "penalty", "0")
    _sub(question, "hidden", "0")
    _sub(question, "idnumber", item.id)
    match item:
        case Single() | Multiple():
            _choice(question, item)
        case Ordering():
            _ordering(question, item)
        case Matching():
            _matching(question, item)
        case Numeric():
            _numeric(question, item)
    tags = _sub(question, "tags")
    for tag in (f"skill {item.objective}", item.bloom, item.band):
        _text(tags, "tag", tag)


def _verdicts(question: Element, counted: bool) -> None:
    _text(question, "correctfeedback", "Right.", "html")
    _text(question, "partiallycorrectfeedback", "Partly right.", "html")
    _text(question, "incorrectfeedback", "Not right.", "html")
    if counted:
        _sub(question, "shownumcorrect")


def _choice(question: Element, item: Single | Multiple) -> None:
    _sub(question, "single", "true" if isinstance(item, Single) else "false")
    _sub(question, "shuffleanswers", "true" if item.shuffle else "false")
    _sub(question, "answernumbering", "ABCD")
    _sub(question, "showstandardinstruction", "0")
    _verdicts(question, counted=isinstance(item, Multiple))
    share = SHARES[item.select] if isinstance(item, Multiple) else "100"
    loss = f"-{share}" if isinstance(item, Multiple) else "0"
    by_id = {option.id: option for option in item.options}
    for name in shown_order(item):
        option = by_id[name]
        answer = _sub(question, "answer", fraction=share if option.correct else loss, format="html")
        _sub(answer, "text", inline_html(option.text))
        _text(answer, "feedback", inline_html(option.why), "html")


def _ordering(question: Element, item: Ordering) -> None:
    _sub(question, "layouttype", "VERTICAL")
    _sub(question, "selecttype", "ALL")
    _sub(question, "selectcount", "0")
    _sub(question, "gradingtype", "RELATIVE_NEXT_EXCLUDE_LAST")
    _sub(question, "showgrading", "SHOW")
    _sub(question, "numberingstyle", "none")
    _verdicts(question, counted=True)
    for place, step in enumerate(item.steps, 1):  # Moodle takes the fraction for the step's place
        answer = _sub(question, "answer", fraction=f"{place}.0000000", format="html")
        _sub(answer, "text", inline_html(step.text))
        _text(answer, "feedback", inline_html(step.why), "html")


def _matching(question: Element, item: Matching) -> None:
    question.set("type", "matching")
    _sub(question, "shuffleanswers", "true" if item.shuffle else "false")
    _verdicts(question, counted=True)
    texts = {choice.id: _bare(choice.text) for choice in item.choices}
    for prompt in item.prompts:
        part = _sub(question, "subquestion", format="html")
        _sub(part, "text", inline_html(prompt.text))
        _text(part, "answer", texts[prompt.choice])
    for choice in item.unused:  # a subquestion without a text is a choice that fits none
        part = _sub(question, "subquestion", format="html")
        _sub(part, "text", "")
        _text(part, "answer", texts[choice.id])


def _numeric(question: Element, item: Numeric) -> None:
    key = item.key()
    answer = _sub(question, "answer", fraction="100", format="moodle_auto_format")
    _sub(answer, "text", repr(key.answer))
    _text(answer, "feedback", inline_html(item.why), "html")
    _sub(answer, "tolerance", repr(max(key.tolerance, 1e-9 * max(1.0, abs(key.answer)))))
    for mistake in item.mistakes:
        wrong = float(mistake.value)
        answer = _sub(question, "answer", fraction="0", format="moodle_auto_format")
        _sub(answer, "text", repr(wrong))
        _text(answer, "feedback", inline_html(mistake.why), "html")
        _sub(answer, "tolerance", repr(1e-6 * max(1.0, abs(wrong))))
    units = _sub(question, "units")
    unit = _sub(units, "unit")
    _sub(unit, "multiplier", "1")
    _sub(unit, "unit_name", item.unit)
    _sub(question, "unitgradingtype", "0")
    _sub(question, "unitpenalty", "0")
    _sub(question, "showunits", "0")  # the unit may be typed or left out
    _sub(question, "unitsleft", "0")


def _bare(text: str) -> str:
    """Moodle shows the choices of a matching question in a list that knows no marks."""
    return text.replace("`", "").replace("*", "")


def _reasons(item: AnyItem) -> str:
    """What Moodle shows after an answer, whatever it was: the reasons that have no place of their own."""
    match item:
        case Multiple():
            return f"<p>{count_word(item.select).capitalize()} are right.</p>"
        case Ordering():
            rows = "".join(f"<li>{inline_html(s.text)}: {inline_html(s.why)}</li>" for s in item.steps)
            return f"<ol>{rows}</ol>"
        case Matching():
            texts = {choice.id: inline_html(choice.text) for choice in item.choices}
            rows = "".join(f"<li>{inline_html(p.text)} → {texts[p.choice]}: {inline_html(p.why)}</li>" for p in item.prompts)  # fmt: skip
            spare = "".join(f"<li>{texts[c.id]} fits none: {inline_html(c.why or '')}</li>" for c in item.unused)
            return f"<ul>{rows}{spare}</ul>"
        case Numeric():
            return f"<p>{item.key().answer:,.10g} {escape(item.unit)}: {inline_html(item.why)}</p>"
    return ""


def _sources(item: AnyItem) -> str:
    links = "; ".join(f'<a href="{escape(url)}">{escape(title)}</a> ({day})' for url, title, day in sources(item))
    return f"<p>To check it: {links}.</p>" if links else ""
