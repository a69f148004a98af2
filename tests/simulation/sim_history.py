"""A history from a seed: who is there, what goes wrong, and when the world calms down."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import sim_loop
from sim_network import FAULTS, Fault
from sim_services import EPOCH, Every
from sim_world import Universe

from rotator.by_hand import ByHand
from rotator.errors import RotatorError
from rotator.keys import LegacyBindings
from rotator.model import Choice, Policy, Selector, Target
from rotator.sandbox.arize_model import ArizeOptions
from rotator.sandbox.arize_state import SPACE

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
GRACE = HOUR
#: All triggers fall into the first minutes of a history, and so does the trouble.
DUE = 60.0


@dataclass
class Outcome:
    """How a history went."""

    seed: int
    violation: str | None = None
    trace: list = field(default_factory=list)
    faults: dict = field(default_factory=dict)
    events: dict = field(default_factory=dict)
    reasons: dict = field(default_factory=dict)
    requests: int = 0
    breaches: int = 0


def play(seed, *, traced=False, limit=None):
    """The history of ``seed``; with ``limit``, only its first faults happen."""
    history = History(seed, traced=traced, limit=limit)
    outcome = Outcome(seed)
    try:
        sim_loop.run(history.run())
    except Exception as error:  # noqa: BLE001 - whatever it was, the seed must be told
        outcome.violation = f"{type(error).__name__}: {error}"
    history.tell(outcome)
    return outcome


async def _outcome(work):
    try:
        await work
    except RotatorError as error:
        return error.code
    return "put back"


class History:
    """Draws everything from the seed, so that the same seed is the same history."""

    def __init__(self, seed, *, traced=False, limit=None):
        self._random = Random(seed)
        self._limit = limit
        self._happened = 0
        self.trace = [] if traced else None
        draw = self._random
        self._rate = draw.choice((0.0, 0.01, 0.03, 0.08, 0.2))
        #: Trouble that can outlast a grace period excuses a breach while it lasts.
        self._harsh = draw.random() < 0.1
        self._calm_at = DUE + (draw.uniform(3600, 9000) if self._harsh else draw.uniform(60, 1500))
        self._outages = self._draw_outages()
        self.universe = None
        self.rollbacks = Counter()

    def _draw_outages(self):
        """(service, from, to, kind): a service that fails for a while, whoever asks."""
        draw, outages = self._random, []
        for _ in range(draw.choice((0, 0, 0, 1, 1, 2))):
            begin = draw.uniform(DUE - 20, self._calm_at)
            length = draw.expovariate(1 / 120)
            kind = draw.choice((Fault.REFUSED, Fault.DROPPED, Fault.DENIED, Fault.UNAUTHENTICATED))
            service = draw.choice(("provider", "store"))
            outages.append((service, begin, min(begin + length, self._calm_at), kind))
        return outages

    # --- the play ---

    async def run(self):
        draw = self._random
        options = ArizeOptions(
            era=draw.choice("ABC"),
            refresh_keeps_id=draw.random() < 0.5,
            second_refresh_cuts_window=draw.random() < 0.5,
            max_lifetime=90 * DAY if draw.random() < 0.3 else None,
        )
        world = self.universe = Universe(
            draw,
            options,
            self._choose,
            excused=lambda _: self._harsh,
            trace=self.trace,
            disks=draw.choice((0, 1, 2)),
        )
        world.network.queue = lambda: draw.uniform(1, 60) if draw.random() < 0.1 else 0
        for at in range(draw.choice((1, 1, 2))):
            self._add_policy(f"p{at}", options)
        if draw.random() < 0.2:
            self._add_paced("paced")
        if draw.random() < 0.1:
            world.add_management()
        if draw.random() < 0.1:
            self._add_hopeless()
        world.settled()
        self._cast()
        await self._until(self._calm_at)
        for subject in world.subjects:
            world.change(subject, suspend=False)
        for process in world.processes:
            if process.actor.dead and not process.task.done():
                process.task.cancel()
        await world.rest()
        world.assert_at_rest()

    def _cast(self):
        """Processes and people. At least one process comes by every few minutes."""
        draw, world = self._random, self.universe
        for _ in range(draw.choice((0, 1, 1, 2, 3))):
            self._task(self._keep_daemon())
        self._task(self._keep_cron(draw.uniform(100, 300)))
        for subject in world.subjects:
            if subject.born is not None and draw.random() < 0.15:
                self._task(self._demand(subject))
        if draw.random() < 0.3:
            self._task(self._meddle())
        if draw.random() < 0.2:
            self._task(self._configure(draw.choice(world.subjects)))
        for subject in world.subjects:
            if subject.born is not None and draw.random() < 0.15:
                self._task(self._roll_back(subject))

    def _task(self, work):
        # Held by the loop's own bookkeeping for as long as it matters: the history.
        self._tasks = [*getattr(self, "_tasks", ()), asyncio.create_task(work)]

    async def _until(self, moment):
        await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))

    @property
    def _calm(self):
        return asyncio.get_running_loop().time() >= self._calm_at

    # --- actors ---

    async def _keep_daemon(self):
        draw = self._random
        await asyncio.sleep(draw.uniform(0, DUE))
        while not self._calm:
            process = self.universe.daemon()
            left = self._calm_at - asyncio.get_running_loop().time()
            lives = min(draw.expovariate(1 / 1500), left)
            await asyncio.wait({process.actor.death}, timeout=lives)
            if not process.actor.dead:
                # SIGTERM, and SIGKILL after a grace period that is long or short.
                if not process.stop.done():
                    process.stop.set_result("SIGTERM")
                await asyncio.wait({process.task}, timeout=draw.choice((1, 30, 3600)))
                process.actor.kill()
            await asyncio.sleep(draw.uniform(1, 60))

    async def _keep_cron(self, period):
        await asyncio.sleep(self._random.uniform(0, DUE))
        while not self._calm:
            self.universe.once(self.universe.policies)
            await asyncio.sleep(period)

    async def _demand(self, subject):
        await asyncio.sleep(self._random.uniform(1, self._calm_at))
        if subject.absent:
            return
        subject.demands += 1
        self.universe.once([subject.policy], demanded=True, kind="manual")

    async def _configure(self, subject):
        """Somebody suspends a policy, or takes it out of the configuration, for a while."""
        draw, world = self._random, self.universe
        await asyncio.sleep(draw.uniform(1, self._calm_at))
        rules = draw.choice(({"suspend": True}, {"absent": True}))
        if not self._calm:
            world.change(subject, **rules)
        await asyncio.sleep(draw.uniform(1, 600))
        if not self._calm:
            world.change(subject, suspend=False)

    async def _roll_back(self, subject):
        """Somebody wants the former key back, perhaps when there is none."""
        draw, world = self._random, self.universe
        for _ in range(draw.randint(1, 2)):
            await asyncio.sleep(draw.uniform(1, self._calm_at))
            process = world.process("hand")
            hand = ByHand(process.world, process.reconciler)
            subject.rollbacks += 1
            process.task = asyncio.create_task(_outcome(hand.roll_back(subject.policy)))
            await process.ended()
            self.rollbacks[process.task.result() if process.task.done() else "killed"] += 1

    async def _meddle(self):
        """Somebody with rights of their own, who leaves our fields alone."""
        draw, world = self._random, self.universe
        for _ in range(draw.randint(1, 4)):
            await asyncio.sleep(draw.uniform(1, self._calm_at / 3))
            subject = draw.choice([one for one in world.subjects if one.born is not None])
            target = draw.choice(subject.policy.targets)
            world.shelf.put(target.path, sibling=f"{draw.random()}")

    # --- what there is ---

    def _add_policy(self, name, options):
        draw, world = self._random, self.universe
        service = draw.random() < 0.3
        bounded = draw.random() < 0.6
        due_at = EPOCH + timedelta(seconds=DUE + draw.uniform(-30, 200))
        lifetime = draw.choice((30, 60, 89)) * DAY
        expires_at = due_at + 7 * DAY if bounded else None
        created_at = due_at + 7 * DAY - lifetime if bounded else due_at - 30 * DAY
        seed = world.arize.seed_service_key if service else world.arize.seed_user_key
        key_id, _ = seed(name, created_at=created_at, expires_at=expires_at)
        born = world.arize.find(key_id)
        by_age = not bounded or draw.random() < 0.2
        policy = Policy(
            name=name,
            selector=self._selector(born, service),
            targets=tuple(
                Target(f"apps/{name}/{at}", "api_key", metadata={"key_id": "arize_key_id"})
                for at in range(draw.choice((1, 1, 2)))
            ),
            grace=GRACE,
            before_expiry=7 * DAY if bounded else None,
            max_age=30 * DAY if by_age else None,
            lifetime=draw.choice((None, None, 60 * DAY)),
            strategy=self._strategy(bounded, options),
            bindings=self._bindings(born, service),
            hooks=draw.choice(((), ("web",), ("web", "reload"))),
            suspend=draw.random() < 0.1,
        )
        world.add(policy, born, delivered=draw.random() < 0.9)
        if draw.random() < 0.2 and policy.selector.id:
            other_id, _ = seed(name, created_at=created_at, expires_at=expires_at)
            world.bystanders.append(world.arize.find(other_id))

    def _selector(self, born, service):
        draw = self._random
        where = {"space_id": SPACE} if service and draw.random() < 0.5 else {}
        if service and not where:
            where = {"type": born.type}
        if draw.random() < 0.6:
            return Selector(id=born.id, **where)
        return Selector(name=born.name, **where)

    def _strategy(self, bounded, options):
        """A refresh cannot extend a life in era C: who insists on it there loses the key."""
        choices = [Choice.AUTO, Choice.AUTO, Choice.REISSUE]
        if not bounded or options.era != "C":
            choices.append(Choice.REFRESH)
        return self._random.choice(choices)

    def _bindings(self, born, service):
        legacy = isinstance(born.bindings, LegacyBindings)
        return born.bindings if service and (legacy or self._random.random() < 0.5) else None

    def _add_paced(self, name):
        """A policy whose key would die within hours, and that waits for its windows."""
        draw, world = self._random, self.universe
        due_at = EPOCH + timedelta(seconds=DUE + draw.uniform(-30, 600))
        margin = HOUR * draw.uniform(3, 7)
        key_id, _ = world.arize.seed_user_key(
            name, created_at=due_at - 30 * DAY, expires_at=due_at + margin
        )
        born = world.arize.find(key_id)
        policy = Policy(
            name=name,
            selector=Selector(id=born.id) if draw.random() < 0.6 else Selector(name=name),
            targets=(Target(f"apps/{name}", "api_key"),),
            grace=GRACE,
            before_expiry=margin,
            strategy=draw.choice((Choice.AUTO, Choice.REISSUE)),
            windows=tuple(self._window() for _ in range(draw.choice((0, 1, 1, 2)))),
            jitter=draw.choice((timedelta(0), 10 * MINUTE, 4 * HOUR)),
            suspend=draw.random() < 0.1,
        )
        world.add(policy, born, delivered=True)

    def _window(self):
        """Open for at least as long as it takes until somebody comes by."""
        draw = self._random
        length = MINUTE * draw.uniform(6, 60)
        return Every(
            length + HOUR * draw.uniform(0.1, 4), length, EPOCH + HOUR * draw.uniform(0, 4)
        )

    def _add_hopeless(self):
        """A policy that can only fail, in nobody's way."""
        policy = Policy(
            name="hopeless",
            selector=Selector(id="QXBpS2V5OjA="),
            targets=(Target("apps/hopeless", "api_key"),),
            grace=GRACE,
            max_age=DAY,
        )
        self.universe.add(policy, None, delivered=False)

    # --- trouble ---

    def _choose(self, _, kind, __):
        at = asyncio.get_running_loop().time()
        if at >= self._calm_at:
            return None
        service = "provider" if kind in {"list", "mint", "revoke", "try"} else "store"
        for place, begin, end, fault in self._outages:
            if place == service and begin <= at < end:
                return fault
        if self._random.random() >= self._rate:
            return None
        if self._limit is not None and self._happened >= self._limit:
            return None
        self._happened += 1
        return self._random.choice(FAULTS[kind])

    # --- afterwards ---

    def tell(self, outcome):
        world = self.universe
        outcome.trace = self.trace or []
        outcome.faults = world.network.counts
        outcome.requests = world.network.requests
        outcome.breaches = world.breaches
        for actor in world.actors:
            for _, event, _, fields in actor.events:
                outcome.events[event] = outcome.events.get(event, 0) + 1
                reason = fields.get("error_code") or fields.get("reason")
                outcome.reasons[reason] = outcome.reasons.get(reason, 0) + 1
        outcome.reasons["former key put back"] = self.rollbacks["put back"]
