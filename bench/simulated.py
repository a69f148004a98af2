"""Both services in memory: what is left is rotator's own work."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rotator import journal as journals
from rotator.journal import Journal
from rotator.keys import Key, Listing, Minted, Order, Scope
from rotator.listings import Listings
from rotator.model import Held, Limits, Policy, Selector, Target
from rotator.ports import Conflict, World
from rotator.reconcile import Reconciler
from rotator.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from rotator.ports import Clock, Emit

DAY = timedelta(days=1)


class Issuer:
    """Keys that never fail. The last secret of each is its only one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._serial = 0
        self.rotations = 0

    def seed(self, name: str, *, age: timedelta, expires_at: datetime | None) -> Secret:
        """A key, and its secret."""
        secret, born_at = self._secret(), self._clock.now() - age
        self._keys[name] = Key(
            name, name, secret.redacted, created_at=born_at, expires_at=expires_at
        )
        return secret

    async def keys(self, _: Scope) -> Listing:
        """All, page by page."""
        for _page in range(0, len(self._keys), 100):
            await asyncio.sleep(0)
        return Listing(tuple(self._keys.values()), self._clock.now())

    async def admit(self) -> bool:
        """At once."""
        return False

    async def create(self, order: Order) -> Minted:
        """Not needed."""
        raise NotImplementedError(order)

    async def refresh(
        self, key_id: str, *, expires_at: datetime | None, grace: timedelta
    ) -> Minted:
        """The same key with another secret."""
        del grace
        await asyncio.sleep(0)
        secret = self._secret()
        self._keys[key_id] = replace(
            self._keys[key_id],
            redacted=secret.redacted,
            created_at=self._clock.now(),
            expires_at=expires_at,
        )
        self.rotations += 1
        return Minted(secret, self._keys[key_id])

    async def revoke(self, key_id: str) -> bool:
        """Not needed."""
        raise NotImplementedError(key_id)

    async def accepts(self, _: Secret) -> bool:
        """Always."""
        await asyncio.sleep(0)
        return True

    async def depends_on(self, _: str) -> bool:
        """No: it works with a key of its own."""
        return False

    def is_own(self, _: str) -> bool:
        """Never."""
        return False

    def adopt(self, secret: Secret) -> None:
        """Not needed."""
        raise NotImplementedError(secret)

    def _secret(self) -> Secret:
        self._serial += 1
        return Secret(f"ak-{self._serial:025d}{self._serial:025d}")


class Store:
    """A dictionary with check-and-set."""

    def __init__(self, folder: Path | None) -> None:
        self._held: dict[str, Held] = {}
        self._versions: Counter[str] = Counter()
        #: Where journals are, because what a store takes is not what rotator takes.
        self._folder = folder

    def put(self, target: Target, secret: Secret) -> None:
        """What ``target`` holds."""
        self._held[target.path] = Held(target, secret, 1)

    async def preflight(self, *_: object, **__: object) -> None:
        """All is well."""
        await asyncio.sleep(0)

    async def lacking(self, places: Sequence[object], **_: object) -> list[None]:
        """Nothing is."""
        return [None] * len(places)

    async def read(self, target: Target) -> Held:
        """What ``target`` holds."""
        await asyncio.sleep(0)
        return self._held[target.path]

    async def write(self, held: Held, secret: Secret, _: Mapping[str, str]) -> Held | Conflict:
        """Nobody else does."""
        await asyncio.sleep(0)
        new = replace(held, value=secret, version=held.version + 1)
        self._held[held.target.path] = new
        return new

    async def former(self, *_: Any) -> None:
        """Not kept."""

    async def load(self, policy: str) -> tuple[Journal, int]:
        """The journal."""
        await asyncio.sleep(0)
        version = self._versions[policy]
        if self._folder is None or not version:
            return Journal(), version
        text = (self._folder / policy).read_text(encoding="utf-8")
        return journals.decode(json.loads(text), place=policy), version

    async def save(self, policy: str, journal: Journal, version: int) -> int | Conflict:
        """Nobody else does."""
        await asyncio.sleep(0)
        if self._folder is None:
            raise NotImplementedError(policy)
        text = json.dumps(journals.encode(journal))
        (self._folder / policy).write_text(text, encoding="utf-8")
        self._versions[policy] = version + 1
        return version + 1

    async def close(self) -> None:
        """Nothing to let go of."""


def simulated(  # noqa: PLR0913 - a world, and the rules in it
    clock: Clock,
    emit: Emit,
    count: int,
    *,
    age: timedelta,
    left: timedelta | None,
    folder: Path | None = None,
    **rules: Any,
) -> tuple[World, Reconciler, list[Policy], Issuer]:
    """A world with so many keys, and a policy for each."""
    issuer, store, policies = Issuer(clock), Store(folder), []
    numbers = iter(range(1 << 60))
    for number in range(count):
        target = Target(f"apps/{number}", "api_key")
        expires_at = clock.now() + left if left else None
        store.put(target, issuer.seed(f"key-{number}", age=age, expires_at=expires_at))
        grace = timedelta(minutes=10)
        selector = Selector(id=f"key-{number}")
        policies.append(Policy(f"key-{number}", selector, (target,), grace, **rules))
    world = World(
        issuer=issuer,
        store=store,
        clock=clock,
        emit=emit,
        limits=Limits(),
        me="bench",
        new_id=lambda: f"{next(numbers):016x}",
        jitter=lambda: 0.5,
    )
    return world, Reconciler(world, Listings(issuer, clock)), policies, issuer


class Lag:
    """How late the loop is, every few milliseconds."""

    def __init__(self) -> None:
        self.late: deque[float] = deque()

    async def watch(self, period: float = 0.005) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + period
            await asyncio.sleep(period)
            self.late.append(loop.time() - due)
