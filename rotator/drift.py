"""When nothing is in flight, and the store and the provider disagree all the same. Pure.

Somebody rotated by hand, put an old version back, or a request of ours came true long after its
rotation was over. Each has its verdict. Checks as in :mod:`rotator.decide`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.journal import Retiring
from rotator.model import Deliver, OnDrift, Reason, Refuse, Retire, Wait
from rotator.origin import BEFORE, SKEW, ends_as_asked, explains, is_new, open_mints
from rotator.retirement import retirement_is_due
from rotator.strategy import as_used, choose, minting
from rotator.views import current_keys, may_be_held, not_before, revoked_key

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.journal import Mint, Rotation
    from rotator.keys import Key
    from rotator.model import Held, Snapshot, Step

#: The code of the one drift in which consumers have a working key, and keep it for a grace.
ANOTHER_KEY = "store_holds_another_key"
_UNKNOWN_KEY = "store_holds_unknown_key"
_NOTHING = "store_holds_nothing"
_REFRESHED = "key_was_refreshed_elsewhere"
_DRIFTS = frozenset({ANOTHER_KEY, _UNKNOWN_KEY, _REFRESHED, _NOTHING})
#: How long a process may be stopped in the middle of a request that it sends all the same.
PAUSE = timedelta(hours=1)
#: A key that a person made is used sooner than this.
_FORGOTTEN = timedelta(days=1)
#: How long a process may have been stopped in the middle of a mint, and wake up.
_DOUBTED = timedelta(days=2)


def doubted(s: Snapshot) -> tuple[Rotation, ...]:
    """Finished rotations of which a mint may still come true, the latest first."""
    return tuple(
        one for one in s.journal.doubted if any(s.now - mint.at < _DOUBTED for mint in one.mints)
    )


def stray_key_appeared(s: Snapshot) -> Step | None:
    """A mint that had been given up came true after its rotation was over: nobody has that key."""
    if _was_held(s):
        return None
    for rotation, key in _strays(s):
        entry = Retiring(key_id=key.id, redacted=str(key.redacted), at=s.now, rotation=rotation.id)
        if not may_be_held(s, key.redacted):
            text = f"{key.redacted} came of a request that rotation {rotation.id} had given up"
            return Retire(Reason("stray_key_appeared", text), entry)
    return None


def _was_held(s: Snapshot) -> bool:
    """Whether the last rotation found another working key in the store, whose grace is not over.

    Consumers have read it, be it a stray of ours.
    """
    last = s.journal.last_done
    if last is None or last.reason != ANOTHER_KEY or last.old_valid_until is None:
        return False
    return s.now < last.old_valid_until


def target_is_empty(s: Snapshot) -> Step | None:
    """A target is new in the policy, or was emptied, and another has what belongs there: copy it.

    Relies on exactly one current key. Only of a key that we have delivered ourselves, and proved,
    the secret is known to be right. Where all targets are empty nobody has it any more.
    """
    key, current = current_keys(s)[0], s.journal.current
    empty = [str(held.target) for held in s.held if held.value is None]
    if not empty or current is None or current.key_id != key.id or s.journal.rotation is not None:
        return None
    for value in s.stored:
        if value.fingerprint == current.fingerprint and key.redacted.matches(value):
            text = f"{', '.join(empty)} holds no key, and another target has {key.redacted}"
            return Deliver(Reason("target_is_empty", text), key, value)
    return None


def store_has_drifted(s: Snapshot) -> Step | None:
    """The store holds another key than the provider's current one. Relies on exactly one of those.

    Our own late request may be the cause: then it is ours to repair, at once. Otherwise the policy
    says whether it is repaired or a person is told.
    """
    key = current_keys(s)[0]
    held = _drifted(s, key)
    if held is None:
        return None
    reason, lease = _drift(s, key, held), s.journal.lease
    if lease is not None and lease.binds(s.now):
        # Somebody is putting another key there by hand: not worth an alarm yet.
        return Wait(reason, lease.until, soon=True)
    if _may_be_our_doing(s, held):
        at = _not_too_often(s)
        return Wait(reason, at) if at > s.now else minting(reason, choose(s, key, keep_date=True))
    remedy = f"put the right key back, or run `rotator run --rotate {s.policy.name}`"
    return _repaired(s, reason, key, remedy)


def _may_be_our_doing(s: Snapshot, held: Held) -> bool:
    """Whether a request that a rotation had given up may have done it, and nobody else need have.

    A late mint leaves the store as it was. A late write, where check-and-set does not stop it,
    comes no later than its process wakes up; what is there after that somebody has put there.
    """
    if held.value is None:
        return False
    late, current = doubted(s), s.journal.current
    ours = current if s.journal.selector == str(s.policy.selector) else None
    left = [ours.fingerprint] if ours else [one.fingerprint for one in late]
    mints = [mint for one in late for mint in one.mints]
    return bool(late) and (
        held.value.fingerprint in left or any(s.now - mint.at < 2 * PAUSE for mint in mints)
    )


def _not_too_often(s: Snapshot) -> datetime:
    """When what our own late request did is repaired: at once, but not again and again.

    As often in each ``min_interval`` as one rotation may mint, see
    :func:`rotator.flight.too_many_mints`; what a person asked for meanwhile does not count. Two of
    them are put off: what spoils new keys may pass, and it must while the former one has its grace.
    """
    most, pause = s.limits.mints, s.policy.min_interval
    repairs = (one for one in s.journal.history if one.key_id and one.reason in _DRIFTS)
    ends = sorted(one.finished_at for one in repairs if s.now - one.finished_at < pause)
    if len(ends) >= most:
        return ends[-most] + pause
    if ends and len(ends) >= most - 2:
        return max(s.now, ends[-1] + min(pause, s.policy.grace) / 3)
    return s.now


def key_was_revoked_elsewhere(s: Snapshot) -> Step | None:
    """The key that we delivered is gone, long before its expiry, and consumers with it."""
    key = revoked_key(s)
    if key is None:
        return None
    text = f"{key.redacted}, which the last rotation delivered, was revoked elsewhere"
    reason = Reason("key_was_revoked_elsewhere", text)
    remedy = "create a key, and name it in the policy under `key`"
    return retirement_is_due(s) or _repaired(s, reason, key, remedy)


def _repaired(s: Snapshot, reason: Reason, key: Key, remedy: str) -> Step:
    """What the policy says of drift: an alarm, or a rotation, no sooner than any other."""
    alone = s.policy.on_drift is OnDrift.ALARM or s.policy.suspend or s.policy.leaving
    if alone and not s.demanded:
        by_itself = "`rotate.on_drift: rotate` does so by itself"
        return Refuse(reason, remedy=f"{remedy}; {by_itself}")
    at = s.now if s.demanded else not_before(s, s.now)
    return Wait(reason, at) if at > s.now else minting(reason, choose(s, key, keep_date=True))


def verdict(s: Snapshot) -> Reason | None:
    """How the store and the provider disagree; None where they do not, or nobody can tell now."""
    found = current_keys(s)
    if s.journal.rotation is not None or len(found) != 1:
        return None
    held = _drifted(s, found[0])
    return None if held is None else _drift(s, found[0], held)


def _drift(s: Snapshot, key: Key, held: Held) -> Reason:
    """What is wrong, by name."""
    if held.value is None:
        return Reason(_NOTHING, f"{held.target} was emptied: it held a key that was delivered")
    used = as_used(s, key)
    current = s.journal.current
    other = next((one for one in s.keys if one.redacted.matches(held.value)), None)
    if other is not None and other.usable(s.now):
        text = f"{held.target} holds {other.redacted}, a working key, and not {used.redacted}"
        return Reason(ANOTHER_KEY, text)
    if current and current.key_id == key.id and current.redacted != str(key.redacted):
        text = f"{key.id} was refreshed elsewhere, and {held.target} holds its former secret"
        return Reason(_REFRESHED, text)
    text = f"{held.target} holds a key that the provider does not list, and not {used.redacted}"
    return Reason(_UNKNOWN_KEY, text)


def _strays(s: Snapshot) -> tuple[tuple[Rotation, Key], ...]:
    """Keys that a finished rotation has minted when nobody waited for them any more, by rotations.

    As in :func:`~rotator.origin.fresh_keys`, but the moment proves less: the expiry must be the
    very one that was asked for, or, where none was, nobody may have used the key for a day.
    """
    known = {*s.others, *(entry.key_id for entry in s.journal.retiring)}
    known |= {record.key_id for record in s.journal.history}
    if len(found := current_keys(s)) == 1:
        known.add(found[0].id)
    return tuple(
        (rotation, key)
        for rotation in doubted(s)
        for key in sorted(s.keys, key=lambda key: key.id)
        if key.usable(s.now)
        and key.id not in {*known, rotation.key_id}
        and is_new(rotation, key)
        and any(
            explains(s, mint, key) or _came_late(s, mint, key)
            for mint in open_mints(s, rotation, key)
        )
    )


def _came_late(s: Snapshot, mint: Mint, key: Key) -> bool:
    # Nobody asks by chance for the very expiry that a create of ours did; a refresh keeps one.
    told = mint.grace is None and mint.expires_at is not None
    if key.created_at is None or key.created_at < mint.at - (SKEW if told else BEFORE):
        return False
    if mint.expires_at is not None:
        return ends_as_asked(mint, key)
    forgotten = key.last_used_at is None and s.now - key.created_at >= _FORGOTTEN
    return forgotten and key.created_at - mint.at < PAUSE


def _drifted(s: Snapshot, key: Key) -> Held | None:
    """A target that holds something else than ``key``, the current one.

    Not believed just after a rotation, while a listing may still show what was before. One of
    several that holds nothing is filled from the others (:func:`target_is_empty`).
    """
    key, current = as_used(s, key), s.journal.current
    if current is not None and s.now < current.since + s.limits.settle:
        return None
    if (
        current is not None
        and current.key_id == key.id
        and all(one.value is None for one in s.held)
    ):
        return s.held[0]
    if not key.redacted.distinctive:
        return None
    return next(
        (
            held
            for held in s.held
            if held.value is not None and not key.redacted.matches(held.value)
        ),
        None,
    )
