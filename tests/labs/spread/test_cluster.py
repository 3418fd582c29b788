"""Pieces of work are shared out, each gives one result whoever is lost on the way, and what cannot work is said in one sentence, soon."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from labs import terminal
from labs.cli import cli
from labs.errors import NOT_READY, USAGE, Refusal
from labs.spread import cluster, versions
from labs.spread.cluster import AHEAD, Done, Workers, connect
from tests.labs.spread import work
from tests.labs.spread.conftest import ROOT, Up, spread_up


@pytest.fixture(scope="module")
def workers(two_workers: Up) -> Iterator[Workers]:
    with connect(two_workers.address) as found:
        yield found


def numbered(count: int, *before: object) -> list[tuple[str, tuple[object, ...]]]:
    return [(f"piece-{number}", (*before, number)) for number in range(count)]


def values(done: list[Done]) -> dict[str, object]:
    assert len({each.key for each in done}) == len(done)  # none twice
    return {each.key: each.value for each in done}


def test_each_piece_gives_one_result(workers: Workers) -> None:
    assert values([*workers.each(work.double, numbered(20))]) == {f"piece-{n}": 2 * n for n in range(20)}


def test_no_work_is_no_result(workers: Workers) -> None:
    assert [*workers.each(work.double, [])] == []


def test_work_is_read_as_it_is_needed(workers: Workers) -> None:
    read = []

    def source() -> Iterator[tuple[str, tuple[int]]]:
        for number in range(100):
            read.append(number)
            yield f"piece-{number}", (number,)

    with closing(workers.each(work.double, source())) as coming:
        next(coming)
        assert len(read) <= AHEAD * 2 + 1


def test_a_lost_workers_work_is_done_again(workers: Workers, tmp_path: Path) -> None:
    done = values([*workers.each(work.die_once, numbered(6, str(tmp_path)))])
    assert done == {f"piece-{n}": n for n in range(6)}
    assert (tmp_path / "died").exists()


def test_work_that_kills_its_workers_is_given_up_and_the_rest_is_done(workers: Workers) -> None:
    done = {each.key: each for each in workers.each(work.die, numbered(4))}
    assert done["piece-1"].problem == "the workers that took it up were lost, time and again"
    assert {each.value for each in done.values() if not each.problem} <= {0, 2, 3}
    assert len(done) == 4


def test_work_that_fails_is_named_and_the_rest_is_done(workers: Workers) -> None:
    done = {each.key: each for each in workers.each(work.refuse_one, numbered(3))}
    assert done["piece-1"].problem == "ValueError: one is not wanted here"
    assert [done["piece-0"].value, done["piece-2"].value] == [0, 2]


def test_closing_takes_back_what_has_not_begun(workers: Workers, tmp_path: Path) -> None:
    with closing(workers.each(work.begin, numbered(12, str(tmp_path)))) as coming:
        assert next(coming).key == "piece-0"
    (tmp_path / "go").touch()
    assert len(values([*workers.each(work.double, numbered(8))])) == 8  # the workers are free again
    assert len([*tmp_path.glob("began-*")]) <= 3  # the first, and one that each worker was at


def test_a_worker_of_another_make_is_refused(
    two_workers: Up, workers: Workers, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(versions, "_ours", lambda: "9.9")
    versions.own.cache_clear()
    request.addfinalizer(versions.own.cache_clear)
    with pytest.raises(
        Refusal, match=r"the scheduler at tcp://\S+ has deployment-dilemma .* and this command has .*9\.9"
    ) as at_once:
        with connect(two_workers.address):
            pass
    assert at_once.value.exit_status == NOT_READY
    with pytest.raises(
        Refusal, match=r"the worker tcp://\S+ has .* and this command has deployment-dilemma 9\.9"
    ):  # one that joins later
        [*workers.each(work.double, numbered(1))]


def test_what_a_worker_cannot_import_is_refused(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "only_here.py").write_text("def function(number):\n    return number\n")
    monkeypatch.syspath_prepend(tmp_path)
    only_here = import_module("only_here")
    with pytest.raises(Refusal, match=r"cannot do this work .*only_here.*install the same version"):
        [*workers.each(only_here.function, numbered(1))]


def test_everything_listens_on_loopback_alone(two_workers: Up) -> None:
    processes = [psutil.Process(two_workers.process.pid)]
    processes += processes[0].children(recursive=True)
    listening = {
        each.laddr.ip
        for process in processes
        for each in process.net_connections()
        if each.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def said(command: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = terminal.run(cli, "lab", command)
    return status, " ".join(capsys.readouterr().err.split())


@contextmanager
def a_listener(answer: bytes) -> Iterator[str]:
    """Somebody who is no scheduler."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                    taken.sendall(answer)
                except OSError:
                    return
                held.append(taken)

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        for each in held:
            each.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_an_address_where_nobody_is(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    status, why = said(["spread", "status", f"tcp://127.0.0.1:{free_port()}"], capsys)
    assert status == NOT_READY
    assert "no scheduler answers at tcp://127.0.0.1:" in why
    assert "Connection refused" in why
    assert "Traceback" not in why
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silent", "a web server"])
def test_an_address_where_somebody_else_is(
    answer: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 1.0)
    with a_listener(answer) as address:
        status, why = said(["spread", "status", address], capsys)
    assert status == NOT_READY
    assert why.startswith(f"lab: no scheduler answers at {address}")


def test_tls_without_certificates(capsys: pytest.CaptureFixture[str]) -> None:
    with a_listener(b"") as address:
        status, why = said(["spread", "status", address.replace("tcp", "tls")], capsys)
    assert status == NOT_READY
    assert "needs certificates, and Dask's configuration names none" in why


@pytest.mark.parametrize(
    "address", ["8786", "127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://127.0.0.1", "tcp://h:port"]
)
def test_what_is_no_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, why = said(["spread", "status", address], capsys)
    assert status == USAGE
    assert f"'{address}' is no scheduler's address" in why


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        status, why = said(["spread", "up", "--port", str(server.getsockname()[1])], capsys)
    assert status == NOT_READY
    assert "a scheduler cannot listen at 127.0.0.1" in why


def test_a_name_that_is_nobodys(capsys: pytest.CaptureFixture[str]) -> None:
    status, why = said(["spread", "up", "--listen", "no.such.host.invalid"], capsys)
    assert status == USAGE
    assert "a scheduler cannot listen at no.such.host.invalid" in why


def test_without_workers_or_a_scheduler_a_run_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "NO_WORKER_S", 1.5)
    monkeypatch.setattr(cluster, "GONE_S", 1.5)
    with spread_up(0) as up:
        monkeypatch.setattr(cluster, "CONNECT_S", 3.0)
        status, why = said(["spread", "status", up.address], capsys)
        assert status == NOT_READY
        assert f"the scheduler at {up.address} has no worker; start some with 'lab spread join" in why
        monkeypatch.setattr(cluster, "CONNECT_S", 10.0)
        _gone(up, monkeypatch)


