"""The whole bank as QTI 2.1, before strangers: read by a program for ONYX's exports, brought to 3.0 by Citolab's converter, played by its player.

A soak test, since it fetches these three for the time of the run, by pip and npm: two are under the GPL, and the project does not depend on them.
"""

import json
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from playwright.sync_api import Browser

from quizzes.exports import gather, qti
from quizzes.exports.gather import Exported
from quizzes.grading import grade
from tests.quizzes.test_qti import answers, shown
from tests.site.kit import serving

pytestmark = [pytest.mark.soak, pytest.mark.browser, pytest.mark.timeout(900)]
CONVERTER, READER, PLAYER = "citolab-qti-convert==0.2.0", "onyx2moodle==0.1.0", "@citolab/qti-components@7.27.4"

CONVERT = """
import json, sys
from pathlib import Path
from qti_convert import upgrade_qti2_to_qti3
for path in Path(sys.argv[1]).glob("items/*.xml"):
    Path(sys.argv[2], path.name).write_text(upgrade_qti2_to_qti3(path.read_bytes()), "utf-8")
"""
READ = """
import json, sys
from pathlib import Path
from onyx2moodle.parser import parse_item
found = {}
for path in Path(sys.argv[1]).glob("items/*.xml"):
    item = parse_item(path)
    (declared,) = item.response_decls.values()
    found[item.title] = [declared.cardinality, declared.correct_values, len(item.feedback)]
print(json.dumps(found))
"""
PLAY = """async ([address, responses]) => {
  const until = Date.now() + 30000;
  const marks = [];
  for (const response of responses) {  // an item of its own for each: the player keeps outcomes that have no default
    document.body.innerHTML = `<qti-item><item-container item-url="${address}"></item-container></qti-item>`;
    const box = document.querySelector("item-container");
    let item = null;
    while (!(item && item.variables && item.variables.length)) {
      if (Date.now() > until) throw new Error("the player shows no item");
      await new Promise((done) => setTimeout(done, 1));
      item = box.shadowRoot && box.shadowRoot.querySelector("qti-assessment-item");
    }
    await item.updateComplete;
    item.updateResponseVariable("RESPONSE", response);
    item.processResponse();
    const values = Object.fromEntries(item.variables.map((one) => [one.identifier, one.value]));
    const outcomes = Object.keys(values).filter((name) => /^(FEEDBACK|KEY|MISTAKE)/.test(name) && values[name]);
    let told = [];
    while (told.length < outcomes.length) {
      if (Date.now() > until) throw new Error("the player shows no reasons: " + JSON.stringify([address, response, values]));
      await new Promise((done) => setTimeout(done, 0));
      told = Array.from(item.querySelectorAll("qti-modal-feedback")).filter((one) => one.showStatus === "on");
    }
    marks.push([Number(values.SCORE || 0), told.map((one) => one.getAttribute("identifier"))]);
  }
  return marks;
}"""


def run(*command: str, cwd: Path) -> str:
    """What it printed; a program that is missing, or no network, is a failure that says so."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)[:80]} failed (this test needs pip, npm and a network): {done.stderr[-500:]}"  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def whole() -> list[Exported]:
    return gather.items()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, whole: list[Exported]) -> Path:
    folder = tmp_path_factory.mktemp("qti")
    for name, content in qti.files(whole):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    return folder


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the converter and the reader."""
    folder = tmp_path_factory.mktemp("strangers")
    run(sys.executable, "-m", "venv", "env", cwd=folder)
    run("env/bin/python", "-m", "pip", "install", "-q", CONVERTER, READER, cwd=folder)
    return folder / "env" / "bin" / "python"


def test_another_program_reads_the_same_keys(package: Path, strangers: Path, whole: list[Exported]) -> None:
    read: dict[str, Any] = json.loads(run(str(strangers), "-c", READ, str(package), cwd=package))
    assert set(read) == {one.item.id for one in whole}
    for one in whole:
        cardinality, correct, feedback = read[one.item.id]
        key = one.item.key()
        wanted = {
            "numeric": lambda key=key: [repr(key.answer)],
            "matching": lambda key=key: [f"p-{prompt} c-{choice}" for prompt, choice in key.pairs.items()],
        }.get(key.type, lambda key=key: [qti.identifier(name) for name in key.correct])()
        assert correct == wanted, one.item.id
        assert cardinality == {"ordering": "ordered", "single": "single", "numeric": "single"}.get(key.type, "multiple")
        assert feedback >= 1


def test_a_player_marks_every_item_as_we_do(
    browser: Browser, package: Path, strangers: Path, whole: list[Exported], tmp_path: Path
) -> None:
    run(str(strangers), "-c", CONVERT, str(package), str(tmp_path), cwd=package)
    assert shutil.which("npm"), "this test needs npm"
    run("npm", "pack", "--silent", PLAYER, cwd=tmp_path)
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as packed:
        packed.extract("package/cdn/index.js", tmp_path, filter="data")
    (tmp_path / "index.html").write_text('<!doctype html><meta charset="utf-8"><script type="module" src="package/cdn/index.js"></script><body></body>')  # fmt: skip
    chance = random.Random(22)
    trees = {one.item.id: Xml.fromstring(qti.item(one)) for one in whole}
    marked = 0
    with serving(tmp_path) as url:
        page = browser.new_page()
        page.goto(f"{url}/index.html")
        page.wait_for_function("Boolean(customElements.get('qti-item'))")
        for one in whole:
            given = answers(one.item, chance)
            sent = [str(theirs) if isinstance(theirs, float) else theirs for _, theirs in given]
            for (ours, theirs), (score, told) in zip(given, page.evaluate(PLAY, [f"{url}/{one.item.id}.xml", sent]), strict=True):  # fmt: skip
                assert score == pytest.approx(grade(one.item.key(), ours, "study").score, abs=1e-6), (one.item.id, ours)
                assert set(told) == shown(trees[one.item.id], theirs), one.item.id
                marked += 1
        page.close()
    assert marked > 4 * len(whole)
