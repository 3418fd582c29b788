"""An order of options that is the same for one reader on every reload, on the page and in the terminal.

The page's script computes the same (`web/quiz.js`), so that a reported order can be replayed from its seed.
"""

from collections.abc import Iterator, Sequence

_MASK = 0xFFFFFFFF


def fnv1a(text: str) -> int:
    """FNV-1a, 32 bits, of the UTF-8 bytes."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & _MASK
    return value


def _mulberry32(state: int) -> Iterator[int]:
    while True:
        state = (state + 0x6D2B79F5) & _MASK
        mixed = ((state ^ (state >> 15)) * (state | 1)) & _MASK
        mixed ^= (mixed + ((mixed ^ (mixed >> 7)) * (mixed | 61) & _MASK)) & _MASK
        yield (mixed ^ (mixed >> 14)) & _MASK


def shuffled(ids: Sequence[str], seed: str, avoid: Sequence[str] = ()) -> list[str]:
    """`ids` in an order that `seed` decides; never the order `avoid` (an ordering item must not start solved)."""
    order, random = list(ids), _mulberry32(fnv1a(seed))
    for last in range(len(order) - 1, 0, -1):
        other = next(random) * (last + 1) >> 32
        order[last], order[other] = order[other], order[last]
    if len(order) > 1 and order == list(avoid):
        order = [*order[1:], order[0]]
    return order


def seed(reader: str, item_id: str, attempt: int) -> str:
    """The seed of one reader's attempt at one item; attempts count from 1."""
    return f"{reader}/{item_id}/{attempt}"
