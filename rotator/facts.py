"""The fields of events: what a snapshot says, in the words of the catalogue. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from rotator.events import Level
from rotator.views import current_keys

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from rotator.errors import RotatorError
    from rotator.journal import Journal
    from rotator.keys import Key
    from rotator.model import Reason, Snapshot

_HALF, _TENTH = 0.5, 0.1


def of_key(key: Key) -> dict[str, object]:
    """Which key an event is about."""
    return {"key_id": key.id, "redacted_key": key.redacted, "expires_at": key.expires_at}


def of_current(s: Snapshot) -> dict[str, object]:
    """The key that a policy is about; empty when there is none, or more than one."""
    found = current_keys(s)
    return of_key(found[0]) if len(found) == 1 else {}


def of_rotation(s: Snapshot, reason: Reason | None = None) -> dict[str, object]:
    """Which rotation of which policy; empty rotation fields when none is in flight."""
    fields: dict[str, object] = {"policy": s.policy.name}
    if reason is not None:
        fields["reason"] = reason.code
    return fields | of_journal(s.journal)


def of_journal(journal: Journal) -> dict[str, object]:
    """The rotation in flight."""
    rotation = journal.rotation
    if rotation is None:
        return {}
    return {
        "reason": rotation.reason,
        "rotation_id": rotation.id,
        "strategy": rotation.last_mint.strategy,
        "old_key_id": rotation.key_id,
        "old_redacted_key": rotation.redacted,
    }


def of_error(error: RotatorError) -> dict[str, object]:
    """What went wrong and what to do."""
    return {"error": error.message, "error_code": error.code, "remedy": error.remedy}


def of_grace(deadline: datetime | None, now: datetime) -> dict[str, object]:
    """When the old key stops working, and how long that is from ``now``."""
    left = None if deadline is None else round((deadline - now).total_seconds(), 3)
    return {"grace_deadline": deadline, "grace_seconds_left": left}


def alarm(least: Level, left: timedelta | None, whole: timedelta) -> Level:
    """The level of a failed look: ``least`` at least, and rising as the key's end comes near."""
    return max(least, urgency(left, whole), key=get_args(Level).index)


def urgency(left: timedelta | None, whole: timedelta) -> Level:
    """A level that rises as ``left`` of the ``whole`` runs out."""
    if left is None or not whole:
        return "warning"
    part = left / whole
    if part < _TENTH:
        return "critical"
    return "error" if part < _HALF else "warning"
