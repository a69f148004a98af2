"""The table of the page: a row for each policy, what is most urgent on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator import standing, words
from rotator.observe.board import UNDELIVERED
from rotator.observe.web.markup import element
from rotator.standing import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from rotator.observe.board import Row
    from rotator.standing import Standing

    Cells = dict[str, Element | str]

#: A page of thousands helps nobody.
_ROWS = 500
_STATES = {
    State.FAILED: "not seen",
    State.PERSON: "needs you",
    State.WARNING: "warning",
    State.SUSPENDED: "suspended",
    State.BUSY: "rotating",
    State.DUE: "due",
    State.WELL: "well",
}
_COLUMNS = (
    "policy",
    "state",
    "key",
    "age",
    "expires",
    "next",
    "old keys",
    "last",
    "drift",
    "lease",
)


def policies(rows: Sequence[Row], now: datetime) -> Iterator[Element]:
    """The table, with the columns that any of them has something for."""
    lines = [_cells(row, now) for row in rows[:_ROWS]]
    columns = [name for name in _COLUMNS if any(name in cells for cells in lines)]
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    body: list[Element] = []
    for row, cells in zip(rows, lines, strict=False):
        data = (element("td", cells.get(name, ""), data_label=name) for name in columns)
        body.append(element("tr", *data))
        if why := _why(row, now):
            whole = element("td", why, colspan=len(columns))
            body.append(element("tr", whole, class_=f"why {_state(row)[1]}"))
    yield element("h2", "Policies")
    yield element("table", element("thead", head), element("tbody", *body), class_="policies")
    if len(rows) > _ROWS:
        yield element("p", f"and {len(rows) - _ROWS} more: see rotator status", class_="note")


def _cells(row: Row, now: datetime) -> Cells:
    state, class_ = _state(row)
    cells: Cells = {
        "policy": element("strong", row.policy),
        "state": element("span", state, class_=f"state {class_}"),
    }
    return cells if row.standing is None else cells | _seen(row.standing, now)


def _seen(known: Standing, now: datetime) -> Cells:
    ends, last, ahead = known.outlook.expires_at, known.last, known.ahead
    cells: Cells = {}
    if known.outlook.key_id is not None:
        cells["key"] = element("code", known.outlook.redacted_key or "")
        cells["expires"] = "never" if ends is None else _expiry(known, ends, now)
    if known.born_at is not None:
        cells["age"] = words.length(now - known.born_at)
    if known.overdue_since is not None:
        cells["next"] = f"overdue {words.length(now - known.overdue_since)}"
    elif ahead.at is not None:
        when = f"in {words.length(ahead.at - now)}" if ahead.at > now else "now"
        cells["next"] = element("span", f"{ahead.doing} {when}", title=ahead.text)
    if known.old_keys:
        cells["old keys"] = element("span", *_old_keys(known, now))
    if known.in_flight is not None:
        since = words.length(now - known.in_flight.started_at)
        cells["last"] = f"begun {since} ago, try {known.in_flight.tries}"
    elif last is not None:
        ago = words.length(now - last.finished_at)
        cells["last"] = element(
            "span", f"{words.outcome(last.outcome)} {ago} ago", title=last.reason
        )
    if known.drift is not None:
        cells["drift"] = element("span", "drifted", class_="bad", title=known.drift.text)
    if known.lease_owner and known.lease_until and known.lease_until > now:
        cells["lease"] = element("span", known.lease_owner)
    return cells


def _expiry(known: Standing, ends: datetime, now: datetime) -> Element:
    """What is left, as a bar and in words."""
    text = f"in {words.length(ends - now)}" if ends > now else f"{words.length(now - ends)} ago"
    born = known.born_at
    if born is None or born >= ends:
        return element("span", text)
    share = min(max((ends - now) / (ends - born), 0.0), 1.0)
    due = known.ahead.at is not None and known.ahead.at <= now
    bar = element(
        "svg",
        element("rect", width="100%", height=6, rx=3, class_="empty"),
        element("rect", width=f"{share:.0%}", height=6, rx=3, class_="bad" if due else "good"),
        width=48, height=6, role="img", aria_label=f"{share:.0%} of its life is left",
    )  # fmt: skip
    return element("span", bar, f" {text}", title=words.moment(ends), class_="expiry")


def _old_keys(known: Standing, now: datetime) -> Iterator[Element | str]:
    for at, old in enumerate(known.old_keys):
        yield ", " if at else ""
        yield element("code", old.redacted_key)
        if old.failures:
            yield f" cannot be revoked, {old.failures} times"
        elif old.until is not None:
            yield f" {words.length(old.until - now)} left"


def _state(row: Row) -> tuple[str, str]:
    """Word and class."""
    if row.undelivered:
        return "undelivered", "person"
    if row.trouble is not None:
        return "failing", "failed"
    if row.standing is None:
        return "not looked at yet", "busy"
    return _STATES[row.standing.state], row.standing.state


def _why(row: Row, now: datetime) -> str:
    if row.undelivered:
        remedy = "bring the store back, and do not end this process"
        return f"{UNDELIVERED}{_left(row.grace_deadline, now)}. {remedy}"
    if row.trouble is not None:
        since = words.length(now - row.trouble.since)
        return f"for {since}: {row.trouble.error}. {row.trouble.remedy}".rstrip()
    known = row.standing
    if known is None or known.state in {State.WELL, State.DUE}:
        return ""
    coming, worries = known.outlook, known.worries
    said = [coming.text, coming.remedy] if coming.needs_a_person or not worries else []
    if known.stopped and not coming.needs_a_person:
        said = [known.stopped]
    return ". ".join(part for part in (*said, *worries) if part)


def _left(deadline: datetime | None, now: datetime) -> str:
    """What consumers have meanwhile, where that ends."""
    if deadline is None:
        return ""
    if deadline <= now:
        return "; the old one does not work any more"
    return f"; the old one works for {words.length(deadline - now)} more"


def urgency(row: Row) -> tuple[object, ...]:
    """Sorts rows: what holds an undelivered key first, then what fails, then as ``status`` does."""
    if row.undelivered:
        return (0,)
    if row.standing is None or row.trouble is not None:
        return (1, row.policy)
    return (2, *standing.urgency(row.standing))
