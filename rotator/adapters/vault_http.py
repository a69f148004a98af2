"""Vault on the wire: hvac and requests, kept behind typed calls. The only importer of both.

hvac knows Vault's paths and its request shapes. Its transport is replaced by :class:`_Transport`,
at the seam it offers for that (``adapter=``), because its own one follows redirects with the token
on board, hides the status of some refusals (412, 472, 473), drops ``Retry-After``, and keeps whole
response texts on its exceptions.
"""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import hvac
import hvac.adapters
import requests
import urllib3

from rotator import traceparent
from rotator.adapters.vault_errors import Refused, leaves, scrubbed
from rotator.errors import Rejected, RotatorError, Unavailable
from rotator.ports import unheard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.ports import Called
    from rotator.secrets import Secret

Json = dict[str, Any]

_OK = range(200, 300)
_FOREIGN = ("this is not an answer of Vault; is something between us?",)


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


class Api:
    """The calls we need, as one thread at a time may use them.

    All of them raise :class:`~rotator.adapters.vault_errors.Refused` for an answer that is not a
    success, and :class:`~rotator.errors.Unavailable` for none.
    """

    def __init__(self, connection: Connection) -> None:
        session = _Session(connection.called)
        # Neither proxies nor .netrc credentials nor CA bundles from the environment.
        session.trust_env = False
        session.verify = connection.verify
        session.cert = connection.client_cert
        if connection.verify is False:
            # Whoever switches it off is warned where he does; not on stderr, at every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if connection.proxy:
            session.proxies = {"http": connection.proxy, "https": connection.proxy}
        self._client = hvac.Client(
            url=connection.address,
            token="",  # Not None, which makes hvac read VAULT_TOKEN or ~/.vault-token.
            verify=connection.verify,
            timeout=connection.timeout.total_seconds(),
            session=session,
            namespace=connection.namespace,
            adapter=_Transport,
        )

    def use(self, token: Secret | None) -> None:
        """Send this token from now on, or none."""
        self._client.token = token.reveal() if token else ""

    def read_v2(self, mount: str, path: str, version: int | None = None) -> Json:
        """A version, or the current one; a deleted one comes with its metadata and no data."""
        return _object(
            self._client.secrets.kv.v2.read_secret_version(
                path, version, mount_point=mount, raise_on_deleted_version=False
            )
        )

    def write_v2(self, mount: str, path: str, data: Json, *, cas: int) -> Json:
        """Write a version after ``cas``."""
        return _object(
            self._client.secrets.kv.v2.create_or_update_secret(
                path, data, cas=cas, mount_point=mount
            )
        )

    def read_v1(self, mount: str, path: str) -> Json:
        """The secret."""
        return _object(self._client.secrets.kv.v1.read_secret(path, mount_point=mount))

    def write_v1(self, mount: str, path: str, data: Json) -> None:
        """Overwrite the secret."""
        # With a method: hvac reads first, to choose one, when it is not told.
        self._client.secrets.kv.v1.create_or_update_secret(
            path, data, method="POST", mount_point=mount
        )

    def mount(self, mount: str) -> Json:
        """Type and options of a mount; readable for whoever may do anything on it."""
        return _object(self._client.adapter.get(f"/v1/sys/internal/ui/mounts/{mount}"))

    def capabilities(self, paths: list[str]) -> Json:
        """Path to what our token may do there."""
        return _object(self._client.sys.get_capabilities(paths))

    def lookup_self(self) -> Json:
        """What Vault knows about our token."""
        return _object(self._client.auth.token.lookup_self())

    def renew_self(self) -> Json:
        """Prolong our token."""
        return _object(self._client.auth.token.renew_self())

    def login_approle(self, mount: str, role_id: str, secret_id: Secret) -> Json:
        """Log in; the answer's ``auth`` has the token."""
        return _object(
            self._client.auth.approle.login(
                role_id, secret_id.reveal(), use_token=False, mount_point=mount
            )
        )

    def login_kubernetes(self, mount: str, role: str, jwt: Secret) -> Json:
        """Log in; the answer's ``auth`` has the token."""
        return _object(
            self._client.auth.kubernetes.login(
                role, jwt.reveal(), use_token=False, mount_point=mount
            )
        )

    def health(self) -> Json:
        """What the node says about itself, healthy or not. GET: hvac's HEAD has no body."""
        return _object(self._client.sys.read_health_status(method="GET"))

    def close(self) -> None:
        """Close the connections."""
        self._client.adapter.close()


