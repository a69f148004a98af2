"""What a snapshot shows: the key that is meant, what is due when, and what is in use. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from rotator import words
from rotator.keys import Key, KeyStatus, KeyType
from rotator.model import Reason, Refuse
from rotator.origin import SKEW
from rotator.pacing import Jitter, opened
from rotator.secrets import Redacted
from rotator.strategy import (
    MAX_REFRESH_GRACE,
    as_used,
    expiry_margin,
    lifetime_of,
    was_replaced,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.journal import Current, Retiring
    from rotator.model import Held, Snapshot
    from rotator.secrets import Secret


class Due(NamedTuple):
    """When a key is to be replaced, and why."""

    at: datetime
    reason: Reason


def wanted_id(s: Snapshot) -> str | None:
    """The id to look for: the lineage's, else the policy's; None when it names no id."""
    current = s.journal.current
    if current is not None and s.journal.selector == str(s.policy.selector):
        return current.key_id
    return s.policy.selector.id


def current_keys(s: Snapshot) -> tuple[Key, ...]:
    """The key the policy is about now; empty or several are faults that have their own checks."""
    active = [key for key in s.keys if key.status is not KeyStatus.REVOKED]
    wanted = wanted_id(s)
    if wanted is not None:
        return tuple(key for key in active if key.id == wanted)[:1]
    leaving = {entry.key_id for entry in s.journal.retiring}
    named = tuple(
        key
        for key in active
        if key.name == s.policy.selector.name
        and key.id not in leaving
        and s.policy.selector.type in {None, key.type}
    )
    return _begun_from(s, named)


def _begun_from(s: Snapshot, named: tuple[Key, ...]) -> tuple[Key, ...]:
    """Of keys of one name the one that a rotation was begun from, which may yet come true.

    It was the only one then. What has its name since may be what that rotation minted.
    """
    begun = [one.key_id for one in s.journal.doubted if one.selector == str(s.policy.selector)]
    return next(((key,) for old in begun for key in named if key.id == old), named)


def revoked_key(s: Snapshot) -> Key | None:
    """The current key as it was, when the provider lists it no more and it has not expired.

    Not believed just after a rotation, while a listing may not show it yet.
    """
    current = s.journal.current
    if current is None or current.key_id != wanted_id(s) or current_keys(s):
        return None
    expired = current.expires_at is not None and current.expires_at <= s.now
    if expired or s.now < current.since + s.limits.settle:
        return None
    return _recorded(current, KeyStatus.REVOKED)


def with_recorded(keys: Iterable[Key], current: Current) -> tuple[Key, ...]:
    """``keys``, listed before a rotation delivered ``current``, with that as the journal has it."""
    others = (key for key in keys if key.id != current.key_id)
    return (*others, _recorded(current, KeyStatus.ACTIVE))


def _recorded(current: Current, status: KeyStatus) -> Key:
    return Key(
        id=current.key_id,
        name=current.name,
        redacted=Redacted.parse(current.redacted),
        description=current.description,
        type=current.type or KeyType.UNKNOWN,
        status=status,
        expires_at=current.expires_at,
        created_by=current.created_by,
    )


def clock_refusal(s: Snapshot) -> Refuse | None:
    """Our clock or the provider's is wrong by hours, so that no moment means anything."""
    if s.astray is None:
        return None
    off = words.length(abs(s.astray))
    way = "behind" if s.astray > timedelta(0) else "ahead of"
    text = f"this machine's clock is {off} {way} the provider's, too far to be followed"
    remedy = "set the clock (NTP); if it is right, see what stands between us and the provider"
    return Refuse(Reason("clock_is_astray", text), remedy)


def not_found(s: Snapshot, key_id: str | None) -> Refuse:
    """The key that is meant is not listed: a person must say which one it is."""
    what = f"key {key_id}" if key_id else f"key of {s.policy.selector}"
    return Refuse(
        Reason("key_not_found", f"the provider lists no active {what}"),
        remedy="it may be revoked or expired, or hidden from the management key: create a key, name"
        " it in the policy under `key`, and add `space_id` or `type: service` for a service key",
    )


def expiry_due(s: Snapshot, key: Key) -> Due | None:
    """When ``key`` is to be replaced for its expiry, and why; None when it has none."""
    key = as_used(s, key)
    if key.expires_at is None:
        return None
    margin, back = expiry_margin(s.policy, s.limits.retry_budget), s.journal.instead_of(key.id)
    if back is not None:
        # Its end was near already: half of what was left is for whoever wanted it back.
        margin = min(margin, (back.ends_at - back.at) / 2)
    life = lifetime_of(s, key)
    if life is not None and life <= margin:
        # Else its replacement, which is given as much, would be due at once, and so on for ever.
        needed = min(max(s.policy.grace, s.limits.retry_budget), life * 3 / 4)
        margin = min(margin, max(life / 2, needed))
    ends = words.moment(key.expires_at)
    text = f"expires {ends}, and is replaced {words.length(margin)} before"
    reason = Reason("key_near_expiry", text)
    if back is None and _was_replaced_elsewhere(s, key):
        reason = Reason("key_was_replaced_elsewhere", f"was refreshed elsewhere, and ends {ends}")
    at = not_before(s, key.expires_at - margin, key.expires_at)
    return _paced(s, key, Due(at, reason))


