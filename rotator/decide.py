"""From a snapshot to the one next step. Pure.

:data:`CHECKS` is the whole policy in one visible order. Each check is named after the fault or the
fact it sees and answers a step or None; the first answer wins. A check states what it relies on
instead of trusting that an earlier one has run. Its name is the ``code`` of its reason and ends up
in events, in ``plan`` and in ``status``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator import words
from rotator.drift import (
    key_was_revoked_elsewhere,
    store_has_drifted,
    stray_key_appeared,
    target_is_empty,
)
from rotator.flight import (
    delivery_is_incomplete,
    delivery_is_unrecorded,
    mint_left_no_trace,
    old_key_is_gone,
    raw_key_was_lost,
    spooled_key_found,
    spooled_key_is_spent,
    too_many_mints,
)
from rotator.model import (
    Deliver,
    Destroy,
    Locked,
    Reason,
    Refuse,
    Restore,
    Snapshot,
    Step,
    Wait,
)
from rotator.notices import notification_is_due, upcoming
from rotator.retirement import moments, retirement_is_due
from rotator.strategy import choose, minting
from rotator.suspension import policy_is_suspended
from rotator.views import (
    age_due,
    clock_refusal,
    current_keys,
    expiry_due,
    not_found,
    wanted_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: Steps that no clock makes wrong; nor is it wrong to copy the key of a rotation in flight.
_AT_ANY_TIME = (Restore, Destroy, Locked, Refuse)


def decide(s: Snapshot) -> Step:
    """The next step for ``s``; always the same one for the same snapshot."""
    step = next(found for check in CHECKS if (found := check(s)) is not None)
    rests = isinstance(step, Refuse) or (isinstance(step, Wait) and not step.soon)
    if rests or (isinstance(step, Deliver) and s.journal.rotation is None):
        # Nothing is to be done to a key now, whatever the reason: time for those who are to hear.
        step = notification_is_due(s) or step
    return _respect_lease(s, _respect_clock(s, step))


def _respect_clock(s: Snapshot, step: Step) -> Step:
    """By a clock that is wrong nothing is begun, ended or recorded.

    It would be the wrong key, or keep others away, for as long as the clock is off. Nor is there
    nothing to do: that may be wrong as well, and nobody would hear of it. A key that only we have
    is delivered all the same, for that is right at any time.
    """
    copied = isinstance(step, Deliver) and s.journal.rotation is not None
    return step if copied or isinstance(step, _AT_ANY_TIME) else clock_refusal(s) or step


def _respect_lease(s: Snapshot, step: Step) -> Step:
    """Whoever holds the lease is at it: everything but looking on is theirs."""
    lease = s.journal.lease
    if lease is None or not lease.is_anothers(s.me, s.now):
        return step
    if isinstance(step, Refuse) or (isinstance(step, Wait) and not step.soon):
        return step
    text = f"{lease.owner} holds the lease until {words.moment(lease.until)} and is at it"
    return Locked(Reason("another_holds_the_lease", text), lease.owner, lease.until)


def key_not_found(s: Snapshot) -> Step | None:
    """The provider does not list the key that the policy, or its last rotation, names.

    What is to go does not wait for a person, such as the key of a rotation that was given up.
    """
    if current_keys(s):
        return None
    leaving = stray_key_appeared(s) or retirement_is_due(s)
    return leaving or not_found(s, wanted_id(s))


def key_is_ambiguous(s: Snapshot) -> Step | None:
    """Several active keys answer to the policy's name: choosing one would be guessing.

    Unless one of them is ours, and nobody has it. Others that are to go do not wait for a person.
    """
    found = current_keys(s)
    if len(found) < 2:  # noqa: PLR2004 - more than one
        return None
    ids = ", ".join(sorted(key.id for key in found))
    text = f"{len(found)} active keys are named {s.policy.selector.name!r}: {ids}"
    ambiguous = Reason("key_is_ambiguous", text)
    leaving = stray_key_appeared(s) or retirement_is_due(s)
    return leaving or Refuse(ambiguous, remedy="name one of them by `key.id`")


def rotation_was_demanded(s: Snapshot) -> Step | None:
    """A person said now. Relies on exactly one current key."""
    if not s.demanded:
        return None
    text = "a rotation was asked for by hand"
    return minting(Reason("rotation_was_demanded", text), choose(s, current_keys(s)[0]))


def policy_is_leaving(s: Snapshot) -> Step | None:
    """The configuration has it no more: old keys still go, in their time, and nothing begins."""
    if not s.policy.leaving:
        return None
    text = "the configuration has this policy no more"
    ends = min((due.at for due in (*moments(s), *upcoming(s))), default=None)
    waiting = Wait(Reason("policy_is_leaving", text), ends)
    return retirement_is_due(s) or waiting


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


def nothing_is_due(s: Snapshot) -> Step:
    """The rest: wait for the next moment that matters. Relies on exactly one current key."""
    key = current_keys(s)[0]
    due = [due for due in (expiry_due(s, key), age_due(s, key)) if due is not None]
    due += [*moments(s), *upcoming(s)]
    if not due:
        without = "the policy no `max_age`" if s.policy.max_age is None else "its age is not told"
        text = f"the key has no expiry and {without}, so that nothing will ever be due"
        return Wait(Reason("nothing_is_due", text), None)
    first = min(due, key=lambda one: one.at)
    return Wait(first.reason, first.at)


CHECKS: tuple[Callable[[Snapshot], Step | None], ...] = (
    spooled_key_is_spent,
    delivery_is_incomplete,
    delivery_is_unrecorded,
    spooled_key_found,
    too_many_mints,
    raw_key_was_lost,
    old_key_is_gone,
    mint_left_no_trace,
    key_was_revoked_elsewhere,
    key_not_found,
    key_is_ambiguous,
    rotation_was_demanded,
    policy_is_suspended,
    policy_is_leaving,
    key_near_expiry,
    key_reached_max_age,
    store_has_drifted,
    retirement_is_due,
    stray_key_appeared,
    target_is_empty,
    nothing_is_due,
)
