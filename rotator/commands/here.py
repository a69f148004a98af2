"""What this machine lacks for the time around a delivery: spool, files and hooks. Writes nothing.

Asked online only: a configuration is often checked where it will not be used, on a machine that has
none of the volumes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rotator import readiness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.afterwards import Hook, Sink
    from rotator.ports import World
    from rotator.readiness import Finding


async def around(world: World, policy: str) -> list[Finding]:
    """What keeps files from being written, and hooks from being told. The disk may be slow."""
    return await asyncio.to_thread(lambda: list(_around(world, policy)))


def _around(world: World, policy: str) -> Iterator[Finding]:
    sinks = world.sinks.get(policy, ())
    parts: list[tuple[str, Hook | Sink]] = [
        *((f"hook {name}", hook) for name, hook in world.hooks.get(policy, {}).items()),
        *((f"file {sink.place}", sink) for sink in sinks),
        *(
            (f"file {sink.place}, hook {name}", hook)
            for sink in sinks
            for name, hook in sink.hooks.items()
        ),
    ]
    for what, part in parts:
        if error := part.obstacle():
            yield readiness.of_obstacle(what, error)
