"""Requests that get lost, actors that die: everything between a process and the services."""

import asyncio
import contextlib
import math
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from random import Random

from rotator.errors import NotPermitted, Temporary, Unauthenticated, Unavailable
from rotator.sandbox.arize_model import Refused

TIMEOUT = 10.0
#: By how much a clock may be off, and is corrected.
FOLLOWED = timedelta(hours=1)


class Fault(StrEnum):
    """What goes wrong with one request. The service has done its work where it says "done"."""

    REFUSED = "refused, not done"
    DROPPED = "timed out, not done"
    LOST = "timed out, done"
    LATE = "timed out, done later"
    THROTTLED = "throttled with Retry-After"
    THROTTLED_SILENTLY = "throttled without Retry-After"
    DENIED = "denied"
    UNAUTHENTICATED = "credential refused"
    MALFORMED = "answer malformed, done"
    TRUNCATED = "answer truncated, done"
    UNKNOWN_ENUM = "answer has unknown enums, done"
    STALE = "answer is stale: new keys are not known yet"
    FOREIGN_WRITE = "somebody writes first"
    SEALED = "store sealed"
    STANDBY = "store standby"
    QUOTA = "store's quota used up"
    TOKEN_DEAD = "store's token expired or revoked"
    FULL = "disk full"
    SLOW = "disk slow, done later"
    JUMP = "clock jumps"
    ASTRAY = "clock jumps too far to be followed"
    CRASH_INSIDE = "the adapter fails unexpectedly"
    KILLED_BEFORE = "process killed, not done"
    KILLED_AFTER = "process killed, done"
    PAUSED_BEFORE = "process stopped for minutes, not done yet"
    PAUSED_AFTER = "process stopped for minutes, done"
    ASLEEP = "process stopped for up to an hour, not done yet"


#: Which faults make sense for which kind of request.
ANYWHERE = (
    Fault.REFUSED,
    Fault.DROPPED,
    Fault.LOST,
    Fault.THROTTLED,
    Fault.THROTTLED_SILENTLY,
    Fault.DENIED,
    Fault.UNAUTHENTICATED,
    Fault.CRASH_INSIDE,
    Fault.KILLED_BEFORE,
    Fault.KILLED_AFTER,
    Fault.PAUSED_BEFORE,
    Fault.PAUSED_AFTER,
)
#: Of a process that has not heard the provider's date yet: its first requests.
CLOCK = (Fault.JUMP, Fault.ASTRAY)
STORE = (*ANYWHERE, Fault.SEALED, Fault.STANDBY, Fault.QUOTA, Fault.TOKEN_DEAD)
#: Requests that go to the provider, and those that go to neither it nor the store.
PROVIDER, ELSEWHERE = frozenset({"list", "mint", "revoke", "try"}), frozenset({"spool", "hook"})
#: Requests that change nothing.
LOOKS = frozenset({"list", "try", "read", "preflight"})
FAULTS = {
    "list": (*ANYWHERE, *CLOCK, Fault.MALFORMED, Fault.UNKNOWN_ENUM, Fault.STALE),
    "mint": (
        *ANYWHERE,
        Fault.ASLEEP,
        Fault.LATE,
        Fault.MALFORMED,
        Fault.TRUNCATED,
        Fault.UNKNOWN_ENUM,
    ),
    "revoke": (*ANYWHERE, Fault.LATE, Fault.MALFORMED),
    "try": (*ANYWHERE, Fault.STALE, Fault.MALFORMED),
    "read": (*STORE, *CLOCK, Fault.MALFORMED),
    "write": (*STORE, Fault.LATE, Fault.FOREIGN_WRITE, Fault.FULL, Fault.MALFORMED),
    "save": (*STORE, Fault.LATE, Fault.FOREIGN_WRITE, Fault.FULL, Fault.MALFORMED),
    "preflight": STORE,
    "spool": (
        Fault.FULL,
        Fault.SLOW,
        Fault.KILLED_BEFORE,
        Fault.KILLED_AFTER,
        Fault.PAUSED_BEFORE,
        Fault.PAUSED_AFTER,
    ),
    "hook": ANYWHERE,
}


