"""The settings of the health, metrics and status page."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator

from rotator.settings.sections import SecretSource, Section


def _address(text: str) -> str:
    """An address of ours and a port, as they are written; ``localhost`` is one of them."""
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        ip = ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        ip = None
    if ip is None or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise ValueError("is not an address and a port; write it like 127.0.0.1:9321")
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"  # noqa: PLR2004 - IPv6


class Http(Section):
    """The health, metrics and status page."""

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:9321"
    token: SecretSource | None = None

    @property
    def host(self) -> str:
        """The address of our own to listen at."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """From 1 to 65535."""
        return int(self.listen.rpartition(":")[2])

    @property
    def is_local(self) -> bool:
        """Whether only this machine (or pod) can reach it."""
        return ip_address(self.host).is_loopback
