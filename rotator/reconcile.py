"""Gather, decide, act, for one policy: the same door for a crash, a restart and another replica.

Each act looks before it does anything, and whatever it does is visible to the next gather. So
there is no code for recovery here, only snapshots that look like a crash.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rotator import transitions
from rotator.completion import Finisher
from rotator.decide import decide
from rotator.errors import Temporary
from rotator.gathering import Gatherer
from rotator.model import (
    Deliver,
    Destroy,
    Fail,
    Lock,
    Locked,
    Mint,
    Notify,
    Promote,
    Refuse,
    Restore,
    Retire,
    Snapshot,
    Wait,
)
from rotator.neighbours import ended_by, shared
from rotator.rotation import Rotator, save

if TYPE_CHECKING:
    from rotator.journal import Current, Journal
    from rotator.listings import Listings
    from rotator.model import Policy, Step
    from rotator.ports import World

#: More steps than any rotation has, so that a fault in the decisions cannot spin.
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Looked:
    """How a look at a policy ended: the last step decided, and what was done on the way.

    :class:`~rotator.model.Notify` is for the caller to act on: it takes its time, and no key needs
    it.
    """

    step: Wait | Locked | Refuse | Notify
    snapshot: Snapshot
    rotated: bool = False


@dataclass(slots=True)
class Demand:
    """A person wants a key replaced, once: the one that is current at the first look.

    Whoever records a rotation after that has met it, in however many looks, and whoever began it.
    """

    _before: Current | None = None
    _seen: bool = False

    def stands(self, journal: Journal) -> bool:
        """Whether nobody has met it yet; ``journal`` is the latest."""
        if not self._seen:
            self._before, self._seen = journal.current, True
        return journal.current == self._before


class Reconciler:
    """Looks after policies, one at a time for each; many may be looked after at once."""

    def __init__(self, world: World, listings: Listings) -> None:
        self._world = world
        self.gatherer = Gatherer(world, listings)
        self._rotator = Rotator(world, listings)
        self._finisher = Finisher(world)
        #: By policy: how often a new key was found in the store, even if the look ends by an error.
        self.promoted: Counter[str] = Counter()

    @property
    def undelivered(self) -> int:
        """How many keys are minted and not yet in the store, in this process."""
        return len(self._rotator.in_flight)

    async def drain(self) -> None:
        """Wait until no key is undelivered, however long that takes."""
        while self._rotator.in_flight:
            await asyncio.wait(self._rotator.in_flight)

    async def reconcile(
        self, policy: Policy, *, demand: Demand | None = None, seen: Snapshot | None = None
    ) -> Looked:
        """Do for ``policy`` what is due now; ``seen`` is what was seen a moment ago, if anything.

        A cancellation is obeyed at once, except between a mint and its delivery: that goes on in
        the background, see :meth:`drain`.

        Raises:
            RotatorError: What stopped it. Whatever was begun is visible to the next look.
        """
        gatherer = self.gatherer
        s, glanced = (seen, False) if seen else await gatherer.glance(policy)
        rotated, admitted, hurried = False, False, False
        for _ in range(_STEPS):
            demanded = demand is not None and demand.stands(s.journal)
            step = decide(replace(s, demanded=True) if demanded else s)
            if glanced and not _is_rest(step):
                s, glanced = await gatherer.gather(policy), False
            elif isinstance(step, Wait) and step.soon and step.until is not None:
                # A moment that a wrong clock has written may be far: then there is another look.
                await self._world.clock.sleep(min(step.until - s.now, self._world.limits.lease))
                s, glanced = await gatherer.glance(policy)
            elif isinstance(step, Wait | Locked | Refuse | Notify):
                return Looked(step, s, rotated)
            elif (refusal := await self._shared(s, step)) is not None:
                return Looked(refusal, s, rotated)
            elif isinstance(step, Mint) and not admitted and await self._waited(s):
                # What was seen is old by now.
                admitted = True
                s, glanced = await gatherer.glance(policy)
            else:
                admitted = admitted and not isinstance(step, Mint)
                rotated = rotated or isinstance(step, Promote)
                self.promoted[policy.name] += isinstance(step, Promote)
                seen = await self._act(s, step, hurried=hurried)
                if isinstance(step, Promote) and (changed := self._rewritten(policy)) is not None:
                    # What is to go may be in a target that only the new rules name.
                    policy, seen = changed, None
                hurried = isinstance(step, Mint) and seen is None
                s, glanced = (seen, False) if seen else await gatherer.glance(policy)
        raise Temporary(f"policy {policy.name} did not come to rest in {_STEPS} steps")

    def _rewritten(self, policy: Policy) -> Policy | None:
        """The policy of that name, if the configuration has other rules for it by now."""
        named = (one for one in self._world.neighbours() if one.name == policy.name)
        return next((one for one in named if one != policy and not policy.leaving), None)

    async def _shared(self, s: Snapshot, step: Step) -> Refuse | None:
        """That ``step`` would end a key which another policy is about as well.

        Asked when it comes to that, and not at each look: it may take requests.
        """
        key = ended_by(s, step)
        names = await self.gatherer.sharers(s, key) if key else ()
        return shared(key, names) if key and names else None

    async def _waited(self, s: Snapshot) -> bool:
        """Wait until a mint is due by the rate of requests; whether that took time.

        What is in flight has waited already: the grace of an old key may be running.
        """
        return s.journal.rotation is None and await self._world.issuer.admit()

    async def _act(self, s: Snapshot, step: Step, *, hurried: bool) -> Snapshot | None:
        """Carry out ``step``; what is seen afterwards, or None when a new look must tell.

        ``hurried``: that look was for the same step.
        """
        rotator = self._rotator
        match step:
            case Lock():
                seen = await save(self._world, s, transitions.locked(s))
            case Mint():
                seen = await rotator.rotate(s, step, hurried=hurried)
            case Restore():
                seen = await rotator.restore(s, step)
            case Destroy():
                seen = await rotator.destroy(s, step.entry, step.reason.code)
            case Deliver():
                seen = await self._finisher.copy(s, step)
            case Promote():
                seen = await self._finisher.promote(s, step)
            case Fail():
                seen = await self._finisher.fail(s, step)
            case Retire():
                seen = await self._finisher.retire(s, step)
            case _:
                raise AssertionError(step)
        return seen


def _is_rest(step: Step) -> bool:
    """Whether there is nothing to do now, by somebody else's doing or by the clock."""
    return isinstance(step, Locked) or (isinstance(step, Wait) and not step.soon)
