"""Jitter and windows that do not go together with the rest of their policy: (where, words)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import words
from rotator.settings.models import windows_of
from rotator.settings.windows import pauses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotator.settings.documents import Where
    from rotator.settings.schema import Policy, Run

_NONE, _HOUR = timedelta(0), timedelta(hours=1)


def mistakes(policy: Policy, where: Where, run: Run | None) -> Iterator[tuple[Where, str]]:
    """What cannot be as somebody meant it."""
    rotate, room = policy.rotate, _room(policy, run)
    if rotate.jitter and room is not None and rotate.jitter > room / 2:
        text = f"must be at most half of {_wait(room)}"
        yield (*where, "rotate", "jitter"), f"{text}; shorten it, or lengthen `before_expiry`"
    if rotate.jitter and rotate.max_age and rotate.jitter >= rotate.max_age:
        yield (*where, "rotate", "jitter"), "must be shorter than `max_age`; shorten it"
    if policy.windows:
        yield from _of_windows(policy, (*where, "windows"), room)


def doubt(policy: Policy, run: Run) -> str | None:
    """What works, and perhaps not as somebody meant it: windows that are missed now and then."""
    room = _room(policy, run)
    if not policy.windows or room is None:
        return None
    longest, jitter = pauses(windows_of(policy)).longest, policy.rotate.jitter or _NONE
    missing = longest + jitter - room
    if missing <= _NONE:
        return None
    apart = f"are up to {words.length(longest)} apart, which is longer than {_wait(room)}"
    apart += ", less the jitter" if jitter else ""
    return f"{apart}: some rotations will be begun outside of them; {_longer(policy, missing)}"


def _of_windows(
    policy: Policy, where: Where, room: timedelta | None
) -> Iterator[tuple[Where, str]]:
    rotate = policy.rotate
    shortest = pauses(windows_of(policy)).shortest
    if room is not None and any(one.duration > room for one in policy.windows):
        for at, one in enumerate(policy.windows):
            if one.duration > room:
                text = f"can never open in time, being longer than {_wait(room)}"
                yield (*where, at, "duration"), f"{text}; shorten it, or lengthen `before_expiry`"
    elif room is not None and shortest > 2 * room:
        apart = f"open too rarely: they are {words.length(shortest)} apart, and most rotations"
        text = f"{apart} could not wait for one, with {_wait(room)}"
        yield where, f"{text}; {_longer(policy, shortest - room)}"
    elif room is None and rotate.max_age and shortest > rotate.max_age:
        text = f"open too rarely: they are {words.length(shortest)} apart, beyond `max_age`"
        yield where, f"{text}; add some"


def _room(policy: Policy, run: Run | None) -> timedelta | None:
    """How long what is due can wait; None where only the key's expiry, if any, will tell."""
    rotate = policy.rotate
    if rotate.before_expiry is None:
        return None
    least = run.retry_budget if run else _NONE
    return max(rotate.before_expiry - max(rotate.grace_period, least), _NONE)


def _wait(room: timedelta) -> str:
    return f"the {words.length(room)} that a rotation can wait (`before_expiry` less the grace)"


def _longer(policy: Policy, missing: timedelta) -> str:
    """In whole hours, rounded up."""
    before = (policy.rotate.before_expiry or _NONE) + missing
    hours = -(-before // _HOUR)
    return f"lengthen `rotate.before_expiry` to {words.length(hours * _HOUR)}, or add windows"
