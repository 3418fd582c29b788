"""The pages for teachers say what the course says: beliefs as the bank words them, commands that exist, errors that really come like that."""

import contextlib
import json
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import click
import pytest
from botocore.exceptions import ClientError
from mini_book import Built

from labs.check import model, source, student
from labs.check.labs import load
from labs.cli import cli as lab
from labs.cloud.context import Context
from labs.cloud.services import quotas
from labs.targets import doctor
from labs.workshop import agenda, money
from quizzes import bank
from quizzes.cli import cli as quiz
from tests.labs.cloud.kit import until
from tests.labs.cloud.sagemaker_kit import fresh

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "book" / "instructor"
HELPERS = (FOLDER / "helpers.md").read_text("utf-8")
ERRORS = HELPERS[HELPERS.index("## Ten errors") : HELPERS.index("## What they believe")]


def row(error: str) -> str:
    """The guide's row about an error."""
    [found] = [line for line in ERRORS.splitlines() if line.startswith("|") and error in line.split("|")[1]]
    return found


def test_two_beliefs_for_each_lesson_in_the_words_of_the_bank() -> None:
    section = HELPERS[HELPERS.index("## What they believe") : HELPERS.index("## Where a session")]
    beliefs = re.findall(r"^\| (?:\d )?\| (.+?) \| .+\? \|$", section, re.MULTILINE)
    assert len(beliefs) == 16
    assert set(beliefs) <= set(bank.misconceptions(ROOT / "quizzes" / "bank").values())


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_its_commands_and_options_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    written = re.findall(r"^\$ (lab|quiz) (\S+)(.*)$", text, re.MULTILINE) + re.findall(
        r"`(lab|quiz) ([^`\s]+)([^`]*)`", text
    )
    for program, command, rest in written:
        group: click.Group = {"lab": lab, "quiz": quiz}[program]
        found = group.get_command(click.Context(group), command)
        assert found is not None, (program, command)
        known = {option for parameter in found.params for option in parameter.opts} | {"--help"}
        words = rest.split()
        if isinstance(found, click.Group) and words:
            inner = found.get_command(click.Context(found), words[0])
            known |= {option for parameter in (inner.params if inner else ()) for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, (program, command, rest)


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in FOLDER.glob("*.md"):
        for target in re.findall(r"(?:^\$ |`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE):
            assert f"\n{target}:" in makefile, (page.name, target)


def test_the_question_about_the_dearest_lab_has_the_answer_that_the_page_means() -> None:
    usd = {row.slug: row.bill.usd for row in money.sheet([], 1).rows}
    dearest = max(usd, key=lambda slug: usd[slug])
    assert money.of(dearest).without, "and one of its tasks is why"
    assert usd[dearest] > sum(sorted(usd.values())[:6])


# -- agendas and the bill on a page


def test_agendas_and_the_rooms_bill_on_a_page(build_book: Callable[..., Built]) -> None:
    lessons = {
        path.stem: path.read_text("utf-8").partition("\n---\n")[0] + "\n---\n# A lesson\n"
        for path in (ROOT / "book").glob("0*.md")
    }
    labs = {f"labs/{slug}": "---\ndescription: x\n---\n# A lab\n" for slug in money.labs()}
    page = "---\ndescription: x\n---\n# Page\n\n```{agenda} half-day\n```\n\n```{room-cost} 40\n```\n"
    extensions = ["myst_nb", "sphinx_design", "sphinx_book_theme", "bookbinding", "labs.workshop.sphinx"]
    built = build_book({**lessons, **labs, "page": page}, extensions=extensions)
    assert not built.warnings
    html = " ".join(re.sub(r"<[^>]+>", " ", built.page("page")).split())
    made = agenda.plan("half-day").sessions[0]
    assert f"{agenda.clock(made.end_min)} End {made.minutes('read', 'lab', 'quiz', 'do')} minutes taught" in html
    assert "lab catch-up 01-decision --task 7" in html
    assert f"{40 * money.of('03-sagemaker').bill.usd:,.2f}" in html


def test_a_session_that_overruns_warns_and_so_fails_the_build(
    build_book: Callable[..., Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [{"do": "Talk", "minutes": 60}]
    short = {
        "title": "T",
        "audience": "",
        "sessions": [{"title": "S", "start": "9:00", "end": "10:00", "lines": lines}],
    }
    monkeypatch.setattr(agenda, "_data", lambda: {"short": short})
    pages = {"page": "---\ndescription: x\n---\n# Page\n\n```{agenda} short\n```\n\n```{agenda} none\n```\n"}
    built = build_book(pages, extensions=["myst_nb", "sphinx_book_theme", "bookbinding", "labs.workshop.sphinx"])
    assert "it ends at 10:10, 10 minutes after the room has to be left (10:00)" in built.warnings
    assert "there is no agenda 'none'" in built.warnings


# -- ten errors, each caused


def test_there_are_ten() -> None:
    assert len(re.findall(r"^\| (?!What they say|--)", ERRORS, re.MULTILINE)) == 10


def test_a_new_terminal_does_not_know_the_command() -> None:
    error = row("command not found")
    said = subprocess.run(
        ["bash", "-c", "lab doctor"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert said.returncode == 127
    assert error.split("`")[1] in said.stderr
    assert ". .venv/bin/activate" in error


def test_jupyters_own_kernel_does_not_know_the_package(tmp_path: Path) -> None:
    error = row("No module named")
    alone = [sys.executable, "-I", "-S", "-c", "from labs import cloud"]
    said = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert error.split("`")[1] in said.stderr
    assert "-m labs.cloud.kernel install" in doctor._kernel().todo, "and the doctor says what to do"


def test_after_a_restart_a_later_cell_does_not_know_the_names() -> None:
    assert "Run from the top" in row("NameError")
    cells = source.cells(student.find("06-squid"))
    later = "\n".join(cell.source for cell in cells if cell.task == 2)
    with pytest.raises(NameError), contextlib.redirect_stdout(None):
        exec(later, {"__name__": "__main__"})


def test_a_folder_on_the_windows_drive_is_named_by_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "`lab doctor` says so" in row("WSL")
    monkeypatch.setattr(platform, "release", lambda: "5.15.153.1-microsoft-standard-WSL2")
    monkeypatch.setattr(doctor, "__file__", "/mnt/c/Users/anna/course/labs/targets/doctor.py")
    finding = doctor._wsl()
    assert not finding.passed
    assert "WSL's own file system" in finding.todo


def test_a_new_account_has_no_quota_for_accelerators(in_process_cloud: Context) -> None:
    sm = fresh(in_process_cloud)
    with pytest.raises(ClientError) as refused:
        sm.endpoint(sm.config(sm.variant(sm.model(), InstanceType="ml.inf2.48xlarge")))
    assert refused.value.response["Error"]["Code"] in row("ResourceLimitExceeded")


def test_a_generous_max_tokens_throttles_without_traffic(in_process_cloud: Context) -> None:
    runtime, model_id = boto3.client("bedrock-runtime"), "us.meta.llama3-3-70b-instruct-v1:0"
    quota = quotas.bedrock_tokens_per_minute(model_id)
    assert quota is not None
    quotas.set_value(in_process_cloud, "us-east-1", "bedrock", quota.code, 8_000)

    def ask(max_tokens: int) -> str:
        asked = [{"role": "user", "content": [{"text": "Which priority?"}]}]
        reply = runtime.converse(modelId=model_id, messages=asked, inferenceConfig={"maxTokens": max_tokens})
        return str(reply["stopReason"])

    with pytest.raises(ClientError) as refused:
        ask(8_192)
    assert refused.value.response["Error"]["Code"] in row("ThrottlingException")
    assert ask(5), "with fewer, the same call goes through"


def test_an_imported_model_wakes_up_first(in_process_cloud: Context) -> None:
    in_process_cloud.time_scale = 10_000.0
    s3, bedrock = boto3.client("s3"), boto3.client("bedrock")
    s3.create_bucket(Bucket="weights")
    shape = {
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": 32,
        "hidden_size": 4096,
        "max_position_embeddings": 8192,
    }
    files = {"config.json": json.dumps(shape), "tokenizer_config.json": "{}", "model.safetensors": "a placeholder"}
    for name, content in files.items():
        s3.put_object(Bucket="weights", Key=f"m/{name}", Body=content.encode())
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    reads = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}],
    }
    iam = boto3.client("iam")
    role = iam.create_role(RoleName="import", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="import", PolicyName="reads", PolicyDocument=json.dumps(reads))
    where = {"s3DataSource": {"s3Uri": "s3://weights/m/"}}
    job = bedrock.create_model_import_job(jobName="j", importedModelName="mine", roleArn=role, modelDataSource=where)[
        "jobArn"
    ]
    until(lambda: bedrock.get_model_import_job(jobIdentifier=job)["status"] == "Completed")
    arn = bedrock.get_model_import_job(jobIdentifier=job)["importedModelArn"]
    in_process_cloud.time_scale = 1.0
    with pytest.raises(ClientError) as refused:
        boto3.client("bedrock-runtime").invoke_model(modelId=arn, body=json.dumps({"prompt": "x", "max_gen_len": 1}))
    assert refused.value.response["Error"]["Code"] in row("ModelNotReadyException")


def test_a_later_task_wants_what_the_earlier_ones_made(in_process_cloud: Context) -> None:
    del in_process_cloud
    assert "`lab catch-up SLUG --task 4`" in row("the check of task 4")
    results = model.run(load("06-squid"), model.Account(), 4)
    assert results
    assert not [result.id for result in results if result.passed]


def test_what_yesterday_left_is_listed(in_process_cloud: Context) -> None:
    from labs.workshop import left

    assert "`lab left` finds" in row("nobody else has")
    sm = fresh(in_process_cloud)
    made = sm.endpoint(sm.config(sm.variant(sm.model(), InstanceType="ml.g5.xlarge")))
    assert made in [name for name, _ in left.LOOKS["endpoint"]("us-east-1")]


def test_answers_are_kept_under_one_address() -> None:
    assert "under one address" in row("my answers are gone")
    script = (ROOT / "quizzes" / "web" / "quiz.js").read_text("utf-8") + "".join(
        path.read_text("utf-8") for path in (ROOT / "quizzes" / "web").glob("*.js")
    )
    assert "localStorage" in script
