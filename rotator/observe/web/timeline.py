"""The time line of the page: for each policy its rotations, and what is to come. SVG, no scripts.

Positions are shares of the width, so that it fits a telephone and a wall. Colours are the style
sheet's; what a colour says is also a shape, and a title for whoever points at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import words
from rotator.observe.web.markup import element

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from rotator.observe.board import Row
    from rotator.standing import Past, Standing

#: What is shown at least before and after now, and at most.
_LEAST, _MOST = timedelta(days=2), timedelta(days=120)
#: Room at both ends, as a share of what is shown.
_MARGIN = 0.03
_HEIGHT, _MIDDLE = 24, 12
_TICKS = 4


@dataclass(frozen=True, slots=True)
class _Scale:
    """From moments to shares of the width."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, rows: Iterable[Row], now: datetime) -> _Scale:
        moments = [moment for row in rows for moment in _moments(row)]
        before = max((now - moment for moment in moments), default=_LEAST)
        after = max((moment - now for moment in moments), default=_LEAST)
        before, after = (min(max(one, _LEAST), _MOST) for one in (before, after))
        margin = (before + after) * _MARGIN
        return cls(now - before - margin, now + after + margin)

    def share(self, moment: datetime) -> float:
        share = (moment - self.start) / (self.end - self.start)
        return min(max(share, 0.0), 1.0)

    def x(self, moment: datetime) -> str:
        return f"{self.share(moment):.2%}"

    def span(self, start: datetime, end: datetime) -> dict[str, str]:
        first, last = self.share(start), self.share(end)
        return {"x": f"{first:.2%}", "width": f"{max(last - first, 0.002):.2%}"}

    def shows(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end


def timeline(rows: Sequence[Row], now: datetime) -> Element:
    """A line for each of ``rows``, under one scale."""
    scale = _Scale.of(rows, now)
    lines = [
        element(
            "li",
            element("span", row.policy, class_="name"),
            _drawing(*_line(row, scale, now), label=f"rotations of {row.policy}"),
        )
        for row in rows
    ]
    axis = element(
        "li", element("span", class_="name"), _drawing(*_axis(scale, now), label="time"),
        class_="axis",
    )  # fmt: skip
    return element("ol", *lines, axis, class_="timeline")


def _drawing(*shapes: Element, label: str) -> Element:
    return element("svg", *shapes, width="100%", height=_HEIGHT, role="img", aria_label=label)


def _moments(row: Row) -> Iterator[datetime]:
    yield from (past.finished_at for past in row.history)
    if (known := row.standing) is not None:
        found = (known.outlook.expires_at, known.ahead.at)
        yield from (moment for moment in found if moment is not None)


def _line(row: Row, scale: _Scale, now: datetime) -> Iterator[Element]:
    """From what lies behind to what lies on top."""
    known = row.standing
    if known is not None:
        yield from _lives(row, known, scale)
    for past in row.history:
        if past.old_valid_until is not None and scale.shows(past.old_valid_until):
            title = f"grace of {past.old_redacted_key} until {words.moment(past.old_valid_until)}"
            yield _bar(scale, past.finished_at, past.old_valid_until, title, "grace")
    yield _now(scale, now)
    yield from (_mark(past, scale) for past in row.history if scale.shows(past.finished_at))
    if known is not None:
        yield from _coming(known, scale)


def _lives(row: Row, known: Standing, scale: _Scale) -> Iterator[Element]:
    """Each key from its birth to its successor; the present one to its expiry."""
    births = [past.finished_at for past in row.history if past.outcome != "failed"]
    if not births and known.born_at is not None:
        births = [known.born_at]
    end = known.outlook.expires_at or scale.end
    for born in births:
        if born < end:
            yield _bar(scale, born, end, f"in use since {words.moment(born)}", "life")
            end = born


def _bar(scale: _Scale, start: datetime, end: datetime, title: str, class_: str) -> Element:
    height = 4 if class_ == "grace" else 8
    return element(
        "rect", element("title", title), class_=class_, y=_MIDDLE - height // 2, height=height,
        **scale.span(start, end),
    )  # fmt: skip


def _now(scale: _Scale, now: datetime) -> Element:
    x = scale.x(now)
    return element("line", x1=x, x2=x, y1=0, y2=_HEIGHT, class_="now")


def _mark(past: Past, scale: _Scale) -> Element:
    took = words.span(past.duration_seconds)
    title = element(
        "title",
        f"{words.moment(past.finished_at)}: {past.strategy} {words.outcome(past.outcome)}, "
        f"took {took}, {past.old_redacted_key} to {past.redacted_key}; {past.reason}",
    )
    x = scale.x(past.finished_at)
    if past.outcome == "failed":
        # A cross, for who does not see the colour: two strokes in a drawing of their own.
        strokes = (
            element("line", x1=-4, y1=-4, x2=4, y2=4),
            element("line", x1=-4, y1=4, x2=4, y2=-4),
        )
        return element("svg", title, *strokes, x=x, y=_MIDDLE, overflow="visible", class_="failed")
    return element("circle", title, cx=x, cy=_MIDDLE, r=5, class_=past.outcome)


def _coming(known: Standing, scale: _Scale) -> Iterator[Element]:
    ahead, ends = known.ahead, known.outlook.expires_at
    if ahead.at is not None and ahead.action in {"refresh", "reissue"} and scale.shows(ahead.at):
        title = element("title", f"next {ahead.action}: {words.moment(ahead.at)}; {ahead.text}")
        yield element("circle", title, cx=scale.x(ahead.at), cy=_MIDDLE, r=5, class_="coming")
    if ends is not None and scale.shows(ends):
        title = element("title", f"expires {words.moment(ends)}")
        yield element("rect", title, x=scale.x(ends), y=2, width=2, height=20, class_="expiry")


def _axis(scale: _Scale, now: datetime) -> Iterator[Element]:
    yield _now(scale, now)
    length = scale.end - scale.start
    form = "%H:%M" if length < timedelta(days=3) else "%b %d"
    for tick in range(_TICKS):
        share = (tick + 0.5) / _TICKS
        moment = scale.start + length * share
        yield element("text", f"{moment:{form}}", x=f"{share:.2%}", y=16, text_anchor="middle")
