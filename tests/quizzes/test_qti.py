"""The QTI package, read again: whole, as the standard's tables say, with the keys of the bank, and marking as we do.

No package ships the schemas of QTI 2.1, so what they would say of our elements is written out here, from the standard's information model;
and a small reader of response processing, which knows nothing of how it was written, marks answers. `tests/site/test_qti_player.py`, a soak
test, has independent programs read and play them.
"""

import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from quizzes.exports import gather, qti
from quizzes.exports.gather import Exported
from quizzes.grading import Key, Response, grade
from quizzes.lint import reasons
from quizzes.model import AnyItem, Matching, Numeric, Ordering, Single
from quizzes.text import inline_html

TRIAL = Path(__file__).parent / "bank"
Q = f"{{{qti.QTI}}}"
C = f"{{{qti.IMSCP}}}"


@pytest.fixture(scope="module")
def whole() -> list[Exported]:
    """The course's own bank."""
    return gather.items()


@pytest.fixture(scope="module")
def trial() -> list[Exported]:
    return gather.items(folder=TRIAL)


@pytest.fixture(scope="module")
def trees(whole: list[Exported]) -> dict[str, Xml.Element]:
    """Item id → its parsed file, as it lies in the package."""
    return {one.item.id: Xml.fromstring(qti.item(one)) for one in whole}


def bare(element: Xml.Element) -> str:
    return element.tag.removeprefix(Q)


# --- the package


def test_the_package_holds_what_its_manifest_names(whole: list[Exported], tmp_path: Path) -> None:
    qti.write(whole, tmp_path / "q.zip")
    with zipfile.ZipFile(tmp_path / "q.zip") as opened:
        names = set(opened.namelist())
        manifest = Xml.fromstring(opened.read("imsmanifest.xml"))
        for name in names:
            Xml.fromstring(opened.read(name))
    assert [bare_c(child) for child in manifest] == ["metadata", "organizations", "resources"]
    assert manifest.findtext(f"{C}metadata/{C}schema") == "QTIv2.1 Package"
    resources = {r.get("identifier"): r for r in manifest.iter(f"{C}resource")}
    assert len(resources) == len(list(manifest.iter(f"{C}resource")))
    assert names == {r.get("href") for r in resources.values()} | {"imsmanifest.xml"}
    for resource in resources.values():
        assert [file.get("href") for file in resource.iter(f"{C}file")] == [resource.get("href")]
        kind = qti.TEST if str(resource.get("href")).startswith("tests/") else qti.ITEM
        assert resource.get("type") == kind
        assert {d.get("identifierref") for d in resource.iter(f"{C}dependency")} <= set(resources)
    items = [r.get("identifier") for r in resources.values() if r.get("type") == qti.ITEM]
    assert items == [qti.identifier(one.item.id) for one in whole]


def bare_c(element: Xml.Element) -> str:
    return element.tag.removeprefix(C)


def test_a_test_asks_every_item_of_its_quiz_in_order_and_a_case_together(whole: list[Exported]) -> None:
    for quiz in {one.quiz for one in whole}:
        members = [one for one in whole if one.quiz == quiz]
        tree = Xml.fromstring(qti.assessment(members))
        assert [bare(child) for child in tree] == ["outcomeDeclaration", "testPart", "outcomeProcessing"]
        refs = list(tree.iter(f"{Q}assessmentItemRef"))
        assert [ref.get("href") for ref in refs] == [f"../items/{one.item.id}.xml" for one in members]
        assert len({ref.get("identifier") for ref in refs}) == len(refs)
        cases = {s.get("identifier"): s for s in tree.iter(f"{Q}assessmentSection") if s.get("keepTogether") == "true"}
        assert set(cases) == {f"case-{one.case_id}" for one in members if one.case_id}
        for one in members:
            if one.case_id:
                inside = [ref.get("identifier") for ref in cases[f"case-{one.case_id}"]]
                assert qti.identifier(one.item.id) in inside


def test_the_same_bank_makes_the_same_package(trial: list[Exported], tmp_path: Path) -> None:
    for name in ("1.zip", "2.zip"):
        qti.write(trial, tmp_path / name)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


# --- the standard's tables

