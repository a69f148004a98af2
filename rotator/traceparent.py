"""Which step of which trace a request belongs to, for whoever makes requests.

W3C trace context: https://www.w3.org/TR/trace-context/. Set where steps are traced
(:mod:`rotator.observe.traces`), and empty everywhere else.
"""

from __future__ import annotations

from contextvars import ContextVar

#: The headers of the step at hand.
CURRENT: ContextVar[dict[str, str] | None] = ContextVar("traceparent", default=None)


def headers() -> dict[str, str]:
    """What to add to a request, so that whoever answers can tell what it belongs to."""
    return CURRENT.get() or {}
