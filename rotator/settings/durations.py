"""Lengths of time in plain words: ``90s``, ``1h30m``, ``7d``, ``2w``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import durationpy
from pydantic import BeforeValidator

#: durationpy also takes years and 30-day months, of which nobody can say how long they are, and
#: signs; what is left are the units below.
_WORDS = re.compile(r"([0-9]+(\.[0-9]+)?(ms|[smhdw]))+")
#: Beyond it, dates in the future could not be written.
_LONGEST = timedelta(days=36500)
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
    except durationpy.DurationError:
        length = timedelta.max
    if length > _LONGEST:
        raise ValueError(f"must be at most 100 years; {_HOW}")
    if length <= timedelta(0):
        raise ValueError(f"must be longer than nothing; {_HOW}")
    return length


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
