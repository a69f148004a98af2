"""How a policy stands, in the words of ``rotator status``: one row, and how urgent it is. Pure.

What is to come is :mod:`rotator.outlook`'s word, with reasons by code and text, so that a new check
needs nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator import words
from rotator.drift import verdict
from rotator.flight import old_key_ends
from rotator.notices import behind
from rotator.outlook import NONE_BARRED, Outlook, outlook, rotation_ahead, unseen
from rotator.retirement import lingering, retires_at
from rotator.suspension import overdue_since
from rotator.views import born_at, current_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from rotator.errors import RotatorError
    from rotator.journal import Journal, Lease, Outcome, Record, Strategy
    from rotator.model import Reason, Refuse, Snapshot


class State(StrEnum):
    """What a policy needs, the most urgent first."""

    #: It could not be looked at.
    FAILED = "failed"
    #: A person: it does not go on by itself, now or when it is due.
    PERSON = "person"
    #: Nothing yet: it is tried again by itself. Still, something went wrong.
    WARNING = "warning"
    #: Nothing, for somebody wants it so; perhaps in the way of a rotation.
    SUSPENDED = "suspended"
    #: Nothing: somebody is at it.
    BUSY = "busy"
    #: Somebody who runs ``rotator run``: there is something to do now.
    DUE = "due"
    WELL = "well"


@dataclass(frozen=True, slots=True)
class OldKey:
    """A replaced key that still works. ``until`` None: nothing ends it yet."""

    redacted_key: str
    until: datetime | None
    #: How often revoking it has failed.
    failures: int = 0


@dataclass(frozen=True, slots=True)
class InFlight:
    """A rotation that somebody began. ``tries`` counts its mints."""

    rotation_id: str
    reason: str
    started_at: datetime
    old_redacted_key: str
    strategy: Strategy
    tries: int


@dataclass(frozen=True, slots=True)
class Past:
    """A rotation that is over, as the journal tells it."""

    rotation_id: str
    reason: str
    strategy: Strategy
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    duration_seconds: float
    old_redacted_key: str
    redacted_key: str
    expires_at: datetime | None
    old_valid_until: datetime | None
    danger_seconds: float | None
    error: str
    tries: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of ``status``. ``now`` is the moment of the look; None where nothing was seen."""

    state: State
    outlook: Outlook
    #: What happens to the key in use, once the old ones that wait for it are revoked.
    ahead: Outlook
    now: datetime | None = None
    #: Since when the key has the secret it has.
    born_at: datetime | None = None
    #: The first to end comes first.
    old_keys: tuple[OldKey, ...] = ()
    in_flight: InFlight | None = None
    last: Past | None = None
    drift: Reason | None = None
    #: What went wrong, or may, in sentences; beside what the outlook says.
    worries: tuple[str, ...] = ()
    lease_owner: str | None = None
    lease_until: datetime | None = None
    #: Since when a rotation is due that a suspension stops; None where none is.
    overdue_since: datetime | None = None

    @property
    def stopped(self) -> str:
        """That a suspension has stopped a rotation, and what ends that; else nothing."""
        if self.overdue_since is None:
            return ""
        since, name = words.moment(self.overdue_since), self.outlook.policy
        how = f"remove `suspend`, or run `rotator run --rotate {name}`"
        return f"suspended, and overdue since {since}: {how}"


def standing(s: Snapshot, barred: Mapping[str, Refuse] = NONE_BARRED) -> Standing:
    """The row of a policy that was looked at; ``barred`` as :func:`~rotator.outlook.outlook`'s."""
    row, found, lease = outlook(s, barred), current_keys(s), _lease(s)
    old_keys = tuple(
        sorted(_old_keys(s, row.redacted_key), key=lambda old: (old.until is None, old.until))
    )
    drift = verdict(s)
    worries = tuple(dict.fromkeys(_worries(s, row, drift)))
    return Standing(
        state=_state(s, row, worried=bool(worries)),
        outlook=row,
        ahead=rotation_ahead(s, barred),
        now=s.now,
        born_at=born_at(s, found[0]) if len(found) == 1 else None,
        old_keys=old_keys,
        in_flight=in_flight(s.journal),
        last=past(s.journal.history[0]) if s.journal.history else None,
        drift=drift,
        worries=worries,
        lease_owner=lease.owner if lease else None,
        lease_until=lease.until if lease else None,
        overdue_since=overdue_since(s),
    )


