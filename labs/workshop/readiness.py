"""Readiness codes in the room: what `lab doctor --code` prints, as the room's page reads it.

for part in readiness.decode("ABCD-EFGH-JKMN"): print(part.what, part.ok)
"""

from labs.targets import readiness
from labs.targets.doctor import Finding
from labs.targets.readiness import Part


def encode(machine: list[Finding], account: list[Finding] | None = None) -> str:
    """This machine's code, from the doctor's findings."""
    return readiness.encode(readiness.of(machine, account))


def decode(code: str) -> tuple[Part, ...]:
    """What a code says, and last whether it is of the same version of the course as this machine's. Raises Refusal for what is none."""
    said = readiness.decode(code)
    return (*said.parts, Part("the room's version of the course", said.course == readiness.course(), required=False))
