"""What a service key may do, in either spelling. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.keys import Bindings, LegacyBindings, OrgBinding, Role, SpaceBinding

if TYPE_CHECKING:
    from rotator.keys import AnyBindings
    from rotator.sandbox.arize_model import Era

_ADMIN = Role(name="ADMIN")


def plain_bindings(era: Era, *, organization: str, space: str) -> AnyBindings:
    """What the service gives when no role is named."""
    if era != "C":
        return LegacyBindings(space, "member", "read-only", "member")
    inside = SpaceBinding(space, Role(name="MEMBER"))
    return Bindings(
        (OrgBinding(organization, Role(name="READ_ONLY"), (inside,)),), Role(name="MEMBER")
    )


def spaces_of(bindings: AnyBindings | None) -> tuple[str, ...]:
    """The spaces that a key reaches."""
    if isinstance(bindings, LegacyBindings):
        return (bindings.space_id,)
    organizations = bindings.organizations if bindings else ()
    return tuple(space.space_id for org in organizations for space in org.spaces)


def is_account_admin(bindings: AnyBindings | None) -> bool:
    """Whether a bot user with these privileges is an account admin."""
    return bindings is not None and bindings.account_role in ("admin", _ADMIN)


def grants_admin(bindings: AnyBindings | None) -> bool:
    """Whether the admin role is among the privileges, at any level."""
    if bindings is None or is_account_admin(bindings):
        return bindings is not None
    if isinstance(bindings, LegacyBindings):
        return "admin" in (bindings.space_role, bindings.org_role)
    return any(
        _ADMIN in (org.role, *(space.role for space in org.spaces))
        for org in bindings.organizations
    )
