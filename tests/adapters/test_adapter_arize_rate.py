"""So many requests in the long run, so many at once, and no wait for whoever holds a key."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from adapter_arize_stage import HOUR, Stage, listed, minted, page

from rotator.adapters.arize_rate import Rate, Turns, hurry
from rotator.keys import KeyType, Order, Scope
from rotator.secrets import Secret

SECRET = Secret("ak-Canary3Some3Raw3Key3that3is3tried3out3here3333")
RATE = Rate(per_second=0.5, burst=3)

pytestmark = pytest.mark.looptime


async def taken(turns, *requests):
    """When each of these had its turn, all having come at once."""
    loop, moments = asyncio.get_running_loop(), []

    async def come(count):
        await turns.wait(count)
        moments.append(round(loop.time(), 6))

    await asyncio.gather(*(come(count) for count in requests))
    return moments


async def test_a_burst_goes_at_once_and_the_rest_in_its_turn():
    assert [0, 0, 0, 2, 4, 6] == await taken(Turns(RATE), *[1] * 6)


async def test_after_a_pause_there_is_one_burst_and_not_more():
    turns = Turns(RATE)
    await taken(turns, 3)
    await asyncio.sleep(1000)

    assert [1000, 1000, 1000, 1002] == await taken(turns, *[1] * 4)


async def test_two_at_once_are_waited_for_together():
    assert [0, 2, 4] == await taken(Turns(RATE), 2, 2, 1)


async def test_more_than_a_burst_is_paid_for_afterwards():
    assert [0, 8] == await taken(Turns(Rate(0.25, 1)), 2, 1)


async def test_it_tells_whether_it_took_time():
    turns = Turns(Rate(1, 1))

    assert [False, True] == [await turns.wait(), await turns.wait()]


async def test_without_a_rate_nobody_waits():
    assert [0] * 100 == await taken(Turns(None), *[5] * 100)
    assert not await Turns(None).wait()


async def test_one_who_gives_up_takes_nothing():
    turns = Turns(RATE)
    await turns.wait(3)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(turns.wait(), 1)

    assert [2] == await taken(turns, 1)


async def test_a_task_in_a_hurry_does_not_wait_and_others_do(looptime):
    turns = Turns(Rate(1, 1))

    async def mint():
        hurry()
        return [await turns.wait() for _ in range(9)]

    assert not any(await asyncio.create_task(mint()))
    assert looptime == 0
    assert [0, 1] == await taken(turns, 1, 1)


# --- what waits ---


def stage(*answers):
    return Stage(*answers, rate=Rate(per_second=0.01, burst=1))


async def test_listings_and_revocations_wait_for_their_turn(looptime):
    told = stage(page(listed("a"), cursor="b"), page(listed("b")), httpx.Response(204))
    await told.issuer.keys(Scope())
    await told.issuer.revoke("a")

    assert 3 == len(told.requests)
    assert looptime == 200


async def test_the_wait_is_not_part_of_the_timeout(looptime):
    told = Stage(page(), rate=Rate(0.01, 1), timeout=timedelta(seconds=1))
    await told.issuer.keys(Scope())
    await told.issuer.keys(Scope())

    assert looptime == 100


async def test_a_mint_is_admitted_beforehand_and_waits_no_more(looptime):
    told = stage(page(), minted())
    await told.issuer.keys(Scope())
    assert await told.issuer.admit()
    assert looptime == 100

    await told.issuer.refresh("a", expires_at=None, grace=HOUR)
    assert looptime == 100


async def test_whoever_has_minted_lists_and_proves_without_waiting(looptime):
    told = stage(minted(), page(), page())

    async def rotate():
        await told.issuer.create(Order("ci", KeyType.USER))
        await told.issuer.accepts(SECRET)
        # As a listing is taken that several may want: in a task of its own.
        await asyncio.create_task(told.issuer.keys(Scope()))

    await asyncio.create_task(rotate())

    assert 3 == len(told.requests)
    assert looptime == 0


async def test_the_proof_of_a_key_never_waits(looptime):
    told = stage(page())
    for _ in range(9):
        await told.issuer.accepts(SECRET)

    assert looptime == 0
