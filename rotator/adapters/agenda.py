"""When, by APScheduler 3.11: the only importer of it.

Jobs live in memory: what is due is read from the policies, the provider and the journal at every
start, so there is nothing to persist and nothing for replicas to share.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from rotator.ports import Clock


class SchedulerAgenda:
    """An agenda on the running event loop.

    Args:
        clock: The corrected clock; the scheduler itself goes by the machine's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # A look that comes late is still wanted (the default drops it after one second), and
            # one is enough however many were missed.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.start()
        self._periods: dict[str, asyncio.TimerHandle] = {}

    def at(self, name: str, when: datetime, call: Callable[[], object]) -> None:
        """Call ``call`` at ``when``; replaces what ``name`` had."""
        local = datetime.now(UTC) + (when - self._clock.now())
        # Without a time zone it asks for the machine's, and raises where that has no name.
        trigger = DateTrigger(run_date=local, timezone=UTC)
        self._scheduler.add_job(_on_loop(call), trigger, id=name, replace_existing=True)

    def every(self, name: str, period: timedelta, call: Callable[[], object]) -> None:
        """Call ``call`` every ``period``, first after one.

        By the loop's clock, not the scheduler's: should the machine's clock be put back, jobs come
        late by as much, and this does not; put far ahead, it would make up for each missed period.
        """
        loop = asyncio.get_running_loop()

        def again() -> None:
            self._periods[name] = loop.call_later(period.total_seconds(), tick)

        def tick() -> None:
            again()
            call()

        if name in self._periods:
            self._periods[name].cancel()
        again()

    def stop(self) -> None:
        """No calls from here on."""
        for handle in self._periods.values():
            handle.cancel()
        self._scheduler.shutdown(wait=False)


def _on_loop(call: Callable[[], object]) -> Callable[[], object]:
    """A coroutine function, because the scheduler runs any other in a thread."""

    async def run() -> None:
        call()

    return run
