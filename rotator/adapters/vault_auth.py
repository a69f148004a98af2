"""Logging in to Vault and staying so: one token, shared by all connections.

A token is renewed, or replaced by a new login, while a third of its life remains. Renewal ends at
the token's maximum age: when it no longer grows, we log in again. Batch tokens cannot be renewed
at all. What a login needs is asked for at every login, since all of it may be rotated: the kubelet
rewrites a pod's token, an agent a token file, an operator a ``secret_id``.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from rotator.adapters.vault_errors import Refused
from rotator.adapters.vault_http import part
from rotator.errors import RotatorError, Unauthenticated
from rotator.events import Event
from rotator.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from rotator.adapters.vault_http import Api, Json

#: Seconds. A denied request makes us log in again; a second one this soon after is believed, so
#: that a missing permission does not use up a `secret_id` or fill Vault with tokens.
_DOUBT = 10.0
#: Seconds between two tries to prolong a token that would not be prolonged, at least.
_RETRY = 1.0
#: Seconds by which a renewal must move the end to count: TTLs come in whole seconds.
_GROWTH = 1.0


@dataclass(frozen=True, slots=True)
class Login:
    """A token and what is known about its life. Times are this process's monotonic seconds."""

    token: Secret
    method: str
    ttl: float
    renewable: bool
    ends: float
    #: When to do something about it.
    due: float
    #: When it ends however often it is renewed; infinite where nobody says so.
    last: float

    @classmethod
    def of(
        cls, token: str, method: str, ttl: float, *, renewable: bool, last: float = math.inf
    ) -> Login:
        """A token just given, with ``ttl`` seconds to live."""
        now = time.monotonic()
        return cls(Secret(token), method, ttl, renewable, now + ttl, now + ttl * 2 / 3, last)


class Auth(Protocol):
    """A way to log in."""

    @property
    def method(self) -> str:
        """Its name in the configuration and in events."""
        ...

    def log_in(self, api: Api) -> Login:
        """Get a token, and leave ``api`` with any token or none."""
        ...


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """A token from somewhere else; ``token`` gives the present one."""

    token: Callable[[], Secret]
    method = "token"

    def log_in(self, api: Api) -> Login:
        """Learn the life of the token."""
        token = self.token()
        api.use(token)
        facts = part(api.lookup_self(), "data")
        # A TTL of 0 alone does not tell an endless token from one in its last second.
        ttl = _seconds(facts, "ttl") if facts.get("expire_time") else math.inf
        last = time.monotonic() + _longest(facts, ttl)
        return Login.of(token.reveal(), self.method, ttl, renewable=_renewable(facts), last=last)


@dataclass(frozen=True, slots=True)
class AppRoleAuth:
    """A role and its ``secret_id``."""

    role_id: str
    secret_id: Callable[[], Secret]
    mount: str = "approle"
    method = "approle"

    def log_in(self, api: Api) -> Login:
        """Exchange the ``secret_id`` for a token."""
        api.use(None)
        return _login(api.login_approle(self.mount, self.role_id, self.secret_id()), self.method)


@dataclass(frozen=True, slots=True)
class KubernetesAuth:
    """A role and the token of the pod's service account."""

    role: str
    jwt: Callable[[], Secret]
    mount: str = "kubernetes"
    method = "kubernetes"

    def log_in(self, api: Api) -> Login:
        """Exchange the pod's token for one of Vault's."""
        api.use(None)
        return _login(api.login_kubernetes(self.mount, self.role, self.jwt()), self.method)


