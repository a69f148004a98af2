"""Play histories by the thousand: ``python tests/simulation/simulate.py --seeds 20000``.

Ends with 1 when an invariant was broken, with the seed, the fewest faults that still break it and
the trace; or when ``--reached N`` is given and a fault or a branch was met less often than that.
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import sim_history
from sim_network import FAULTS
from sim_shrink import shortest

from rotator.events import Event

#: What recovery looks like from outside: each of these must be met.
REASONS = (
    "key_near_expiry",
    "key_reached_max_age",
    "rotation_was_demanded",
    "raw_key_was_lost",
    "mint_left_no_trace",
    "delivery_is_incomplete",
    "spooled_key_is_spent",
    "spooled_key_is_refused",
    "another_holds_the_lease",
    "window_is_closed",
    "policy_is_suspended",
    "retirement_is_due",
    "stray_key_appeared",
    "too_many_mints",
    "former key put back",
    "store_holds_another_key",
    "store_holds_unknown_key",
    "key_was_refreshed_elsewhere",
    "key_was_revoked_elsewhere",
)
BRANCHES = (
    Event.ROTATION_COMPLETED,
    Event.ROTATION_REPAIRED,
    Event.ROTATION_RESUMED,
    Event.ROTATION_SUPERSEDED,
    Event.ROTATION_FAILED,
    Event.MINT_AMBIGUOUS,
    Event.DELIVERY_FAILED,
    Event.KEY_RESTORED,
    Event.SPOOL_FAILED,
    Event.SPOOLED_KEY_DESTROYED,
    Event.RETIRE_FAILED,
    Event.KEY_RETIRED,
    Event.KEY_REFUSED,
    Event.OLD_KEY_IN_USE,
    Event.MANAGEMENT_KEY_CHANGED,
    Event.POLICY_SKIPPED_LOCKED,
    Event.POLICY_RETRYING,
    Event.POLICY_FAILED,
    Event.DAEMON_STOPPED,
    Event.NOTIFY_SENT,
    Event.NOTIFY_FAILED,
)
#: What people do by hand.
ACTS = ("revoke", "refresh", "roll_back", "scribble")
_CHUNK = 50


@dataclass
class Tally:
    """What many histories came to."""

    histories: int = 0
    requests: int = 0
    breaches: int = 0
    faults: Counter = field(default_factory=Counter)
    events: Counter = field(default_factory=Counter)
    reasons: Counter = field(default_factory=Counter)
    variants: Counter = field(default_factory=Counter)
    acts: Counter = field(default_factory=Counter)
    seconds: float = 0.0
    violations: list = field(default_factory=list)

    def add(self, other):
        self.histories += other.histories
        self.requests += other.requests
        self.breaches += other.breaches
        self.faults += other.faults
        self.events += other.events
        self.reasons += other.reasons
        self.variants += other.variants
        self.acts += other.acts
        self.seconds += other.seconds
        self.violations += other.violations


def simulate(seeds):
    tally, began = Tally(), time.process_time()
    for seed in seeds:
        outcome = sim_history.play(seed)
        tally.histories += 1
        tally.requests += outcome.requests
        tally.breaches += outcome.breaches
        tally.faults.update(outcome.faults)
        tally.events.update(outcome.events)
        tally.reasons.update(outcome.reasons)
        tally.variants.update(outcome.variants)
        tally.acts.update(outcome.acts)
        if outcome.violation:
            tally.violations.append((seed, outcome.violation))
    tally.seconds = time.process_time() - began
    return tally


def report(tally, floor=0):
    """Lines for a person, and what was met too rarely."""
    kinds = Counter()
    for (_, fault), count in tally.faults.items():
        kinds[fault] += count
    size = f"{tally.histories:,} histories, {tally.requests:,} requests"
    lines = [
        f"{size}, {sum(kinds.values()):,} faults, {len(tally.violations)} violations",
        f"{tally.breaches:,} breaches excused: trouble beyond the grace, or the doing of people",
        f"{1000 * tally.seconds / max(tally.histories, 1):.1f} ms of CPU a history",
    ]
    rare = []
    every = {fault for faults in FAULTS.values() for fault in faults}
    for title, names, counts in (
        ("faults", sorted(every), kinds),
        ("events", BRANCHES, tally.events),
        ("reasons", REASONS, tally.reasons),
        ("done by hand", ACTS, tally.acts),
        ("variants", sorted(tally.variants), tally.variants),
    ):
        lines.append(f"{title}:")
        for name in names:
            lines.append(f"  {counts[name]:>12,}  {name}")
            if counts[name] < floor:
                rare.append(str(name))
    return lines, rare


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--reached", type=int, default=0, help="least count of each fault, branch")
    given = parser.parse_args()
    began, tally = time.monotonic(), Tally()
    chunks = (
        range(at, min(at + _CHUNK, given.first + given.seeds))
        for at in range(given.first, given.first + given.seeds, _CHUNK)
    )
    with ProcessPoolExecutor(given.processes) as pool:
        running = [pool.submit(simulate, chunk) for _, chunk in zip(range(8), chunks, strict=False)]
        while running:
            tally.add(running.pop(0).result())
            if time.monotonic() - began < given.seconds and not tally.violations:
                running += [
                    pool.submit(simulate, chunk) for _, chunk in zip(range(1), chunks, strict=False)
                ]
    lines, rare = report(tally, given.reached)
    say(*lines, f"{time.monotonic() - began:.0f} s in {given.processes} processes")
    for seed, violation in tally.violations[:3]:
        kept, outcome = shortest(seed)
        say(
            "",
            f"seed {seed}: {violation}",
            f"these suffice: {', '.join(kept) or 'nothing special'}; {outcome.violation}",
        )
        say(*(f"  {line}" for line in outcome.trace))
    if rare:
        say("", f"met less than {given.reached} times: {', '.join(rare)}")
    return int(bool(tally.violations or rare))


def say(*lines):
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
