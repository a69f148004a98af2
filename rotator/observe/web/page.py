"""The page for a person: how every policy stands, its rotations on a time line. No scripts."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from rotator import __version__, words
from rotator.observe.health import readiness
from rotator.observe.web.markup import document, element
from rotator.observe.web.timeline import timeline
from rotator.standing import State, urgency

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from rotator.observe.board import Board, Row
    from rotator.standing import Standing

#: Seconds after which a browser asks again.
_REFRESH = 30
#: Rows of the table and of the time line, the most urgent first; a page of thousands helps nobody.
_ROWS, _LINES, _PAST = 500, 60, 12
_STATES = {
    State.FAILED: "not seen",
    State.PERSON: "needs you",
    State.WARNING: "warning",
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


def render(board: Board) -> bytes:
    """The page as it is now."""
    now, rows = board.now(), sorted(board.rows, key=_order)
    body = _body(board, rows, now)
    for node in body.iter():
        # The last wall: no text leaves with something in it that looks like a secret.
        node.text, node.tail = (part and board.clean(part) for part in (node.text, node.tail))
        node.attrib.update({name: board.clean(text) for name, text in node.items()})
    return document(element("html", _head(), body, lang="en"))


def security_policy() -> str:
    """What a browser may load for it: nothing. The style sheet is known by its hash."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


@cache
def _style() -> str:
    return files("rotator.observe.web").joinpath("page.css").read_text(encoding="utf-8")


def _head() -> Element:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="robots", content="noindex"),
        element("meta", http_equiv="refresh", content=_REFRESH),
        # Else the browser asks for one.
        element("link", rel="icon", href="data:,"),
        element("title", "rotator"),
        element("style", _style()),
    )


def _body(board: Board, rows: Sequence[Row], now: datetime) -> Element:
    health = readiness(board)
    verdict = "ready" if health.good else "not ready"
    header = element(
        "header",
        element("h1", "rotator"),
        element("p", verdict, class_="good" if health.good else "bad", id="verdict"),
        element("p", f"{words.count(len(rows), 'policy', 'policies')}, {words.moment(now)}"),
    )
    main = element("main", *_services(board, now), *_policies(rows, now), *_history(rows, now))
    footer = element("footer", f"version {__version__}, renewed every {_REFRESH} s")
    return element("body", header, main, footer)


def _services(board: Board, now: datetime) -> Iterator[Element]:
    facts = [
        _fact(name, "down" if one.down else "up" if one.at else "not asked yet", bad=one.down)
        for name, one in board.services.items()
    ]
    if board.token.ends is not None:
        facts.append(_fact("vault token", f"{words.length(board.token.ends - now)} left"))
    if board.skew:
        facts.append(_fact("clock", f"{board.skew:+.0f} s to the provider's"))
    yield element("dl", *(part for fact in facts for part in fact), class_="services")


def _fact(name: str, value: str, *, bad: bool = False) -> tuple[Element, Element]:
    return element("dt", name), element("dd", value, class_="bad" if bad else "good")


def _policies(rows: Sequence[Row], now: datetime) -> Iterator[Element]:
    head = element("tr", *(element("th", name, scope="col") for name in _COLUMNS))
    body = [line for row in rows[:_ROWS] for line in _row(row, now)]
    yield element("h2", "Policies")
    yield element("table", element("thead", head), element("tbody", *body), class_="policies")
    if len(rows) > _ROWS:
        yield element("p", f"and {len(rows) - _ROWS} more: see rotator status", class_="note")


def _row(row: Row, now: datetime) -> Iterator[Element]:
    state, class_ = _state(row)
    cells: dict[str, Element | str] = {
        "policy": element("strong", row.policy),
        "state": element("span", state, class_=f"state {class_}"),
    }
    if row.standing is not None:
        cells |= _cells(row.standing, now)
    yield element(
        "tr",
        *(element("td", cells[name], data_label=name) for name in _COLUMNS if name in cells),
        *(element("td") for name in _COLUMNS if name not in cells),
    )
    if why := _why(row, now):
        yield element("tr", element("td", why, colspan=len(_COLUMNS)), class_=f"why {class_}")


def _cells(known: Standing, now: datetime) -> dict[str, Element | str]:
    ends, last, ahead = known.outlook.expires_at, known.last, known.ahead
    cells: dict[str, Element | str] = {"key": element("code", known.outlook.redacted_key or "")}
    if known.born_at is not None:
        cells["age"] = words.length(now - known.born_at)
    cells["expires"] = element("span", "never") if ends is None else _expiry(known, ends, now)
    if ahead.at is not None:
        when = f"in {words.length(ahead.at - now)}" if ahead.at > now else "now"
        cells["next"] = element("span", f"{ahead.action} {when}", title=ahead.text)
    if known.old_keys:
        cells["old keys"] = element("span", *_old_keys(known, now))
    if last is not None:
        ago = words.length(now - last.finished_at)
        cells["last"] = element("span", f"{last.outcome} {ago} ago", title=last.reason)
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
    if row.trouble is not None:
        since = words.length(now - row.trouble.since)
        return f"for {since}: {row.trouble.error}. {row.trouble.remedy}".rstrip()
    if row.standing is None or row.standing.state in {State.WELL, State.DUE}:
        return ""
    if row.standing.drift is not None:
        return row.standing.drift.text
    return f"{row.standing.outlook.text}. {row.standing.outlook.remedy}".rstrip()


def _order(row: Row) -> tuple[object, ...]:
    if row.undelivered:
        return (0,)
    if row.standing is None or row.trouble is not None:
        return (1, row.policy)
    return (2, *urgency(row.standing))


def _history(rows: Sequence[Row], now: datetime) -> Iterator[Element]:
    if not rows:
        return
    yield element("h2", "Time line")
    yield timeline(rows[:_LINES], now)
    legend = ("life", "grace", "completed", "repaired", "failed", "coming", "expiry")
    yield element("ul", *(element("li", one, class_=one) for one in legend), class_="legend")
    ends = [(past, row.policy) for row in rows for past in row.history]
    ends.sort(key=lambda end: end[0].finished_at, reverse=True)
    if not ends:
        return
    titles = ("when", "policy", "strategy", "outcome", "took", "in memory only")
    head = element("tr", *(element("th", name, scope="col") for name in titles))
    lines = []
    for past, name in ends[:_PAST]:
        danger = "" if past.danger_seconds is None else f"{past.danger_seconds * 1000:.1f} ms"
        cells = (
            *(words.moment(past.finished_at), name, past.strategy, past.outcome),
            *(f"{past.duration_seconds:.1f} s", danger),
        )
        pairs = zip(titles, cells, strict=True)
        lines.append(element("tr", *(element("td", text, data_label=to) for to, text in pairs)))
    yield element("h2", "Last rotations")
    yield element("table", element("thead", head), element("tbody", *lines))
