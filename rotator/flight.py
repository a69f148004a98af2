"""A rotation in flight: somebody, perhaps a process that is gone, wrote an intent. Pure.

Checks as in :mod:`rotator.decide`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator import words
from rotator.drift import PAUSE, doubted
from rotator.journal import FUTURE
from rotator.model import Deliver, Destroy, Fail, Lock, Promote, Reason, Refuse, Restore, Wait
from rotator.origin import delivered_key, fresh_keys, spooled_key
from rotator.retirement import retirement_is_due
from rotator.secrets import Redacted
from rotator.strategy import choose, choose_repair, minting
from rotator.views import just_delivered, lacking, not_found, revoked_key

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.journal import Rotation
    from rotator.keys import Key
    from rotator.model import Snapshot, Step


def old_key_ends(s: Snapshot) -> datetime | None:
    """When consumers that still use the old key lose access; None when nothing ends it."""
    rotation = s.journal.rotation
    if rotation is None:
        return None
    ends = (rotation.grace_deadline, rotation.expires_at, _former_ends(s, rotation))
    return min((end for end in ends if end is not None), default=None)


def _former_ends(s: Snapshot, rotation: Rotation) -> datetime | None:
    """About when the secret ends that a late refresh of ours had replaced already.

    The store still holds it, and what is listed under its id is what nobody has. Where ids are kept
    nothing tells when that was: not long before ``rotation`` began, which repairs it.
    """
    mints = [mint for other in doubted(s) for mint in other.mints]
    graces = [one.grace for one in mints if one.source_id == rotation.key_id and one.grace]
    listed = Redacted.parse(rotation.redacted)
    if not graces or any(listed.matches(value) for value in s.stored):
        return None
    return rotation.started_at + min(graces)


def spooled_key_is_spent(s: Snapshot) -> Step | None:
    """A key on this machine's disk whose rotation is over: nobody waits for it any more.

    Relies on nothing, but that the disk was looked at before the journal: an intent is older than
    its key.
    """
    rotation = s.journal.rotation
    for entry in s.spooled:
        if rotation is None or entry.rotation != rotation.id:
            text = f"rotation {entry.rotation} is over, and its key still lay on this disk"
            return Destroy(Reason("spooled_key_is_spent", text), entry)
    return None


def delivery_is_incomplete(s: Snapshot) -> Step | None:
    """Some targets have the new key and some do not: copy it.

    Relies on a rotation in flight, or on one that was just ended by rules without such a target.
    """
    found = delivered_key(s) or just_delivered(s)
    if found is None:
        return None
    key, secret = found
    missing = [str(held.target) for held in lacking(s, secret)]
    if not missing:
        return None
    text = f"{key.redacted} is in the store, but not yet at {', '.join(missing)}"
    return Deliver(Reason("delivery_is_incomplete", text), key, secret)


def delivery_is_unrecorded(s: Snapshot) -> Step | None:
    """All targets have the new key: use it, then write it down. Relies on a rotation in flight."""
    found = delivered_key(s)
    if found is None:
        return None
    key, secret = found
    text = f"{key.redacted} is in the store and waits to be proved and recorded"
    return Promote(Reason("delivery_is_unrecorded", text), key, secret)


def spooled_key_found(s: Snapshot) -> Step | None:
    """The new key is in no target, but sealed on this disk. Relies on a rotation in flight.

    As with a delivered key, that we have it is proof enough that we minted it.
    """
    found = spooled_key(s)
    if found is None:
        return None
    key, secret, entry = found
    text = f"{key.redacted} was minted for rotation {entry.rotation} and lies sealed on this disk"
    return Restore(Reason("spooled_key_found", text), key, secret, entry)


def too_many_mints(s: Snapshot) -> Step | None:
    """A rotation that keeps losing its keys must not go on for ever.

    Nor may the key that consumers have die of waiting: half of the life that was left is the
    longest pause.
    """
    rotation = s.journal.rotation
    if rotation is None or len(rotation.mints) < s.limits.mints:
        return None
    last, pause = rotation.last_mint.at, s.policy.min_interval
    deadline = min((end for end in _ends(s, rotation) if end > last), default=None)
    if deadline is not None:
        pause = min(pause, max((deadline - last) / 2, s.limits.retry_budget))
    until = last + pause
    if until <= s.now:
        return None
    text = f"{len(rotation.mints)} keys were minted in rotation {rotation.id} and none arrived"
    return Refuse(
        Reason("too_many_mints", text),
        remedy="look at the errors of the store and the provider; tried again on its own at"
        f" {words.moment(until)}",
        until=until,
    )


def raw_key_was_lost(s: Snapshot) -> Step | None:
    """The provider shows a key that the intent explains, and no target has it.

    Relies on delivered keys having been seen before.
    """
    rotation = s.journal.rotation
    fresh = fresh_keys(s)
    if rotation is None or not fresh:
        return None
    lost = fresh[0]
    text = f"{lost.redacted} was minted for rotation {rotation.id} and never reached the store"
    reason = Reason("raw_key_was_lost", text)
    patience = _owner_may_live(s, rotation, reason)
    if patience is not None:
        return patience
    old = next((key for key in s.keys if key.id == rotation.key_id), lost)
    return minting(reason, choose_repair(s, old, lost, rotation.last_mint))


def old_key_is_gone(s: Snapshot) -> Step | None:
    """Nothing is left to be replaced, and no new key came, be it of a process that was stopped.

    Relies on a listing that must show what there is. A person who names another key is not kept
    waiting for it.
    """
    rotation = s.journal.rotation
    if rotation is None or fresh_keys(s) or _old_key(s, rotation) is not None:
        return None
    named, last = rotation.selector != str(s.policy.selector), rotation.last_mint
    if s.now < last.at + (s.limits.settle if named else PAUSE):
        return None
    text = f"{rotation.redacted} is gone, and rotation {rotation.id} has brought no other key"
    return Fail(Reason("old_key_is_gone", text))


def mint_left_no_trace(s: Snapshot) -> Step | None:
    """An intent, and no key that it would explain: once a listing must show it, it never was."""
    rotation = s.journal.rotation
    if rotation is None or fresh_keys(s):
        return None
    settled = rotation.last_mint.at + s.limits.settle
    if s.now < settled <= s.now + s.limits.settle + FUTURE:
        text = "the last mint was not answered; a listing will show whether it happened"
        return Wait(Reason("mint_is_settling", text), settled, soon=True)
    text = f"rotation {rotation.id} was begun, and no new key came of it"
    old = _old_key(s, rotation)
    if old is not None:
        return minting(Reason("mint_left_no_trace", text), choose(s, old))
    return retirement_is_due(s) or not_found(s, rotation.key_id)


def _old_key(s: Snapshot, rotation: Rotation) -> Key | None:
    """What ``rotation`` is to replace, also as it was before somebody revoked it; None: unknown."""
    revoked = revoked_key(s)
    known = (*s.keys, *([revoked] if revoked else ()))
    return next((key for key in known if key.id == rotation.key_id), None)


def _owner_may_live(s: Snapshot, rotation: Rotation, reason: Reason) -> Step | None:
    """Give another minter, should it live, its last chance to deliver before its key is replaced.

    Skipped when the old key would not outlast the wait.
    """
    last, lease = rotation.last_mint, s.journal.lease
    if last.owner == s.me:
        return None
    deadline = _access_ends(s, rotation)
    if deadline is not None and deadline - s.now < 2 * s.limits.handover:
        return None
    if lease is None or lease.owner != s.me or lease.until <= s.now:
        return Lock(reason)
    until = lease.taken_at + s.limits.handover
    return Wait(reason, until, soon=True) if until > s.now else None


def _access_ends(s: Snapshot, rotation: Rotation) -> datetime | None:
    """When consumers lose access if no key arrives; None when nothing takes it."""
    return min(_ends(s, rotation), default=None)


def _ends(s: Snapshot, rotation: Rotation) -> list[datetime]:
    """When those keys end that consumers may use: the old one, and what a target holds.

    That may be another: somebody has put back a former key, whose grace goes on. Or the rotation
    had delivered it, and a mint that came late has replaced it under its id: some time since.
    """
    used = [key for key in s.keys if any(key.redacted.matches(value) for value in s.stored)]
    ends = [old_key_ends(s), *(key.expires_at for key in used)]
    others = (value for value in s.stored if value.fingerprint != rotation.fingerprint)
    if any(not any(key.redacted.matches(value) for key in used) for value in others):
        ends.append(rotation.last_mint.at + s.policy.grace)
    return [end for end in ends if end is not None]
