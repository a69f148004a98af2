"""Very many policies of which nothing is due."""

from __future__ import annotations

import math
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.measuring import Finding
from bench.processes import cpu, pss
from bench.stage import RESTING, ROTATOR, provided

if TYPE_CHECKING:
    from bench.stage import Bench, Keys

_PAGE = 100
#: As by default: in eighteen listings, everything is looked at.
_RELIST, _ROUNDS = 60, 18


@dataclass(frozen=True, slots=True)
class _Daemon:
    start: float
    memory: float
    cpu: float
    listings: int


def run(bench: Bench) -> list[Finding]:
    """Memory against few; the start, and one listing, against what they may cost."""
    few, many = 100, bench.some(10_000, 1000)
    small, large = _measured(bench, few), _measured(bench, many)
    listings = math.ceil((many + 1) / _PAGE)
    said = f"{many:,} policies"
    return [
        Finding(
            f"{said}: PSS",
            f"{few} policies",
            f"{large.memory:.1f} MB",
            f"{small.memory:.1f} MB",
            large.memory / small.memory,
            2.5,
        ),
        Finding(f"{said}: until all are planned", "", f"{large.start:.1f} s", "", large.start, 20),
        Finding(f"{said}: CPU of a pass", "", f"{large.cpu:.2f} s", "", large.cpu, 1.5),
        Finding(
            f"{said}: listing calls of a pass",
            "one for each hundred keys",
            str(large.listings),
            str(listings),
            large.listings / listings,
            1.0,
        ),
    ]


def _measured(bench: Bench, count: int) -> _Daemon:
    with provided(bench, count, RESTING) as keys:
        # The management key is one, too: a page more, unless the last has room for it.
        config = keys.config(relist=f"{_RELIST}s", recheck=f"{_RELIST * _ROUNDS}s")
        began = time.perf_counter()
        with subprocess.Popen(
            [ROTATOR, "run", "--config", str(config), "--log-format", "json"],
            env=keys.environ,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                _until_planned(process, count)
                return _passed(process.pid, keys, time.perf_counter() - began)
            finally:
                process.terminate()
                process.communicate()


def _until_planned(process: subprocess.Popen[str], count: int) -> None:
    for line in process.stdout or ():
        count -= '"policy.planned"' in line
        if not count:
            return
    raise RuntimeError("the daemon has ended")


def _passed(pid: int, keys: Keys, start: float) -> _Daemon:
    """Over one listing and what comes of it, less what as long a rest takes."""
    keys.counts()
    before = cpu(pid)
    while not keys.counts():
        before = cpu(pid)
        time.sleep(0.2)
    time.sleep(_RELIST / 2)
    spent, listings = cpu(pid) - before, 0
    memory = pss(pid)
    keys.counts()
    while not (listings := keys.counts().get("GET", 0)):
        time.sleep(1)
    time.sleep(_RELIST / 3)
    listings += keys.counts().get("GET", 0)
    return _Daemon(start, memory, spent, listings)
