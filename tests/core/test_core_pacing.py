"""Windows, a rate of requests, suspension: who waits for what, in the life of a process."""

import asyncio
from datetime import timedelta

from sim_network import Fault
from sim_services import EPOCH, Every
from sim_stage import DAY, HOUR, MINUTE, Stage, said, until, virtual

from rotator.events import Event

NIGHT = Every(DAY, HOUR, EPOCH + 3 * HOUR)


def moments(process, name):
    return [moment - EPOCH for moment, event, _, _ in process.actor.events if event == name]


def planned(process):
    return [
        (fields["reason"], fields["next_at"])
        for _, event, _, fields in process.actor.events
        if event == Event.POLICY_PLANNED
    ]


# --- windows ---


@virtual
async def test_a_daemon_waits_for_the_window_and_says_so():
    stage = Stage()
    stage.add(bounded=True, windows=(NIGHT,))
    stage.universe.settled()
    process = stage.universe.daemon()
    await asyncio.sleep(4 * 3600)

    assert ("window_is_closed", NIGHT.first) == planned(process)[0]
    (started,) = moments(process, Event.ROTATION_STARTED)
    assert timedelta(hours=3) <= started < timedelta(hours=3, seconds=5)


@virtual
async def test_an_old_key_is_revoked_when_its_grace_is_over_whatever_the_windows():
    stage = Stage()
    stage.add(bounded=True, windows=(NIGHT,))
    await asyncio.sleep(3 * 3600)
    await stage.come_by()
    await asyncio.sleep(3601)

    assert "rotation.retired" in await stage.come_by()


@virtual
async def test_what_was_begun_in_a_window_ends_after_it():
    stage = Stage()
    stage.add(bounded=True, windows=(Every(DAY, MINUTE, EPOCH),))
    stage.script.append(("write", Fault.KILLED_BEFORE))
    await stage.come_by()
    await asyncio.sleep(120)

    assert "rotation.repaired" in await stage.come_by()


# --- suspension ---


@virtual
async def test_a_suspended_policy_is_told_of_and_left_alone():
    stage = Stage()
    stage.add(bounded=True, suspend=True)

    assert ["policy.failed", "pass.completed"] == await stage.come_by()
    assert stage.universe.subjects[0].born.raw == stage.held()


@virtual
async def test_a_rotation_in_flight_ends_although_its_policy_is_suspended():
    stage = Stage()
    stage.add(bounded=True)
    stage.script.append(("write", Fault.KILLED_BEFORE))
    await stage.come_by()
    stage.universe.change(stage.universe.subjects[0], suspend=True)
    await asyncio.sleep(120)

    assert "rotation.repaired" in await stage.come_by()
    assert [stage.held()] == stage.alive()[-1:]


# --- the rate of requests ---


@virtual
async def test_a_rotation_that_waited_for_its_turn_looks_again_before_it_begins():
    stage = Stage()
    stage.add()
    stage.universe.network.queue = lambda: 100
    await stage.come_by()

    labels = [label.split()[0] for label in stage.requests()]
    assert ["load", "read", "list"] * 2 == labels[:6]
    assert ["preflight", "save", "refresh", "write"] == labels[6:10]
    lease = stage.trace[7][0] - stage.trace[8][0]
    assert abs(lease) < 1


@virtual
async def test_what_is_over_when_its_turn_comes_is_not_done_again():
    stage = Stage()
    stage.add()
    stage.universe.network.queue = lambda: 100
    first = stage.begin()
    await asyncio.sleep(10)
    stage.universe.network.queue = lambda: 0
    await stage.come_by()
    await first.ended()

    assert "rotation.started" not in said(first)
    assert 1 == len(stage.requests("refresh"))


@virtual
async def test_a_lost_key_is_replaced_without_waiting_for_a_turn():
    stage = Stage()
    stage.add()
    stage.script.append(("write", Fault.KILLED_BEFORE))
    await stage.come_by()
    await asyncio.sleep(120)
    stage.universe.network.queue = lambda: 7200
    process = stage.begin()
    await process.ended(60)

    assert "rotation.repaired" in said(process)


# --- a demand ---


@virtual
async def test_a_demand_is_met_also_by_somebody_who_carried_the_rotation_on():
    stage = Stage()
    stage.add(bounded=True, targets=2)
    stage.script.append(("write apps/ci/1", Fault.PAUSED_AFTER))
    slow = stage.begin(demanded=True)
    await until(lambda: stage.requests("write apps/ci/1"))
    await asyncio.sleep(15)
    while slow.task and not slow.task.done():
        await stage.come_by()
        await asyncio.sleep(40)

    assert 1 == len(stage.journal().history)
