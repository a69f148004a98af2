"""The real agenda while somebody sets the machine's clock: what the simulation's own cannot show.

The scheduler is woken by the loop, whose clock nobody sets, and asks the machine's what is due. So
a moment comes late by what that was set back, unless it is given anew; put ahead, it comes as
meant, or sooner where anything else wakes the scheduler. The daemon does not wait for it: its
relisting goes by the loop, and finds what is overdue. A moment is late by ``run.relist`` at most.
"""

import asyncio
from datetime import datetime, timedelta

import pytest
from apscheduler.schedulers import base
from sim_services import EPOCH, SimClock, now
from sim_stage import DAY, HOUR, MINUTE, Stage, virtual

from rotator.adapters import agenda as adapter
from rotator.adapters.agenda import SchedulerAgenda
from rotator.daemon import Daemon
from rotator.events import Event
from rotator.rest import Pace

RELIST = 5 * MINUTE
SOON = timedelta(seconds=5)
BACK, AHEAD = -6 * HOUR, 6 * HOUR


class Machine:
    """Its clock goes with the loop's, in virtual time, until somebody sets it."""

    set_by = timedelta(0)

    def now(self, zone):
        return (now() + self.set_by).astimezone(zone)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()

    class Read(datetime):
        @classmethod
        def now(cls, tz=None):
            return machine.now(tz)

    # Nothing else moves it: both read the clock right from the interpreter.
    for reader in (base, adapter):
        monkeypatch.setattr(reader, "datetime", Read)
    return machine


class Clock:
    """The corrected one, which goes steadily from an answer of the provider's to the next."""

    now = staticmethod(now)


class Calls(dict):
    """When each name was called."""

    def __init__(self):
        super().__init__()
        self.agenda = SchedulerAgenda(Clock)

    def at(self, name, after):
        self.agenda.at(name, EPOCH + after, lambda: self.setdefault(name, now() - EPOCH))


async def reach(after):
    await asyncio.sleep((EPOCH + after - now()).total_seconds())


@pytest.mark.parametrize(("set_by", "expected"), [(BACK, 7 * HOUR), (AHEAD, HOUR)])
@virtual
async def test_alone_it_comes_late_by_what_the_clock_is_set_back_and_not_early(
    machine, set_by, expected
):
    calls = Calls()
    calls.at("a", HOUR)
    await reach(10 * MINUTE)
    machine.set_by = set_by
    await reach(DAY)

    assert timedelta(0) <= calls["a"] - expected < SOON


@pytest.mark.parametrize("set_by", [BACK, AHEAD])
@virtual
async def test_a_moment_that_is_given_anew_comes_in_time(machine, set_by):
    calls = Calls()
    calls.at("a", HOUR)
    await reach(10 * MINUTE)
    machine.set_by = set_by
    calls.at("a", 2 * HOUR)
    await reach(DAY)

    assert timedelta(0) <= calls["a"] - 2 * HOUR < SOON


@virtual
async def test_with_the_clock_put_ahead_another_moment_brings_all_that_it_has_passed(machine):
    calls = Calls()
    calls.at("a", HOUR)
    await reach(10 * MINUTE)
    machine.set_by = AHEAD
    calls.at("b", 2 * HOUR)
    await reach(11 * MINUTE)

    # A look too early finds nothing due, and gives the next moment.
    assert {"a"} == set(calls)


@pytest.mark.parametrize("set_by", [BACK, timedelta(0), AHEAD])
@virtual
async def test_the_daemon_is_late_by_no_more_than_its_relisting(machine, set_by):
    stage, due = Stage(), 77 * MINUTE
    for name in "abc":
        stage.add(name, bounded=True)
        stage.universe.subjects[-1].born.expires_at = EPOCH + 7 * DAY + due
    stage.universe.settled()
    process = stage.universe.process("daemon")
    daemon = Daemon(
        process.world,
        process.reconciler,
        stage.universe.policies,
        SchedulerAgenda(SimClock(process.actor)),
        concurrency=3,
        # One of three has its turn at each listing: that alone would be too late for the others.
        pace=Pace(RELIST, DAY, fewest=1),
    )
    stop = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(daemon.run(stop))
    await reach(10 * MINUTE)
    machine.set_by = set_by
    await reach(DAY)
    stop.set_result("SIGTERM")
    await task

    late = RELIST if set_by == BACK else timedelta(0)
    minted, completed, retired = (
        [at - EPOCH for at, event, _, _ in process.actor.events if event == name]
        for name in (Event.KEY_MINTED, Event.ROTATION_COMPLETED, Event.KEY_RETIRED)
    )
    assert 3 == len(minted) == len(retired)
    assert timedelta(0) <= min(minted) - due
    assert max(minted) - due < late + SOON
    # What is scheduled from then on is right.
    assert max(retired) - max(completed) < HOUR + SOON
