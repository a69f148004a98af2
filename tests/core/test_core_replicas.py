"""Several processes at one key, people who meddle, and processes that end in the middle."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sim_network import Fault
from sim_services import EPOCH
from sim_stage import Stage, said, until, virtual

from rotator.errors import NotPermitted
from rotator.events import Event
from rotator.journal import Journal
from rotator.keys import Key, KeyType
from rotator.model import Choice, Limits, Locked, OnDrift, Snapshot, Wait
from rotator.reconcile import Demand
from rotator.rotation import disown
from rotator.secrets import Secret

MINTS = ("refresh", "create")


def mints(stage):
    return [label for label in stage.requests() if label.startswith(MINTS)]


@pytest.mark.parametrize("bounded", [False, True], ids=["refresh", "reissue"])
@virtual
async def test_of_three_processes_that_come_at_once_one_rotates(bounded):
    stage = Stage()
    stage.add(bounded=bounded)

    processes = [stage.begin() for _ in range(3)]
    await asyncio.gather(*(process.task for process in processes))

    assert 1 == len(mints(stage))
    told = sorted("rotation.completed" in said(process) for process in processes)
    assert [False, False, True] == told
    assert all("policy.failed" not in said(process) for process in processes)


@virtual
async def test_who_finds_the_lease_taken_says_so_and_who_has_it():
    stage = Stage()
    stage.add()
    first = stage.begin()
    stage.script.append(("refresh", Fault.PAUSED_AFTER))
    await asyncio.sleep(3)

    second = stage.begin()
    await second.ended()

    (event,) = [fields for _, e, _, fields in second.actor.events if e == "policy.skipped_locked"]
    assert first.actor.name == event["owner"]
    assert "another_holds_the_lease" == event["reason"]


async def late_comer(stage, **rules):
    """A process that has listed the keys for one policy, and another policy that it comes to."""
    late, policy = stage.universe.process("late"), stage.add("second", **rules)
    await late.reconciler.reconcile(stage.add("first", **rules))
    return late, policy


@pytest.mark.parametrize("bounded", [False, True], ids=["refresh", "reissue"])
@virtual
async def test_what_another_has_just_rotated_is_no_reason_to_list_all_keys_again(bounded):
    stage = Stage()
    late, policy = await late_comer(stage, bounded=bounded, service=True)
    assert "rotation.completed" in await stage.come_by()
    stage.trace.clear()

    looked = await late.reconciler.reconcile(policy)

    assert isinstance(looked.step, Wait)
    assert not looked.rotated
    assert [] == stage.requests("list")
    assert bounded == (late.reconciler.gatherer.left(policy) is not None)


@virtual
async def test_what_another_is_at_is_no_reason_to_list_all_keys_again():
    stage = Stage()
    late, policy = await late_comer(stage, bounded=True)
    stage.script.append(("create", Fault.PAUSED_AFTER))
    stage.begin()
    await asyncio.sleep(3)
    stage.trace.clear()

    looked = await late.reconciler.reconcile(policy)

    assert isinstance(looked.step, Locked)
    assert [] == stage.requests("list")


@virtual
async def test_what_is_to_be_done_is_decided_by_a_new_listing():
    stage = Stage()
    late, policy = await late_comer(stage, bounded=True)
    await stage.come_by()
    stage.universe.subjects[0].demands += 1
    stage.trace.clear()

    looked = await late.reconciler.reconcile(policy, demand=Demand())

    assert looked.rotated
    assert "list" == next(label for label in stage.requests() if label in {"list", "create"})


@virtual
async def test_a_process_that_wakes_up_with_a_key_that_was_given_up_gives_way():
    stage = Stage()
    stage.add(bounded=True)
    stage.script.append(("try", Fault.PAUSED_AFTER))
    first = stage.begin()
    await asyncio.sleep(2)
    first.actor.stop_until(400)

    await asyncio.sleep(60)
    await stage.come_by()
    await asyncio.sleep(400)
    await first.ended()

    assert "rotation.superseded" in said(first)
    assert stage.held() in stage.alive()
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()
    stage.universe.assert_at_rest()


@pytest.mark.parametrize("ended", [False, True], ids=["in flight", "over"])
@virtual
async def test_what_others_may_mint_from_is_not_given_up_before_their_rotation_is_over(ended):
    stage = Stage()
    stage.add(bounded=True)
    stage.script.append(("create", Fault.LOST))
    process = stage.begin()
    await until(lambda: "ci" in stage.shelf.journals)
    rotation = stage.journal().rotation
    if ended:
        await process.ended()
        await stage.come_by()
    mine = Key("mine", name="ci", redacted=Secret("ak-" + 40 * "0").redacted)
    s = Snapshot(stage.universe.policies[0], (), Journal(), 0, (), EPOCH, "me", Limits())

    await disown(process.world, s, rotation, mine)

    assert ended == ("mine" in [entry.key_id for entry in stage.journal().retiring])


@virtual
async def test_a_rotation_by_hand_that_another_process_carries_out_is_not_made_again():
    stage = Stage()
    stage.add(bounded=True)
    stage.script.append(("save", Fault.LOST))
    by_hand = stage.begin(demanded=True)
    await until(lambda: "ci" in stage.shelf.journals)
    by_hand.actor.stop_until(50)
    await asyncio.sleep(35)

    await stage.come_by()
    await by_hand.ended()

    assert ["rotation_was_demanded"] == [one.reason for one in stage.journal().history]
    assert 1 == len(mints(stage))
    assert "policy.failed" not in said(by_hand)


@virtual
async def test_before_an_orphan_is_revoked_no_write_from_before_can_succeed_any_more():
    stage = Stage()
    stage.add(bounded=True, targets=2)
    stage.script.append(("create", Fault.LOST))

    await stage.come_by()

    changes = [label for label in stage.requests() if label.startswith(("write", "revoke"))]
    assert ["write apps/ci/0#api_key", "write apps/ci/1#api_key"] == changes[-3:-1]
    assert changes[-1].startswith("revoke")
    assert 5 == len(changes)
    assert stage.held() == stage.held(at=1) == stage.alive()[-1]


@virtual
async def test_an_orphan_that_somebody_has_put_into_the_store_meanwhile_is_not_revoked():
    stage = Stage()
    stage.add(bounded=True)
    stage.script.append(("create", Fault.LOST))
    process = stage.begin()
    # The journal names the orphan, and the process is about to look at the store once more.
    await until(lambda: "ci" in stage.shelf.journals and stage.journal().retiring)
    orphan = next(key for key in stage.arize.keys if key.id == stage.journal().retiring[0].key_id)

    stage.shelf.put("apps/ci/0", api_key=orphan.raw)
    await process.ended()

    assert orphan.raw in stage.alive()


@virtual
async def test_a_cancelled_process_delivers_what_it_has_minted():
    stage = Stage()
    stage.add()
    stage.script += [("write", Fault.REFUSED)] * 5
    process = stage.begin()
    await until(lambda: mints(stage) and stage.requests("write"))

    process.task.cancel()
    assert 1 == process.reconciler.undelivered
    await process.reconciler.drain()

    assert 0 == process.reconciler.undelivered
    assert stage.held() in stage.alive()
    assert stage.held() != stage.universe.subjects[0].born.raw
    await asyncio.sleep(31)
    assert "rotation.completed" in await stage.come_by()


@virtual
async def test_a_process_cancelled_before_the_mint_does_not_mint():
    stage = Stage()
    stage.add()
    process = stage.begin()
    await until(lambda: stage.requests("save"))

    process.task.cancel()
    await asyncio.sleep(5)

    assert [] == mints(stage)


@virtual
async def test_a_mint_that_was_not_answered_and_did_not_happen_is_made_again():
    stage = Stage()
    stage.add()
    stage.script.append(("refresh", Fault.DROPPED))

    events = await stage.come_by()

    assert "rotation.mint_ambiguous" in events
    assert 2 == len(mints(stage))
    assert "repaired" == stage.journal().history[0].outcome


@virtual
async def test_a_lost_key_is_replaced_and_leaves():
    stage = Stage()
    stage.add()
    stage.script.append(("refresh", Fault.LOST))

    events = await stage.come_by()

    assert "rotation.repaired" in events
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


@virtual
async def test_one_lost_by_a_dead_process_is_replaced_when_its_lease_is_over():
    stage = Stage()
    stage.add()
    stage.script.append(("refresh", Fault.KILLED_AFTER))
    await stage.begin().ended()
    old = stage.held()

    await stage.begin().ended()
    assert old == stage.held(), "the lease is respected"
    await asyncio.sleep(31)
    events = await stage.come_by()

    assert "rotation.resumed" in events
    assert "rotation.repaired" in events
    assert old != stage.held()


@virtual
async def test_what_a_person_creates_under_the_same_name_is_left_alone():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    theirs_id, theirs = stage.arize.seed_user_key("ci")
    await stage.come_by(demanded=True)
    await stage.universe.rest()

    assert theirs in stage.alive()
    assert not stage.arize.find(theirs_id).revoked


@virtual
async def test_an_old_key_that_somebody_put_back_is_not_revoked():
    stage = Stage()
    stage.add(bounded=True)
    old = stage.held()
    await stage.come_by()
    stage.shelf.put("apps/ci/0", api_key=old)
    stage.universe.subjects[0].acts.append("put back")

    await stage.universe.rest()

    assert old in stage.alive()


@virtual
async def test_a_key_changed_by_hand_in_the_store_is_an_alarm():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    stage.shelf.put("apps/ci/0", api_key="ak-somethingelsealtogether0123456789abcdef")
    stage.universe.excused = lambda _: True
    await asyncio.sleep(60)
    process = stage.begin()
    await process.ended()

    (failed,) = [fields for _, e, _, fields in process.actor.events if e == Event.POLICY_FAILED]
    assert "store_holds_unknown_key" == failed["error_code"]
    assert "--rotate ci" in failed["remedy"]


@virtual
async def test_or_it_is_repaired_when_the_policy_says_so_but_no_more_often_than_it_allows():
    stage = Stage()
    stage.add(bounded=True, on_drift=OnDrift.ROTATE)
    await stage.come_by()
    stage.shelf.put("apps/ci/0", api_key="ak-somethingelsealtogether0123456789abcdef")
    stage.universe.excused = lambda _: True
    await asyncio.sleep(60)

    assert "rotation.completed" not in await stage.come_by()
    await asyncio.sleep(3600)
    assert "rotation.completed" in await stage.come_by()

    assert stage.held() in stage.alive()


@virtual
async def test_a_refresh_made_by_hand_has_its_own_verdict():
    stage = Stage(refresh_keeps_id=True)
    stage.add(bounded=True)
    await stage.come_by()
    current = stage.journal().current
    stage.arize.refresh(
        stage.arize.admin,
        current.key_id,
        expires_at=current.expires_at,
        grace=timedelta(hours=1),
    )
    await asyncio.sleep(60)
    process = stage.begin()
    await process.ended()

    (failed,) = [fields for _, e, _, fields in process.actor.events if e == Event.POLICY_FAILED]
    assert "key_was_refreshed_elsewhere" == failed["error_code"]


@pytest.mark.parametrize("bounded", [True, False])
@virtual
async def test_one_that_gives_a_new_id_is_a_reason_to_replace_the_key_that_ends(bounded):
    """Whatever the policy says of drift: its consumers have nothing else. The person keeps his."""
    stage = Stage(refresh_keeps_id=False)
    stage.add(bounded=bounded)
    await stage.come_by()
    await asyncio.sleep(60)
    current, times = stage.journal().current, {"grace": timedelta(hours=3)}
    made = stage.arize.refresh(
        stage.arize.admin, current.key_id, expires_at=current.expires_at, **times
    )
    stage.universe.subjects[0].acts.append("refresh")
    await asyncio.sleep(3700)

    assert "rotation.completed" in await stage.come_by()
    assert "key_was_replaced_elsewhere" == stage.journal().history[0].reason
    assert stage.held() in stage.alive()
    await asyncio.sleep(3 * 3600)
    await stage.come_by()
    assert made.raw in stage.alive()


@virtual
async def test_a_user_key_that_is_gone_is_not_looked_for_where_we_may_not_look():
    stage = Stage()
    stage.add()
    await stage.come_by()
    stage.universe.around = lambda world: replace(world, issuer=NoServiceKeys(world.issuer))
    stage.universe.excused = lambda _: True
    stage.arize.revoke(stage.arize.admin, stage.journal().current.key_id)
    await asyncio.sleep(3700)
    process = stage.begin()
    await process.ended()

    (failed,) = [fields for _, e, _, fields in process.actor.events if e == Event.POLICY_FAILED]
    assert "key_was_revoked_elsewhere" == failed["error_code"]


class NoServiceKeys:
    """A provider that shows user keys alone."""

    def __init__(self, issuer):
        self._issuer = issuer

    def __getattr__(self, name):
        return getattr(self._issuer, name)

    async def keys(self, scope):
        if scope.type is KeyType.SERVICE:
            raise NotPermitted("you may not list service keys")
        return await self._issuer.keys(scope)


@virtual
async def test_a_key_of_a_status_nobody_knows_is_rotated_like_any_other():
    stage = Stage()
    stage.add(strategy=Choice.REISSUE)
    stage.script += [("list", Fault.UNKNOWN_ENUM), ("create", Fault.UNKNOWN_ENUM)]

    assert "rotation.completed" in await stage.come_by()
