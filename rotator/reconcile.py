"""Gather, decide, act, for one policy: the same door for a crash, a restart and another replica.

Each act looks before it does anything, and whatever it does is visible to the next gather. So
there is no code for recovery here, only snapshots that look like a crash.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import facts, transitions
from rotator.backoff import polite
from rotator.decide import decide
from rotator.delivery import metadata_of
from rotator.errors import NotPermitted, Rejected, RotatorError, Temporary
from rotator.events import Event
from rotator.keys import KeyType, Scope
from rotator.model import (
    Deliver,
    Held,
    Lock,
    Locked,
    Mint,
    Promote,
    Refuse,
    Retire,
    Snapshot,
    Wait,
)
from rotator.rotation import Rotator, accepted_in_time, save
from rotator.views import current_keys

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.journal import Journal, Record
    from rotator.keys import Key
    from rotator.listings import Listings
    from rotator.model import Policy, Step
    from rotator.ports import World

#: A listing older than this is not trusted for a decision, in however long a pass.
_FRESH = timedelta(minutes=1)
#: More steps than any rotation has, so that a fault in the decisions cannot spin.
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Looked:
    """How a look at a policy ended: the last step decided, and what was done on the way."""

    step: Wait | Locked | Refuse
    snapshot: Snapshot
    rotated: bool = False


class Reconciler:
    """Looks after policies, one at a time for each; many may be looked after at once."""

    def __init__(self, world: World, listings: Listings) -> None:
        self._world = world
        self._listings = listings
        self._rotator = Rotator(world, listings)

    @property
    def undelivered(self) -> int:
        """How many keys are minted and not yet in the store, in this process."""
        return len(self._rotator.in_flight)

    async def drain(self) -> None:
        """Wait until no key is undelivered, however long that takes."""
        while self._rotator.in_flight:
            await asyncio.wait(self._rotator.in_flight)

    async def reconcile(self, policy: Policy, *, demanded: bool = False) -> Looked:
        """Do for ``policy`` what is due now.

        A cancellation is obeyed at once, except between a mint and its delivery: that goes on in
        the background, see :meth:`drain`.

        Raises:
            RotatorError: What stopped it. Whatever was begun is visible to the next look.
        """
        s = await self.gather(policy, demanded=demanded)
        rotated = False
        for _ in range(_STEPS):
            step = decide(s)
            if isinstance(step, Wait) and step.soon and step.until is not None:
                await self._world.clock.sleep(step.until - s.now)
                s = await self.gather(policy, demanded=demanded)
            elif isinstance(step, Wait | Locked | Refuse):
                return Looked(step, s, rotated)
            else:
                rotated = rotated or isinstance(step, Promote)
                demanded = demanded and not isinstance(step, Promote)
                seen = await self._act(s, step)
                s = seen or await self.gather(policy, demanded=demanded)
        raise Temporary(f"policy {policy.name} did not come to rest in {_STEPS} steps")

    async def gather(
        self, policy: Policy, *, demanded: bool = False, since: datetime | None = None
    ) -> Snapshot:
        """Look at everything a decision about ``policy`` depends on.

        Args:
            policy: What to look at.
            demanded: A person wants it rotated now.
            since: For who only looks: a listing as old as this will do, if the journal has not
                changed since. By default as for :meth:`keys`.

        Raises:
            RotatorError: From the provider or the store.
        """
        world = self._world
        # One after the other: each is newer than what it is compared with, and a journal that is
        # too old to decide by is found out by its check-and-set.
        journal, version = await world.store.load(policy.name)
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
            demanded=demanded,
        )
        own = any(world.issuer.is_own(str(key.redacted)) for key in current_keys(s))
        return replace(s, own=own)

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
        match step:
            case Lock():
                return await save(self._world, s, transitions.locked(s))
            case Mint():
                return await self._rotator.rotate(s, step)
            case Deliver():
                await self._deliver(s, step)
                return None
            case Promote():
                return await self._promote(s, step)
            case Retire():
                return await self._retire(s, step)
            case _:
                raise AssertionError(step)

    async def _deliver(self, s: Snapshot, step: Deliver) -> None:
        """Copy the key to the targets that lack it; whether that held, the next look tells."""
        world = self._world
        for held in s.held:
            if held.value != step.secret:
                metadata = metadata_of(held.target, step.key, step.secret, s.now)
                written = await world.store.write(held, step.secret, metadata)
                if isinstance(written, Held):
                    fields = facts.of_rotation(s) | facts.of_key(step.key)
                    fields |= {"target": str(held.target), "target_version": written.version}
                    world.emit(Event.KEY_DELIVERED, **fields)

    async def _promote(self, s: Snapshot, step: Promote) -> Snapshot | None:
        """Use the new key against the provider, then record the rotation as done.

        Raises:
            Rejected: The provider does not accept what it issued.
            Temporary: The provider could not be asked.
        """
        world, before = self._world, s.journal
        started = world.clock.monotonic()
        if not (s.delivery and s.delivery.proved):
            accepted = await accepted_in_time(world, step.secret)
            if accepted is None:
                raise Temporary("the provider could not be asked whether it accepts the new key")
            if not accepted:
                raise Rejected(
                    f"the store holds {step.key.redacted}, which the provider does not accept",
                    remedy="see docs/troubleshooting.md",
                )
        world.emit(
            Event.KEY_VERIFIED,
            duration_seconds=round(world.clock.monotonic() - started, 6),
            **facts.of_rotation(s),
            **facts.of_key(step.key),
        )
        if before.rotation and world.issuer.is_own(before.rotation.redacted):
            world.issuer.adopt(step.secret)
            world.emit(Event.MANAGEMENT_KEY_CHANGED, **facts.of_rotation(s), source="rotation")
        danger = s.delivery.danger_seconds if s.delivery else None
        s = replace(s, now=world.clock.now())
        done = await save(world, s, transitions.completed(s, step.key, step.secret, danger))
        if done is not None:
            self._emit_completed(s, step, done.journal.history[0])
            done = replace(done, demanded=False, delivery=None)
        return done

    async def _retire(self, s: Snapshot, step: Retire) -> Snapshot | None:
        """Revoke an old key. A failure is put off, visibly, and does not stop the rest."""
        world, entry = self._world, step.entry
        fields: dict[str, object] = {
            "policy": s.policy.name,
            "reason": step.reason.code,
            "key_id": entry.key_id,
            "redacted_key": entry.redacted,
            "rotation_id": entry.rotation,
        }
        try:
            await world.issuer.revoke(entry.key_id)
        except RotatorError as error:
            until = s.now + polite(entry.failures + 6, jitter=world.jitter())
            world.emit(Event.RETIRE_FAILED, **fields, **facts.of_error(error), retry_at=until)
            return await save(world, s, transitions.postponed(s, entry, until))
        world.emit(Event.KEY_RETIRED, **fields)
        s = replace(s, keys=tuple(key for key in s.keys if key.id != entry.key_id))
        return await save(world, s, transitions.retired(s, entry))

    def _emit_completed(self, s: Snapshot, step: Promote, record: Record) -> None:
        fields = facts.of_rotation(s) | facts.of_key(step.key)
        fields |= facts.of_grace(record.old_valid_until, record.finished_at)
        duration = (record.finished_at - record.started_at).total_seconds()
        self._world.emit(
            Event.ROTATION_REPAIRED if record.outcome == "repaired" else Event.ROTATION_COMPLETED,
            old_valid_until=record.old_valid_until,
            danger_seconds=record.danger_seconds,
            duration_seconds=round(duration, 6),
            **fields,
        )


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