@dataclass
class Actor:
    """A process. A dead one never hears of anything again; a stopped one hears later."""

    name: str
    random: Random
    skew: timedelta = timedelta(0)
    #: By how much the clock is off besides, until the provider's date corrects it, if that can.
    jump: timedelta = timedelta(0)
    #: It knows the provider's date, and its own clock is of no account: see ``adapters/clock.py``.
    steady: bool = False
    stopped_until: float = 0.0
    #: No store takes its token before.
    locked_out_until: float = 0.0
    events: list = field(default_factory=list)
    #: The raw keys that it was given.
    minted: list = field(default_factory=list)
    #: Those that the provider has accepted when asked, and when a target last failed to take one.
    proved: set = field(default_factory=set)
    failed: dict = field(default_factory=dict)
    #: By path, the version of a secret that it has seen last.
    seen: dict = field(default_factory=dict)
    death: asyncio.Future = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    grave: list = field(default_factory=list)

    @property
    def dead(self):
        return self.death.done()

    def kill(self):
        if not self.dead:
            self.stopped_until = math.inf
            self.death.set_result(None)

    def stop_until(self, moment):
        self.stopped_until = max(self.stopped_until, moment)

    async def awake(self):
        """Comes back when the process runs; never, when it is dead."""
        loop = asyncio.get_running_loop()
        if not self.dead and self.stopped_until > loop.elapsed:
            await asyncio.sleep(self.stopped_until - loop.elapsed)
            await self.awake()
        if self.dead:
            # Held on to: a task that nobody could wake is collected, and complains.
            self.grave.append(loop.create_future())
            await self.grave[-1]

    async def sleep(self, seconds):
        loop = asyncio.get_running_loop()
        if self.stopped_until > loop.elapsed:
            await self.awake()
        await _travel(loop, self, max(0.0, seconds))


class Network:
    """Carries requests. ``choose(actor, kind, label)`` says what goes wrong with each.

    ``before`` hears of each one that arrives, and ``after`` of the kind of each that was carried
    out.
    """

    def __init__(self, choose, *, trace=None, before=lambda: None, after=lambda _: None):
        self._choose = choose
        self._before, self._after = before, after
        self.trace = trace
        self.counts = {}
        self.requests = 0
        #: A key that is younger, in seconds, is not accepted yet; when each was born.
        self.spreads, self.births = 0.0, {}
        #: By raw key, what a listing last showed of it, and as what.
        self.listed = {}
        #: Raw keys of which no listing tells when they were created.
        self.undated = set()
        #: Lets one process after the other do its work, where somebody says which.
        self.turns = None
        #: When something last went wrong.
        self.troubled_at = 0.0
        #: How long a mint waits for its turn, in seconds.
        self.queue = lambda: 0

    async def request(self, actor, kind, label, work):
        """Let the service do ``work`` (a plain call), at once or never, and bring its answer.

        ``work`` is called with the fault, since some of them concern what is answered.
        """
        loop = asyncio.get_running_loop()
        if actor.stopped_until > loop.elapsed:
            await actor.awake()
        self.requests += 1
        fault = self._choose(actor, kind, label)
        if fault in {Fault.JUMP, Fault.ASTRAY} and actor.steady:
            # It goes by the provider's date, and by its own steady clock from there.
            fault = None
        if fault is not None:
            self.troubled()
            self.counts[kind, fault] = self.counts.get((kind, fault), 0) + 1
            self._befall(actor, fault)
        if self.trace is not None:
            self._note(actor, label, fault)
        out, back = _ways(actor.random, kind)
        await _travel(loop, actor, out)
        await self._arrive(actor, kind, fault)
        if fault is Fault.LATE:
            self._later(actor, kind, work, fault)
        else:
            answer = self._done(kind, work, fault)
        if fault is not None:
            await self._leave(actor, fault)
        await _travel(loop, actor, back)
        if kind in PROVIDER:
            actor.steady = True
            if abs(actor.jump) <= FOLLOWED:
                actor.jump = _NONE
        return answer

    def troubled(self):
        """Something goes wrong now."""
        self.troubled_at = self._now()

    def _befall(self, actor, fault):
        """What happens to the process itself before the request is out."""
        draw, at = actor.random, self._now()
        if fault in {Fault.JUMP, Fault.ASTRAY}:
            hours = (1.1, 72) if fault is Fault.ASTRAY else (0.001, 0.9)
            actor.jump = timedelta(hours=draw.choice((-1, 1)) * draw.uniform(*hours))
        elif fault is Fault.TOKEN_DEAD:
            actor.locked_out_until = at + draw.uniform(1, 60)
        elif fault is Fault.ASLEEP:
            actor.stop_until(at + draw.uniform(300, 3500))
        elif fault is Fault.PAUSED_BEFORE:
            actor.stop_until(at + draw.uniform(20, 300))
        elif fault is Fault.KILLED_BEFORE:
            actor.kill()

    async def _arrive(self, actor, kind, fault):
        self._before()
        if fault in _NOT_DONE or (fault is Fault.FULL and kind not in ELSEWHERE):
            await self._fail(actor, fault)
        if actor.locked_out_until > self._now() and kind not in PROVIDER | ELSEWHERE:
            await self._fail(actor, Fault.TOKEN_DEAD)
        if self.turns is not None:
            await self.turns.take(actor)

    async def _leave(self, actor, fault):
        if fault is Fault.KILLED_AFTER:
            actor.kill()
        if fault is Fault.PAUSED_AFTER:
            actor.stop_until(self._now() + actor.random.uniform(20, 300))
            await actor.awake()
        # A timer that ran out meanwhile may be seen before the answer is.
        too_late = fault is Fault.PAUSED_AFTER and actor.random.random() < 0.5
        if fault in _UNANSWERED or too_late:
            await self._fail(actor, fault)

    async def _fail(self, actor, fault):
        if fault in {Fault.LOST, Fault.LATE, Fault.DROPPED}:
            await actor.sleep(TIMEOUT)
        raise _ERRORS[fault](actor.random)

    def _done(self, kind, work, fault):
        try:
            return work(fault)
        finally:
            self._after(kind)

    def _later(self, actor, kind, work, fault):
        def do():
            # Nobody hears of a refusal any more.
            with contextlib.suppress(Refused):
                self._done(kind, work, fault)

        delay = TIMEOUT + actor.random.uniform(0, 9)
        asyncio.get_running_loop().call_later(delay, do)

    def _note(self, actor, label, fault):
        self.trace.append((round(self._now(), 3), actor.name, label, fault and fault.name))

    @staticmethod
    def _now():
        return asyncio.get_running_loop().elapsed


