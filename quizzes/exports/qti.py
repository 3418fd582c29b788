"""QTI 2.1: an XML file for each question, a test for each quiz, in one package.

    qti.write(gather.items(["06-squid"]), Path("squid.zip"))

Marks are those of study mode, written out as response processing, so that a player that carries it out gives partial credit as we do:
*several answers* by a mapping (right ones add, wrong ones take), *matching* by a mapping of pairs, *ordering* by counting neighbours,
*numeric* by the bounds of the key's tolerance. Programs that only read `correctResponse` have the key there. The reason of each option and
of each known mistake is a `modalFeedback` of its own; those of steps and pairs are one. A case set's scenario stands in each of its items,
since QTI 2.1 has no shared stimulus, and its items stay together in the test.
Sources: IMS Question and Test Interoperability 2.1 (2012), Information Model and Implementation Guide; IMS Content Packaging 1.2.
"""

import zipfile
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby, pairwise
from pathlib import Path
from xml.etree import ElementTree as Xml

from quizzes.exports.gather import Exported, shown_order, sources
from quizzes.model import AnyItem, Matching, Multiple, Numeric, Option, Ordering, Single
from quizzes.text import block_html, inline_html

QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
IMSCP = "http://www.imsglobal.org/xsd/imscp_v1p1"
ITEM, TEST = "imsqti_item_xmlv2p1", "imsqti_test_xmlv2p1"
"""types of resources in a package"""
_CARDINALITY = {
    "single": ("single", "identifier"),
    "multiple": ("multiple", "identifier"),
    "ordering": ("ordered", "identifier"),
    "matching": ("multiple", "directedPair"),
    "numeric": ("single", "float"),
}
Element = Xml.Element


def write(exported: Sequence[Exported], path: Path) -> None:
    """Write the package."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files(exported):
            out.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def files(exported: Sequence[Exported]) -> Iterator[tuple[str, str]]:
    """Name and contents of everything in the package."""
    yield "imsmanifest.xml", manifest(exported)
    for quiz, of_quiz in groupby(exported, key=lambda one: one.quiz):
        members = list(of_quiz)
        yield f"tests/{quiz}.xml", assessment(members)
        for one in members:
            yield f"items/{one.item.id}.xml", item(one)


def identifier(name: str) -> str:
    """An id of ours as QTI takes one: it must not begin with a digit."""
    return name if name[0].isalpha() else f"_{name}"


def bare(name: str) -> str:
    """The id that `identifier` wrote."""
    return name.removeprefix("_")


# --- the package


def manifest(exported: Sequence[Exported]) -> str:
    """imsmanifest.xml: every item and every test, and which items a test needs."""
    root = Xml.Element("manifest", {"identifier": "deployment-dilemma", "xmlns": IMSCP})
    metadata = _sub(root, "metadata")
    _sub(metadata, "schema", "QTIv2.1 Package")
    _sub(metadata, "schemaversion", "1.0.0")
    _sub(root, "organizations")
    resources = _sub(root, "resources")
    for one in exported:
        _resource(resources, identifier(one.item.id), ITEM, f"items/{one.item.id}.xml")
    for quiz, of_quiz in groupby(exported, key=lambda one: one.quiz):
        resource = _resource(resources, f"test-{quiz}", TEST, f"tests/{quiz}.xml")
        for one in of_quiz:
            _sub(resource, "dependency", identifierref=identifier(one.item.id))
    return _text_of(root)


def _resource(parent: Element, name: str, kind: str, href: str) -> Element:
    resource = _sub(parent, "resource", identifier=name, type=kind, href=href)
    _sub(resource, "file", href=href)
    return resource


def assessment(members: Sequence[Exported]) -> str:
    """One quiz: its items in their order, a case set's together; the score is the sum of theirs."""
    first = members[0]
    root = Xml.Element("assessmentTest", {"xmlns": QTI, "identifier": f"test-{first.quiz}", "title": first.quiz_title})
    _outcome(root, "SCORE", "single", "float", default="0")
    part = _sub(root, "testPart", identifier="part", navigationMode="nonlinear", submissionMode="individual")
    _sub(part, "itemSessionControl", maxAttempts="1", showFeedback="true")
    section = _sub(part, "assessmentSection", identifier="quiz", title=first.quiz_title, visible="true")
    for case, of_case in groupby(members, key=lambda one: one.case_id):
        inner = list(of_case)
        under = section
        if case:
            under = _sub(section, "assessmentSection", identifier=f"case-{case}", title=inner[0].case_title, visible="true", keepTogether="true")  # fmt: skip
        for one in inner:
            _sub(under, "assessmentItemRef", identifier=identifier(one.item.id), href=f"../items/{one.item.id}.xml")
    total = _sub(_sub(_sub(root, "outcomeProcessing"), "setOutcomeValue", identifier="SCORE"), "sum")
    _sub(total, "testVariables", variableIdentifier="SCORE")
    return _text_of(root)


