"""Every fault at every request of a rotation, alone and in pairs; and two processes in every order.

One process begins a rotation and meets the first fault; that one, or the next that comes by after
five minutes, meets the second; and after five more somebody comes by whom nothing befalls. Or two
begin at once, and one of them goes on until it waits, ends or is preempted. All invariants are
checked as in any history, and in the end everything must be at rest.
"""

import asyncio
from dataclasses import dataclass

import sim_loop
from sim_network import FAULTS
from sim_stage import Stage

from rotator.keys import KeyType
from rotator.model import Choice, Selector

#: A name, the provider's options, and the policy.
CASES = {
    "refresh, new id": ({}, {}),
    "refresh, same id": ({"refresh_keeps_id": True}, {}),
    "refresh, cut": (
        {"refresh_keeps_id": True, "second_refresh_cuts_window": True},
        {"strategy": Choice.REFRESH},
    ),
    "refresh, two targets": ({}, {"targets": 2}),
    "reissue": ({}, {"bounded": True}),
    "reissue, two hooks": ({}, {"bounded": True, "hooks": ("web", "mail")}),
    "reissue, by name": (
        {"second_refresh_cuts_window": True},
        {"bounded": True, "selector": Selector(name="ci")},
    ),
    "refresh, spool": ({"disks": 1}, {}),
    "reissue, spool": ({"disks": 1}, {"bounded": True}),
    "reissue, service": (
        {},
        {"bounded": True, "service": True, "selector": Selector(name="ci", type=KeyType.SERVICE)},
    ),
}


@dataclass(frozen=True)
class Trouble:
    """At the request of this number, counted over all processes, something happens."""

    at: int
    fault: object

    def __str__(self):
        return f"{self.fault.name} at {self.at}"


#: Minutes. Whoever slept over a request may carry it out after the others have looked.
_GRACE_HALF_OVER = 31
#: What nobody meets, and somebody comes by for.
_NEVER = Trouble(1_000_000, None)


def play(case, *troubles):
    """The number of requests made, and each one's kind, if all went well in the end.

    Raises:
        AssertionError: It did not.
    """
    options, rules = CASES[case]
    waiting = {trouble.at: trouble.fault for trouble in troubles}
    kinds = []

    async def story():
        stage = Stage(traced=False, **options)

        def choose(_, kind, __):
            kinds.append(kind)
            fault = waiting.get(len(kinds) - 1)
            return fault if fault in FAULTS[kind] else None

        stage.universe.network._choose = choose
        stage.add(**rules)
        stage.begin()
        await asyncio.sleep(300)
        if len(kinds) <= max(waiting, default=0):
            stage.universe.once(stage.universe.policies)
            await asyncio.sleep(300)
        await stage.universe.come_by()
        await stage.universe.rest(since=_GRACE_HALF_OVER)
        stage.universe.assert_at_rest()

    sim_loop.run(story())
    return kinds


def singles(case):
    """Every fault at every request until the rotation is done and looked at once more."""
    kinds = play(case, _NEVER)
    length = kinds.index("revoke") + 2 if "revoke" in kinds else 14
    return [Trouble(at, fault) for at, kind in enumerate(kinds[:length]) for fault in FAULTS[kind]]


def seconds(case, first):
    """What can go wrong besides, after ``first``: the next requests are those of the recovery."""
    kinds = play(case, first, _NEVER)
    return [
        Trouble(at, fault)
        for at in range(first.at + 1, min(first.at + 25, len(kinds)))
        for fault in FAULTS[kinds[at]]
    ]


# --- two processes ---


class Turns:
    """Of two processes one goes on until it waits, ends, or is preempted before a request.

    Args:
        preemptions: Numbers of requests, counted over both.
    """

    def __init__(self, preemptions):
        self._left = set(preemptions)
        self._running = None
        self._barred = None
        self.step = 0

    async def take(self, actor):
        """Come back when it is the turn of ``actor``."""
        if self._running in {None, actor.name} and self.step in self._left:
            self._left.remove(self.step)
            self._running, self._barred = None, actor.name
        while self._running != actor.name:
            if self._running is None and self._barred != actor.name:
                self._running = actor.name
                break
            step = self.step
            await asyncio.get_running_loop().nap(1.0)
            if step == self.step:
                # The other one has ended, or waits for something else.
                self._running = actor.name
        self._barred = None
        self.step += 1


def interleave(case, preemptions=()):
    """The number of requests that two processes make which begin at once.

    Raises:
        AssertionError: It did not go well, or there was more than one rotation.
    """
    options, rules = CASES[case]
    turns = Turns(preemptions)

    async def story():
        stage = Stage(**options)
        stage.add(**rules)
        stage.universe.network.turns = turns
        both = [stage.begin(), stage.begin()]
        for process in both:
            await process.ended()
        steps = turns.step
        stage.universe.network.turns = None
        await stage.universe.rest()
        stage.universe.assert_at_rest()
        mints = [one for one in stage.requests() if one.startswith(("create", "refresh"))]
        assert 1 == len(mints), f"one trigger, and {len(mints)} mints"
        return steps

    return sim_loop.run(story())


def interleavings(case, most=3):
    """Plays every way in which two processes can take turns with so many preemptions.

    Yields the preemptions and what went wrong, or None.
    """
    waiting = [()]
    while waiting:
        chosen = waiting.pop()
        try:
            steps, error = interleave(case, chosen), None
        except AssertionError as broken:
            steps, error = 0, broken
        yield chosen, error
        if len(chosen) < most:
            first = chosen[-1] + 1 if chosen else 0
            waiting += [(*chosen, at) for at in range(first, steps)]
