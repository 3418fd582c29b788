"""`quiz stats`: the textbook's figures from the textbook's data, a planted wrong key found and no other accused, 'too few' said."""

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from quizzes.analysis import classical, show, study
from quizzes.analysis.study import Report
from quizzes.cli import cli
from quizzes.grading import Response, encode_response
from quizzes.marking.keys import Keyring
from quizzes.model import AnyItem, Matching, Multiple, Numeric, Option, Ordering, Single

# K. L. Wuensch, East Carolina University, "The Kuder-Richardson 20": ten students, ten items, with p, pq and the variance of the
# totals (5.84) printed below them. https://core.ecu.edu/wuenschk/StatHelp/KR20.txt
WUENSCH = [
    "1111110110", "1011011101", "1111011001", "0010001000", "0000010010",
    "1110111111", "1101110111", "1111111101", "0101111101", "1101101110",
]  # fmt: skip
# R. D. Bock and M. Lieberman (1970), Psychometrika 35, 179-197: 1,000 takers of LSAT section VI by pattern of answers. Point-biserials
# with the item left out and alpha are those that R's ltm::descript(LSAT) prints (D. Rizopoulos, 2006, J. Stat. Software 17(5)).
LSAT = (
    "00000:3 00001:6 00010:2 00011:11 00100:1 00101:1 00110:3 00111:4 01000:1 01001:8 01011:16 01101:3 01110:2 01111:15 10000:10 10001:29 10010:14 "
    "10011:81 10100:3 10101:28 10110:15 10111:80 11000:16 11001:56 11010:21 11011:173 11100:11 11101:61 11110:28 11111:298"
)


def columns(rows: list[str]) -> list[list[float]]:
    return [[float(row[place]) for row in rows] for place in range(len(rows[0]))]


def test_a_published_example_of_kr20() -> None:
    items = columns(WUENSCH)
    shares = [classical.difficulty(item).value for item in items]
    assert shares == pytest.approx([0.7, 0.7, 0.6, 0.7, 0.6, 0.8, 0.7, 0.7, 0.5, 0.6])
    by_hand = 10 / 9 * (1 - (0.21 * 5 + 0.24 * 3 + 0.16 + 0.25) / 5.84)
    assert classical.alpha(items).value == pytest.approx(by_hand, abs=1e-12)


def test_published_point_biserials_and_alpha() -> None:
    patterns = [row.split(":") for row in LSAT.split()]
    items = columns([pattern for pattern, count in patterns for _ in range(int(count))])
    assert len(items[0]) == 1000
    assert [classical.difficulty(item).value for item in items] == [0.924, 0.709, 0.553, 0.763, 0.870]
    rest = [classical.item_rest(items, place).value for place in range(5)]
    assert rest == pytest.approx([0.1128, 0.1531, 0.1727, 0.1444, 0.1216], abs=1.5e-4)
    assert classical.alpha(items).value == pytest.approx(0.2950, abs=5e-5)


def test_intervals_are_the_formulas() -> None:
    x = [1.0, 0.0] * 20
    y = [float(n % 7) for n in range(40)]
    r = classical.correlation(x, y)
    assert r.value is not None
    half = 1.959964 / math.sqrt(37)
    assert r.low == pytest.approx(math.tanh(math.atanh(r.value) - half), abs=1e-6)
    items = columns(WUENSCH)
    a = classical.alpha(items)
    assert a.value is not None
    spread = 1.959964 * math.sqrt(2 * 10 / (9 * 8))
    assert a.low == pytest.approx(1 - (1 - a.value) * math.exp(spread), abs=1e-6)
    assert a.high == pytest.approx(1 - (1 - a.value) * math.exp(-spread), abs=1e-6)


def test_an_alpha_interval_covers_what_it_should() -> None:
    """Parallel items with a known reliability: k·ρ/(1 + (k-1)·ρ)."""
    chance, k, rho, covered = random.Random(11), 8, 0.3, 0
    true = k * rho / (1 + (k - 1) * rho)
    for _ in range(200):
        ability = [chance.gauss(0, math.sqrt(rho)) for _ in range(60)]
        items = [[one + chance.gauss(0, math.sqrt(1 - rho)) for one in ability] for _ in range(k)]
        found = classical.alpha(items)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= true <= found.high
    assert 180 <= covered <= 199  # 190 expected


