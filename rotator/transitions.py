"""What each act writes into the journal: from a snapshot to the next document. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rotator.drift import doubted
from rotator.journal import Current, Lease, Mint, Record, Retiring, Rotation
from rotator.keys import Key
from rotator.notices import noted
from rotator.origin import ends_with_its_grace, fresh_keys
from rotator.secrets import Redacted
from rotator.strategy import as_used
from rotator.views import in_use

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rotator.errors import RotatorError
    from rotator.journal import Journal, Outcome
    from rotator.model import Plan, Reason, Snapshot
    from rotator.secrets import Secret


def locked(s: Snapshot) -> Journal:
    """We hold the lease, from now."""
    return s.journal.changed(s.now, lease=_lease(s))


def unlocked(s: Snapshot) -> Journal:
    """Nobody holds the lease."""
    return s.journal.changed(s.now, lease=None)


def begun(s: Snapshot, reason: Reason, plan: Plan, rotation_id: str) -> Journal:
    """Lease and intent in one write: from here on a crash is visible.

    ``rotation_id`` names a new rotation; one in flight keeps its own.
    """
    mint = Mint(
        owner=s.me,
        at=s.now,
        strategy=plan.strategy,
        source_id=plan.source.id,
        expires_at=plan.expires_at,
        lifetime=plan.lifetime,
        grace=plan.grace if plan.strategy == "refresh" else None,
    )
    before = s.journal.rotation
    mints = (*before.mints, mint) if before else (mint,)
    rotation = before or _rotation(s, reason, plan.source, rotation_id, mints)
    deadline = rotation.grace_deadline
    if plan.strategy == "refresh" and deadline is None:
        deadline = s.now + plan.grace
    rotation = rotation.model_copy(update={"mints": mints, "grace_deadline": deadline})
    return s.journal.changed(s.now, lease=_lease(s), rotation=rotation)


def unminted(s: Snapshot) -> Journal:
    """The provider refused the last mint: it never was. A rotation without any never was either."""
    rotation = s.journal.rotation
    if rotation is not None:
        mints = rotation.mints[:-1]
        refreshed = any(mint.strategy == "refresh" for mint in mints)
        deadline = rotation.grace_deadline if refreshed else None
        rotation = rotation.model_copy(update={"mints": mints, "grace_deadline": deadline})
    return s.journal.changed(
        s.now, lease=None, rotation=rotation if rotation and rotation.mints else None
    )


def declined(s: Snapshot, error: RotatorError) -> Journal:
    """As :func:`unminted`, for good: unless an earlier mint goes on, the rotation has failed."""
    after = unminted(s)
    if after.rotation is not None:
        return after
    record, before = _failure(s, None, error), s.journal.history
    if before and _is_that_again(before[0], record):
        first, before = before[0], before[1:]
        record = replace(record, tries=first.tries + 1, started_at=first.started_at)
    return after.changed(s.now, history=(record, *before))


def refused(s: Snapshot, key: Key | None, error: RotatorError) -> Journal:
    """We did not want the key we got: it is to be revoked, and the rotation has failed.

    So is what it lost before, such as a key whose refusal could not be written down: after a grace,
    for whoever minted it may be at it yet. Unless that came of a refresh: the end of the old key's
    grace is set by then, and must not be forgotten.
    """
    rotation, later = _in_flight(s), s.now + s.policy.grace
    leaving = [_leaving(rotation, key, s.now)] if key else []
    if fresh_keys(s) and rotation.grace_deadline is not None:
        return s.journal.changed(s.now, lease=None, retiring=_merged(s, leaving))
    leaving += [_leaving(rotation, one, later) for one in _orphans(s, rotation, key)]
    retiring = _merged(s, leaving)
    record = _failure(s, key or _as_it_was(rotation), error)
    return s.journal.changed(
        s.now,
        lease=None,
        rotation=None,
        retiring=retiring,
        # Of a key without an id nobody can tell which one it is, before a listing shows it.
        doubted=_doubted(s, rotation) if key else (rotation, *doubted(s)),
        history=(record, *s.journal.history),
    )


def failed(s: Snapshot, error: RotatorError) -> Journal:
    """The rotation in flight is over. What it asked for may come true all the same."""
    return s.journal.changed(
        s.now,
        lease=None,
        rotation=None,
        doubted=(_in_flight(s), *doubted(s)),
        history=(_failure(s, None, error), *s.journal.history),
    )


def abandoned(s: Snapshot, rotation: Rotation, key: Key) -> Journal:
    """``key``, of a ``rotation`` that another process carried on, is to be revoked.

    Unless it is the one that they found delivered, and recorded.
    """
    if s.journal.current is not None and s.journal.current.key_id == key.id:
        return s.journal
    return s.journal.changed(s.now, retiring=_merged(s, [_leaving(rotation, key, s.now)]))


def completed(s: Snapshot, key: Key, secret: Secret, danger_seconds: float | None) -> Journal:
    """The delivered key works: it is the current one now, the others of the rotation leave.

    Should somebody have given this one up before, it stays all the same.
    """
    rotation = _in_flight(s)
    mint = rotation.last_mint
    ends = _old_ends(s, rotation, mint)
    outcome: Outcome = "repaired" if len(rotation.mints) > 1 else "completed"
    record = _record(s, key, outcome, ends, danger_seconds)
    leaving = [
        _leaving(rotation, orphan, _orphan_ends(s, rotation, orphan))
        for orphan in _orphans(s, rotation, key)
    ]
    if rotation.key_id != key.id:
        leaving.append(_leaving(rotation, _as_it_was(rotation), ends))
    return s.journal.changed(
        s.now,
        selector=rotation.selector,
        current=Current(
            key_id=key.id,
            name=key.name,
            redacted=str(key.redacted),
            fingerprint=secret.fingerprint,
            since=s.now,
            expires_at=key.expires_at,
            lifetime=mint.lifetime,
            type=key.type,
            description=key.description,
            created_by=key.created_by,
        ),
        lease=None,
        rotation=None,
        retiring=tuple(
            _with_grace(s, rotation, one) for one in _merged(s, leaving) if one.key_id != key.id
        ),
        doubted=_doubted(s, rotation),
        notices=noted(s, rotation.id),
        history=(record, *s.journal.history),
    )


def condemned(s: Snapshot, entry: Retiring) -> Journal:
    """``entry`` is to be revoked."""
    return s.journal.changed(s.now, retiring=(*s.journal.retiring, entry))


def retired(s: Snapshot, entry: Retiring) -> Journal:
    """``entry`` is revoked."""
    rest = tuple(other for other in s.journal.retiring if other.key_id != entry.key_id)
    return s.journal.changed(s.now, retiring=rest)


def postponed(s: Snapshot, entry: Retiring, until: datetime) -> Journal:
    """``entry`` could not be revoked; it is tried again at ``until``."""
    later = entry.model_copy(update={"at": until, "failures": entry.failures + 1})
    rest = tuple(other for other in s.journal.retiring if other.key_id != entry.key_id)
    return s.journal.changed(s.now, retiring=(*rest, later))


def _lease(s: Snapshot) -> Lease:
    """Renewing keeps ``taken_at``: how long we have been at it matters to :mod:`decide`."""
    held = s.journal.lease
    ours = held is not None and held.owner == s.me and held.until > s.now
    taken_at = held.taken_at if held is not None and ours else s.now
    return Lease(owner=s.me, taken_at=taken_at, until=s.now + s.limits.lease)


def _rotation(
    s: Snapshot, reason: Reason, key: Key, rotation_id: str, mints: tuple[Mint, ...]
) -> Rotation:
    before = next(iter(s.stored), None)
    return Rotation(
        id=rotation_id,
        reason=reason.code,
        started_at=s.now,
        selector=str(s.policy.selector),
        key_id=key.id,
        key_name=key.name,
        key_type=key.type,
        redacted=str(key.redacted),
        fingerprint=before.fingerprint if before else None,
        expires_at=as_used(s, key).expires_at,
        siblings=tuple(sorted(other.id for other in s.keys if other.id != key.id)),
        held=tuple(entry.key_id for entry in s.journal.retiring if in_use(s, entry)),
        mints=mints,
    )


def _in_flight(s: Snapshot) -> Rotation:
    if s.journal.rotation is None:
        raise AssertionError("no rotation in flight")
    return s.journal.rotation


def _old_ends(s: Snapshot, rotation: Rotation, mint: Mint) -> datetime:
    """When the old key stops: by the provider's clock after a refresh, by our hand otherwise."""
    old = next((key for key in s.keys if key.id == rotation.key_id), None)
    untouched = old is not None and str(old.redacted) == rotation.redacted
    deadline = rotation.grace_deadline
    if deadline is None or (mint.strategy == "reissue" and untouched):
        deadline = s.now + s.policy.grace
    expiries = (rotation.expires_at, old.expires_at if old else None)
    return min([deadline, *(expiry for expiry in expiries if expiry is not None)])


