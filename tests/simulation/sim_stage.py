"""One policy and one key, with faults by script: for tests that tell one story each."""

import asyncio
import functools
from datetime import timedelta
from random import Random

import sim_loop
from sim_services import EPOCH
from sim_world import Universe

from rotator.keys import KeyType
from rotator.model import Policy, Selector, Target
from rotator.sandbox.arize_model import ArizeOptions

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def virtual(test):
    """Run a coroutine test in virtual time."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        return sim_loop.run(test(*args, **kwargs))

    # pytest looks for fixtures in the signature, which is the test's, and for a coroutine, which
    # this is not.
    return run


class Stage:
    """A universe in which nothing goes wrong but by script.

    ``script`` holds (kind or beginning of a label, fault) pairs; each is used up by the first
    request that it fits.
    """

    def __init__(self, *, disks=0, traced=True, **options):
        self.script = []
        self.trace = [] if traced else None
        self.universe = Universe(
            Random(1), ArizeOptions(**options), self._choose, trace=self.trace, disks=disks
        )
        self.arize = self.universe.arize
        self.shelf = self.universe.shelf

    def _choose(self, _, kind, label):
        for entry in self.script:
            wanted, fault = entry
            if kind == wanted or label.startswith(wanted):
                self.script.remove(entry)
                return fault
        return None

    def add(self, name="ci", *, bounded=False, service=False, delivered=True, targets=1, **rules):
        """A policy whose key is due now: near its expiry, or at its greatest age.

        The key is named as the policy is, unless there is a ``key_name``.
        """
        born_at = EPOCH - 60 * DAY
        expires_at = EPOCH + 6 * DAY if bounded else None
        seed = self.arize.seed_service_key if service else self.arize.seed_user_key
        key_name = rules.pop("key_name", name)
        key_id, _ = seed(key_name, created_at=born_at, expires_at=expires_at)
        key = self.arize.find(key_id)
        policy = Policy(
            name=name,
            selector=rules.pop("selector", None)
            or Selector(id=key_id, type=KeyType.SERVICE if service else None),
            targets=tuple(Target(f"apps/{name}/{at}", "api_key") for at in range(targets)),
            grace=HOUR,
            before_expiry=7 * DAY if bounded else None,
            max_age=None if bounded else 30 * DAY,
            **rules,
        )
        self.universe.add(policy, key, delivered=delivered)
        self.universe.check()
        return policy

    # --- who comes by ---

    async def come_by(self, *, demanded=False):
        """A pass of a new process over all policies, to its end; answers its events."""
        process = self.begin(demanded=demanded)
        await process.ended()
        return said(process)

    def begin(self, *, demanded=False):
        for subject in self.universe.subjects:
            subject.demands += demanded
        self.universe.settled()
        return self.universe.once(self.universe.policies, demanded=demanded)

    async def pause(self, seconds):
        await asyncio.sleep(seconds)

    # --- what there is ---

    @property
    def disk(self):
        return self.universe.disks[0]

    def held(self, name="ci", at=0):
        return self.shelf.read(f"apps/{name}/{at}")[1].get("api_key")

    def journal(self, name="ci"):
        return self.shelf.journals[name][1]

    def alive(self, name="ci"):
        """The raw keys of this name that the provider accepts, the oldest first."""
        return [
            key.raw for key in self.arize.keys if key.name == name and self.arize.accepts(key.raw)
        ]

    def requests(self, kind=""):
        return [label for _, _, label, _ in self.trace if label.startswith(kind)]


def said(process):
    return [str(event) for _, event, _, _ in process.actor.events]


def fields(process, name):
    return next(fields for _, event, _, fields in process.actor.events if event == name)


async def until(happened):
    """Let the others go on until something has happened."""
    while not happened():  # noqa: ASYNC110 - a look costs nothing in virtual time
        await asyncio.sleep(0.01)
