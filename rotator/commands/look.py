"""What ``plan`` and ``status`` share: a look at many policies that writes nothing, anywhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from rotator.commands.common import counting, quietly
from rotator.errors import RotatorError
from rotator.wiring import connected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rotator.model import Policy, Snapshot
    from rotator.settings import Settings

T = TypeVar("T")


async def looked(
    settings: Settings,
    policies: Sequence[Policy],
    seen: Callable[[Snapshot], T],
    unseen: Callable[[str, RotatorError], T],
) -> list[T]:
    """A row for each of ``policies``, in their order, from one listing of each scope.

    Args:
        settings: What to connect.
        policies: What to look at.
        seen: Makes a row of a snapshot.
        unseen: Makes a row of a policy's name and what hindered the look at it.
    """
    async with connected(settings, quietly) as services:
        slots = asyncio.Semaphore(settings.run.concurrency)
        begun_at = services.world.clock.now()

        async def one(policy: Policy, step: Callable[[], None]) -> T:
            async with slots:
                try:
                    return seen(await services.reconciler.gatherer.gather(policy, since=begun_at))
                except RotatorError as error:
                    return unseen(policy.name, error)
                finally:
                    step()

        with counting("looking", len(policies)) as step:
            return await asyncio.gather(*(one(policy, step) for policy in policies))
