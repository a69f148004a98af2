"""What will happen to a policy, when and why, in the words of ``rotator plan``. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from rotator.decide import decide
from rotator.model import Deliver, Locked, Mint, Notify, Refuse, Retire, Wait
from rotator.neighbours import ended_by
from rotator.notices import all_told
from rotator.strategy import as_used
from rotator.transitions import retired
from rotator.views import current_keys, lacking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from rotator.errors import RotatorError
    from rotator.model import Plan, Snapshot, Step, Target

#: So many steps are looked ahead, and no further.
_AHEAD = 100
#: As a rule.
NONE_BARRED: Mapping[str, Refuse] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Write:
    """Which fields of a secret will be written; its others are kept."""

    secret: str
    fields: tuple[str, ...]


#: An action in words; another is shown by its name.
_DOING = {
    "promote": "record",
    "fail": "give up",
    "notify": "tell hooks",
    "lock": "take over",
    "wait": "look",
    "locked": "look",
    "refuse": "a person",
    "failed": "",
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """One row of a plan.

    ``action`` is ``refresh``, ``reissue``, ``restore``, ``deliver``, ``promote``, ``retire``,
    ``destroy``, ``notify``, ``lock``, ``wait``, ``locked``, ``refuse``, or ``failed`` where nothing
    was seen; ``at`` is None for never. ``grace`` is how long the old key will go on,
    ``new_expires_at`` what the new one is asked to have (None: no end).
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
    writes: tuple[Write, ...] = ()
    #: The key is the one that rotator itself works with.
    own: bool = False

    @property
    def doing(self) -> str:
        """The action, as a person would say it."""
        return _DOING.get(self.action, self.action)

    @property
    def waiting_targets(self) -> tuple[str, ...]:
        """Those of the empty ones that get a key by the next rotation, and no sooner."""
        return () if self.needs_a_person or self.action == "deliver" else self.empty_targets

    @property
    def needs_a_person(self) -> bool:
        """Nothing goes on by itself, or it is not known whether it does."""
        return self.action in {"refuse", "failed"}


def unseen(policy: str, error: RotatorError) -> Outlook:
    """The row of a policy that could not be looked at."""
    return Outlook(policy, "failed", None, error.code, error.message, remedy=error.remedy)


def outlook(s: Snapshot, barred: Mapping[str, Refuse] = NONE_BARRED) -> Outlook:
    """Look ahead from ``s``, to the next thing that changes something.

    Args:
        s: What was seen.
        barred: By id, the keys that are not to be ended, as other policies are about them too.
    """
    step = _decide(s, barred)
    if isinstance(step, Notify) and isinstance(blocked := _decide(all_told(s), barred), Refuse):
        step = blocked
    row = Outlook(
        policy=s.policy.name,
        action=type(step).__name__.lower(),
        at=s.now,
        reason=step.reason.code,
        text=step.reason.text,
        targets=tuple(str(target) for target in s.policy.targets),
        empty_targets=tuple(str(held.target) for held in s.held if held.value is None),
        own=s.own,
    )
    found = current_keys(s)
    if len(found) == 1:
        key = as_used(s, found[0])
        row = replace(row, key_id=key.id, redacted_key=str(key.redacted), expires_at=key.expires_at)
    return _ahead(s, step, row, barred)


def rotation_ahead(s: Snapshot, barred: Mapping[str, Refuse] = NONE_BARRED) -> Outlook:
    """Look past hooks, waits, copies and old keys, to what happens to the key in use.

    For ``barred`` see :func:`outlook`.
    """
    s = _filled(all_told(s))
    row = outlook(s, barred)
    for _ in range(_AHEAD):
        if row.at is None or row.action not in {"retire", "wait"}:
            break
        s = replace(s, now=row.at)
        step = decide(s)
        if isinstance(step, Retire):
            keys = tuple(key for key in s.keys if key.id != step.entry.key_id)
            s = replace(s, keys=keys, journal=retired(s, step.entry))
        row = outlook(s, barred)
    return row


def _filled(s: Snapshot) -> Snapshot:
    """Once the key in use is copied to where there is none."""
    step = decide(s)
    if not isinstance(step, Deliver) or s.journal.rotation is not None:
        return s
    held = (replace(one, value=one.value or step.secret) for one in s.held)
    return replace(s, held=tuple(held))


def _decide(s: Snapshot, barred: Mapping[str, Refuse]) -> Step:
    step = decide(s)
    key = ended_by(s, step)
    return barred.get(key.id, step) if key else step


def _ahead(s: Snapshot, step: Step, row: Outlook, barred: Mapping[str, Refuse]) -> Outlook:
    match step:
        case Mint(plan=plan):
            return _minting(s, row, plan)
        case Deliver(secret=secret):
            return replace(row, writes=_writes(one.target for one in lacking(s, secret)))
        case Refuse(remedy=remedy, until=until):
            return replace(row, remedy=remedy, at=until)
        case Locked(until=until) | Wait(until=None as until):
            return replace(row, at=until)
        case Wait(until=until) if until is not None:
            return _waiting(s, replace(row, at=until), until, barred)
        case _:
            return row


def _waiting(s: Snapshot, row: Outlook, until: datetime, barred: Mapping[str, Refuse]) -> Outlook:
    """What the wait is for, as far as it can be told today."""
    if s.policy.suspend:
        return row
    then = replace(s, now=until)
    step = _decide(then, barred)
    if isinstance(step, Retire | Notify):
        return replace(row, action=type(step).__name__.lower())
    if isinstance(step, Mint):
        return _minting(s, row, step.plan)
    if isinstance(step, Refuse):
        return replace(row, action="refuse", text=step.reason.text, remedy=step.remedy)
    return row


def _minting(s: Snapshot, row: Outlook, plan: Plan) -> Outlook:
    return replace(
        row,
        action=plan.strategy,
        new_expires_at=plan.expires_at,
        grace=plan.grace,
        writes=_writes(s.policy.targets),
    )


def _writes(targets: Iterable[Target]) -> tuple[Write, ...]:
    return tuple(Write(one.secret, (one.field, *one.metadata.values())) for one in targets)
