"""Request bodies of the Arize API, read strictly, with every role spelled out. Pure.

Which fields are refused, and with which status, is what the request models of the official SDK and
their descriptions say; ``docs/arize-api.md`` has the summary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rotator.keys import Bindings, KeyType, LegacyBindings, OrgBinding, Role, SpaceBinding
from rotator.sandbox.arize_model import NewKey, Refused

if TYPE_CHECKING:
    from rotator.sandbox.arize_model import Era

T = TypeVar("T")

Name = Annotated[str, Field(max_length=256)]
Description = Annotated[str, Field(max_length=1000)]


class _Request(BaseModel):
    """Unknown fields are an error; what was sent is not repeated in it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Predefined(_Request):
    type: Literal["PREDEFINED"]
    name: Literal["ADMIN", "MEMBER", "READ_ONLY", "MEMBER_UI_ONLY", "ANNOTATOR"]


class _Custom(_Request):
    type: Literal["CUSTOM"]
    id: str


_Role = Annotated[_Predefined | _Custom, Field(discriminator="type")]


class _Space(_Request):
    space_id: str
    role: _Role | None = None


class _Organization(_Request):
    org_id: str
    role: _Role | None = None
    spaces: Annotated[list[_Space], Field(min_length=1, max_length=100)]


class _CreateUserKey(_Request):
    key_type: Literal["USER"]
    name: Name
    description: Description | None = None
    expires_at: AwareDatetime | None = None

    def order(self) -> NewKey:
        return NewKey(self.name, KeyType.USER, self.description, self.expires_at)


class _CreateServiceKey(_Request):
    key_type: Literal["SERVICE"]
    name: Name
    description: Description | None = None
    expires_at: AwareDatetime | None = None
    account_role: _Role | None = None
    organizations: Annotated[list[_Organization], Field(min_length=1, max_length=100)]

    def order(self) -> NewKey:
        organizations = tuple(
            OrgBinding(
                org.org_id,
                _organization_role(org.role),
                tuple(SpaceBinding(one.space_id, _space_role(one.role)) for one in org.spaces),
            )
            for org in self.organizations
        )
        bindings = Bindings(organizations, _account_role(self.account_role))
        return NewKey(self.name, KeyType.SERVICE, self.description, self.expires_at, bindings)


class _LegacyRoles(_Request):
    space_role: Literal["admin", "member", "read-only"] | None = None
    org_role: Literal["admin", "member", "read-only"] | None = None
    account_role: Literal["admin", "member"] | None = None


class _CreateLegacyKey(_Request):
    name: Name
    key_type: Literal["user", "service"] = "user"
    description: Description | None = None
    expires_at: AwareDatetime | None = None
    space_id: str | None = None
    roles: _LegacyRoles | None = None

    def order(self) -> NewKey:
        kind, bindings = KeyType(self.key_type), None
        if kind is KeyType.USER and (self.space_id or self.roles):
            raise Refused(400, "space_id and roles are for service keys only.")
        if kind is KeyType.SERVICE:
            bindings = self._bindings()
        return NewKey(self.name, kind, self.description, self.expires_at, bindings)

    def _bindings(self) -> LegacyBindings:
        if not self.space_id:
            raise Refused(400, "space_id is required for a service key.")
        roles = self.roles or _LegacyRoles()
        return LegacyBindings(
            self.space_id,
            roles.space_role or "member",
            roles.org_role or "read-only",
            roles.account_role or "member",
        )


class RefreshRequest(_Request):
    """The body of a refresh."""

    expires_at: AwareDatetime | None = None
    grace_period_seconds: Annotated[int, Field(strict=True, ge=0, le=86400)] = 0


_CREATE: TypeAdapter[_CreateUserKey | _CreateServiceKey] = TypeAdapter(
    Annotated[_CreateUserKey | _CreateServiceKey, Field(discriminator="key_type")]
)
_LEGACY_CREATE = TypeAdapter(_CreateLegacyKey)
_REFRESH = TypeAdapter(RefreshRequest)


def read_create(body: bytes, era: Era) -> NewKey:
    """The key that ``body`` asks for."""
    request = _read(_CREATE, body) if era == "C" else _read(_LEGACY_CREATE, body)
    return request.order()


def read_refresh(body: bytes) -> RefreshRequest:
    """A refresh; no body at all is one with nothing said."""
    return _read(_REFRESH, body or b"{}")


def _read(adapter: TypeAdapter[T], body: bytes) -> T:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        places = (
            f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise Refused(400, "; ".join(places)) from None


def _space_role(role: _Predefined | _Custom | None) -> Role:
    if isinstance(role, _Predefined) and role.name in ("ANNOTATOR", "MEMBER_UI_ONLY"):
        raise Refused(422, f"The space role {role.name} is not valid for a service key.")
    return _role(role, "MEMBER")


def _organization_role(role: _Predefined | _Custom | None) -> Role:
    if isinstance(role, _Custom):
        raise Refused(422, "Custom roles are not supported for organizations yet.")
    if role and role.name in ("ANNOTATOR", "MEMBER_UI_ONLY"):
        raise Refused(422, f"The organization role {role.name} is not valid for a service key.")
    return _role(role, "READ_ONLY")


def _account_role(role: _Predefined | _Custom | None) -> Role:
    if isinstance(role, _Custom):
        raise Refused(422, "Custom roles are not supported for accounts yet.")
    if role and role.name not in ("ADMIN", "MEMBER"):
        raise Refused(400, f"The account role {role.name} is not valid for a service key.")
    return _role(role, "MEMBER")


def _role(role: _Predefined | _Custom | None, default: str) -> Role:
    if isinstance(role, _Custom):
        return Role(id=role.id)
    return Role(name=role.name if role else default)
