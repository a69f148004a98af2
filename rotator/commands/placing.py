"""What ``adopt`` and ``rollback`` share: asking for it, and saying why not."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rotator import words
from rotator.by_hand import ByHand
from rotator.commands.common import quietly
from rotator.errors import ConfigError, RotatorError
from rotator.events import Event
from rotator.observe import observing
from rotator.outlook import rotation_ahead
from rotator.wiring import connected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from rotator.by_hand import Placed
    from rotator.model import Policy
    from rotator.ports import Emit
    from rotator.settings import Settings

#: What somebody else may want to know afterwards. The rest is on stdout and stderr in words.
_TOLD = {Event.KEY_ADOPTED, Event.KEY_PUT_BACK}


def placed(
    settings: Settings, policy: Policy, ask: Callable[[ByHand], Awaitable[Placed]]
) -> Placed | None:
    """What ``ask`` came to; None when nothing was done, which stderr was told with the reason."""

    async def work() -> Placed:
        with logged(settings) as emit:
            async with connected(settings, emit) as services:
                return await ask(ByHand(services.world, services.reconciler))

    try:
        return asyncio.run(work())
    except ConfigError:
        raise
    except RotatorError as error:
        sys.stderr.write(f"{policy.name}: {error.message}\n")
        if error.remedy:
            sys.stderr.write(f"  remedy: {error.remedy}\n")
        return None


@contextmanager
def logged(settings: Settings) -> Iterator[Emit]:
    """Log on stderr what is put into the store by hand, as ``run`` does on stdout.

    A person at a terminal has it in words, and no use for it twice.
    """
    log = settings.log
    if log.format == "auto" and sys.stderr.isatty():
        yield quietly
        return
    with observing(format=log.format, level=log.level, stream=sys.stderr) as emit:

        def told(event: Event, /, **fields: object) -> None:
            if event in _TOLD:
                emit(event, **fields)

        yield told


def tell(policy: Policy, *lines: str) -> None:
    """Lines about a policy."""
    for line in lines:
        sys.stdout.write(f"{policy.name}: {line}\n")


def next_rotation(done: Placed) -> str:
    """When the key will be replaced, as far as it can be told."""
    at = rotation_ahead(done.snapshot).at
    if at is None:
        return "never, as things are"
    return words.moment(at) if at > done.snapshot.now else "as soon as somebody looks"