# --- an item


def item(one: Exported) -> str:
    """One question."""
    asked = one.item
    root = Xml.Element(
        "assessmentItem",
        {"xmlns": QTI, "identifier": identifier(asked.id), "title": asked.id, "adaptive": "false", "timeDependent": "false"},
    )  # fmt: skip
    _declare(root, asked)
    body = _sub(root, "itemBody")
    if one.case_id:
        stimulus = _sub(body, "div", **{"class": "stimulus"})
        _html(_sub(stimulus, "h2"), inline_html(one.case_title))
        _html(stimulus, block_html(one.scenario))
    _html(_sub(body, "div", **{"class": "stem"}), block_html(asked.stem))
    _interact(body, asked)
    _process(root, asked)
    for outcome, name, title, html in _reasons(asked):
        feedback = _sub(root, "modalFeedback", outcomeIdentifier=outcome, showHide="show", identifier=name, title=title)
        _html(feedback, html)
    return _text_of(root)


def _declare(root: Element, asked: AnyItem) -> None:
    cardinality, base = _CARDINALITY[asked.type]
    declared = _sub(root, "responseDeclaration", identifier="RESPONSE", cardinality=cardinality, baseType=base)
    correct = _sub(declared, "correctResponse")
    for value in _correct(asked):
        _sub(correct, "value", value)
    entries: list[tuple[str, float]] = []
    if isinstance(asked, Multiple):
        entries = [(identifier(o.id), (1 if o.correct else -1) / asked.select) for o in asked.options]
    elif isinstance(asked, Matching):
        entries = [(_pair(p.id, p.choice), 1 / len(asked.prompts)) for p in asked.prompts]
    if entries:
        mapping = _sub(declared, "mapping", lowerBound="0", upperBound="1", defaultValue="0")
        for key, share in entries:
            _sub(mapping, "mapEntry", mapKey=key, mappedValue=repr(share))
    _outcome(root, "SCORE", "single", "float", default="0", normalMaximum="1")
    _outcome(root, "MAXSCORE", "single", "float", default="1")
    if isinstance(asked, Ordering):
        _outcome(root, "NEIGHBOURS", "single", "integer", default="0")
    for outcome in dict.fromkeys(outcome for outcome, *_ in _reasons(asked)):
        _outcome(root, outcome, "single", "identifier")


def _outcome(root: Element, name: str, cardinality: str, base: str, default: str = "", **more: str) -> None:
    declared = _sub(root, "outcomeDeclaration", identifier=name, cardinality=cardinality, baseType=base, **more)
    if default:
        _sub(_sub(declared, "defaultValue"), "value", default)


def _pair(prompt: str, choice: str) -> str:
    """Sets of a matching item may share ids, and QTI wants each once."""
    return f"p-{prompt} c-{choice}"


def _correct(asked: AnyItem) -> list[str]:
    key = asked.key()
    if key.type == "numeric":
        return [repr(key.answer)]
    if key.type == "matching":
        return [_pair(prompt, choice) for prompt, choice in key.pairs.items()]
    return [identifier(name) for name in key.correct]


