"""rotator in this process: for what is too short to be seen from the outside."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rotator.events import Event
from rotator.listings import Listings
from rotator.reconcile import Reconciler
from rotator.runner import Ending, Runner
from rotator.settings import load
from rotator.wiring import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.stage import Keys
    from rotator.model import Policy
    from rotator.ports import World
    from rotator.settings import Settings


class Inside:
    """Rotates one policy at a time. ``danger`` has the seconds that each new key was in danger."""

    def __init__(self, world: World, settings: Settings, danger: list[float]) -> None:
        self._world = world
        self.policies: list[Policy] = list(settings.policies)
        self.danger = danger

    async def rotate(self, policy: Policy) -> None:
        """A look with a listing of its own, which finds the key due.

        Raises:
            RuntimeError: It did not end well.
        """
        reconciler = Reconciler(self._world, Listings(self._world.issuer, self._world.clock))
        result = await Runner(self._world, reconciler, concurrency=1).look(policy)
        if result.ending is not Ending.WELL or not result.rotated:
            raise RuntimeError(f"{policy.name}: {result.ending}")


@asynccontextmanager
async def inside(keys: Keys) -> AsyncIterator[Inside]:
    """The same program over ``keys``, connected."""
    environ, danger = keys.environ, list[float]()

    def heard(event: Event, /, **fields: object) -> None:
        if event is Event.KEY_DELIVERED:
            danger.append(float(str(fields["danger_seconds"])))

    settings = load([keys.config()], environ)
    async with connected(settings, heard, environ=environ) as services:
        yield Inside(services.world, settings, danger)