def _gone(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Client

    with cluster.quiet(), Client(up.address, set_as_default=False) as client:
        workers = Workers(up.address, client)
        with pytest.raises(Refusal, match=f"no worker is left at {up.address}") as left:
            [*workers.each(work.double, numbered(2))]
        assert left.value.exit_status == NOT_READY
        monkeypatch.setattr(cluster, "NO_WORKER_S", 1e9)
        threading.Timer(0.5, lambda: os.kill(up.process.pid, signal.SIGKILL)).start()
        with pytest.raises(
            Refusal, match=f"the scheduler at {up.address} is gone, with 2 pieces of work still to be done"
        ) as gone:
            [*workers.each(work.double, numbered(2))]
        assert gone.value.exit_status == NOT_READY


def joined(address: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "labs.cli", "spread", "join", address, "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("1 worker for tcp://127.0.0.1:")
    return process


def test_workers_join_and_end_with_their_scheduler() -> None:
    with spread_up(0) as up:
        one = joined(up.address)
        below = psutil.Process(one.pid).children(recursive=True)
        with connect(up.address) as workers:
            assert values([*workers.each(work.double, numbered(3))]) == {f"piece-{n}": 2 * n for n in range(3)}
    _, why = one.communicate(timeout=90)
    assert one.returncode == NOT_READY
    assert f"the scheduler at {up.address} has ended, and these workers with it" in " ".join(why.split())
    assert psutil.wait_procs(below, 60)[1] == []


@pytest.mark.soak
def test_workers_end_with_whoever_started_them() -> None:
    with spread_up(1) as up:
        below = psutil.Process(up.process.pid).children(recursive=True)
        assert below
        up.process.kill()
        assert psutil.wait_procs(below, 60)[1] == []


@pytest.mark.soak
def test_a_scheduler_that_is_started_again_is_given_the_work_again(tmp_path: Path) -> None:
    with spread_up(2) as first, connect(first.address) as workers:
        coming = workers.each(work.begin, numbered(6, str(tmp_path)))
        done = [next(coming)]
        first.process.kill()
        (tmp_path / "go").touch()
        with spread_up(2, first.address.rpartition(":")[2]) as again:
            assert again.address == first.address
            assert values([*done, *coming]) == {f"piece-{n}": n for n in range(6)}
