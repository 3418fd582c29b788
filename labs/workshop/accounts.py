"""An account for each learner: two scripts, set-up and clean-up, that show what they would do until somebody says RUN=yes.

    people = accounts.read(Path("room.csv"))          # name,account,profile
    accounts.write(people, ["03-sagemaker"], ["us-east-1"], Path("accounts"))

Each learner's part begins by asking AWS whose account it is, and ends there when it is another one. The clean-up ends with a look for whatever is
billed, so its exit status is the proof. REHEARSE=yes runs the clean-up against the local cloud, one for each learner, and calls no AWS.
"""

import csv
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labs.errors import USAGE, Refusal
from labs.workshop import money

COLUMNS = ("name", "account", "profile")
REGION_NAME = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


@dataclass(frozen=True)
class Learner:
    """One person, the account that is theirs, and the profile by which this machine gets into it."""

    name: str
    account: str
    profile: str


def read(path: Path) -> list[Learner]:
    """A CSV file with the columns name, account, profile. Raises Refusal with the line that is wrong; nothing is written then."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as broken:
        raise Refusal(f"{path} cannot be read as a CSV file: {broken}", USAGE) from None
    if not rows:
        raise Refusal(
            f"{path} names nobody; its first line is {','.join(COLUMNS)}, and then one line for each person", USAGE
        )
    found: list[Learner] = []
    for number, row in enumerate(rows, 2):
        values = {column: str(row.get(column) or "").strip() for column in COLUMNS}
        wrong = _wrong(values) or _twice(values, found)
        if wrong:
            raise Refusal(f"{path}, line {number}: {wrong}", USAGE)
        found.append(Learner(**values))
    return found


def write(people: Sequence[Learner], labs: Sequence[str], regions: Sequence[str], folder: Path) -> list[Path]:
    """Both scripts, into a folder. Raises Refusal for a lab or a Region that there is not."""
    for region in regions:
        if not REGION_NAME.fullmatch(region):
            raise Refusal(f"'{region}' is no Region; write it as us-east-1", USAGE)
    sheet = money.sheet(labs, len(people))
    scripts = {"set-up.sh": set_up(people, sheet, regions), "clean-up.sh": clean_up(people, regions)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in scripts.items():
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)
    return [folder / name for name in scripts]


def set_up(people: Sequence[Learner], sheet: money.Sheet, regions: Sequence[str]) -> str:
    """Quotas are asked for in each account, and each is looked at."""
    each = [
        "run lab doctor --real",
        *(f"run {need.command}" for need in sheet.needs if need.code),
        f"run lab left --real --regions {','.join(regions)}",
    ]
    costs = f"One person's labs cost at most ${sheet.each_usd:,.2f}, the room's ${sheet.room_usd:,.2f} (list prices)."
    return _script("set-up", costs, people, each)


def clean_up(people: Sequence[Learner], regions: Sequence[str]) -> str:
    """Everything of the course's is removed, in each Region; then a look for whatever is billed."""
    named = ",".join(regions)
    each = [f"run lab teardown --all $REAL --regions {named}", f"run lab left $REAL --regions {named}"]
    return _script("clean-up", "Run the labs' own clean-up cells first: what they made carries no tag.", people, each)


def _script(name: str, remark: str, people: Sequence[Learner], commands: Sequence[str]) -> str:
    return "\n".join(
        [*_head(name, remark), *(line for one in people for line in _part(one, commands)), *_foot(len(people)), ""]
    )


def _head(name: str, remark: str) -> Iterator[str]:
    rehearsal = (
        f"\n#   REHEARSE=yes sh {name}.sh    the same against the local cloud; calls no AWS"
        if name == "clean-up"
        else ""
    )
    yield f"""#!/bin/sh
# {name} of a room's accounts. {remark}
#   sh {name}.sh                 shows what it would do
#   RUN=yes sh {name}.sh         does it, account by account{rehearsal}
set -u
RUN=${{RUN:-}} REHEARSE=${{REHEARSE:-}} REAL=--real failed="" count=0
if [ "$REHEARSE" = yes ]; then REAL="" RUN=yes; fi
command -v lab >/dev/null || {{ echo "{name}: the command lab is not there; type . .venv/bin/activate first"; exit 3; }}

run() {{
    echo "  $*"
    [ "$RUN" = yes ] || return 0
    "$@"
}}

# Is this profile's account the one that stands in the list?
in_account() {{
    if [ "$RUN" != yes ] || [ "$REHEARSE" = yes ]; then return 0; fi
    found=$(aws sts get-caller-identity --query Account --output text) || return 1
    [ "$found" = "$1" ] || {{ echo "  this profile is in account $found and not in $1: nothing is done"; return 1; }}
}}
"""


def _part(one: Learner, commands: Sequence[str]) -> Iterator[str]:
    title = shlex.quote(f"{one.name}, account {one.account}")
    body = " &&\n    ".join([f"in_account {one.account}", *commands])
    yield f"echo {title}"
    yield "if ("
    yield f"    export AWS_PROFILE={shlex.quote(one.profile)}"
    yield f'    if [ "$REHEARSE" = yes ]; then export LAB_HOME="${{LAB_HOME:-/tmp}}/rehearsal-{one.account}"; fi'
    yield f"    {body}"
    yield f'); then count=$((count + 1)); else failed="$failed "{shlex.quote(one.name)}; fi'
    yield ""


def _foot(people: int) -> Iterator[str]:
    yield f"""if [ -n "$failed" ]; then echo "$count of {people} are done; look at:$failed"; exit 1; fi
if [ "$RUN" = yes ]; then echo "All {people} are done."; else echo "Nothing was done. RUN=yes does it."; fi"""


def _wrong(values: dict[str, str]) -> str:
    if not values["name"] or not re.fullmatch(r"[^\x00-\x1f\x7f]{1,80}", values["name"]):
        return "the name is empty, or longer than 80 characters"
    if not re.fullmatch(r"\d{12}", values["account"]):
        return f"'{values['account']}' is no account: twelve digits, without hyphens"
    if not re.fullmatch(r"[A-Za-z0-9._@+-]{1,128}", values["profile"]):
        return f"'{values['profile']}' is no profile's name: letters, digits and . _ @ + -"
    return ""


def _twice(values: dict[str, str], before: Sequence[Learner]) -> str:
    for one in before:
        if one.account == values["account"]:
            return f"account {one.account} is {one.name}'s already; the labs of two people build over each other in one"
    return ""
