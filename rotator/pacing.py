"""When what is due is begun: spread by jitter, and put off until a maintenance window opens. Pure.

Both only ever delay, and neither beyond the moment after which a key could die of it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Of the time that a delay may take, jitter uses this part at most: the rest is for trying again.
_SHARE = 0.5
_NONE = timedelta(0)


class Opening(NamedTuple):
    """One time at which a window is open."""

    opens: datetime
    closes: datetime


class Slot(NamedTuple):
    """When something is begun, and when the window opens in which it is."""

    at: datetime
    opens: datetime


class Window(Protocol):
    """A maintenance window, which opens again and again."""

    def opening(self, moment: datetime) -> Opening | None:
        """The first opening that closes after ``moment``; None when there is none any more."""
        ...


class Jitter(NamedTuple):
    """A delay of at most ``most``; ``draw``, in [0, 1), says how much of it."""

    most: timedelta
    draw: float

    @classmethod
    def of(cls, most: timedelta, *parts: object) -> Jitter:
        """Draws from ``parts``, and so the same whenever, and by whomever, it is drawn."""
        digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
        return cls(most, int.from_bytes(digest[:6]) / (1 << 48))

    def within(self, room: timedelta | None) -> timedelta:
        """The delay of something that has ``room`` for it (None: any)."""
        most = self.most if room is None else min(self.most, max(room, _NONE) * _SHARE)
        return most * self.draw


def opened(
    windows: Iterable[Window],
    due: datetime,
    now: datetime,
    *,
    deadline: datetime | None,
    jitter: Jitter,
) -> Slot | None:
    """When something is begun that is to be begun within one of ``windows``.

    Args:
        windows: Where it may be begun.
        due: When it would be without any.
        now: Openings that are over by now are no use.
        deadline: What is not begun by then is begun outside of the windows. An opening counts when
            all of it lies before, so that there is time in it to try again.
        jitter: Spreads what has waited for an opening over the first part of it.

    Returns:
        The first slot, not before ``due``; None when no opening comes in time.
    """
    ready: list[Slot] = []
    for window in windows:
        opening = window.opening(max(due, now))
        if opening is None:
            continue
        opens, closes = opening
        at = due if opens <= due else opens + jitter.within(closes - opens)
        if at <= now or deadline is None or closes <= deadline:
            ready.append(Slot(at, opens))
    return min(ready, default=None)
