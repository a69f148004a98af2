"""What the time after a delivery has, as protocols: who hears of it, and files. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from rotator.errors import RotatorError
    from rotator.journal import Current
    from rotator.notices import News
    from rotator.secrets import Secret


class Hook(Protocol):
    """Somebody who wants to know, or something to be done, when a rotation is done."""

    @property
    def kind(self) -> str:
        """What it is, in the words of the configuration."""
        ...

    @property
    def timeout(self) -> timedelta:
        """How long one try may take; whoever tries ends it then."""
        ...

    def obstacle(self) -> RotatorError | None:
        """What stands in the way, as far as it can be seen without telling. May read the disk."""
        ...

    async def tell(self, news: News) -> None:
        """Tell ``news``, perhaps not for the first time. Cleans up when it is cancelled.

        Raises:
            RotatorError: That did not work.
        """
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A file was changed, ``age`` ago, and ``hook`` has not heard of that yet."""

    hook: str
    id: str
    age: timedelta


class Sink(Protocol):
    """A file on this machine that holds what the store holds."""

    @property
    def place(self) -> str:
        """Where it is, for events."""
        ...

    @property
    def hooks(self) -> Mapping[str, Hook]:
        """Who hears of a change, by name."""
        ...

    def obstacle(self) -> RotatorError | None:
        """What would keep it from being written, as far as it can be seen. Reads the disk."""
        ...

    async def update(self, secret: Secret, current: Current | None, change: str) -> bool:
        """Let the file hold ``secret``, at once or not at all. Whether that changed anything.

        Args:
            secret: The key.
            current: What is known of it, if anything.
            change: An id for this change, should it be one.

        Raises:
            RotatorError: It could not be written, and is as it was.
        """
        ...

    async def waiting(self) -> Sequence[Change]:
        """What hooks have not heard of yet, also if another process made the change.

        Raises:
            RotatorError: That cannot be told.
        """
        ...

    async def heard(self, change: Change) -> None:
        """The hook has heard, or never will.

        Raises:
            RotatorError: That could not be noted; it is told once more.
        """
        ...
