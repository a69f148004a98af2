"""Which keys a listing shows, and in what pages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.keys import KeyType
from rotator.sandbox.arize_model import Page, Refused
from rotator.sandbox.arize_privileges import spaces_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rotator.sandbox.arize_model import Query, StoredKey, User


def page(
    keys: Iterable[StoredKey], caller: User, query: Query, *, alive_at: datetime | None
) -> Page:
    """One page of those ``keys`` that ``caller`` may see and ``query`` asks for.

    Service keys are shown when the query names their type or a space, else the caller's user keys.
    Keys expired at ``alive_at`` are no longer active ones; None shows them all the same.

    Raises:
        Refused: 400 for filters that exclude each other, 403 for the keys of others.
    """
    service = query.type is KeyType.SERVICE or (query.type is None and query.space_id is not None)
    if query.space_id is not None and not service:
        raise Refused(400, "space_id filters service keys only.")
    if not service and query.user_id not in (None, caller.id) and not caller.admin:
        raise Refused(403, "Only account admins may list the keys of other users.")
    creator = query.user_id if service else query.user_id or caller.id
    found = [
        key
        for key in keys
        if (key.type is KeyType.SERVICE) == service
        and creator in (None, key.creator.id)
        and _in_state(key, query, alive_at)
        and (query.space_id is None or query.space_id in spaces_of(key.bindings))
        and (query.before is None or key.serial < query.before)
    ]
    found.sort(key=lambda key: -key.serial)
    shown, rest = found[: query.limit], found[query.limit :]
    return Page(tuple(shown), shown[-1].serial if rest else None)


def _in_state(key: StoredKey, query: Query, alive_at: datetime | None) -> bool:
    if not query.active:
        return key.revoked
    return not key.revoked if alive_at is None else key.usable(alive_at)
