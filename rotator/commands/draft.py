"""The text of a first configuration: a policy for each key, with comments, and never a secret."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import yaml

from rotator import words
from rotator.keys import KeyType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rotator.keys import Key

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
#: What fits most keys: a week to notice and to act, six hours for consumers to read again.
_MARGIN, _GRACE, _AGE = 7 * _DAY, 6 * _HOUR, "90d"
_LONGEST_NAME = 50


@dataclass(frozen=True, slots=True)
class Chosen:
    """A key to look after. ``space_id`` is where it was listed; ``own``: rotator works with it."""

    key: Key
    space_id: str | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """What comes before the policies; one of ``vault`` and ``directory``."""

    arize: Mapping[str, object]
    vault: str | None
    directory: str | None
    path: str
    field: str


def draft(services: Services, keys: Sequence[Chosen]) -> str:
    """A configuration that ``rotator check`` accepts."""
    return "\n".join([*_services(services), "policies:", *_policies(services, keys), ""])


def _services(services: Services) -> Iterator[str]:
    yield "# Written by `rotator init`. Look at each `rotate`, which says when and with what grace,"
    yield "# and at where each policy delivers; then: rotator check --online, rotator plan."
    yield "arize:"
    for name, value in services.arize.items():
        yield f"  {name}: {_flow(value)}"
    if services.directory is not None:
        yield "files:"
        yield f"  directory: {_flow(services.directory)}"
        return
    yield "vault:"
    yield f"  address: {_flow(services.vault)}"
    yield "  # Or approle, or kubernetes: see config/rotator.yaml."
    yield "  auth: {method: token, token: {env: VAULT_TOKEN}}"


def _policies(services: Services, keys: Sequence[Chosen]) -> Iterator[str]:
    taken: set[str] = set()
    names = Counter(one.key.name for one in keys)
    for chosen in sorted(keys, key=lambda one: (one.key.name, one.key.id)):
        key, name = chosen.key, _name(chosen.key, taken)
        taken.add(name)
        yield f"  # {_told(chosen)}"
        if (alike := names[key.name]) > 1:
            yield f"  # {alike} of these keys have this name. One that another has replaced,"
            yield "  # and that has its grace left only, needs no policy: remove it here."
        yield f"  - name: {_flow(name)}"
        yield from _selector(chosen)
        yield f"    rotate: {_flow(_rules(key))}"
        path = services.path.replace("{name}", name)
        yield f"    deliver: {_flow({'path': path, 'field': services.field})}"


def _told(chosen: Chosen) -> str:
    key = chosen.key
    ends = f"expires {words.moment(key.expires_at)}" if key.expires_at else "never expires"
    own = "; the key that rotator itself works with" if chosen.own else ""
    return f"{words.printable(key.name)}, a {key.type} key ({key.redacted}), {ends}{own}"


def _selector(chosen: Chosen) -> Iterator[str]:
    key = chosen.key
    yield "    key:"
    yield f"      id: {_flow(key.id)}"
    if key.type is not KeyType.UNKNOWN:
        yield f"      type: {key.type}"
    if chosen.space_id is not None:
        yield f"      space_id: {_flow(chosen.space_id)}"
    if key.type is KeyType.SERVICE and key.bindings is None:
        yield "      # Arize does not show its privileges to this management key. To be reissued it"
        yield "      # needs them here as `bindings`, exactly as they are; see config/rotator.yaml."


def _rules(key: Key) -> dict[str, str]:
    if key.expires_at is None:
        return {"max_age": _AGE, "grace_period": words.length(_GRACE)}
    margin, grace = _MARGIN, _GRACE
    if key.created_at is not None:
        # Of a short life a quarter, in whole minutes.
        quarter = (key.expires_at - key.created_at) / 4
        margin = min(margin, max(quarter, 4 * timedelta(minutes=1)))
    grace = min(grace, margin / 2)
    return {"before_expiry": _round(margin), "grace_period": _round(grace)}


def _round(length: timedelta) -> str:
    unit = _HOUR if length >= _HOUR else timedelta(minutes=1)
    return words.length(length // unit * unit)


def _name(key: Key, taken: set[str]) -> str:
    """A name that a policy may have: of the key's, what is allowed."""
    name = re.sub(r"[^a-z0-9._-]+", "-", key.name.lower())[:_LONGEST_NAME].strip("._-") or "key"
    if name.startswith("ak-"):
        # It might be taken for a raw key, and perhaps it is one.
        name = "key"
    names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(one for one in names if one not in taken)


def _flow(value: object) -> str:
    """YAML in one line; quoted where it is not plainly a word."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(inner)}" for name, inner in value.items()) + "}"
    text = str(value)
    plain = re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./=+-]*|[0-9]+[dhms]([0-9]+[hms])?", text)
    known = text.lower() in {"true", "false", "null"}
    if plain and not known:
        return text
    quoted = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=sys.maxsize)
    return str(quoted).rstrip("\n")
