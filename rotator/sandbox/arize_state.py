"""The keys of an Arize account, and what may be done with them. Pure: time and chance are given.

Facts and their sources: ``docs/arize-api.md``. Refusals are :class:`Refused`.
"""

from __future__ import annotations

import base64
import string
from dataclasses import replace
from typing import TYPE_CHECKING

from rotator.keys import KeyType
from rotator.sandbox.arize_faults import Faults
from rotator.sandbox.arize_listing import page
from rotator.sandbox.arize_model import NewKey, Refused, StoredKey, User
from rotator.sandbox.arize_privileges import (
    grants_admin,
    is_account_admin,
    plain_bindings,
)

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from random import Random

    from rotator.keys import AnyBindings
    from rotator.sandbox.arize_faults import Fault
    from rotator.sandbox.arize_model import ArizeOptions, Operation, Page, Query

_ALPHABET = string.ascii_letters + string.digits
_RAW_LENGTH = 50


def opaque_id(kind: str, number: int) -> str:
    """An id as the service makes them: base64 of words with colons. Clients recognise that."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


#: An organisation and a space for those who need any.
ORGANIZATION = opaque_id("Organization", 1)
SPACE = opaque_id("Space", 1)


class ArizeState:
    """One account.

    Args:
        options: How this deployment behaves.
        clock: Answers the time, aware and in UTC.
        random: Makes raw keys and chance faults; give a seeded one for a repeatable run.
    """

    def __init__(
        self, options: ArizeOptions, *, clock: Callable[[], datetime], random: Random
    ) -> None:
        self.options = options
        self.clock = clock
        self.keys: list[StoredKey] = []
        self._random = random
        self._faults = Faults(rate=options.error_rate, random=random)
        self._serial = 1000
        #: An account admin, who owns the management key.
        self.admin = self.add_user("admin", admin=True)
        self.management_key_id, self.management_key = self.seed_user_key("management")

    # For demos and tests.

    @property
    def faults(self) -> deque[Fault]:
        """Faults to come; append to script one."""
        return self._faults.script

    def next_fault(self, op: Operation) -> Fault | None:
        """The fault that this call meets, if any."""
        return self._faults.next(op)

    def add_user(self, name: str, *, admin: bool = False) -> User:
        """A new user of the account."""
        return User(opaque_id("User", self._next()), name, admin)

    def seed_user_key(
        self,
        name: str,
        *,
        expires_at: datetime | None = None,
        created_at: datetime | None = None,
        user: User | None = None,
    ) -> tuple[str, str]:
        """A user key out of nowhere, the admin's unless ``user`` is given: its id and raw key."""
        order = NewKey(name, expires_at=expires_at)
        return self._seed(order, created_at, user)

    def seed_service_key(
        self,
        name: str,
        *,
        bindings: AnyBindings | None = None,
        expires_at: datetime | None = None,
        created_at: datetime | None = None,
        user: User | None = None,
    ) -> tuple[str, str]:
        """A service key out of nowhere, by default a member of :data:`SPACE`: id and raw key."""
        bindings = bindings or plain_bindings(
            self.options.era, organization=ORGANIZATION, space=SPACE
        )
        order = NewKey(name, KeyType.SERVICE, expires_at=expires_at, bindings=bindings)
        return self._seed(order, created_at, user)

    def accepts(self, raw: str) -> bool:
        """Whether ``raw`` works now. Leaves ``last_used_at`` alone."""
        return self._usable(raw) is not None

    def active(self, now: datetime) -> tuple[StoredKey, ...]:
        """All keys of the account that work at ``now``, oldest first."""
        return tuple(key for key in self.keys if not key.shadow and key.usable(now))

    def find(self, key_id: str) -> StoredKey | None:
        """The key with this id, whatever became of it."""
        return next((key for key in self.keys if key.id == key_id and not key.shadow), None)

    # What the routes call.

    def authenticate(self, raw: str | None) -> User:
        """Who calls. The key counts as used.

        Raises:
            Refused: 401.
        """
        key = self._usable(raw) if raw else None
        if key is None:
            raise Refused(401, "The API key is missing, unknown, expired or revoked.")
        key.last_used_at = self.clock()
        return key.actor

    def list(self, caller: User, query: Query) -> Page:
        """One page of what ``caller`` may see of ``query``."""
        listed = (key for key in self.keys if not key.shadow)
        shown = None if self.options.lists_expired else self.clock()
        return page(listed, caller, query, alive_at=shown)

    def create(self, caller: User, order: NewKey) -> StoredKey:
        """A new key of ``caller``; a service key gets a bot user of its own."""
        if not caller.admin and grants_admin(order.bindings):
            raise Refused(422, "A role is above your own.")
        expires_at = self._within_account_limit(order.expires_at)
        return self._add(replace(order, expires_at=expires_at), self.clock(), caller)

    def refresh(
        self, caller: User, key_id: str, *, expires_at: datetime | None, grace: timedelta
    ) -> StoredKey:
        """Give a key a new secret; the old one goes on for ``grace``, but not past its expiry."""
        old, now = self._reachable(caller, key_id), self.clock()
        if old.revoked:
            raise Refused(404, "There is no such API key.")
        if not old.usable(now):
            raise Refused(422, "An expired API key cannot be refreshed.")
        if self.options.era == "C":
            _refuse_longer_life(old, expires_at)
        new = self._successor(old, self._within_account_limit(expires_at))
        if self.options.second_refresh_cuts_window:
            self._cut_windows(old)
        _supersede(old, now, grace)
        old.shadow = self.options.refresh_keeps_id
        self.keys.append(new)
        return new

    def revoke(self, caller: User, key_id: str) -> None:
        """End a key, and whatever former secrets of it are in their grace under the same id."""
        key = self._reachable(caller, key_id)
        if key.revoked and self.options.era == "A":
            raise Refused(404, "There is no such API key.")
        for secret in self.keys:
            secret.revoked = secret.revoked or secret.id == key_id

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _fresh_raw(self) -> str:
        return "ak-" + "".join(self._random.choices(_ALPHABET, k=_RAW_LENGTH))

    def _usable(self, raw: str) -> StoredKey | None:
        now = self.clock()
        return next((key for key in self.keys if key.raw == raw and key.usable(now)), None)

    def _seed(
        self, order: NewKey, created_at: datetime | None, user: User | None
    ) -> tuple[str, str]:
        key = self._add(order, created_at or self.clock(), user or self.admin)
        return key.id, key.raw

    def _add(self, order: NewKey, created_at: datetime, creator: User) -> StoredKey:
        serial, actor = self._next(), creator
        if order.type is KeyType.SERVICE:
            actor = self.add_user(f"{order.name} (bot)", admin=is_account_admin(order.bindings))
        key = StoredKey(
            id=opaque_id("ApiKey", serial),
            serial=serial,
            raw=self._fresh_raw(),
            name=order.name,
            type=order.type,
            creator=creator,
            actor=actor,
            created_at=created_at,
            lineage=serial,
            description=order.description,
            expires_at=order.expires_at,
            bindings=order.bindings,
        )
        self.keys.append(key)
        return key

    def _reachable(self, caller: User, key_id: str) -> StoredKey:
        key = self.find(key_id)
        mine = caller.admin or (key is not None and key.creator == caller)
        if key is None or (key.type is KeyType.USER and not mine):
            raise Refused(404, "There is no such API key.")
        if not mine:
            raise Refused(403, "Only space admins and its creator may change a service key.")
        return key

    def _within_account_limit(self, expires_at: datetime | None) -> datetime | None:
        now = self.clock()
        if expires_at is not None and expires_at <= now:
            raise Refused(422, "expires_at must be in the future.")
        if self.options.max_lifetime is None or self.options.era != "C":
            return expires_at
        latest = now + self.options.max_lifetime
        if expires_at is not None and expires_at > latest:
            raise Refused(422, "expires_at is beyond the account's maximum API key lifetime.")
        return expires_at or latest

    def _successor(self, old: StoredKey, expires_at: datetime | None) -> StoredKey:
        new = replace(old, raw=self._fresh_raw(), expires_at=expires_at, last_used_at=None)
        new.superseded = False
        if not self.options.refresh_keeps_id:
            new.serial = self._next()
            new.id = opaque_id("ApiKey", new.serial)
            new.created_at = self.clock()
        return new

    def _cut_windows(self, old: StoredKey) -> None:
        for key in self.keys:
            if key.lineage == old.lineage and key.superseded and key is not old:
                key.revoked = True


def _refuse_longer_life(old: StoredKey, expires_at: datetime | None) -> None:
    if old.expires_at is None:
        return
    if expires_at is None:
        raise Refused(422, "expires_at is required: the existing API key has an expiry.")
    if expires_at > old.expires_at:
        raise Refused(422, "expires_at must not be later than the existing API key's expiry.")


def _supersede(old: StoredKey, now: datetime, grace: timedelta) -> None:
    old.superseded = True
    if grace:
        end = now + grace
        old.expires_at = min(end, old.expires_at or end)
    else:
        old.revoked = True
