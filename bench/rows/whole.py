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


#: Few enough that the listing before each rotation is short: one key is not rotated among hundreds.
_KEYS, _WARM_UP = 20, 5


def run(bench: Bench) -> list[Finding]:
    """Against a script that makes the same requests and nothing else."""
    pairs = Pairs()
    for _ in range(bench.some(20, 2)):
        with provided(bench, _KEYS, DUE) as ours, provided(bench, _KEYS, DUE) as theirs:
            asyncio.run(_measure(pairs, ours, theirs))
    against = "a script in asyncio with the same requests"
    return [compared("a whole rotation, one key", against, pairs, 1.15)]


async def _measure(pairs: Pairs, ours: Keys, theirs: Keys) -> None:
    bench = theirs.bench
    script = Script(theirs.url, theirs.management, bench.vault, bench.token, theirs.place)
    async with inside(ours) as rotator:
        for number, (policy, key) in enumerate(zip(rotator.policies, theirs.keys, strict=True)):
            began = time.perf_counter()
            await rotator.rotate(policy)
            between = time.perf_counter()
            await script.rotate(key, listing=True)
            ended = time.perf_counter()
            if number >= _WARM_UP:
                pairs.ours.append(between - began)
                pairs.theirs.append(ended - between)
    await script.close()
