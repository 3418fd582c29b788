"""What a run of `lab bench` may cost is known before its first request, and what it came to is written down however it ended."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from labs import cloud, terminal
from labs.bench import money, where
from labs.bench.commands import bench
from labs.bench.crew import LAST_WORDS_S, Outcome
from labs.bench.money import Meter, cost_usd, meter_of
from labs.bench.records import INTERRUPTED, Record, read
from labs.bench.where import Clouds, Options
from labs.cli import cli
from labs.cloud import Cloud, faults
from labs.errors import FALSE, USAGE, Refusal
from labs.targets import Site, spend, token_price
from labs.targets.bedrock_on_demand import BedrockOnDemand
from labs.targets.spend import Spent
from labs.targets.token_price import TokenPrice
from tests.labs.bench import made
from tests.labs.bench.kit import FakeServer, a_workload

NAME, NOVA = "bedrock-on-demand", "amazon.nova-lite-v1:0"
LOAD = ("--arrival", "constant", "--input-tokens", "40", "--output-tokens", "5", "--warmup", "0")
pytestmark = [pytest.mark.usefixtures("own_environment")]


def lab(*args: str) -> int:
    return terminal.run(bench, "lab", args)


def price() -> TokenPrice:
    found = token_price.of(BedrockOnDemand())
    assert found is not None
    return found


def spent(name: str = NAME) -> Spent:
    return spend.total(cloud.connect())[name]


@pytest.fixture
def rehearsal(local_cloud: object) -> Iterator[None]:
    """Limits on the local cloud, which go with the test."""
    del local_cloud
    yield
    for name in (NAME, NOVA):
        spend.close(cloud.connect(), name)


@pytest.fixture
def on_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cloud:
    """AWS, to which nothing may be sent."""
    real = Cloud(None, "us-east-1", "123456789012", real=True)
    monkeypatch.setattr(cloud, "connect", lambda **_: real)
    monkeypatch.setattr("labs.bench.commands.measure", lambda *_, **__: pytest.fail("something was sent"))
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return real


@pytest.mark.usefixtures("rehearsal")
def test_a_run_is_written_down_by_the_tokens_of_its_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = tmp_path / "run.jsonl"
    run = (NAME, "--rate", "8", "--duration", "1", *LOAD, "--records", str(records))
    assert lab(*run, "--ceiling-usd", "0.01") == 0
    said = capsys.readouterr().err
    assert f"{NAME}: 8 requests can cost up to $0.0" in said
    assert f"{NAME}: 8 requests cost $0.0" in said
    there = read(records).records
    tokens = sum(r.input_tokens or 0 for r in there), sum(r.output_tokens or 0 for r in there)
    first = spent()
    assert (first.calls, first.input_tokens, first.output_tokens, first.limit_usd) == (8, *tokens, 0.01)
    assert first.usd == pytest.approx(price().usd(*tokens))
    with faults.inject("throttle", service="bedrock-runtime", every=2):
        assert lab(*run) == 0, "the limit holds for the next runs too"
    second = spent()
    assert second.calls == 8 + 4, "who is turned away pays nothing"
    assert second.limit_usd == 0.01
    assert lab(*run, "--ceiling-usd", "0.00001") == USAGE
    assert "nothing of it was sent" in capsys.readouterr().err
    assert spent() == second, "what does not fit changes nothing"


@pytest.mark.usefixtures("rehearsal")
def test_a_model_without_a_deployment_is_counted_under_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab("--bedrock-model", NOVA, "--concurrency", "2", "--requests", "3", *LOAD, "--ceiling-usd", "1") == 0
    assert spent(NOVA).calls == 3
    capsys.readouterr()
    assert terminal.run(cli, "lab", ["list"]) == 0
    assert f"{NOVA}: 3 calls, $0.0" in capsys.readouterr().out


def meter(ceiling_usd: float = 1.0, body: Any = None) -> Meter:
    clouds = Clouds(real=False, tell=lambda _: None)
    return meter_of(where.target(NAME, Options(extra=body), clouds), clouds, ceiling_usd, lambda _: None)


def ended(records: list[Record], *, told: bool = True, stopped: BaseException | None = None) -> Callable[..., Outcome]:
    """A run that ended so."""

    def run(watch: money.Watch) -> Outcome:
        watch(2.0, records)
        if stopped is not None:
            raise stopped
        return Outcome(made.run(records, made.FINISHED if told else None))

    return run


def most(ids: range) -> tuple[int, int]:
    """What the requests of `WORK` can have read and written."""
    found = meter()
    assert isinstance(found, money._ByTheCall)
    return found._most_tokens(WORK, ids)


WORK = a_workload(rate_per_s=1.0, requests=10)
ANSWER = made.record(0, 0.0, input_tokens=21, output_tokens=9)
SILENT: dict[str, Any] = {"input_tokens": None, "output_tokens": 0, "last_token_s": None}


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize(
    ("second", "charged"),
    [
        (made.throttle(1, 1.0), False),
        (made.record(1, 1.0, **SILENT, status="ValidationException", http_status=400), False),
        (made.record(1, 1.0, **SILENT, status="ConnectError", http_status=None, sent_s=None), False),
        (made.record(1, 1.0, **SILENT, status="Timeout"), True),
        (made.record(1, 1.0, **SILENT, status=INTERRUPTED, http_status=None), True),
        (made.record(1, 1.0, **SILENT, status="Truncated"), True),
        (made.record(1, 1.0, **SILENT, status="ModelTimeoutException", http_status=408), True),
        (made.record(1, 1.0, **SILENT, status="InternalServerException", http_status=500), True),
        (made.record(1, 1.0, **SILENT), True),  # an answer whose server did not say how long it was
    ],
)
def test_a_request_without_a_whole_answer_counts_at_its_most_unless_it_was_refused(
    second: Record, charged: bool
) -> None:
    meter().measure(WORK, 20.0, lambda *_: None, ended([ANSWER, second]))
    read_, written = most(range(1, 2)) if charged else (0, 0)
    assert (written == 12) is charged
    assert (spent().calls, spent().input_tokens, spent().output_tokens) == (1 + charged, 21 + read_, 9 + written)


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize("stopped", [None, KeyboardInterrupt(), OSError("broken")])
def test_requests_of_which_no_worker_told_count_at_their_most(stopped: BaseException | None) -> None:
    with suppress(KeyboardInterrupt, OSError):
        meter().measure(WORK, 20.0, lambda *_: None, ended([ANSWER], told=False, stopped=stopped))
    due = 1 + int(2.0 + LAST_WORDS_S)
    assert WORK.due_s is not None
    assert WORK.due_s[due] > 2.0 + LAST_WORDS_S >= WORK.due_s[due - 1], "those that were not due were not sent"
    read_, written = most(range(1, due))
    assert (spent().calls, spent().input_tokens, spent().output_tokens) == (due, 21 + read_, 9 + written)


@pytest.mark.usefixtures("rehearsal")
def test_a_run_that_never_began_costs_nothing() -> None:
    def refused(_: money.Watch) -> Outcome:
        raise Refusal("nothing answers there", FALSE)

    with pytest.raises(Refusal, match="nothing answers"):
        meter().measure(WORK, 20.0, lambda *_: None, refused)
    assert spent().calls == 0


@pytest.mark.usefixtures("rehearsal")
def test_a_run_that_was_stopped_twice_at_once_counts_what_was_due() -> None:
    silent = Outcome(made.run([], None), interrupted=True)
    meter().measure(WORK, 20.0, lambda *_: None, lambda _: silent)
    assert spent().calls == 1 + int(LAST_WORDS_S)


@pytest.mark.usefixtures("rehearsal")
def test_a_search_stops_before_the_run_that_could_pass_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rates: list[float] = []

    def measure(header: Any, work: Any, *_: object, watch: money.Watch, **__: object) -> Outcome:
        rates.append(header.offered["rate_per_s"])
        records = [
            made.record(id, due, input_tokens=20_000, output_tokens=5) for id, due in enumerate(work.due_s)
        ]  # dear, and quick
        watch(work.due_s[-1] + 1, records)
        return Outcome(made.run(records, objective=header.objective))

    monkeypatch.setattr("labs.bench.commands.measure", measure)
    search = (NAME, *LOAD, "--find-knee", "--rate", "10", "--rate-to", "40", "--duration", "10")
    cost = price().usd(100 * 20_000, 500)
    assert lab(*search, "--objective-ttft-ms", "500", "--ceiling-usd", str(cost * 1.01)) == USAGE
    said = " ".join(capsys.readouterr().err.split())
    assert rates == [10.0]
    assert "the 400 requests of this run can cost up to" in said
    assert "10.00 requests/s: 100.0 % met" in said, "what was found until then is said"
    assert spent().usd == pytest.approx(cost)


@pytest.mark.usefixtures("rehearsal")
def test_what_nobody_can_say_the_most_of_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    closed = (NAME, "--concurrency", "2", "--duration", "1", "--ceiling-usd", "1")
    assert lab(*closed) == USAGE
    assert "--requests N --warmup 0" in capsys.readouterr().err
    endless = ("--body", '{"inferenceConfig": {"temperature": 0}}', "--ceiling-usd", "1")
    assert lab(NAME, *LOAD, "--rate", "5", "--duration", "1", *endless) == USAGE
    assert "--body takes away" in capsys.readouterr().err
    longer = meter(body={"inferenceConfig": {"maxTokens": 700}})
    assert isinstance(longer, money._ByTheCall)
    assert longer._most_tokens(WORK, range(2))[1] == 1400


def test_on_aws_a_ceiling_comes_first(on_aws: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    run = ("--rate", "4", "--duration", "2", *LOAD, "--real")
    assert lab("--bedrock-model", NOVA, *run) == USAGE
    assert "on AWS a ceiling comes first: the 8 requests" in capsys.readouterr().err
    assert lab("--bedrock-model", "amazon.nobody-knows-v1:0", *run, "--ceiling-usd", "9") == FALSE
    assert "the register has no price of 'amazon.nobody-knows-v1:0'" in capsys.readouterr().err
    site = Site(on_aws, NAME)
    assert lab(NAME, *run) == USAGE
    spend.open_for(site, BedrockOnDemand(), 0.000_001)
    capsys.readouterr()
    assert lab(NAME, *run) == USAGE
    assert "that passes it; nothing of it was sent" in capsys.readouterr().err
    spend.open_for(site, BedrockOnDemand(), 1.0)
    both = lab(NAME, "--bedrock-model", NOVA, *run)
    assert both == USAGE, "all of them fit, or nothing is sent"
    assert spend.total(on_aws)[NAME].calls == 0


def test_another_tier_has_another_price(on_aws: Cloud) -> None:
    clouds = Clouds(real=True, tell=lambda _: None)
    prices = []
    for tier in ("default", "priority"):
        place = where.bedrock("amazon.nova-pro-v1:0", Options(extra={"serviceTier": {"type": tier}}), clouds)
        found = meter_of(place, clouds, 1.0, lambda _: None)
        assert isinstance(found, money._ByTheCall)
        assert found._price is not None
        prices.append(found._price.output_usd)
    assert prices[0] < prices[1]
    assert clouds.entered is on_aws


def test_what_is_billed_by_the_hour_or_is_not_awss_has_no_ceiling(
    any_fake: FakeServer, on_aws: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del on_aws
    openai = ("--openai-url", any_fake.url, "--model", "fake", "--rate", "5", "--duration", "1", "--real")
    assert lab(*openai, "--ceiling-usd", "1") == USAGE
    assert "nothing is billed for a call" in capsys.readouterr().err
    clouds = Clouds(real=True, tell=lambda _: None)
    units = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc"
    assert type(meter_of(where.bedrock(units, Options(), clouds), clouds, None, lambda _: None)) is Meter
    variants: list[dict[str, Any]] = [{"VariantName": "v"}]
    described = type("Client", (), {"describe_endpoint": lambda *_, **__: {"ProductionVariants": variants}})
    monkeypatch.setattr("boto3.client", lambda _: described())
    place = where.sagemaker("mine", Options(), clouds)
    assert type(meter_of(place, clouds, None, lambda _: None)) is Meter
    variants[0]["CurrentServerlessConfig"] = {"MemorySizeInMB": 2048}
    serverless = meter_of(place, clouds, None, lambda _: None)
    with pytest.raises(Refusal, match="on AWS a ceiling comes first"):
        serverless.require(WORK, 20.0)


def test_a_copys_time_is_billed_in_the_windows_that_a_run_can_open() -> None:
    windows = TokenPrice(0.0, 0.0, (), window_usd=3.0, window_s=300.0)
    assert [cost_usd(windows, n, 0, 0, 400.0) for n in (0, 1, 2, 100)] == [0.0, 3.0, 6.0, 9.0]
    each = TokenPrice(0.0, 0.0, (), window_usd=0.5)
    assert cost_usd(each, 4, 0, 0, 400.0) == 2.0


@pytest.mark.usefixtures("rehearsal")
def test_through_the_queue_the_stacks_own_table_counts(capsys: pytest.CaptureFixture[str]) -> None:
    stack = "bench-money"
    assert terminal.run(cli, "lab", ["deploy", "squid", "--name", stack, "--max-tokens", "16", "--json"]) == 0
    run = ("--through", "squid", "--stack", stack, "--rate", "4", "--duration", "1", *LOAD)
    assert lab(*run, "--ceiling-usd", "0.0000001") == USAGE
    assert "nothing was sent" in capsys.readouterr().err
    assert lab(*run, "--ceiling-usd", "1") == 0
    said = capsys.readouterr().err
    assert f"{stack}: 4 jobs can cost up to $0.0" in said
    assert f"{stack}: 4 jobs, " in said
    counted = spent(stack)
    assert counted.calls == 4
    assert counted.output_tokens > 0
    assert 0 < counted.usd < 1
    assert terminal.run(cli, "lab", ["teardown", stack, "--json"]) == 0
