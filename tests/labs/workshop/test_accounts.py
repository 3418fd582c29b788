"""Scripts for a room's accounts do nothing until they are told to, stop at a wrong account, and rehearse a clean-up that proves itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labs import terminal
from labs.cloud import server
from labs.errors import Refusal
from labs.workshop import accounts
from labs.workshop.money_commands import room_accounts

LIST = "name,account,profile\nAnna Q,111122223333,anna\nBen,444455556666,ben\n"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "room.csv").write_text(LIST)
    accounts.write(
        accounts.read(tmp_path / "room.csv"),
        ["03-sagemaker", "06-squid"],
        ["us-east-1", "us-west-2"],
        tmp_path / "made",
    )
    return tmp_path / "made"


def sh(script: Path, commands: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with nothing on its path but a shell's own tools and what stands in `commands`."""
    clean = {"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(commands), **environment}
    return subprocess.run(["sh", str(script)], env=clean, capture_output=True, text=True, timeout=110, check=False)


def fake(folder: Path, name: str, line: str) -> Path:
    """A command that writes down how it was called."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f'#!/bin/sh\necho "$AWS_PROFILE {name} $*" >> "{folder}/called"\n{line}\n')
    (folder / name).chmod(0o755)
    return folder


def called(folder: Path) -> list[str]:
    path = folder / "called"
    return path.read_text().splitlines() if path.exists() else []


def test_without_run_everything_is_shown_and_nothing_is_done(scripts: Path, tmp_path: Path) -> None:
    commands = fake(fake(tmp_path / "bin", "lab", "exit 0"), "aws", "exit 0")
    for name in ("set-up.sh", "clean-up.sh"):
        done = sh(scripts / name, commands)
        assert done.returncode == 0, done.stderr
        assert "Anna Q, account 111122223333" in done.stdout
        assert done.stdout.endswith("Nothing was done. RUN=yes does it.\n")
    assert called(commands) == []


def test_run_asks_for_the_quotas_in_each_account(scripts: Path, tmp_path: Path) -> None:
    commands = fake(tmp_path / "bin", "lab", "exit 0")
    fake(commands, "aws", 'case "$*" in sts*) [ $AWS_PROFILE = anna ] && echo 111122223333 || echo 444455556666;; esac')
    done = sh(scripts / "set-up.sh", commands, RUN="yes")
    assert done.returncode == 0, done.stdout
    asked = [line for line in called(commands) if "request-service-quota-increase" in line]
    assert {line.split()[0] for line in asked} == {"anna", "ben"}
    assert any("L-286C98BC --desired-value 1" in line for line in asked)


def test_a_profile_of_another_account_is_left_alone(scripts: Path, tmp_path: Path) -> None:
    commands = fake(fake(tmp_path / "bin", "lab", "exit 0"), "aws", "echo 111122223333")
    done = sh(scripts / "clean-up.sh", commands, RUN="yes")
    assert done.returncode == 1
    assert "this profile is in account 111122223333 and not in 444455556666: nothing is done" in done.stdout
    assert done.stdout.endswith("1 of 2 are done; look at: Ben\n")
    assert {line.split()[0] for line in called(commands) if " lab " in line} == {"anna"}


def test_what_is_still_billed_is_not_called_clean(scripts: Path, tmp_path: Path) -> None:
    commands = fake(tmp_path / "bin", "aws", "[ $AWS_PROFILE = anna ] && echo 111122223333 || echo 444455556666")
    fake(commands, "lab", '[ "$1 $AWS_PROFILE" != "left ben" ]')
    done = sh(scripts / "clean-up.sh", commands, RUN="yes")
    assert done.returncode == 1
    assert done.stdout.endswith("1 of 2 are done; look at: Ben\n")


def test_without_the_command_it_says_so(scripts: Path, tmp_path: Path) -> None:
    done = sh(scripts / "clean-up.sh", tmp_path / "empty")
    assert done.returncode == 3
    assert "the command lab is not there" in done.stdout


def test_the_clean_up_rehearsed_on_the_local_cloud(tmp_path: Path) -> None:
    (tmp_path / "room.csv").write_text("name,account,profile\nAnna,111122223333,anna\n")
    people = accounts.read(tmp_path / "room.csv")
    _, script = accounts.write(people, [], ["us-east-1"], tmp_path / "made")
    home = tmp_path / "home" / "rehearsal-111122223333"
    record = server.start(home, port=0, die_with_parent=True)
    bucket = (
        "import boto3; s3 = boto3.client('s3'); s3.create_bucket(Bucket='forgotten'); s3.put_bucket_tagging(Bucket='forgotten', "
        "Tagging={'TagSet': [{'Key': 'Project', 'Value': 'deployment-dilemma'}]})"
    )
    local = {
        "AWS_ENDPOINT_URL": record.endpoint_url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        subprocess.run([sys.executable, "-c", bucket], env=os.environ | local, check=True, timeout=60)
        done = sh(script, Path(sys.executable).parent, REHEARSE="yes", LAB_HOME=str(tmp_path / "home"))
    finally:
        server.stop(home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Removed in us-east-1: bucket forgotten" in done.stdout
    assert "Nothing that costs money is there" in done.stdout
    assert done.stdout.endswith("All 1 are done.\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names nobody"),
        ("name,account,profile\n", "names nobody"),
        ("name,account\nAnna,111122223333\n", "'' is no profile's name"),
        ("name,account,profile\nAnna,1111-2222-3333,anna\n", "line 2: '1111-2222-3333' is no account"),
        ("name,account,profile\n,111122223333,anna\n", "the name is empty"),
        ("name,account,profile\nAnna,111122223333,$(id)\n", "no profile's name"),
        (f"{LIST}Cleo,111122223333,cleo\n", "line 4: account 111122223333 is Anna Q's already"),
    ],
)
def test_a_list_that_is_wrong_gets_a_sentence_and_no_scripts(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "room.csv"
    path.write_text(text)
    with pytest.raises(Refusal, match=said.replace("$", r"\$")):
        accounts.read(path)


def test_names_cannot_break_out_of_a_script(tmp_path: Path) -> None:
    path = tmp_path / "room.csv"
    path.write_text("name,account,profile\n\"'; touch $HOME/broken; '\",111122223333,anna\n")
    accounts.write(accounts.read(path), ["06-squid"], ["us-east-1"], tmp_path / "made")
    commands = fake(tmp_path / "bin", "lab", "exit 0")
    assert sh(tmp_path / "made" / "clean-up.sh", commands).returncode == 0
    assert not (commands / "broken").exists()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("room.csv").write_text(LIST)
    assert terminal.run(room_accounts, "lab room-accounts", ["room.csv", "--lab", "half-day"]) == 0
    assert {path.name for path in Path("accounts").iterdir()} == {"set-up.sh", "clean-up.sh"}
    assert terminal.run(room_accounts, "lab room-accounts", ["room.csv", "--regions", "Virginia"]) == 2
    assert "'Virginia' is no Region" in capsys.readouterr().err
