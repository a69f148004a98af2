"""What every store does to a secret's document, wherever the document lies.

A secret is a JSON object. One of its fields is ours, and the siblings our metadata goes to; all
others belong to somebody else and are carried along untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.errors import Rejected
from rotator.model import Held
from rotator.secrets import Masked, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.model import Target

_REFUSED = {"", ".", ".."}


def segments(path: str) -> tuple[str, ...]:
    """The parts of ``path``, all of them plain names.

    URLs and file systems both fold ``..``, which would lead to a place nobody configured.

    Raises:
        Rejected: A part is empty, ``.`` or ``..``, or holds a control character.
    """
    parts = tuple(path.split("/"))
    if _REFUSED.intersection(parts) or not path.isprintable():
        raise Rejected(
            f"{path!r} is not a path of plain names",
            remedy="write it like apps/ci/arize, without empty parts, `.` or `..`",
        )
    return parts


def held(target: Target, document: dict[str, object], version: int) -> Held:
    """``document`` as what ``target`` holds, the field wrapped up.

    An empty string counts as no value: it is how people reserve a place.

    Raises:
        Rejected: The field is there and is not text.
    """
    value = document.get(target.field, "")
    if not isinstance(value, str):
        raise Rejected(
            f"{target} holds {_kind(value)} where a key should be",
            remedy="choose another field, or remove this one from the secret",
        )
    return Held(target, Secret(value) if value else None, version, Masked(document))


def ours(target: Target, secret: Secret, metadata: Mapping[str, str]) -> dict[str, object]:
    """The fields that a write is about."""
    return {**metadata, target.field: secret.reveal()}


def merged(before: Held, fields: Mapping[str, object]) -> dict[str, object]:
    """The whole document after the write."""
    return {**before.document.reveal(), **fields}


def carries(document: Mapping[str, object], fields: Mapping[str, object]) -> bool:
    """Whether ``document`` already has all of ``fields``: the write happened before.

    Siblings are left out on purpose: somebody may have changed his own field since.
    """
    return all(name in document and document[name] == value for name, value in fields.items())


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
