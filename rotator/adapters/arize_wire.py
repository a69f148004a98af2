"""The two wire shapes of Arize's API-keys API, read and written. Pure.

Nothing here raises on what a server sent: a reader answers with what it could read, None where it
could read nothing. Raw bytes come in masked and are unmasked in these functions only, none of
which can be found in a traceback, because none of them ends by an exception.

The shapes (``docs/arize-api.md``; SDK 8.32, 8.36 and 8.61): eras A and B spell enums in lower case
and bind a service key by ``space_id`` and ``roles``; era C spells them in upper case and binds it
by ``organizations`` and ``account_role``, its roles being objects.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rotator.adapters.arize_bindings import read_bindings, text_of, write_bindings
from rotator.keys import Key, KeyStatus, KeyType, Minted
from rotator.secrets import Redacted, Secret

if TYPE_CHECKING:
    from rotator.keys import Order
    from rotator.secrets import Masked

#: A zero time (Go's year 1, the epoch) means "not set" and is not read as a time; a "never" like
#: the year 9999 is brought in, so that adding a duration to it cannot overflow.
_FIRST_YEAR = 2000
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
#: The string of a member ``key``, complete with its closing quote, wherever it stands.
_KEY_MEMBER = re.compile(rb'"key"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)
#: What can be sent as a bearer token; anything else cannot be a key.
_SENDABLE = re.compile(r"[\x21-\x7e]+")
#: An id goes into a path and into messages; one of dots alone would lead to another path.
_ID = re.compile(r"[\x21-\x7e]{1,512}")
_STATUSES = {"active": KeyStatus.ACTIVE, "revoked": KeyStatus.REVOKED, "deleted": KeyStatus.REVOKED}
_TYPES = {"user": KeyType.USER, "service": KeyType.SERVICE}


@dataclass(frozen=True, slots=True)
class Unclear:
    """A key whose expiry is there and cannot be read: neither "never" nor a guess is safe."""

    key_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    keys: tuple[Key, ...] = ()
    unclear: tuple[Unclear, ...] = ()
    #: Items without a readable id: nothing can be done about them, or with them.
    skipped: int = 0
    more: bool = False
    cursor: str | None = None
    #: Whether enums were spelled in upper case; None when nothing told.
    upper: bool | None = None


def read_page(body: Masked[bytes]) -> Page | None:
    """Read an answer to a listing; None unless it is one, so that no fault looks like "no keys"."""
    document = _json(body.reveal())
    items = document.get("api_keys") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(items, list):
        return None
    found = [read_key(item) for item in items]
    more, cursor = _pagination(document.get("pagination"))
    return Page(
        keys=tuple(key for key in found if isinstance(key, Key)),
        unclear=tuple(key for key in found if isinstance(key, Unclear)),
        skipped=found.count(None),
        more=more,
        cursor=cursor,
        upper=next((told for item in items if (told := spelling(item)) is not None), None),
    )


def read_minted(body: Masked[bytes]) -> tuple[Minted, bool | None] | None:
    """The raw key of an answer to a mint, and how it spells enums; None when it holds no raw key.

    The raw key comes first: an answer that was cut off behind it, or is no JSON, still gives it.
    """
    document = _json(body.reveal())
    secret = _raw_key(document, body)
    if secret is None:
        return None
    key = read_key(document)
    return Minted(secret, key if isinstance(key, Key) else None), spelling(document)


def read_problem(body: Masked[bytes]) -> str:
    """The ``detail`` of RFC 9457 problem details, or their ``title``; unscrubbed."""
    document = _json(body.reveal())
    members = document if isinstance(document, dict) else {}
    return text_of(members.get("detail")) or text_of(members.get("title")) or ""


def read_key(item: object) -> Key | Unclear | None:
    """Read key metadata of any era; None without a readable id."""
    if not isinstance(item, dict):
        return None
    key_id = item.get("id")
    if not isinstance(key_id, str) or not _ID.fullmatch(key_id) or not key_id.strip("."):
        return None
    status = _STATUSES.get(_word(item.get("status")), KeyStatus.UNKNOWN)
    expires_at = read_time(item.get("expires_at"))
    told = expires_at is not None or item.get("expires_at") is None
    if not told and status is not KeyStatus.REVOKED:
        return Unclear(key_id)
    return Key(
        id=key_id,
        name=text_of(item.get("name")) or "",
        redacted=Redacted.parse(text_of(item.get("redacted_key"))),
        description=text_of(item.get("description")),
        type=_TYPES.get(_word(item.get("key_type")), KeyType.UNKNOWN),
        status=status,
        created_at=read_time(item.get("created_at")),
        expires_at=expires_at,
        created_by=text_of(item.get("created_by_user_id")),
        last_used_at=read_time(item.get("last_used_at")),
        bindings=read_bindings(item.get("bot_user")),
    )


def spelling(item: object) -> bool | None:
    """Whether key metadata spells its enums in upper case; None when no word known tells."""
    members = item if isinstance(item, dict) else {}
    for name, known in (("key_type", _TYPES), ("status", _STATUSES)):
        text = members.get(name)
        if isinstance(text, str) and text.lower() in known:
            return text.isupper()
    return None


def read_time(value: object) -> datetime | None:
    """An RFC 3339 time in UTC, however precise; a naive one is UTC. None if it cannot be read."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip().upper())
    except ValueError:
        return None
    if time.year >= _LATEST.year:
        return _LATEST
    if time.year < _FIRST_YEAR:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def write_time(time: datetime) -> str:
    """RFC 3339 with ``Z``; fractions stay, for a refresh may not exceed the old expiry."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def sendable(secret: Secret) -> bool:
    """Whether ``secret`` can stand in a header; others would fail there, and be quoted."""
    return _SENDABLE.fullmatch(secret.reveal()) is not None


def write_order(order: Order, *, upper: bool) -> dict[str, object]:
    """The body of a create; service keys are spelled as their bindings are, others by ``upper``."""
    body: dict[str, object] = {"name": order.name}
    if order.description is not None:
        body["description"] = order.description
    if order.expires_at is not None:
        body["expires_at"] = write_time(order.expires_at)
    if order.type is KeyType.SERVICE and order.bindings is not None:
        return body | write_bindings(order.bindings)
    return body | {"key_type": spelled(order.type, upper=upper)}


def spelled(key_type: KeyType, *, upper: bool) -> str:
    """The enum value as the service spells it."""
    return key_type.value.upper() if upper else key_type.value


def _json(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _raw_key(document: object, body: Masked[bytes]) -> Secret | None:
    """The member ``key`` of the document, else one found in the bytes, a likely one first."""
    member = document.get("key") if isinstance(document, dict) else None
    loose = [_json(found) for found in _KEY_MEMBER.findall(body.reveal())]
    likely = [text for text in loose if isinstance(text, str) and text.startswith("ak-")]
    found = (text for text in (member, *likely, *loose) if _is_raw(text))
    return next((Secret(str(text)) for text in found), None)


def _is_raw(text: object) -> bool:
    """No redacted key, and nothing that could never authenticate."""
    sendable = isinstance(text, str) and _SENDABLE.fullmatch(text) is not None
    return sendable and ".." not in str(text) and "*" not in str(text)


def _word(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _pagination(value: object) -> tuple[bool, str | None]:
    pagination = value if isinstance(value, dict) else {}
    cursor = text_of(pagination.get("next_cursor")) or None
    more = pagination.get("has_more")
    return (more if isinstance(more, bool) else cursor is not None), cursor
