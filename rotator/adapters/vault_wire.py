"""The connection to Vault: urllib3, which trusts nothing that the environment says.

Requests is between hvac and urllib3 otherwise, and takes half of the time of a write, while a new
key is in danger.
"""

from __future__ import annotations

import ssl
import stat
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import certifi
import urllib3
from urllib3.util import make_headers, parse_url

from rotator.errors import Rejected, RotatorError, Unavailable
from rotator.ports import unheard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.ports import Called

#: Bytes read at a time, and of the largest answer that is read at all.
_CHUNK, _LARGEST = 2**16, 8 * 2**20


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach Vault.

    ``verify`` is False (no check at all), True (the system's authorities) or a CA bundle's path;
    ``client_cert`` is certificate and key. ``timeout`` is for a whole call. ``called`` is told of
    every request, in the thread that makes it.
    """

    address: str
    namespace: str | None = None
    verify: bool | str = True
    client_cert: tuple[str, str] | None = None
    timeout: timedelta = timedelta(seconds=10)
    proxy: str | None = None
    called: Called = unheard


class Answer(NamedTuple):
    """A whole answer, as it came."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Wire:
    """The connection, made at the first request, and what came of each request.

    Neither proxies nor .netrc credentials nor authorities are taken from the environment.
    """

    #: hvac asks its session for these.
    verify = cert = proxies = None

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pool: urllib3.PoolManager | None = None

    def request(self, method: str, url: str, headers: dict[str, str], body: object) -> Answer:
        """Send one request and read its answer. Nothing is tried again, no redirection followed.

        A body is read for as long as the timeout, however slowly it comes, and to 8 MiB.

        Raises:
            OSError, ValueError, urllib3.exceptions.HTTPError: There is no answer.
        """
        began, status = time.monotonic(), None
        try:
            if self._pool is None:
                self._pool = _pool(self._connection)
            seconds = self._connection.timeout.total_seconds()
            answer = self._pool.request(
                method,
                url,
                json=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=seconds, read=seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            status = answer.status
            data = _body(answer, began + seconds)
        finally:
            took = time.monotonic() - began
            self._connection.called("vault", _operation(method, url), status, took)
        return Answer(answer.status, answer.headers, data)

    def close(self) -> None:
        """Close what is open."""
        if self._pool is not None:
            self._pool.clear()


def _body(answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """The body, if it comes before ``deadline`` of the monotonic clock."""
    try:
        data = _read(answer, deadline)
    except BaseException:
        answer.close()
        raise
    answer.release_conn()
    return data


def _read(answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    data = bytearray()
    while chunk := answer.read1(_CHUNK, decode_content=False):
        data += chunk
        if len(data) > _LARGEST or "Content-Encoding" in answer.headers:
            raise urllib3.exceptions.DecodeError("larger than any answer, or packed")
        if time.monotonic() > deadline:
            raise urllib3.exceptions.TimeoutError("the answer comes too slowly")
    return bytes(data)


def _pool(connection: Connection) -> urllib3.PoolManager:
    """One connection, over the proxy if there is one.

    Raises:
        OSError: A file of certificates cannot be used.
        ValueError: The proxy's address is none.
    """
    options = {"maxsize": 1, **_trust(connection)}
    if connection.proxy is None:
        return urllib3.PoolManager(**options)
    auth = parse_url(connection.proxy).auth
    sent = make_headers(proxy_basic_auth=unquote(auth)) if auth else None
    return urllib3.ProxyManager(connection.proxy, proxy_headers=sent, **options)


def _trust(connection: Connection) -> dict[str, Any]:
    """Whom to trust, and who we are. The files are read for each connection: they are renewed."""
    options: dict[str, Any] = {}
    if connection.verify is False:
        # Whoever switches it off is warned where he does; not on stderr, at every request.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        options["cert_reqs"] = "CERT_NONE"
    else:
        known = certifi.where() if connection.verify is True else connection.verify
        # What is not there is named by this; ssl's own error would name nothing.
        kind = "ca_cert_dir" if stat.S_ISDIR(Path(known).stat().st_mode) else "ca_certs"
        options |= {"cert_reqs": "CERT_REQUIRED", kind: known}
    if connection.client_cert:
        for name in connection.client_cert:
            Path(name).stat()
        options["cert_file"], options["key_file"] = connection.client_cert
    return options


def _operation(method: str, url: str) -> str:
    """What a request is for, in a word."""
    path = url.partition("/v1/")[2]
    if path.startswith("auth/token/"):
        return "token"
    if path.startswith("auth/"):
        return "login"
    if path.startswith("sys/"):
        return "sys"
    return "read" if method.upper() == "GET" else "write"


def failure(error: Exception, address: str, place: str) -> RotatorError:
    """What a request that had no answer is told as; nothing of the request is in it."""
    unreached = Unavailable(
        f"{place}: Vault at {address} cannot be reached: {_root(error)}",
        remedy="start it, check the network, or set `vault.address`",
    )
    match error:
        case urllib3.exceptions.NewConnectionError():
            # By its class one that came too late.
            return unreached
        case urllib3.exceptions.TimeoutError():
            return Unavailable(f"{place}: no answer from Vault at {address} in time")
        case urllib3.exceptions.SSLError():
            plain = "WRONG_VERSION_NUMBER" in _root(error)
            return Unavailable(
                f"{place}: no trust between us and Vault at {address}: {_root(error)}",
                remedy="it answers without TLS: is another port meant, or http on loopback?"
                if plain
                else "check `ca_cert`, and the client's certificate if Vault wants one",
            )
        case OSError():
            return Unavailable(
                f"{place}: Vault at {address} cannot be asked: {error}",
                remedy="check the files of `ca_cert`, `client_cert` and `client_key`",
            )
        case ValueError():
            return Rejected(
                f"{place}: {address} cannot be asked: {type(error).__name__}",
                remedy="check `address`, which looks like https://vault:8200",
            )
        case _:
            return unreached


def _root(error: BaseException | None) -> str:
    """The system's own words at the bottom of a pile of wrappers."""
    words = "the connection was lost"
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            words = error.verify_message
        elif isinstance(error, OSError) and error.strerror:
            words = error.strerror
        error = error.__cause__ or error.__context__
    return words
