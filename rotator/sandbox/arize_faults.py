"""How calls to the Arize stand-in go wrong: by script, or by chance. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from random import Random

    from rotator.sandbox.arize_model import Operation

#: - ``refused_before``: the connection is dropped and nothing is done.
#: - ``status``: answered with ``Fault.status`` and nothing is done.
#: - ``status_after``: done, then answered with ``Fault.status``.
#: - ``lost_after``: done, then the connection is dropped without an answer.
#: - ``truncated``: done, then the connection is dropped in the middle of the answer.
#: - ``malformed``: done, and the answer is no JSON.
#: - ``unknown_enum``: done, and the answer has a status and a type that nobody knows yet.
#: - ``slow``: done, and the answer comes after ``Fault.delay``.
Kind = Literal[
    "refused_before",
    "status",
    "status_after",
    "lost_after",
    "truncated",
    "malformed",
    "unknown_enum",
    "slow",
]
MINTS = ("create", "refresh")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call of ``op``; None is any call. ``retry_after`` is in seconds."""

    op: Operation | None
    kind: Kind
    status: int = 503
    retry_after: int | None = None
    delay: timedelta = timedelta(seconds=30)


class Faults:
    """Scripted faults first, each used once by the next call it fits; then chance."""

    def __init__(self, *, rate: float, random: Random) -> None:
        self.script: deque[Fault] = deque()
        self._rate = rate
        self._random = random

    def next(self, op: Operation) -> Fault | None:
        """The fault of this call, if it has one."""
        for fault in self.script:
            if fault.op in (None, op):
                self.script.remove(fault)
                return fault
        return self._by_chance(op) if self._random.random() < self._rate else None

    def _by_chance(self, op: Operation) -> Fault:
        faults = [
            Fault(op, "status", status=500),
            Fault(op, "status", status=503),
            Fault(op, "status", status=429),
            Fault(op, "status", status=429, retry_after=1),
            Fault(op, "refused_before"),
        ]
        if op in MINTS:
            faults += [Fault(op, "lost_after"), Fault(op, "status_after", status=504)]
        return self._random.choice(faults)