class Keeper:
    """Holds the token for all threads, one of which at a time may see to it."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._lock = threading.Lock()
        self._login: Login | None = None
        self._doubted = -math.inf
        #: Logins and renewals not yet announced. A deque, because threads append and the event
        #: loop takes.
        self.news: deque[tuple[Event, Login]] = deque()

    def login(self, api: Api, *, prolong: bool) -> Login:
        """The present token; with ``prolong``, after seeing to it when it is time.

        Without, it costs no request as long as the token lives: for a write that cannot wait.
        """
        login = self._login
        if login is None or login.ends <= time.monotonic():
            with self._lock:
                return self._anew(api, login)
        if prolong and login.due <= time.monotonic():
            with self._lock:
                return self._prolonged(api, login)
        return login

    def outlasting(self, api: Api, budget: timedelta) -> Login:
        """A token that lives for ``budget`` from now.

        Raises:
            Unauthenticated: Neither a renewal nor a login gives one.
        """
        login, needed = self.login(api, prolong=True), budget.total_seconds()
        for better in (self._prolonged, self._anew):
            if login.ends - time.monotonic() >= needed:
                return login
            with self._lock:
                login = better(api, login)
        left = login.ends - time.monotonic()
        if left >= needed:
            return login
        raise Unauthenticated(
            f"the Vault token ends in {left:.0f} s, and a rotation may need {needed:.0f} s",
            remedy="give the token or its role a longer TTL, and a longer greatest one",
        )

    def after_denial(self, api: Api, denied: Login) -> Login | None:
        """Another token to try with; None when the denial is to be believed."""
        with self._lock:
            if self._login is not denied:
                return self._login
            if time.monotonic() - self._doubted < _DOUBT:
                return None
            self._doubted = time.monotonic()
            return self._anew(api, denied)

    def rest(self) -> float:
        """Seconds until the token wants attention; infinite for one that never ends."""
        return self._login.due - time.monotonic() if self._login else math.inf

    def _anew(self, api: Api, old: Login | None) -> Login:
        """Log in, unless another thread has just done so. Needs the lock."""
        if self._login is not old and self._login is not None:
            return self._login
        try:
            login = self._auth.log_in(api)
        except Refused as refused:
            if refused.passing:
                raise
            token = self._auth.method == "token"
            what = (
                "the token (VAULT_TOKEN, or `vault.auth`)" if token else "the credential, its mount"
            )
            raise Unauthenticated(
                f"Vault refused the {self._auth.method} login: {refused.said or refused.status}",
                remedy=f"check {what} and `vault.namespace`; it may have expired or been revoked",
            ) from refused
        except OSError as error:
            raise Unauthenticated(
                f"the {self._auth.method} credential cannot be read: {error.strerror}",
                remedy="check that its file is there and readable",
            ) from error
        self._login = login
        self.news.append((Event.VAULT_LOGIN, login))
        return login

    def _prolonged(self, api: Api, old: Login) -> Login:
        """Renew, or log in where that leads nowhere; if all fails, the old one. Needs the lock."""
        if self._login is not old and self._login is not None:
            return self._login
        try:
            self._login = self._renewed(api, old) or self._anew(api, old)
        except (Refused, RotatorError):
            # It lives for a while yet: the work goes on, and if this never gets better, the
            # request after its end says so.
            now = time.monotonic()
            self._login = replace(old, due=now + max(_RETRY, (old.ends - now) / 3))
        return self._login

    def _renewed(self, api: Api, old: Login) -> Login | None:
        if not old.renewable:
            return None
        api.use(old.token)
        try:
            facts = part(api.renew_self(), "auth")
        except Refused as refused:
            if refused.passing:
                raise
            return None
        new = Login.of(
            old.token.reveal(),
            old.method,
            _seconds(facts, "lease_duration"),
            renewable=_renewable(facts),
            last=old.last,
        )
        if new.ends <= old.ends + _GROWTH:
            return None
        self.news.append((Event.VAULT_RENEWED, new))
        return new


def _login(answer: Json, method: str) -> Login:
    facts = part(answer, "auth")
    token = facts.get("client_token")
    if not isinstance(token, str):
        raise Unauthenticated(f"Vault's answer to the {method} login holds no token")
    ttl = _seconds(facts, "lease_duration") or math.inf
    return Login.of(token, method, ttl, renewable=_renewable(facts))


def _seconds(facts: Json, field: str) -> float:
    value = facts.get(field)
    return float(value) if isinstance(value, int | float) else 0.0


def _longest(facts: Json, ttl: float) -> float:
    """Seconds to the end of ``explicit_max_ttl``, all by Vault's clock; infinite without one.

    The other ways to log in are not asked for theirs: they log in anew when a token ends.
    """
    most, born = _seconds(facts, "explicit_max_ttl"), _seconds(facts, "creation_time")
    try:
        ends = datetime.fromisoformat(str(facts.get("expire_time"))).timestamp()
    except ValueError:
        return math.inf
    return born + most - (ends - ttl) if most and born else math.inf


def _renewable(facts: Json) -> bool:
    return facts.get("renewable") is True