def not_seen(policy: str, error: RotatorError) -> Standing:
    """The row of a policy that could not be looked at."""
    row = unseen(policy, error)
    return Standing(State.FAILED, row, row)


def urgency(row: Standing) -> tuple[int, bool, float, str]:
    """Sorts rows: what needs a person is on top, then what comes first."""
    at = row.ahead.at
    when = at.timestamp() if at else 0.0
    return list(State).index(row.state), at is None, when, row.outlook.policy


def past(record: Record) -> Past:
    """A rotation of the journal's history."""
    return Past(
        rotation_id=record.rotation,
        reason=record.reason,
        strategy=record.strategy,
        outcome=record.outcome,
        started_at=record.started_at,
        finished_at=record.finished_at,
        duration_seconds=(record.finished_at - record.started_at).total_seconds(),
        old_redacted_key=record.old_redacted,
        redacted_key=record.redacted,
        expires_at=record.expires_at,
        old_valid_until=record.old_valid_until,
        danger_seconds=record.danger_seconds,
        error=record.error,
        tries=record.tries,
    )


def in_flight(journal: Journal) -> InFlight | None:
    """The rotation that somebody began; None when there is none."""
    rotation = journal.rotation
    if rotation is None:
        return None
    return InFlight(
        rotation_id=rotation.id,
        reason=rotation.reason,
        started_at=rotation.started_at,
        old_redacted_key=rotation.redacted,
        strategy=rotation.last_mint.strategy,
        tries=len(rotation.mints),
    )


def _lease(s: Snapshot) -> Lease | None:
    """Whoever may mint; a lease that has run out binds nobody."""
    lease = s.journal.lease
    return lease if lease and lease.binds(s.now) else None


def _old_keys(s: Snapshot, used: str | None) -> Iterator[OldKey]:
    """What is in grace: replaced just now, to be revoked by us, or ended by the provider.

    Not ``used``, the key in use: after a rollback, that is one which is about to end.
    """
    rotation = s.journal.rotation
    leaving = [entry for entry in s.journal.retiring if entry.redacted != used]
    if rotation is not None:
        yield OldKey(rotation.redacted, old_key_ends(s))
    for entry in leaving:
        yield OldKey(entry.redacted, retires_at(s, entry), entry.failures)
    known = {used, *(entry.redacted for entry in leaving)}
    for record in s.journal.history:
        ends = record.old_valid_until
        if ends is not None and ends > s.now and record.old_redacted not in known:
            yield OldKey(record.old_redacted, ends)


def _worries(s: Snapshot, row: Outlook, drift: Reason | None) -> Iterator[str]:
    for target in row.waiting_targets:
        yield f"{target} holds no key; the next rotation puts one there"
    if drift is not None and drift.text != row.text:
        yield drift.text
    for record in s.journal.history[:1]:
        if record.outcome == "failed":
            tries = f", {record.tries} times in a row" if record.tries > 1 else ""
            yield f"the last rotation failed{tries}: {record.error}"
    for entry in s.journal.retiring:
        if entry.failures:
            yield f"{entry.redacted} could not be revoked, {entry.failures} times so far"
    for old in lingering(s):
        ago, left = (words.length(span) for span in (s.now - old.used_at, old.until - s.now))
        yield f"{old.entry.redacted} was used {ago} ago, and ends in {left}"
    for notice in behind(s):
        yield f"hook {notice.hook} could not be told, {notice.failures} times so far"


def _state(s: Snapshot, row: Outlook, *, worried: bool) -> State:
    if row.needs_a_person:
        return State.PERSON
    if worried:
        return State.WARNING
    if s.journal.rotation is not None or row.action == "locked":
        return State.BUSY
    if s.policy.suspend:
        return State.SUSPENDED
    return State.DUE if row.at is not None and row.at <= s.now else State.WELL
