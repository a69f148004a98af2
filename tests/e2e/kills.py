"""Kills the real program by the hundred: ``python tests/e2e/kills.py --kills 1000``.

Each history has the real services' stand-ins (or, with ``--real``, a real Vault behind a proxy that
sees every request), one policy that is due, perhaps a spool, and processes that die at a request or
at a random moment, by SIGKILL or by SIGTERM with a SIGKILL some time later, as ``docker stop`` does
it. Then passes come by until all is at rest. All the time consumers read the key and use it.

Ends with 1 when a key was lost or left behind, a trigger led to two rotations, something beside the
key has gone, or a consumer was ever refused; with the seed of the history. Also when of many kills
none was at one of the requests, before it was carried out or after.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, fields
from datetime import timedelta
from itertools import starmap
from pathlib import Path
from random import Random

from consumers import Consumers
from e2e_stage import staged
from e2e_vault import behind_proxy

from rotator.sandbox import real_vault

DAY = timedelta(days=1)
#: Every request that a rotation makes, by what it is for.
BOUNDARIES = {
    "list": r"GET /v2/api-keys",
    "read": r"GET /v1/[^/]+/data/apps/",
    "load": r"GET /v1/[^/]+/data/rotator/ci",
    "prove": r"capabilities-self|lookup-self",
    "spool's key": r"(PUT|POST) /v1/[^/]+/data/rotator/_spool_",
    "journal": r"(PUT|POST) /v1/[^/]+/data/rotator/ci",
    "mint": r"POST /v2/api-keys(/.+/refresh)?$",
    "write": r"(PUT|POST) /v1/[^/]+/data/apps/",
    "revoke": r"(PUT|DELETE) /v2/api-keys/.+",
}
DEATHS = tuple((what, after) for what in BOUNDARIES for after in (False, True))
#: Those that most depends on are drawn twice as often.
LIKELY = tuple(death for death in DEATHS if death[0] in {"journal", "mint", "write"})
AT_REQUEST = "SIGKILL at a request"
#: Of so many kills one at least is to be at each of these.
MANY = 200
#: Long enough for a machine that is busy with many histories at once, short enough to wait for.
RUN = {
    "lease": "4s",
    "retry_budget": "2s",
    "settle": "1500ms",
    "handover": "500ms",
    "relist": "1s",
}
TIMEOUT = "1200ms"
#: Seconds. Half of it is for consumers who keep the old key. The other half of a refresh's outlasts
#: three kills in a row: each repair waits for the lease of the dead, settles and lists anew, some
#: 8 s. The grace of a reissue only begins when all that is over.
GRACES = {"refresh": 60, "reissue": 8}
#: Seconds after the last kill in which all must be at rest.
REST = 150


def at(what, after):
    """What a kill is called in the summary."""
    return f"{AT_REQUEST}: {what}, {'done' if after else 'not done'}"


class Lost(AssertionError):
    """A promise was broken."""


@dataclass
class Tally:
    """What histories came to."""

    histories: int = 0
    kills: Counter = field(default_factory=Counter)
    #: Of whoever reads the key afresh each time.
    reads: int = 0
    refused: int = 0
    #: Of whoever has the key that was there before.
    late: int = 0
    late_refused: int = 0
    lost: list = field(default_factory=list)

    def add(self, other):
        for one in fields(self):
            total = getattr(self, one.name) + getattr(other, one.name)
            setattr(self, one.name, total)


class History:
    """One policy that is due, and processes that die. All chance is from ``seed``.

    At which request the first of them dies is not left to chance in every other history, so that
    each request has its turn.
    """

    def __init__(self, seed, stage):
        self._draw = Random(seed)
        self._stage = stage
        self._first = DEATHS[seed // 2 % len(DEATHS)] if seed % 2 == 0 else None
        what = self._first[0] if self._first else ""
        drawn = self._draw.choice(("refresh", "reissue"))
        # A refresh may have nothing to revoke.
        self._strategy = "reissue" if what == "revoke" else drawn
        self._spool = stage.folder / "spool"
        if self._draw.random() < 0.5 or what == "spool's key":
            stage.sections["spool"] = {"directory": str(self._spool)}
        self.tally = Tally(histories=1)

    def play(self):
        self._add_policy()
        keeps = GRACES[self._strategy] / 2
        with Consumers(self._stage, keeps, self.tally) as consumers:
            self._kill_one(self._first)
            for _ in range(self._draw.choice((0, 0, 1, 2))):
                self._kill_one()
            self._rest()
            _wait_for(lambda: consumers.have_read_anew or consumers.fault, 2 * keeps)
        self._assert_well(consumers)

    def _add_policy(self):
        stage = self._stage
        expires_at = stage.now + 2 * DAY if self._strategy == "reissue" else None
        born_at = stage.now - 88 * DAY
        key = stage.arize.seed_user_key("ci", created_at=born_at, expires_at=expires_at)
        grace = f"{GRACES[self._strategy]}s"
        stage.add_policy("ci", key, before_expiry="7d", max_age="30d", grace_period=grace)
        stage.put("ci", api_key=key[1], owner="theirs")

    def _kill_one(self, death=None):
        draw, stage = self._draw, self._stage
        mode = draw.choice(("--once", "daemon", "--rotate"))
        way = draw.choice((AT_REQUEST, AT_REQUEST, "at random", "SIGTERM, later SIGKILL"))
        if death or way == AT_REQUEST:
            what, after = death or draw.choice((*DEATHS, *LIKELY))
            way, mode = at(what, after), "daemon" if what == "revoke" else mode
            stage.trap.set(BOUNDARIES[what], after=after, times=1)
        if mode == "--rotate" and (self._under_way() or self.tally.kills):
            mode = "--once"  # A second demand would be a second rotation, and rightly so.
        arguments = {"--once": ["--once"], "daemon": [], "--rotate": ["--rotate", "ci"]}[mode]
        process = stage.trap.process = stage.start("run", "--config", str(stage.config), *arguments)
        self._end(process, way)
        if way.startswith(AT_REQUEST) and not stage.trap.sprung:
            way = "SIGKILL, as the request did not come"
        stage.trap.disarm()
        process.communicate(timeout=60)
        if process.returncode < 0:
            self.tally.kills[way] += 1

    def _end(self, process, way):
        draw = self._draw
        if way.startswith(AT_REQUEST):
            # A daemon may never come to it, and a pass may end before.
            _wait_for(lambda: process.poll() is not None or self._stage.trap.sprung, 20)
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
            time.sleep(1 if journal["rotation"] else 3)

    def _assert_well(self, consumers):
        stage, journal, tally = self._stage, self._stage.journal("ci"), self.tally
        if consumers.fault:
            raise Lost(f"the consumers could not go on: {consumers.fault!r}")
        if tally.refused or tally.late_refused:
            raise Lost(
                f"the consumer was refused {tally.refused} times of {tally.reads}, and with the"
                f" key that was there before {tally.late_refused} times of {tally.late}"
            )
        if stage.held("ci") == stage.raws["ci"]:
            raise Lost("not rotated")
        if not tally.late:
            raise Lost("nobody has used the old key in its grace")
        if stage.ask_vault("GET", "data/apps/ci")["data"]["data"].get("owner") != "theirs":
            raise Lost("what lay beside the key has gone")
        if left := sum(1 for _ in self._spool.glob("*")):
            raise Lost(f"{left} files are left in the spool")
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
            history.play()
        except Exception as error:  # noqa: BLE001 - whatever it is, its seed is told
            history.tally.lost.append(f"seed {seed}: {error!r}")
        return history.tally


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
    missed = [way for way in starmap(at, DEATHS) if not tally.kills[way]]
    tell(tally, missed, time.monotonic() - began, given)
    return int(bool(tally.lost or (missed and tally.kills.total() >= MANY)))


def tell(tally, missed, seconds, given):
    path = real_vault.program() if given.real else None
    say(
        f"{tally.kills.total():,} kills in {tally.histories:,} histories,"
        f" on {real_vault.version(path) if path else 'the stand-in'}: {len(tally.lost)} broken;"
        f" the consumer read {tally.reads:,} times and was refused {tally.refused} times, and used"
        f" the key that was there before {tally.late:,} times, refused {tally.late_refused} times",
        *(f"  {count:>6,}  {way}" for way, count in sorted(tally.kills.items())),
        *(f"   never  {way}" for way in missed),
        *tally.lost[:10],
        f"{seconds:.0f} s",
    )


def say(*lines):
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
