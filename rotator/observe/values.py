"""Values as JSON types: times, lengths and errors in one form, and nothing foreign by its ``str``.

Whether a foreign object's ``str`` or ``repr`` shows a secret is beyond our knowledge, so it is
never asked: of such an object the line has its type.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set as AbstractSet
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import PurePath
from traceback import walk_tb
from typing import TYPE_CHECKING

from rotator.errors import RotatorError
from rotator.secrets import MASK, Masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]

_SIMPLE = {bool, int, str}
_COLLECTIONS = (Mapping, list, tuple, AbstractSet)
_DEPTH = 5
_ITEMS = 50
_FRAMES = 25


def plain(value: object, depth: int = _DEPTH) -> Plain:
    """``value`` in JSON types, without a secret, without calling foreign code."""
    if value is None or type(value) in _SIMPLE:
        return value  # type: ignore[return-value] # By the line above.
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, Masked):
        return MASK
    if isinstance(value, _COLLECTIONS):
        return _collection(value, depth) if depth else f"<{type(value).__name__}>"
    return _one(value)


def stamp(moment: datetime, *, precise: bool = False) -> str:
    """ISO 8601 in UTC with a ``Z``; milliseconds where there are any, or ``precise``."""
    if moment.tzinfo is None:
        return moment.isoformat()
    precision = "milliseconds" if precise or moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def brief(error: BaseException) -> str:
    """An error in a few words: ours by their message, foreign ones by their plain arguments.

    The ``str`` of a foreign error may show whatever it holds: a request with its headers, the
    input that failed to validate. Its arguments are shown where they are text or numbers.
    """
    if isinstance(error, RotatorError):
        return str(error)
    parts = [str(part) for part in error.args if type(part) in {str, int, float}]
    return f"{type(error).__name__}: {'; '.join(parts)}" if parts else type(error).__name__


def described(error: BaseException, depth: int = _DEPTH) -> dict[str, Plain]:
    """An error with where it happened: no locals and no source lines."""
    about: dict[str, Plain] = {
        "type": _type_name(error),
        "message": brief(error),
        "frames": list(_frames(error.__traceback__)),
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth:
        about["cause"] = described(cause, depth - 1)
    if isinstance(error, BaseExceptionGroup) and depth:
        about["exceptions"] = [described(part, depth - 1) for part in error.exceptions[:_DEPTH]]
    return about


def _one(value: object) -> Plain:
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    # Ours, and made to be shown: a reason, a redacted key, a selector, a target.
    ours = type(value).__module__.startswith("rotator.")
    return str(value) if ours else f"<{_dotted(type(value))}>"


def _number(value: float) -> Plain:
    if not math.isfinite(value):
        return str(value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else round(value, 6)


def _collection(value: Iterable[object], depth: int) -> Plain:
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_ITEMS]
        return {str(plain(key, 0)): plain(item, depth - 1) for key, item in pairs}
    items = [plain(item, depth - 1) for item in list(value)[:_ITEMS]]
    return sorted(items, key=str) if isinstance(value, AbstractSet) else items


def _frames(trace: TracebackType | None) -> Iterable[str]:
    found = list(walk_tb(trace))[-_FRAMES:]
    for frame, line in found:
        code = frame.f_code
        yield f"{_short(code.co_filename)}:{line}:{code.co_qualname}"


def _short(path: str) -> str:
    """The path from the package on: where it is installed says nothing."""
    for start in ("site-packages/", "/rotator/"):
        _, found, rest = path.rpartition(start)
        if found:
            return f"rotator/{rest}" if start == "/rotator/" else rest
    return "/".join(path.split("/")[-2:])


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else _dotted(kind)


def _dotted(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


# The more special before the more general: an enum may be text, and so on.
_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Plain]], ...] = (
    (Enum, lambda value: plain(value.value)),
    (timedelta, lambda value: _number(value.total_seconds())),
    (float, _number),
    (str, str.__str__),
    (int, int),
    (BaseException, brief),
    ((bytes, bytearray), lambda value: f"<{len(value)} bytes>"),
    (PurePath, str),
)
