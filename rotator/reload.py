"""Reads the configuration again, when somebody asks for it and when its files have changed.

Files are looked at every two seconds, by what ``stat`` tells. A library that is told of changes
(watchfiles) would bring a native extension, and be told of nothing on network file systems; a look
costs nothing. A change is taken when it has rested for one look, so that a file which is being
written is not read in the middle.

Policies change while the daemon runs. What it has connected to does not: with another provider or
store, nothing of the new configuration is taken, since half of it could deliver to the wrong place.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

from rotator.errors import ConfigError
from rotator.events import Event
from rotator.roster import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.ports import Emit
    from rotator.settings import Settings, Source

_PERIOD_SECONDS = 2.0
#: What policies rest upon.
_GROUND = {"arize", "vault", "files", "spool"}


class Reloader:
    """Keeps a running daemon by its configuration.

    Args:
        settings: What it runs with.
        source: Where that was read. Used in a thread: ten thousand policies take a while to read,
            and a key may be waiting to be delivered.
        take: Begins to work by another configuration's policies.
        emit: Told of what was taken, refused, or has to wait for a restart.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        *,
        take: Callable[[Settings], object],
        emit: Emit,
    ) -> None:
        self._settings = self._taken = settings
        self._source = source
        self._take = take
        self._emit = emit
        self._asked = asyncio.Event()
        self._seen = source.taken
        self._warned = _unplaced(settings)
        self._refused = False

    def ask(self) -> None:
        """Somebody wants it read again now. For a signal handler."""
        self._asked.set()

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PERIOD_SECONDS):
                    await self._asked.wait()
            await self.look()

    async def look(self) -> None:
        """Read the configuration, if it has changed or somebody asked."""
        try:
            await self._look()
        except ConfigError as error:
            self._refused = True
            for problem in error.problems:
                self._emit(Event.CONFIG_REFUSED, problem=problem)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the old one is well
            self._emit(Event.CRASHED, exception=error)

    async def _look(self) -> None:
        now, before = await asyncio.to_thread(self._source.stamp), self._seen
        asked, self._seen = self._asked.is_set(), now
        if not asked and (now == self._source.taken or now != before):
            return
        self._asked.clear()
        self._changed(await asyncio.to_thread(self._source.load), asked=asked)

    def _changed(self, new: Settings, *, asked: bool) -> None:
        old = self._settings.root
        fixed = [
            name
            for name in type(old).model_fields
            if name != "policies" and getattr(new.root, name) != getattr(old, name)
        ]
        grounded = not _GROUND.isdisjoint(fixed)
        if fixed:
            self._emit(Event.CONFIG_RESTART_NEEDED, sections=fixed, policies_taken=not grounded)
        if grounded:
            return
        self._take(new)
        # As they are written: a hook with another address is a change, too.
        old_ones, new_ones = _by_name(self._taken), _by_name(new)
        change, self._taken = Change.between(old_ones, new_ones), new
        if change:
            self._warn(new)
        # Whoever takes a mistake back wants to know that it is well again.
        if change or asked or self._refused:
            fields = change._asdict()
            self._emit(Event.CONFIG_RELOADED, policies=len(new.policies), **fields)
        self._refused = False

    def _warn(self, new: Settings) -> None:
        """Say what was not said before."""
        warned, self._warned = self._warned, _unplaced(new)
        for problem, warning in zip(new.warnings, self._warned, strict=True):
            if warning not in warned:
                self._emit(Event.CONFIG_WARNING, problem=problem)


def _unplaced(settings: Settings) -> list[str]:
    """The warnings without the number of their line, which changes with what stands above."""
    return [re.sub(r":[0-9]+: ", ": ", warning, count=1) for warning in settings.warnings]


def _by_name(settings: Settings) -> dict[str, object]:
    return {policy.name: policy for policy in settings.root.policies}
