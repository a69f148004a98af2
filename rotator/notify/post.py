"""The hook ``http``: a CloudEvent by HTTP POST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rotator.notify import cloudevents
from rotator.notify.wire import send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, timedelta

    from rotator.errors import RotatorError
    from rotator.notices import News
    from rotator.notify.wire import Way
    from rotator.secrets import Secret


@dataclass(frozen=True, slots=True)
class Post:
    """Implements :class:`rotator.afterwards.Hook`.

    Args:
        way: How to get there.
        url: Reads the address, which may be a secret, each time it is needed.
        layout: Of the request: :func:`~rotator.notify.cloudevents.structured` or ``binary``.
        secret: Reads what requests are signed with; None for no signature.
        now: The time, for the signature: by the machine's clock, as the receiver sees it.
    """

    kind: ClassVar[str] = "http"
    way: Way
    url: Callable[[], Awaitable[Secret]]
    layout: Callable[[News], cloudevents.Layout]
    secret: Callable[[], Awaitable[Secret]] | None
    now: Callable[[], datetime]

    @property
    def timeout(self) -> timedelta:
        """For the request as a whole."""
        return self.way.timeout

    def obstacle(self) -> RotatorError | None:
        """As far as it is on this machine: the rest is seen when somebody is told."""
        return self.way.obstacle()

    async def tell(self, news: News) -> None:
        """Send it. A status of 2xx is a success.

        Raises:
            RotatorError: The address or the secret cannot be read, or the request failed.
        """
        headers, body = self.layout(news)
        if self.secret is not None:
            headers |= cloudevents.signed(await self.secret(), news, body, self.now())
        await send(self.way, "POST", await self.url(), headers, body)
