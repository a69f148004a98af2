"""Which keys a rotation has minted, and which of them somebody has. Pure.

The provider tells no such thing: a key's name, type, moment and end must do, and what is held.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING

from rotator.keys import Key, KeyType
from rotator.secrets import Redacted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rotator.journal import Mint, Rotation
    from rotator.model import Snapshot, Spooled
    from rotator.secrets import Secret

#: Clocks are corrected to about a second, and expiries are cut to whole ones.
SKEW = timedelta(seconds=5)
#: What the provider stamps may lie so much before the request. Not more: a person may have been at
#: the same key just then, and that one is not ours to revoke.
BEFORE = timedelta(seconds=2)
_SECOND = timedelta(seconds=1)


def fresh_keys(s: Snapshot) -> tuple[Key, ...]:
    """The usable keys that the rotation in flight has minted, newest first.

    Either the old id shows another secret (a refresh that keeps ids), or a key with the old one's
    name came into being just when a mint was under way, with no more life than was asked for. What
    a person creates under the same name meanwhile is not ours to touch, nor is what another policy
    has minted, and what was refused is leaving already. Empty when no rotation is in flight.
    """
    rotation = s.journal.rotation
    if rotation is None:
        return ()
    others = {*s.others, *(entry.key_id for entry in s.journal.retiring)}
    usable = [key for key in s.keys if key.usable(s.now) and key.id not in others]
    fresh = [key for key in usable if minted_by(s, rotation, key)]
    return tuple(sorted(fresh, key=_age, reverse=True))


def _age(key: Key) -> tuple[bool, datetime | None, str]:
    return key.created_at is not None, key.created_at, key.id


def is_new(rotation: Rotation, key: Key) -> bool:
    """Whether ``key`` may have come of ``rotation``: it appeared since, of the old one's type."""
    apart = {rotation.key_type, key.type} == {KeyType.USER, KeyType.SERVICE}
    return _appeared(rotation, key) and not apart


def _appeared(rotation: Rotation, key: Key) -> bool:
    """Whether ``key`` is not one of those that were there when ``rotation`` began."""
    if key.id == rotation.key_id:
        return key.redacted != Redacted() and str(key.redacted) != rotation.redacted
    return key.id not in rotation.siblings and key.name == rotation.key_name


def minted_by(s: Snapshot, rotation: Rotation, key: Key) -> bool:
    """Whether ``key`` may be what ``rotation`` has minted."""
    if not is_new(rotation, key):
        return False
    return key.id == rotation.key_id or any(
        explains(s, mint, key) for mint in open_mints(s, rotation, key)
    )


def open_mints(s: Snapshot, rotation: Rotation, key: Key) -> tuple[Mint, ...]:
    """The mints of ``rotation`` that ``key`` may have come of: of the others something else did.

    A key that the next one was made from came of those before it: where only one of them may have
    made it, that one has. And a source was replaced when its successor came into being. Of several
    mints from one source nobody can tell which has made what.
    """
    sources = [mint.source_id for mint in rotation.mints]
    found: list[Mint] = []
    unsettled: list[Mint] = []
    known = {rotation.key_id, None}
    for mint, after in zip_longest(rotation.mints, sources[1:]):
        known.add(mint.source_id)
        if sources.count(mint.source_id) == 1 and _made_another(s, rotation, mint, key):
            continue
        found.append(mint)
        unsettled.append(mint)
        if after not in known and len(unsettled) == 1:
            unsettled.clear()
            found = found if after == key.id else found[:-1]
    return tuple(found)


def _made_another(s: Snapshot, rotation: Rotation, mint: Mint, key: Key) -> bool:
    """Whether a refresh shows by its source that another key than ``key`` came of it."""
    made = {one.id for one in successors(s, mint) if is_new(rotation, one)}
    return bool(made) and key.id not in made


def explains(s: Snapshot, mint: Mint, key: Key) -> bool:
    """Whether ``key`` came into being when ``mint`` was under way, with no more life than asked.

    A request that we gave up may be carried out a little later: a lease's length is allowed. One
    that was carried out much later, by a process that had been stopped, is known by its source.
    """
    if key.created_at is not None:
        late = key.created_at - mint.at
        delayed = late > s.limits.lease + SKEW and key not in successors(s, mint)
        if late < -BEFORE or delayed:
            return False
    return is_as_asked(mint, key)


def is_as_asked(mint: Mint, key: Key) -> bool:
    """Whether ``key`` has no more life than ``mint`` asked for."""
    if mint.expires_at is None or key.expires_at is None:
        # None was asked for, and an account-wide maximum may have stepped in.
        return mint.expires_at is None
    return key.expires_at <= mint.expires_at + SKEW


def ends_as_asked(mint: Mint, key: Key) -> bool:
    """Whether ``key`` has the very expiry that ``mint`` asked for, which few others would."""
    if mint.expires_at is None or key.expires_at is None:
        return False
    return abs(key.expires_at - mint.expires_at) < _SECOND


def successors(s: Snapshot, mint: Mint) -> list[Key]:
    """The keys that came into being in the moment when the source of a refresh got its grace."""
    source = next((key for key in s.keys if key.id == mint.source_id), None)
    if source is None or source.expires_at is None or mint.grace is None:
        return []
    at = source.expires_at - mint.grace
    return [key for key in s.keys if key.created_at and abs(at - key.created_at) < _SECOND]


def delivered_key(s: Snapshot) -> tuple[Key, Secret] | None:
    """The new key that some target holds, with its secret; None when no rotation is in flight.

    That a target holds it is proof enough that we minted it, whatever dates and type it is given.
    One that was refreshed since, because it seemed lost, has only its grace left and is none.
    """
    return _recognised(s, s.stored)


def spooled_key(s: Snapshot) -> tuple[Key, Secret, Spooled] | None:
    """The new key that lies sealed on this machine's disk, as :func:`delivered_key` knows one."""
    rotation = s.journal.rotation
    entries = {
        entry.secret: entry
        for entry in s.spooled
        if entry.secret is not None and rotation is not None and entry.rotation == rotation.id
    }
    found = _recognised(s, entries)
    return (*found, entries[found[1]]) if found else None


def _recognised(s: Snapshot, values: Iterable[Secret]) -> tuple[Key, Secret] | None:
    """The newest key of the rotation in flight that one of ``values`` is, with that."""
    rotation = s.journal.rotation
    if rotation is None:
        return None
    new = [
        key
        for key in s.keys
        if key.usable(s.now)
        and _appeared(rotation, key)
        and not ends_with_its_grace(s, rotation, key)
    ]
    for key in sorted(new, key=_age, reverse=True):
        for value in values:
            if value.fingerprint != rotation.fingerprint and key.redacted.matches(value):
                return key, value
    return None


def ends_with_its_grace(s: Snapshot, rotation: Rotation, key: Key) -> bool:
    """Whether a refresh in ``rotation`` has replaced ``key``: its expiry shows it.

    Where ids are kept the same entry is the replacement, and has the expiry that was asked for.
    """
    expiry = key.expires_at
    return expiry is not None and any(
        mint.strategy == "refresh"
        and mint.source_id == key.id
        and expiry <= mint.at + s.policy.grace + s.limits.lease
        and (mint.expires_at is None or expiry < mint.expires_at - SKEW)
        for mint in rotation.mints
    )
