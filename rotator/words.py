"""Times and lengths as a person reads them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def length(value: timedelta) -> str:
    """The two largest units: ``6d23h``, ``1h30m``, ``45s``; ``0s`` for nothing or less."""
    rest = int(value.total_seconds())
    parts: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(max(rest, 0), size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    return "".join(parts[:2]) or "0s"


def moment(value: datetime) -> str:
    """``2026-11-23 08:31 UTC``; the value must be in UTC."""
    return f"{value:%Y-%m-%d %H:%M} UTC"