def _with_grace(s: Snapshot, rotation: Rotation, entry: Retiring) -> Retiring:
    """``entry``, which consumers may have read until now, if it was to leave already, and held."""
    if entry.key_id not in rotation.held:
        return entry
    return entry.model_copy(update={"at": max(entry.at, s.now + s.policy.grace)})


def _orphans(s: Snapshot, rotation: Rotation, key: Key | None) -> list[Key]:
    """What ``rotation`` has minted besides ``key``: no more than one for each other mint.

    A person may refresh the old key just before we do, by hand, and dates tell the two apart badly.
    """
    apart = {rotation.key_id, key.id if key else None}
    found = [one for one in fresh_keys(s) if one.id not in apart]
    return found[: len(rotation.mints) - 1]


def _orphan_ends(s: Snapshot, rotation: Rotation, orphan: Key) -> datetime:
    """At once, for nobody has it. One that was refreshed may have been delivered before that."""
    if orphan.expires_at is None or not ends_with_its_grace(s, rotation, orphan):
        return s.now
    return orphan.expires_at


def _as_it_was(rotation: Rotation) -> Key:
    redacted = Redacted.parse(rotation.redacted)
    return Key(rotation.key_id, redacted=redacted, expires_at=rotation.expires_at)


def _leaving(rotation: Rotation, key: Key, at: datetime) -> Retiring:
    return Retiring(key_id=key.id, redacted=str(key.redacted), at=at, rotation=rotation.id)