def test_what_does_not_vary_has_no_correlation() -> None:
    assert classical.correlation([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]).value is None
    assert classical.alpha([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]).value is None
    assert classical.alpha([[1.0, 0.0]]).value is None
    assert classical.difficulty([]).value is None


# --- a class that was made up: two-parameter logistic items

BASE = {"objective": "2.4.1", "bloom": "apply", "stem": "S", "criterion": "Which is BEST?", "sources": ("aws-docs",), "est_seconds": 60, "difficulty_prior": 0.6}  # fmt: skip


def single(name: str, key: str = "a") -> Single:
    options = tuple(
        Option(id=o, text=o, why="w", correct=o == key, misconception=None if o == key else f"belief-{o}")
        for o in "abcd"
    )
    return Single(id=name, type="single", options=options, **BASE)


def multiple(name: str, keys: str = "ab") -> Multiple:
    options = tuple(
        Option(id=o, text=o, why="w", correct=o in keys, misconception=None if o in keys else f"belief-{o}")
        for o in "abcde"
    )
    return Multiple(id=name, type="multiple", select=2, options=options, **BASE)


def ordering(name: str, key: str = "abcd") -> Ordering:
    return Ordering.model_validate({"id": name, "type": "ordering", "steps": [{"id": s, "text": s, "why": "w", "misconception": "belief-order"} for s in key], **BASE}, strict=False)  # fmt: skip


def matching(name: str, key: str = "abc") -> Matching:
    prompts = [{"id": f"p{n}", "text": "t", "choice": c, "why": "w"} for n, c in enumerate(key, 1)]
    return Matching.model_validate({"id": name, "type": "matching", "prompts": prompts, "choices": [{"id": c, "text": c} for c in "abc"], **BASE}, strict=False)  # fmt: skip


def numeric(name: str, key: float = 10.0) -> Numeric:
    return Numeric.model_validate({"id": name, "type": "numeric", "answer": key, "unit": "s", "tolerance": {"relative": 0.01}, "why": "w", "mistakes": [{"value": 20.0, "why": "w", "misconception": "belief-d"}], **BASE}, strict=False)  # fmt: skip


RIGHT: dict[str, Response] = {"single": ["a"], "multiple": ["a", "b"], "ordering": list("abcd"), "matching": {"p1": "a", "p2": "b", "p3": "c"}, "numeric": "10"}  # fmt: skip
WRONG: dict[str, list[Response]] = {
    "single": [["b"], ["b"], ["c"], ["d"]],
    "multiple": [["a", "c"], ["c", "d"], ["b", "e"]],
    "ordering": [list("bacd"), list("abdc"), list("dcba")],
    "matching": [{"p1": "b", "p2": "a", "p3": "c"}, {"p1": "c", "p2": "a", "p3": "b"}],
    "numeric": ["20", "20", "7"],
}


def a_class(items: list[AnyItem], takers: int, seed: int) -> list[dict[str, Any]]:
    """What `quiz grade` gives: takers who answer by ability, not by the key."""
    chance = random.Random(seed)
    slopes = [chance.uniform(0.7, 1.8) for _ in items]
    places = [chance.gauss(-0.3, 0.9) for _ in items]
    rows = []
    for taker in range(takers):
        ability = chance.gauss(0, 1)
        answers = {}
        for item, slope, place in zip(items, slopes, places, strict=True):
            knows = chance.random() < 1 / (1 + math.exp(-slope * (ability - place)))
            answers[item.id] = encode_response(RIGHT[item.type] if knows else chance.choice(WRONG[item.type]))
        rows.append({"student": f"s{taker}", "quiz": "made-up", "form": None, "attempt": 1, "started": "2026-11-01T00:00:00Z", "problem": None, "answers": answers})  # fmt: skip
    return rows