def _interact(body: Element, asked: AnyItem) -> None:
    shuffle = "true" if asked.shuffle else "false"
    order = shown_order(asked)
    match asked:
        case Single() | Multiple():
            many = str(asked.select) if isinstance(asked, Multiple) else "1"
            box = _sub(body, "choiceInteraction", responseIdentifier="RESPONSE", shuffle=shuffle, maxChoices=many, minChoices="0")  # fmt: skip
            _html(_sub(box, "prompt"), inline_html(asked.criterion))
            options: dict[str, Option] = {option.id: option for option in asked.options}
            for name in order:
                _html(_sub(box, "simpleChoice", identifier=identifier(name)), inline_html(options[name].text))
        case Ordering():
            box = _sub(body, "orderInteraction", responseIdentifier="RESPONSE", shuffle="true", orientation="vertical")
            _html(_sub(box, "prompt"), inline_html(asked.criterion))
            steps = {step.id: step for step in asked.steps}
            for name in order:
                _html(_sub(box, "simpleChoice", identifier=identifier(name)), inline_html(steps[name].text))
        case Matching():
            box = _sub(body, "matchInteraction", responseIdentifier="RESPONSE", shuffle=shuffle, maxAssociations=str(len(asked.prompts)))  # fmt: skip
            _html(_sub(box, "prompt"), inline_html(asked.criterion))
            left, right = _sub(box, "simpleMatchSet"), _sub(box, "simpleMatchSet")
            for prompt in asked.prompts:
                _html(_sub(left, "simpleAssociableChoice", identifier=f"p-{prompt.id}", matchMax="1", fixed="true"), inline_html(prompt.text))  # fmt: skip
            choices = {choice.id: choice for choice in asked.choices}
            for name in order:
                _html(_sub(right, "simpleAssociableChoice", identifier=f"c-{name}", matchMax="1"), inline_html(choices[name].text))  # fmt: skip
        case Numeric():
            _html(_sub(_sub(body, "p"), "strong"), inline_html(asked.criterion))
            line = _sub(body, "p")
            line.text = f"A number, in {asked.unit}, written as 1234.5: "
            _sub(line, "textEntryInteraction", responseIdentifier="RESPONSE", expectedLength="12")


# --- marks and reasons


def _process(root: Element, asked: AnyItem) -> None:
    """No answer: no mark and no reasons. An answer: the mark, and the reasons to show."""
    condition = _sub(_sub(root, "responseProcessing"), "responseCondition")
    unanswered = _sub(condition, "responseIf")
    _variable(_sub(unanswered, "isNull"), "RESPONSE")
    _value(_sub(unanswered, "setOutcomeValue", identifier="SCORE"), "float", "0")
    answered = _sub(condition, "responseElse")
    match asked:
        case Single():
            one = _sub(answered, "responseCondition")
            right = _sub(one, "responseIf")
            both = _sub(right, "match")
            _variable(both, "RESPONSE")
            _sub(both, "correct", identifier="RESPONSE")
            _value(_sub(right, "setOutcomeValue", identifier="SCORE"), "float", "1")
            wrong = _sub(one, "responseElse")
            _sub(_sub(wrong, "setOutcomeValue", identifier="KEY"), "correct", identifier="RESPONSE")
        case Multiple() | Matching():
            _sub(_sub(answered, "setOutcomeValue", identifier="SCORE"), "mapResponse", identifier="RESPONSE")
        case Ordering():
            _count_neighbours(answered, asked)
        case Numeric():
            key = asked.key()
            right = _sub(_sub(answered, "responseCondition"), "responseIf")
            _near(right, key.answer, key.tolerance + 1e-9 * max(1.0, abs(key.answer)))
            _value(_sub(right, "setOutcomeValue", identifier="SCORE"), "float", "1")
    _show(answered, asked)


def _count_neighbours(answered: Element, asked: Ordering) -> None:
    """The share of neighbouring pairs of the right order that stand together in the answer."""
    for first, second in pairwise(asked.steps):
        together = _sub(_sub(answered, "responseCondition"), "responseIf")
        anywhere = _sub(together, "or")
        for place in range(1, len(asked.steps)):
            here = _sub(anywhere, "and")
            for at, step in ((place, first), (place + 1, second)):
                same = _sub(here, "match")
                _variable(_sub(same, "index", n=str(at)), "RESPONSE")
                _value(same, "identifier", identifier(step.id))
        more = _sub(_sub(together, "setOutcomeValue", identifier="NEIGHBOURS"), "sum")
        _variable(more, "NEIGHBOURS")
        _value(more, "integer", "1")
    share = _sub(_sub(answered, "setOutcomeValue", identifier="SCORE"), "divide")
    _variable(share, "NEIGHBOURS")
    _value(share, "integer", str(len(asked.steps) - 1))


def _show(answered: Element, asked: AnyItem) -> None:
    """Which reasons: of a choice those of what was chosen and of what is right; of a number the key's, and that of the mistake that was made.

    Each outcome holds one identifier, since players exist that do not flatten a container in `multiple`.
    """
    if isinstance(asked, Single):
        _variable(_sub(answered, "setOutcomeValue", identifier="FEEDBACK"), "RESPONSE")
        return
    if not isinstance(asked, Multiple):
        _value(_sub(answered, "setOutcomeValue", identifier="FEEDBACK"), "identifier", "REASONS")
    if isinstance(asked, Multiple):
        right = {identifier(option.id) for option in asked.options if option.correct}
        for outcome, name, *_ in _reasons(asked):
            under = answered
            if name not in right:
                under = _sub(_sub(answered, "responseCondition"), "responseIf")
                chosen = _sub(under, "member")
                _value(chosen, "identifier", name)
                _variable(chosen, "RESPONSE")
            _value(_sub(under, "setOutcomeValue", identifier=outcome), "identifier", name)
    if isinstance(asked, Numeric):
        for place, mistake in enumerate(asked.mistakes, 1):
            made = _sub(_sub(answered, "responseCondition"), "responseIf")
            _near(made, float(mistake.value), 1e-6 * max(1.0, abs(float(mistake.value))))
            _value(_sub(made, "setOutcomeValue", identifier="MISTAKE"), "identifier", f"MISTAKE-{place}")