def _merged(s: Snapshot, leaving: Iterable[Retiring]) -> tuple[Retiring, ...]:
    """One entry a key; what was already known of a key stays (it may be late already)."""
    known = {entry.key_id: entry for entry in (*leaving, *s.journal.retiring)}
    return tuple(known.values())


def _doubted(s: Snapshot, rotation: Rotation) -> tuple[Rotation, ...]:
    """Rotations of which a mint may still come true, the latest first."""
    return (rotation, *doubted(s)) if len(rotation.mints) > 1 else doubted(s)


def _is_that_again(last: Record, record: Record) -> bool:
    """Whether nothing has happened between two refusals: one that is retried is one failure."""
    same = (last.reason, last.old_key_id) == (record.reason, record.old_key_id)
    return same and not last.key_id


def _failure(s: Snapshot, key: Key | None, error: RotatorError) -> Record:
    return replace(_record(s, key, "failed"), error=error.message)


def _record(
    s: Snapshot,
    key: Key | None,
    outcome: Outcome,
    ends: datetime | None = None,
    danger_seconds: float | None = None,
) -> Record:
    """What is told of the rotation in flight; ``key`` None where no key came of it."""
    rotation = _in_flight(s)
    return Record(
        rotation=rotation.id,
        reason=rotation.reason,
        strategy=rotation.last_mint.strategy,
        outcome=outcome,
        started_at=rotation.started_at,
        finished_at=s.now,
        old_key_id=rotation.key_id,
        old_redacted=rotation.redacted,
        old_fingerprint=rotation.fingerprint,
        key_id=key.id if key else "",
        redacted=str(key.redacted) if key else "",
        expires_at=key.expires_at if key else None,
        old_valid_until=ends,
        danger_seconds=danger_seconds,
    )
