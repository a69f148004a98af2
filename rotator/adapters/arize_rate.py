"""How many requests to Arize there may be: so many in the long run, and so many at once.

A token bucket, in the order in which requests come. (aiolimiter has one as well, which would not
let a mint be paid for before it is made; these are fewer lines than it takes to go around that.)

Where one waits matters more than how. From the intent in the journal to the store's acknowledgement
of the new key nobody may wait: first the lease runs, and then the grace. So a mint is paid for in
advance, before the intent is written, together with the proof of its key, and a task that has
minted never waits again, whatever it asks for. That leaves listings and revocations to wait.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import NamedTuple

#: Whether this task has minted, or is about to. A rotation has a task of its own.
_HURRIED: ContextVar[bool] = ContextVar("hurried", default=False)


class Rate(NamedTuple):
    """``per_second`` in the long run, and ``burst`` at once after a pause."""

    per_second: float
    burst: int


class Turns:
    """Whose turn it is. Without a rate, everybody's."""

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._left = float(rate.burst) if rate else 0.0
        self._counted_at = 0.0
        self._queue = asyncio.Lock()

    async def wait(self, requests: int = 1) -> bool:
        """Wait until ``requests`` may be made; answers whether that took any time."""
        if self._rate is None or _HURRIED.get():
            return False
        began = asyncio.get_running_loop().time()
        async with self._queue:
            # More than a burst at once leaves a debt.
            missing = min(requests, self._rate.burst) - self._count(self._rate)
            if missing > 0:
                await asyncio.sleep(missing / self._rate.per_second)
                self._count(self._rate)
            self._left -= requests
        return asyncio.get_running_loop().time() > began

    def _count(self, rate: Rate) -> float:
        now = asyncio.get_running_loop().time()
        gained = (now - self._counted_at) * rate.per_second
        self._left = min(self._left + gained, float(rate.burst))
        self._counted_at = now
        return self._left


def hurry() -> None:
    """This task waits for no turn from here on."""
    _HURRIED.set(True)
