"""One HTTP request of a hook: to one address and no other, and nothing of it in an error.

The address may hold a token, headers a signature or a credential. So what httpx raises, which may
quote any of them, ends here.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rotator import traceparent
from rotator.adapters.answers import delay_of, scrub
from rotator.adapters.network import network
from rotator.errors import NotFound, NotPermitted, Rejected, RotatorError, Temporary, Unavailable
from rotator.imports import without

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path

    from rotator.secrets import Secret

with without("click"):
    import httpx

_REFUSALS: dict[int, type[RotatorError]] = {
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    410: NotFound,
}
_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Way:
    """How to get there. ``where`` is the section of the configuration, for messages."""

    where: str
    timeout: timedelta
    ca_cert: Path | None = None
    proxy: str | None = field(default=None, repr=False)

    def obstacle(self) -> RotatorError | None:
        """That the authorities to trust cannot be read."""
        try:
            if self.ca_cert is not None:
                ssl.create_default_context(cafile=self.ca_cert)
        except OSError as error:
            words = f"{self.ca_cert} cannot be used: {error.strerror or type(error).__name__}"
            return Rejected(words, remedy="name a file of certificates (PEM), or mount it")
        return None


async def send(way: Way, method: str, url: Secret, headers: Mapping[str, str], body: bytes) -> None:
    """Make one request, over a connection of its own.

    Raises:
        ConfigError: The address, the proxy or the certificates cannot be used.
        RotatorError: The answer was anything but a success, or there was none.
    """
    place = shown(url)
    transport = network(way.where, url.reveal(), ca_cert=way.ca_cert, proxy=way.proxy)()
    try:
        # The answer's body is not read: it tells nothing that its status does not.
        response = await transport.handle_async_request(_request(way, method, url, headers, body))
        await response.aclose()
    except httpx.NetworkError as error:
        words = scrub(f"{type(error).__name__}: {error}", url)
        raise Unavailable(f"{place} cannot be reached: {words}") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError, ValueError) as error:
        raise Unavailable(f"{place} cannot be reached: {type(error).__name__}") from None
    except asyncio.CancelledError as error:
        # Goes on, without the frames of httpx and h11, whose locals hold the request.
        raise error.with_traceback(None) from None
    finally:
        await transport.aclose()
    if not response.is_success:
        raise _refusal(place, response)


def shown(url: Secret) -> str:
    """Scheme, host and port: the rest, and a user before the host, may be secret."""
    try:
        parts = urlsplit(url.reveal())
        host, port = parts.hostname, parts.port
    except ValueError:
        return "the address"
    if not host:
        return "the address"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def _request(
    way: Way, method: str, url: Secret, headers: Mapping[str, str], body: bytes
) -> httpx.Request:
    seconds = way.timeout.total_seconds()
    # Connecting is given up by httpcore itself, which closes the socket then, not by a timeout.
    patience = {"connect": seconds / 2, "read": seconds, "write": seconds, "pool": seconds}
    return httpx.Request(
        method,
        url.reveal(),
        headers={"User-Agent": "arize-key-rotator", **traceparent.headers(), **headers},
        content=body,
        extensions={"timeout": patience},
    )


def _refusal(place: str, response: httpx.Response) -> RotatorError:
    status, headers = response.status_code, response.headers
    said = f"{place} answered {status}"
    if response.is_redirect:
        return Rejected(said, remedy="a redirect is never followed: name the final address")
    delay = delay_of(headers.get("retry-after", ""), headers.get("date", ""))
    if response.is_server_error:
        return Unavailable(said, delay=delay)
    if status in _LATER:
        return Temporary(said, delay=delay)
    return _REFUSALS.get(status, Rejected)(said)
