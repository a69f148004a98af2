"""Some histories of a replicated, faulty world; ``make simulate`` plays many more."""

import sim_history
import sim_loop
from simulate import report, simulate

SEEDS = 300


def test_in_no_history_is_a_promise_broken():
    tally = simulate(range(SEEDS))

    assert [] == tally.violations
    assert SEEDS == tally.histories
    assert report(tally)


def test_a_seed_is_one_exact_history():
    first, second = (sim_history.play(17, traced=True) for _ in range(2))

    assert len(first.trace) > 50
    assert first.trace == second.trace
    assert first.events == second.events


def test_the_clock_is_moved_by_nothing_but_waiting():
    async def wait():
        await sim_loop.asyncio.sleep(86400)
        return sim_loop.asyncio.get_running_loop().time()

    assert 86400 == sim_loop.run(wait())
