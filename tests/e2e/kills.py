"""Kills the real program by the hundred: ``python tests/e2e/kills.py --kills 1000``.

Each history has the real services' stand-ins (or, with ``--real``, a real Vault behind a proxy that
sees every request), one policy that is due, and processes that die at a request or at a random
moment, by SIGKILL or by SIGTERM with a SIGKILL some time later, as ``docker stop`` does it. Then
passes come by until all is at rest. All the time a consumer reads the key and uses it.

Ends with 1 when a key was lost or left behind, a trigger led to two rotations, or the consumer was
ever refused; with the seed of the history.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

from e2e_stage import staged
from e2e_vault import behind_proxy

from rotator.sandbox import real_vault

DAY = timedelta(days=1)
MINTS = {"refresh": r"POST /v2/api-keys/.+/refresh", "reissue": r"POST /v2/api-keys$"}
#: Every request that a rotation makes, by what it is for.
BOUNDARIES = {
    "list": r"GET /v2/api-keys",
    "read": r"GET /v1/[^/]+/data/apps/",
    "load": r"GET /v1/[^/]+/data/rotator/",
    "prove": r"capabilities-self|lookup-self",
    "journal": r"(PUT|POST) /v1/[^/]+/data/rotator/",
    "write": r"(PUT|POST) /v1/[^/]+/data/apps/",
    "revoke": r"(PUT|DELETE) /v2/api-keys/.+",
}
#: Long enough for a machine that is busy with many histories at once, short enough to wait for.
RUN = {
    "lease": "4s",
    "retry_budget": "2s",
    "settle": "1500ms",
    "handover": "500ms",
    "relist": "1s",
}
TIMEOUT = "1200ms"
#: The window of a refresh outlasts three kills in a row: each repair waits for the lease of the
#: dead, settles and lists anew, some 8 s. The old key of a reissue goes on until it is revoked.
GRACES = {"refresh": "30s", "reissue": "8s"}
#: Seconds after the last kill in which all must be at rest.
REST = 90


class Lost(AssertionError):
    """A promise was broken."""


@dataclass
class Tally:
    """What histories came to."""

    histories: int = 0
    kills: Counter = field(default_factory=Counter)
    reads: int = 0
    refused: int = 0
    lost: list = field(default_factory=list)

    def add(self, other):
        self.histories += other.histories
        self.kills += other.kills
        self.reads += other.reads
        self.refused += other.refused
        self.lost += other.lost


class Consumer:
    """Reads the key from the store and uses it, again and again until the block ends."""

    def __init__(self, stage):
        self._stage = stage
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._consume)
        self.reads = self.refused = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _consume(self):
        while not self._over.wait(0.01):
            self.reads += 1
            self.refused += not self._stage.arize.accepts(self._stage.held("ci"))


class History:
    """One policy that is due, and processes that die. All chance is from ``seed``."""

    def __init__(self, seed, stage):
        self._draw = Random(seed)
        self._stage = stage
        self._strategy = self._draw.choice(("refresh", "reissue"))
        self.kills = Counter()

    def play(self):
        self._add_policy()
        with Consumer(self._stage) as consumer:
            for _ in range(self._draw.choice((1, 1, 2, 3))):
                self._kill_one()
            self._rest()
        self._assert_well(consumer)
        return Tally(1, self.kills, consumer.reads, consumer.refused)

    def _add_policy(self):
        stage = self._stage
        expires_at = stage.now + 2 * DAY if self._strategy == "reissue" else None
        born_at = stage.now - 88 * DAY
        key = stage.arize.seed_user_key("ci", created_at=born_at, expires_at=expires_at)
        grace = GRACES[self._strategy]
        stage.add_policy("ci", key, before_expiry="7d", max_age="30d", grace_period=grace)
        stage.put("ci", api_key=key[1], owner="theirs")

    def _kill_one(self):
        draw, stage = self._draw, self._stage
        mode = draw.choice(("--once", "daemon", "--rotate"))
        if mode == "--rotate" and (self._under_way() or self.kills):
            mode = "--once"  # A second demand would be a second rotation, and rightly so.
        arguments = {"--once": ["--once"], "daemon": [], "--rotate": ["--rotate", "ci"]}[mode]
        way = draw.choice(("at a request", "at a request", "at random", "SIGTERM, later SIGKILL"))
        if way == "at a request":
            what = draw.choice((*BOUNDARIES, "mint", "mint", "write", "journal"))
            pattern = BOUNDARIES.get(what) or MINTS[self._strategy]
            after = draw.random() < 0.5
            way = f"SIGKILL at a request: {what}, {'done' if after else 'not done'}"
            stage.trap.set(pattern, after=after, times=1)
        process = stage.trap.process = stage.start("run", "--config", str(stage.config), *arguments)
        self._end(process, way)
        stage.trap.disarm()
        process.communicate(timeout=60)
        if process.returncode < 0:
            self.kills[way] += 1

    def _end(self, process, way):
        draw = self._draw
        if way.startswith("SIGKILL at a request"):
            # A daemon may never come to it, and a pass may end before.
            _wait_for(lambda: process.poll() is not None or self._stage.trap.sprung, 12)
        elif way == "at random":
            _wait_for(lambda: process.poll() is not None, draw.uniform(0.2, 3))
        else:
            _wait_for(lambda: process.poll() is not None, draw.uniform(0.2, 3))
            process.terminate()
            _wait_for(lambda: process.poll() is not None, draw.choice((0.05, 0.3, 2)))
        process.kill()

    def _under_way(self):
        journal = self._stage.journal("ci")
        return journal and (journal["rotation"] or journal["history"])

    def _rest(self):
        """Passes, as a CronJob makes them."""
        give_up_at = time.monotonic() + REST
        while True:
            run = self._stage.run("--once", timeout=120)
            if run.code != 0 or run.err:
                raise Lost(f"a pass failed: {run.err or run.out}")
            journal = self._stage.journal("ci")
            if journal["rotation"] is None and not journal["retiring"]:
                break
            if time.monotonic() > give_up_at:
                raise Lost(f"not at rest: {journal}")
            time.sleep(1)

    def _assert_well(self, consumer):
        stage, journal = self._stage, self._stage.journal("ci")
        if consumer.refused:
            raise Lost(f"the consumer was refused {consumer.refused} times of {consumer.reads}")
        if stage.held("ci") == stage.raws["ci"]:
            raise Lost("not rotated")
        if not _wait_for(lambda: [stage.held("ci")] == self._lasting(), 15):
            raise Lost(f"{len(self._lasting())} keys are left")
        if len(journal["history"]) != 1:
            raise Lost(f"one trigger led to {len(journal['history'])} rotations")

    def _lasting(self):
        """The raw keys that Arize accepts, without those whose window ends by itself."""
        ending = {one.raw for one in self._stage.arize.keys if one.superseded}
        return [raw for raw in self._stage.live("ci") if raw not in ending]


def _wait_for(true, seconds):
    """Whether it came true in time."""
    give_up_at = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.005)
    return True


def play(seed, vault):
    draw = Random(f"services of {seed}")
    options = {"era": draw.choice("ABC"), "refresh_keeps_id": draw.random() < 0.5}
    with tempfile.TemporaryDirectory(prefix="rotator-kills-") as folder, ExitStack() as stack:
        real = stack.enter_context(behind_proxy(vault)) if vault else None
        stage = stack.enter_context(staged(Path(folder), vault=real, **options))
        stage.run_section, stage.timeout = RUN, TIMEOUT
        history = History(seed, stage)
        try:
            return history.play()
        except (Lost, AssertionError) as error:
            return Tally(1, history.kills, lost=[f"seed {seed}: {error}"])


def play_many(seeds, at_once, real):
    """Histories of ``seeds``, so many at once, on one server."""
    tally = Tally()
    with _server(real) as vault, ThreadPoolExecutor(at_once) as pool:
        for one in pool.map(lambda seed: play(seed, vault), seeds):
            tally.add(one)
    return tally


@contextmanager
def _server(real):
    path = real_vault.program() if real else None
    if real and path is None:
        raise SystemExit("--real needs `vault` or `bao` on PATH")
    with real_vault.running(path) if path else nullcontext() as server:
        yield server


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="stop after so many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--real", action="store_true", help="with the vault or bao on PATH")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--at-once", type=int, default=4, help="histories in each process")
    given = parser.parse_args()
    began, tally, next_seed = time.monotonic(), Tally(), given.first
    batch = 4 * given.at_once
    with ProcessPoolExecutor(given.processes) as pool:
        running = []
        while tally.kills.total() < given.kills and not tally.lost:
            while len(running) < given.processes:
                seeds = range(next_seed, next_seed + batch)
                running.append(pool.submit(play_many, seeds, given.at_once, given.real))
                next_seed += batch
            tally.add(running.pop(0).result())
        for left in running:
            tally.add(left.result())
    tell(tally, time.monotonic() - began, given)
    return int(bool(tally.lost))


def tell(tally, seconds, given):
    path = real_vault.program() if given.real else None
    say(
        f"{tally.kills.total():,} kills in {tally.histories:,} histories,"
        f" on {real_vault.version(path) if path else 'the stand-in'}: {len(tally.lost)} broken;"
        f" the consumer read {tally.reads:,} times and was refused {tally.refused} times",
        *(f"  {count:>6,}  {way}" for way, count in sorted(tally.kills.items())),
        *tally.lost[:10],
        f"{seconds:.0f} s",
    )


def say(*lines):
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
