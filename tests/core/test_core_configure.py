"""A daemon whose configuration changes: what is in flight, what comes, what goes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sim_network import Fault
from sim_services import EPOCH
from sim_stage import DAY, Stage, said, until, virtual

from rotator.events import Event


def run(stage):
    stage.universe.settled()
    return stage.universe.daemon()


def subject(stage, at=0):
    return stage.universe.subjects[at]


@virtual
async def test_a_policy_that_is_added_is_looked_at():
    stage = Stage()
    stage.add("a", bounded=True)
    stage.add("b", bounded=True)
    subject(stage, 1).absent = True
    process = run(stage)
    await asyncio.sleep(60)
    assert stage.held("b") == subject(stage, 1).born.raw

    stage.universe.change(subject(stage, 1))
    await asyncio.sleep(10)

    assert stage.held("b") != subject(stage, 1).born.raw
    assert 2 == said(process).count("rotation.completed")


@virtual
async def test_a_policy_that_is_removed_is_left_alone():
    stage = Stage()
    stage.add(bounded=True)
    subject(stage).born.expires_at = EPOCH + 7 * DAY + timedelta(hours=1)
    process = run(stage)
    await asyncio.sleep(60)
    stage.universe.change(subject(stage), absent=True)
    await asyncio.sleep(60)
    stage.trace.clear()
    await asyncio.sleep(2 * 3600)

    assert [] == stage.requests()
    assert "rotation.started" not in said(process)


@virtual
async def test_a_policy_that_is_removed_still_revokes_its_old_key():
    stage = Stage()
    stage.add(bounded=True)
    process = run(stage)
    await asyncio.sleep(60)
    stage.universe.change(subject(stage), absent=True)
    await asyncio.sleep(2 * 3600)
    stage.trace.clear()
    await asyncio.sleep(2 * 3600)

    assert "rotation.retired" in said(process)
    assert [stage.held()] == stage.alive()
    assert [] == stage.requests()


@virtual
async def test_a_key_that_somebody_uses_again_does_not_keep_a_removed_policy():
    stage = Stage()
    stage.add(bounded=True)
    run(stage)
    await asyncio.sleep(60)
    stage.shelf.put("apps/ci/0", api_key=subject(stage).born.raw)
    stage.universe.change(subject(stage), absent=True)
    await asyncio.sleep(60)
    stage.trace.clear()
    await asyncio.sleep(2 * 3600)

    assert [] == stage.requests()


@virtual
async def test_a_delivery_that_fails_goes_on_when_its_policy_is_removed():
    stage = Stage()
    stage.add()
    stage.script += [("write", Fault.REFUSED)] * 20
    process = run(stage)
    await until(lambda: stage.requests("write"))
    stage.universe.change(subject(stage), absent=True)
    await asyncio.sleep(600)

    assert "rotation.completed" in said(process)
    assert stage.held() in stage.alive()


@virtual
async def test_a_rotation_in_flight_ends_by_the_rules_that_it_began_with():
    stage = Stage()
    stage.add(bounded=True)
    stage.script += [("create", Fault.LOST)]
    process = run(stage)
    await until(lambda: "rotation.mint_ambiguous" in said(process))
    other = timedelta(minutes=20)
    stage.universe.change(subject(stage), grace=other)
    await asyncio.sleep(120)

    (record,) = stage.journal().history
    assert "repaired" == record.outcome
    assert timedelta(minutes=59) < record.old_valid_until - record.finished_at
    assert other == process.daemon._roster.get("ci").grace


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.CRASH_INSIDE])
@virtual
async def test_other_rules_count_also_when_the_store_could_not_be_asked_at_first(fault):
    stage = Stage()
    stage.add(bounded=True, suspend=True)
    run(stage)
    await asyncio.sleep(60)
    stage.script += [("load", fault)] * 2
    stage.universe.change(subject(stage), suspend=False)
    await asyncio.sleep(600)

    assert 1 == len(stage.journal().history)


@virtual
async def test_a_policy_that_is_renamed_waits_for_what_its_former_name_has_begun():
    stage = Stage()
    stage.add("old", bounded=True)
    policy = subject(stage).policy
    process = run(stage)
    await asyncio.sleep(60)
    process.daemon.configure([replace(policy, name="new")])
    await asyncio.sleep(600)
    assert "new" not in stage.shelf.journals
    await asyncio.sleep(3600)

    planned = [f["policy"] for _, e, _, f in process.actor.events if e == Event.POLICY_FAILED]
    assert "new" in {*planned, *stage.shelf.journals}
