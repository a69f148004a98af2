"""A history from a seed: who is there, what goes wrong, and when the world calms down."""

import asyncio
from dataclasses import dataclass, field
from random import Random

import sim_loop
from sim_people import Meddler, consume, mend
from sim_policies import DAY, DUE, GRACE, add_hopeless, add_paced, add_policy
from sim_trouble import THEMES, Trouble
from sim_world import Universe

from rotator.by_hand import ByHand
from rotator.errors import RotatorError
from rotator.events import Event
from rotator.model import Target
from rotator.sandbox.arize_model import ArizeOptions

#: What histories differ in.
VARIANTS = (
    *(f"era {era}" for era in "ABC"),
    *(f"theme: {theme}" for theme in THEMES),
    "a refresh keeps the id",
    "a refresh gives a new id",
    "a second refresh cuts the window",
    "a greatest lifetime",
    "a spool",
    "keys of one name",
    "trouble beyond the grace",
    "keys are accepted late",
)


@dataclass
class Outcome:
    """How a history went. ``parts`` names everything that could be left out of it."""

    seed: int
    violation: str | None = None
    trace: list = field(default_factory=list)
    parts: list = field(default_factory=list)
    variants: list = field(default_factory=list)
    faults: dict = field(default_factory=dict)
    events: dict = field(default_factory=dict)
    decided: dict = field(default_factory=dict)
    done: dict = field(default_factory=dict)
    requests: int = 0
    breaches: int = 0


