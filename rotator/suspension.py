"""A policy that is suspended: rotator looks on. Pure. Checks as in :mod:`rotator.decide`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rotator.drift import store_has_drifted
from rotator.model import OnDrift, Reason, Refuse, Wait
from rotator.notices import upcoming
from rotator.views import current_keys, expiry_due

if TYPE_CHECKING:
    from rotator.model import Snapshot, Step


def policy_is_suspended(s: Snapshot) -> Step | None:
    """Nothing begins by itself, and what a person must know is told all the same.

    Relies on exactly one current key. The drift that a late request of ours has caused is repaired:
    that is the end of a rotation, not the beginning of one.
    """
    if not s.policy.suspend:
        return None
    drift = store_has_drifted(replace(s, policy=replace(s.policy, on_drift=OnDrift.ALARM)))
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
