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
from itertools import islice
from pathlib import Path

import sim_history
from sim_reached import DECISIONS, DONE, EVENTS, FAULT_KINDS
from sim_shrink import kind_of, shortest

_CHUNK = 50
#: A hunt goes on past what is broken, but not for ever; so many are shown with their traces.
_ENOUGH, _SHOWN = 20, 3


@dataclass
class Tally:
    """What many histories came to."""

    histories: int = 0
    requests: int = 0
    breaches: int = 0
    seconds: float = 0.0
    faults: Counter = field(default_factory=Counter)
    events: Counter = field(default_factory=Counter)
    decided: Counter = field(default_factory=Counter)
    done: Counter = field(default_factory=Counter)
    variants: Counter = field(default_factory=Counter)
    violations: list = field(default_factory=list)

    def add(self, other):
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def count(self, outcome):
        self.histories += 1
        self.requests += outcome.requests
        self.breaches += outcome.breaches
        for (kind, fault), count in outcome.faults.items():
            self.faults[f"{kind}: {fault}"] += count
        self.events.update(outcome.events)
        self.decided.update(outcome.decided)
        self.done.update(outcome.done)
        self.variants.update(outcome.variants)
        if outcome.violation:
            self.violations.append((outcome.seed, outcome.violation))


def simulate(seeds):
    tally, began = Tally(), time.process_time()
    for seed in seeds:
        tally.count(sim_history.play(seed))
    tally.seconds = time.process_time() - began
    return tally


def report(tally, floor=0):
    """Lines for a person, and what was met too rarely."""
    size = f"{tally.histories:,} histories, {tally.requests:,} requests"
    faults = f"{tally.faults.total():,} faults, {len(tally.violations)} violations"
    lines = [
        f"{size}, {faults}",
        f"{tally.breaches:,} breaches excused: trouble beyond the grace, or the doing of people",
        f"{1000 * tally.seconds / max(tally.histories, 1):.1f} ms of CPU a history",
    ]
    rare = []
    for title, names, counts in (
        ("faults", FAULT_KINDS, tally.faults),
        ("events", EVENTS, tally.events),
        ("decided", DECISIONS, tally.decided),
        ("done by hand, and to processes", DONE, tally.done),
        ("variants", sim_history.VARIANTS, tally.variants),
    ):
        lines.append(f"{title}:")
        lines += [f"  {counts[name]:>12,}  {name}" for name in names]
        rare += [f"{name} ({counts[name]})" for name in names if counts[name] < floor]
    return lines, rare


def kinds(violations):
    """How many there are of each kind, told apart by their words without names and numbers."""
    return Counter(kind_of(words) for _, words in violations)


def play_all(given, told):
    """The tally of all histories, or of as many as there were time and patience for."""
    began, tally = time.monotonic(), Tally()
    last = given.first + given.seeds
    chunks = (range(at, min(at + _CHUNK, last)) for at in range(given.first, last, _CHUNK))
    with ProcessPoolExecutor(given.processes) as pool:
        running = [pool.submit(simulate, chunk) for chunk in islice(chunks, 4 * given.processes)]
        while running:
            found = running.pop(0).result()
            tally.add(found)
            spent = time.monotonic() - began
            told(tally, found.violations, spent)
            if spent < given.seconds and len(tally.violations) < _ENOUGH:
                running += [pool.submit(simulate, chunk) for chunk in islice(chunks, 1)]
    return tally


def teller(seeds):
    """Says each violation at once, and on a terminal how far it is."""

    def told(tally, violations, spent):
        mark = "\r\x1b[K" if sys.stderr.isatty() else ""
        for seed, words in violations:
            say(f"{mark}seed {seed}: {words}")
        if mark:
            left = spent / tally.histories * (seeds - tally.histories) / 60
            far = f"{tally.histories:,} of {seeds:,}, {len(tally.violations)} violations"
            sys.stderr.write(f"{mark}{far}, {left:.0f} min left" if left > 0 else mark)
            sys.stderr.flush()

    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--reached", type=int, default=0, help="least count of each fault, branch")
    given = parser.parse_args()
    began = time.monotonic()
    tally = play_all(given, teller(given.seeds))
    lines, rare = report(tally, given.reached)
    say(*lines, f"{time.monotonic() - began:.0f} s in {given.processes} processes")
    if tally.violations:
        say("", "violations:")
        say(*(f"  {count:>12,}  {kind}" for kind, count in kinds(tally.violations).most_common()))
    for seed, violation in tally.violations[:_SHOWN]:
        show(seed, violation)
    if rare:
        say("", f"met less than {given.reached} times: {', '.join(rare)}")
    return int(bool(tally.violations or rare))


def show(seed, violation):
    """The shortest history that breaks as that of ``seed`` does."""
    kept, outcome = shortest(seed)
    say(
        "",
        f"seed {seed}: {violation}",
        f"these suffice: {', '.join(kept) or 'nothing special'}; {outcome.violation}",
    )
    say(*(f"  {line}" for line in outcome.trace))


def say(*lines):
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
