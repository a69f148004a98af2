"""How long to wait before trying again. Pure: the jitter is passed in.

Two situations, two answers. Nothing minted yet: be polite, exponentially. A minted key not yet
delivered: be urgent, and more so as the grace runs out.
"""

from __future__ import annotations

from datetime import timedelta

_FIRST = timedelta(seconds=1)
_LONGEST = timedelta(minutes=5)
_URGENT_FIRST = timedelta(milliseconds=200)
_URGENT_LONGEST = timedelta(seconds=10)
#: Of the time left, one urgent delay may use this part, so that many tries always remain.
_URGENT_SHARE = 20


def polite(attempt: int, *, jitter: float, asked: timedelta | None = None) -> timedelta:
    """The delay after failed try number ``attempt`` (from 1), before anything was minted.

    Args:
        attempt: How many tries failed in a row.
        jitter: In [0, 1): spreads replicas over the upper half of the delay.
        asked: What the service asked for (``Retry-After``); it is never undercut, and a service
            that asks for a day is asked again after an hour.
    """
    delay = min(_FIRST * (1 << min(attempt - 1, 16)), _LONGEST)
    delay = delay * (0.5 + jitter / 2)
    return max(delay, min(asked, timedelta(hours=1))) if asked else delay


def urgent(attempt: int, *, left: timedelta | None, jitter: float) -> timedelta:
    """The delay after failed delivery number ``attempt`` (from 1).

    Args:
        attempt: How many deliveries of this key failed.
        left: How long the old key still works; None when it has no end. Past the end, deliveries
            go on at the shortest delay: consumers are without access until one succeeds.
        jitter: In [0, 1), as for :func:`polite`.
    """
    delay = min(_URGENT_FIRST * (1 << min(attempt - 1, 8)), _URGENT_LONGEST)
    if left is not None:
        delay = max(min(delay, left / _URGENT_SHARE), _URGENT_FIRST)
    return delay * (0.5 + jitter / 2)
