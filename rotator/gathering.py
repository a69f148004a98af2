"""What a decision about a policy depends on, read in the one order that is safe."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from rotator.errors import NotFound, NotPermitted, Rejected, Unreadable
from rotator.keys import KeyType, Scope
from rotator.model import Snapshot
from rotator.namesakes import Namesakes
from rotator.neighbours import claimed, has_minted, is_about, of_another
from rotator.origin import SKEW
from rotator.views import current_keys, wanted_id, with_recorded

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.journal import Journal
    from rotator.keys import Key
    from rotator.listings import Listings
    from rotator.model import Held, Policy, Spooled
    from rotator.ports import World

#: A listing older than this is not trusted for a decision, in however long a pass.
_FRESH = timedelta(minutes=1)


class _Found(NamedTuple):
    """What a look has read, but for the provider's keys."""

    spooled: tuple[Spooled, ...]
    journal: Journal
    version: int
    held: tuple[Held, ...]


class Gatherer:
    """Looks at what the store, the provider and the disk say of a policy."""

    def __init__(self, world: World, listings: Listings) -> None:
        self._world = world
        self._listings = listings
        self._ends: dict[str, datetime | None] = {}
        self._namesakes = Namesakes(listings)

    def left(self, policy: Policy) -> timedelta | None:
        """How long the policy's key works yet, by the last look; None: no end is known."""
        ends = self._ends.get(policy.name)
        return None if ends is None else ends - self._world.clock.now()

    async def gather(self, policy: Policy, *, since: datetime | None = None) -> Snapshot:
        """Look at everything a decision about ``policy`` depends on.

        Args:
            policy: What to look at.
            since: For who only looks: a listing as old as this will do, if the journal has not
                changed since. By default as for :meth:`keys`.

        Raises:
            RotatorError: From the provider or the store.
        """
        found = await self._read(policy)
        if since is not None:
            since = self._no_older(since, found.journal)
        keys = await self.keys(policy, found.journal, since=since)
        return await self._seen(policy, found, keys)

    async def glance(self, policy: Policy) -> tuple[Snapshot, bool]:
        """A look, and whether its listing is older than what the journal tells.

        That will do where another process is at the policy, or has just been: mostly there is
        nothing left to do, which is no reason to list all keys again. What there is to do is
        decided by another look.
        """
        found = await self._read(policy)
        journal, now = found.journal, self._world.clock.now()
        current, lease, since = journal.current, journal.lease, now - _FRESH
        theirs = lease is not None and lease.is_anothers(self._world.me, now)
        has, scope = self._listings.has, policy.selector.scopes[0]
        older = has(scope, since=since) and not has(scope, since=self._since(journal))
        glanced = older and (theirs or journal.rotation is None)
        keys = await self.keys(policy, journal, since=since if glanced else None)
        if glanced and current is not None and not has(scope, since=current.since):
            keys = with_recorded(keys, current)
        return await self._seen(policy, found, keys), glanced

    async def _read(self, policy: Policy) -> _Found:
        """What the disk and the store hold for ``policy``.

        One after the other: each is newer than what it is compared with, and a journal that is too
        old to decide by is found out by its check-and-set.
        """
        world = self._world
        spooled = await world.spool.find(policy.name)
        journal, version = await world.store.load(policy.name)
        if journal.current is not None:
            self._ends.setdefault(policy.name, journal.current.expires_at)
        held = await asyncio.gather(*(world.store.read(target) for target in policy.targets))
        return _Found(spooled, journal, version, tuple(held))

    async def _seen(self, policy: Policy, found: _Found, keys: tuple[Key, ...]) -> Snapshot:
        """What there is to decide by."""
        world = self._world
        s = Snapshot(
            policy=policy,
            keys=keys,
            journal=found.journal,
            journal_version=found.version,
            held=found.held,
            now=world.clock.now(),
            me=world.me,
            limits=world.limits,
            spooled=await self._opened(found.spooled, found.journal),
            astray=world.clock.astray,
        )
        if claims := claimed(s):
            s = replace(s, others=await self._others(s, claims))
        current = current_keys(s)
        if current:
            self._namesakes.note(policy, current[0].name)
        self._ends[policy.name] = next((key.expires_at for key in current), None)
        seen = {str(key.redacted) for key in current}
        seen |= {entry.redacted for entry in s.journal.retiring}
        return replace(s, own=True) if any(map(world.issuer.is_own, seen)) else s

    async def _others(self, s: Snapshot, claims: tuple[Key, ...]) -> frozenset[str]:
        """Those ``claims`` that may be another policy's. Its journal is newer than our listing."""
        names, found = {key.name for key in claims}, set[str]()
        for policy, name in await self._namesakes.bearing(self._world.neighbours(), names):
            if policy.name == s.policy.name:
                continue
            try:
                journal = await self._journal_of(policy)
            except (Unreadable, NotPermitted, NotFound, Rejected):
                # Whose it is stays open, so that nobody's access may depend on the answer: not
                # theirs, if we took such a key, nor ours, if we waited for them.
                found |= {key.id for key in claims if name in {None, key.name}}
            else:
                found |= of_another(s, claims, policy, journal)
        return frozenset(found)

    async def sharers(
        self, s: Snapshot, key: Key, *, since: datetime | None = None
    ) -> tuple[str, ...]:
        """The other policies that are about ``key`` as well; their consumers use it.

        ``since`` as for :meth:`keys`.

        Raises:
            RotatorError: A service was not ready to tell.
        """
        found = []
        for policy in await self._candidates(s, key):
            try:
                about = await self._is_about(policy, key, s, since)
            except (Unreadable, NotPermitted, NotFound, Rejected):
                # It can have gone on to another key by its journal alone.
                about = policy.selector.id == key.id
            found += [policy.name] if about else []
        return tuple(found)

    async def _candidates(self, s: Snapshot, key: Key) -> tuple[Policy, ...]:
        """The other policies that may be about ``key``.

        One whose key was replaced under another id since tells no more by its configuration. It is
        asked, but where ``key`` is of our own making: then it can be theirs only by its id.
        """
        policies = self._world.neighbours()
        found = {one.name: one for one in self._namesakes.giving(policies, key.id)}
        for policy, name in await self._namesakes.bearing(policies, [key.name]):
            if name is not None or not has_minted(s, key):
                found[policy.name] = policy
        found.pop(s.policy.name, None)
        return tuple(
            one for one in found.values() if not (one.leaving or _are_apart(one, s.policy))
        )

    async def _is_about(
        self, policy: Policy, key: Key, s: Snapshot, since: datetime | None
    ) -> bool:
        world, journal = self._world, await self._journal_of(policy)
        theirs = Snapshot(policy, (key,), journal, 0, (), s.now, world.me, world.limits)
        if wanted_id(theirs) is None:
            # Which one it means depends on what else there is.
            theirs = replace(theirs, keys=await self.keys(policy, journal, since=since))
        return is_about(theirs, key)

    async def _journal_of(self, policy: Policy) -> Journal:
        """The journal of another policy, which may tell what its key is called."""
        journal, _ = await self._world.store.load(policy.name)
        current = journal.current
        if current is not None and current.name and journal.selector == str(policy.selector):
            self._namesakes.note(policy, current.name)
        return journal

    async def _opened(self, spooled: tuple[Spooled, ...], journal: Journal) -> tuple[Spooled, ...]:
        """``spooled``, with the keys of those that the rotation in flight may need."""
        wanted = journal.rotation.id if journal.rotation else None
        opened = self._world.spool.opened
        return tuple([await opened(one) if one.rotation == wanted else one for one in spooled])

    async def keys(
        self, policy: Policy, journal: Journal, *, since: datetime | None = None
    ) -> tuple[Key, ...]:
        """The provider's keys that concern the policy, newer than anything the journal tells.

        Args:
            policy: Whose keys.
            journal: What is known of it.
            since: The oldest listing to trust; by default, one minute, and none from before the
                journal's last change or while a rotation is in flight.

        Raises:
            RotatorError: From the provider.
        """
        since = since or self._since(journal)
        main, ids, names = _wanted(policy, journal)
        keys: dict[str, Key] = {}
        for scope in _scopes(policy, journal, main):
            catalog = await self._listings.get(scope, since=since)
            keys |= {key.id: key for key in catalog.relevant(ids, names)}
            if main in catalog.by_id:
                break
        return await self._with_bindings(policy, tuple(keys.values()), since)

    def _since(self, journal: Journal) -> datetime:
        now = self._world.clock.now()
        return self._no_older(now if journal.rotation else now - _FRESH, journal)

    def _no_older(self, since: datetime, journal: Journal) -> datetime:
        """``since``, or when the journal was changed: by whosever clock, which may be behind."""
        if journal.changed_at is None:
            return since
        return min(max(since, journal.changed_at + SKEW), self._world.clock.now())

    async def _with_bindings(
        self, policy: Policy, keys: tuple[Key, ...], since: datetime
    ) -> tuple[Key, ...]:
        """Add what only the account-wide listing tells: a space's listing never has bindings."""
        bare = {key.id for key in keys if key.type is KeyType.SERVICE and key.bindings is None}
        if not bare or not policy.selector.space_id:
            return keys
        try:
            wide = await self._listings.get(Scope(type=KeyType.SERVICE), since=since)
        except (NotPermitted, Rejected):
            return keys
        return tuple(
            replace(key, bindings=wide.by_id[key.id].bindings)
            if key.id in bare and key.id in wide.by_id
            else key
            for key in keys
        )


