"""Lengths of time in plain words: ``90s``, ``1h30m``, ``7d``, ``2w``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import durationpy
from pydantic import BeforeValidator

#: durationpy also takes years and 30-day months, of which nobody can say how long they are, and
#: signs; what is left are the units below.
_WORDS = re.compile(r"(\d+(\.\d+)?(ms|[smhdw]))+")
_HOW = "write a length of time like 90s, 1h30m, 7d or 2w"


def parse_duration(text: object) -> timedelta:
    """Read ``text``.

    Raises:
        ValueError: It is not a length of time, or it is not above zero. The message never repeats
            the text, which might be a secret in the wrong place.
    """
    if isinstance(text, timedelta):
        return text
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise ValueError(f"a number has no unit; {_HOW}")  # noqa: TRY004 - pydantic wants this one
    compact = text.replace(" ", "") if isinstance(text, str) else ""
    if not _WORDS.fullmatch(compact):
        raise ValueError(f"not a length of time; {_HOW}")
    try:
        length: timedelta = durationpy.from_str(compact)
    except (durationpy.DurationError, OverflowError):
        raise ValueError(f"too long; {_HOW}") from None
    if length <= timedelta(0):
        raise ValueError(f"must be longer than nothing; {_HOW}")
    return length


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
