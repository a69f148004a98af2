"""Some histories of a replicated, faulty world; ``make simulate`` plays many more."""

import os
import subprocess
import sys

import sim_history
import sim_loop
import sim_reached
import sim_shrink
from sim_network import Fault
from simulate import Tally, kinds, report, simulate

from rotator.decide import CHECKS

SEEDS = 100


def test_in_no_history_is_a_promise_broken():
    tally = simulate(range(SEEDS))

    assert [] == tally.violations
    assert SEEDS == tally.histories
    assert report(tally)


def test_nor_in_one_of_two_policies_whose_keys_share_a_name():
    tally = simulate(range(-SEEDS, 0))

    assert [] == tally.violations
    assert SEEDS == tally.variants["keys of one name"]


def test_a_seed_is_one_exact_history():
    first, second = (sim_history.play(17, traced=True) for _ in range(2))

    assert len(first.trace) > 50
    assert first.trace == second.trace
    assert first.events == second.events


_TRACES = """
import hashlib, sim_history
played = (sim_history.play(seed, traced=True) for seed in range(12))
told = [(one.trace, one.events, one.decided) for one in played]
print(hashlib.sha256(repr(told).encode()).hexdigest())
"""


def test_nor_does_it_depend_on_the_process_that_plays_it():
    """Sets of strings come in another order in each process."""
    digests = [
        subprocess.run(
            [sys.executable, "-c", _TRACES],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert 65 == len(digests[0])
    assert digests[0] == digests[1]


def test_what_every_check_of_the_program_decides_must_be_met():
    # This one has a name for each kind of drift instead.
    named = {check.__name__ for check in CHECKS} - {"store_has_drifted"}

    assert set() == named - set(sim_reached.DECISIONS)
    assert "window_is_closed" in sim_reached.DECISIONS


def test_what_is_met_too_rarely_is_named_with_its_count():
    tally = Tally()
    tally.faults[f"mint: {Fault.LOST}"] = 9

    _, rare = report(tally, 10)

    assert "mint: timed out, done (9)" in rare
    assert "spooled_key_is_refused (0)" in rare
    assert [] == report(tally, 0)[1]


def test_violations_are_of_one_kind_whatever_they_are_about():
    found = [
        (3, "Violation: S1: what the store holds for p0 is dead"),
        (8, "Violation: S1: what the store holds for p1 is dead"),
        (9, "Violation: S4: key 17 is left"),
    ]

    assert [2, 1] == [count for _, count in kinds(found).most_common()]
    assert all(kind.startswith("Violation: S") for kind in kinds(found))


def test_the_clock_is_moved_by_nothing_but_waiting():
    async def wait():
        await sim_loop.asyncio.sleep(86400)
        return sim_loop.asyncio.get_running_loop().time()

    assert 86400 == sim_loop.run(wait())


def test_a_faulty_history_is_shrunk_to_what_breaks_it(monkeypatch):
    """A world in which one fault must never happen: of all that goes wrong, that one is left."""
    done = sim_history.History.tell

    def tell(history, outcome):
        done(history, outcome)
        if any(fault is Fault.STALE for _, fault in outcome.faults):
            outcome.violation = "a listing was stale"

    monkeypatch.setattr(sim_history.History, "tell", tell)
    seed = next(at for at in range(1000) if sim_history.play(at).violation)

    kept, outcome = sim_shrink.shortest(seed)

    assert 1 == len([name for name in kept if ": " in name])
    assert "a listing was stale" == outcome.violation
    assert outcome.trace


def test_of_many_things_the_fewest_that_break_are_left():
    def breaks(rest):
        return {3, 17, 64} <= set(rest)

    assert [3, 17, 64] == sim_shrink._fewest(list(range(100)), breaks)
    assert [] == sim_shrink._fewest(list(range(9)), lambda _: True)
