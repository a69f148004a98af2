"""Which policies need a look when keys have been listed again, and which are at rest. Pure.

A look reads journal and targets. Where nothing is under way and the keys are listed as they were,
it would find what the last one found: what the clock makes due has its own moment, and nothing else
is left but a change in the store that no listing shows. For those, all policies take turns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import TYPE_CHECKING

from rotator.drift import doubted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from rotator.journal import Journal
    from rotator.keys import Key
    from rotator.model import Snapshot


@dataclass(frozen=True, slots=True)
class Pace:
    """How often keys are listed again, and how many policies are looked at then in any case.

    So many that each has its turn within ``recheck``, and ``fewest`` at least: with no more
    policies than that, all are looked at.
    """

    relist: timedelta
    recheck: timedelta
    fewest: int

    def turn(self, looked_at: Mapping[str, datetime]) -> set[str]:
        """Whose turn it is, of those at rest: those whose last look is longest ago."""
        share = math.ceil(len(looked_at) * (self.relist / self.recheck))
        return set(nsmallest(max(share, self.fewest), looked_at, key=looked_at.__getitem__))


@dataclass(frozen=True, slots=True)
class Rest:
    """What is kept of a look until the next one: no raw keys, and little, for ten thousand."""

    #: By which the policy's keys are found in a listing. Without history.
    journal: Journal
    looked_at: datetime
    #: The keys as they were listed; None: something is under way, whatever the next listing shows.
    listed: int | None = None

    @classmethod
    def after(cls, s: Snapshot, *, well: bool) -> Rest:
        """What is kept of a look that ended with ``s``, ``well`` or not."""
        journal = s.journal.model_copy(update={"history": (), "doubted": (), "notices": ()})
        calm = well and not is_under_way(s)
        return cls(journal, s.now, print_of(s.keys) if calm else None)


def is_under_way(s: Snapshot) -> bool:
    """Whether something is to happen soon, or may, of which the listing would not tell.

    A person may put the former key back as long as it works, and it must be replaced in time.
    """
    journal, lease = s.journal, s.journal.lease
    back = journal.current is not None and journal.current.put_back is not None
    ends = (one.old_valid_until for one in journal.history if one.old_valid_until is not None)
    return (
        bool(journal.rotation or journal.retiring or journal.notices or s.spooled or doubted(s))
        or (lease is not None and lease.binds(s.now))
        or back
        or any(end > s.now for end in ends)
        or s.policy.leaving
    )


def print_of(keys: Iterable[Key]) -> int:
    """The same for the same keys, as one process sees them. When they were used does not matter."""
    return hash(frozenset(replace(key, last_used_at=None) for key in keys))
