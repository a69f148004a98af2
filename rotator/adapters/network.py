"""A way to a server over HTTP, below httpx's client.

At the transport there is nothing that follows a redirect, reads the environment or ``.netrc``,
keeps cookies, or logs a URL.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx

from rotator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

#: Below what servers commonly allow an idle connection (5 s and more): one that is closed at the
#: moment of a mint would make it ambiguous for nothing.
_KEEPALIVE_SECONDS = 4.0


def network(
    where: str, url: str, *, ca_cert: Path | None, proxy: str | None, connections: int = 1
) -> httpx.AsyncHTTPTransport:
    """The transport of httpx, with nothing taken from the environment.

    Args:
        where: The section of the configuration, for messages.
        url: Where it leads to; never part of a message.
        ca_cert: A PEM file of the authorities to trust instead of the public ones.
        proxy: The address of an HTTP proxy, which may hold a password.
        connections: How many at the same time.

    Raises:
        ConfigError: The address, the proxy or the certificates cannot be used.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError([f"{where}: no address that begins with https://"])
    try:
        return httpx.AsyncHTTPTransport(
            verify=_authorities(url, ca_cert),
            trust_env=False,
            proxy=proxy,
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=_KEEPALIVE_SECONDS),
        )
    except OSError as error:
        problem = f"{where}.ca_cert: {ca_cert} cannot be used: {error}"
    except (ValueError, httpx.InvalidURL):
        problem = f"{where}.proxy: not the address of a proxy"
    raise ConfigError([problem])


def _authorities(url: str, ca_cert: Path | None) -> ssl.SSLContext:
    """Whom to trust: the given authorities, the public ones, or nobody where there is no TLS."""
    if ca_cert:
        return ssl.create_default_context(cafile=ca_cert)
    if url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context(trust_env=False)
