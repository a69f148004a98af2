"""What a person may do to a lineage without minting: adopt a key, put the former one back. Pure.

Each answers what can be done or, as a :class:`~rotator.model.Refuse`, why nothing can; and what the
journal says afterwards, with the lease taken, for the store is written next.

A former key that is put back keeps its end: a rollback gives time, not life. Half of what is left
is its consumers', then the lineage goes on from the current key, which stays as it is until then:
whoever has read it already goes on with it, and should nobody come by in time, there is a living
key to begin from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rotator import transitions, words
from rotator.decide import key_is_ambiguous
from rotator.journal import Current, PutBack, Record
from rotator.model import Reason, Refuse
from rotator.notices import noted
from rotator.secrets import Redacted
from rotator.strategy import choose
from rotator.views import clock_refusal, current_keys, not_found, wanted_id

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from rotator.journal import Journal
    from rotator.keys import Key
    from rotator.model import Snapshot
    from rotator.secrets import Secret

#: The history's reason for a rollback.
ROLLBACK = "rollback_was_demanded"


@dataclass(frozen=True, slots=True)
class Former:
    """The key that the last rotation replaced."""

    key_id: str
    redacted: Redacted
    #: None in the records of older rotators; the redacted key must do then.
    fingerprint: str | None
    #: When it stops working.
    ends_at: datetime
    #: It was put back already, and only the store may lag behind.
    again: bool = False

    def fits(self, secret: Secret) -> bool:
        """Whether ``secret`` is this key."""
        if self.fingerprint is not None:
            return secret.fingerprint == self.fingerprint
        return self.redacted.matches(secret)


def adoptable(s: Snapshot, secret: Secret) -> Key | Refuse:
    """The policy's key, when ``secret`` is it as far as the provider shows."""
    found = current_keys(s)
    refusal = _busy(s) or (None if found else not_found(s, wanted_id(s))) or key_is_ambiguous(s)
    if isinstance(refusal, Refuse):
        return refusal
    key = found[0]
    if key.redacted.matches(secret):
        return key
    if not key.redacted.distinctive:
        return Refuse(
            Reason("key_not_shown", f"the provider shows too little of key {key.id} to compare"),
            remedy=f"let it be replaced: rotator run --rotate {s.policy.name}",
        )
    other = next((one for one in s.keys if one.redacted.matches(secret)), None)
    what = f"; it is {other.redacted}, key {other.id}" if other else ""
    return Refuse(
        Reason("key_does_not_match", f"this is not {key.redacted}, the key of the policy{what}"),
        remedy="give the raw key of the one that the policy names, or name another one in the"
        " policy under `key`",
    )


def adopted(s: Snapshot, key: Key, secret: Secret) -> Journal:
    """``key`` is the current one, and no younger than it is."""
    before = s.journal.current
    same = before if before is not None and before.key_id == key.id else None
    current = Current(
        key_id=key.id,
        name=key.name,
        redacted=str(key.redacted),
        fingerprint=secret.fingerprint,
        since=same.since if same else key.created_at or s.now,
        expires_at=key.expires_at,
        lifetime=same.lifetime if same else None,
        created_by=key.created_by,
    )
    return _taken(s, current=current)


def is_adopted(s: Snapshot, secret: Secret) -> bool:
    """Whether there is nothing left to do: the journal and all targets say so."""
    current = s.journal.current
    if current is None or current.put_back or s.journal.selector != str(s.policy.selector):
        return False
    known = current.fingerprint == secret.fingerprint
    return known and all(held.value == secret for held in s.held)


def former(s: Snapshot) -> Former | Refuse:
    """The key that the last rotation replaced, when it can be put back."""
    current = s.journal.current
    record = s.journal.last_done
    if busy := _busy(s):
        return busy
    if current is None or record is None or s.journal.selector != str(s.policy.selector):
        return _nothing("no rotation of the policy's key is on record")
    if back := current.put_back:
        shown = Redacted.parse(back.redacted)
        return Former(back.key_id, shown, back.fingerprint, back.ends_at, again=True)
    if (current.key_id, current.redacted) != (record.key_id, record.redacted):
        return _nothing("another key was adopted since the last rotation")
    shown, ends_at = Redacted.parse(record.old_redacted), record.old_valid_until
    if ends_at is None or ends_at - s.now < shortest(s):
        return _too_late(s, shown, ends_at)
    return Former(record.old_key_id, shown, record.old_fingerprint, ends_at)


