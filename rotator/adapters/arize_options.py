"""Where Arize is and how to speak to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from rotator.adapters.arize_rate import Rate
    from rotator.secrets import Secret


@dataclass(frozen=True, slots=True)
class ArizeOptions:
    """Where Arize is and how to speak to it.

    Args:
        base_url: Scheme and host, perhaps with a path before ``/v2``.
        credential: Reads the management key from its source; read again when it is refused.
            Raises :class:`~rotator.errors.RotatorError` only.
        timeout: For a request as a whole: waiting for a connection, connecting, the answer, and
            the one more try when the management key was replaced. Each page of a listing is one.
        ca_cert: A PEM file of the authorities to trust instead of the public ones.
        proxy: The address of an HTTP proxy, which may hold a password.
        concurrency: Connections, and requests at a time.
        watched: The management key's source may be read at every request.
        rate: Requests in the course of time; None for as many as there are.
        user_agent: What we call ourselves.
    """

    base_url: str
    credential: Callable[[], Awaitable[Secret]]
    timeout: timedelta = timedelta(seconds=10)
    ca_cert: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    concurrency: int = 32
    rate: Rate | None = None
    watched: bool = False
    user_agent: str = "arize-key-rotator"
