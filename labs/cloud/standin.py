"""What a model says in the local cloud: a stand-in's text, plainly labelled, or the text of a model server of your own.

    answer("Summarise this ticket: ...", system="", max_tokens=200) -> Answer(text, ...)

The stand-in understands nothing. It is about the prompt because it repeats the prompt's own words; the same prompt always gets the same
answer. When LAB_MODEL_URL names an OpenAI-compatible server (Ollama, vLLM, llama.cpp: http://localhost:11434/v1), that server is asked and
its text is used; LAB_MODEL names the model there, else the server's first. Timing is the serving engine's in either case.
"""

import hashlib
import json
import os
import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labs.cloud import tokens

LABEL = "[stand-in answer, not a model]"
MODEL_SERVER_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Turn:
    """One message of a conversation, its text only."""

    role: str
    text: str


class ModelServerFailed(Exception):  # noqa: N818 - becomes the service's ModelErrorException
    """The server that LAB_MODEL_URL names did not answer with a text."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def text_source() -> str:
    """Whose texts these are, for people."""
    url = os.environ.get("LAB_MODEL_URL")
    return f"those of the model server at {url}" if url else "a stand-in's, not a model's"


def answer(turns: Sequence[Turn], system: str, max_tokens: int) -> str:
    """The text that answers the conversation, at most about `max_tokens` long. Raises ModelServerFailed."""
    url = os.environ.get("LAB_MODEL_URL")
    return _ask(url, turns, system, max_tokens) if url else stand_in(turns[-1].text, max_tokens)


# --- the stand-in

_TASKS = (  # (what the prompt says, a usual length of such an answer in tokens, how it opens)
    (
        r"\b(classif|categor|label|route|yes or no|true or false|sentiment|priorit)",
        40,
        "My choice for {a} would rest on {b}.",
    ),
    (r"\b(json|yaml|csv|sql|regex|schema)\b", 110, "The structure asked for has fields for {a}, {b} and {c}."),
    (r"\b(summar|tl;?dr|condense|shorten|key points)", 110, "In short: it is about {a}, {b} and {c}."),
    (
        r"\b(translat|ins deutsche|into (?:german|french|spanish|english))",
        120,
        "A translation would keep {a} and {b} as they are named here.",
    ),
    (
        r"\b(review|refactor|bug|function|code|unit test|traceback)",
        210,
        "I would look at {a} first, then at how {b} handles {c}.",
    ),
    (
        r"\b(clause|contract|agreement|liabilit|terminat|indemni)",
        190,
        "The passage turns on {a}; {b} limits it, and {c} is left open.",
    ),
    (
        r"\b(ticket|customer|refund|order|complain|support|reply)",
        150,
        "Thank you for writing about {a}. We have noted {b} and {c}.",
    ),
    (r"\b(write|draft|compose|essay|story|article|report)", 320, "Here is a draft on {a}, with {b} as its thread."),
    (r"", 160, "On {a}: the question also touches {b} and {c}."),
)
_SENTENCES = (
    "The prompt names {a} {n} times or more, so it comes first.",
    "With {a} settled, {b} follows from what is written.",
    "What is said about {b} does not decide {c}.",
    "Between {a} and {c} the text leaves a choice.",
    "It says: “{quote}”.",
    "One check remains: does {c} hold when {a} changes?",
    "Next step: confirm {b} with whoever owns {a}.",
    "If {c} is wrong, the rest about {b} falls with it.",
    "A reader who knows {a} will ask about {b}.",
    "Nothing here depends on {c} alone.",
)
_STOPWORDS = """
a above an and any answer are as at be been below but by can could do does each every following for from give had has have he her his how i if in
into is it its just make me more most my no not of on one only or our out over please she should so some such text than that the their them then
there these they this to too under up us was we were what when where which who why will with would write you your
"""


def stand_in(prompt: str, max_tokens: int) -> str:
    """The stand-in's answer: the label, then sentences made of the prompt's own words up to a length usual for its task."""
    task, length, opening = next(found for found in _TASKS if re.search(found[0], prompt, re.IGNORECASE))
    fingerprint = hashlib.sha256(prompt.encode()).digest()
    wanted = min(max_tokens, round(length * (0.7 + 0.6 * fingerprint[0] / 255)))
    text = f"{LABEL} "
    for sentence in _sentences(prompt, task, opening, fingerprint):
        text += sentence
        if tokens.count(text) >= wanted:
            return text
        text += " "
    return text


def _sentences(prompt: str, task: str, opening: str, fingerprint: bytes) -> Iterator[str]:
    empty = _STOPWORDS.split()
    words = Counter(
        word
        for word in re.findall(r"[^\W\d_][\w'-]{2,}", prompt)
        if word.lower() not in empty and not (task and re.match(task, word, re.IGNORECASE))
    )
    subjects = [word for word, _ in words.most_common(12)] or ["the prompt"]
    quotes = [
        " ".join(part.split()) for part in re.split(r"(?<=[.!?:;])\s|\n", prompt) if 10 <= len(part.strip()) <= 160
    ] or [prompt.strip()[:80]]
    for i in range(10_000):
        step = fingerprint[i % len(fingerprint)]
        a, b, c = (subjects[(i + offset) % len(subjects)] for offset in (0, 1, 2))
        sentence = opening if i == 0 else _SENTENCES[(step + i) % len(_SENTENCES)]
        yield sentence.format(a=a, b=b, c=c, n=words.get(a, 1), quote=quotes[(step + i) % len(quotes)])


# --- a model server of the learner's own


def _ask(url: str, turns: Sequence[Turn], system: str, max_tokens: int) -> str:
    base = url.rstrip("/")
    if not re.search(r"/v\d+$", base):
        base += "/v1"
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": turn.role, "content": turn.text} for turn in turns]
    model = os.environ.get("LAB_MODEL") or _first_model(base)
    reply = _call(f"{base}/chat/completions", {"model": model, "messages": messages, "max_tokens": max_tokens})
    try:
        text = reply["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        text = None
    if not isinstance(text, str) or not text:
        raise ModelServerFailed(f"the model server at {base} answered without a text")
    return text


def _first_model(base: str) -> str:
    try:
        return str(_call(f"{base}/models")["data"][0]["id"])
    except (KeyError, IndexError, TypeError):
        raise ModelServerFailed(f"the model server at {base} lists no model; name one in LAB_MODEL") from None


def _call(url: str, body: dict[str, Any] | None = None) -> Any:
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("LAB_MODEL_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=MODEL_SERVER_TIMEOUT_S) as response:
            return json.load(response)
    except urllib.error.HTTPError as refused:
        raise ModelServerFailed(
            f"the model server answered {refused.code} at {url}: {refused.read(200).decode(errors='replace')}",
            refused.code,
        ) from None
    except (OSError, ValueError) as broken:
        raise ModelServerFailed(f"the model server at {url} does not answer: {broken}") from None
