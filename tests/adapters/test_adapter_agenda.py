"""APScheduler as the daemon's agenda, on a real loop and in fractions of a second."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import tzlocal.unix

from rotator.adapters.agenda import SchedulerAgenda
from rotator.adapters.clock import SystemClock

SOON = timedelta(milliseconds=50)


class Ahead(SystemClock):
    """A clock that the provider has corrected by an hour."""

    def now(self):
        return datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def clock():
    return SystemClock(lambda *_, **__: None)


@pytest.fixture
async def agenda(clock):
    agenda = SchedulerAgenda(clock)
    yield agenda
    agenda.stop()


def calling(calls, name="called"):
    loop = asyncio.get_running_loop()

    def call():
        # In the loop and in no thread: tasks can be made.
        assert loop is asyncio.get_running_loop()
        calls.put_nowait((name, loop.time()))

    return call


async def test_it_calls_in_its_moment(agenda, clock):
    calls, began_at = asyncio.Queue(), asyncio.get_running_loop().time()
    agenda.at("a", clock.now() + SOON, calling(calls))

    _, at = await asyncio.wait_for(calls.get(), 5)

    assert at - began_at >= 0.045


async def test_a_moment_that_is_past_is_now_however_long_ago(agenda, clock):
    calls = asyncio.Queue()
    agenda.at("a", clock.now() - timedelta(days=3), calling(calls))

    await asyncio.wait_for(calls.get(), 5)


async def test_moments_are_those_of_the_corrected_clock():
    agenda, calls = SchedulerAgenda(Ahead(lambda *_, **__: None)), asyncio.Queue()
    agenda.at("a", datetime.now(UTC) + timedelta(hours=1), calling(calls))

    await asyncio.wait_for(calls.get(), 5)
    agenda.stop()


@pytest.mark.parametrize("zone", ["CET-1CEST,M3.5.0,M10.5.0/3", ":/nowhere", "Nowhere/Land"])
async def test_it_calls_whatever_the_machines_time_zone_is(clock, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    # An earlier test may have had it asked for.
    monkeypatch.setattr(tzlocal.unix, "_cache_tz", None)
    agenda, calls = SchedulerAgenda(clock), asyncio.Queue()
    agenda.at("a", clock.now() + SOON, calling(calls))

    await asyncio.wait_for(calls.get(), 5)
    agenda.stop()


async def test_a_later_word_replaces_an_earlier_one(agenda, clock):
    calls = asyncio.Queue()
    agenda.at("a", clock.now() + timedelta(hours=1), calling(calls, "first"))
    agenda.at("a", clock.now() + SOON, calling(calls, "second"))

    assert "second" == (await asyncio.wait_for(calls.get(), 5))[0]


async def test_names_are_apart_also_from_those_that_repeat(agenda, clock):
    calls = asyncio.Queue()
    agenda.every("relist", SOON, calling(calls, "every"))
    agenda.at("relist", clock.now() + SOON, calling(calls, "once"))

    seen = {(await asyncio.wait_for(calls.get(), 5))[0] for _ in range(3)}

    assert {"every", "once"} == seen


@pytest.mark.looptime
async def test_it_repeats_by_the_loops_clock_whatever_the_machines_may_say(agenda, looptime):
    calls = asyncio.Queue()
    agenda.every("relist", timedelta(hours=1), calling(calls))

    moments = [(await calls.get())[1] for _ in range(3)]

    assert [3600, 7200, 10800] == moments
    assert looptime == 10800


@pytest.mark.looptime
async def test_a_later_period_replaces_an_earlier_one(agenda):
    calls = asyncio.Queue()
    agenda.every("relist", timedelta(hours=1), calling(calls, "first"))
    agenda.every("relist", timedelta(hours=2), calling(calls, "second"))

    assert ("second", 7200) == await calls.get()


async def test_after_a_stop_nobody_is_called(clock):
    agenda, calls = SchedulerAgenda(clock), asyncio.Queue()
    agenda.at("a", clock.now() + SOON, calling(calls))
    agenda.every("b", SOON, calling(calls))

    agenda.stop()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(calls.get(), 0.2)
