"""``rotator plan``: what would happen, when and why. Writes nothing, anywhere."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rotator import words
from rotator.commands.common import chosen, quietly, settings_of
from rotator.errors import RotatorError
from rotator.outlook import Outlook, outlook
from rotator.wiring import connected

if TYPE_CHECKING:
    from argparse import Namespace

    from rotator.model import Policy
    from rotator.reconcile import Reconciler
    from rotator.settings import Settings


def command(arguments: Namespace) -> int:
    """Print the plan; 1 when a policy could not be looked at or needs a person."""
    settings = settings_of(arguments)
    policies = chosen(settings, arguments.policies)
    rows = asyncio.run(_look(settings, policies))
    if arguments.json:
        json.dump({"version": 1, "policies": [_plain(row) for row in rows]}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _draw(rows)
    return int(any(row.action in {"refuse", "failed"} for row in rows))


async def _look(settings: Settings, policies: list[Policy]) -> list[Outlook]:
    async with connected(settings, quietly) as services:
        slots = asyncio.Semaphore(settings.run.concurrency)

        async def one(policy: Policy) -> Outlook:
            async with slots:
                return await _row(services.reconciler, policy)

        return await asyncio.gather(*(one(policy) for policy in policies))


async def _row(reconciler: Reconciler, policy: Policy) -> Outlook:
    try:
        return outlook(await reconciler.gather(policy))
    except RotatorError as error:
        return Outlook(policy.name, "failed", None, error.code, error.message, remedy=error.remedy)


def _plain(row: Outlook) -> dict[str, object]:
    """The row as JSON types: times in RFC 3339, lengths in seconds."""
    plain: dict[str, object] = {}
    for name, value in asdict(row).items():
        if isinstance(value, datetime):
            plain[name] = value.isoformat().replace("+00:00", "Z")
        elif isinstance(value, timedelta):
            plain[name] = value.total_seconds()
        else:
            plain[name] = value
    return plain


_ACTIONS = {
    "deliver": "finish the delivery",
    "promote": "prove and record",
    "retire": "revoke the old key",
    "lock": "take over",
    "wait": "nothing",
    "locked": "another process is at it",
    "refuse": "a person is needed",
    "failed": "could not look",
}


def _draw(rows: list[Outlook]) -> None:
    from rich import box  # noqa: PLC0415 - only who draws pays for it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    now = datetime.now(UTC)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("policy", "key", "expires", "next", "what"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            row.policy,
            row.redacted_key or "-",
            _when(row.expires_at, now) if row.key_id else "-",
            _when(row.at, now),
            _what(row, now),
        )
    console = Console(highlight=False)
    console.print(table)
    for row in rows:
        console.print(f"{row.policy}: {row.text}", style="dim", markup=False)
        if row.remedy:
            console.print(f"  remedy: {row.remedy}", markup=False)
        for target in row.empty_targets:
            console.print(
                f"  {target} holds no key yet; the next rotation puts one there"
                f" (now: rotator run --rotate {row.policy})",
                markup=False,
            )


def _when(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    if moment <= now:
        return "now" if now - moment < timedelta(minutes=1) else "past"
    return f"in {words.length(moment - now)}"


def _what(row: Outlook, now: datetime) -> str:
    if row.action in _ACTIONS:
        return _ACTIONS[row.action]
    ends = "no expiry" if row.new_expires_at is None else _when(row.new_expires_at, now)
    grace = words.length(row.grace) if row.grace else "0s"
    return f"{row.action}: new key expires {ends}; old one works {grace} more".replace(
        "expires no expiry", "has no expiry"
    )
