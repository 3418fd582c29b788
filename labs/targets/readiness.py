"""What the doctor found, as a code short enough to read out: ABCD-EFGH-JKMN. A letter that was misheard is noticed.

code = readiness.encode(readiness.of(doctor.examine()))
readiness.decode(code).ready

Twelve letters of Crockford's base 32 (https://www.crockford.com/base32.html: no I, L, O or U): ten carry 50 bits, the last two a
Reed-Solomon check over GF(32). Any one or two letters that are wrong are noticed, and so are two that were swapped.
"""

import hashlib
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labs.errors import USAGE, Refusal
from labs.targets.doctor import Finding

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ALIKE = {"O": "0", "I": "1", "L": "1"}
DATA, CHECK, GROUP = 10, 2, 4
VERSION = 1
"""Of the layout below; three bits."""

SYSTEMS = ("Linux", "macOS", "Windows with WSL", "another system")
PROCESSORS = ("x86-64", "arm64", "another processor")
MACHINE = {
    "python": "Python",
    "memory": "memory",
    "disk": "disk",
    "clock": "clock",
    "wsl": "files on a fast drive",
    "port": "the local cloud's usual port",
    "local-cloud": "local cloud",
    "kernel": "notebook kernel",
    "chromium": "browser for the tests",
    "packages": "packages",
}
"""What is looked at on a machine, in the order of its bits: new ones come last."""
ACCOUNT = {
    "clock": "clock beside AWS's",
    "region": "Region",
    "model access": "model access",
    "quota": "quotas",
    "permissions": "permissions",
}
"""What is looked at in an account."""
REQUIRED = frozenset({"python", "memory", "disk", "clock", "local-cloud", "kernel"})
"""Of a machine, what the course does not work without."""

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


@dataclass(frozen=True)
class Part:
    """One thing that a code says."""

    what: str
    ok: bool
    required: bool = True


@dataclass(frozen=True)
class Readiness:
    """What a code says."""

    system: str
    processor: str
    python_minor: int
    """3.11 as 11; 31 for anything beyond."""
    course: int
    """16 bits of the digest of constraints.txt: do two machines have the same packages to install?"""
    machine: frozenset[str]
    """What was well on the machine, of MACHINE."""
    account: frozenset[str] | None = None
    """What was well in the account, of ACCOUNT; None where it was not looked at."""

    @property
    def ready(self) -> bool:
        """Whether nothing is missing that is required."""
        return all(part.ok for part in self.parts if part.required)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Everything it says, in words."""
        return tuple(self._parts())

    def _parts(self) -> Iterator[Part]:
        for id, what in MACHINE.items():
            named = f"Python 3.{self.python_minor} on {self.system}, {self.processor}" if id == "python" else what
            yield Part(named, id in self.machine, id in REQUIRED)
        if self.account is not None:
            for id, what in ACCOUNT.items():
                yield Part(f"AWS: {what}", id in self.account, id != "region")


def of(machine: Iterable[Finding], account: Iterable[Finding] | None = None) -> Readiness:
    """This machine's, from the doctor's findings; an account's are well when they are for every target that was asked about."""
    processor = {"x86_64": 0, "amd64": 0, "aarch64": 1, "arm64": 1}.get(platform.machine().lower(), 2)
    is_wsl = "microsoft" in platform.release().lower()
    system = 2 if is_wsl else {"Linux": 0, "Darwin": 1}.get(platform.system(), 3)
    well = frozenset(finding.id for finding in machine if finding.passed) & MACHINE.keys()
    return Readiness(
        SYSTEMS[system], PROCESSORS[processor], min(sys.version_info.minor, 31), course(), well, _account(account)
    )


def _account(findings: Iterable[Finding] | None) -> frozenset[str] | None:
    if findings is None:
        return None
    ills = {_kind(finding) for finding in findings if not finding.passed}
    return frozenset(ACCOUNT.keys() - ills)


def _kind(finding: Finding) -> str:
    """Of 'ec2-vllm: quota' the quota."""
    return finding.id.rpartition(": ")[2]


@cache
def course() -> int:
    """16 bits of the digest of this checkout's constraints.txt; 0 where there is none."""
    try:
        return int.from_bytes(hashlib.sha256(CONSTRAINTS.read_bytes()).digest()[:2], "big")
    except OSError:
        return 0


def encode(said: Readiness) -> str:
    """The code. Raises ValueError for what has no place in it."""
    bits = _Bits()
    bits.put(VERSION, 3)
    bits.put(SYSTEMS.index(said.system), 2)
    bits.put(PROCESSORS.index(said.processor), 2)
    bits.put(said.python_minor, 5)
    bits.put(said.course, 16)
    bits.put(_flags(said.machine, MACHINE), len(MACHINE))
    bits.put(said.account is not None, 1)
    bits.put(_flags(said.account or frozenset(), ACCOUNT), len(ACCOUNT))
    letters = "".join(LETTERS[number] for number in _with_check(bits.symbols()))
    return "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))


