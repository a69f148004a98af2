"""One pass: patience, faults of our own, and what it tells."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sim_network import Fault
from sim_services import EPOCH, now
from sim_stage import Stage, said, virtual

from rotator.events import Event
from rotator.journal import Journal, Lease
from rotator.model import Mint, Refuse, Selector, Wait
from rotator.runner import Ending, Runner


async def results(stage, *, demanded=False):
    process = stage.begin(demanded=demanded)
    return await process.task, process


def told(process, name):
    return [fields for _, event, _, fields in process.actor.events if event == name]


@virtual
async def test_a_pass_tells_how_many_were_rotated_failed_and_skipped():
    stage = Stage()
    stage.add("good")
    stage.add("bad", selector=Selector(id="QXBpS2V5OjA="))
    stage.universe.subjects[1].born = None

    ends, process = await results(stage)

    assert [Ending.WELL, Ending.FAILED] == [end.ending for end in ends]
    (tally,) = told(process, Event.PASS_COMPLETED)
    assert (2, 1, 1, 0) == tuple(tally[n] for n in ("policies", "rotated", "failed", "skipped"))


@virtual
async def test_a_service_that_is_down_is_waited_for_but_not_longer_than_allowed():
    stage = Stage()
    stage.add()
    stage.script += [("load", Fault.REFUSED)] * 100

    ends, process = await results(stage)

    assert [Ending.FAILED] == [end.ending for end in ends]
    assert "out_of_patience" == told(process, Event.POLICY_FAILED)[0]["error_code"]
    assert stage.universe.subjects[0].born.raw == stage.held()
    assert (process.actor.events[-1][0] - EPOCH) < timedelta(seconds=62)
    assert 3 < len(told(process, Event.POLICY_RETRYING)) < 10


@virtual
async def test_giving_up_behind_the_mint_does_not_claim_that_nothing_was_minted():
    stage = Stage()
    stage.add()
    stage.script += [("try", Fault.REFUSED)] * 100

    _, process = await results(stage)

    (failed,) = told(process, Event.POLICY_FAILED)
    assert failed["error"].startswith("a service was not ready for 1m")
    assert "s, and no key is undelivered; at last: the provider could not be" in failed["error"]
    assert stage.universe.subjects[0].born.raw != stage.held()
    assert ["rotation.delivered"] == [e for e in said(process) if e == "rotation.delivered"]


@virtual
async def test_a_pass_looks_once_more_when_its_patience_is_at_its_end():
    stage = Stage()
    stage.add()
    stage.script += [("load", Fault.REFUSED)] * 100

    _, process = await results(stage)

    looks = [at for at, event, _, _ in process.actor.events if event == Event.POLICY_RETRYING]
    assert looks[-1] - looks[0] >= timedelta(seconds=59)


@virtual
async def test_a_person_is_not_told_that_it_is_done_while_the_dead_hold_the_lease():
    stage = Stage()
    stage.add()
    stage.script.append(("mint", Fault.KILLED_BEFORE))
    await stage.come_by()

    ends, process = await results(stage, demanded=True)

    assert [(Ending.WELL, True)] == [(end.ending, end.rotated) for end in ends]
    assert told(process, Event.POLICY_SKIPPED_LOCKED)
    assert stage.arize.accepts(stage.held())


@virtual
async def test_nor_while_another_one_is_at_it_for_longer_than_there_is_patience():
    stage = Stage()
    stage.add()
    theirs = Lease(owner="another", taken_at=now(), until=now() + timedelta(hours=1))
    stage.shelf.journals["ci"] = (1, Journal(lease=theirs))

    ends, process = await results(stage, demanded=True)

    (failed,) = told(process, Event.POLICY_FAILED)
    assert [Ending.FAILED] == [end.ending for end in ends]
    assert "out_of_patience" == failed["error_code"]
    assert failed["error"].startswith("not done in 1m1s: another holds the lease until")


@virtual
async def test_one_that_comes_back_in_time_is_no_failure():
    stage = Stage()
    stage.add()
    stage.script += [("list", Fault.REFUSED)] * 3

    ends, _ = await results(stage)

    assert [(Ending.WELL, True)] == [(end.ending, end.rotated) for end in ends]


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.DENIED, "notpermitted"), (Fault.UNAUTHENTICATED, "unauthenticated")],
)
@virtual
async def test_what_waiting_does_not_mend_is_not_waited_for(fault, code):
    stage = Stage()
    stage.add()
    stage.script.append(("preflight", fault))

    ends, process = await results(stage)

    assert [Ending.FAILED] == [end.ending for end in ends]
    assert [code] == [fields["error_code"] for fields in told(process, Event.POLICY_FAILED)]
    assert [] == told(process, Event.POLICY_RETRYING)


@virtual
async def test_a_fault_of_our_own_is_told_as_one_and_stops_nobody_else():
    stage = Stage()
    stage.add("bad")
    stage.add("good")
    stage.script.append(("load bad", Fault.CRASH_INSIDE))

    ends, process = await results(stage)

    assert [Ending.FAILED, Ending.WELL] == [end.ending for end in ends]
    (failed,) = told(process, Event.POLICY_FAILED)
    assert ("internal", "bad") == (failed["error_code"], failed["policy"])
    assert isinstance(failed["exception"], RuntimeError)


@virtual
async def test_a_plan_is_told_once_and_again_when_it_changes():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    process = stage.universe.process("cron")
    runner = Runner(process.world, process.reconciler, concurrency=1)
    for _ in range(3):
        await runner.look(stage.universe.policies[0])

    assert 1 == len(told(process, Event.POLICY_PLANNED))


@virtual
async def test_whoever_looks_on_is_shown_what_each_look_saw_and_what_came_of_it():
    stage = Stage()
    stage.add("good")
    stage.add("bad", selector=Selector(id="QXBpS2V5OjA="))
    stage.universe.subjects[1].born = None
    process, seen = stage.universe.process("cron"), []
    world = replace(process.world, seen=lambda s, step: seen.append((s.policy.name, step)))
    runner = Runner(world, process.reconciler, concurrency=1)
    for policy in stage.universe.policies:
        await runner.look(policy)

    assert [("good", Wait), ("bad", Refuse)] == [(name, type(step)) for name, step in seen]


@virtual
async def test_whoever_looks_on_is_shown_a_rotation_while_it_is_under_way():
    stage = Stage()
    stage.add("good")
    seen = []
    stage.universe.around = lambda world: replace(
        world, seen=lambda s, step: seen.append((type(step), s.journal))
    )
    process = stage.universe.process("cron")
    runner = Runner(process.world, process.reconciler, concurrency=1)
    await runner.look(stage.universe.policies[0])

    (begun, then), (ended, after) = seen
    assert (Mint, Wait) == (begun, ended)
    assert (True, True) == (then.rotation is not None, then.lease is not None)
    assert (None, None) == (after.rotation, after.lease)


@virtual
async def test_a_key_that_its_target_does_not_take_keeps_no_other_waiting():
    stage = Stage()
    both = [stage.add("bad"), stage.add("good")]
    before = stage.held("good")
    stage.script += [("write apps/bad", Fault.DENIED)] * 60
    process = stage.universe.process("one at a time")
    runner = Runner(process.world, process.reconciler, concurrency=1)
    looks = asyncio.create_task(runner.once(both, demanded=False, patience=timedelta(minutes=1)))

    await asyncio.sleep(55)
    waiting = stage.held("good")
    await asyncio.sleep(20)

    assert before == waiting != stage.held("good")
    assert 1 == process.reconciler.undelivered
    assert [Ending.WELL, Ending.WELL] == [one.ending for one in await looks]
