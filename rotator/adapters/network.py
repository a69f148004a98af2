"""A way to a server over HTTP, below httpx's client.

At the transport there is nothing that follows a redirect, reads the environment or ``.netrc``,
keeps cookies, or logs a URL.

A transport has one connection here, and :class:`Ways` keeps as many transports as are used at once:
one of many connections looks at all of them, twice for each request, and asks the system after each
that rests. With 32 of them that took longer than the request itself.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from rotator.errors import ConfigError
from rotator.imports import without

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

# Its command line would come with it where click is: a sixth of what a pass takes to begin.
with without("click"):
    import httpx

#: Below what servers commonly allow an idle connection (5 s and more): one that is closed at the
#: moment of a mint would make it ambiguous for nothing.
_KEEPALIVE_SECONDS = 4.0


class Ways:
    """Transports to one server, as many as are used at once; the one used last goes first.

    Args:
        make: Makes another one.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._idle: deque[tuple[float, httpx.AsyncBaseTransport]] = deque()
        self._closed = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """A transport for one request; it is not used again after one that failed."""
        # Before the request: after a mint, nothing may stand in the way of its delivery.
        await self._tidy()
        transport = self._idle.pop()[1] if self._idle else self._make()
        well = False
        try:
            yield transport
            well = True
        finally:
            if well and not self._closed:
                self._idle.append((asyncio.get_running_loop().time(), transport))
            else:
                await transport.aclose()

    async def _tidy(self) -> None:
        """Close those that rested too long to be used again."""
        oldest = asyncio.get_running_loop().time() - _KEEPALIVE_SECONDS
        while self._idle and self._idle[0][0] < oldest:
            await self._idle.popleft()[1].aclose()

    async def close(self) -> None:
        """Close all connections; one that is used, when it is not any more."""
        self._closed = True
        while self._idle:
            await self._idle.pop()[1].aclose()


def network(
    where: str, url: str, *, ca_cert: Path | None, proxy: str | None
) -> Callable[[], httpx.AsyncHTTPTransport]:
    """Makes transports of httpx, with nothing taken from the environment.

    Args:
        where: The section of the configuration, for messages.
        url: Where they lead to; never part of a message.
        ca_cert: A PEM file of the authorities to trust instead of the public ones.
        proxy: The address of an HTTP proxy, which may hold a password.

    Raises:
        ConfigError: The address, the proxy or the certificates cannot be used.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError([f"{where}: no address that begins with https://"])
    try:
        make = partial(
            httpx.AsyncHTTPTransport,
            verify=_authorities(url, ca_cert),
            trust_env=False,
            proxy=proxy,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=_KEEPALIVE_SECONDS),
        )
        make()  # Only here does a proxy that is none show.
    except OSError as error:
        problem = f"{where}.ca_cert: {ca_cert} cannot be used: {error}"
    except (ValueError, httpx.InvalidURL):
        problem = f"{where}.proxy: not the address of a proxy"
    else:
        return make
    raise ConfigError([problem])


def _authorities(url: str, ca_cert: Path | None) -> ssl.SSLContext:
    """Whom to trust: the given authorities, the public ones, or nobody where there is no TLS."""
    if ca_cert:
        return ssl.create_default_context(cafile=ca_cert)
    if url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context(trust_env=False)
