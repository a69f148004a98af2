"""What the port answers, to whom.

Whoever is on this machine may read all of it, unless a token is set; others need the token. Without
it there is a bare word about health, which is all that the kubelet needs. The token is compared in
constant time and never part of an address, which ends up in logs and histories.
"""

from __future__ import annotations

import base64
import binascii
import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from rotator.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rotator.observe.health import Health

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TEXT = "text/plain; charset=utf-8"
#: A bearer is as welcome; a browser knows only this one.
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="rotator", charset="UTF-8"'}


class Answer(NamedTuple):
    """What goes back. ``headers`` go over the ones that every answer has."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = {}

    @property
    def fields(self) -> dict[str, str]:
        """The headers."""
        about = {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        return {**_HEADERS, **about, **self.headers}


class Request(NamedTuple):
    """What is asked for, with the headers that matter here; empty where they are missing."""

    method: str
    path: str
    host: str = ""
    accept: str = ""
    authorization: str = ""


class Access(NamedTuple):
    """Who may read.

    Args:
        is_local: Only this machine can reach the port at all.
        token: Reads the token each time, and answers None when it cannot; None where none is set.
    """

    is_local: bool
    token: Callable[[], Secret | None] | None = None

    def granted(self, request: Request) -> bool:
        """Whether the sender may read everything."""
        if self.token is not None:
            given = _given(request.authorization)
            wanted = self.token()
            return given is not None and wanted is not None and given == wanted
        # A page elsewhere can have its name point to this machine, and read on behalf of whoever
        # looks at it. Its requests bear that name.
        return self.is_local and _is_loopback(request.host)


class Site:
    """The pages.

    Args:
        access: Who may read.
        checks: Path to whether all is well there. Answered to everybody, in a word.
        pages: Path to what is there, for whoever may read.
    """

    def __init__(
        self,
        access: Access,
        checks: Mapping[str, Callable[[], Health]],
        pages: Mapping[str, Callable[[Request], Answer]],
    ) -> None:
        self._access = access
        self._checks = checks
        self._pages = pages

    def answer(self, request: Request) -> Answer:
        """What ``request`` is answered."""
        check, page = self._checks.get(request.path), self._pages.get(request.path)
        if check is None and page is None:
            return Answer(404, _TEXT, b"there is nothing here\n")
        if request.method not in {"GET", "HEAD"}:
            return Answer(405, _TEXT, b"for reading only\n", {"Allow": "GET, HEAD"})
        granted = self._access.granted(request)
        if check is not None:
            return _checked(check(), in_full=granted)
        if page is not None and granted:
            return page(request)
        if self._access.token is None:
            return Answer(403, _TEXT, b"beyond this machine, this needs http.token to be set\n")
        return Answer(401, _TEXT, b"this needs the token\n", _CHALLENGE)


def _checked(health: Health, *, in_full: bool) -> Answer:
    status = 200 if health.good else 503
    if not in_full:
        return Answer(status, _TEXT, b"yes\n" if health.good else b"no\n")
    text = json.dumps(health.facts, indent=2, ensure_ascii=False)
    return Answer(status, "application/json", f"{text}\n".encode())


def _given(header: str) -> Secret | None:
    """The token of a bearer, or the password of whoever types it into a browser."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return Secret(rest.strip())
    if scheme.lower() != "basic":
        return None
    try:
        plain = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Secret(plain.partition(":")[2])


def _is_loopback(host: str) -> bool:
    """Whether a ``Host`` header names this machine as such."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
