"""What will happen to a policy, when and why, in the words of ``rotator plan``. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rotator.decide import decide
from rotator.model import Locked, Mint, Refuse, Retire, Wait
from rotator.views import current_keys

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from rotator.model import Plan, Snapshot, Step


@dataclass(frozen=True, slots=True)
class Outlook:
    """One row of a plan.

    ``action`` is ``refresh``, ``reissue``, ``deliver``, ``promote``, ``retire``, ``lock``,
    ``wait``, ``locked`` or ``refuse``; ``at`` is None for never. ``grace`` is how long the old key
    will go on, ``new_expires_at`` what the new one is asked to have (None: no end).
    """

    policy: str
    action: str
    at: datetime | None
    reason: str
    text: str
    key_id: str | None = None
    redacted_key: str | None = None
    expires_at: datetime | None = None
    new_expires_at: datetime | None = None
    grace: timedelta | None = None
    remedy: str = ""
    #: The store holds nothing at a target yet, and gets its first key by the next rotation.
    empty_targets: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def outlook(s: Snapshot) -> Outlook:
    """Look ahead from ``s``, to the next thing that changes something."""
    step = decide(s)
    row = Outlook(
        policy=s.policy.name,
        action=type(step).__name__.lower(),
        at=s.now,
        reason=step.reason.code,
        text=step.reason.text,
        targets=tuple(str(target) for target in s.policy.targets),
        empty_targets=tuple(str(held.target) for held in s.held if held.value is None),
    )
    found = current_keys(s)
    if len(found) == 1:
        key = found[0]
        row = replace(row, key_id=key.id, redacted_key=str(key.redacted), expires_at=key.expires_at)
    return _ahead(s, step, row)


def _ahead(s: Snapshot, step: Step, row: Outlook) -> Outlook:
    match step:
        case Mint(plan=plan):
            return _minting(row, plan)
        case Refuse(remedy=remedy, until=until):
            return replace(row, remedy=remedy, at=until)
        case Locked(until=until):
            return replace(row, at=until)
        case Wait(until=None):
            return replace(row, at=None)
        case Wait(until=until) if until is not None:
            return _waiting(s, replace(row, at=until), until)
        case _:
            return row


def _waiting(s: Snapshot, row: Outlook, until: datetime) -> Outlook:
    """What the wait is for, as far as it can be told today."""
    then = replace(s, now=until)
    step = decide(then)
    if isinstance(step, Retire):
        return replace(row, action="retire")
    if isinstance(step, Mint):
        return _minting(row, step.plan)
    if isinstance(step, Refuse):
        return replace(row, action="refuse", text=step.reason.text, remedy=step.remedy)
    return row


def _minting(row: Outlook, plan: Plan) -> Outlook:
    return replace(row, action=plan.strategy, new_expires_at=plan.expires_at, grace=plan.grace)
