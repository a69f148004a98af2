"""The daemon: every policy is looked at in its moment, and when its keys are listed otherwise.

The scheduler only says when. The work is done by tasks that the daemon owns, because a scheduler
that shuts down cancels what it runs, and a task may hold a key that nobody else has.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from rotator import __version__
from rotator.events import Event
from rotator.rest import Rest, print_of
from rotator.roster import Roster
from rotator.runner import Ending, Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime

    from rotator.keys import Scope
    from rotator.model import Policy
    from rotator.ports import World
    from rotator.reconcile import Reconciler
    from rotator.rest import Pace

_SOONEST = timedelta(seconds=1)
#: So many policies are compared with a listing before others have their turn on the loop.
_AT_A_TIME = 50


class Agenda(Protocol):
    """Calls back at moments of the corrected clock. Callbacks return at once."""

    def at(self, name: str, when: datetime, call: Callable[[], object]) -> None:
        """Call ``call`` at ``when`` (at once, when that is past); replaces what ``name`` had."""
        ...

    def every(self, name: str, period: timedelta, call: Callable[[], object]) -> None:
        """Call ``call`` every ``period``, first after one."""
        ...

    def stop(self) -> None:
        """No calls from here on."""
        ...


class Daemon:
    """Runs until told to stop.

    Args:
        world: The services.
        reconciler: Does the work; also re-lists.
        policies: What to look after.
        agenda: Says when.
        concurrency: How many policies are worked at, at the same time.
        pace: How often the provider's keys are listed again, and by when every policy has been
            looked at. What somebody else did at the provider or by a rotation is noticed after the
            first at the latest, as is a moment that the scheduler slept through; what he did in the
            store alone after the second.
    """

    def __init__(  # noqa: PLR0913 - wiring
        self,
        world: World,
        reconciler: Reconciler,
        policies: Sequence[Policy],
        agenda: Agenda,
        *,
        concurrency: int,
        pace: Pace,
    ) -> None:
        self._world = world
        self._reconciler = reconciler
        self._roster = Roster(policies)
        self._agenda = agenda
        self._pace = pace
        self._runner = Runner(world, reconciler, concurrency=concurrency)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        #: Of the last look at each that saw all there is.
        self._rests: dict[str, Rest] = {}
        self._due: dict[str, datetime] = {}
        self._relisting: asyncio.Task[None] | None = None

    async def run(self, stop: asyncio.Future[str]) -> None:
        """Look after all policies until ``stop`` holds the name of a signal."""
        emit = self._world.emit
        emit(
            Event.DAEMON_STARTED,
            version=__version__,
            policies=len(list(self._roster)),
            owner=self._world.me,
        )
        for policy in self._roster:
            self._begin(policy.name)
        self._agenda.every("relist", self._pace.relist, self._begin_relisting)
        signal = await stop
        emit(Event.DAEMON_STOPPING, signal=signal, in_flight=self._reconciler.undelivered)
        self._agenda.stop()
        await self._finish()
        emit(Event.DAEMON_STOPPED)

    async def _finish(self) -> None:
        """Begin nothing new. What holds an undelivered key goes on until that is delivered."""
        tasks = [*self._tasks.values(), *([self._relisting] if self._relisting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reconciler.drain()

    def configure(self, policies: Sequence[Policy]) -> None:
        """Look after these from now on.

        Where a rotation is in flight, that ends first, by the rules that it began with.
        """
        change = self._roster.configure(policies)
        for name in (*change.changed, *change.removed, *self._roster.join()):
            self._begin(name)

    def _begin(self, name: str) -> None:
        """Look at a policy now, unless somebody is at it."""
        if name not in self._tasks and self._roster.get(name):
            self._tasks[name] = self._own(self._look(name))
            self._tasks[name].add_done_callback(lambda _: self._tasks.pop(name, None))

    @staticmethod
    def _own(work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    async def _look(self, name: str) -> None:
        policy, attempt = await self._settled(name), self._failures.get(name, 0) + 1
        if policy is None:
            return
        result = await self._runner.look(policy, attempt=attempt)
        failed = result.ending in {Ending.UNREADY, Ending.FAILED}
        self._failures[name] = attempt if failed else 0
        self._schedule(name, result.next_at)
        if result.snapshot is None:
            if name in self._rests:
                self._rests[name] = replace(self._rests[name], listed=None)
            return
        journal = result.snapshot.journal
        self._rests[name] = Rest.after(result.snapshot, well=result.ending is Ending.WELL)
        if self._roster.settle(name, journal):
            self._schedule(name, self._world.clock.now())
        elif policy.leaving and journal.rotation is None and result.next_at is None:
            self._roster.drop(name)
        self._make_room(name)

    async def _settled(self, name: str) -> Policy | None:
        """The policy to look at: what is configured by now, unless something else is in flight."""
        if self._roster.is_unsettled(name):
            # What goes wrong here, a look by the old rules meets as well.
            with contextlib.suppress(Exception):
                journal, _ = await self._world.store.load(name)
                self._roster.settle(name, journal)
            self._make_room(name)
        return self._roster.get(name)

    def _make_room(self, name: str) -> None:
        """Forget a policy that has gone, and begin with those that had to wait for that."""
        if self._roster.get(name) is None:
            for known in (self._failures, self._rests, self._due):
                known.pop(name, None)
            for new in self._roster.join():
                self._begin(new)

    def _schedule(self, name: str, when: datetime | None) -> None:
        """Look at ``when``, or in a second: nothing that went wrong may spin."""
        if when is not None and self._due.get(name) != when:
            self._due[name] = when
            soonest = self._world.clock.now() + _SOONEST
            self._agenda.at(name, max(when, soonest), lambda: self._begin_due(name))

    def _begin_due(self, name: str) -> None:
        self._due.pop(name, None)
        self._begin(name)

    def _begin_relisting(self) -> None:
        if self._relisting is None or self._relisting.done():
            self._relisting = self._own(self._relist())

    async def _relist(self) -> None:
        """List the keys again, and look at all policies that are not at rest, or have their turn.

        A rotation by hand, or a replica that is gone, may have left an old key to be revoked.
        """
        since = self._world.clock.now()
        turn = self._pace.turn(
            {name: rest.looked_at for name, rest in self._rests.items() if rest.listed is not None}
        )
        unlisted: set[tuple[Scope, ...]] = set()
        for count, policy in enumerate(self._roster):
            scopes = policy.selector.scopes
            try:
                rests = scopes not in unlisted and await self._is_at_rest(policy, since)
            except Exception:  # noqa: BLE001 - a look meets it too, says so and tries again
                rests = False
                unlisted.add(scopes)
            if not rests or policy.name in turn:
                self._begin(policy.name)
            if count % _AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def _is_at_rest(self, policy: Policy, since: datetime) -> bool:
        """Whether a look would find what the last one found, by a listing from after ``since``.

        Files on this machine are compared with the store at every look, so there is always one.
        """
        name = policy.name
        rest, due = self._rests.get(name), self._due.get(name)
        if rest is None or name in self._tasks:
            return False
        listed = print_of(await self._reconciler.gatherer.keys(policy, rest.journal, since=since))
        overdue = due is not None and due <= since
        return listed == rest.listed and not overdue and not self._world.sinks.get(name)
