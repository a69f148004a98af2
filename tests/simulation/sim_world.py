"""An account, a store, policies and processes; and what must be true of them all the time."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from sim_invariants import LIMITS, LONGEST_LOOK, SKEW, Judge
from sim_loop import reach
from sim_network import Actor, Network
from sim_services import (
    EPOCH,
    Shelf,
    SimAgenda,
    SimClock,
    SimHook,
    SimIssuer,
    SimStore,
    Voice,
    now,
)
from sim_spool import Disk, SimSpool

from rotator.daemon import Daemon
from rotator.events import Event
from rotator.journal import Journal
from rotator.listings import Listings
from rotator.model import Mint, Policy, Selector, Target
from rotator.ports import World
from rotator.reconcile import Reconciler
from rotator.rest import Pace
from rotator.runner import Runner
from rotator.sandbox.arize_state import ArizeState
from rotator.secrets import Secret

DAY = timedelta(days=1)
#: Minutes after the last trouble at which somebody comes by. The fourth is after every grace period
#: and lease, the fifth after every ``min_interval`` that a rotation out of luck waits for. At
#: ``SILENT`` a key that nobody has used is given up for a stray, and what waited for that goes on.
SILENT = 1500
RESTING = (1, 11, 31, 75, 145, SILENT, SILENT + 145)
#: And every five minutes, for the better part of a day, where by the last look something is due.
PASSING = range(5, 480, 5)
#: Then nothing may be under way any more: a pause, a rotation, another one where that was out of
#: luck, and a grace.
CONVERGED = 240
MOMENTS = sorted({*RESTING, *PASSING})
PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(minutes=20)
#: What says, of a policy, when there is something to do.
_TELLING = {
    Event.POLICY_PLANNED: "next_at",
    Event.POLICY_FAILED: "retry_at",
    Event.POLICY_SKIPPED_LOCKED: "until",
}


@dataclass
class Subject:
    """A policy and what the simulation knows of it, which the program does not."""

    policy: object
    #: The key that it is about at the beginning.
    born: object
    #: It had an end then; the targets held it.
    born_bounded: bool = False
    delivered: bool = False
    broken_since: float | None = None
    demands: int = 0
    #: Since when every look that begins knows that nothing is to be begun.
    suspended_at: datetime | None = None
    #: When that was over.
    resumed_at: datetime = EPOCH
    #: The configuration has it not, for a while.
    absent: bool = False
    #: When somebody last wrote other rules.
    changed_at: datetime = EPOCH
    #: How often its former key was put back by hand.
    rollbacks: int = 0
    #: What people did to it behind the program's back.
    acts: list = field(default_factory=list)
    #: Targets that were seen to hold a key.
    filled: set = field(default_factory=set)
    #: They were told that only they can mend it.
    given_up: bool = False
    #: Why the last look at it asked for a person; or until when nothing is to be done.
    refused: str | None = None
    planned: datetime | None = EPOCH
    pause: timedelta = PAUSE


class Watched(Reconciler):
    """Counts by their codes what it decides, whatever comes of it."""

    def __init__(self, world, listings, decided, judge):
        super().__init__(world, listings)
        self._decided, self._judge = decided, judge

    async def reconcile(self, policy, **options):
        looked = await super().reconcile(policy, **options)
        self._decided[looked.step.reason.code] += 1
        return looked

    async def _act(self, s, step, **options):
        self._decided[step.reason.code] += 1
        if isinstance(step, Mint):
            self._decided[f"{step.reason.code} by {step.plan.strategy}"] += 1
            self._judge.minting(s, step)
        return await super()._act(s, step, **options)


@dataclass
class Process:
    actor: Actor
    world: World
    reconciler: Reconciler
    policies: list = field(default_factory=list)
    daemon: Daemon | None = None
    task: asyncio.Task | None = None
    stop: asyncio.Future | None = None

    async def ended(self, within=None):
        """Until it is done or dead."""
        both = {self.task, self.actor.death}
        await asyncio.wait(both, timeout=within, return_when=asyncio.FIRST_COMPLETED)


class Universe:
    """Everything there is. Made inside a running :class:`~sim_loop.VirtualLoop`.

    Args:
        random: The one source of chance.
        options: The provider's variant.
        choose: What goes wrong with a request; see :class:`~sim_network.Network`.
        excused: Answers whether a breach of S1 at this moment is nobody's fault but the world's.
        harsh: Whether there is such a moment.
    """

    def __init__(  # noqa: PLR0913 - all that a universe can differ in
        self,
        random,
        options,
        choose,
        *,
        excused=lambda _: False,
        harsh=False,
        trace=None,
        disks=0,
    ):
        #: Everybody draws from chance of his own, so that without one the others do as before.
        self._seed, self._born = random.getrandbits(64), Counter()
        self.arize = ArizeState(options, clock=now, random=Random(random.random()))
        self.shelf = Shelf()
        self.judge = Judge(self)
        self.network = Network(choose, trace=trace, before=self.judge.look, after=self.judge.check)
        self.subjects = []
        #: How often each step was decided, and what people did.
        self.decided, self.done = Counter(), Counter()
        self.actors = []
        self.processes = []
        #: Those of the machines; none where nobody wants a spool.
        self.disks = [Disk() for _ in range(disks)]
        #: What was still on them at the very end.
        self.disks_left = []
        #: Keys that are not ours; and those that are, once a rotation has begun from them.
        self.bystanders, self.unclaimed = [], []
        #: What people have refreshed, by the id of what came of it.
        self.successors = {}
        self.excused, self.harsh = excused, harsh
        #: Who looks on.
        self.listeners, self.around = [], lambda world: world
        #: Ids of keys that people revoked.
        self.revoked = set()
        self.shelf.journals = _Journals(self.judge)

    # --- what there is to look after ---

    def add(self, policy, born, *, delivered):
        suspended_at = EPOCH - LONGEST_LOOK if policy.suspend else None
        subject = Subject(policy, born, suspended_at=suspended_at)
        subject.born_bounded = born is not None and born.expires_at is not None
        subject.delivered = delivered
        self.subjects.append(subject)
        if delivered:
            for target in policy.targets:
                self.shelf.put(target.path, sibling="theirs", **{target.field: born.raw})

    def add_management(self):
        """The key that everybody works with is one of those that are rotated."""
        born = self.arize.find(self.arize.management_key_id)
        born.created_at = EPOCH - timedelta(days=30)
        policy = Policy(
            name="management",
            selector=Selector(id=born.id),
            targets=(Target("apps/management", "api_key"),),
            grace=timedelta(hours=1),
            max_age=timedelta(days=30),
        )
        self.add(policy, born, delivered=True)

    async def rest(self, since=0):
        """Passes of new processes, until all grace periods and pauses are over.

        ``since``: those of the first minutes are left out, where somebody has just come by.
        """
        begun = asyncio.get_running_loop().elapsed
        for minutes in (one for one in MOMENTS if one >= since):
            at = begun + 60 * minutes
            if minutes in RESTING:
                # People may have been at it since the last look.
                await reach(at)
            policies = self._worth_a_look(minutes, EPOCH + timedelta(seconds=at))
            if policies:
                await reach(at)
                await self.come_by(policies)
                self.check()
            if minutes == CONVERGED and not since:
                self.judge.assert_converged()

    async def clean_disks(self):
        """Somebody comes by on every machine: nothing may lie there after that."""
        for disk in list(self.disks):
            self.disks = [disk]
            await self.come_by()
            self.disks_left += disk.entries.values()

    def _worth_a_look(self, minutes, at):
        """All at first and at last; in between those for which something may be due ``at`` then."""
        if minutes in {RESTING[0], SILENT}:
            return self.policies
        # A policy that can only fail is in nobody's way any more.
        hopeful = (one for one in self.subjects if one.born is not None)
        # Of the others too: a request that somebody slept over may be carried out after a look.
        resting = minutes in RESTING
        return [
            one.policy
            for one in hopeful
            if (one.planned is not None and one.planned <= at)
            or (resting and not self._is_calm(one))
        ]

    async def come_by(self, policies=None, **options):
        """A pass, and what came of it: to whom was said that a person is needed."""
        process = self.once(policies or self.policies, **options)
        await process.ended(900)
        failed, ahead = {}, {}
        for _, event, _, fields in process.actor.events:
            if event == Event.POLICY_FAILED:
                failed[fields["policy"]] = fields["error_code"]
            if event in _TELLING:
                ahead[fields["policy"]] = fields[_TELLING[event]]
        for subject in self.subjects:
            if subject.policy in process.policies:
                name = subject.policy.name
                again = subject.refused is not None and subject.refused == failed.get(name)
                subject.refused, subject.planned = failed.get(name), ahead.get(name, now())
                subject.pause = min(2 * subject.pause, LONGEST_PAUSE) if again else PAUSE
                if subject.planned is None and subject.refused:
                    # Whoever is called every few minutes tries again; not all of that is played.
                    subject.planned = now() + subject.pause
        return failed

    def _is_calm(self, subject):
        """Whether nothing will ever be due that is not due now."""
        journal = self.shelf.journal(subject.policy.name)
        todo = journal.rotation, journal.retiring, journal.doubted, journal.notices
        todo += (journal.current is not None and journal.current.put_back,)
        soon = subject.planned is not None and subject.planned < now() + 2 * DAY
        return not (soon or any(todo) or subject.acts or subject.refused)

    def check(self):
        self.judge.check()

    def settled(self):
        self.judge.settled()

    def assert_at_rest(self):
        self.judge.assert_at_rest()

    def change(self, subject, *, absent=False, **rules):
        """Somebody writes other rules into the configuration, or leaves the policy out of it.

        Daemons hear of it at once, others when they begin.
        """
        was_suspended = subject.policy.suspend
        subject.policy = replace(subject.policy, **rules)
        subject.absent = absent
        if was_suspended and not subject.policy.suspend:
            subject.resumed_at = now()
        subject.suspended_at = now() if subject.policy.suspend else None
        subject.changed_at = now()
        for process in self.processes:
            if process.daemon and not (process.actor.dead or process.task.done()):
                process.world.hooks.update(self._hooks(process.actor))
                process.daemon.configure(self.policies)

    def is_passing(self):
        """Whether somebody is at a pass, or at something by hand, with what was configured then."""
        passing = (one for one in self.processes if one.daemon is None and one.task is not None)
        return any(not (one.task.done() or one.actor.dead) for one in passing)

    @property
    def policies(self):
        return [subject.policy for subject in self.subjects if not subject.absent]

    # --- processes ---

    def process(self, kind):
        chance = Random(f"{self._seed} {kind}-{self._born[kind]}")
        name = f"{kind}-{self._born[kind]}"
        self._born[kind] += 1
        actor = Actor(name, random=chance, skew=SKEW * chance.uniform(-1, 1))
        self.actors.append(actor)
        world = World(
            issuer=SimIssuer(
                actor, self.network, self.arize, self._management, self.judge.revoking
            ),
            store=SimStore(actor, self.network, self.shelf, self.judge.delivering),
            clock=SimClock(actor),
            emit=Voice(actor, self.listeners),
            limits=LIMITS,
            me=actor.name,
            new_id=lambda: f"{chance.getrandbits(64):016x}",
            jitter=chance.random,
            hooks=self._hooks(actor),
            neighbours=lambda: [subject.policy for subject in self.subjects],
            **self._spool(actor),
        )
        world = self.around(world)
        listings = Listings(world.issuer, world.clock)
        process = Process(actor, world, Watched(world, listings, self.decided, self.judge))
        self.processes.append(process)
        return process

    def _hooks(self, actor):
        hook = SimHook(actor, self.network, self.judge.was_heard)
        return {policy.name: dict.fromkeys(policy.hooks, hook) for policy in self.policies}

    def _spool(self, actor):
        if not self.disks:
            return {}
        disk = actor.random.choice(self.disks)
        return {"spool": SimSpool(actor, self.network, disk)}

    def daemon(self, kind="daemon"):
        process = self.process(kind)
        process.daemon = Daemon(
            process.world,
            process.reconciler,
            self.policies,
            SimAgenda(process.actor),
            concurrency=8,
            # As with very many: one policy at a time is looked at in any case.
            pace=Pace(timedelta(minutes=5), timedelta(days=1), fewest=1),
        )
        process.stop = asyncio.get_running_loop().create_future()
        process.task = asyncio.create_task(process.daemon.run(process.stop))
        return process

    def once(self, policies, *, demanded=False, kind="cron"):
        process = self.process(kind)
        process.policies = policies
        runner = Runner(process.world, process.reconciler, concurrency=8)
        process.task = asyncio.create_task(
            runner.once(policies, demanded=demanded, patience=timedelta(minutes=1))
        )
        return process

    def _management(self):
        """The management key as people configure it: by the place where it is kept up to date."""
        for subject in self.subjects:
            if subject.policy.name == "management":
                return Secret(self.shelf.value(subject.policy.targets[0]))
        return Secret(self.arize.management_key)


class _Journals(dict):
    """Tells of every new rotation, and of every new record."""

    def __init__(self, judge):
        super().__init__()
        self._judge = judge

    def __setitem__(self, name, entry):
        before = self.get(name)
        known = len(before[1].history) if before else 0
        super().__setitem__(name, entry)
        journal = entry[1]
        if journal.rotation is not None:
            self._judge.begun(journal.rotation, before[1] if before else Journal())
        if len(journal.history) > known:
            self._judge.recorded(name, journal)
