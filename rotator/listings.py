"""One listing a scope and a pass, shared by all policies that need it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rotator.keys import Key, Listing, Scope
    from rotator.ports import Clock, KeyIssuer


#: Seconds. The two clocks do not tick at the same moments.
_ROUNDING = 0.001


@dataclass(frozen=True, slots=True)
class Catalog:
    """A listing that answers by id and by name without being read through for every policy."""

    by_id: dict[str, Key] = field(default_factory=dict)
    by_name: dict[str, list[Key]] = field(default_factory=dict)

    @classmethod
    def of(cls, listing: Listing) -> Catalog:
        """Index ``listing``."""
        catalog = cls()
        for key in listing.keys:
            catalog.by_id[key.id] = key
            catalog.by_name.setdefault(key.name, []).append(key)
        return catalog

    def relevant(self, ids: Iterable[str], names: Iterable[str]) -> tuple[Key, ...]:
        """The keys of these ids, and all of the names that they or ``names`` give."""
        found = {key_id: self.by_id[key_id] for key_id in ids if key_id in self.by_id}
        for name in {*names, *(key.name for key in found.values())}:
            found.update((key.id, key) for key in self.by_name.get(name, ()))
        return tuple(found.values())


class Listings:
    """Asks the provider for the keys of a scope once, however many policies want them."""

    def __init__(self, issuer: KeyIssuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._taken: dict[Scope, tuple[float, asyncio.Task[Catalog]]] = {}

    async def get(self, scope: Scope, *, since: datetime | None = None) -> Catalog:
        """The keys of ``scope``, asked for at or after ``since`` (None: whenever).

        Raises:
            Temporary, Unauthenticated, NotPermitted, Rejected: From the provider; the next call
                asks again.
        """
        if not self.has(scope, since=since):
            task = asyncio.create_task(self._take(scope))
            # Looked at, so that one that fails after all who waited were cancelled is no complaint.
            task.add_done_callback(self._failed)
            self._taken[scope] = (self._clock.monotonic(), task)
        # Shielded: one policy that is cancelled must not take the listing from the others.
        return await asyncio.shield(self._taken[scope][1])

    def has(self, scope: Scope, *, since: datetime | None = None) -> bool:
        """Whether :meth:`get` asks for nothing: a listing as new as that is here, or on its way."""
        known = self._taken.get(scope)
        return known is not None and not (self._failed(known[1]) or self._is_old(known[0], since))

    def _is_old(self, taken_at: float, since: datetime | None) -> bool:
        """By the monotonic clock: the other one may have jumped when a listing was taken."""
        if since is None:
            return False
        most = (self._clock.now() - since).total_seconds()
        return self._clock.monotonic() - taken_at > most + _ROUNDING

    @staticmethod
    def _failed(task: asyncio.Task[Catalog]) -> bool:
        return task.done() and (task.cancelled() or task.exception() is not None)

    async def _take(self, scope: Scope) -> Catalog:
        return Catalog.of(await self._issuer.keys(scope))