ORDER = ("responseDeclaration", "outcomeDeclaration", "itemBody", "responseProcessing", "modalFeedback")
"""children of an assessmentItem, in this order (5.1 of the information model), of those that we use"""
REQUIRED = {
    "assessmentItem": {"identifier", "title", "adaptive", "timeDependent"},
    "responseDeclaration": {"identifier", "cardinality", "baseType"},
    "outcomeDeclaration": {"identifier", "cardinality", "baseType"},
    "mapping": {"defaultValue"},
    "mapEntry": {"mapKey", "mappedValue"},
    "choiceInteraction": {"responseIdentifier", "shuffle", "maxChoices"},
    "orderInteraction": {"responseIdentifier", "shuffle"},
    "matchInteraction": {"responseIdentifier", "shuffle", "maxAssociations"},
    "textEntryInteraction": {"responseIdentifier"},
    "simpleChoice": {"identifier"},
    "simpleAssociableChoice": {"identifier", "matchMax"},
    "modalFeedback": {"outcomeIdentifier", "identifier", "showHide"},
    "setOutcomeValue": {"identifier"},
    "variable": {"identifier"},
    "correct": {"identifier"},
    "mapResponse": {"identifier"},
    "baseValue": {"baseType"},
    "index": {"n"},
}
XHTML = {"p", "ul", "ol", "li", "code", "pre", "em", "strong", "a", "div", "h2", "br", "blockquote"}
BASE = {"identifier", "float", "integer"}
INTERACTIONS = {"choiceInteraction": {"identifier"}, "orderInteraction": {"identifier"}, "matchInteraction": {"directedPair"}, "textEntryInteraction": {"float"}}  # fmt: skip


def test_every_item_is_built_as_the_information_model_says(trees: dict[str, Xml.Element]) -> None:
    for name, tree in trees.items():
        children = [bare(child) for child in tree]
        assert children == sorted(children, key=ORDER.index), name
        assert [children.count(one) for one in ("responseDeclaration", "itemBody", "responseProcessing")] == [1, 1, 1]
        for element in tree.iter():
            assert element.tag.startswith(Q), name
            assert set(element.attrib) >= REQUIRED.get(bare(element), set()), (name, bare(element))
            if bare(element) in XHTML and bare(element) != "a":
                assert set(element.attrib) <= {"class"}, name
            if bare(element) == "baseValue":
                assert element.get("baseType") in BASE


def test_identifiers_are_declared_once_and_nothing_else_is_used(trees: dict[str, Xml.Element]) -> None:
    for name, tree in trees.items():
        declared = [d.get("identifier") for d in tree if bare(d) in ("responseDeclaration", "outcomeDeclaration")]
        assert len(set(declared)) == len(declared)
        interactions = [e for e in tree.iter() if e.get("responseIdentifier")]
        assert len(interactions) == 1, name
        base = tree.find(f"{Q}responseDeclaration")
        assert base is not None
        assert interactions[0].get("responseIdentifier") == base.get("identifier")
        assert base.get("baseType") in INTERACTIONS[bare(interactions[0])]
        used = {e.get("identifier") for e in tree.iter() if bare(e) in ("variable", "correct", "mapResponse", "setOutcomeValue")}  # fmt: skip
        assert used <= set(declared), name
        choices = [e.get("identifier") for e in tree.iter() if bare(e) in ("simpleChoice", "simpleAssociableChoice")]
        assert len(set(choices)) == len(choices)
        assert all(str(one)[0].isalpha() or str(one)[0] == "_" for one in (*choices, tree.get("identifier")))
        offered = {f"{a} {b}" for a in choices for b in choices} | set(choices)
        values = [v.text for v in base.iter(f"{Q}value")] + [e.get("mapKey") for e in base.iter(f"{Q}mapEntry")]
        assert base.get("baseType") == "float" or set(values) <= offered, name
        told = [(f.get("outcomeIdentifier"), f.get("identifier")) for f in tree.iter(f"{Q}modalFeedback")]
        assert len(set(told)) == len(told), name
        assert {outcome for outcome, _ in told} <= set(declared), name
        for rule in tree.iter(f"{Q}setOutcomeValue"):
            if rule[0].get("baseType") == "identifier":
                assert (rule.get("identifier"), rule[0].text) in told, name


# --- what an item says


