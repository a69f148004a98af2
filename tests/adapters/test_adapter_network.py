"""Which transport a request goes over."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from rotator.adapters.network import Ways

pytestmark = pytest.mark.looptime


class Transport(httpx.AsyncBaseTransport):
    """Only tells whether it is closed."""

    closed = False

    async def aclose(self):
        self.closed = True


async def used(ways):
    async with ways.one() as transport:
        return transport


async def used_at_once(ways, count):
    async def one():
        async with ways.one() as transport:
            await asyncio.sleep(0.1)
            return transport

    return await asyncio.gather(*(one() for _ in range(count)))


async def test_the_one_used_last_is_used_again():
    ways = Ways(Transport)
    both = await used_at_once(ways, 2)
    last = await used(ways)
    assert last in both
    assert last is await used(ways)


async def test_as_many_are_made_as_are_used_at_once():
    ways = Ways(Transport)
    first = await used_at_once(ways, 3)
    assert 3 == len(set(first))
    assert set(first) == set(await used_at_once(ways, 3))


@pytest.mark.parametrize("error", [OSError, asyncio.CancelledError])
async def test_one_that_failed_is_closed_and_not_used_again(error):
    ways = Ways(Transport)
    with pytest.raises(error):
        async with ways.one() as failed:
            raise error
    assert failed.closed
    assert failed is not await used(ways)


async def test_those_that_rested_too_long_are_closed_before_the_next_request():
    ways = Ways(Transport)
    first = await used_at_once(ways, 3)
    await asyncio.sleep(3)
    last = await used(ways)
    await asyncio.sleep(2)
    async with ways.one() as transport:
        assert last is transport
        assert {one for one in first if one.closed} == {*first} - {last}


async def test_closing_closes_those_at_rest_and_one_in_use_afterwards():
    ways = Ways(Transport)
    resting, _ = await used_at_once(ways, 2)
    async with ways.one() as using:
        await ways.close()
        assert not using.closed
    assert using.closed
    assert resting.closed
