"""Runs out of files: opened from whatever holds them, each with a name, a letter for the charts, and what is known of it.

for run in load([Path("bedrock.json"), Path("gpu.jsonl")]):
    run.label, run.figure("ttft_ms", "p99"), run.interval("ttft_ms", "p99"), run.origin
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labs.bench import records
from labs.bench.summary import summarise
from labs.errors import USAGE, Refusal
from labs.facts import catalogue

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Compared:
    """One run among others."""

    path: str
    series: str
    """what answered, in words; runs of one series differ in their load or are repetitions"""
    letter: str
    """stands for the series in charts"""
    family: str
    """bedrock, sagemaker or own"""
    summary: Mapping[str, Any]
    run: records.Run | None = None
    """its records, where the file had them"""
    repetition: int = 0
    """1, 2 ... among runs of this series at this load; 0: there is no other"""

    @property
    def what(self) -> str:
        """'A sagemaker-gpu, 20/s', of each repetition."""
        return f"{self.letter} {self.series}, {self.load}"

    @property
    def label(self) -> str:
        """The same, with the number of the repetition if there are several."""
        return f"{self.what}, run {self.repetition}" if self.repetition else self.what

    @property
    def offered(self) -> float:
        """Requests a second that were offered, or clients in a closed loop."""
        offered = self.summary.get("offered") or {}
        for value in (
            offered.get("concurrency"),
            offered.get("rate_per_s"),
            self.summary.get("offered_per_s"),
            self.summary.get("requests_per_s"),
        ):
            if value:
                return float(value)
        return 0.0

    @property
    def load(self) -> str:
        """What was offered, in words."""
        clients = (self.summary.get("offered") or {}).get("concurrency")
        return f"{clients} clients" if clients else f"{self.offered:.3g}/s"

    @property
    def cost(self) -> float | None:
        """US dollars per million output tokens."""
        value = (self.summary.get("cost") or {}).get("usd_per_million_output_tokens")
        return None if value is None else float(value)

    def figure(self, name: str, of: str) -> float | None:
        """`figure("ttft_ms", "p99")`; None where nobody was answered."""
        value = (self.summary.get(name) or {}).get(of)
        return None if value is None else float(value)

    def interval(self, name: str, of: str) -> tuple[float, float] | None:
        """The 95 % interval of such a figure."""
        found = ((self.summary.get(name) or {}).get("ci") or {}).get(of)
        return None if found is None else (float(found[0]), float(found[1]))

    @property
    def origin(self) -> str:
        """'predicted by the serving model (offered to the local cloud), 20 Nov 2026'"""
        kind = {"predicted": "predicted by the serving model", "measured": "measured"}[str(self.summary["provenance"])]
        note = str(self.summary.get("provenance_note") or ("in virtual time" if "offered" not in self.summary else ""))
        # A note that says which of the two it is itself is enough.
        said = note if note.startswith(kind) else f"{kind} ({note})" if note else kind
        return ", ".join(filter(None, [said, _day(self.summary.get("started_at"))]))


def _day(started_at: Any) -> str:
    return str(started_at)[:10] if started_at else ""


# Opening


def load(paths: Sequence[Path]) -> list[Compared]:
    """Every run in these files: JSON summaries (`--json`, of `lab bench` or `lab simulate`) or JSONL records.

    Raises Refusal, one sentence, for a file that is empty, torn, or something else.
    """
    if not paths:
        raise Refusal("name at least one run: a JSON summary or JSONL records that 'lab bench' has written", USAGE)
    found: list[tuple[str, Mapping[str, Any], records.Run | None]] = []
    for path in paths:
        found += _open(path)
    letters: dict[str, str] = {}
    runs = []
    for name, summary, run in found:
        series, family = _series(summary)
        letter = letters.setdefault(series, LETTERS[len(letters)] if len(letters) < len(LETTERS) else f"{len(letters)}")
        runs.append(Compared(name, series, letter, family, summary, run))
    order = list(letters.values())
    runs.sort(key=lambda each: (order.index(each.letter), each.offered))
    alike = Counter(each.what for each in runs)
    seen: Counter[str] = Counter()
    numbered = []
    for each in runs:
        seen[each.what] += 1
        numbered.append(replace(each, repetition=seen[each.what]) if alike[each.what] > 1 else each)
    return numbered


def _open(path: Path) -> list[tuple[str, Mapping[str, Any], records.Run | None]]:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}", USAGE) from None
    except UnicodeDecodeError:
        raise Refusal(f"{path} is no text, so it is no run: give a file that 'lab bench' has written", USAGE) from None
    if not text.strip():
        raise Refusal(f"{path} is empty: no run has been written to it", USAGE)
    if text.startswith('{"header"'):
        run = records.read(path)
        return [(str(path), summarise(run), run)]
    try:
        data = json.loads(text)
    except ValueError as wrong:
        raise Refusal(
            f"{path} is neither records nor a summary, or was cut off while it was written: {wrong}", USAGE
        ) from None
    # One run, several by the name of their target, or a list.
    several = data.get("runs") if isinstance(data, dict) else data
    entries = list(several.values()) if isinstance(several, dict) else several if isinstance(several, list) else [data]
    for entry in entries:
        if not isinstance(entry, dict) or not {"ttft_ms", "e2e_ms", "requests", "provenance"} <= set(entry):
            raise Refusal(
                f"{path} is JSON, but not the summary of a run: ttft_ms, e2e_ms, requests and provenance are wanted; "
                "'lab bench --json FILE' writes one",
                USAGE,
            )
        if entry["provenance"] not in ("predicted", "measured"):
            raise Refusal(f"{path}: a run is predicted or measured, not '{entry['provenance']}'", USAGE)
    if not entries:
        raise Refusal(f"{path} holds no run", USAGE)
    return [(str(path), entry, None) for entry in entries]


def _series(summary: Mapping[str, Any]) -> tuple[str, str]:
    """What answered, and its family."""
    target = summary.get("target")
    if target is None:  # of lab simulate
        settings = summary.get("settings") or {}
        hardware = str(settings.get("hardware", "unknown hardware"))
        replicas = settings.get("replicas") or 1
        shown = f"{replicas} x {hardware}" if replicas != 1 else hardware
        family = "bedrock" if hardware.startswith("bedrock") else "sagemaker" if hardware.startswith("ml.") else "own"
        return f"{settings.get('model', 'a model')} on {shown}, simulated", family
    name = str(target.get("name") or target.get("endpoint") or "unknown target")
    known = catalogue.targets().get(name)
    if known is not None:
        family = known.family
    else:
        family = next((f for f in ("bedrock", "sagemaker") if name.startswith(f)), "own")
    through = f" through {str(target['through']).upper()}" if target.get("through") else ""
    if target.get("pushed"):
        through += ", pushed"
    model = str(target.get("model") or "")
    simulated = ", simulated" if "simulat" in str(summary.get("provenance_note", "")) else ""
    return f"{name}{through}{f' ({model})' if known is None and model else ''}{simulated}", family
