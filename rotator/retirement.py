"""When an old key goes, and who still uses it. Pure.

``last_used_at`` is the provider's word, and approximate: it can delay an end, by a bounded time,
and never bring one forward.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from rotator.model import Reason, Retire, RetireWhen
from rotator.views import Due, in_use

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.journal import Retiring
    from rotator.keys import Key
    from rotator.model import Snapshot, Step

#: ``when_idle`` waits no longer than this after the grace period, whoever still uses the key.
_LONGEST = timedelta(days=7)
#: An old key that was used in the second half of its grace is looked at in the last quarter.
_HALF, _QUARTER = 2, 4


class Lingering(NamedTuple):
    """An old key that somebody still uses: when last, and when it ends."""

    entry: Retiring
    key: Key
    used_at: datetime
    until: datetime


def retirement_is_due(s: Snapshot) -> Step | None:
    """The grace of an old key is over. Relies on nothing: a key in use is never retired.

    No window is waited for: consumers were promised a grace, and a key that nobody needs is a risk.
    """
    for entry in s.journal.retiring:
        if retires_at(s, entry) > s.now or in_use(s, entry) or s.policy.suspend:
            continue
        text = f"the grace period of {entry.redacted} is over"
        return Retire(Reason("retirement_is_due", text), entry)
    return None


def moments(s: Snapshot) -> list[Due]:
    """When something is to be done or looked at about the old keys."""
    found = []
    for entry in s.journal.retiring:
        if in_use(s, entry):
            continue
        text = f"{entry.redacted} is to be revoked then"
        found.append(Due(retires_at(s, entry), Reason("retirement_is_due", text)))
        late = _late(s, entry)
        if late is not None and late > s.now:
            text = f"whether {entry.redacted} is still used is to be seen then"
            found.append(Due(late, Reason("old_key_is_watched", text)))
    return found


def retires_at(s: Snapshot, entry: Retiring) -> datetime:
    """When ``entry`` is revoked, as things stand.

    With ``when_idle``, a key that consumers had goes when nobody has used it for as long as the
    grace period, and a week after that at the latest.
    """
    ends, key = _grace_end(s, entry), _listed(s, entry)
    if s.policy.retire is not RetireWhen.WHEN_IDLE or ends is None or key is None:
        return entry.at
    if key.last_used_at is None or not key.usable(s.now):
        return entry.at
    return max(entry.at, min(key.last_used_at + s.policy.grace, ends + _LONGEST))


def lingering(s: Snapshot) -> tuple[Lingering, ...]:
    """The old keys that somebody uses late in their grace, and will miss."""
    found = []
    for entry in s.journal.retiring:
        late, ends, key = _late(s, entry), _grace_end(s, entry), _listed(s, entry)
        if late is None or ends is None or key is None or late > s.now or not key.usable(s.now):
            continue
        if key.last_used_at is not None and key.last_used_at >= ends - s.policy.grace / _HALF:
            until = retires_at(s, entry)
            until = min(until, key.expires_at) if key.expires_at else until
            found.append(Lingering(entry, key, key.last_used_at, until))
    return tuple(found)


def had_by_nobody(s: Snapshot, entry: Retiring) -> bool:
    """Whether ``entry`` is an orphan: no rotation has ever replaced it, so no consumer had it."""
    return all(one.old_key_id != entry.key_id for one in s.journal.history)


def _late(s: Snapshot, entry: Retiring) -> datetime | None:
    ends = _grace_end(s, entry)
    return None if ends is None else ends - s.policy.grace / _QUARTER


def _grace_end(s: Snapshot, entry: Retiring) -> datetime | None:
    """When the grace of ``entry`` ends or ended; None of a key that no consumer ever had."""
    replaced = (one for one in s.journal.history if one.old_key_id == entry.key_id)
    return next((one.old_valid_until for one in replaced), None)


def _listed(s: Snapshot, entry: Retiring) -> Key | None:
    return next((key for key in s.keys if key.id == entry.key_id), None)
