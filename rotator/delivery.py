"""Delivery: a key that nobody else has goes into the store, for as long as that takes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import facts
from rotator.backoff import urgent
from rotator.errors import RotatorError, Temporary
from rotator.events import Event
from rotator.flight import old_key_ends
from rotator.model import Held

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.keys import Key, Minted
    from rotator.listings import Listings
    from rotator.model import Snapshot, Target
    from rotator.ports import World
    from rotator.secrets import Secret


class Superseded(Exception):
    """Somebody delivered a newer key while we held ours."""


class Deliverer:
    """Writes a minted key to the targets of its policy."""

    def __init__(self, world: World, listings: Listings) -> None:
        self._world = world
        self._listings = listings

    async def deliver(self, s: Snapshot, minted: Minted) -> tuple[Held, ...]:
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
        if found.value == minted.secret:
            return found
        journal, _ = await self._world.store.load(s.policy.name)
        rotation, begun = journal.rotation, s.journal.rotation
        # Once it is over, what was there before may be there again: somebody has put it back.
        if rotation is not None and begun is not None and rotation.id == begun.id:
            untouched = found.value in {held.value, None}
            # Of two who deliver one must give way: the latest to mint does not.
            if untouched or rotation.mints[-1:] == begun.mints[-1:]:
                return found
        if await self._replaced_theirs(s, minted, found):
            return found
        raise Superseded

    async def _replaced_theirs(self, s: Snapshot, minted: Minted, found: Held) -> bool:
        """Whether the two keys share an id, and ours is the one that goes on."""
        rotation, since = s.journal.rotation, self._world.clock.now()
        for scope in s.policy.selector.scopes:
            catalog = await self._listings.get(scope, since=since)
            shown = catalog.by_id.get(rotation.key_id) if rotation else None
            if shown is not None:
                others = catalog.relevant((), {shown.name})
                theirs = any(key.redacted.matches(found.value) for key in others)
                return not theirs and shown.redacted.matches(minted.secret)
        return False

    async def _wait_urgently(self, s: Snapshot, held: Held, error: Exception, attempt: int) -> None:
        world = self._world
        if not isinstance(error, RotatorError):
            error = Temporary(f"{type(error).__name__} in the store's adapter", remedy="report it")
        now, deadline = world.clock.now(), old_key_ends(s)
        left = None if deadline is None else deadline - now
        fields = facts.of_rotation(s) | facts.of_error(error) | facts.of_grace(deadline, now)
        level = facts.urgency(left, s.policy.grace)
        world.emit(
            Event.DELIVERY_FAILED, level=level, target=str(held.target), attempt=attempt, **fields
        )
        await world.clock.sleep(urgent(attempt, left=left, jitter=world.jitter()))


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
