"""What the provider tells about keys: metadata, never a raw key. Pure.

Facts from ``docs/arize-api.md``; the wire spells enums in two ways and both are read into these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator.secrets import Redacted

if TYPE_CHECKING:
    from datetime import datetime

    from rotator.secrets import Secret


class KeyType(StrEnum):
    """``user`` acts as its creator; ``service`` acts as a bot user with bindings of its own."""

    USER = "user"
    SERVICE = "service"
    UNKNOWN = "unknown"


class KeyStatus(StrEnum):
    """``revoked`` is also what the oldest era calls ``deleted``."""

    ACTIVE = "active"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Role:
    """A role assignment: ``name`` of a predefined role, or ``id`` of a custom one."""

    name: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class SpaceBinding:
    """A service key's access to one space."""

    space_id: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class OrgBinding:
    """A service key's access to one organisation and to spaces in it."""

    org_id: str
    role: Role | None = None
    spaces: tuple[SpaceBinding, ...] = ()


@dataclass(frozen=True, slots=True)
class Bindings:
    """The privileges of a service key as today's service (era C) spells them."""

    organizations: tuple[OrgBinding, ...]
    account_role: Role | None = None

    def same_as(self, other: Bindings) -> bool:
        """Whether both grant the same, in whatever order they were listed."""
        return self._normal() == other._normal()

    def _normal(self) -> object:
        return self.account_role, frozenset(
            (org.org_id, org.role, frozenset(org.spaces)) for org in self.organizations
        )


@dataclass(frozen=True, slots=True)
class LegacyBindings:
    """The privileges of a service key as eras A and B spell them: one space, three roles."""

    space_id: str
    space_role: str | None = None
    org_role: str | None = None
    account_role: str | None = None


AnyBindings = Bindings | LegacyBindings


@dataclass(frozen=True, slots=True)
class Key:
    """One key as the provider lists it. Times are aware, in UTC."""

    id: str
    name: str = ""
    redacted: Redacted = field(default_factory=Redacted)
    description: str | None = None
    type: KeyType = KeyType.USER
    status: KeyStatus = KeyStatus.ACTIVE
    created_at: datetime | None = None
    expires_at: datetime | None = None
    created_by: str | None = None
    last_used_at: datetime | None = None
    #: A service key's privileges, where the listing really carries them; None is "not told".
    bindings: Bindings | None = None

    def usable(self, now: datetime) -> bool:
        """Active, or of a status we do not know, and not past its expiry."""
        return self.status is not KeyStatus.REVOKED and (
            self.expires_at is None or self.expires_at > now
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """Which keys one listing covers: a space's service keys, all of one type, or the caller's own.

    ``Scope()`` is the provider's default: the user keys of the caller.
    """

    space_id: str | None = None
    type: KeyType | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All active keys of one scope, over all pages; ``taken_at`` is when it was begun."""

    keys: tuple[Key, ...]
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """What to create: a key with the same name, description, type and privileges as an old one."""

    name: str
    type: KeyType
    description: str | None = None
    expires_at: datetime | None = None
    bindings: AnyBindings | None = None


@dataclass(frozen=True, slots=True)
class Minted:
    """The answer to a create or a refresh: the raw key, shown once.

    ``key`` is None when the rest of the answer could not be read: the raw key is safe all the same,
    and the next listing tells the rest.
    """

    secret: Secret
    key: Key | None
