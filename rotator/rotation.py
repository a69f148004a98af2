"""The dangerous moment: between the provider's answer and the store's acknowledgement.

The new raw key is in memory only, and on this machine's disk where a spool is wanted. Nothing
stands in between that could block or fail: no other call after a refresh, no event. After a
reissue the old key is untouched and losing the new one
costs nothing, so that one is proved first: what the store holds always works.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import facts, transitions
from rotator.delivery import Deliverer, Superseded
from rotator.errors import Ambiguous, Rejected, RotatorError, Temporary
from rotator.events import Event
from rotator.flight import old_key_ends
from rotator.keys import Minted, Order
from rotator.minted import after_mint
from rotator.model import Delivery, Plan, Spooled
from rotator.origin import fresh_keys
from rotator.ports import Conflict
from rotator.strategy import privileges_differ, spooled_key_differs

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from rotator.journal import Journal, Rotation
    from rotator.keys import Key
    from rotator.listings import Listings
    from rotator.model import Held, Mint, Restore, Snapshot
    from rotator.ports import World
    from rotator.secrets import Secret

#: How often, a growing number of seconds apart, a provider may refuse its own new key.
_PROOFS = 5


class Rotator:
    """Mints and delivers. ``in_flight`` holds the tasks that have a key nobody else has."""

    def __init__(self, world: World, listings: Listings) -> None:
        self._world = world
        self._deliverer = Deliverer(world, listings)
        self.in_flight: set[asyncio.Task[Snapshot | None]] = set()

    async def rotate(self, s: Snapshot, step: Mint, *, hurried: bool) -> Snapshot | None:
        """Take the lease, write the intent, mint, deliver.

        Answers what is seen afterwards, or None when a new look must tell. So it is where we were
        held up, unless we are ``hurried``: a window may be over, or somebody else was at it.

        Raises:
            RotatorError: Nothing was minted, or what was minted was not wanted and is revoked.
        """
        world, plan = self._world, step.plan
        await world.store.preflight(s.policy.targets, budget=world.limits.retry_budget)
        self._say_unspooled(s, await world.spool.prepare())
        asked_at, now = world.clock.monotonic(), world.clock.now()
        resumed = s.journal.rotation is not None
        if now - s.now > world.limits.lease and not (resumed or hurried):
            return None
        s = replace(s, now=now)
        begun = await save(world, s, transitions.begun(s, step.reason, plan, world.new_id()))
        if begun is None:
            return None
        self._emit_begun(begun, step, resumed=resumed)
        world.seen(begun, step)
        spent = timedelta(seconds=world.clock.monotonic() - asked_at)
        if world.limits.lease - spent <= world.limits.timeout:
            await self._write_off(begun, transitions.unminted(begun))
            raise Temporary("the store took so long that the lease is almost over")
        return await self._guarded(self._mint_and_deliver(begun, plan))

    async def _guarded(self, work: Coroutine[None, None, Snapshot | None]) -> Snapshot | None:
        """Let ``work`` go on when its caller is cancelled: it may hold the only copy of a key."""
        task = asyncio.create_task(work)
        self.in_flight.add(task)
        task.add_done_callback(self._landed)
        return await asyncio.shield(task)

    def _landed(self, task: asyncio.Task[Snapshot | None]) -> None:
        self.in_flight.discard(task)
        if not task.cancelled():
            # Looked at, so that a task whose caller is gone does not complain at its collection.
            task.exception()

    async def restore(self, s: Snapshot, step: Restore) -> Snapshot | None:
        """Deliver a key that was found on this disk, with the lease in hand, if it works.

        Raises:
            Temporary: The provider could not be asked.
        """
        locked = await save(self._world, s, transitions.locked(s))
        return await self._guarded(self._restore(locked, step)) if locked else None

    async def _restore(self, s: Snapshot, step: Restore) -> Snapshot | None:
        """A new look proves and records what is delivered here."""
        world, minted = self._world, Minted(step.secret, step.key)
        accepted = await accepted_in_time(world, step.secret)
        if accepted is None:
            raise Temporary(
                "the provider could not be asked whether it accepts the key on the disk"
            )
        if not accepted or spooled_key_differs(s, step.key, step.entry):
            return await self.destroy(s, step.entry, "spooled_key_is_refused")
        try:
            held = await self._deliverer.deliver(s, minted)
        except Superseded:
            await self._give_up(s, minted)
            held = ()
        for one in (one for one in held if one.value == step.secret):
            fields = facts.of_rotation(s) | facts.of_key(step.key)
            fields |= {"target": str(one.target), "target_version": one.version}
            world.emit(Event.KEY_RESTORED, **fields)
        await self._spent(s, step.entry)
        return None

    async def destroy(self, s: Snapshot, entry: Spooled, reason: str) -> Snapshot:
        """Remove a key from this disk that is of no use. The next look tries again, if it must."""
        if await self._spent(s, entry):
            fields = {"policy": s.policy.name, "reason": reason, "rotation_id": entry.rotation}
            self._world.emit(Event.SPOOLED_KEY_DESTROYED, **fields)
        return replace(s, spooled=tuple(one for one in s.spooled if one != entry))

    async def _spent(self, s: Snapshot, entry: Spooled) -> bool:
        """Whether ``entry`` is gone from the disk now."""
        failed = await self._world.spool.destroy(entry)
        self._say_unspooled(s, failed)
        return failed is None

    async def _mint_and_deliver(self, s: Snapshot, plan: Plan) -> Snapshot | None:
        asked_at = self._world.clock.monotonic()
        try:
            minted = await self._mint(plan)
        except Ambiguous as error:
            self._emit_urgently(s, Event.MINT_AMBIGUOUS, **facts.of_error(error))
            return None
        except RotatorError as error:
            await self._write_off(s, _taken_back(s, error))
            if not isinstance(error, Temporary):
                fields = facts.of_rotation(s) | facts.of_error(error)
                self._world.emit(Event.ROTATION_FAILED, **fields)
            raise
        answered_at = self._world.clock.monotonic()
        entry = _spooled(s, minted)
        unspooled = await self._world.spool.put(entry)
        proved = False
        if plan.strategy == "reissue":
            proved = await self._prove(s, plan, minted, entry)
        try:
            held = await self._deliverer.deliver(s, minted)
        except Superseded:
            await self._give_up(s, minted)
            await self._spent(s, entry)
            return None
        danger = round(self._world.clock.monotonic() - answered_at, 6)
        seen = after_mint(s, plan, minted, held)
        new: dict[str, object] = {"redacted_key": minted.secret.redacted}
        new |= facts.of_key(seen.keys[-1]) if seen else {}
        delivered = [one for one in held if one.value == minted.secret]
        self._emit_delivered(s, new, delivered, danger, answered_at - asked_at)
        self._say_unspooled(s, unspooled)
        await self._spent(s, entry)
        return replace(seen, delivery=Delivery(danger, proved)) if seen else None

    async def _mint(self, plan: Plan) -> Minted:
        issuer, source = self._world.issuer, plan.source
        if plan.strategy == "refresh":
            return await issuer.refresh(source.id, expires_at=plan.expires_at, grace=plan.grace)
        return await issuer.create(
            Order(
                name=source.name,
                type=source.type,
                description=source.description,
                expires_at=plan.expires_at,
                bindings=plan.bindings,
            )
        )

    async def _write_off(self, s: Snapshot, journal: Journal) -> None:
        """Nothing came of a mint. Should this fail, the lease runs out and the listing tells."""
        with contextlib.suppress(RotatorError):
            await save(self._world, s, journal)

    # --- a reissued key is proved before anybody gets it ---

    async def _prove(self, s: Snapshot, plan: Plan, minted: Minted, entry: Spooled) -> bool:
        """Whether the provider has accepted the new key; False when it could not be asked.

        Raises:
            Rejected: The key is not usable, or not the same in its privileges; it is revoked.
        """
        fault = privileges_differ(plan, minted.key) if minted.key else None
        accepted = None if fault else await self._asked(minted.secret)
        if accepted is False:
            fault = "the provider does not accept the key it has just issued"
        if fault is None:
            return bool(accepted)
        error = Rejected(fault, remedy="the old key stays in place; see docs/runbook.md")
        fields = facts.of_rotation(s) | facts.of_error(error)
        self._world.emit(Event.KEY_REFUSED, **fields)
        await self._write_off(s, transitions.refused(s, minted.key, error))
        await self._spent(s, entry)
        raise error

    async def _asked(self, secret: Secret) -> bool | None:
        """As :func:`accepted_in_time`, and whatever goes wrong there does not cost the key."""
        try:
            return await accepted_in_time(self._world, secret)
        except Exception:  # noqa: BLE001 - nobody else has this key
            return None

    async def _give_up(self, s: Snapshot, minted: Minted) -> None:
        """Another key won: ours is an orphan, unless the two share their id.

        It is left to the retirement, which looks whether anybody uses it after all.
        """
        rotation, orphan = s.journal.rotation, minted.key
        self._world.emit(Event.ROTATION_SUPERSEDED, **facts.of_rotation(s))
        if orphan is not None and rotation is not None:
            await disown(self._world, s, rotation, orphan)

    # --- events ---

    def _emit_begun(self, s: Snapshot, step: Mint, *, resumed: bool) -> None:
        rotation = s.journal.rotation
        fields = facts.of_key(step.plan.source)
        fields |= {"grace_seconds": step.plan.grace, "new_expires_at": step.plan.expires_at}
        if resumed and rotation is not None:
            fields |= {"reason": step.reason.code, "attempt": len(rotation.mints)}
            self._emit_urgently(s, Event.ROTATION_RESUMED, **fields)
        else:
            self._world.emit(Event.ROTATION_STARTED, **facts.of_rotation(s) | fields)

    def _emit_urgently(self, s: Snapshot, event: Event, **fields: object) -> None:
        """With a level that rises as the old key's grace runs out: whoever lost a key may again."""
        now, ends = self._world.clock.now(), old_key_ends(s)
        level = facts.urgency(ends - now if ends else None, s.policy.grace)
        fields = facts.of_rotation(s) | facts.of_grace(ends, now) | fields
        self._world.emit(event, level=level, **fields)

    def _emit_delivered(
        self,
        s: Snapshot,
        new: dict[str, object],
        held: Iterable[Held],
        danger: float,
        minting: float,
    ) -> None:
        fields = facts.of_rotation(s) | facts.of_grace(old_key_ends(s), self._world.clock.now())
        fields |= new
        self._world.emit(Event.KEY_MINTED, duration_seconds=round(minting, 6), **fields)
        for one in held:
            self._world.emit(
                Event.KEY_DELIVERED,
                target=str(one.target),
                target_version=one.version,
                danger_seconds=danger,
                **fields,
            )

    def _say_unspooled(self, s: Snapshot, error: RotatorError | None) -> None:
        if error is not None:
            fields = facts.of_rotation(s) | facts.of_error(error)
            self._world.emit(Event.SPOOL_FAILED, **fields)


