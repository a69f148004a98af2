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
from rotator.observe.web.policies import policies, urgency
from rotator.observe.web.timeline import timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from rotator.observe.board import Board, Row, Service
    from rotator.standing import Past

#: Seconds after which a browser asks again.
_REFRESH = 30
_LEGEND = (
    *("life", "grace", "completed", "repaired", "rolled_back", "failed"),
    *("coming", "expiry"),
)
#: Lines of the time line, and rotations below it.
_LINES, _PAST = 60, 10


def render(board: Board) -> bytes:
    """The page as it is now."""
    now, rows = board.now(), sorted(board.rows, key=urgency)
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
    main = element("main", *_services(board, now), *policies(rows, now), *_history(rows, now))
    footer = element("footer", f"version {__version__}, renewed every {_REFRESH} s")
    return element("body", header, main, footer)


def _services(board: Board, now: datetime) -> Iterator[Element]:
    facts = [_fact(name, *_met(one)) for name, one in board.services.items()]
    if board.token.ends is not None:
        facts.append(_fact("vault token", f"{words.length(board.token.ends - now)} left"))
    if board.skew:
        facts.append(_fact("clock", f"{board.skew:+.0f} s to the provider's"))
    yield element("dl", *(part for fact in facts for part in fact), class_="services")


def _met(service: Service) -> tuple[str, str]:
    """How a service was met last, and its class."""
    if service.down:
        return "down", "bad"
    return ("up", "good") if service.at else ("not asked yet", "unknown")


def _fact(name: str, value: str, class_: str = "good") -> tuple[Element, Element]:
    return element("dt", name), element("dd", value, class_=class_)


def _history(rows: Sequence[Row], now: datetime) -> Iterator[Element]:
    if not rows:
        return
    yield element("h2", "Time line")
    yield timeline(rows[:_LINES], now)
    marks = [element("li", words.outcome(one), class_=one) for one in _LEGEND]
    yield element("ul", *marks, class_="legend")
    yield from _past(rows)


def _past(rows: Sequence[Row]) -> Iterator[Element]:
    ends = [(past, row.policy) for row in rows for past in row.history]
    ends.sort(key=lambda end: end[0].finished_at, reverse=True)
    if not ends:
        return
    titles = ("when (UTC)", "policy", "strategy", "outcome", "took", "in memory only")
    head = element("tr", *(element("th", name, scope="col") for name in titles))
    body = [
        element("tr", *(element("td", text) for text in _rotation(past, name)))
        for past, name in ends[:_PAST]
    ]
    yield element("h2", "Last rotations")
    yield element("table", element("thead", head), element("tbody", *body), class_="past")


def _rotation(past: Past, policy: str) -> tuple[str, ...]:
    danger = "" if past.danger_seconds is None else words.span(past.danger_seconds)
    when, took = f"{past.finished_at:%Y-%m-%d %H:%M}", words.span(past.duration_seconds)
    return when, policy, past.strategy, words.outcome(past.outcome), took, danger
