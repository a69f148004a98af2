"""What a daemon costs by the number of its policies, with services that take no time.

``python -m bench.rows.growth COUNT`` measures one number, in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measuring import Curve, Finding, percentile
from bench.processes import pss
from bench.simulated import DAY, Lag, simulated
from rotator.adapters.agenda import SchedulerAgenda
from rotator.adapters.clock import SystemClock
from rotator.daemon import Daemon
from rotator.events import Event
from rotator.rest import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.stage import Bench

_RELIST = timedelta(minutes=5)
_LAG = 0.05
#: Seconds of CPU in a third of a second, below which nothing is done any more.
_RESTING = 0.05


class _Agenda(SchedulerAgenda):
    """Real, but for what it does periodically: that is called by hand."""

    passes: Callable[[], object]

    def every(self, name: str, period: timedelta, call: Callable[[], object]) -> None:
        del name, period
        self.passes = call


def run(bench: Bench) -> tuple[list[Finding], list[Curve]]:
    """From a hundred to a hundred thousand."""
    counts = [100, 1000, 10_000] if bench.quick else [100, 300, 1000, 3000, 10_000, 30_000, 100_000]
    told = {count: _asked(count) for count in counts}
    most, few = counts[-1], 1000
    by_law = most * math.log(most) / (few * math.log(few))
    start = told[most]["start"] / told[few]["start"]
    late = max(one["lag"] for one in told.values())
    findings = [
        Finding(
            f"growth from {few:,} to {most:,} policies: CPU of the start",
            "n log n",
            f"{start:.0f} times",
            f"{by_law:.0f} times",
            start / by_law,
            1.0,
        ),
        Finding("the same: loop lag, p99", "", f"{late * 1e3:.1f} ms", "", late, _LAG, unit="s"),
    ]
    curves = [
        Curve("CPU until all are planned", "s", [(n, told[n]["start"]) for n in counts]),
        Curve("CPU of a pass with nothing due", "s", [(n, told[n]["pass"]) for n in counts]),
        Curve("memory (PSS)", "MB", [(n, told[n]["memory"]) for n in counts]),
        Curve("loop lag, p99", "ms", [(n, told[n]["lag"] * 1e3) for n in counts]),
    ]
    return findings, curves


def _asked(count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.rows.growth", str(count)]
    top = Path(__file__).parent.parent.parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=top)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


async def _measured(count: int) -> dict[str, float]:
    left = count

    def heard(event: Event, /, **_: Any) -> None:
        nonlocal left
        left -= event is Event.POLICY_PLANNED

    clock = SystemClock(heard)
    world, reconciler, policies, _ = simulated(
        clock, heard, count, age=DAY, left=300 * DAY, before_expiry=7 * DAY
    )
    agenda, lag = _Agenda(clock), Lag()
    pace = Pace(_RELIST, timedelta(minutes=90), fewest=100)
    daemon = Daemon(world, reconciler, policies, agenda, concurrency=32, pace=pace)
    watching = asyncio.create_task(lag.watch())
    began, stop = time.process_time(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(daemon.run(stop))
    while left:  # noqa: ASYNC110 - what is counted has no event of its own
        await asyncio.sleep(0.01)
    start = time.process_time() - began
    began = time.process_time()
    agenda.passes()
    await _quiet()
    passed = time.process_time() - began
    memory = pss(os.getpid())
    watching.cancel()
    stop.set_result("SIGTERM")
    await running
    return {
        "start": start,
        "pass": passed,
        "memory": memory,
        "lag": percentile(list(lag.late), 99),
    }


async def _quiet() -> None:
    """Until nothing is done any more."""
    before = -_RESTING
    while time.process_time() - before > _RESTING:
        before = time.process_time()
        await asyncio.sleep(0.3)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_measured(int(sys.argv[1])))))