def _too_late(s: Snapshot, shown: Redacted, ends_at: datetime | None) -> Refuse:
    if ends_at is None or ends_at <= s.now:
        when = f" since {words.moment(ends_at)}" if ends_at else ""
        reason = Reason("grace_is_over", f"the former key, {shown}, does not work any more{when}")
    else:
        left, least = words.length(ends_at - s.now), words.length(shortest(s))
        text = f"the former key, {shown}, works for {left} more, and less than {least} is too short"
        reason = Reason("grace_too_short", text)
    remedy = f"if the present one is at fault: rotator run --rotate {s.policy.name}"
    return Refuse(reason, remedy=remedy)


def shortest(s: Snapshot) -> timedelta:
    """Life enough to be put back: half of it must do to replace the key again, tries included."""
    return 10 * s.limits.retry_budget


def identified(s: Snapshot, old: Former, secret: Secret) -> Former:
    """``old`` by the id and the looks of ``secret``, which is what consumers had.

    That need not be the key that was replaced: the store may have held another in its place.
    """
    if old.redacted.matches(secret):
        return old
    known = next((key.id for key in s.keys if key.redacted.matches(secret)), old.key_id)
    return replace(old, key_id=known, redacted=secret.redacted)


def put_back(s: Snapshot, old: Former, secret: Secret, rollback_id: str) -> Journal:
    """The store holds ``old`` instead of the current key. Relies on a lineage.

    Hooks are to hear of it as of a rotation: their consumers have another key to read.
    """
    current, last = s.journal.current, s.journal.last_done
    if current is None or last is None or old.again:
        return transitions.locked(s)
    back = PutBack(
        key_id=old.key_id,
        redacted=str(old.redacted),
        fingerprint=secret.fingerprint,
        at=s.now,
        ends_at=old.ends_at,
    )
    told = Record(
        rotation=rollback_id,
        reason=ROLLBACK,
        strategy=last.strategy,
        outcome="rolled_back",
        started_at=s.now,
        finished_at=s.now,
        old_key_id=current.key_id,
        old_redacted=current.redacted,
        old_fingerprint=current.fingerprint,
        key_id=old.key_id,
        redacted=str(old.redacted),
        expires_at=old.ends_at,
    )
    return _taken(
        s,
        current=current.model_copy(update={"put_back": back}),
        history=(told, *s.journal.history),
        notices=noted(s, rollback_id),
    )


def irreplaceable(s: Snapshot) -> Refuse | None:
    """Why the key that was put back could not be replaced in time; None when it can.

    ``s`` has the journal as it would be then.
    """
    found = current_keys(s)
    plan = choose(s, found[0]) if len(found) == 1 else not_found(s, wanted_id(s))
    if s.policy.suspend:
        text, remedy = "the policy is suspended", "remove `suspend` first"
    elif isinstance(plan, Refuse):
        text, remedy = plan.reason.text, plan.remedy
    elif plan.strategy != "reissue":
        text, remedy = "`strategy: refresh` allows no reissue", "use `strategy: auto`"
    else:
        return None
    return Refuse(
        Reason("former_key_irreplaceable", f"it could not be replaced before its end: {text}"),
        remedy=remedy,
    )


def _taken(s: Snapshot, **changes: object) -> Journal:
    selector = str(s.policy.selector)
    return transitions.locked(s).changed(s.now, selector=selector, **changes)


def _busy(s: Snapshot) -> Refuse | None:
    """Somebody is at it, or was; or nobody can say when."""
    lease, rotation = s.journal.lease, s.journal.rotation
    if refusal := clock_refusal(s):
        return refusal
    if lease is not None and lease.is_anothers(s.me, s.now):
        text = f"{lease.owner} holds the lease until {words.moment(lease.until)}"
        return Refuse(Reason("another_holds_the_lease", text), remedy="try again after that")
    if rotation is None:
        return None
    text = f"rotation {rotation.id}, begun at {words.moment(rotation.started_at)}, is not over"
    return Refuse(
        Reason("rotation_in_flight", text),
        remedy="wait for it; where no daemon runs, `rotator run --once` carries it on",
    )


def _nothing(text: str) -> Refuse:
    return Refuse(Reason("nothing_to_roll_back", text), remedy="see `rotator plan`")
