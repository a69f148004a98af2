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
from rotator.rest import Pace


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


async def resting(*names):
    """A daemon over policies that were rotated two hours ago, and what it asks for in a round."""
    stage = Stage()
    for name in names:
        stage.add(name, bounded=True)
    await stage.come_by()
    process = run(stage)
    await asyncio.sleep(2 * 3600 + 60)
    stage.trace.clear()
    return stage, process


def asked(stage):
    counts = Counter(label.partition(" ")[0] for label in stage.requests())
    stage.trace.clear()
    return counts


@virtual
async def test_while_a_grace_runs_it_lists_once_for_all_and_reads_what_each_has():
    stage = Stage()
    for name in "abc":
        stage.add(name, bounded=True)
    await stage.come_by()
    process = run(stage)
    await asyncio.sleep(60)
    stage.trace.clear()
    await asyncio.sleep(300)

    assert {"list": 1, "load": 3, "read": 3} == asked(stage)
    await stop(process)


@virtual
async def test_with_nothing_due_it_lists_once_for_all_and_looks_at_one_in_turn():
    stage, process = await resting(*"abc")
    for _ in "abc":
        await asyncio.sleep(300)

        assert {"list": 1, "load": 1, "read": 1} == asked(stage)
    await stop(process)


@virtual
async def test_each_has_its_turn():
    stage, process = await resting(*"abc")
    since = EPOCH + timedelta(seconds=asyncio.get_running_loop().time())
    await asyncio.sleep(900)
    await stop(process)

    looks = {name: [at for at, _ in stage.shelf.looks[name] if at > since] for name in "abc"}
    assert {"a": 1, "b": 1, "c": 1} == {name: len(times) for name, times in looks.items()}


@virtual
async def test_it_looks_at_that_policy_whose_key_is_listed_otherwise():
    stage, process = await resting(*"abcdefgh")
    key = stage.arize.find(stage.journal("h").current.key_id)
    key.expires_at = key.expires_at + DAY
    stage.universe.judge.births[key.redacted] = (EPOCH, key.expires_at)
    await asyncio.sleep(300)
    await stop(process)

    assert {"list": 1, "load": 2, "read": 2} == asked(stage)


@virtual
async def test_a_moment_that_the_scheduler_slept_through_is_found_at_the_next_listing():
    stage, process = await resting(*"abc")
    process.daemon._due |= dict.fromkeys("abc", process.world.clock.now())
    await asyncio.sleep(300)
    await stop(process)

    assert 3 == asked(stage)["load"]


@virtual
async def test_a_policy_that_needs_a_person_is_looked_at_with_every_listing():
    stage, process = await resting(*"abc")
    stage.shelf.put("apps/b/0", api_key="ak-somethingelsealtogether0123456789abcdef")
    await asyncio.sleep(900)
    known = said(process).count("policy.failed")
    stage.trace.clear()
    await asyncio.sleep(900)
    await stop(process)

    assert 1 <= known
    assert known + 3 == said(process).count("policy.failed")
    # And the others have their turns all the same.
    assert {"list": 3, "load": 6, "read": 6} == asked(stage)


@virtual
async def test_when_keys_cannot_be_listed_all_are_looked_at_and_say_so():
    stage, process = await resting(*"abc")
    stage.script += [("list", Fault.REFUSED)] * 4
    await asyncio.sleep(240)
    stage.trace.clear()
    await asyncio.sleep(60)
    await stop(process)

    retrying = [f["policy"] for _, e, _, f in process.actor.events if e == Event.POLICY_RETRYING]
    assert {"a", "b", "c"} == set(retrying)


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
    agenda = SimAgenda(process.actor)
    often = Pace(timedelta(minutes=5), timedelta(hours=1), fewest=1)
    daemon = Daemon(
        world, process.reconciler, stage.universe.policies, agenda, concurrency=1, pace=often
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
