"""The key that rotator itself works with: where it comes from, and what to do when it is refused.

It may be replaced at any time: by rotator, when it is one of the keys it rotates, or by a person,
at its source.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from rotator.adapters.arize_wire import sendable
from rotator.errors import RotatorError, Unauthenticated
from rotator.events import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rotator.ports import Emit
    from rotator.secrets import Redacted, Secret


class Credential:
    """The management key.

    Args:
        source: Reads it anew, from the environment, a file, Vault. Raises
            :class:`~rotator.errors.RotatorError` only.
        emit: Told when another key of the source is taken.
        watched: Read the source at every use, for it costs nothing; else when a key is refused.
    """

    def __init__(
        self, source: Callable[[], Awaitable[Secret]], emit: Emit, *, watched: bool = False
    ) -> None:
        self._source = source
        self._emit = emit
        self._watched = watched
        #: What the source had when it was last read.
        self._read: Secret | None = None
        self._adopted: Secret | None = None
        self._lock = asyncio.Lock()
        #: What requests are made with; None before the first one.
        self.current: Secret | None = None

    async def get(self) -> Secret:
        """The key to work with, read from its source the first time."""
        async with self._lock:
            if self.current is None:
                self.current = self._read = _checked(await self._source())
            elif self._watched:
                # While it is being replaced there may be none, or half of one.
                with contextlib.suppress(RotatorError):
                    self._take_news(_checked(await self._source()))
            return self.current

    async def instead_of(self, refused: Secret) -> Secret | None:
        """Another key than ``refused``, which was answered with 401; None if there is none.

        The source comes first, for a person may have put a new key there. A key that was adopted
        stays a candidate: it may have been refused only because the provider was slow to know it,
        while a source that is not writable, like the environment, still has the key before it.
        """
        async with self._lock:
            if self.current is not None and self.current != refused:
                return self.current
            self._read = _checked(await self._source())
            candidates = (self._read, self._adopted)
            other = next((key for key in candidates if key is not None and key != refused), None)
            if other is not None:
                self._work_with(other)
            return other

    async def hangs_on(self, key: Redacted) -> bool:
        """Whether the source has ``key`` and no other; if it has another, that one is used.

        What counts is the source, for the next start has nothing else: a process that went over
        to the new key by itself does not need the old one any more, but whoever comes after it
        does, as long as the environment or a file still has it.

        Raises:
            RotatorError: The source cannot be read.
        """
        async with self._lock:
            if not (key.matches(self.current) or key.matches(self._read)):
                return False
            found = _checked(await self._source())
            if key.matches(found):
                self._read = found
                return True
            self._take_news(found)
            if key.matches(self.current):
                self._work_with(found)
            return False

    def _take_news(self, found: Secret) -> None:
        """Work with what somebody has put into the source since it was last read, if anything.

        A source that still has what it had says nothing about a key that was adopted since.
        """
        if found not in {self._read, self.current}:
            self._work_with(found)
        self._read = found

    def _work_with(self, found: Secret) -> None:
        self.current = found
        self._emit(Event.MANAGEMENT_KEY_CHANGED, source="arize.api_key")

    def adopt(self, secret: Secret) -> None:
        """Work with ``secret`` from now on."""
        self.current = self._adopted = secret


def _checked(secret: Secret) -> Secret:
    if sendable(secret):
        return secret
    raise Unauthenticated(
        "the management key is empty, or has characters that no key has",
        remedy="look at what `arize.api_key` points to: spaces and line ends do not belong there",
    )
