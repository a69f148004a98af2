"""A policy that is suspended: rotator looks on. Pure. Checks as in :mod:`rotator.decide`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rotator.drift import store_has_drifted
from rotator.model import Reason, Refuse, Wait
from rotator.notices import upcoming
from rotator.views import age_due, current_keys, expiry_due

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.model import Snapshot, Step


def policy_is_suspended(s: Snapshot) -> Step | None:
    """Nothing begins by itself, and what a person must know is told all the same.

    Relies on exactly one current key. The drift that a late request of ours has caused is repaired:
    that is the end of a rotation, not the beginning of one.
    """
    if not s.policy.suspend:
        return None
    drift = store_has_drifted(s)
    if drift is not None:
        return drift
    due = expiry_due(s, current_keys(s)[0])
    text = "the policy is suspended"
    if due is None or due.at > s.now:
        ends = [one.at for one in (due, *upcoming(s)) if one is not None]
        return Wait(Reason("policy_is_suspended", text), min(ends, default=None))
    return Refuse(
        Reason("policy_is_suspended", f"{text}, and its key {due.reason.text}"),
        remedy=f"remove `suspend`, or run `rotator run --rotate {s.policy.name}`",
    )


def overdue_since(s: Snapshot) -> datetime | None:
    """Since when a rotation would be due, were the policy not suspended; None while none would.

    Windows are left out: what they delay is not what somebody has stopped.
    """
    found = current_keys(s)
    if not s.policy.suspend or s.journal.rotation is not None or len(found) != 1:
        return None
    free = replace(s, policy=replace(s.policy, windows=()))
    dues = (expiry_due(free, found[0]), age_due(free, found[0]))
    past = [due.at for due in dues if due is not None and due.at <= s.now]
    return min(past, default=None)
