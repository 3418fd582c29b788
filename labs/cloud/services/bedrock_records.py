"""The records of a batch inference job: read from S3, answered one by one, written back with a manifest."""

import json
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labs import facts
from labs.cloud.services import bedrock_converse
from labs.cloud.services.bedrock_asked import answer
from labs.cloud.services.bedrock_bodies import BODIES
from labs.cloud.services.bedrock_check import check
from labs.cloud.services.bedrock_errors import invalid
from labs.cloud.services.bedrock_face import Sums
from labs.cloud.services.bedrock_models import Model
from labs.cloud.services.bedrock_s3 import Bucket, Unreadable, folder, split
from labs.cloud.services.errors import ServiceError


@dataclass(frozen=True)
class Record:
    """One line of an input file."""

    file: str
    id: str
    input: Any


@dataclass(frozen=True)
class Outcome:
    """What became of a record: an output, or an error."""

    record: Record
    output: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    input_tokens: int = 0
    output_tokens: int = 0


def read_records(account_id: str, uri: str) -> list[Record]:
    """Every record of the input, a .jsonl file or a folder of them. Raises Unreadable with what the whole job fails for."""
    bucket, files = _files(account_id, uri)
    most, least = (int(facts.number(f"bedrock.batch.records_{which}")) for which in ("max", "min"))
    records: list[Record] = []
    for file in files:
        found = _lines(bucket, file)
        if len(found) > most:
            raise Unreadable(
                f"The file {file} contains {len(found):,} records, more than the required maximum of {most:,}."
            )
        records += found
    if len(records) < least:
        raise Unreadable(
            f"The batch job contains fewer records ({len(records)}) than the required minimum of: {least}."
        )
    if len(records) > most:
        raise Unreadable(
            f"The batch job contains more records ({len(records):,}) than the required maximum of: {most:,}."
        )
    return records


def _files(account_id: str, uri: str) -> tuple[Bucket, list[str]]:
    name, key = split(uri)
    bucket = Bucket(account_id, name)
    if key.endswith(".jsonl"):
        return bucket, [key]
    bucket, prefix = folder(account_id, uri)
    files = [each for each in bucket.keys(prefix) if each.endswith(".jsonl")]
    if not files:
        raise Unreadable(f"No file that ends in .jsonl was found at {uri}.")
    return bucket, files


def _lines(bucket: Bucket, file: str) -> list[Record]:
    try:
        text = bucket.read(file).decode()
    except UnicodeDecodeError:
        raise Unreadable(f"The file {file} is not UTF-8 text.") from None
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or "modelInput" not in found:
            raise Unreadable(f"Line {number} of the file {file} is not a JSON object with a modelInput.")
        records.append(Record(file, str(found.get("recordId") or _new_id()), found["modelInput"]))
    return records


def _new_id() -> str:
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(11))


def outcome(record: Record, model: Model, *, converse: bool) -> Outcome:
    """Answer one record, as InvokeModel or Converse would."""
    try:
        if not isinstance(record.input, dict):
            raise invalid("Malformed input request, please reformat your input and try again.")
        if record.input.get("toolConfig") or record.input.get("tools"):
            raise invalid("Tool calling is not supported in batch inference.")
        if converse:
            check("bedrock-runtime", "Converse", {**record.input, "modelId": model.id})
            asked = bedrock_converse.read(record.input, model)
            face: Any = bedrock_converse.ConverseFace({})
        else:
            asked = BODIES[model.body].read(record.input, model)
            face = BODIES[model.body].face(model)
        if any(part.checkpoint for part in asked.parts):
            raise invalid("Prompt caching is not supported in batch inference.")
        if asked.input_tokens > model.context_tokens:
            raise invalid("Input is too long for requested model.")
        said = answer(asked, asked.max_tokens or model.max_output_tokens)
    except ServiceError as refused:
        return Outcome(record, error={"errorCode": 400, "errorMessage": str(refused.message)})
    written = len(said.pieces)
    sums = Sums(asked.input_tokens, written, 0, 0, (), caches=False)
    return Outcome(record, face.whole(said, sums), None, asked.input_tokens, written)


def write_results(
    account_id: str, source: str, target: str, job_id: str, records: Sequence[Record], outcomes: Sequence[Outcome]
) -> None:
    """One output file for each input file that has outcomes, and the manifest."""
    bucket, prefix = folder(account_id, target)
    _, start = split(source)
    if start.endswith(".jsonl"):
        start = start.rpartition("/")[0]
    by_file: dict[str, list[str]] = {}
    for each in outcomes:
        line = {"modelInput": each.record.input}
        line |= {"modelOutput": each.output} if each.error is None else {"error": each.error}
        line["recordId"] = each.record.id
        by_file.setdefault(each.record.file, []).append(json.dumps(line, ensure_ascii=False))
    for file, lines in by_file.items():
        name = file.removeprefix(start).lstrip("/")
        bucket.write(f"{prefix}{job_id}/{name}.out", "\n".join(lines).encode() + b"\n")
    wrong = sum(each.error is not None for each in outcomes)
    manifest = {
        "totalRecordCount": len(records),
        "processedRecordCount": len(outcomes),
        "successRecordCount": len(outcomes) - wrong,
        "errorRecordCount": wrong,
        "inputTokenCount": sum(each.input_tokens for each in outcomes),
        "outputTokenCount": sum(each.output_tokens for each in outcomes),
    }
    bucket.write(f"{prefix}{job_id}/manifest.json.out", json.dumps(manifest).encode())