def _spooled(s: Snapshot, minted: Minted) -> Spooled:
    """``minted`` as it goes to the disk. Relies on its intent."""
    rotation = s.journal.rotation
    if rotation is None:
        raise AssertionError(minted)
    return Spooled(s.policy.name, rotation.id, len(rotation.mints), minted.secret)


def _taken_back(s: Snapshot, error: RotatorError) -> Journal:
    """A rotation of which nothing came goes on as long as there is hope that it can.

    A mint before this one that left no trace is none: it may be one that could not be taken back.
    """
    rotation = s.journal.rotation
    if isinstance(error, Temporary):
        return transitions.unminted(s)
    if rotation is not None and len(rotation.mints) > 1 and not fresh_keys(s):
        return transitions.refused(s, None, error)
    return transitions.declined(s, error)


async def disown(world: World, s: Snapshot, rotation: Rotation, key: Key) -> None:
    """Have ``key`` revoked once nobody uses it, if ``rotation`` ended without it.

    Not one that shares its id with the old key. Where others carry the rotation on, its end tells
    what is to leave: until then they may need the key, to mint from.
    """
    if key.id == rotation.key_id:
        return
    with contextlib.suppress(RotatorError):
        journal, version = await world.store.load(s.policy.name)
        if journal.rotation is not None and journal.rotation.id == rotation.id:
            return
        s = replace(s, journal=journal, journal_version=version, now=world.clock.now())
        after = transitions.abandoned(s, rotation, key)
        if after != journal:
            await save(world, s, after)


async def save(world: World, s: Snapshot, journal: Journal) -> Snapshot | None:
    """Write the journal; None when somebody else wrote first."""
    version = await world.store.save(s.policy.name, journal, s.journal_version)
    if isinstance(version, Conflict):
        return None
    return replace(s, journal=journal, journal_version=version, now=world.clock.now())


async def accepted_in_time(world: World, secret: Secret) -> bool | None:
    """Whether the provider accepts ``secret``, given time to spread; None: nobody could tell."""
    for attempt in range(1, _PROOFS + 1):
        try:
            if await world.issuer.accepts(secret):
                return True
        except Temporary:
            return None
        if attempt < _PROOFS:
            await world.clock.sleep(timedelta(seconds=attempt))
    return False
