"""The texts that are sent: of a wanted length, different for each request, or with a shared beginning for the requests of one session.

A server that keeps the beginnings of prompts it has seen answers a repeated prompt sooner than a new one. So each prompt begins with its own
number, unless it belongs to a session: then it begins with the session's text, as the turns of one conversation do.
"""

from random import Random

_COMMON = (
    "time year people way day man thing woman life child world school state family group country problem hand part place case week company system "
    "program work number night point home water room mother area money story fact month lot right study book eye job word issue side kind head house "
    "service friend father power hour game line end member law car city name team minute idea body back parent face level office door health person art "
    "war history party result change morning reason girl guy moment air teacher force order"
)
WORDS = _COMMON.split()
"""Common words, each one token with the space before it in the tokenizers that we know of."""
_LEAD = "Write a story with these words:"
_LEAD_TOKENS = 11
"""the lead, the number before it, and the frame that a chat puts around a message, about"""
_POOL = 1 << 14


class Prompts:
    """Texts by request."""

    def __init__(self, seed: int, prefix_tokens: int = 0, texts: tuple[str, ...] = ()) -> None:
        random = Random(f"prompts {seed}")
        self._pool = random.choices(WORDS, k=_POOL)
        self._prefix_tokens, self._texts = prefix_tokens, texts
        self._prefixes: dict[str, str] = {}

    def of(self, id: int, tokens: int, session: str | None) -> str:
        """The prompt of a request, about so many tokens long; from a file of prompts, that of its place."""
        if self._texts:
            return self._texts[id % len(self._texts)]
        if session is None:
            return f"#{id} {self._body(id, tokens)}"
        prefix = self._prefixes.get(session)
        if prefix is None:
            at = Random(session).randrange(_POOL)
            prefix = self._prefixes[session] = f"Session {session}: {self._words(at, self._prefix_tokens)}."
        return f"{prefix} #{id} {self._body(id, tokens - self._prefix_tokens)}"

    def _body(self, id: int, tokens: int) -> str:
        return f"{_LEAD} {self._words(id * 7919, max(1, tokens - _LEAD_TOKENS))}"

    def _words(self, at: int, n: int) -> str:
        at %= _POOL
        words = self._pool[at : at + n]
        while len(words) < n:
            words += self._pool[: n - len(words)]
        return " ".join(words)
