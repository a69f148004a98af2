"""Maintenance windows as people write them: a cron expression, a duration, a time zone.

The expressions are those of cron itself, read by cronsim, which keeps to Debian's cron also where
clocks are put forward or back: what would begin in an hour that is left out begins right after it,
and what would begin in an hour that comes twice begins in the first of them. A window of every so
many minutes or hours takes no notice of either.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Annotated, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from rotator.pacing import Opening

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS = 5
_HOW = "write minute, hour, day of month, month and day of week, as in `0 2 * * sat`"
#: Any year: what windows are like does not depend on it.
_BEGIN, _YEAR = datetime(2027, 1, 1, tzinfo=UTC), timedelta(days=366)
#: Openings that are looked at, of a window that opens more often than daily.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class CronWindow:
    """A :class:`~rotator.pacing.Window`; ``duration`` is time that passes, whatever clocks do."""

    cron: str
    duration: timedelta
    zone: str

    def opening(self, moment: datetime) -> Opening | None:
        """The first opening that closes after ``moment``, in UTC."""
        from cronsim import CronSim  # noqa: PLC0415 - only who has windows pays for it

        since = moment - self.duration
        for local in CronSim(self.cron, since.astimezone(ZoneInfo(self.zone))):
            opens = local.astimezone(UTC)
            # In the second of two equal hours, cronsim answers what was in the first.
            if opens > since:
                return Opening(opens, opens + self.duration)
        return None


class Pauses(NamedTuple):
    """The times between the ends of two openings: so long must wait what misses the first."""

    shortest: timedelta
    longest: timedelta


@lru_cache
def pauses(windows: tuple[CronWindow, ...]) -> Pauses:
    """How rarely ``windows`` open, as far as a year tells; nothing for what is always open."""
    openings = list(islice(_openings(windows), _MOST))
    found = [
        later.closes - sooner.closes
        for sooner, later in pairwise(openings)
        if later.opens > sooner.closes
    ]
    return Pauses(min(found, default=timedelta(0)), max(found, default=timedelta(0)))


def _openings(windows: tuple[CronWindow, ...]) -> Iterator[Opening]:
    """All of them, the first to close first, until one is later than a year after the first."""
    moment = end = _BEGIN
    while moment <= end:
        openings = [opening for each in windows if (opening := each.opening(moment)) is not None]
        if not openings:
            return
        first = min(openings, key=lambda opening: opening.closes)
        yield first
        end = first.closes + _YEAR if moment is _BEGIN else end
        moment = first.closes


def _cron(text: str) -> str:
    """Refuse what cron would not take, and days that never come."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - as above

    if len(text.split()) != _FIELDS:
        raise ValueError(f"is not an expression of cron's five fields; {_HOW}")
    try:
        next(CronSim(text, _BEGIN))
    except CronSimError as error:
        part = str(error).removeprefix("Bad ")
        raise ValueError(f"cron does not know this {part}, or it never comes; {_HOW}") from None
    except StopIteration:
        raise ValueError("never opens: no such day ever comes; correct day and month") from None
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a time zone; write one like Europe/Berlin, or UTC") from None
    return name


Cron = Annotated[str, AfterValidator(_cron)]
Zone = Annotated[str, AfterValidator(_zone)]