def looked(items: list[AnyItem], takers: int, seed: int) -> Report:
    return study.look(a_class(items, takers, seed), Keyring({i.id: i for i in items}, "x"), {})


SOUND: list[AnyItem] = [
    *(single(f"single-{n:02}") for n in range(12)),
    *(multiple(f"multiple-{n}") for n in range(4)),
    ordering("ordering-1"),
    ordering("ordering-2"),
    matching("matching-1"),
    numeric("numeric-1"),
]
PLANTED: dict[str, AnyItem] = {
    "single": single("single-05", "b"),
    "multiple": multiple("multiple-2", "ac"),
    "ordering": ordering("ordering-1", "bacd"),
    "matching": matching("matching-1", "bac"),
    "numeric": numeric("numeric-1", 20.0),
}


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_planted_wrong_key_is_named_and_no_other(kind: str, seed: int) -> None:
    wrong = PLANTED[kind]
    report = looked([wrong if item.id == wrong.id else item for item in SOUND], 240, seed)
    assert [item for _, item, _ in report.suspects] == [wrong.id]
    assert "key?" in next(item.flags for item in report.quizzes[0].items if item.id == wrong.id)


@pytest.mark.parametrize("seed", range(6))
def test_sound_keys_are_not_accused(seed: int) -> None:
    assert looked(SOUND, 150, seed).suspects == []


@pytest.mark.soak
def test_sound_keys_are_seldom_accused_over_many_classes() -> None:
    accused = sum(len(looked(SOUND, takers, seed).suspects) for seed in range(150) for takers in (35, 150))
    assert accused <= 3  # of 6,000 items


def test_below_thirty_takers_every_figure_says_so() -> None:
    report = looked(SOUND, 29, 1)
    assert {item.flags for item in report.quizzes[0].items} == {("too few (29 of 30)",)}
    assert report.suspects == []
    said = show.to_json(report)
    assert said["quizzes"][0]["reliability"][0]["too_few"] is True
    assert "too few" in show.as_html(report, "T", {})
    assert looked(SOUND, 30, 1).quizzes[0].items[0].n == 30


def test_statistics_agree_with_an_independent_calculation() -> None:
    """The same figures by sums of squares written out, from the raw answers."""
    rows = a_class(SOUND, 120, 9)
    report = study.look(rows, Keyring({i.id: i for i in SOUND}, "x"), {})
    marks = [[float(_is_right(item, row["answers"][item.id])) for item in SOUND] for row in rows]
    n, k = len(marks), len(SOUND)
    for place, item in enumerate(sorted(SOUND, key=lambda item: item.id)):
        at = SOUND.index(item)
        x = [row[at] for row in marks]
        y = [sum(row) - row[at] for row in marks]
        sxy, sx, sy = sum(a * b for a, b in zip(x, y, strict=True)), sum(x), sum(y)
        r = (n * sxy - sx * sy) / math.sqrt((n * sum(a * a for a in x) - sx**2) * (n * sum(b * b for b in y) - sy**2))
        found = report.quizzes[0].items[place]
        assert (found.id, found.rest.value) == (item.id, pytest.approx(r))
        assert found.difficulty.value == pytest.approx(sx / n)
    totals = [sum(row) for row in marks]
    variance = sum(t * t for t in totals) / n - (sum(totals) / n) ** 2
    pq = sum((p := sum(row[j] for row in marks) / n) * (1 - p) for j in range(k))
    (reliability,) = report.quizzes[0].reliability
    assert reliability.kr20.value == pytest.approx(k / (k - 1) * (1 - pq / variance))
    assert reliability.alpha.value is not None
    assert reliability.alpha.value != pytest.approx(reliability.kr20.value, abs=1e-6)


def _is_right(item: AnyItem, text: str) -> bool:
    return text == encode_response(RIGHT[item.type])


