"""What the Arize stand-in is made of: eras, options, users, keys, refusals. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from rotator.keys import KeyType

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.keys import AnyBindings

Era = Literal["A", "B", "C"]
Operation = Literal["list", "create", "refresh", "revoke"]


class Refused(Exception):
    """The call is answered with an RFC 9457 problem; nothing was changed.

    Args:
        status: The HTTP status.
        detail: What is wrong, for the caller to read.
        retry_after: Whole seconds for ``Retry-After``, or None to leave it out.
    """

    def __init__(self, status: int, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class ArizeOptions:
    """How the stand-in behaves where deployments differ, or where nobody documents it.

    ``era`` is the wire format, as ``docs/arize-api.md`` names them. ``refresh_keeps_id`` also keeps
    ``created_at``: it is the same key with a new secret. ``second_refresh_cuts_window`` ends the
    windows of a key's older secrets at once. ``max_lifetime`` is the account's (era C only).
    ``lists_expired`` shows expired keys among the active ones. ``error_rate`` is the share of
    calls, from 0 to 1, that fail by chance: 5xx, 429, dropped, and mints lost after they were done.
    """

    era: Era = "C"
    refresh_keeps_id: bool = False
    second_refresh_cuts_window: bool = False
    max_lifetime: timedelta | None = None
    lists_expired: bool = False
    latency: timedelta = timedelta(0)
    error_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class User:
    """A person, or the bot user behind a service key. Admins may do everything in the account."""

    id: str
    name: str
    admin: bool = False


@dataclass(slots=True)
class StoredKey:
    """One secret and its metadata. The raw key stays out of ``repr``."""

    id: str
    serial: int
    raw: str = field(repr=False)
    name: str
    type: KeyType
    creator: User
    #: Who the secret acts as: the creator, or a bot user.
    actor: User
    created_at: datetime
    #: The first key of a chain of refreshes; all of them share it.
    lineage: int
    description: str | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked: bool = False
    bindings: AnyBindings | None = None
    #: A refresh has replaced it: what is left of its life is a grace window.
    superseded: bool = False
    #: The former secret of a key that kept its id: accepted, but never listed.
    shadow: bool = False
    #: Its bot user cannot be looked up any more: listings show a nameless placeholder.
    orphaned: bool = False

    @property
    def redacted(self) -> str:
        """As the service shows it: ``ak-abc...xyz``."""
        return f"{self.raw[:6]}...{self.raw[-3:]}"

    def usable(self, now: datetime) -> bool:
        """Neither revoked nor past its expiry."""
        return not self.revoked and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A create request, already validated and with every role spelled out."""

    name: str
    type: KeyType = KeyType.USER
    description: str | None = None
    expires_at: datetime | None = None
    bindings: AnyBindings | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """The filters of a listing. ``before`` is the serial where the last page ended."""

    type: KeyType | None = None
    active: bool = True
    space_id: str | None = None
    user_id: str | None = None
    limit: int = 50
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing, newest first. ``next`` is the serial to go on before, or None."""

    keys: tuple[StoredKey, ...]
    next: int | None
