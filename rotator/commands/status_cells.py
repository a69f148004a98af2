"""A row of ``rotator status`` in words and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator import words
from rotator.commands.screen import Cell
from rotator.standing import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rotator.standing import Standing

#: The widest first.
LAYOUTS = (
    (
        *(["policy"], ["state"], ["key"], ["age"], ["expires"], ["next"], ["why"]),
        *(["last"], ["old key"], ["drift"], ["lease"]),
    ),
    (
        *(["policy", "key"], ["state", "age"], ["expires"], ["next", "why"]),
        *(["last", "old key"], ["drift", "lease"]),
    ),
    (
        *(["policy", "key"], ["state, age", "expires"], ["next", "why"]),
        ["last", "old key", "drift", "lease"],
    ),
    (
        *(["policy", "key"], ["state, age", "expires"]),
        ["next", "why", "last", "old key", "drift", "lease"],
    ),
    (
        ["policy", "key", "state, age", "expires"],
        ["next", "why", "last", "old key", "drift", "lease"],
    ),
)
_BAR, _OWNER = 6, 18
_STATES = {
    State.FAILED: Cell("not seen", "bold red"),
    State.PERSON: Cell("needs you", "bold red"),
    State.WARNING: Cell("warning", "yellow"),
    State.SUSPENDED: Cell("suspended", "yellow"),
    State.BUSY: Cell("rotating", "cyan"),
    State.DUE: Cell("due", "cyan"),
    State.WELL: Cell("well", "green"),
}
_OUTCOMES = {"failed": "red", "repaired": "yellow"}


def cells(row: Standing) -> dict[str, Cell]:
    """All that may be shown of ``row``, by title."""
    return {title: cell for title, cell in _cells(row) if cell.text}


def _cells(row: Standing) -> Iterator[tuple[str, Cell]]:
    coming, now, state = row.outlook, row.now, _STATES[row.state]
    key = coming.redacted_key or ""
    yield "policy", Cell(coming.policy, "bold")
    yield "state", state
    yield "key", Cell(key)
    age = "" if now is None or row.born_at is None else words.length(now - row.born_at)
    yield "state, age", Cell(f"{state.text}, {age}" if age else state.text, state.style)
    yield "age", Cell(age)
    yield "why", Cell(row.ahead.reason, "dim")
    if now is None:
        return
    yield "expires", _expires(row, now)
    yield "next", _next(row, now)
    yield "last", _last(row, now)
    yield "old key", _old_key(row, now)
    yield "drift", Cell("drifted" if row.drift else "", "red")
    if row.lease_owner and row.lease_until:
        owner = words.short(row.lease_owner, _OWNER)
        yield "lease", Cell(f"{owner} {words.length(row.lease_until - now)}", "cyan")


def _expires(row: Standing, now: datetime) -> Cell:
    ends = row.outlook.expires_at
    if row.outlook.key_id is None:
        return Cell()
    if ends is None:
        return Cell("never", "dim")
    if ends <= now:
        return Cell(f"{words.bar(0, _BAR)} {words.length(now - ends)} ago", "bold red")
    at = row.ahead.at
    style = "green" if at is None or at > now else "yellow"
    left = words.length(ends - now)
    if row.born_at is None or row.born_at >= ends:
        return Cell(left, style)
    return Cell(f"{words.bar((ends - now) / (ends - row.born_at), _BAR)} {left}", style)


def _next(row: Standing, now: datetime) -> Cell:
    if row.overdue_since is not None:
        return Cell(f"overdue {words.length(now - row.overdue_since)}", "yellow")
    coming = row.ahead
    what = coming.doing
    if coming.at is None:
        return Cell(what if row.state is State.PERSON else "nothing")
    return Cell(f"{what} {f'in {words.length(coming.at - now)}' if coming.at > now else 'now'}")


def _last(row: Standing, now: datetime) -> Cell:
    if row.in_flight is not None:
        since = words.length(now - row.in_flight.started_at)
        return Cell(f"begun {since} ago, try {row.in_flight.tries}", "cyan")
    if row.last is None:
        return Cell()
    ago = words.length(now - row.last.finished_at)
    outcome = words.outcome(row.last.outcome)
    return Cell(f"{outcome} {ago} ago", _OUTCOMES.get(row.last.outcome, ""))


def _old_key(row: Standing, now: datetime) -> Cell:
    """The one that ends first, and how many more there are."""
    if not row.old_keys:
        return Cell()
    first, *others = row.old_keys
    ends = "still works" if first.until is None else f"{words.length(first.until - now)} left"
    rest = f", +{len(others)}" if others else ""
    return Cell(f"{first.redacted_key} {ends}{rest}", "yellow" if first.failures else "")
