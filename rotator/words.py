"""Times, lengths and the words of others as a person reads them. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

#: A space at which no row is broken.
TIE = "\N{NO-BREAK SPACE}"
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


def span(seconds: float) -> str:
    """A measured time: ``3.1 ms``, ``2.5 s``, ``1h30m``; negative where it has run over."""
    if abs(seconds) >= 60:  # noqa: PLR2004 - a minute
        text = length(timedelta(seconds=abs(seconds)))
        return text if seconds > 0 else f"-{text}"
    return f"{seconds:.1f} s" if abs(seconds) >= 1 else f"{seconds * 1000:.1f}{TIE}ms"


def outcome(code: str) -> str:
    """How a rotation ended: ``rolled back``."""
    return code.replace("_", " ")


def bar(share: float, width: int) -> str:
    """``███░░`` for a ``share`` of 0.6 in a ``width`` of 5; what is left at all shows."""
    full = round(share * width) or int(share > 0)
    return "█" * full + "░" * (width - full)


def printable(text: str) -> str:
    """Without what could move the cursor or end the line: some of it is the words of others."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == TIE else " " if c.isspace() else ascii(c)[1:-1] for c in text
    )


def short(text: str, width: int) -> str:
    """``text``, or as much of both its ends as there is room for."""
    head = (width - 1) // 2
    return text if len(text) <= width else f"{text[:head]}…{text[head + 1 - width :]}"


def count(number: int, one: str, many: str) -> str:
    """``1 policy``, ``2 policies``."""
    return f"{number} {one if number == 1 else many}"


def some(names: Sequence[str]) -> str:
    """All of a few names, else the first three and how many more there are."""
    shown, more = names[:3], len(names) - 3
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def moment(value: datetime) -> str:
    """``2026-11-23 08:31 UTC``; the value must be in UTC."""
    return f"{value:%Y-%m-%d %H:%M} UTC"