def _ways(random, kind):
    """Seconds that a request takes to the service, and its answer back.

    Nobody can tell how long what changes nothing was on either way alone: one nap will do.
    """
    out, back = 0.001 + 0.199 * random.random(), 0.001 + 0.199 * random.random()
    if kind not in LOOKS:
        return out, back
    return (out + back, 0.0) if random.random() < 0.5 else (0.0, out + back)


async def _travel(loop, actor, seconds):
    if seconds:
        await loop.nap(seconds)
    if actor.stopped_until > loop.elapsed:
        await actor.awake()


_NONE = timedelta(0)
_UNANSWERED = {Fault.LOST, Fault.LATE, Fault.MALFORMED, Fault.PAUSED_BEFORE, Fault.ASLEEP}
_NOT_DONE = {
    Fault.SEALED,
    Fault.STANDBY,
    Fault.QUOTA,
    Fault.TOKEN_DEAD,
    Fault.REFUSED,
    Fault.DROPPED,
    Fault.THROTTLED,
    Fault.THROTTLED_SILENTLY,
    Fault.DENIED,
    Fault.UNAUTHENTICATED,
    Fault.CRASH_INSIDE,
}
_ERRORS = {
    Fault.REFUSED: lambda _: Unavailable("503"),
    Fault.SEALED: lambda _: Unavailable("sealed"),
    Fault.STANDBY: lambda _: Unavailable("standby"),
    Fault.QUOTA: lambda random: Temporary("429", delay=timedelta(seconds=random.randint(1, 9))),
    Fault.TOKEN_DEAD: lambda _: Unauthenticated("403, and no login helps"),
    Fault.FULL: lambda _: Temporary("no space left on device"),
    Fault.DROPPED: lambda _: TimedOut("no answer"),
    Fault.LOST: lambda _: TimedOut("no answer"),
    Fault.LATE: lambda _: TimedOut("no answer"),
    Fault.MALFORMED: lambda _: TimedOut("malformed"),
    Fault.PAUSED_BEFORE: lambda _: TimedOut("too late"),
    Fault.ASLEEP: lambda _: TimedOut("much too late"),
    Fault.PAUSED_AFTER: lambda _: TimedOut("too late"),
    Fault.THROTTLED: lambda random: Temporary(
        "429", delay=timedelta(seconds=random.randint(1, 40))
    ),
    Fault.THROTTLED_SILENTLY: lambda _: Temporary("429"),
    Fault.DENIED: lambda _: NotPermitted("403"),
    Fault.UNAUTHENTICATED: lambda _: Unauthenticated("401"),
    Fault.CRASH_INSIDE: lambda _: RuntimeError("a fault in the adapter"),
}


class TimedOut(Unavailable):
    """Nobody knows whether it was done. Of a mint, the issuer makes something else of it."""
