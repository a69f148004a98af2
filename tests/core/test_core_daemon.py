"""The daemon: in its moment, for itself, and to the end."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sim_network import Fault
from sim_services import EPOCH, SimAgenda
from sim_stage import DAY, Stage, said, until, virtual

from rotator import __version__
from rotator.daemon import Daemon
from rotator.events import Event
from rotator.model import Choice, Selector


def run(stage):
    stage.universe.settled()
    return stage.universe.daemon()


async def stop(process):
    process.stop.set_result("SIGTERM")
    await process.task


def times(process, name):
    return [moment - EPOCH for moment, event, _, _ in process.actor.events if event == name]


@virtual
async def test_it_rotates_what_is_due_revokes_what_is_over_and_ends():
    stage = Stage()
    stage.add(bounded=True)
    process = run(stage)
    await asyncio.sleep(2 * 3600)
    await stop(process)

    assert [
        "daemon.started",
        "rotation.started",
        "rotation.key_minted",
        "rotation.delivered",
        "rotation.verified",
        "rotation.completed",
        "policy.planned",
        "policy.planned",
        "rotation.retired",
        "policy.planned",
        "daemon.stopping",
        "daemon.stopped",
    ] == said(process)
    (retired,) = times(process, Event.KEY_RETIRED)
    assert timedelta(hours=1) <= retired < timedelta(hours=1, seconds=10)
    assert __version__ == process.actor.events[0][3]["version"]


@virtual
async def test_it_comes_in_the_moment_when_a_key_is_due():
    stage = Stage()
    stage.add(bounded=True)
    stage.universe.subjects[0].born.expires_at = EPOCH + 7 * DAY + timedelta(minutes=77)
    process = run(stage)
    await asyncio.sleep(2 * 3600)
    await stop(process)

    (minted,) = times(process, Event.KEY_MINTED)
    assert timedelta(minutes=77) <= minted < timedelta(minutes=77, seconds=5)


@virtual
async def test_a_policy_that_fails_does_not_hold_up_another():
    stage = Stage()
    stage.add("bad", selector=Selector(id="QXBpS2V5OjA="))
    stage.universe.subjects[0].born = None
    stage.add("good")
    process = run(stage)
    await asyncio.sleep(60)
    await stop(process)

    failed = [f["policy"] for _, e, _, f in process.actor.events if e == Event.POLICY_FAILED]
    assert {"bad"} == set(failed)
    assert stage.held("good") != stage.universe.subjects[1].born.raw


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.THROTTLED, Fault.CRASH_INSIDE])
@virtual
async def test_it_goes_on_after_trouble_with_a_listing(fault):
    stage = Stage()
    stage.add(bounded=True)
    stage.script += [("list", fault)] * 3
    process = run(stage)
    await asyncio.sleep(3600)
    await stop(process)

    assert "rotation.completed" in said(process)


@virtual
async def test_it_keeps_asking_politely_while_the_store_is_sealed():
    stage = Stage()
    stage.add()
    stage.script += [("load", Fault.REFUSED)] * 8
    process = run(stage)
    await asyncio.sleep(3600)
    await stop(process)

    retries = [f for _, e, _, f in process.actor.events if e == Event.POLICY_RETRYING]
    assert list(range(1, 9)) == [fields["attempt"] for fields in retries]
    waits = times(process, Event.POLICY_RETRYING)
    gaps = [later - sooner for sooner, later in pairwise(waits)]
    assert gaps[0] < timedelta(seconds=3)
    assert gaps[-1] > timedelta(seconds=20)
    assert "rotation.completed" in said(process)


@virtual
async def test_it_notices_at_the_next_listing_what_a_person_has_changed():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    process = run(stage)
    await asyncio.sleep(30)
    key = stage.arize.find(stage.journal().current.key_id)
    key.expires_at = EPOCH + 2 * DAY
    stage.universe.judge.births[key.redacted] = (EPOCH, key.expires_at)
    await asyncio.sleep(3600 + 600)
    await stop(process)

    assert "rotation.completed" in said(process)


@virtual
async def test_it_revokes_what_a_rotation_by_hand_has_left_to_whoever_comes_next():
    stage = Stage()
    stage.add(bounded=True, strategy=Choice.REISSUE)
    await stage.come_by()
    process = run(stage)
    await asyncio.sleep(3 * 3600)
    by_hand = await stage.come_by(demanded=True)
    await asyncio.sleep(3600 + 600)
    await stop(process)

    assert "rotation.completed" in by_hand
    assert 2 == said(process).count("rotation.retired")
    assert [stage.held()] == stage.alive()


@virtual
async def test_it_notices_at_the_next_listing_what_a_person_has_put_into_the_store():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    process = run(stage)
    await asyncio.sleep(3 * 3600)
    stage.shelf.put("apps/ci/0", api_key="ak-somethingelsealtogether0123456789abcdef")
    await asyncio.sleep(600)
    await stop(process)

    codes = {f["error_code"] for _, e, _, f in process.actor.events if e == Event.POLICY_FAILED}
    assert {"store_holds_unknown_key"} == codes


@virtual
async def test_with_nothing_due_it_lists_once_for_all_and_reads_what_each_has():
    stage = Stage()
    for name in "abc":
        stage.add(name, bounded=True)
    await stage.come_by()
    process = run(stage)
    await asyncio.sleep(60)
    stage.trace.clear()
    await asyncio.sleep(300)

    asked = Counter(label.partition(" ")[0] for label in stage.requests())
    assert {"list": 1, "load": 3, "read": 3} == asked
    await stop(process)


@virtual
async def test_a_stop_waits_for_a_key_that_is_not_delivered_yet():
    stage = Stage()
    stage.add()
    stage.script += [("write", Fault.REFUSED)] * 6
    process = run(stage)
    await until(lambda: stage.requests("write"))

    await stop(process)

    assert stage.held() in stage.alive()
    assert stage.held() != stage.universe.subjects[0].born.raw
    stopping = next(f for _, e, _, f in process.actor.events if e == Event.DAEMON_STOPPING)
    assert 1 == stopping["in_flight"]
    assert "daemon.stopped" == said(process)[-1]


@virtual
async def test_after_a_stop_nothing_is_begun():
    stage = Stage()
    stage.add()
    process = run(stage)

    await stop(process)
    await asyncio.sleep(3600)

    assert [] == [label for label in stage.requests() if label.startswith("refresh")]


@virtual
async def test_whoever_looks_on_is_shown_also_what_a_listing_alone_tells():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    seen = []
    process = stage.universe.process("daemon")
    world = replace(process.world, seen=lambda s, _: seen.append(s.keys))
    agenda, often = SimAgenda(process.actor), timedelta(minutes=5)
    daemon = Daemon(
        world, process.reconciler, stage.universe.policies, agenda, concurrency=1, relist=often
    )
    process.stop = asyncio.get_running_loop().create_future()
    process.task = asyncio.create_task(daemon.run(process.stop))
    await asyncio.sleep(30)
    key = stage.arize.find(stage.journal().current.key_id)
    key.expires_at += DAY
    stage.universe.judge.births[key.redacted] = (EPOCH, key.expires_at)
    await asyncio.sleep(600)
    await stop(process)

    assert 3 <= len(seen)
    assert key.expires_at in {one.expires_at for one in seen[-1]}