def key_of(tree: Xml.Element) -> Key:
    """The key that a file has, from `correctResponse` and from what there is to choose."""
    declared = tree.find(f"{Q}responseDeclaration")
    assert declared is not None
    kind = str(declared.get("cardinality")), str(declared.get("baseType"))
    values = [str(v.text) for v in declared.iterfind(f"{Q}correctResponse/{Q}value")]
    choices = [str(e.get("identifier")) for e in tree.iter(f"{Q}simpleChoice")]
    if kind == ("single", "float"):
        return Key("numeric", answer=float(values[0]))
    if kind == ("multiple", "directedPair"):
        pairs = dict(value.split(" ") for value in values)
        right = [str(e.get("identifier")) for e in list(tree.iter(f"{Q}simpleMatchSet"))[1]]
        return Key("matching", tuple(c.removeprefix("c-") for c in right), pairs={p.removeprefix("p-"): c.removeprefix("c-") for p, c in pairs.items()})  # fmt: skip
    types: dict[str, Any] = {"single": "single", "multiple": "multiple", "ordered": "ordering"}
    return Key(types[kind[0]], tuple(map(qti.bare, choices)), tuple(map(qti.bare, values)))


def test_read_again_every_item_has_the_key_of_the_bank(whole: list[Exported], trees: dict[str, Xml.Element]) -> None:
    for one in whole:
        wanted, found = one.item.key(), key_of(trees[one.item.id])
        assert found.type == wanted.type, one.item.id
        assert set(found.options) == set(wanted.options)
        assert (found.correct if found.type == "ordering" else set(found.correct)) == (wanted.correct if found.type == "ordering" else set(wanted.correct))  # fmt: skip
        assert dict(found.pairs) == dict(wanted.pairs)
        assert found.answer == wanted.answer


def test_an_order_is_not_written_in_its_right_order(whole: list[Exported], trees: dict[str, Xml.Element]) -> None:
    for one in whole:
        if isinstance(one.item, Ordering):
            assert key_of(trees[one.item.id]).options != one.item.key().correct


def test_every_reason_is_a_feedback_and_nothing_of_it_is_in_the_question(
    whole: list[Exported], trees: dict[str, Xml.Element]
) -> None:
    for one in whole:
        tree = trees[one.item.id]
        body = tree.find(f"{Q}itemBody")
        assert body is not None
        asked = plain(body)
        told = " ".join(plain(f) for f in tree.iter(f"{Q}modalFeedback"))
        for reason in reasons(one.item):
            said = plain(Xml.fromstring(f"<x>{inline_html(reason)}</x>"))
            assert said in told, one.item.id
            assert said not in asked, one.item.id


