"""``rotator demo``: shows what rotator does, on this machine, in half a minute."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from rotator.commands.common import sandbox_installed
from rotator.observe import observing

if TYPE_CHECKING:
    from argparse import Namespace

    from rotator.sandbox.demo import Outcome


def command(arguments: Namespace) -> int:
    """Run it; 1 when the consumer ever failed, or an old key is left."""
    sandbox_installed()
    from rotator.sandbox.demo import demo  # noqa: PLC0415 - an extra

    with observing(format="console", level="info") as emit:
        outcome = asyncio.run(demo(emit, _say, stand_in=arguments.stand_in))
    _draw(outcome)
    return int(not outcome.good)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _draw(outcome: Outcome) -> None:
    from rich import box  # noqa: PLC0415 - only who draws pays for it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("policy", "before", "after", "strategy", "old key until"):
        table.add_column(column, no_wrap=True)
    table.add_column("danger", justify="right", no_wrap=True)
    for example in outcome.examples:
        fields = outcome.completed.get(example.name, {})
        table.add_row(
            example.name,
            str(fields.get("old_redacted_key", "-")),
            str(fields.get("redacted_key", "-")),
            str(fields.get("strategy", "not rotated")),
            _clock(fields.get("old_valid_until")),
            _milliseconds(fields.get("danger_seconds")),
        )
    console = Console(highlight=False)
    console.print(table)
    consumer = outcome.consumer
    console.print(f"consumer: {consumer.calls:,} calls, {consumer.failed} failed")
    gone = len(outcome.examples) - outcome.old_accepted
    console.print(f"old keys: {gone} of {len(outcome.examples)} are refused by now")


def _clock(moment: object) -> str:
    return f"{moment.astimezone():%H:%M:%S}" if isinstance(moment, datetime) else "-"


def _milliseconds(seconds: object) -> str:
    return f"{seconds * 1000:.1f} ms" if isinstance(seconds, float) else "-"
