"""A service key's privileges on the wire, read (era C) and written (both shapes). Pure.

Eras A and B bind it by ``space_id`` and ``roles``, three names in lower case with hyphens; era C by
``organizations`` and ``account_role``, whose roles are objects: ``{"type": "PREDEFINED", "name"}``
in upper case with underscores, or ``{"type": "CUSTOM", "id"}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.keys import Bindings, LegacyBindings, OrgBinding, Role, SpaceBinding

if TYPE_CHECKING:
    from rotator.keys import AnyBindings


def text_of(value: object) -> str | None:
    """A string that can be encoded: JSON allows half a surrogate pair, UTF-8 does not."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else None


def read_bindings(bot_user: object) -> Bindings | None:
    """What a bot user may do, or None unless all of it is told.

    A listing by space leaves ``organizations`` empty, an unresolvable bot user has an empty name
    and a placeholder role, and a role left out would be filled by a default of the server's.
    """
    if not isinstance(bot_user, dict) or not bot_user.get("name"):
        return None
    account_role = _role(bot_user.get("account_role"))
    listed = bot_user.get("organizations")
    if account_role is None or not isinstance(listed, list) or not listed:
        return None
    organizations = [_organization(item) for item in listed]
    told = tuple(organization for organization in organizations if organization is not None)
    return Bindings(told, account_role) if len(told) == len(listed) else None


def _organization(item: object) -> OrgBinding | None:
    members = item if isinstance(item, dict) else {}
    org_id, role = text_of(members.get("org_id")), _role(members.get("role"))
    listed = members.get("spaces")
    if not org_id or role is None or not isinstance(listed, list):
        return None
    spaces = [_space(space) for space in listed]
    told = tuple(space for space in spaces if space is not None)
    return OrgBinding(org_id, role, told) if len(told) == len(listed) else None


def _space(item: object) -> SpaceBinding | None:
    members = item if isinstance(item, dict) else {}
    space_id, role = text_of(members.get("space_id")), _role(members.get("role"))
    return SpaceBinding(space_id, role) if space_id and role else None


def _role(item: object) -> Role | None:
    members = item if isinstance(item, dict) else {}
    name, role_id = text_of(members.get("name")), text_of(members.get("id"))
    match (text_of(members.get("type")) or "").upper():
        case "PREDEFINED" if name:
            return Role(name=_upper(name))
        case "CUSTOM" if role_id:
            return Role(id=role_id)
        case _:
            return None


def _upper(role: str) -> str:
    return role.upper().replace("-", "_")


def write_bindings(bindings: AnyBindings) -> dict[str, object]:
    """The members of a create that bind a service key, ``key_type`` in the same spelling."""
    if isinstance(bindings, LegacyBindings):
        return {"key_type": "service"} | _write_legacy(bindings)
    return {"key_type": "SERVICE"} | _write_organizations(bindings)


def _write_role(role: Role) -> dict[str, object]:
    if role.id is not None:
        return {"type": "CUSTOM", "id": role.id}
    return {"type": "PREDEFINED", "name": _upper(role.name or "")}


def _write_organizations(bindings: Bindings) -> dict[str, object]:
    body: dict[str, object] = {
        "organizations": [_write_organization(org) for org in bindings.organizations]
    }
    if bindings.account_role is not None:
        body["account_role"] = _write_role(bindings.account_role)
    return body


def _write_organization(organization: OrgBinding) -> dict[str, object]:
    spaces = [
        {"space_id": space.space_id} | ({"role": _write_role(space.role)} if space.role else {})
        for space in organization.spaces
    ]
    role = {"role": _write_role(organization.role)} if organization.role else {}
    return {"org_id": organization.org_id, **role, "spaces": spaces}


def _write_legacy(bindings: LegacyBindings) -> dict[str, object]:
    roles = {
        name: role.lower().replace("_", "-")
        for name in ("space_role", "org_role", "account_role")
        if (role := getattr(bindings, name)) is not None
    }
    return {"space_id": bindings.space_id} | ({"roles": roles} if roles else {})