def test_distractors_and_beliefs_are_counted() -> None:
    item = single("one")
    rows = a_class([item, single("two")], 40, 1)
    for number, row in enumerate(rows):
        row["answers"]["one"] = "a" if number < 20 else "b" if number < 39 else "c"
        row["answers"]["two"] = "a"
    report = study.look(rows, Keyring({i.id: i for i in (item, single("two"))}, "x"), {"belief-b": "B is best."})
    one = report.quizzes[0].items[0]
    assert (one.working, one.distractors) == (1, 3)  # c is taken by one in forty
    assert [(c.id, c.share.value) for c in one.choices] == [("a", 0.5), ("b", 0.475), ("c", 0.025), ("d", 0.0)]
    assert [(b.id, b.sentence, b.share.value, b.share.n) for b in report.beliefs] == [
        ("belief-b", "B is best.", 19 / 80, 80),
        ("belief-c", "belief-c", 1 / 80, 80),
    ]


def test_only_first_attempts_count() -> None:
    rows = a_class([single("one"), single("two")], 2, 1)
    again = [{**row, "attempt": 2, "answers": {"one": "a", "two": "a"}} for row in rows]
    aside = [{**rows[0], "student": "x", "problem": "replayed"}]
    report = study.look([*again, *rows, *aside], Keyring({n: single(n) for n in ("one", "two")}, "x"), {})
    assert (report.takers, report.left_out) == (2, 3)
    assert report.quizzes[0].items[0].points == sum(row["answers"]["one"] == "a" for row in rows) / 2


# --- the command


@pytest.fixture(scope="module")
def results_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty takers of the trial bank, as `quiz grade --json` prints them; the good ones take 'five' for what the key calls 'four'."""
    chance, rows = random.Random(5), []
    for taker in range(40):
        good = taker % 2 == 0
        answers = {
            "trial-single": "five" if good else "four",
            "trial-multiple": "a[,]e" if good else "b[,]c",
            "trial-case-one": "moo" if good or chance.random() < 0.3 else "baa",
            "trial-numeric": "540" if good else "90",
        }
        rows.append({"student": f"s{taker}", "quiz": "trial", "form": None, "attempt": 1, "started": "2026-11-01T00:00:00Z", "problem": None, "answers": answers})  # fmt: skip
    path = tmp_path_factory.mktemp("stats") / "results.json"
    path.write_text(json.dumps({"attempts": rows, "files": []}), "utf-8")
    return path


TRIAL = ("--bank", str(Path(__file__).parent / "bank"))


def test_the_command_names_the_key_and_fails(results_file: Path) -> None:
    done = CliRunner().invoke(cli, ["stats", str(results_file), *TRIAL])
    assert done.exit_code == 1
    assert "Look at the key of trial-single (trial): 'five' goes with a good rest" in " ".join(done.output.split())
    said = json.loads(CliRunner().invoke(cli, ["stats", str(results_file), "--json", *TRIAL]).stdout)
    assert [one["item"] for one in said["suspects"]] == ["trial-single"]
    assert said["quizzes"][0]["items"][0]["n"] == 40


def test_the_page_stands_alone(results_file: Path) -> None:
    page = CliRunner().invoke(cli, ["stats", str(results_file), "--html", *TRIAL]).stdout
    assert page.startswith("<!doctype html>")
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "<script" not in page
    assert 'href="#trial-trial-single"' in page
    assert page.count("<table") == page.count("</table>")


@pytest.mark.parametrize("content", ["", "[]", '{"attempts": [{"student": 1}]}', '{"attempts": [{"student": "a", "quiz": "b", "attempt": 1, "started": "", "answers": {"x": 1}}]}'])  # fmt: skip
def test_what_is_no_result_is_one_sentence(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    from labs import terminal

    path = tmp_path / "r.json"
    path.write_text(content, "utf-8")
    assert terminal.run(cli, "quiz", ["stats", str(path), *TRIAL]) == 2
    assert "is not what `quiz grade FOLDER --json` prints" in capsys.readouterr().err.replace("\n", " ")


def test_nothing_to_look_at_is_one_sentence(tmp_path: Path) -> None:
    from labs import terminal

    (tmp_path / "x.jsonl").write_text("no\n", "utf-8")
    assert terminal.run(cli, "quiz", ["stats", str(tmp_path), *TRIAL]) == 2
