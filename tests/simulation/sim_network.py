"""Requests that get lost, actors that die: everything between a process and the services."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from rotator.errors import NotPermitted, Temporary, Unauthenticated, Unavailable
from rotator.sandbox.arize_model import Refused

TIMEOUT = 10.0


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
    STALE = "listing is stale"
    FOREIGN_WRITE = "somebody writes first"
    FULL = "disk full"
    SLOW = "disk slow, done later"
    CRASH_INSIDE = "the adapter fails unexpectedly"
    KILLED_BEFORE = "process killed, not done"
    KILLED_AFTER = "process killed, done"
    PAUSED_BEFORE = "process stopped for minutes, not done yet"
    PAUSED_AFTER = "process stopped for minutes, done"


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
FAULTS = {
    "list": (*ANYWHERE, Fault.MALFORMED, Fault.UNKNOWN_ENUM, Fault.STALE),
    "mint": (*ANYWHERE, Fault.LATE, Fault.MALFORMED, Fault.TRUNCATED, Fault.UNKNOWN_ENUM),
    "revoke": (*ANYWHERE, Fault.LATE),
    "try": ANYWHERE,
    "read": (*ANYWHERE, Fault.MALFORMED),
    "write": (*ANYWHERE, Fault.LATE, Fault.FOREIGN_WRITE),
    "save": (*ANYWHERE, Fault.LATE, Fault.FOREIGN_WRITE),
    "preflight": ANYWHERE,
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
    skew: timedelta = timedelta(0)
    stopped_until: float = 0.0
    events: list = field(default_factory=list)
    death: asyncio.Future = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    grave: list = field(default_factory=list)

    @property
    def dead(self):
        return self.death.done()

    def kill(self):
        if not self.dead:
            self.death.set_result(None)

    def stop_until(self, moment):
        self.stopped_until = max(self.stopped_until, moment)

    async def awake(self):
        """Comes back when the process runs; never, when it is dead."""
        loop = asyncio.get_running_loop()
        if not self.dead and self.stopped_until > loop.time():
            await asyncio.sleep(self.stopped_until - loop.time())
            await self.awake()
        if self.dead:
            # Held on to: a task that nobody could wake is collected, and complains.
            self.grave.append(loop.create_future())
            await self.grave[-1]

    async def sleep(self, seconds):
        await self.awake()
        await asyncio.sleep(max(0.0, seconds))
        await self.awake()


class Network:
    """Carries requests. ``choose(actor, kind, label)`` says what goes wrong with each."""

    def __init__(self, random, choose, *, trace=None, after=lambda: None):
        self._random = random
        self._choose = choose
        self._after = after
        self.trace = trace
        self.counts = {}
        self.requests = 0
        #: When something last went wrong.
        self.troubled_at = 0.0
        #: How long a mint waits for its turn, in seconds.
        self.queue = lambda: 0

    async def request(self, actor, kind, label, work):
        """Let the service do ``work`` (a plain call), at once or never, and bring its answer.

        ``work`` is called with the fault, since some of them concern what is answered.
        """
        await actor.awake()
        self.requests += 1
        fault = self._choose(actor, kind, label)
        if fault is not None:
            self.counts[kind, fault] = self.counts.get((kind, fault), 0) + 1
            self.troubled_at = self._now()
        self._note(actor, label, fault)
        await self._out(actor, fault)
        if fault is Fault.LATE:
            self._later(work, fault)
            await self._in(actor, fault)
        answer = self._done(work, fault)
        await self._in(actor, fault)
        return answer

    async def _out(self, actor, fault):
        if fault is Fault.PAUSED_BEFORE:
            actor.stop_until(self._now() + self._random.uniform(20, 300))
        if fault is Fault.KILLED_BEFORE:
            actor.kill()
        await asyncio.sleep(self._random.uniform(0.001, 0.2))
        await actor.awake()
        if fault in _NOT_DONE:
            await self._fail(actor, fault)

    async def _in(self, actor, fault):
        if fault is Fault.KILLED_AFTER:
            actor.kill()
        if fault is Fault.PAUSED_AFTER:
            actor.stop_until(self._now() + self._random.uniform(20, 300))
            await actor.awake()
        # A timer that ran out meanwhile may be seen before the answer is.
        too_late = fault is Fault.PAUSED_AFTER and self._random.random() < 0.5
        if fault in {Fault.LOST, Fault.LATE, Fault.MALFORMED, Fault.PAUSED_BEFORE} or too_late:
            await self._fail(actor, fault)
        await asyncio.sleep(self._random.uniform(0.001, 0.2))
        await actor.awake()

    async def _fail(self, actor, fault):
        if fault in {Fault.LOST, Fault.LATE, Fault.DROPPED}:
            await actor.sleep(TIMEOUT)
        raise _ERRORS[fault](self._random)

    def chance(self, least, most):
        return self._random.uniform(least, most)

    def _done(self, work, fault):
        try:
            return work(fault)
        finally:
            self._after()

    def _later(self, work, fault):
        def do():
            # Nobody hears of a refusal any more.
            with contextlib.suppress(Refused):
                self._done(work, fault)

        delay = TIMEOUT + self._random.uniform(0, 9)
        asyncio.get_running_loop().call_later(delay, do)

    def _note(self, actor, label, fault):
        if self.trace is not None:
            self.trace.append((round(self._now(), 3), actor.name, label, fault and fault.name))

    @staticmethod
    def _now():
        return asyncio.get_running_loop().time()


_NOT_DONE = {
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
    Fault.DROPPED: lambda _: TimedOut("no answer"),
    Fault.LOST: lambda _: TimedOut("no answer"),
    Fault.LATE: lambda _: TimedOut("no answer"),
    Fault.MALFORMED: lambda _: TimedOut("malformed"),
    Fault.PAUSED_BEFORE: lambda _: TimedOut("too late"),
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
