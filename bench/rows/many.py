"""Many keys due at once, at a provider that is some way off."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.measuring import Finding, compared, in_turns
from bench.processes import seconds
from bench.stage import DUE, ROTATOR, provided

if TYPE_CHECKING:
    from bench.stage import Bench

_LATENCY, _CONCURRENCY = 0.05, 32


def run(bench: Bench) -> list[Finding]:
    """Whole processes, against the script with the same concurrency."""
    count = bench.some(1000, 100)

    def ours() -> float:
        with provided(bench, count, DUE, latency=_LATENCY) as keys:
            config = keys.config(concurrency=_CONCURRENCY)
            return seconds([ROTATOR, "run", "--once", "--config", str(config)], keys.environ)

    def theirs() -> float:
        with provided(bench, count, DUE, latency=_LATENCY) as keys:
            script = [sys.executable, "-m", "bench.script", str(keys.task()), str(_CONCURRENCY)]
            return seconds(script, keys.environ)

    pairs = in_turns(ours, theirs, turns=bench.some(5, 1), warm_up=bench.some(1, 0))
    what = f"{count:,} keys due at once, 50 ms away, concurrency {_CONCURRENCY}"
    return [compared(what, "the script, same concurrency", pairs, 1.2, unit="s")]
