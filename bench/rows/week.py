"""A week in virtual time, ten thousand rotations: whether anything grows that should not.

``python -m bench.rows.week HOURS`` plays so many, in a process of its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import selectors
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from bench.measuring import Curve, Finding
from bench.processes import files, pss
from bench.simulated import simulated
from rotator.daemon import Daemon
from rotator.rest import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.stage import Bench

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
#: Each is rotated every two hours: sixty an hour.
_POLICIES, _MAX_AGE = 120, timedelta(hours=2)
_MINUTES = 5


def run(bench: Bench) -> tuple[list[Finding], list[Curve]]:
    """The last day, or hour, against the first hour."""
    hours = bench.some(168, 6)
    command = [sys.executable, "-m", "bench.rows.week", str(hours)]
    top = Path(__file__).parent.parent.parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=top)
    told = json.loads(done.stdout)
    last = min(24, hours // 3)
    memory, opened = told["memory"], told["files"]
    what = f"{hours} hours, {told['rotations']:,} rotations"
    end = mean(memory[-last:])
    return [
        Finding(
            f"{what}: memory",
            "its first hour",
            f"{end:.1f} MB",
            f"{memory[0]:.1f} MB",
            end / memory[0],
            1.05,
        ),
        Finding(
            f"{what}: open files",
            "its first hour",
            str(opened[-1]),
            str(opened[0]),
            opened[-1] / opened[0],
            1.0,
        ),
    ], []


class _Skipping(selectors.SelectSelector):
    """Where others wait, here the time moves on."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.passed += timeout or 0.0
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Skipping) -> None:
        self._skipping = selector
        super().__init__(selector)

    def time(self) -> float:
        return self._skipping.passed


class _Clock:
    #: It is right.
    astray = None

    def now(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(delay.total_seconds())


class _Agenda:
    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def at(self, name: str, when: datetime, call: Callable[[], object]) -> None:
        if name in self._handles:
            self._handles[name].cancel()
        delay = (when - self._clock.now()).total_seconds()
        self._handles[name] = asyncio.get_running_loop().call_later(max(0.0, delay), call)

    def every(self, name: str, period: timedelta, call: Callable[[], object]) -> None:
        def again() -> None:
            self.every(name, period, call)
            call()

        self.at(name, self._clock.now() + period, again)

    def stop(self) -> None:
        for handle in self._handles.values():
            handle.cancel()


async def _played(hours: int, folder: Path) -> dict[str, object]:
    clock = _Clock()
    world, reconciler, policies, issuer = simulated(
        clock,
        lambda *_, **__: None,
        _POLICIES,
        age=timedelta(0),
        left=None,
        folder=folder,
        max_age=_MAX_AGE,
    )
    pace = Pace(timedelta(minutes=_MINUTES), timedelta(minutes=90), fewest=100)
    daemon = Daemon(world, reconciler, policies, _Agenda(clock), concurrency=32, pace=pace)
    stop = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(daemon.run(stop))
    # The first rotations are two hours away, and what they load is no growth.
    await asyncio.sleep(_MAX_AGE.total_seconds() + 60)
    memory, opened = [], []
    for _ in range(hours):
        await asyncio.sleep(3600)
        gc.collect()
        memory.append(pss(os.getpid()))
        opened.append(files(os.getpid()))
    stop.set_result("SIGTERM")
    await running
    return {"memory": memory, "files": opened, "rotations": issuer.rotations}


def main() -> None:
    """Play, and tell."""
    hours = int(sys.argv[1])
    with (
        tempfile.TemporaryDirectory(prefix="rotator-week-") as folder,
        asyncio.Runner(loop_factory=lambda: _Loop(_Skipping())) as runner,
    ):
        told = runner.run(_played(hours, Path(folder)))
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
