"""Queries and answers of the Arize API, as each era spells them. Pure.

Facts and their sources: ``docs/arize-api.md``.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from rotator.keys import Bindings, KeyType, OrgBinding, Role
from rotator.sandbox.arize_model import Query, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.sandbox.arize_model import Era, Page, StoredKey

_CURSOR = "before:"


def read_query(raw: Mapping[str, str], era: Era) -> Query:
    """The filters of a listing, from the query string."""
    status = raw.get("status") or _spelled("active", era)
    if status not in (_spelled("active", era), _revoked(era)):
        raise Refused(400, "status is none of the known ones.")
    limit = raw.get("limit") or "50"
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 100):  # noqa: PLR2004
        raise Refused(400, "limit must be from 1 to 100.")
    return Query(
        type=_read_type(raw.get("key_type"), era),
        active=status != _revoked(era),
        space_id=raw.get("space_id"),
        user_id=raw.get("user_id"),
        limit=int(limit),
        before=_read_cursor(raw.get("cursor")),
    )


def write_page(page: Page, query: Query, era: Era) -> dict[str, Any]:
    """A page of a listing. Only one that is not filtered by space carries bindings."""
    pagination: dict[str, Any] = {"has_more": page.next is not None}
    if page.next is not None:
        pagination["next_cursor"] = base64.urlsafe_b64encode(
            f"{_CURSOR}{page.next}".encode()
        ).decode()
    keys = [_write_listed(key, query, era) for key in page.keys]
    return {"api_keys": keys, "pagination": pagination}


def write_created(key: StoredKey, era: Era) -> dict[str, Any]:
    """The answer to a create: everything, and the raw key for the one time."""
    document = write_refreshed(key, era)
    if era == "C" and isinstance(key.bindings, Bindings):
        document["bot_user"] = _write_bot(key, key.bindings.organizations)
    return document


def write_refreshed(key: StoredKey, era: Era) -> dict[str, Any]:
    """The answer to a refresh: metadata without a bot user, and the raw key for the one time."""
    return {**_write_metadata(key, era), "key": key.raw}


def _read_type(text: str | None, era: Era) -> KeyType | None:
    for kind in (KeyType.USER, KeyType.SERVICE):
        if text == _spelled(kind, era):
            return kind
    if text:
        raise Refused(400, "key_type is none of the known ones.")
    return None


def _read_cursor(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return int(base64.urlsafe_b64decode(text).decode().removeprefix(_CURSOR))
    except (binascii.Error, ValueError):
        raise Refused(400, "cursor was not made by this service.") from None


def _spelled(word: str, era: Era) -> str:
    return word.upper() if era == "C" else word


def _revoked(era: Era) -> str:
    return "deleted" if era == "A" else _spelled("revoked", era)


def _write_time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _write_metadata(key: StoredKey, era: Era) -> dict[str, Any]:
    document = {
        "id": key.id,
        "name": key.name,
        "description": key.description,
        "key_type": _spelled(key.type, era),
        "status": _revoked(era) if key.revoked else _spelled("active", era),
        "redacted_key": key.redacted,
        "created_at": _write_time(key.created_at),
        "expires_at": _write_time(key.expires_at) if key.expires_at else None,
        "created_by_user_id": key.creator.id,
        "last_used_at": _write_time(key.last_used_at) if key.last_used_at else None,
    }
    return {name: value for name, value in document.items() if value is not None}


def _write_listed(key: StoredKey, query: Query, era: Era) -> dict[str, Any]:
    document = _write_metadata(key, era)
    if era == "C" and isinstance(key.bindings, Bindings):
        shown = () if query.space_id else key.bindings.organizations
        document["bot_user"] = _write_bot(key, shown)
    return document


def _write_bot(key: StoredKey, organizations: tuple[OrgBinding, ...]) -> dict[str, Any]:
    if key.orphaned or not isinstance(key.bindings, Bindings):
        placeholder = _write_role(Role(name="MEMBER"))
        return {"id": key.actor.id, "name": "", "account_role": placeholder, "organizations": []}
    return {
        "id": key.actor.id,
        "name": key.actor.name,
        "account_role": _write_role(key.bindings.account_role),
        "organizations": [_write_organization(org) for org in organizations],
    }


def _write_organization(org: OrgBinding) -> dict[str, Any]:
    spaces = [{"space_id": one.space_id, "role": _write_role(one.role)} for one in org.spaces]
    return {"org_id": org.org_id, "role": _write_role(org.role), "spaces": spaces}


def _write_role(role: Role | None) -> dict[str, str] | None:
    if role is None:
        return None
    if role.id:
        return {"type": "CUSTOM", "id": role.id, "name": "a custom role"}
    return {"type": "PREDEFINED", "name": role.name or "MEMBER"}
