"""``rotator history``: the last rotations of a policy, from its journal. Asks the store alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from rotator import words
from rotator.commands.common import chosen, quietly, settings_of
from rotator.commands.screen import Cell, Screen, print_json
from rotator.standing import in_flight, past
from rotator.wiring import connected

if TYPE_CHECKING:
    from argparse import Namespace
    from datetime import datetime

    from rotator.journal import Journal
    from rotator.settings import Settings
    from rotator.standing import InFlight, Past

_LAYOUTS = (
    (
        *(["began, UTC"], ["outcome"], ["strategy"], ["why"], ["took"], ["danger"]),
        *(["old key"], ["new key"], ["old key until"]),
    ),
    (
        *(["began, UTC", "outcome"], ["strategy", "why"], ["took", "danger"]),
        *(["old key", "new key"], ["old key until"]),
    ),
    (
        *(["began, UTC", "outcome", "took"], ["strategy", "why", "danger"]),
        ["old key", "new key", "old key until"],
    ),
)
_STYLES = {"completed": "green", "repaired": "yellow", "failed": "red"}


def command(arguments: Namespace) -> int:
    """Print the rotations, the latest first."""
    settings = settings_of(arguments)
    (policy,) = chosen(settings, [arguments.policy])
    journal, now = asyncio.run(_journal(settings, policy.name))
    begun, rows = in_flight(journal), [past(record) for record in journal.history]
    if arguments.json:
        print_json(policy=policy.name, in_flight=begun, history=rows)
    else:
        _draw(policy.name, begun, rows, now)
    return 0


async def _journal(settings: Settings, name: str) -> tuple[Journal, datetime]:
    async with connected(settings, quietly) as services:
        journal, _ = await services.world.store.load(name)
        return journal, services.world.clock.now()


def _draw(name: str, begun: InFlight | None, rows: list[Past], now: datetime) -> None:
    screen = Screen()
    if begun is None and not rows:
        screen.say(f"{name} has not been rotated yet")
        return
    cells = [_begun(begun, now)] if begun else []
    screen.table([*cells, *(_cells(row, now) for row in rows)], _LAYOUTS)
    screen.gap()
    for row in rows:
        if row.error:
            screen.say(f"{_moment(row.finished_at)}: {row.error}", style="red")
    counts = Counter(row.outcome for row in rows).most_common()
    parts = [f"{number} {words.outcome(outcome)}" for outcome, number in counts]
    parts += ["1 in flight"] if begun else []
    screen.say(f"{name}: {', '.join(parts)}")


def _cells(row: Past, now: datetime) -> dict[str, Cell]:
    tries = f", {row.tries} tries" if row.tries > 1 else ""
    ends, danger = row.old_valid_until, row.danger_seconds
    still = f", {words.length(ends - now)} left" if ends and ends > now else ""
    return {
        "began, UTC": Cell(_moment(row.started_at)),
        "outcome": Cell(f"{words.outcome(row.outcome)}{tries}", _STYLES.get(row.outcome, "")),
        "strategy": Cell(row.strategy),
        "why": Cell(row.reason, "dim"),
        "took": Cell(words.span(row.duration_seconds)),
        "danger": Cell("" if danger is None else words.span(danger)),
        "old key": Cell(row.old_redacted_key),
        "new key": Cell(row.redacted_key),
        "old key until": Cell(f"{_moment(ends)}{still}" if ends else ""),
    }


def _begun(row: InFlight, now: datetime) -> dict[str, Cell]:
    return {
        "began, UTC": Cell(_moment(row.started_at)),
        "outcome": Cell(f"in flight, try {row.tries}", "cyan"),
        "strategy": Cell(row.strategy or ""),
        "why": Cell(row.reason, "dim"),
        "took": Cell(words.length(now - row.started_at)),
        "old key": Cell(row.old_redacted_key),
    }


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
