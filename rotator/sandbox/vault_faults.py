"""How calls to the Vault stand-in go wrong, by script. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

#: - ``refused_before``: the connection is dropped and nothing is done.
#: - ``lost_after``: done, then the connection is dropped without an answer.
#: - ``slow``: done, and the answer comes after ``Fault.delay``.
#: - ``status``: answered with ``Fault.status``, ``errors`` and ``headers``; nothing is done.
#: - ``page``: answered with ``Fault.status`` and a page of HTML, as a proxy does; nothing is done.
Kind = Literal["refused_before", "lost_after", "slow", "status", "page"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the next call whose ``"<METHOD> <path>"`` contains ``on``."""

    kind: Kind
    on: str = ""
    status: int = 503
    errors: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    delay: timedelta = timedelta(seconds=30)


@dataclass(slots=True)
class Faults:
    """Scripted faults, each used once."""

    script: deque[Fault] = field(default_factory=deque)

    def next(self, call: str) -> Fault | None:
        """The fault of this call, if it has one."""
        for fault in self.script:
            if fault.on in call:
                self.script.remove(fault)
                return fault
        return None
