"""What the adapters over HTTP make of headers and of other people's words. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from rotator.secrets import MASK

if TYPE_CHECKING:
    from rotator.secrets import Secret

_LONGEST_DETAIL = 300
#: A longer ``Retry-After`` is not believed; the next look is never further away than a day.
_LONGEST_DELAY = timedelta(days=1)
_ANY_KEY = re.compile(r"ak-[A-Za-z0-9_-]{8,}")
_DELAY_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?", re.ASCII)


def scrub(text: str, *secrets: Secret) -> str:
    """One bounded line of printable characters that holds none of ``secrets``, and no key."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    for secret in secrets:
        line = line.replace(secret.reveal(), MASK)
    line = _ANY_KEY.sub(MASK, line)
    return line if len(line) <= _LONGEST_DETAIL else line[: _LONGEST_DETAIL - 1] + "…"


def delay_of(retry_after: str, date: str) -> timedelta | None:
    """``Retry-After`` in seconds or as an HTTP date; None when absent or unreadable."""
    text = retry_after.strip()
    if _DELAY_SECONDS.fullmatch(text):
        return min(timedelta(seconds=float(text)), _LONGEST_DELAY)
    then, now = http_date(text), http_date(date)
    if then is None or now is None:
        return None
    return min(max(then - now, timedelta()), _LONGEST_DELAY)


def http_date(text: str) -> datetime | None:
    """An HTTP date in UTC, None when it cannot be read."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
