"""Policies whose keys share a name, or that are about one key: whose is it? Pure.

What one of them has just minted looks to the other like what it lost itself. Their journals tell:
an intent is older than its key. And where one key has two policies, neither may end it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.drift import doubted
from rotator.model import Mint, Reason, Refuse, Retire
from rotator.origin import BEFORE, ends_as_asked, is_as_asked, is_new, open_mints, successors
from rotator.views import current_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator import journal
    from rotator.journal import Journal, Rotation
    from rotator.keys import Key
    from rotator.model import Policy, Snapshot, Step


def claimed(s: Snapshot) -> tuple[Key, ...]:
    """The keys that ``s`` alone may have its policy take for its own; mostly there are none.

    Be it later, when another mint would explain them. Not the keys that a rotation began with or
    has minted from since: they were known to be that policy's.
    """
    journal, found, rotations = s.journal, current_keys(s), _rotations(s)
    begun = {one.key_id for one in journal.retiring} | {one.key_id for one in journal.history}
    begun |= {one.key_id for one in rotations} | _sources(rotations)
    known = begun | ({found[0].id} if len(found) == 1 else set())
    return tuple(
        key
        for key in s.keys
        if key.usable(s.now) and key.id not in known and any(is_new(one, key) for one in rotations)
    )


def has_minted(s: Snapshot, key: Key) -> bool:
    """Whether a rotation of this policy made ``key``, so that no other has it by one of its own."""
    done = (one for one in s.journal.history if one.outcome in {"completed", "repaired"})
    return any(one.key_id == key.id for one in done)


def is_about(s: Snapshot, key: Key) -> bool:
    """Whether ``key`` is the one that the policy of ``s`` is about, or that was put back for it."""
    current = s.journal.current
    back = current.put_back if current else None
    return any(one.id == key.id for one in current_keys(s)) or (
        back is not None and back.key_id == key.id
    )


def ended_by(s: Snapshot, step: Step) -> Key | None:
    """The key that ``step`` would end, sooner or later, where that is still to be decided."""
    if isinstance(step, Mint) and s.journal.rotation is None:
        return step.plan.source
    if isinstance(step, Retire):
        return next((key for key in s.keys if key.id == step.entry.key_id), None)
    return None


def shared(key: Key, names: Iterable[str]) -> Refuse:
    """That ``key`` is not to be ended, as the policies of these ``names`` are about it too."""
    text = f"{key.redacted} is the key of policy {', '.join(names)} too, whose consumers use it"
    remedy = "let one policy deliver it to both places, or name another key"
    return Refuse(Reason("key_is_shared", text), remedy)


def of_another(s: Snapshot, claims: tuple[Key, ...], policy: Policy, journal: Journal) -> set[str]:
    """The ids of those ``claims`` that are, or may be, the key of another ``policy``.

    What a rotation of theirs would explain may be theirs, unless more shows that it is ours. Of one
    that is over more must show that it is theirs.
    """
    current, rotation = journal.current, journal.rotation
    theirs = {policy.selector.id, *(entry.key_id for entry in journal.retiring)}
    theirs |= _sources(journal.begun)
    if current is not None:
        theirs |= {current.key_id, current.put_back.key_id if current.put_back else None}
    if rotation is not None:
        theirs |= {rotation.key_id}
    return {key.id for key in claims if key.id in theirs or _is_likelier(s, journal, key)}


def _is_likelier(s: Snapshot, theirs: Journal, key: Key) -> bool:
    """Whether ``theirs`` explains ``key`` better than the journal of ``s``, or no worse and now."""
    ours, others = _evidence(s, _rotations(s), key), _evidence(s, theirs.begun, key)
    return others > ours or (others == ours and _may_be_of(s, theirs.rotation, key))


def _may_be_of(s: Snapshot, theirs: Rotation | None, key: Key) -> bool:
    """Whether ``theirs``, a rotation in flight, may have minted ``key``.

    However late that is: their process may have been stopped for long after its intent, and has
    the key, while nobody has what we have lost.
    """
    if theirs is None or not is_new(theirs, key):
        return False
    at = key.created_at
    return key.id == theirs.key_id or any(
        is_as_asked(mint, key) and (at is None or at >= mint.at - BEFORE)
        for mint in open_mints(s, theirs, key)
    )


def _evidence(s: Snapshot, rotations: Iterable[Rotation], key: Key) -> int:
    """How much, of two, shows that one of ``rotations`` has minted ``key``.

    Its end is the very one that was asked for; and a source was replaced when it came into being.
    """
    mints = [mint for one in rotations if is_new(one, key) for mint in open_mints(s, one, key)]
    asked = any(ends_as_asked(mint, key) for mint in mints)
    return asked + any(_succeeded_alone(s, mint, key) for mint in mints)


def _sources(rotations: Iterable[Rotation]) -> set[str]:
    """The ids of the keys that ``rotations`` have minted from: they were known to be theirs."""
    return {mint.source_id for one in rotations for mint in one.mints}


def _rotations(s: Snapshot) -> tuple[Rotation, ...]:
    """Those of which a key may be new."""
    return (*([s.journal.rotation] if s.journal.rotation else []), *doubted(s))


def _succeeded_alone(s: Snapshot, mint: journal.Mint, key: Key) -> bool:
    """Whether the source of ``mint`` shows that ``key`` has replaced it, and no other key could.

    What two policies mint in the same second its dates do not tell apart.
    """
    return [one.id for one in successors(s, mint) if one.name == key.name] == [key.id]
