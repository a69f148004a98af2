"""What ``plan``, ``status`` and ``check`` share: a look that writes nothing, anywhere."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from rotator.commands.common import counting, quietly
from rotator.errors import RotatorError
from rotator.neighbours import shared
from rotator.views import current_keys
from rotator.wiring import connected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from rotator.gathering import Gatherer
    from rotator.model import Policy, Refuse, Snapshot
    from rotator.settings import Settings

T = TypeVar("T")


async def looked(
    settings: Settings,
    policies: Sequence[Policy],
    seen: Callable[[Snapshot, Mapping[str, Refuse]], T],
    unseen: Callable[[str, RotatorError], T],
) -> list[T]:
    """A row for each of ``policies``, in their order, from one listing of each scope.

    Args:
        settings: What to connect.
        policies: What to look at.
        seen: Makes a row of a snapshot, and of its keys that other policies are about too.
        unseen: Makes a row of a policy's name and what hindered the look at it.
    """
    async with connected(settings, quietly) as services:
        gatherer = services.reconciler.gatherer
        slots = asyncio.Semaphore(settings.run.concurrency)
        begun_at = services.world.clock.now()

        async def one(policy: Policy, step: Callable[[], None]) -> T:
            async with slots:
                try:
                    s = await gatherer.gather(policy, since=begun_at)
                    return seen(s, await shared_keys(gatherer, s, since=begun_at))
                except RotatorError as error:
                    return unseen(policy.name, error)
                finally:
                    step()

        with counting("looking", len(policies)) as step:
            return await asyncio.gather(*(one(policy, step) for policy in policies))


async def shared_keys(gatherer: Gatherer, s: Snapshot, *, since: datetime) -> dict[str, Refuse]:
    """By id, the keys of ``s`` that another policy is about as well: its own, and those to go.

    A key of which nobody can tell at the moment is left out. A listing as old as ``since`` will do.
    """
    leaving = {entry.key_id for entry in s.journal.retiring}
    found: dict[str, Refuse] = {}
    for key in (*current_keys(s), *(key for key in s.keys if key.id in leaving)):
        with suppress(RotatorError):
            names = await gatherer.sharers(s, key, since=since)
            if names:
                found[key.id] = shared(key, names)
    return found