def _wanted(policy: Policy, journal: Journal) -> tuple[str | None, set[str], set[str]]:
    """The id that matters most, all ids of interest, and all names."""
    rotation, current = journal.rotation, journal.current
    lineage = current.key_id if current and journal.selector == str(policy.selector) else None
    main = rotation.key_id if rotation else lineage or policy.selector.id
    ids = {main, lineage, *(entry.key_id for entry in journal.retiring)} - {None}
    # What a rotation that is over has minted may turn up when its old key is listed no more.
    names = {one.key_name for one in journal.begun}
    if policy.selector.name and main is None:
        names.add(policy.selector.name)
    return main, {key_id for key_id in ids if key_id}, names


def _scopes(policy: Policy, journal: Journal, main: str | None) -> tuple[Scope, ...]:
    """The listings that can show the key of id ``main``, the likeliest first.

    A user key that is gone is not looked for among service keys, which one may not be allowed to.
    """
    current, scopes = journal.current, policy.selector.scopes
    known = current is not None and current.key_id == main and current.type is KeyType.USER
    return scopes[:1] if known else scopes


def _are_apart(one: Policy, other: Policy) -> bool:
    """Whether their keys are in different spaces, or of different types."""
    ours, theirs = one.selector, other.selector
    spaces, types = {ours.space_id, theirs.space_id}, {ours.type, theirs.type}
    return any(len(both) > 1 and None not in both for both in (spaces, types))
