"""The rules of item writing that a program can check; each has a name, and an item may be let off one with a reason (`allow`).

    for finding in lint.check(bank.load_all()): print(finding)

Errors are things that a reader without knowledge could use, or that would be wrong to print; warnings are worth a look. What only a
person can judge (one best answer, distractors that people really believe) is not here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

from labs import facts
from labs.errors import Refusal
from labs.facts import register
from quizzes import bank, figures, words
from quizzes.model import (
    PLACEHOLDER,
    AnyItem,
    Choice,
    Matching,
    Multiple,
    Numeric,
    Option,
    Ordering,
    Quiz,
    Single,
    Source,
)
from quizzes.text import count_word

Level = Literal["error", "warning"]
Rule = Callable[[AnyItem, AnyItem], Iterator[str]]
"""(as written, filled) → what is wrong"""

LENGTH_RATIO = 1.3
"""the most by which right options may be longer than wrong ones, or shorter"""
WORDS_PER_SECOND = 4.0
"""fast careful reading; an item's time must at least allow reading it"""
STEM_WORDS = 120
NEAR_ITEMS, NEAR_OPTIONS = 0.3, 0.9
HOSTS = (
    "docs.aws.amazon.com",
    "aws.amazon.com",
    "github.com",
    "docs.vllm.ai",
    "docs.djl.ai",
    "boto3.amazonaws.com",
)
OUT_OF_SCOPE = re.compile(
    r"Savings Plan|Greengrass|\bIoT\b|AWS Batch|Elastic Beanstalk|Lightsail|Amazon MQ|Redshift|Snowball|Local Zone"
)
SUPERLATIVES = re.compile(
    r"\b(most|least|best|first|fewest|lowest|highest|cheapest|shortest|longest|fastest|simplest|worse|worst|cause)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Finding:
    """One thing to look at."""

    level: Level
    rule: str
    item: str
    path: Path
    line: int
    message: str


def check(quizzes: Sequence[Quiz], folder: Path = bank.BANK) -> list[Finding]:
    """Everything that the rules find in these quizzes, in the order of the files."""
    found: list[Finding] = []
    seen: dict[str, tuple[str, AnyItem]] = {}
    for quiz in quizzes:
        for item in quiz.items:
            if item.scored_in or item.id in seen:
                continue  # a reference: it is checked where it stands
            path, line = bank.line_of(quiz.slug, item.id, folder)
            for level, rule, message in _findings(item):
                found.append(Finding(level, rule, item.id, path, line, message))
            seen[item.id] = (quiz.slug, item)
    for (one, (_, first)), (other, (slug, second)) in combinations(seen.items(), 2):
        near = words.overlap(words.shingles(_all_text(first)), words.shingles(_all_text(second)))
        if near >= NEAR_ITEMS and not {"near-duplicate"} & (set(first.allow) | set(second.allow)):
            path, line = bank.line_of(slug, other, folder)
            message = f"shares {near:.0%} of its runs of words with '{one}'"
            found.append(Finding("error", "near-duplicate", other, path, line, message))
    return found


def _findings(item: AnyItem) -> Iterator[tuple[Level, str, str]]:
    try:
        filled = figures.fill(item)
    except (Refusal, figures.BadExpression) as refusal:
        yield "error", "figures", str(refusal)
        return
    for name, (level, rule) in RULES.items():
        messages = list(rule(item, filled))
        if name in item.allow:
            if not messages:
                yield "warning", "allow", f"lets itself off '{name}', which finds nothing"
            continue
        for message in messages:
            yield level, name, message
    for name in sorted(set(item.allow) - set(RULES) - {"near-duplicate"}):
        yield "error", "allow", f"there is no rule '{name}'"


# --- what the rules look at


def _options(item: AnyItem) -> Sequence[Option]:
    return item.options if isinstance(item, Single | Multiple) else ()


def _shown(item: AnyItem) -> list[str]:
    """The texts that are there to be chosen or ordered."""
    match item:
        case Single() | Multiple():
            return [option.text for option in item.options]
        case Ordering():
            return [step.text for step in item.steps]
        case Matching():
            return [choice.text for choice in item.choices]
        case Numeric():
            return []


def reasons(item: AnyItem) -> list[str]:
    """Each option's *why*, in the item's order; an item of numbers has the key's first."""
    match item:
        case Single() | Multiple():
            return [option.why for option in item.options]
        case Ordering():
            return [step.why for step in item.steps]
        case Matching():
            return [prompt.why for prompt in item.prompts] + [choice.why or "" for choice in item.unused]
        case Numeric():
            return [item.why, *(mistake.why for mistake in item.mistakes)]


def _prompts(item: AnyItem) -> list[str]:
    return [prompt.text for prompt in item.prompts] if isinstance(item, Matching) else []


def _all_text(item: AnyItem) -> str:
    return " ".join([item.stem, item.criterion, *_prompts(item), *_shown(item)])


def _split(item: AnyItem) -> tuple[list[str], list[str]]:
    """(right, wrong) texts."""
    return [o.text for o in _options(item) if o.correct], [o.text for o in _options(item) if not o.correct]


# --- the rules


def _key_length(_: AnyItem, item: AnyItem) -> Iterator[str]:
    right, wrong = _split(item)
    if right:
        ratio = _mean_length(right) / _mean_length(wrong)
        if not 1 / LENGTH_RATIO <= ratio <= LENGTH_RATIO:
            yield f"right options are {ratio:.2f} times as long as wrong ones; keep it between {1 / LENGTH_RATIO:.2f} and {LENGTH_RATIO}"
    if len(right) == 1:
        longest = max(len(words.plain(text)) for text in wrong)
        if len(words.plain(right[0])) > 1.15 * longest:
            yield "the right option is clearly the longest"


def _mean_length(texts: Sequence[str]) -> float:
    return sum(len(words.plain(text)) for text in texts) / len(texts)


def _one_sided(pattern: re.Pattern[str], kind: str) -> Rule:
    def rule(_: AnyItem, item: AnyItem) -> Iterator[str]:
        right, wrong = _split(item)
        found = [{word.lower() for text in side for word in pattern.findall(text)} for side in (right, wrong)]
        if bool(found[0]) != bool(found[1]):
            side = "right" if found[0] else "wrong"
            yield f"{kind} ({', '.join(sorted(found[0] | found[1]))}) only in {side} options"

    return rule


def _echo(_: AnyItem, item: AnyItem) -> Iterator[str]:
    right, wrong = _split(item)
    if right:
        stem = words.content_words(f"{item.stem} {item.criterion}")
        elsewhere = set().union(*(words.content_words(text) for text in wrong))
        alone = set.intersection(*(words.content_words(text) for text in right)) & stem - elsewhere
        if len(alone) >= 2:
            yield f"the stem's words {', '.join(sorted(alone))} come back in the right option only"
    if isinstance(item, Matching):
        by_id = {choice.id: choice for choice in item.choices}
        for prompt in item.prompts:
            own = by_id[prompt.choice]
            others: set[str] = set().union(*(words.content_words(c.text) for c in item.choices if c is not own))
            if alone := words.content_words(prompt.text) & words.content_words(own.text) - others:
                yield f"'{prompt.id}' and its choice share {', '.join(sorted(alone))}, and no other choice does"


def _all_of_the_above(_: AnyItem, item: AnyItem) -> Iterator[str]:
    for text in _shown(item):
        if re.search(
            r"\b(all|none|both|neither) of (the )?(above|these|those|them)\b|\b(above|below) (options?|answers?)\b",
            text,
            re.IGNORECASE,
        ):
            yield f"“{text}” leans on the other options, which are shuffled"


def _letters(_: AnyItem, item: AnyItem) -> Iterator[str]:
    for text in [item.stem, item.criterion, *_shown(item), *reasons(item)]:
        if found := re.search(r"\b(option|answer|choice|options|answers) [A-H]\b", text):
            yield f"“{found[0]}” names a letter, but options are shuffled"


def _negative(_: AnyItem, item: AnyItem) -> Iterator[str]:
    if found := re.search(r"\b(not|except|never|cannot)\b|n't\b", item.criterion):
        yield f"the question turns on “{found[0]}”; ask the other way round, or write it in capitals"


def _criterion(_: AnyItem, item: AnyItem) -> Iterator[str]:
    if not item.criterion.endswith(("?", ".")):
        yield "the question ends in neither ? nor ."
    if low := [word for word in SUPERLATIVES.findall(item.criterion) if not word.isupper()]:
        yield f"write {', '.join(word.upper() for word in low)} in capitals"
    asked = [word for word in re.findall(r"\b[A-Z]{3,}\b", item.criterion) if SUPERLATIVES.fullmatch(word)]
    if len(asked) > 1:
        yield f"more than one criterion: {', '.join(asked)}"
    if not asked and not isinstance(item, Multiple):
        yield "no criterion in capitals (LEAST, FIRST, HIGHEST ...)"


def _select_n(_: AnyItem, item: AnyItem) -> Iterator[str]:
    said = re.findall(r"\b(TWO|THREE|FOUR)\b", item.criterion)
    wanted = [count_word(item.select)] if isinstance(item, Multiple) else []
    if said != wanted:
        yield f"the question says {said[0] if said else 'no number'}, the key has {wanted[0] if wanted else 'one answer'}"


def _parallel(_: AnyItem, item: AnyItem) -> Iterator[str]:
    texts = _shown(item)
    if len({text[-1] in ".?!" for text in texts}) > 1:
        yield "some options end in a full stop and some do not"
    if len({text.lstrip("`*")[0].isupper() for text in texts if not text[0].isdigit()}) > 1:
        yield "some options begin with a capital and some do not"
    for one, other in combinations(texts, 2):
        if words.similarity(one, other) > NEAR_OPTIONS:
            yield f"“{one}” and “{other}” are nearly the same"


def _amounts(_: AnyItem, item: AnyItem) -> Iterator[str]:
    amounts = [re.match(r"[$~]?([0-9][0-9,]*(?:\.[0-9]+)?)", text) for text in _shown(item)]
    if len(amounts) < 3 or None in amounts or isinstance(item, Ordering | Matching):
        return
    values = [float(found[1].replace(",", "")) for found in amounts if found]
    if item.shuffle or values != sorted(values):
        yield "options that are amounts stand from small to large, with `shuffle: false`"


def _reading_time(_: AnyItem, item: AnyItem) -> Iterator[str]:
    count = len(_all_text(item).split())
    if count / WORDS_PER_SECOND > item.est_seconds:
        yield f"{count} words cannot be read in {item.est_seconds} seconds"
    if (stem := len(item.stem.split())) > STEM_WORDS:
        yield f"the stem has {stem} words; more than {STEM_WORDS} test reading"


def _why(_: AnyItem, item: AnyItem) -> Iterator[str]:
    given = reasons(item)
    for reason in given:
        if len(reason.split()) < 5:
            yield f"“{reason}” is hardly a reason"
    for one, other in combinations(given, 2):
        if one == other:
            yield f"two options have one reason: “{one}”"
    for text, reason in zip(_shown(item), given, strict=False):
        if not isinstance(item, Matching) and words.similarity(text, reason) > 0.8:
            yield f"“{reason}” repeats the option"


_FIGURE = re.compile(
    r"(?P<usd>\$ ?)?(?P<number>\d[\d,]*(?:\.\d+)?)[ \u00a0-]?(?P<unit>KiB|MiB|GiB|KB|MB|GB|ms|milliseconds?|seconds?|s|minutes?|min|hours?|days?|"
    r"tokens per minute|requests per second|%|percent)?(?!\w)"
)
_IN_SECONDS = {
    "ms": 0.001,
    "millisecond": 0.001,
    "second": 1,
    "s": 1,
    "minute": 60,
    "min": 60,
    "hour": 3600,
    "day": 86400,
}
_IN_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


def _measure(number: float, unit: str) -> tuple[str, float] | None:
    """(dimension, amount) of a figure whose unit says enough."""
    if unit in _IN_BYTES:
        return "bytes", number * _IN_BYTES[unit]
    if (one := unit.rstrip("s") or unit) in _IN_SECONDS:
        return "seconds", number * _IN_SECONDS[one]
    return {"tokens per minute": ("tokens/min", number), "tokens/min": ("tokens/min", number), "requests per second": ("requests/s", number),
            "requests/s": ("requests/s", number), "USD": ("usd", number)}.get(unit)  # fmt: skip


def _bare_figures(item: AnyItem, _: AnyItem) -> Iterator[str]:
    """A limit or price that stands in the register must come from there: same amount, same unit, and the service is named."""
    text = " ".join([_all_text(item), *reasons(item)])
    named = re.sub(r"[^a-z0-9]", "", text.lower())
    groups = {fact_id.partition(".")[0] for fact_id in item.facts} | {
        g for g in register.installed().groups() if g in named
    }
    known: dict[tuple[str, float], str] = {}
    for group in sorted(groups):
        for fact in register.installed().group(group).values():
            unit = "USD" if fact.unit.startswith("USD") else fact.unit
            if isinstance(fact.value, int | float) and (measured := _measure(float(fact.value), unit)):
                known.setdefault(measured, fact.id)
    for found in _FIGURE.finditer(PLACEHOLDER.sub(" ", text)):
        unit = "USD" if found["usd"] else found["unit"] or ""
        measured = _measure(float(found["number"].replace(",", "")), unit)
        if measured in known:
            yield f"“{found[0].strip()}” is a figure of the register: write {{{known[measured]}}}"


def _scope(_: AnyItem, item: AnyItem) -> Iterator[str]:
    for text in _split(item)[0]:
        if found := OUT_OF_SCOPE.search(text):
            yield f"'{found[0]}' is outside the exam's scope and may not decide a key"


def _sources(item: AnyItem, _: AnyItem) -> Iterator[str]:
    for source in item.sources:
        if isinstance(source, str):
            if source not in register.installed().sources:
                yield f"'{source}' is not a source of the register"
        else:
            yield from _page(source)


def _page(source: Source) -> Iterator[str]:
    host = urlparse(source.url).netloc
    if not any(host == known or host.endswith(f".{known}") for known in HOSTS):
        yield f"{host} is not among the hosts that items cite"
    if source.checked_on > date.today():
        yield f"{source.url} was checked on {source.checked_on}, which is yet to come"


def _facts(item: AnyItem, _: AnyItem) -> Iterator[str]:
    used = set(item.placeholders())
    for fact_id in item.facts:
        try:
            facts.get(fact_id)
        except Refusal as refusal:
            yield str(refusal)
    for name in sorted(set(item.numbers) - used):
        yield f"the number '{name}' is worked out and used nowhere"


RULES: Mapping[str, tuple[Level, Rule]] = {
    "key-length": ("error", _key_length),
    "absolutes": ("error", _one_sided(words.ABSOLUTES, "absolute words")),
    "hedges": ("warning", _one_sided(words.HEDGES, "hedges")),
    "echo": ("error", _echo),
    "all-of-the-above": ("error", _all_of_the_above),
    "letters": ("error", _letters),
    "negative": ("error", _negative),
    "criterion": ("error", _criterion),
    "select-n": ("error", _select_n),
    "parallel": ("error", _parallel),
    "amounts": ("error", _amounts),
    "reading-time": ("error", _reading_time),
    "why": ("error", _why),
    "bare-figure": ("error", _bare_figures),
    "scope": ("error", _scope),
    "sources": ("error", _sources),
    "facts": ("error", _facts),
}
"""name: (level, rule). `near-duplicate` compares items with each other and stands in `check`."""


def unused_misconceptions(quizzes: Sequence[Quiz], folder: Path = bank.BANK) -> list[str]:
    """Names in `misconceptions.yaml` that no item uses."""
    used: set[str] = set()
    for quiz in quizzes:
        for item in quiz.items:
            parts: Sequence[Option | Choice | object] = (
                *_options(item),
                *(item.steps if isinstance(item, Ordering) else ()),
                *((*item.prompts, *item.choices) if isinstance(item, Matching) else ()),
                *(item.mistakes if isinstance(item, Numeric) else ()),
            )
            used |= {str(getattr(part, "misconception", None)) for part in parts}
    return [name for name in bank.listed_misconceptions(folder) if name not in used]
