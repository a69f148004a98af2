"""From a snapshot to the one next step. Pure.

:data:`CHECKS` is the whole policy in one visible order. Each check is named after the fault or the
fact it sees and answers a step or None; the first answer wins. A check states what it relies on
instead of trusting that an earlier one has run. Its name is the ``code`` of its reason and ends up
in events, in ``plan`` and in ``status``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator import words
from rotator.drift import store_has_drifted, stray_key_appeared
from rotator.model import (
    Deliver,
    Lock,
    Locked,
    Promote,
    Reason,
    Refuse,
    Retire,
    Snapshot,
    Step,
    Wait,
)
from rotator.strategy import choose, choose_repair, minting
from rotator.views import (
    Due,
    age_due,
    current_keys,
    delivered_key,
    expiry_due,
    fresh_keys,
    in_use,
    wanted_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.journal import Rotation


def decide(s: Snapshot) -> Step:
    """The next step for ``s``; always the same one for the same snapshot."""
    step = next(found for check in CHECKS if (found := check(s)) is not None)
    return _respect_lease(s, step)


def _respect_lease(s: Snapshot, step: Step) -> Step:
    """Whoever holds the lease is at it: everything but looking on is theirs."""
    lease = s.journal.lease
    if lease is None or lease.owner == s.me or lease.until <= s.now:
        return step
    if isinstance(step, Refuse) or (isinstance(step, Wait) and not step.soon):
        return step
    text = f"{lease.owner} holds the lease until {words.moment(lease.until)} and is at it"
    return Locked(Reason("another_holds_the_lease", text), lease.owner, lease.until)


# --- a rotation in flight: somebody, perhaps a process that is gone, wrote an intent ---


def delivery_is_incomplete(s: Snapshot) -> Step | None:
    """Some targets have the new key and some do not: copy it. Relies on a rotation in flight."""
    found = delivered_key(s)
    if found is None:
        return None
    key, secret = found
    missing = [held.target for held in s.held if held.value != secret]
    if not missing:
        return None
    text = f"{key.redacted} is in the store, but not yet at {', '.join(map(str, missing))}"
    return Deliver(Reason("delivery_is_incomplete", text), key, secret)


def delivery_is_unrecorded(s: Snapshot) -> Step | None:
    """All targets have the new key: use it, then write it down. Relies on a rotation in flight."""
    found = delivered_key(s)
    if found is None:
        return None
    key, secret = found
    text = f"{key.redacted} is in the store and waits to be proved and recorded"
    return Promote(Reason("delivery_is_unrecorded", text), key, secret)


def too_many_mints(s: Snapshot) -> Step | None:
    """A rotation that keeps losing its keys must not go on for ever."""
    rotation = s.journal.rotation
    if rotation is None or len(rotation.mints) < s.limits.mints:
        return None
    until = rotation.mints[-1].at + s.policy.min_interval
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
    if rotation is None or rotation.last_mint is None or not fresh:
        return None
    lost = fresh[0]
    text = f"{lost.redacted} was minted for rotation {rotation.id} and never reached the store"
    reason = Reason("raw_key_was_lost", text)
    patience = _owner_may_live(s, rotation, reason)
    if patience is not None:
        return patience
    old = next((key for key in s.keys if key.id == rotation.key_id), lost)
    return minting(reason, choose_repair(s, old, lost, rotation.last_mint))


def mint_left_no_trace(s: Snapshot) -> Step | None:
    """An intent, and no key that it would explain: once a listing must show it, it never was."""
    rotation = s.journal.rotation
    if rotation is None or fresh_keys(s):
        return None
    last = rotation.last_mint
    settled = last.at + s.limits.settle if last else s.now
    if settled > s.now:
        text = "the last mint was not answered; a listing will show whether it happened"
        return Wait(Reason("mint_is_settling", text), settled, soon=True)
    text = f"rotation {rotation.id} was begun, and no new key came of it"
    reason = Reason("mint_left_no_trace", text)
    old = next((key for key in s.keys if key.id == rotation.key_id), None)
    return minting(reason, choose(s, old)) if old else _not_found(s, rotation.key_id)


# --- nothing in flight ---


def key_not_found(s: Snapshot) -> Step | None:
    """The provider does not list the key that the policy, or its last rotation, names."""
    if current_keys(s):
        return None
    retiring = retirement_is_due(s)
    return retiring or _not_found(s, wanted_id(s))


def key_is_ambiguous(s: Snapshot) -> Step | None:
    """Several active keys answer to the policy's name: choosing one would be guessing."""
    found = current_keys(s)
    if len(found) < 2:  # noqa: PLR2004 - more than one
        return None
    ids = ", ".join(sorted(key.id for key in found))
    text = f"{len(found)} active keys are named {s.policy.selector.name!r}: {ids}"
    return Refuse(Reason("key_is_ambiguous", text), remedy="name one of them by `key.id`")


