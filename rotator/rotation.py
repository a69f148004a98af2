"""The dangerous moment: between the provider's answer and the store's acknowledgement.

The new raw key is in memory only. Nothing stands in between that could block or fail: no other
call after a refresh, no event. After a reissue the old key is untouched and losing the new one
costs nothing, so that one is proved first: what the store holds always works.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import facts, transitions
from rotator.backoff import urgent
from rotator.errors import Ambiguous, Rejected, RotatorError, Temporary
from rotator.events import Event
from rotator.keys import Order
from rotator.model import Delivery, Held, Plan
from rotator.ports import Conflict
from rotator.strategy import privileges_differ

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime

    from rotator.journal import Journal
    from rotator.keys import Key, Minted
    from rotator.listings import Listings
    from rotator.model import Mint, Snapshot, Target
    from rotator.ports import World
    from rotator.secrets import Secret

#: How often, a growing number of seconds apart, a provider may refuse its own new key.
_PROOFS = 5


class Superseded(Exception):
    """Somebody delivered a newer key while we held ours."""


class Rotator:
    """Mints and delivers. ``in_flight`` holds the tasks that have a key nobody else has."""

    def __init__(self, world: World, listings: Listings) -> None:
        self._world = world
        self._listings = listings
        self.in_flight: set[asyncio.Task[Snapshot | None]] = set()

    async def rotate(self, s: Snapshot, step: Mint) -> Snapshot | None:
        """Take the lease, write the intent, mint, deliver.

        Answers what is seen afterwards, or None when a new look must tell.

        Raises:
            RotatorError: Nothing was minted, or what was minted was not wanted and is revoked.
        """
        world, plan = self._world, step.plan
        await world.store.preflight(s.policy.targets, budget=world.limits.retry_budget)
        asked_at = world.clock.monotonic()
        resumed = s.journal.rotation is not None
        s = replace(s, now=world.clock.now())
        begun = await save(world, s, transitions.begun(s, step.reason, plan, world.new_id()))
        if begun is None:
            return None
        self._emit_begun(begun, step, resumed=resumed)
        spent = timedelta(seconds=world.clock.monotonic() - asked_at)
        if world.limits.lease - spent <= world.limits.timeout:
            await self._unminted(begun)
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

    async def _mint_and_deliver(self, s: Snapshot, plan: Plan) -> Snapshot | None:
        asked_at = self._world.clock.monotonic()
        try:
            minted = await self._mint(plan)
        except Ambiguous as error:
            emit = self._world.emit
            emit(Event.MINT_AMBIGUOUS, **facts.of_rotation(s), **facts.of_error(error))
            return None
        except RotatorError as error:
            await self._unminted(s)
            if not isinstance(error, Temporary):
                fields = facts.of_rotation(s) | facts.of_error(error)
                self._world.emit(Event.ROTATION_FAILED, **fields)
            raise
        answered_at = self._world.clock.monotonic()
        proved = False
        if plan.strategy == "reissue":
            proved = await self._prove(s, plan, minted)
        try:
            held = await self._deliver(s, minted)
        except Superseded:
            await self._give_up(s, minted)
            return None
        danger = round(self._world.clock.monotonic() - answered_at, 6)
        seen = transitions.after_mint(s, plan, minted, held)
        self._emit_delivered(seen or s, held, danger, answered_at - asked_at)
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

    async def _unminted(self, s: Snapshot) -> None:
        """Take the intent back. Should this fail, the lease runs out and the listing tells."""
        with contextlib.suppress(RotatorError):
            await save(self._world, s, transitions.unminted(s))

    # --- a reissued key is proved before anybody gets it ---

    async def _prove(self, s: Snapshot, plan: Plan, minted: Minted) -> bool:
        """Whether the provider has accepted the new key; False when it could not be asked.

        Raises:
            Rejected: The key is not usable, or not the same in its privileges; it is revoked.
        """
        fault = privileges_differ(plan, minted.key) if minted.key else None
        accepted = None if fault else await accepted_in_time(self._world, minted.secret)
        if accepted is False:
            fault = "the provider does not accept the key it has just issued"
        if fault is None:
            return bool(accepted)
        error = Rejected(fault, remedy="the old key stays in place; see docs/troubleshooting.md")
        fields = facts.of_rotation(s) | facts.of_error(error)
        self._world.emit(Event.KEY_REFUSED, **fields)
        with contextlib.suppress(RotatorError):
            await save(self._world, s, transitions.refused(s, minted.key))
        raise error

    # --- delivery ---

    async def _deliver(self, s: Snapshot, minted: Minted) -> tuple[Held, ...]:
        """Put the key into all targets, for as long as it takes.

        Once one target has it the key is safe, and the others may be left to the next look.
        """
        if len(s.held) == 1:
            return (await self._deliver_to(s, minted, s.held[0], asyncio.Event()),)
        safe = asyncio.Event()
        ends = await asyncio.gather(
            *(self._deliver_to(s, minted, held, safe) for held in s.held), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return tuple(end for end in ends if isinstance(end, Held))

    async def _deliver_to(
        self, s: Snapshot, minted: Minted, held: Held, safe: asyncio.Event
    ) -> Held:
        world = self._world
        metadata = metadata_of(held.target, minted.key, minted.secret, s.now)
        began_at, attempt = world.clock.monotonic(), 0
        while True:
            try:
                written = await world.store.write(held, minted.secret, metadata)
                if isinstance(written, Held):
                    safe.set()
                    return written
                held = await self._contested(s, minted, held)
            except Superseded:
                raise
            except Exception as error:  # noqa: BLE001 - nobody else has this key
                attempt += 1
                spent = timedelta(seconds=world.clock.monotonic() - began_at)
                if safe.is_set() and spent > world.limits.retry_budget:
                    return held
                await self._wait_urgently(s, held, error, attempt)

    async def _contested(self, s: Snapshot, minted: Minted, held: Held) -> Held:
        """Somebody else wrote the secret. What to write over next.

        Raises:
            Superseded: They carried our rotation on while we were held up, and theirs is the key.
        """
        found = await self._world.store.read(held.target)
        if found.value in {held.value, minted.secret, None}:
            return found
        if await self._is_ours(s) or await self._replaced_theirs(s, minted):
            return found
        raise Superseded

    async def _is_ours(self, s: Snapshot) -> bool:
        """Whether the journal still has us as the one who delivers: of two, one must give way."""
        journal, _ = await self._world.store.load(s.policy.name)
        rotation, begun = journal.rotation, s.journal.rotation
        if rotation is None or begun is None or rotation.id != begun.id:
            return False
        return rotation.mints[-1:] == begun.mints[-1:]

    async def _replaced_theirs(self, s: Snapshot, minted: Minted) -> bool:
        """Whether the two keys share an id, and ours is the one that goes on."""
        rotation, since = s.journal.rotation, self._world.clock.now()
        for scope in s.policy.selector.scopes:
            catalog = await self._listings.get(scope, since=since)
            shown = catalog.by_id.get(rotation.key_id) if rotation else None
            if shown is not None:
                return shown.redacted.matches(minted.secret)
        return False

    async def _wait_urgently(self, s: Snapshot, held: Held, error: Exception, attempt: int) -> None:
        world = self._world
        if not isinstance(error, RotatorError):
            error = Temporary(f"{type(error).__name__} in the store's adapter", remedy="report it")
        now, deadline = world.clock.now(), facts.old_key_ends(s)
        left = None if deadline is None else deadline - now
        fields = facts.of_rotation(s) | facts.of_error(error) | facts.of_grace(deadline, now)
        level = facts.urgency(left, s.policy.grace)
        world.emit(
            Event.DELIVERY_FAILED, level=level, target=str(held.target), attempt=attempt, **fields
        )
        await world.clock.sleep(urgent(attempt, left=left, jitter=world.jitter()))

    async def _give_up(self, s: Snapshot, minted: Minted) -> None:
        """Another key won: ours is an orphan, unless the two share their id.

        It is left to the retirement, which looks whether anybody uses it after all.
        """
        rotation, orphan = s.journal.rotation, minted.key
        self._world.emit(Event.ROTATION_SUPERSEDED, **facts.of_rotation(s))
        if orphan is None or rotation is None or orphan.id == rotation.key_id:
            return
        with contextlib.suppress(RotatorError):
            journal, version = await self._world.store.load(s.policy.name)
            s = replace(s, journal=journal, journal_version=version, now=self._world.clock.now())
            await save(self._world, s, transitions.abandoned(s, rotation, orphan))

    # --- events ---

    def _emit_begun(self, s: Snapshot, step: Mint, *, resumed: bool) -> None:
        rotation = s.journal.rotation
        fields = facts.of_rotation(s) | facts.of_key(step.plan.source)
        fields |= {"grace_seconds": step.plan.grace, "new_expires_at": step.plan.expires_at}
        if resumed and rotation is not None:
            fields |= {"reason": step.reason.code, "attempt": len(rotation.mints)}
        self._world.emit(Event.ROTATION_RESUMED if resumed else Event.ROTATION_STARTED, **fields)

    def _emit_delivered(
        self, s: Snapshot, held: tuple[Held, ...], danger: float, minting: float
    ) -> None:
        fields = facts.of_rotation(s) | facts.of_grace(
            facts.old_key_ends(s), self._world.clock.now()
        )
        if s.keys:
            fields |= facts.of_key(s.keys[-1])
        self._world.emit(Event.KEY_MINTED, duration_seconds=round(minting, 6), **fields)
        for one in held:
            self._world.emit(
                Event.KEY_DELIVERED,
                target=str(one.target),
                target_version=one.version,
                danger_seconds=danger,
                **{name: value for name, value in fields.items() if name != "grace_deadline"},
            )


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


def metadata_of(target: Target, key: Key | None, secret: Secret, now: datetime) -> dict[str, str]:
    """The sibling fields that the policy wants beside the key."""
    known = {
        "name": key.name if key else "",
        "key_id": key.id if key else "",
        "expires_at": key.expires_at.isoformat() if key and key.expires_at else "never",
        "redacted_key": str(secret.redacted),
        "rotated_at": now.isoformat(timespec="seconds"),
    }
    return {place: known[fact] for fact, place in target.metadata.items()}
