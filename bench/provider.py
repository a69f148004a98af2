"""The sandbox's Arize in a process of its own, so that it takes no time from what is measured.

Reads a line of JSON from stdin: ``latency`` in seconds and ``keys``, each with a name, an age and
what is left of its life, in days. Answers with a line: where it is, and what the keys are. To every
further line it answers what was asked for since the last one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.server import serving_in_thread

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from rotator.sandbox.arize_state import ArizeState


def watched(app: ASGIApp, latency: float, counts: Counter[str]) -> ASGIApp:
    """``app`` so many seconds away, with its requests counted."""

    async def far(scope: Scope, receive: Receive, send: Send) -> None:
        counts[scope["method"]] += 1
        if latency:
            await asyncio.sleep(latency)
        await app(scope, receive, send)

    return far


def seeded(state: ArizeState, wish: dict[str, Any]) -> dict[str, str]:
    """A key as it is wished for."""
    now, left = state.clock(), wish.get("left")
    key_id, raw = state.seed_user_key(
        wish["name"],
        created_at=now - timedelta(days=wish["age"]),
        expires_at=now + timedelta(days=left) if left else None,
    )
    return {"name": wish["name"], "id": key_id, "raw": raw}


def main() -> None:
    """Serve until stdin ends."""
    wish = json.loads(sys.stdin.readline())
    state, counts = live_state(), Counter[str]()
    keys = [seeded(state, key) for key in wish["keys"]]
    with serving_in_thread(watched(arize_app(state), wish["latency"], counts)) as url:
        _say({"url": url, "management": state.management_key, "keys": keys})
        for _ in sys.stdin:
            _say(dict(counts))
            counts.clear()


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
