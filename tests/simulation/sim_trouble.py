"""What goes wrong with which request: at random, in outages, and by themes that are rare by chance.

Everything that goes wrong has a name, so that a history can be played without it.
"""

import asyncio
from collections import Counter
from hashlib import blake2b
from random import Random

from sim_network import ELSEWHERE, FAULTS, PROVIDER, Fault
from sim_policies import DUE, GRACE

#: By kind of request: how often it goes wrong in the theme, and how.
THEMES = {
    "anything": {},
    "keys are lost": {
        "mint": (0.75, (Fault.KILLED_AFTER, Fault.LOST, Fault.MALFORMED)),
        "write": (0.75, (Fault.KILLED_BEFORE,)),
        "spool": (0.6, (Fault.FULL, Fault.KILLED_BEFORE)),
    },
    "half delivered": {
        "write": (0.4, (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.SEALED, Fault.FULL)),
    },
    "sleepers": {
        "mint": (0.5, (Fault.LATE, Fault.PAUSED_BEFORE, Fault.PAUSED_AFTER)),
        "write": (0.2, (Fault.PAUSED_BEFORE, Fault.PAUSED_AFTER)),
    },
    "strays": {
        "mint": (0.5, (Fault.ASLEEP,)),
    },
    "disks": {
        "spool": (0.5, FAULTS["spool"]),
        "write": (0.3, (Fault.KILLED_BEFORE, Fault.DROPPED)),
    },
    "old keys stay": {
        "revoke": (0.6, FAULTS["revoke"]),
    },
    "replicas lag": {
        "mint": (0.3, (Fault.LOST, Fault.KILLED_AFTER)),
        "try": (0.9, (Fault.STALE,)),
        "write": (0.5, (Fault.KILLED_BEFORE,)),
    },
    "garbled answers": {
        "mint": (0.5, (Fault.TRUNCATED, Fault.UNKNOWN_ENUM, Fault.MALFORMED)),
        "list": (0.1, (Fault.UNKNOWN_ENUM, Fault.MALFORMED, Fault.STALE)),
    },
}
_WEIGHTS = (20, 2, 2, 2, 1, 2, 1, 1, 1)
_OUTAGES = (
    Fault.REFUSED,
    Fault.DROPPED,
    Fault.DENIED,
    Fault.UNAUTHENTICATED,
    Fault.SEALED,
    Fault.STANDBY,
)


class Trouble:
    """Chooses the fault of a request until the world calms down.

    Args:
        seed: Chance of its own, so that leaving out one thing changes little else.
        without: Names of faults and outages that do not happen.
    """

    def __init__(self, seed, without=frozenset()):
        self._random = draw = Random(f"{seed} trouble")
        self._seed, self._without = seed, without
        #: How often each request was made.
        self._met = Counter()
        #: Trouble that can outlast a grace period excuses a breach.
        self.harsh = draw.random() < 0.1
        self.calm_at = DUE + (draw.uniform(3600, 9000) if self.harsh else draw.uniform(60, 1500))
        self._rate = draw.choice((0.0, 0.01, 0.03, 0.08, 0.2))
        [self.theme] = draw.choices(tuple(THEMES), _WEIGHTS)
        self._outages = self._draw_outages()
        #: The names of all that happened.
        self.happened = []

    def _draw_outages(self):
        """(name, service, from, to, kind): a service that fails for a while, whoever asks."""
        draw, outages = self._random, []
        for number in range(draw.choice((0, 0, 0, 1, 1, 2))):
            begin = draw.uniform(DUE - 20, self.calm_at)
            end = min(begin + draw.expovariate(1 / 120), self.calm_at)
            outages.append(
                (
                    f"outage {number}",
                    draw.choice(("provider", "store")),
                    begin,
                    end,
                    draw.choice(_OUTAGES),
                )
            )
        return outages

    def is_harsh(self, at):
        """Whether trouble may have outlasted a grace that ends now: one that began in it."""
        return self.harsh and at < self.calm_at + GRACE.total_seconds()

    def choose(self, actor, kind, label):
        at = asyncio.get_running_loop().elapsed
        if at >= self.calm_at:
            return None
        return self._outage(kind, at) or self._fault(f"{actor.name}: {label}", kind)

    def _outage(self, kind, at):
        if kind in ELSEWHERE:
            return None
        service = "provider" if kind in PROVIDER else "store"
        for name, place, begin, end, fault in self._outages:
            if place == service and begin <= at < end and name not in self._without:
                self._note(name)
                return fault
        return None

    def _fault(self, label, kind):
        """Drawn from what the request is, so that without one fault the others happen as before."""
        rate, faults = THEMES[self.theme].get(kind, (self._rate, FAULTS[kind]))
        self._met[label] += 1
        name = f"{label} ({self._met[label]})"
        drawn = int.from_bytes(blake2b(f"{self._seed} {name}".encode(), digest_size=8).digest())
        chance, which = drawn % 1_000_000, drawn // 1_000_000
        if chance >= rate * 1_000_000:
            return None
        self._note(name)
        return None if name in self._without else faults[which % len(faults)]

    def _note(self, name):
        if name not in self.happened[-1:]:
            self.happened.append(name)
