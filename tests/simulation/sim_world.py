"""An account, a store, policies and processes; and what must be true of them all the time."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

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
    shown,
)
from sim_spool import Disk, SimSpool

from rotator.daemon import Daemon
from rotator.events import Event
from rotator.journal import Journal
from rotator.listings import Listings
from rotator.model import Limits, Policy, Selector, Target
from rotator.ports import World
from rotator.reconcile import Reconciler
from rotator.runner import Runner
from rotator.sandbox.arize_state import ArizeState
from rotator.secrets import Secret

LIMITS, DAY = Limits(), timedelta(days=1)
#: Minutes after the last trouble at which somebody comes by. The fourth is after every grace period
#: and lease, the sixth after every ``min_interval`` that a rotation out of luck waits for, the last
#: when a key that nobody has used is given up for a stray.
RESTING = (1, 11, 31, 70, 75, 140, 145, 1500)
#: And every so many minutes, for the better part of a day, where somebody waits for a window.
PASSING = range(5, 480, 5)
SKEW = timedelta(seconds=1)
LONGEST_LOOK = timedelta(minutes=15)
#: No later than this after the last moment that a window may be waited for, somebody comes by.
LATEST = timedelta(minutes=10)


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass
class Subject:
    """A policy and what the simulation knows of it, which the program does not."""

    policy: object
    #: The key that it is about at the beginning.
    born: object
    broken_since: float | None = None
    demands: int = 0
    #: Since when every look that begins knows that nothing is to be begun.
    suspended_at: datetime | None = None
    #: The configuration has it not, for a while.
    absent: bool = False
    #: When somebody last wrote other rules.
    changed_at: datetime = EPOCH
    #: How often its former key was put back by hand.
    rollbacks: int = 0


@dataclass
class Process:
    actor: Actor
    world: World
    reconciler: Reconciler
    task: asyncio.Task | None = None
    stop: asyncio.Future | None = None
    daemon: Daemon | None = None

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
    """

    def __init__(  # noqa: PLR0913 - all that a universe can differ in
        self, random, options, choose, *, excused=lambda _: False, trace=None, disks=0
    ):
        self.random = random
        self.arize = ArizeState(options, clock=now, random=Random(random.random()))
        self.shelf = Shelf()
        self.network = Network(random, choose, trace=trace, after=self.check)
        self.subjects = []
        self.actors = []
        self.processes = []
        #: Those of the machines; none where nobody wants a spool.
        self.disks = [Disk() for _ in range(disks)]
        self.bystanders = []
        self.excused = excused
        self.breaches = 0
        self.violations = []
        #: Who looks on.
        self.listeners, self.around = [], lambda world: world
        #: By redacted key: when it was minted, and the expiry it was given then.
        self.births = {}
        #: Ids of the news that hooks have heard.
        self.heard = set()
        self._born = []
        self._unsettled = True
        self.shelf.journals = _Journals(self._recorded)

    # --- what there is to look after ---

    def add(self, policy, born, *, delivered):
        self.subjects.append(
            Subject(policy, born, suspended_at=EPOCH - LONGEST_LOOK if policy.suspend else None)
        )
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

    async def rest(self):
        """Passes of new processes, until all grace periods and pauses are over."""
        begun = asyncio.get_running_loop().time()
        for minutes in sorted({*RESTING, *PASSING}):
            if minutes in RESTING or any(map(self._is_waiting, self.policies)):
                await asyncio.sleep(begun + 60 * minutes - asyncio.get_running_loop().time())
                await self.once(self.policies).ended(900)
                self.check()

    def _is_waiting(self, policy):
        """Whether it may still wait for a window, or for its share of the jitter."""
        _, journal = self.shelf.journals.get(policy.name, (0, Journal()))
        current = journal.current
        lives = current and (current.expires_at is None or current.expires_at > now() + 2 * DAY)
        return bool(policy.windows or policy.jitter) and not lives

    def settled(self):
        """What there is from here on is minted, not given."""
        self.check()
        self._unsettled = False

    def change(self, subject, *, absent=False, **rules):
        """Somebody writes other rules into the configuration, or leaves the policy out of it.

        Daemons hear of it at once, others when they begin.
        """
        subject.policy = replace(subject.policy, **rules)
        subject.absent = absent
        subject.changed_at = now()
        subject.suspended_at = now() if subject.policy.suspend else None
        for process in self.processes:
            if process.daemon and not (process.actor.dead or process.task.done()):
                process.world.hooks.update(self._hooks(process.actor))
                process.daemon.configure(self.policies)

    @property
    def policies(self):
        return [subject.policy for subject in self.subjects if not subject.absent]

    # --- processes ---

    def process(self, kind):
        actor = Actor(f"{kind}-{len(self.actors)}", skew=SKEW * self.random.uniform(-1, 1))
        self.actors.append(actor)
        world = World(
            issuer=SimIssuer(actor, self.network, self.arize, self._management),
            store=SimStore(actor, self.network, self.shelf),
            clock=SimClock(actor),
            emit=Voice(actor, self.listeners),
            limits=LIMITS,
            me=actor.name,
            new_id=lambda: f"{self.random.getrandbits(64):016x}",
            jitter=self.random.random,
            hooks=self._hooks(actor),
            **self._spool(actor),
        )
        world = self.around(world)
        listings = Listings(world.issuer, world.clock)
        process = Process(actor, world, Reconciler(world, listings))
        self.processes.append(process)
        return process

    def _hooks(self, actor):
        return {
            policy.name: {hook: SimHook(actor, self.network, self._heard) for hook in policy.hooks}
            for policy in self.policies
        }

    def _spool(self, actor):
        if not self.disks:
            return {}
        disk = self.random.choice(self.disks)
        return {"spool": SimSpool(actor, self.network, disk)}

    def daemon(self):
        process = self.process("daemon")
        process.daemon = Daemon(
            process.world,
            process.reconciler,
            self.policies,
            SimAgenda(process.actor),
            concurrency=8,
            relist=timedelta(minutes=5),
        )
        process.stop = asyncio.get_running_loop().create_future()
        process.task = asyncio.create_task(process.daemon.run(process.stop))
        return process

    def once(self, policies, *, demanded=False, kind="cron"):
        process = self.process(kind)
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

    # --- what must be true ---

    def check(self):
        """S1, after and before every event."""
        self._notice_births()
        at = asyncio.get_running_loop().time()
        for subject in self.subjects:
            if subject.born is None:
                continue
            values = [self.shelf.value(target) for target in subject.policy.targets]
            if all(value is None for value in values):
                continue
            if all(value is None or self.arize.accepts(value) for value in values):
                subject.broken_since = None
            elif subject.broken_since is None:
                subject.broken_since = at
                self.breaches += 1
                if not (self.excused(subject) or self._is_cut(subject) or self._ran_out(subject)):
                    self._violated(f"S1: what the store holds for {subject.policy.name} is dead")

    def _is_cut(self, subject):
        """Whether the provider ends a grace with a second refresh, and nothing else was left."""
        _, journal = self.shelf.journals.get(subject.policy.name, (0, Journal()))
        rotations = filter(None, (journal.rotation, *journal.doubted))
        tries = [mint.strategy for rotation in rotations for mint in rotation.mints]
        return self.arize.options.second_refresh_cuts_window and tries.count("refresh") > 1

    def _ran_out(self, subject):
        """Whether a key that was put back has ended, and nobody could replace it in time.

        Nobody came by in its second half, was allowed to, or had no trouble there.
        """
        _, journal = self.shelf.journals.get(subject.policy.name, (0, Journal()))
        back = journal.current.put_back if journal.current else None
        if back is None or now() < back.ends_at - SKEW:
            return False
        halfway = back.at + (back.ends_at - back.at) / 2
        looks = self.shelf.looks.get(subject.policy.name, ())
        looked = any(halfway + SKEW <= at < back.ends_at for at in looks)
        troubled_at = EPOCH + timedelta(seconds=self.network.troubled_at)
        hindered = subject.suspended_at is not None or subject.changed_at > halfway
        return not looked or troubled_at > halfway or hindered

    def _violated(self, words):
        """Remembered, because the program takes what is raised here for a fault of its own."""
        self.violations.append(words)
        raise Violation(words)

    def _recorded(self, name, journal):
        """S3, at every record: a trigger there was, and no other rotation for it."""
        subject = next(s for s in self.subjects if s.policy.name == name)
        done = [record for record in journal.history if record.outcome != "failed"]
        back = next((at for at, one in enumerate(done) if one.outcome == "rolled_back"), None)
        latest = done[:back]
        if len({(one.old_key_id, one.old_redacted) for one in latest}) < len(latest):
            self._violated(f"S3: a key of {name} was rotated twice")
        demanded = sum(record.reason == "rotation_was_demanded" for record in done)
        if demanded > subject.demands:
            self._violated(f"S3: {name} was rotated by hand more often than asked")
        record = journal.history[0]
        if record.outcome == "rolled_back":
            if sum(one.outcome == "rolled_back" for one in done) > subject.rollbacks:
                self._violated(f"S3: the former key of {name} was put back, and nobody asked")
            return
        if record.reason in _DRIFT:
            return
        before = next((one for one in journal.history[1:] if one.outcome != "failed"), None)
        if record.reason == "key_near_expiry" and before and before.outcome == "rolled_back":
            self._assert_half_was_over(name, record, before)
            return
        if record.reason != "rotation_was_demanded" and not self._was_due(subject, record):
            self._violated(f"S3: {name} was rotated for {record.reason}, and was not due")
        if record.reason != "rotation_was_demanded":
            self._assert_in_its_time(subject, record)

    def _assert_in_its_time(self, subject, record):
        """S2: a rotation waits for its window, and not too long."""
        policy, started = subject.policy, record.started_at
        if subject.suspended_at is not None and started > subject.suspended_at + LONGEST_LOOK:
            self._violated(f"{policy.name} was rotated while it was suspended")
        _, expires_at = self.births[record.old_redacted]
        if expires_at is None:
            return
        deadline = expires_at - policy.grace
        late = started > max(deadline, expires_at - policy.before_expiry) + LATEST
        if late and not self.excused(subject):
            self._violated(f"S2: {policy.name} was rotated only at {started}")
        openings = [each.opening(started - SKEW) for each in policy.windows]
        is_open = any(opens <= started + SKEW for opens, _ in openings)
        if not is_open and any(closes + SKEW <= deadline for _, closes in openings):
            self._violated(f"S2: {policy.name} was rotated outside of its windows")

    def _heard(self, news):
        """A hook was told: of a rotation that is recorded, or of nothing that ever was."""
        journal = self.shelf.journals[news.policy][1]
        done = [one.rotation for one in journal.history if one.outcome != "failed"]
        if news.facts["rotation_id"] not in done:
            raise Violation(f"a hook of {news.policy} was told of {news.id}, which is not done")
        self.heard.add(news.id)

    def _assert_half_was_over(self, name, record, rollback):
        """A key that was put back lasts for half of what it had left, and is replaced in time."""
        due_at = rollback.finished_at + (rollback.expires_at - rollback.finished_at) / 2
        if record.started_at < due_at - 2 * SKEW:
            self._violated(f"S3: {name} was rotated again as soon as its key was put back")

    def _was_due(self, subject, record):
        """By what the provider knows, not by what the journal says."""
        policy, latest = subject.policy, record.started_at + 2 * SKEW
        minted_at, expires_at = self.births[record.old_redacted]
        if record.reason == "key_near_expiry":
            margin = policy.before_expiry or 2 * max(policy.grace, LIMITS.retry_budget)
            return expires_at is not None and expires_at - margin <= latest
        return minted_at + policy.max_age <= latest

    def _notice_births(self):
        for key in self.arize.keys[len(self._born) :]:
            self._born.append(key.raw)
            minted_at = key.created_at if self._unsettled else now()
            self.births[key.redacted] = (minted_at, key.expires_at)

    # --- at the end ---

    def assert_at_rest(self):
        """Everything has converged, no key is left behind, and nothing was ever shown."""
        if self.violations:
            raise Violation(self.violations[0])
        for subject in self.subjects:
            if subject.born is not None:
                self._assert_rested(subject)
        self._assert_jitter_drawn_once()
        for key in self.bystanders:
            if key.revoked:
                raise Violation(f"S4: {key.id}, which was never ours, is revoked")
        self._assert_nothing_shown()

    def _assert_rested(self, subject):
        name = subject.policy.name
        journal = self.shelf.journals[name][1]
        if journal.rotation is not None or journal.retiring:
            raise Violation(f"liveness: {name} has not come to rest: {shown(journal)}")
        self._assert_told(subject.policy, journal)
        ours = {key.id for key in self.bystanders}
        alive = [
            key
            for key in self.arize.keys
            if key.name == subject.born.name and key.usable(now()) and key.id not in ours
        ]
        values = {self.shelf.value(target) for target in subject.policy.targets} - {None}
        if values and [key.raw for key in alive] != list(values):
            raise Violation(f"S4: keys of {name} are left: {[key.redacted for key in alive]}")
        for key in alive:
            same = (key.type, key.description, key.bindings, key.creator)
            if same != tuple(getattr(subject.born, part) for part in _PRIVILEGES):
                raise Violation(f"S6: {key.redacted} of {name} has other privileges")

    def _assert_told(self, policy, journal):
        if journal.notices:
            raise Violation(f"liveness: hooks of {policy.name} wait: {shown(journal)}")
        done = [one.rotation for one in journal.history if one.outcome != "failed"]
        missed = {f"{one}:{hook}" for one in done for hook in policy.hooks} - self.heard
        if missed:
            raise Violation(f"hooks of {policy.name} never heard of {sorted(missed)}")
        if any(event == Event.NOTIFY_GIVEN_UP for a in self.actors for _, event, _, _ in a.events):
            raise Violation("a hook was given up within a day")

    def _assert_jitter_drawn_once(self):
        """Whoever says when a key is due for its expiry says the same moment, whenever he looks."""
        spread = [one.policy for one in self.subjects if one.policy.jitter]
        for policy in (one for one in spread if not one.windows):
            said = {}
            for _, event, _, fields in (told for actor in self.actors for told in actor.events):
                planned = event == Event.POLICY_PLANNED and fields["policy"] == policy.name
                if planned and fields["reason"] == "key_near_expiry":
                    said.setdefault(fields["redacted_key"], set()).add(fields["next_at"])
            if any(len(moments) > 1 for moments in said.values()):
                raise Violation(f"jitter of {policy.name} was drawn again: {said}")

    def _assert_nothing_shown(self):
        said = [shown(journal) for _, journal in self.shelf.journals.values()]
        said += [shown(event) for actor in self.actors for event in actor.events]
        text = "\n".join(said)
        for raw in self._born:
            if raw[8:-5] in text:
                raise Violation(f"S5: {raw[:6]} was shown")


_DRIFT = {"store_holds_another_key", "key_was_refreshed_elsewhere", "store_holds_unknown_key"}
_PRIVILEGES = ("type", "description", "bindings", "creator")


class _Journals(dict):
    """Tells of every new record."""

    def __init__(self, recorded):
        super().__init__()
        self._recorded = recorded

    def __setitem__(self, name, entry):
        before = self.get(name)
        known = len(before[1].history) if before else 0
        super().__setitem__(name, entry)
        if len(entry[1].history) > known:
            self._recorded(name, entry[1])