def _reasons(asked: AnyItem) -> list[tuple[str, str, str, str]]:
    """Outcome, identifier, title and markup of each feedback; the sources stand with those that belong to the key."""
    found: list[tuple[str, str, str, str]] = []
    links = _sources(asked)
    match asked:
        case Single() | Multiple():
            for place, option in enumerate(asked.options, 1):
                word = "Right" if option.correct else "Wrong"
                said = f"<p><strong>{word}.</strong> {inline_html(option.text)} {inline_html(option.why)}</p>"
                name = identifier(option.id)
                if isinstance(asked, Multiple):
                    found.append((f"FEEDBACK-{place}", name, word, said))
                    continue
                found.append(("FEEDBACK", name, word, said + links if option.correct else said))
                if option.correct:
                    found.append(("KEY", name, word, said + links))
            if isinstance(asked, Multiple) and links:
                last = max(place for place, option in enumerate(asked.options) if option.correct)
                found[last] = (*found[last][:3], found[last][3] + links)
        case Ordering():
            rows = "".join(f"<li>{inline_html(s.text)} {inline_html(s.why)}</li>" for s in asked.steps)
            found.append(("FEEDBACK", "REASONS", "In order", f"<ol>{rows}</ol>{links}"))
        case Matching():
            texts = {choice.id: inline_html(choice.text) for choice in asked.choices}
            rows = "".join(f"<li>{inline_html(p.text)} → {texts[p.choice]} {inline_html(p.why)}</li>" for p in asked.prompts)  # fmt: skip
            rows += "".join(f"<li>{texts[c.id]} fits none. {inline_html(c.why or '')}</li>" for c in asked.unused)
            found.append(("FEEDBACK", "REASONS", "Pairs", f"<ul>{rows}</ul>{links}"))
        case Numeric():
            unit = escape(asked.unit)
            right = f"<p><strong>{asked.key().answer:,.10g} {unit}</strong> is right. {inline_html(asked.why)}</p>"
            found.append(("FEEDBACK", "REASONS", "Right", right + links))
            for place, mistake in enumerate(asked.mistakes, 1):
                said = (
                    f"<p><strong>{float(mistake.value):,.10g} {unit}</strong> is wrong. {inline_html(mistake.why)}</p>"
                )
                found.append(("MISTAKE", f"MISTAKE-{place}", "Wrong", said))
    return found


def _sources(asked: AnyItem) -> str:
    links = [f'<a href="{escape(url)}">{escape(title)}</a> ({day})' for url, title, day in sources(asked)]
    return f"<p>To check it: {'; '.join(links)}.</p>" if links else ""


# --- XML


def _sub(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    element = Xml.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _variable(parent: Element, name: str) -> None:
    _sub(parent, "variable", identifier=name)


def _value(parent: Element, base: str, value: str) -> None:
    _sub(parent, "baseValue", value, baseType=base)


def _near(parent: Element, value: float, slack: float) -> None:
    """RESPONSE is this number, give or take. Bounds, since players exist whose `equal` knows no tolerance."""
    between = _sub(parent, "and")
    for comparison, bound in (("gte", value - slack), ("lte", value + slack)):
        one = _sub(between, comparison)
        _variable(one, "RESPONSE")
        _value(one, "float", repr(bound))


_ATTRIBUTES = {"a": {"href"}, "img": {"src", "alt"}}
"""what QTI's own subset of XHTML lets us keep"""


def _html(parent: Element, html: str) -> None:
    """Markup of ours as children of an element."""
    found = Xml.fromstring(f"<x>{html}</x>")
    for element in found.iter():
        for name in set(element.attrib) - _ATTRIBUTES.get(element.tag, set()):
            del element.attrib[name]
    parent.text = found.text
    parent.extend(list(found))


def _text_of(root: Element) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"