def rotation_was_demanded(s: Snapshot) -> Step | None:
    """A person said now. Relies on exactly one current key."""
    if not s.demanded:
        return None
    text = "a rotation was asked for by hand"
    return minting(Reason("rotation_was_demanded", text), choose(s, current_keys(s)[0]))


def key_near_expiry(s: Snapshot) -> Step | None:
    """Less than ``before_expiry`` is left. Relies on exactly one current key."""
    key = current_keys(s)[0]
    due = expiry_due(s, key)
    if due is None or due.at > s.now:
        return None
    return minting(due.reason, choose(s, key))


def key_reached_max_age(s: Snapshot) -> Step | None:
    """The key is older than ``max_age``. Relies on exactly one current key."""
    key = current_keys(s)[0]
    due = age_due(s, key)
    if due is None or due.at > s.now:
        return None
    return minting(due.reason, choose(s, key))


def retirement_is_due(s: Snapshot) -> Step | None:
    """The grace of an old key is over. Relies on nothing: a key in use is never retired."""
    for entry in s.journal.retiring:
        if entry.at > s.now or in_use(s, entry):
            continue
        text = f"the grace period of {entry.redacted} is over"
        return Retire(Reason("retirement_is_due", text), entry)
    return None


def nothing_is_due(s: Snapshot) -> Step:
    """The rest: wait for the next moment that matters. Relies on exactly one current key."""
    key = current_keys(s)[0]
    moments = [due for due in (expiry_due(s, key), age_due(s, key)) if due is not None]
    moments += [
        Due(entry.at, Reason("retirement_is_due", f"{entry.redacted} is to be revoked then"))
        for entry in s.journal.retiring
        if not in_use(s, entry)
    ]
    if not moments:
        text = "the key has no expiry, and its age is not told"
        return Wait(Reason("nothing_is_due", text), None)
    first = min(moments, key=lambda due: due.at)
    return Wait(first.reason, first.at)


CHECKS: tuple[Callable[[Snapshot], Step | None], ...] = (
    delivery_is_incomplete,
    delivery_is_unrecorded,
    too_many_mints,
    raw_key_was_lost,
    mint_left_no_trace,
    key_not_found,
    key_is_ambiguous,
    rotation_was_demanded,
    key_near_expiry,
    key_reached_max_age,
    store_has_drifted,
    retirement_is_due,
    stray_key_appeared,
    nothing_is_due,
)


def _owner_may_live(s: Snapshot, rotation: Rotation, reason: Reason) -> Step | None:
    """Give another minter, should it live, its last chance to deliver before its key is replaced.

    Skipped when the old key would not outlast the wait.
    """
    last, lease = rotation.last_mint, s.journal.lease
    if last is None or last.owner == s.me:
        return None
    deadline = rotation.grace_deadline
    if deadline is not None and deadline - s.now < 2 * s.limits.handover:
        return None
    if lease is None or lease.owner != s.me or lease.until <= s.now:
        return Lock(reason)
    until = lease.taken_at + s.limits.handover
    return Wait(reason, until, soon=True) if until > s.now else None


def _not_found(s: Snapshot, key_id: str | None) -> Refuse:
    what = f"key {key_id}" if key_id else f"a key of {s.policy.selector}"
    return Refuse(
        Reason("key_not_found", f"the provider lists no active {what}"),
        remedy="it may be revoked or expired, or hidden from the management key: create a key, name"
        " it in the policy under `key`, and add `space_id` or `type: service` for a service key",
    )
