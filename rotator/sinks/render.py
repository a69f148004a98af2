"""What stands in a file: the key alone, lines of variables, or a JSON object. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal

from rotator.errors import Rejected
from rotator.secrets import Masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.journal import Current
    from rotator.secrets import Secret

Format = Literal["raw", "dotenv", "json"]

#: Read alike by shells, Docker, systemd and the dotenv libraries.
_BARE = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")
#: Inside of single quotes these have a meaning to some of them.
_AMBIGUOUS = re.compile(r"['\\\x00-\x1f\x7f]")


def facts_of(secret: Secret, current: Current | None) -> dict[str, str | None]:
    """What is known of the key beside itself: all of it, if it is the one last delivered."""
    facts: dict[str, str | None] = {"key": None, "redacted_key": str(secret.redacted)}
    if current is None or current.fingerprint != secret.fingerprint:
        return facts
    expires_at = current.expires_at
    return facts | {
        "key_id": current.key_id,
        "name": current.name,
        "expires_at": expires_at.isoformat() if expires_at else "never",
        "rotated_at": current.since.isoformat(timespec="seconds"),
    }


def rendered(
    form: Format, names: Mapping[str, str], secret: Secret, facts: Mapping[str, str | None]
) -> Masked[bytes]:
    """The content of a file: each fact of ``names`` under its name, the ``key`` among them.

    Raises:
        Rejected: A value cannot be written in a way that everybody reads alike.
    """
    if form == "raw":
        return Masked(secret.reveal().encode())
    known = {**facts, "key": secret.reveal()}
    fields = {name: known.get(fact) for fact, name in names.items()}
    if form == "json":
        return Masked(f"{json.dumps(fields, ensure_ascii=False)}\n".encode())
    if any(_AMBIGUOUS.search(value or "") for value in fields.values()):
        raise Rejected("a value has characters that not everybody reads alike", remedy="use json")
    lines = (f"{name}={_quoted(value or '')}\n" for name, value in fields.items())
    return Masked("".join(lines).encode())


def _quoted(value: str) -> str:
    return value if _BARE.fullmatch(value) else f"'{value}'"
