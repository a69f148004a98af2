"""What a look would show right after a mint was delivered, without asking anybody. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rotator.keys import KeyType

if TYPE_CHECKING:
    from rotator.keys import Key, Minted
    from rotator.model import Held, Plan, Snapshot


def after_mint(s: Snapshot, plan: Plan, minted: Minted, held: tuple[Held, ...]) -> Snapshot | None:
    """What a new look would show once the key is delivered; None when the answer told too little.

    The answer to a refresh has no bindings, and some servers leave out more: the old key's word
    stands in where a refresh does not change it.
    """
    new = minted.key
    if new is None:
        return None
    old = plan.source
    redacted = new.redacted if new.redacted.matches(minted.secret) else minted.secret.redacted
    new = replace(new, redacted=redacted, name=old.name, bindings=new.bindings or old.bindings)
    if new.type is KeyType.UNKNOWN:
        new = replace(new, type=old.type)
    others = (key for key in s.keys if key.id != new.id)
    return replace(s, keys=(*(_ending(s, plan, key) for key in others), new), held=held)


def _ending(s: Snapshot, plan: Plan, key: Key) -> Key:
    """``key`` as the provider has it once ``plan`` went through: a refreshed one has an end now."""
    rotation = s.journal.rotation
    if plan.strategy != "refresh" or key.id != plan.source.id or rotation is None:
        return key
    ends = rotation.last_mint.at + plan.grace
    return replace(key, expires_at=min(ends, key.expires_at) if key.expires_at else ends)
