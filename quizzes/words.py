"""Words of an item's texts, as the lint rules and the bots look at them."""

import re
from difflib import SequenceMatcher

ABSOLUTES = re.compile(
    r"\b(always|never|all|only|every|entirely|completely|must|none|impossible|guarantees?)\b", re.IGNORECASE
)
HEDGES = re.compile(
    r"\b(usually|often|sometimes|may|might|typically|generally|probably|mostly|in some cases)\b", re.IGNORECASE
)
NEGATIONS = re.compile(r"\b(not|no|never|without|remove|disable|drop|cannot|none|avoid|stop)\b|n't\b", re.IGNORECASE)
SERVICES = re.compile(
    r"\b(?:Amazon|AWS) [A-Z]\w+|\b(?:Bedrock|SageMaker|Lambda|SQS|DynamoDB|EC2|EKS|ECS|S3|API Gateway|AppSync|WebSocket|EventBridge|"
    r"Step Functions|CloudFront|Guardrails|Inferentia|Trainium)\b"
)
_COMMON = frozenset(
    [
        "about",
        "above",
        "after",
        "again",
        "against",
        "before",
        "being",
        "below",
        "between",
        "could",
        "during",
        "every",
        "first",
        "other",
        "should",
        "since",
        "still",
        "their",
        "there",
        "these",
        "those",
        "through",
        "today",
        "under",
        "until",
        "where",
        "which",
        "while",
        "whose",
        "would",
        "today",
        "without",
        "within",
        "there's",
    ]
)


def plain(text: str) -> str:
    """Without the marks of Markdown."""
    return re.sub(r"[`*_]", "", text)


def content_words(text: str) -> set[str]:
    """The words that carry meaning, cut to a stem of six letters: 'answers' and 'answered' are one."""
    return {word[:6] for word in re.findall(r"[a-z][a-z-]{4,}", plain(text).lower()) if word not in _COMMON}


def similarity(one: str, other: str) -> float:
    """0 to 1, by characters in common order."""
    return SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio()


def shingles(text: str, size: int = 4) -> set[tuple[str, ...]]:
    """Runs of words, for finding near-duplicates."""
    found = re.findall(r"[a-z0-9]+", plain(text).lower())
    return {tuple(found[place : place + size]) for place in range(max(1, len(found) - size + 1))}


def overlap(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    """The share of shingles that two texts have in common (Jaccard)."""
    return len(one & other) / len(one | other) if one | other else 0.0


def specificity(text: str) -> int:
    """How many figures, names in capitals and code words a text has."""
    return len(re.findall(r"\d+|`[^`]+`|\b[A-Z]{2,}\w*|(?<!^)(?<!\. )\b[A-Z][a-z]+", text))