def decode(code: str) -> Readiness:
    """What a code says, however it was written: small letters, blanks and O for 0 do not matter. Raises Refusal."""
    numbers = _numbers(code)
    if any(_syndromes(numbers)):
        near = _nearest(numbers)
        hint = f"; perhaps it was {near}" if near else ""
        raise Refusal(f"'{code}' is no code: a letter was misheard, or two were swapped; ask for it again{hint}", USAGE)
    said = _read(numbers)
    if said is None:
        raise Refusal(f"'{code}' was made by another version of the course; update the older of the two", USAGE)
    return said


def _numbers(code: str) -> list[int]:
    letters = [ALIKE.get(letter, letter) for letter in code.upper() if not (letter.isspace() or letter in "-–—.")]
    if unknown := [letter for letter in letters if letter not in LETTERS]:
        raise Refusal(
            f"'{code}' is no code: it has no letter {unknown[0]}; codes are made of 0 to 9 and A to Z without I, L, O and U",
            USAGE,
        )
    if len(letters) != DATA + CHECK:
        raise Refusal(
            f"'{code}' is no code: it has {len(letters)} letters, and a code has {DATA + CHECK}, as in ABCD-EFGH-JKMN",
            USAGE,
        )
    return [LETTERS.index(letter) for letter in letters]


def _read(numbers: list[int]) -> Readiness | None:
    bits = _Bits.of(numbers[:DATA])
    version, system, processor = bits.take(3), bits.take(2), bits.take(2)
    minor, course_, machine = bits.take(5), bits.take(16), bits.take(len(MACHINE))
    asked, account = bits.take(1), bits.take(len(ACCOUNT))
    if version != VERSION or processor >= len(PROCESSORS) or (account and not asked) or bits.rest():
        return None
    return Readiness(
        SYSTEMS[system],
        PROCESSORS[processor],
        minor,
        course_,
        _named(machine, MACHINE),
        _named(account, ACCOUNT) if asked else None,
    )


def _nearest(numbers: list[int]) -> str | None:
    """The one code that differs in a single letter; None where there is none, or it says nothing.

    One letter that is off by e, k places from the end, makes the syndromes e g^k and e g^2k.
    """
    first, second = _syndromes(numbers)
    if not first or not second:
        return None
    from_end = (_LOGS[second] - _LOGS[first]) % 31
    if from_end >= len(numbers):
        return None
    right = list(numbers)
    right[-1 - from_end] ^= _POWERS[(2 * _LOGS[first] - _LOGS[second]) % 31]
    said = _read(right)
    return None if said is None else encode(said)


def _flags(well: frozenset[str], known: Mapping[str, str]) -> int:
    if unknown := well - known.keys():
        raise ValueError(f"no place in a code for {sorted(unknown)}")
    return sum(1 << place for place, id in enumerate(known) if id in well)


def _named(flags: int, known: Mapping[str, str]) -> frozenset[str]:
    return frozenset(id for place, id in enumerate(known) if flags >> place & 1)


class _Bits:
    """Numbers packed into the fifty bits of a code's data, the first one in the lowest bits."""

    def __init__(self, value: int = 0) -> None:
        self._value, self._place = value, 0

    @staticmethod
    def of(symbols: list[int]) -> "_Bits":
        return _Bits(sum(symbol << 5 * place for place, symbol in enumerate(symbols)))

    def put(self, number: int, width: int) -> None:
        if not 0 <= number < 1 << width or self._place + width > 5 * DATA:
            raise ValueError(f"{number} does not fit into {width} bits of a code")
        self._value |= number << self._place
        self._place += width

    def take(self, width: int) -> int:
        number = self._value >> self._place & ((1 << width) - 1)
        self._place += width
        return number

    def rest(self) -> int:
        return self._value >> self._place

    def symbols(self) -> list[int]:
        return [self._value >> 5 * place & 31 for place in range(DATA)]


# GF(32), by x^5 + x^2 + 1. A code is right when its polynomial is zero at the field's generator and at that one's square.
_POWERS = [1]
for _ in range(30):
    _POWERS.append(_POWERS[-1] << 1 ^ (0b100101 if _POWERS[-1] & 16 else 0))
_LOGS = {number: power for power, number in enumerate(_POWERS)}


def _times(one: int, other: int) -> int:
    return _POWERS[(_LOGS[one] + _LOGS[other]) % 31] if one and other else 0


def _syndromes(numbers: list[int]) -> tuple[int, int]:
    first = second = 0
    for number in numbers:
        first = _times(first, _POWERS[1]) ^ number
        second = _times(second, _POWERS[2]) ^ number
    return first, second


def _with_check(numbers: list[int]) -> list[int]:
    """The data and two check symbols: the remainder of the division by (x - g)(x - g^2)."""
    one, zero = _POWERS[1] ^ _POWERS[2], _times(_POWERS[1], _POWERS[2])  # the divisor: x^2 + one x + zero
    high = low = 0
    for number in numbers:
        head = high ^ number
        high, low = low ^ _times(head, one), _times(head, zero)
    return [*numbers, high, low]