def _was_replaced_elsewhere(s: Snapshot, key: Key) -> bool:
    """Whether somebody else has refreshed ``key``: it ends with the grace of one of its name."""
    current, ends = s.journal.current, key.expires_at
    if current is None or current.key_id != key.id or ends is None:
        return False
    mints = (mint for one in s.journal.doubted for mint in one.mints)
    ours = any(mint.source_id == key.id and mint.grace is not None for mint in mints)
    others = (one.created_at for one in s.keys if one.name == key.name and one.id != key.id)
    made = (at for at in others if at is not None and at > current.since)
    replaced = any(at < ends <= at + MAX_REFRESH_GRACE + SKEW for at in made)
    # One without an end may have got it from the account's maximum, which no answer tells.
    return replaced and not ours and (was_replaced(s, key) or current.expires_at is None)


def age_due(s: Snapshot, key: Key) -> Due | None:
    """By age since the last rotation, or since the creation where there was none yet."""
    born, most = born_at(s, key), s.policy.max_age
    if most is None or born is None:
        return None
    text = f"is replaced at an age of {words.length(most)}"
    return _paced(s, key, Due(not_before(s, born + most), Reason("key_reached_max_age", text)))


def born_at(s: Snapshot, key: Key) -> datetime | None:
    """Since when ``key`` has the secret it has; None when nobody tells."""
    current = s.journal.current
    births = [key.created_at] if key.created_at else []
    if current is not None and current.key_id == key.id:
        births.append(current.since)
    return max(births, default=None)


def _paced(s: Snapshot, key: Key, due: Due) -> Due:
    """``due`` with jitter, and within a window as long as one comes before it is too late.

    Drawn from what stays the same until the rotation: a draw a look could postpone for ever.
    """
    policy, deadline, room = s.policy, None, None
    if key.expires_at is not None:
        deadline = key.expires_at - max(policy.grace, s.limits.retry_budget)
        room = deadline - due.at
    jitter = Jitter.of(policy.jitter, policy.name, key.id, key.redacted, due.at)
    at = due.at + jitter.within(room)
    if not policy.windows:
        return Due(at, due.reason)
    slot = opened(policy.windows, at, s.now, deadline=deadline, jitter=jitter)
    code, text = due.reason.code, due.reason.text
    if slot is None:
        return Due(at, Reason(code, f"{text}; no window opens in time, so outside of them"))
    if slot.at <= max(at, s.now):
        return Due(at, due.reason)
    text = f"{text}; waits for the window that opens at {words.moment(slot.opens)}"
    return Due(slot.at, Reason("window_is_closed", text))


def not_before(s: Snapshot, due: datetime, expiry: datetime | None = None) -> datetime:
    """No runaway: one automatic rotation in each ``min_interval``, whatever the world says.

    Nor does a key die of waiting for it: half of the life that was left is the longest pause. A key
    that was dead already when it was delivered is the world's word, and no reason to hurry.
    """
    last, pause = s.journal.last_completed_at, s.policy.min_interval
    if last is None:
        return due
    if expiry is not None and expiry > last:
        pause = min(pause, (expiry - last) / 2)
    return max(due, last + pause)


def lacking(s: Snapshot, secret: Secret) -> tuple[Held, ...]:
    """The targets that ``secret``, the new key or else the current one, is to be copied to.

    With a rotation in flight these are all that have something else, for that was there before.
    Without one, somebody has put it there, and only what is empty or was left out is ours to fill.
    """
    others, left = (held for held in s.held if held.value != secret), left_out(s)
    flying = s.journal.rotation is not None
    return tuple(held for held in others if flying or held.value is None or held in left)


def left_out(s: Snapshot) -> tuple[Held, ...]:
    """The targets that hold, just after a rotation, the key that it has replaced.

    Whoever ended it went by rules that did not name them yet. Later somebody has put it there.
    """
    current, last = s.journal.current, s.journal.last_done
    if current is None or current.put_back or last is None or s.journal.rotation is not None:
        return ()
    if last.key_id != current.key_id or s.now >= current.since + s.limits.settle:
        return ()
    return tuple(
        held
        for held in s.held
        if held.value is not None and held.value.fingerprint == last.old_fingerprint
    )


def just_delivered(s: Snapshot) -> tuple[Key, Secret] | None:
    """The key of the rotation that is just over, with its secret, if a target was left out."""
    current = s.journal.current
    if current is None or not left_out(s):
        return None
    secret = next((one for one in s.stored if one.fingerprint == current.fingerprint), None)
    key = next((key for key in s.keys if key.id == current.key_id), None)
    return (key, secret) if key is not None and secret is not None else None


def in_use(s: Snapshot, entry: Retiring) -> bool:
    """Whether revoking ``entry`` could take somebody's access.

    It is the key the policy is about, or a target holds it again (somebody put it back), or a
    target holds nothing at all, so that the old key may be the last one anybody has. Had the key
    been refreshed under its id, the target may hold what was there before, and it ends with it.
    """
    meant = entry.key_id in {key.id for key in current_keys(s)}
    replaced = (one for one in s.journal.history if one.old_key_id == entry.key_id)
    before = {one.old_fingerprint for one in replaced}
    again = any(value.fingerprint in before for value in s.stored)
    return meant or again or may_be_held(s, Redacted.parse(entry.redacted))


def may_be_held(s: Snapshot, shown: Redacted) -> bool:
    """Whether a target holds this key, or nothing at all."""
    return any(held.value is None or shown.matches(held.value) for held in s.held)