def plain(element: Xml.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def test_a_scenario_stands_in_each_item_of_its_case(whole: list[Exported], trees: dict[str, Xml.Element]) -> None:
    found = {name: tree.find(f"{Q}itemBody/{Q}div[@class='stimulus']") for name, tree in trees.items()}
    assert {name for name, stimulus in found.items() if stimulus is not None} == {o.item.id for o in whole if o.case_id}
    for one in whole:
        stimulus = found[one.item.id]
        assert stimulus is None or one.case_title.split()[0] in plain(stimulus)


# --- marks


class Reader:
    """Carries response processing out, operator by operator, as chapter 8 of the information model defines them."""

    def __init__(self, tree: Xml.Element, response: Any) -> None:
        self.declared = {d.get("identifier"): d for d in tree if "Declaration" in d.tag}
        self.values: dict[str, Any] = {"RESPONSE": response}
        for name, d in self.declared.items():
            default = d.findtext(f"{Q}defaultValue/{Q}value")
            if name != "RESPONSE":
                self.values[str(name)] = None if default is None else _typed(str(d.get("baseType")), default)
        processing = tree.find(f"{Q}responseProcessing")
        assert processing is not None
        for rule in processing:
            self.carry_out(rule)

    def carry_out(self, rule: Xml.Element) -> None:
        if bare(rule) == "setOutcomeValue":
            self.values[str(rule.get("identifier"))] = self.value(rule[0])
            return
        assert bare(rule) == "responseCondition"
        for branch in rule:
            inner = list(branch)
            if bare(branch) == "responseElse" or self.value(inner.pop(0)) is True:
                for one in inner:
                    self.carry_out(one)
                return

    def value(self, e: Xml.Element) -> Any:
        of = [self.value(child) for child in e] if bare(e) != "baseValue" else []
        operators: dict[str, Callable[[], Any]] = {
            "variable": lambda: self.values[str(e.get("identifier"))],
            "baseValue": lambda: _typed(str(e.get("baseType")), str(e.text)),
            "correct": lambda: self.correct(),
            "mapResponse": lambda: self.mapped(),
            "isNull": lambda: of[0] is None or of[0] == [],
            "match": lambda: None if None in of else of[0] == of[1],
            "and": lambda: all(of),
            "or": lambda: any(of),
            "gte": lambda: of[0] >= of[1],
            "lte": lambda: of[0] <= of[1],
            "sum": lambda: sum(of),
            "divide": lambda: of[0] / of[1],
            "index": lambda: of[0][int(str(e.get("n"))) - 1] if int(str(e.get("n"))) <= len(of[0]) else None,
            "member": lambda: of[0] in of[1],
        }
        return operators[bare(e)]()

    def correct(self) -> Any:
        d = self.declared["RESPONSE"]
        values = [str(v.text) for v in d.iterfind(f"{Q}correctResponse/{Q}value")]
        return values[0] if d.get("cardinality") == "single" else values

    def mapped(self) -> float:
        mapping = self.declared["RESPONSE"].find(f"{Q}mapping")
        assert mapping is not None
        by_key = {e.get("mapKey"): float(str(e.get("mappedValue"))) for e in mapping}
        total = sum(by_key.get(one, float(str(mapping.get("defaultValue")))) for one in set(self.values["RESPONSE"]))
        return min(max(total, float(str(mapping.get("lowerBound")))), float(str(mapping.get("upperBound"))))


def _typed(base: str, text: str) -> Any:
    return float(text) if base == "float" else int(text) if base == "integer" else text


def answers(item: AnyItem, chance: random.Random) -> list[tuple[Response, Any]]:
    """Right, wrong and in between: (as we write it, as QTI does)."""
    key = item.key()
    if isinstance(item, Numeric):
        near = max(key.tolerance, 1e-12 * abs(key.answer))
        given = [key.answer, key.answer + 0.999 * near, key.answer - 0.999 * near, key.answer + 1.01 * near + 1e-3]
        return [(repr(n), n) for n in [*given, *(float(m.value) for m in item.mistakes)]]
    if isinstance(item, Matching):
        pairs = [dict(key.pairs)] + [dict(zip(key.pairs, chance.sample(key.options, len(key.pairs)), strict=True)) for _ in range(4)]  # fmt: skip
        return [(p, [f"p-{prompt} c-{choice}" for prompt, choice in p.items()]) for p in pairs]
    if isinstance(item, Single):
        return [([name], qti.identifier(name)) for name in key.options]
    count = len(key.correct)
    lists = [list(key.correct)] + [chance.sample(key.options, count) for _ in range(4)]
    return [(ids, [qti.identifier(name) for name in ids]) for ids in lists]


def test_an_item_marks_as_study_mode_does(whole: list[Exported], trees: dict[str, Xml.Element]) -> None:
    chance = random.Random(21)
    for one in whole:
        for ours, theirs in answers(one.item, chance):
            found = Reader(trees[one.item.id], theirs).values
            assert float(found["SCORE"]) == pytest.approx(grade(one.item.key(), ours, "study").score), (one.item.id, ours)  # fmt: skip
        assert float(Reader(trees[one.item.id], None).values["SCORE"]) == 0
        assert shown(trees[one.item.id], None) == set()


def shown(tree: Xml.Element, response: Any) -> set[str]:
    """Which feedback a response brings up: of each outcome that one."""
    values = Reader(tree, response).values
    told = [(str(f.get("outcomeIdentifier")), str(f.get("identifier"))) for f in tree.iter(f"{Q}modalFeedback")]
    return {name for outcome, name in told if values[outcome] == name}


def test_what_was_chosen_and_what_is_right_is_explained(trial: list[Exported]) -> None:
    by_id = {one.item.id: Xml.fromstring(qti.item(one)) for one in trial}
    assert shown(by_id["trial-single"], "ten") == {"ten", "four"}
    assert shown(by_id["trial-single"], "four") == {"four"}
    assert shown(by_id["trial-multiple"], ["a", "c"]) == {"a", "c", "e"}
    assert shown(by_id["trial-ordering"], ["ant", "dog", "mouse", "whale"]) == {"REASONS"}
    assert shown(by_id["trial-numeric"], 540.0) == {"REASONS"}
    assert shown(by_id["trial-numeric"], 90.0) == {"REASONS", "MISTAKE-1"}


def test_an_id_that_begins_with_a_digit_comes_back() -> None:
    assert qti.identifier("4-workers") == "_4-workers"
    assert qti.bare(qti.identifier("4-workers")) == "4-workers"
    assert qti.identifier("workers") == "workers"
