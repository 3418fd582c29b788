"""How hard a page is to read: words, words a sentence, long words, and the Flesch-Kincaid grade (a rough guide, and no aim)."""

import re
from dataclasses import dataclass

from proofreading import pages

SENTENCE_END = re.compile(r"[.!?:](?:\s|$)")
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
VOWELS = re.compile(r"[aeiouy]+")


@dataclass(frozen=True)
class Level:
    """What was counted on a page."""

    words: int
    words_per_sentence: float
    grade: float


def syllables(word: str) -> int:
    """A count by groups of vowels, good enough for a mean."""
    found = len(VOWELS.findall(word.lower().removesuffix("e")))
    return max(1, found)


def level(text: str) -> Level:
    """Of all sentences of a page; tables and lists count as sentences by line."""
    said = "\n".join(line.text.strip(" |*").lstrip("-># 0123456789.") for line in pages.prose(text))
    words = WORD.findall(said)
    if not words:
        return Level(0, 0.0, 0.0)
    sentences = max(1, sum(len(SENTENCE_END.findall(part)) or 1 for part in said.split("\n") if WORD.search(part)))
    per_sentence = len(words) / sentences
    grade = 0.39 * per_sentence + 11.8 * sum(map(syllables, words)) / len(words) - 15.59
    return Level(len(words), per_sentence, grade)
