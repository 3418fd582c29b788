"""`lab facts`: what a person and what a program see."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labs import terminal
from labs.facts import register
from labs.facts.commands import facts
from labs.facts.register import Register

Make = Callable[..., Register]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `lab facts ...`: exit status, standard output, standard error."""

    def call(*args: str) -> tuple[int, str, str]:
        status = terminal.run(facts, "lab facts", args)
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def ours(make_register: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Register]:
    """Let the commands speak of a register of the test's own."""

    def install(**files: str) -> Register:
        made = make_register(**files)

        def installed() -> Register:
            return made

        installed.cache_clear = lambda: None  # type: ignore[attr-defined]
        monkeypatch.setattr(register, "installed", installed)
        return made

    return install


def test_list_shows_a_table(run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = run("list", "sqs.redrive")
    assert status == 0
    assert "sqs.redrive.min_receive_count" in out
    assert "2 facts" in out


def test_list_json_has_every_field(run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = run("list", "lambda.timeout_s", "--json")
    [fact] = json.loads(out)
    assert status == 0
    assert (fact["value"], fact["unit"], fact["readable"], fact["conflict"]["value"]) == (900, "s", "15 min", 5400)
    assert fact["sources"][0]["url"].startswith("https://docs.aws.amazon.com/")
    assert fact["sources"][0]["read"] == "read in a copy of the page dated 2026-10"


def test_list_of_nothing_offers_the_nearest(run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = run("list", "sqs.mesage.max")
    assert (status, out) == (1, "")
    assert "no fact begins with 'sqs.mesage.max'; nearest: sqs.message.max_bytes" in " ".join(err.split())


def test_check_of_the_installed_register_passes(run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = run("check", "--max-age-days", "100000")
    assert status == 0
    assert "no errors, 0 warnings" in out


def test_check_fails_on_an_error_and_names_it(run: Callable[..., tuple[int, str, str]], ours: Make) -> None:
    ours(shop="facts:\n  shop.a: {value: 1, unit: count, says: x}\n")
    status, out, err = run("check", "--json")
    assert status == 1
    assert json.loads(out)["findings"][0]["message"] == "shop.a: has no source"
    assert json.loads(out)["ok"] is False
    assert "1 errors in the register" in " ".join(err.split())


def test_check_warns_of_age_and_passes(run: Callable[..., tuple[int, str, str]], ours: Make) -> None:
    ours()
    status, out, _ = run("check", "--max-age-days", "1")
    assert status == 0
    assert "look it up again" in out


def test_refresh_without_network_is_one_sentence_and_status_3(run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = run("refresh", "--index", "http://127.0.0.1:9")
    assert (status, out) == (3, "")
    assert "cannot be reached" in err
    assert "Traceback" not in err


def test_refresh_shows_the_difference_and_writes_only_when_told(
    run: Callable[..., tuple[int, str, str]], ours: Make, tmp_path: Path
) -> None:
    mapping = "prices:\n  fruit: {service: Fruit, units: {Hrs: 1}, facts: {shop.price.apple: {fruit: apple}, shop.price.pear: {fruit: pear}}}\n"
    made = ours(prices=mapping)
    (tmp_path / "offers").mkdir()
    offer: dict[str, Any] = {
        "publicationDate": "2026-11-19T12:00:00Z",
        "products": {"A": {"attributes": {"fruit": "apple", "regionCode": "us-east-1"}}},
        "terms": {
            "OnDemand": {"A": {"A.T": {"priceDimensions": {"A.T.R": {"unit": "Hrs", "pricePerUnit": {"USD": "0.75"}}}}}}
        },
    }
    (tmp_path / "offers" / "Fruit.json").write_text(json.dumps(offer), encoding="utf-8")
    before = (made.folder / "shop.yaml").read_text()

    status, out, _ = run("refresh", "--offer-files", str(tmp_path / "offers"))
    assert status == 0
    assert "+50.0 %" in out
    assert "not compared (1): no product with fruit=pear" in out
    assert "Nothing was written" in out
    assert (made.folder / "shop.yaml").read_text() == before

    status, out, _ = run("refresh", "--offer-files", str(tmp_path / "offers"), "--write", "--json")
    assert status == 0
    assert [change["now"] for change in json.loads(out)["moved"]] == [0.75]
    assert "value: 0.75" in (made.folder / "shop.yaml").read_text()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--client", "--offer-files", "."), "exclude each other"),
        (("--offer-files", "/no/such/folder"), "is not a folder of offer files"),
        (("--service", "AmazonNosuch", "--offer-files", "."), "no price of ours comes from 'AmazonNosuch'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(
    run: Callable[..., tuple[int, str, str]], args: tuple[str, ...], said: str
) -> None:
    status, out, err = run("refresh", *args)
    assert (status, out) == (2, "")
    assert said in " ".join(err.split())
