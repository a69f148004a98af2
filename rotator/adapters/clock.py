"""The machine's clock, corrected by the provider's.

Keys live and die by the provider's clock, so decisions should follow it. Its ``Date`` header has a
resolution of a second and ages on the way, so one answer gives no more than an interval in which
the difference lies; :class:`Skew` moves only for an interval that is certainly somewhere else.

The machine's clock is read once and goes on steadily from there: when somebody sets it, a moment
between two of the provider's answers is where it would have been, and an intent is dated right.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from rotator.events import Event
from rotator.ports import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.ports import Emit

#: Smaller differences are none, and smaller changes of one do not count.
_TOLERANCE = timedelta(seconds=1)
#: The resolution of an HTTP date, which is cut off, not rounded.
_RESOLUTION = timedelta(seconds=1)
#: A greater difference is reported and not followed. A wrong ``Date``, from a proxy or a cache,
#: moves every expiry and every end of a grace period at once; within an hour that is harmless, and
#: clocks that are kept at all do not stray further. Which of the two is wrong nobody knows then, so
#: that nothing is begun and nothing ended by either.
_LIMIT = timedelta(hours=1)
_NONE = timedelta()
#: Goes on while the machine is suspended, where there is such a clock.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(slots=True)
class Skew:
    """By how much the provider's clock is ahead of ours. Pure."""

    value: timedelta = field(default=_NONE)
    #: The last one seen that was too great to follow.
    ignored: timedelta | None = field(default=None)

    def observe(self, server: datetime, local: datetime, round_trip: timedelta) -> timedelta | None:
        """Take a date of the provider's, read at ``local``, at most ``round_trip`` after it.

        Answers the difference when it is news, else None.
        """
        least, most = server - local, server + _RESOLUTION - (local - round_trip)
        if _distance(self.value, least, most) <= _TOLERANCE:
            back, self.ignored = self.ignored is not None, None
            return self.value if back else None
        seen = _NONE if _distance(_NONE, least, most) <= _TOLERANCE else (least + most) / 2
        if abs(seen) > _LIMIT:
            return self._ignore(seen)
        self.value, self.ignored = seen, None
        return seen

    def _ignore(self, seen: timedelta) -> timedelta | None:
        known = self.ignored is not None and abs(self.ignored - seen) < _LIMIT
        self.ignored = self.ignored if known else seen
        return None if known else seen


class ProviderClock(Clock, Protocol):
    """A clock that can be told the provider's time."""

    def observe(self, server_time: datetime, round_trip: timedelta) -> None:
        """Take a date of the provider's, at most ``round_trip`` old. Never raises."""
        ...


class SystemClock:
    """The machine's clocks and asyncio's sleep; implements :class:`ProviderClock`."""

    def __init__(
        self,
        emit: Emit,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        steady: Callable[[], float] = lambda: time.clock_gettime(_STEADY),
    ) -> None:
        self._emit = emit
        self._wall, self._steady = wall, steady
        self._skew = Skew()
        self._read()

    def _read(self) -> None:
        self._wall_at, self._steady_at = self._wall(), self._steady()

    def _local(self) -> datetime:
        return self._wall_at + timedelta(seconds=self._steady() - self._steady_at)

    def now(self) -> datetime:
        """Aware UTC, corrected by the provider's clock when they differ by more than a second."""
        return self._local() + self._skew.value

    @property
    def astray(self) -> timedelta | None:
        """The provider's lead, where it is too great to be followed."""
        return self._skew.ignored

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, never going back."""
        return time.monotonic()

    async def sleep(self, delay: timedelta) -> None:
        """Wait; not at all for a negative ``delay``."""
        await asyncio.sleep(max(0.0, delay.total_seconds()))

    def observe(self, server_time: datetime, round_trip: timedelta) -> None:
        """Correct :meth:`now` by a date of the provider's, at most ``round_trip`` old."""
        news = self._skew.observe(server_time, self._local(), round_trip)
        if self._skew.ignored is not None and abs(self._wall() - self._local()) > _TOLERANCE:
            # Too far off to be followed, and somebody has set the clock since it was read.
            news = self._observe_again(server_time, round_trip, news)
        if news is not None:
            self._emit(Event.CLOCK_SKEWED, skew_seconds=round(news.total_seconds(), 1))

    def _observe_again(
        self, server_time: datetime, round_trip: timedelta, news: timedelta | None
    ) -> timedelta | None:
        self._read()
        again = self._skew.observe(server_time, self._local(), round_trip)
        return again if self._skew.ignored is None else again or news


def _distance(point: timedelta, least: timedelta, most: timedelta) -> timedelta:
    return max(least - point, point - most, _NONE)