def play(seed, *, traced=False, without=frozenset()):
    """The history of ``seed``, without some of its parts."""
    history = History(seed, traced=traced, without=without)
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
    """Draws everything from the seed, so that the same seed is the same history.

    A negative seed is the history of the positive one, but with two policies whose keys share a
    name: what is hardest to tell apart, and rare.
    """

    def __init__(self, seed, *, traced=False, without=frozenset()):
        self._namesakes, seed = seed < 0, abs(seed)
        self._random = Random(seed)
        self._without = without
        self._trouble = Trouble(seed, without)
        #: The keys of all policies have one name.
        self._one_name = self._namesakes or Random(f"names of {seed}").random() < 0.1
        self._actors = []
        self._tasks = []
        self.trace = [] if traced else None
        self.universe = None
        self.variants = []

    # --- the play ---

    async def run(self):
        draw, trouble = self._random, self._trouble
        options = ArizeOptions(
            era=draw.choice("ABC"),
            refresh_keeps_id=draw.random() < 0.5,
            second_refresh_cuts_window=draw.random() < 0.5,
            max_lifetime=90 * DAY if draw.random() < 0.3 else None,
        )
        world = self.universe = Universe(
            Random(draw.random()),
            options,
            trouble.choose,
            excused=self._is_excused,
            harsh=trouble.harsh,
            trace=self.trace,
            disks=draw.choice((0, 1, 2)),
        )
        queue = Random(draw.random())
        world.network.queue = lambda: queue.uniform(1, 60) if queue.random() < 0.1 else 0
        world.network.spreads = draw.choice((0, 0, 0, 0, 3, 12))
        self._furnish()
        self._note_variants(options)
        world.settled()
        self._cast()
        await sim_loop.reach(trouble.calm_at)
        await self._calm_down()
        for subject in world.subjects:
            if subject.acts and (words := await mend(world, subject)):
                world.judge.violated(words)
        await world.clean_disks()
        world.assert_at_rest()

    async def _calm_down(self):
        world = self.universe
        world.network.spreads = 0
        for subject in world.subjects:
            world.change(subject, suspend=False)
        for process in world.processes:
            if process.actor.dead and not process.task.done():
                process.task.cancel()
        await world.rest()

    def _furnish(self):
        draw, world = self._random, self.universe
        for at in range(2 if self._namesakes else draw.choice((1, 1, 2))):
            add_policy(world, draw, f"p{at}", key_name="p" if self._one_name else None)
        if draw.random() < 0.1:
            add_paced(world, draw, "paced")
        if draw.random() < 0.1:
            world.add_management()
        if draw.random() < 0.1:
            add_hopeless(world, draw)

    def _cast(self):
        """Processes and people. At least one process comes by every few minutes."""
        draw, world = self._random, self.universe
        for number in range(draw.choice((0, 1, 1, 2, 3))):
            self._enter(f"daemon {number}", self._keep_daemon, f"daemon{number}")
        self._begin(self._keep_cron(Random(draw.random()), draw.uniform(120, 400)))
        # Whoever meddles with keys of one name is at several policies.
        drifting = draw.random() < 0.15 and not self._one_name
        for subject in (one for one in world.subjects if one.born is not None):
            name = subject.policy.name
            if draw.random() < 0.15:
                self._enter(f"demand {name}", self._demand, subject)
            if draw.random() < 0.2:
                self._enter(f"consumer {name}", self._consume, subject)
            if drifting and name != "management":
                self._enter(f"meddler {name}", self._drift, subject)
            if draw.random() < 0.15:
                self._enter(f"hand {name}", self._roll_back, subject)
        if draw.random() < 0.2:
            self._enter("operator", self._configure)
        if draw.random() < 0.3:
            self._enter("neighbour", self._write_beside)

    def _enter(self, name, role, *args):
        """Somebody who can be left out."""
        chance = Random(self._random.random())
        self._actors.append(name)
        if name not in self._without:
            self._begin(role(chance, *args))

    def _begin(self, work):
        self._tasks.append(asyncio.create_task(work))

    @property
    def _calm(self):
        return asyncio.get_running_loop().time() >= self._trouble.calm_at

    def _is_excused(self, _):
        """Whether there was trouble in a grace that ends now, and may have been in all of it."""
        at, grace = asyncio.get_running_loop().elapsed, GRACE.total_seconds()
        return self._trouble.is_harsh(at) and at < self.universe.network.troubled_at + grace

    # --- actors ---

    async def _keep_daemon(self, draw, kind):
        await asyncio.sleep(draw.uniform(0, DUE))
        while not self._calm:
            process = self.universe.daemon(kind)
            left = self._trouble.calm_at - asyncio.get_running_loop().time()
            lives = min(draw.expovariate(1 / 1500), left)
            await asyncio.wait({process.actor.death}, timeout=lives)
            if not process.actor.dead:
                # SIGTERM, and SIGKILL after a grace period that is long or short.
                if not process.stop.done():
                    process.stop.set_result("SIGTERM")
                await asyncio.wait({process.task}, timeout=draw.choice((1, 30, 3600)))
                how = "ended in time" if process.task.done() else "killed after its grace"
                self.universe.done[f"SIGTERM, {how}"] += 1
                if not process.task.done():
                    process.actor.kill()
            await asyncio.sleep(draw.uniform(1, 60))

    async def _keep_cron(self, draw, period):
        await asyncio.sleep(draw.uniform(0, DUE))
        while not self._calm:
            self.universe.once(self.universe.policies)
            # Trouble that lasts for hours needs no more visitors than a short one.
            await asyncio.sleep(period * (4 if self._trouble.harsh else 1))

    async def _demand(self, draw, subject):
        await asyncio.sleep(draw.uniform(1, self._trouble.calm_at))
        if subject.absent:
            return
        subject.demands += 1
        self.universe.done["demand"] += 1
        self.universe.once([subject.policy], demanded=True, kind="manual")

    async def _configure(self, draw):
        """Somebody suspends a policy, or takes it out of the configuration, for a while.

        Or adds a target to it, for good.
        """
        world = self.universe
        subject = draw.choice(world.subjects)
        await asyncio.sleep(draw.uniform(1, self._trouble.calm_at))
        more = Target(f"apps/{subject.policy.name}/more", "api_key")
        targets = (*subject.policy.targets, more)
        rules = draw.choice(({"suspend": True}, {"absent": True}, {"targets": targets}))
        for _ in range(60):
            # Who has read the former configuration leaves the new target as it is, be it a rotation
            # later: that is drift, and for a person, as it cannot be told from a rollback.
            if "targets" in rules and world.is_passing():
                await asyncio.sleep(60)
        if not self._calm:
            world.shelf.put(more.path, sibling="theirs")
            world.change(subject, **rules)
            world.done.update(dict.fromkeys(rules, 1))
        await asyncio.sleep(draw.uniform(1, 600))
        if not self._calm:
            world.change(subject, suspend=False)

    async def _consume(self, draw, subject):
        await consume(self.universe, subject, draw)

    async def _drift(self, draw, subject):
        meddler = Meddler(self.universe, draw)
        if draw.random() < 0.2:
            await meddler.give_up(subject)
            return
        for _ in range(draw.choice((1, 1, 1, 5))):
            await asyncio.sleep(draw.uniform(1, self._trouble.calm_at))
            if not self._calm or not subject.acts:
                await meddler.act(subject)

    async def _roll_back(self, draw, subject):
        """Somebody wants the former key back, perhaps when there is none."""
        world = self.universe
        for _ in range(draw.randint(1, 2)):
            await asyncio.sleep(draw.uniform(1, self._trouble.calm_at))
            process = world.process("hand")
            hand = ByHand(process.world, process.reconciler)
            subject.rollbacks += 1
            process.task = asyncio.create_task(_outcome(hand.roll_back(subject.policy)))
            await process.ended()
            world.done[process.task.result() if process.task.done() else "killed"] += 1

    async def _write_beside(self, draw):
        """Somebody with rights of their own, who leaves our fields alone."""
        world = self.universe
        for _ in range(draw.randint(1, 4)):
            await asyncio.sleep(draw.uniform(1, self._trouble.calm_at / 3))
            subject = draw.choice([one for one in world.subjects if one.born is not None])
            target = draw.choice(subject.policy.targets)
            world.shelf.put(target.path, sibling=f"{draw.random()}")

    # --- afterwards ---

    def _note_variants(self, options):
        trouble = self._trouble
        self.variants = [
            f"era {options.era}",
            "a refresh keeps the id" if options.refresh_keeps_id else "a refresh gives a new id",
            f"theme: {trouble.theme}",
            *(["a second refresh cuts the window"] if options.second_refresh_cuts_window else []),
            *(["a greatest lifetime"] if options.max_lifetime else []),
            *(["a spool"] if self.universe.disks else []),
            *(["keys of one name"] if self._one_name else []),
            *(["trouble beyond the grace"] if trouble.harsh else []),
            *(["keys are accepted late"] if self.universe.network.spreads else []),
        ]

    def tell(self, outcome):
        world = self.universe
        outcome.trace = self.trace or []
        outcome.parts = [*self._actors, *self._trouble.happened]
        outcome.variants = self.variants
        outcome.faults = world.network.counts
        outcome.requests = world.network.requests
        outcome.breaches = world.judge.breaches
        outcome.done, outcome.decided = world.done, world.decided
        world.done.update(act for subject in world.subjects for act in subject.acts)
        for _, event, _, fields in (told for actor in world.actors for told in actor.events):
            outcome.events[event] = outcome.events.get(event, 0) + 1
            if event == Event.SPOOLED_KEY_DESTROYED:
                world.decided[fields["reason"]] += fields["reason"] == "spooled_key_is_refused"
