"""Gather, decide, act, for one policy: the same door for a crash, a restart and another replica.

Each act looks before it does anything, and whatever it does is visible to the next gather. So
there is no code for recovery here, only snapshots that look like a crash.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import transitions
from rotator.completion import Finisher
from rotator.decide import decide
from rotator.errors import NotPermitted, Rejected, Temporary
from rotator.keys import KeyType, Scope
from rotator.model import (
    Deliver,
    Destroy,
    Lock,
    Locked,
    Mint,
    Notify,
    Promote,
    Refuse,
    Restore,
    Retire,
    Snapshot,
    Wait,
)
from rotator.rotation import Rotator, save
from rotator.views import current_keys

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.journal import Current, Journal
    from rotator.keys import Key
    from rotator.listings import Listings
    from rotator.model import Policy, Spooled, Step
    from rotator.ports import World

#: A listing older than this is not trusted for a decision, in however long a pass.
_FRESH = timedelta(minutes=1)
#: More steps than any rotation has, so that a fault in the decisions cannot spin.
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Looked:
    """How a look at a policy ended: the last step decided, and what was done on the way.

    :class:`~rotator.model.Notify` is for the caller to act on: it takes its time, and no key needs
    it.
    """

    step: Wait | Locked | Refuse | Notify
    snapshot: Snapshot
    rotated: bool = False


@dataclass(slots=True)
class Demand:
    """A person wants a key replaced, once: the one that is current at the first look.

    Whoever records a rotation after that has met it, in however many looks, and whoever began it.
    """

    _before: Current | None = None
    _seen: bool = False

    def stands(self, journal: Journal) -> bool:
        """Whether nobody has met it yet; ``journal`` is the latest."""
        if not self._seen:
            self._before, self._seen = journal.current, True
        return journal.current == self._before


class Reconciler:
    """Looks after policies, one at a time for each; many may be looked after at once."""

    def __init__(self, world: World, listings: Listings) -> None:
        self._world = world
        self._listings = listings
        self._rotator = Rotator(world, listings)
        self._finisher = Finisher(world)
        #: By policy: how often a new key was found in the store, even if the look ends by an error.
        self.promoted: Counter[str] = Counter()
        self._ends: dict[str, datetime | None] = {}

    @property
    def undelivered(self) -> int:
        """How many keys are minted and not yet in the store, in this process."""
        return len(self._rotator.in_flight)

    def left(self, policy: Policy) -> timedelta | None:
        """How long the policy's key works yet, by the last look; None: no end is known."""
        ends = self._ends.get(policy.name)
        return None if ends is None else ends - self._world.clock.now()

    async def drain(self) -> None:
        """Wait until no key is undelivered, however long that takes."""
        while self._rotator.in_flight:
            await asyncio.wait(self._rotator.in_flight)

    async def reconcile(
        self, policy: Policy, *, demand: Demand | None = None, seen: Snapshot | None = None
    ) -> Looked:
        """Do for ``policy`` what is due now; ``seen`` is what was seen a moment ago, if anything.

        A cancellation is obeyed at once, except between a mint and its delivery: that goes on in
        the background, see :meth:`drain`.

        Raises:
            RotatorError: What stopped it. Whatever was begun is visible to the next look.
        """
        s = seen or await self.gather(policy)
        rotated, admitted = False, False
        for _ in range(_STEPS):
            demanded = demand is not None and demand.stands(s.journal)
            step = decide(replace(s, demanded=True) if demanded else s)
            if isinstance(step, Wait) and step.soon and step.until is not None:
                await self._world.clock.sleep(step.until - s.now)
                s = await self.gather(policy)
            elif isinstance(step, Wait | Locked | Refuse | Notify):
                return Looked(step, s, rotated)
            elif isinstance(step, Mint) and not admitted and await self._waited(s):
                # What was seen is old by now.
                admitted, s = True, await self.gather(policy)
            else:
                admitted = admitted and not isinstance(step, Mint)
                rotated = rotated or isinstance(step, Promote)
                self.promoted[policy.name] += isinstance(step, Promote)
                seen = await self._act(s, step)
                s = seen or await self.gather(policy)
        raise Temporary(f"policy {policy.name} did not come to rest in {_STEPS} steps")

    async def _waited(self, s: Snapshot) -> bool:
        """Wait until a mint is due by the rate of requests; whether that took time.

        What is in flight has waited already: the grace of an old key may be running.
        """
        return s.journal.rotation is None and await self._world.issuer.admit()

    async def gather(self, policy: Policy, *, since: datetime | None = None) -> Snapshot:
        """Look at everything a decision about ``policy`` depends on.

        Args:
            policy: What to look at.
            since: For who only looks: a listing as old as this will do, if the journal has not
                changed since. By default as for :meth:`keys`.

        Raises:
            RotatorError: From the provider or the store.
        """
        world = self._world
        # One after the other: each is newer than what it is compared with, and a journal that is
        # too old to decide by is found out by its check-and-set.
        spooled = await world.spool.find(policy.name)
        journal, version = await world.store.load(policy.name)
        if journal.current is not None:
            self._ends.setdefault(policy.name, journal.current.expires_at)
        held = await asyncio.gather(*(world.store.read(target) for target in policy.targets))
        if since is not None and journal.changed_at is not None:
            since = min(max(since, journal.changed_at), world.clock.now())
        keys = await self.keys(policy, journal, since=since)
        s = Snapshot(
            policy=policy,
            keys=keys,
            journal=journal,
            journal_version=version,
            held=tuple(held),
            now=world.clock.now(),
            me=world.me,
            limits=world.limits,
            spooled=await self._opened(spooled, journal),
        )
        found = current_keys(s)
        self._ends[policy.name] = next((key.expires_at for key in found), None)
        own = any(world.issuer.is_own(str(key.redacted)) for key in found)
        return replace(s, own=True) if own else s

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
        now = self._world.clock.now()
        if since is None:
            since = now if journal.rotation else now - _FRESH
            if journal.changed_at is not None:
                since = min(max(since, journal.changed_at), now)
        main, ids, names = _wanted(policy, journal)
        keys: dict[str, Key] = {}
        for scope in policy.selector.scopes:
            catalog = await self._listings.get(scope, since=since)
            keys |= {key.id: key for key in catalog.relevant(ids, names)}
            if main in catalog.by_id:
                break
        return await self._with_bindings(policy, tuple(keys.values()), since)

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

    async def _act(self, s: Snapshot, step: Step) -> Snapshot | None:
        """Carry out ``step``; what is seen afterwards, or None when a new look must tell."""
        rotator = self._rotator
        match step:
            case Lock():
                seen = await save(self._world, s, transitions.locked(s))
            case Mint():
                seen = await rotator.rotate(s, step)
            case Restore():
                seen = await rotator.restore(s, step)
            case Destroy():
                seen = await rotator.destroy(s, step.entry, step.reason.code)
            case Deliver():
                seen = await self._finisher.copy(s, step)
            case Promote():
                seen = await self._finisher.promote(s, step)
            case Retire():
                seen = await self._finisher.retire(s, step)
            case _:
                raise AssertionError(step)
        return seen


def _wanted(policy: Policy, journal: Journal) -> tuple[str | None, set[str], set[str]]:
    """The id that matters most, all ids of interest, and all names."""
    rotation, current = journal.rotation, journal.current
    lineage = current.key_id if current and journal.selector == str(policy.selector) else None
    main = rotation.key_id if rotation else lineage or policy.selector.id
    ids = {main, lineage, *(entry.key_id for entry in journal.retiring)} - {None}
    names = {rotation.key_name} if rotation else set()
    if policy.selector.name and main is None:
        names.add(policy.selector.name)
    return main, {key_id for key_id in ids if key_id}, names
