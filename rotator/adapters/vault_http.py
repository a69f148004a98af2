"""Vault's API: hvac, kept behind typed calls. Its only importer.

hvac knows Vault's paths and its request shapes. Its transport is replaced by :class:`_Transport`,
at the seam it offers for that (``adapter=``), because its own one follows redirects with the token
on board, hides the status of some refusals (412, 472, 473), drops ``Retry-After``, and keeps whole
response texts on its exceptions.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import hvac
import hvac.adapters
import urllib3

from rotator import traceparent
from rotator.adapters.answers import delay_of
from rotator.adapters.vault_errors import Refused, leaves, scrubbed
from rotator.adapters.vault_wire import Wire, failure
from rotator.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from rotator.adapters.vault_wire import Answer, Connection
    from rotator.secrets import Secret

Json = dict[str, Any]

_OK = range(200, 300)
_FOREIGN = ("this is not an answer of Vault; is something between us?",)


class Api:
    """The calls we need, as one thread at a time may use them.

    All of them raise :class:`~rotator.adapters.vault_errors.Refused` for an answer that is not a
    success, and :class:`~rotator.errors.Unavailable` for none.
    """

    def __init__(self, connection: Connection) -> None:
        self._client = hvac.Client(
            url=connection.address,
            token="",  # Not None, which makes hvac read VAULT_TOKEN or ~/.vault-token.
            # Else it would look into the environment, for authorities that Wire never asks for.
            verify=connection.verify,
            session=Wire(connection),
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
        fine = response.status in _OK or _is_deleted_version(response, answer or {})
        if fine or not raise_exception:
            if answer is None and raise_exception:
                raise Unavailable(f"{place}: {_FOREIGN[0]}")
            return answer or {}
        texts = (_list(answer, "errors") or _list(answer, "warnings")) if answer else _FOREIGN
        raise Refused(
            response.status,
            scrubbed(texts, (*leaves(body), str(self.token))),
            place,
            retry_after=_retry_after(response),
        )

    def _sent(
        self, method: str, url: str, headers: dict[str, str], options: Json, place: str
    ) -> Answer:
        params: Json = options.get("params") or {}
        if given := {name: value for name, value in params.items() if value is not None}:
            url = f"{url}?{urlencode(given)}"
        try:
            answer: Answer = self.session.request(method, url, headers, options.get("json"))
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            # Also before it asks: a file of certificates is not there.
            failed = failure(error, self.base_uri, place)
        else:
            return answer
        # Outside of the handler: an error may hold the request, token and body included, and must
        # not even become the context of ours.
        raise failed


def _parsed(response: Answer) -> Json | None:
    """The JSON object of an answer, empty where it has no body; None for a proxy's page."""
    if not response.data:
        return {}
    try:
        answer = json.loads(response.data)
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


def _is_deleted_version(response: Answer, answer: Json) -> bool:
    """A 404 with a version in it: KV v2 has the secret, and its current version is deleted."""
    return response.status == HTTPStatus.NOT_FOUND and "metadata" in _object(answer.get("data"))


def _retry_after(response: Answer) -> timedelta | None:
    headers = response.headers
    return delay_of(headers.get("Retry-After", ""), headers.get("Date", ""))
