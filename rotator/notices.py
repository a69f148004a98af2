"""Who is still to hear of a rotation that is done: which hook, when, and what it is told. Pure.

The write that records a rotation also notes its hooks, so that whoever looks next, another process
or this one, tells them: at least once each. A try is booked before it is made, for as long as it
may take. Thus no two processes tell one hook at a time, and a try that ends its process counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rotator.journal import Notice
from rotator.model import Notify, Reason
from rotator.views import Due

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from rotator.journal import Journal, Record
    from rotator.model import Policy, Snapshot

#: A fact as JSON has it.
Fact = str | tuple[str, ...] | None
#: A rotation and a hook.
NoticeId = tuple[str, str]


@dataclass(frozen=True, slots=True)
class News:
    """What a hook is told: that something happened, and facts, none of them a secret.

    ``id`` is the same however often it is told.
    """

    id: str
    type: str
    policy: str
    #: What it is about: the id of the new key.
    subject: str
    at: datetime
    facts: Mapping[str, Fact] = field(default_factory=dict)


def notification_is_due(s: Snapshot) -> Notify | None:
    """Hooks are to hear of a rotation that is done. Relies on nothing.

    One that this configuration does not have is left to those that have it, as long as there may be
    any.
    """
    due = tuple(notice for notice in s.journal.notices if _is_due(s, notice))
    if not due:
        return None
    names = ", ".join(sorted({notice.hook for notice in due}))
    return Notify(Reason("notification_is_due", f"to be told of a rotation: {names}"), due)


def upcoming(s: Snapshot) -> Iterator[Due]:
    """When hooks are to be told that need not be told now."""
    for notice in s.journal.notices:
        if notice.hook in s.policy.hooks and not _is_due(s, notice):
            text = f"hook {notice.hook} is told of a rotation again then"
            yield Due(notice.at, Reason("notification_is_due", text))


def behind(s: Snapshot) -> tuple[Notice, ...]:
    """The hooks of this policy that could not be told yet."""
    found = s.journal.notices
    return tuple(one for one in found if one.failures and one.hook in s.policy.hooks)


def all_told(s: Snapshot) -> Snapshot:
    """``s`` as if every hook had heard: what there is to do with the key itself."""
    return replace(s, journal=s.journal.model_copy(update={"notices": ()}))


def news_of(policy: Policy, notice: Notice, record: Record) -> News:
    """What the hook of ``notice`` is told of ``record``."""
    return News(
        id=f"{notice.rotation}:{notice.hook}",
        type=f"rotator.rotation.{record.outcome}",
        policy=policy.name,
        subject=record.key_id,
        at=record.finished_at,
        facts={
            "rotation_id": record.rotation,
            "reason": record.reason,
            "strategy": record.strategy,
            "key_id": record.key_id,
            "redacted_key": record.redacted,
            "expires_at": _written(record.expires_at),
            "old_key_id": record.old_key_id,
            "old_redacted_key": record.old_redacted,
            "old_valid_until": _written(record.old_valid_until),
            "targets": tuple(str(target) for target in policy.targets),
        },
    )


def record_of(journal: Journal, notice: Notice) -> Record | None:
    """What is known of the rotation; None when there were so many since that it is forgotten."""
    return next((one for one in journal.history if one.rotation == notice.rotation), None)


# --- what is written into the journal ---


def noted(s: Snapshot, rotation_id: str) -> tuple[Notice, ...]:
    """All that are to be told, with those of a rotation that is done now."""
    until = s.now + s.limits.notify_for
    new = (
        Notice(rotation=rotation_id, hook=hook, at=s.now, until=until) for hook in s.policy.hooks
    )
    return (*s.journal.notices, *new)


def booked(s: Snapshot, notices: tuple[Notice, ...], until: datetime) -> Journal:
    """``notices`` are being told, by us, until then."""
    changes = {
        id_of(notice): notice.model_copy(update={"at": until, "failures": notice.failures + 1})
        for notice in notices
    }
    return _changed(s, changes)


def settled(s: Snapshot, again: Mapping[NoticeId, datetime | None]) -> Journal:
    """What became of notices that were booked: when to try again, None for those done with."""
    return _changed(
        s,
        {
            id_of(notice): notice.model_copy(update={"at": at}) if at else None
            for notice in s.journal.notices
            if id_of(notice) in again
            for at in [again[id_of(notice)]]
        },
    )


def id_of(notice: Notice) -> NoticeId:
    """What tells a notice from others."""
    return notice.rotation, notice.hook


def _is_due(s: Snapshot, notice: Notice) -> bool:
    """One that nobody has tried is due at once, by whosever clock it was noted."""
    if notice.hook not in s.policy.hooks:
        return max(notice.at, notice.until) <= s.now
    return notice.at <= s.now or not notice.failures


def _changed(s: Snapshot, changes: Mapping[NoticeId, Notice | None]) -> Journal:
    found = (changes.get(id_of(notice), notice) for notice in s.journal.notices)
    return s.journal.changed(s.now, notices=tuple(one for one in found if one is not None))


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
