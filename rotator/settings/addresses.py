"""What is wrong with an address, a proxy or a certificate."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rotator.settings.sources import fault_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rotator.settings.documents import Where


def of_way(
    where: Where, files: Mapping[str, Path | None], proxy: str | None, address: str | None = None
) -> Iterator[tuple[Where, str]]:
    """What a service is reached with: certificates and a proxy.

    ``address``: where keys are sent to.
    """
    for name, file in files.items():
        if file is not None and (fault := fault_of_file(file)):
            yield (*where, name), fault
    if proxy is None:
        return
    host = host_of(proxy)
    if host is None:
        yield (*where, "proxy"), "is not the address of a proxy; write it like http://proxy:3128"
    elif address is not None and urlsplit(address).scheme == "http" and not is_loopback(host):
        yield (*where, "proxy"), "would be sent keys unencrypted; remove it, or use https behind it"


def fault_of_url(text: str) -> str | None:
    """Why keys must not be sent there."""
    host = host_of(text)
    if host is None:
        return "is not an address; write it like https://host:port"
    url = urlsplit(text)
    if url.username or url.password:
        return "must not hold a user or a password; credentials have their own settings"
    if url.query or url.fragment:
        return "is followed by more than a path; end it before the ? or the #"
    if url.scheme == "http" and not is_loopback(host):
        return "would send keys unencrypted; use https (http is for loopback only)"
    return None


def host_of(text: str) -> str | None:
    """The host of an HTTP address; None unless it is one."""
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        return None
    return host if url.scheme in {"http", "https"} else None


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