class _Session(requests.Session):
    """Tells of each request what came of it."""

    def __init__(self, called: Called) -> None:
        super().__init__()
        self._called = called

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send one request and read its answer."""
        began, status = time.monotonic(), None
        try:
            answer = super().send(request, **options)
            status = answer.status_code
        finally:
            self._called("vault", _operation(request), status, time.monotonic() - began)
        return answer


def _operation(request: requests.PreparedRequest) -> str:
    """What a request is for, in a word."""
    path = request.path_url.removeprefix("/v1/")
    if path.startswith("auth/token/"):
        return "token"
    if path.startswith("auth/"):
        return "login"
    if path.startswith("sys/"):
        return "sys"
    return "read" if request.method == "GET" else "write"


class _Transport(hvac.adapters.Adapter):  # type: ignore[misc]  # hvac has no types
    """Sends hvac's requests, and answers JSON or raises."""

    def get_login_token(self, response: Json) -> str:
        """Part of hvac's interface. Unused: tokens are kept by ``vault_auth``."""
        raise NotImplementedError

    def request(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        raise_exception: bool = True,  # noqa: FBT001, FBT002 - hvac's interface
        **options: Any,
    ) -> Json:
        """Send one request. Redirections are answers, never followed."""
        sent = {**(headers or {}), **traceparent.headers(), "X-Vault-Request": "true"}
        if self.token:
            sent["X-Vault-Token"] = self.token
        if self.namespace:
            sent["X-Vault-Namespace"] = self.namespace
        place = f"{method.upper()} {url.removeprefix('/v1/')}"
        body = options.get("json")
        response = self._sent(method, self.urljoin(self.base_uri, url), sent, options, place)
        answer = _parsed(response)
        fine = response.status_code in _OK or _is_deleted_version(response, answer or {})
        if fine or not raise_exception:
            if answer is None and raise_exception:
                raise Unavailable(f"{place}: {_FOREIGN[0]}")
            return answer or {}
        texts = (_list(answer, "errors") or _list(answer, "warnings")) if answer else _FOREIGN
        raise Refused(
            response.status_code,
            scrubbed(texts, (*leaves(body), str(self.token))),
            place,
            retry_after=_retry_after(response),
        )

    def _sent(
        self, method: str, url: str, headers: dict[str, str], options: Json, place: str
    ) -> requests.Response:
        try:
            answer: requests.Response = self.session.request(
                method,
                url,
                headers=headers,
                json=options.get("json"),
                params=options.get("params"),
                timeout=self._kwargs["timeout"],
                allow_redirects=False,
            )
        except (OSError, ValueError) as error:
            # Also those that requests raises before it asks: a file of certificates is not there.
            failure = _failure(error, self.base_uri, place)
        else:
            return answer
        # Outside of the handler: requests hangs the whole request on its errors, token and body
        # included, so that they may not even become the context of ours.
        raise failure


def _failure(error: Exception, address: str, place: str) -> RotatorError:
    match error:
        case requests.Timeout():
            return Unavailable(f"{place}: no answer from Vault at {address} in time")
        case requests.exceptions.SSLError():
            return Unavailable(
                f"{place}: no trust between us and Vault at {address}: {_root(error)}",
                remedy="check `ca_cert`, and the client's certificate if Vault wants one",
            )
        case requests.ConnectionError():
            return Unavailable(f"{place}: Vault at {address} cannot be reached: {_root(error)}")
        case OSError() if not isinstance(error, requests.RequestException):
            return Unavailable(
                f"{place}: Vault at {address} cannot be asked: {error}",
                remedy="check the files of `ca_cert`, `client_cert` and `client_key`",
            )
        case _:
            return Rejected(
                f"{place}: {address} cannot be asked: {type(error).__name__}",
                remedy="check `address`, which looks like https://vault:8200",
            )


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


def _parsed(response: requests.Response) -> Json | None:
    """The JSON object of an answer, empty where it has no body; None for a proxy's page."""
    if not response.content:
        return {}
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def part(answer: Json, name: str) -> Json:
    """The object ``name`` of an answer; empty where nothing is said.

    Raises:
        Unavailable: Something else stands in its place.
    """
    value = answer.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise Unavailable(f"`{name}` of Vault's answer is no object; is something between us?")


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(answer: Json, name: str) -> Sequence[object]:
    value = answer.get(name)
    return value if isinstance(value, list) else ()


def _is_deleted_version(response: requests.Response, answer: Json) -> bool:
    """A 404 with a version in it: KV v2 has the secret, and its current version is deleted."""
    return response.status_code == requests.codes.not_found and "metadata" in _object(
        answer.get("data")
    )


def _retry_after(response: requests.Response) -> timedelta | None:
    seconds = response.headers.get("Retry-After", "")
    return timedelta(seconds=int(seconds)) if seconds.isdecimal() else None
