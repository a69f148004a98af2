"""Play every fault at every request, pairs of them, and two processes in every order.

``python tests/simulation/exhaust.py``: all single faults, and all orders with up to
``--preemptions`` preemptions. Pairs are many: ``--pairs N`` plays each Nth, 1 all of them. Ends
with 1 when something went wrong, and says what.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import sim_exhaust
from simulate import say


def single(case):
    return _all(sim_exhaust.singles(case), lambda trouble: sim_exhaust.play(case, trouble))


def pairs(case, every):
    found = [
        (first, second)
        for first in sim_exhaust.singles(case)
        for second in sim_exhaust.seconds(case, first)
    ]
    return _all(found[::every], lambda both: sim_exhaust.play(case, *both), of=len(found))


def orders(case, most):
    played = list(sim_exhaust.interleavings(case, most))
    failures = [f"preempted at {at}: {error}"[:300] for at, error in played if error]
    return len(played), len(played), failures


def _all(tries, play, of=None):
    """How many were played, of how many, and what went wrong with which."""
    failures = []
    for one in tries:
        try:
            play(one)
        except AssertionError as error:
            what = ", ".join(map(str, one)) if isinstance(one, tuple) else str(one)
            failures.append(f"{what}: {error}"[:300])
    return len(tries), of or len(tries), failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=0, metavar="N", help="each Nth; 0: none")
    parser.add_argument("--preemptions", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    began, broken = time.monotonic(), 0
    with ProcessPoolExecutor(given.processes) as pool:
        work = [("single faults", case, pool.submit(single, case)) for case in sim_exhaust.CASES]
        for case in sim_exhaust.CASES:
            work.append(("orders of two", case, pool.submit(orders, case, given.preemptions)))
            if given.pairs:
                work.append(("pairs of faults", case, pool.submit(pairs, case, given.pairs)))
        for kind, case, one in work:
            played, total, failures = one.result()
            broken += len(failures)
            say(f"{played:>9,} of {total:>9,} {kind:<16} {case:<20} {len(failures)} broken")
            say(*(f"          {failure}" for failure in failures[:5]))
    say(f"{broken} broken, {time.monotonic() - began:.0f} s in {given.processes} processes")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
