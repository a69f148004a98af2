"""A whole rotation of one key, in a process that is warm."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.inside import inside
from bench.measuring import Finding, Pairs, compared
from bench.script import Script
from bench.stage import DUE, provided

if TYPE_CHECKING:
    from bench.stage import Bench, Keys


def run(bench: Bench) -> list[Finding]:
    """Against a script that makes the same requests and nothing else."""
    turns, warm_up = bench.some(300, 30), bench.some(30, 5)
    with (
        provided(bench, turns + warm_up, DUE) as ours,
        provided(bench, turns + warm_up, DUE) as theirs,
    ):
        pairs = asyncio.run(_measured(ours, theirs, warm_up))
    against = "a script in asyncio with the same requests"
    return [compared("a whole rotation, one key", against, pairs, 1.15)]


async def _measured(ours: Keys, theirs: Keys, warm_up: int) -> Pairs:
    pairs, bench = Pairs(), theirs.bench
    script = Script(theirs.url, theirs.management, bench.vault, bench.token, theirs.place)
    async with inside(ours) as rotator:
        for number, (policy, key) in enumerate(zip(rotator.policies, theirs.keys, strict=True)):
            began = time.perf_counter()
            await rotator.rotate(policy)
            between = time.perf_counter()
            await script.rotate(key, listing=True)
            ended = time.perf_counter()
            if number >= warm_up:
                pairs.ours.append(between - began)
                pairs.theirs.append(ended - between)
    await script.close()
    return pairs
