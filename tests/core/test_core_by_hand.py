"""Adopting a key, and putting the former one back: no mint, and no surprise afterwards."""

import asyncio
from dataclasses import replace

import pytest
from sim_network import Fault
from sim_stage import DAY, HOUR, MINUTE, Stage, said, until, virtual

from rotator.by_hand import ByHand
from rotator.errors import NotFound, Rejected, RotatorError, Temporary
from rotator.journal import Lease
from rotator.model import Choice, OnDrift
from rotator.sandbox.arize_privileges import plain_bindings
from rotator.sandbox.arize_state import ORGANIZATION, SPACE
from rotator.secrets import Secret

ERAS = pytest.mark.parametrize("era", "ABC")
IDS = pytest.mark.parametrize("keeps_id", [False, True], ids=["new id", "same id"])


def by_hand(stage):
    process = stage.universe.process("hand")
    return ByHand(process.world, process.reconciler)


async def roll_back(stage, policy):
    stage.universe.subjects[0].rollbacks += 1
    return await by_hand(stage).roll_back(policy)


async def refused(work, error=Rejected):
    with pytest.raises(error) as caught:
        await work
    return caught.value.message


# --- the former key is put back ---


async def rotated(stage, **rules):
    """A policy whose key has just been replaced; its former key."""
    policy = stage.add(**rules)
    former = stage.held()
    await stage.come_by()
    assert stage.held() != former
    return policy, former


@virtual
async def test_who_wakes_up_with_a_key_that_was_given_up_does_not_write_it_over_the_former_one():
    stage = Stage()
    policy, former = stage.add(bounded=True), stage.held()
    stage.script.append(("write", Fault.PAUSED_BEFORE))
    first = stage.begin()
    await until(lambda: stage.requests("write"))
    first.actor.stop_until(400)
    await asyncio.sleep(60)
    await stage.come_by()
    await roll_back(stage, policy)

    await first.ended()

    assert "rotation.superseded" in said(first)
    assert former == stage.held()


@ERAS
@IDS
@pytest.mark.parametrize("rules", [{}, {"bounded": True}, {"service": True}], ids=str)
@virtual
async def test_the_former_key_is_in_the_store_again_and_lasts_half_of_what_it_had(
    era, keeps_id, rules
):
    stage = Stage(era=era, refresh_keeps_id=keeps_id)
    if rules.get("service"):
        bindings = plain_bindings(era, organization=ORGANIZATION, space=SPACE)
        rules = rules | {"strategy": Choice.REISSUE, "bindings": bindings}
    policy, former = await rotated(stage, **rules)
    new = stage.held()
    await asyncio.sleep(600)

    placed = await roll_back(stage, policy)

    assert former == stage.held()
    assert list(policy.targets) == list(placed.written)
    assert {former, new} == set(stage.alive())
    assert "theirs" == stage.shelf.read("apps/ci/0")[1]["sibling"]
    assert ["policy.planned", "pass.completed"] == await stage.come_by(), "and nothing else"
    await asyncio.sleep(24 * 60)
    assert former == stage.held(), "half of the fifty minutes are not over"
    assert "policy.failed" not in await stage.come_by()
    await asyncio.sleep(2 * 60)
    assert "rotation.completed" in await stage.come_by()
    assert former != stage.held() != new
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


@virtual
async def test_each_target_that_is_written_is_told_of_also_when_the_next_one_is_not():
    stage = Stage()
    policy, former = await rotated(stage, targets=2)
    process = stage.universe.process("hand")
    stage.universe.subjects[0].rollbacks += 1
    stage.script = [("write", None), ("write", Fault.DENIED)]

    await refused(ByHand(process.world, process.reconciler).roll_back(policy), RotatorError)

    told = [fields for _, event, _, fields in process.actor.events if event.startswith("policy.")]
    assert [str(policy.targets[0])] == [fields["target"] for fields in told]
    assert Secret(former).redacted == told[0]["redacted_key"]


@virtual
async def test_the_journal_tells_of_it():
    stage = Stage()
    policy, former = await rotated(stage, bounded=True)
    new = stage.journal().current

    await roll_back(stage, policy)

    record, *before = stage.journal().history
    assert ("rolled_back", "rollback_was_demanded") == (record.outcome, record.reason)
    assert (new.key_id, new.fingerprint) == (record.old_key_id, record.old_fingerprint)
    assert ["completed"] == [one.outcome for one in before]
    current, back = stage.journal().current, stage.journal().current.put_back
    assert (new.key_id, new.fingerprint) == (current.key_id, current.fingerprint)
    assert Secret(former).fingerprint == back.fingerprint
    assert record.expires_at == back.ends_at == before[0].old_valid_until
    assert stage.journal().lease is None


@IDS
@virtual
async def test_a_key_without_end_is_replaced_by_one_without_end(keeps_id):
    stage = Stage(refresh_keeps_id=keeps_id)
    policy, _ = await rotated(stage)

    await roll_back(stage, policy)
    await asyncio.sleep(31 * 60)
    await stage.come_by()

    (new,) = [key for key in stage.arize.keys if key.raw == stage.held()]
    assert ("reissue", None) == (stage.journal().history[0].strategy, new.expires_at)


@virtual
async def test_a_bounded_key_is_replaced_by_one_that_lives_as_long_as_it_was_given():
    stage = Stage(era="B")
    policy, _ = await rotated(stage, bounded=True, strategy=Choice.REFRESH)
    policy = stage.universe.subjects[0].policy = replace(policy, strategy=Choice.AUTO)

    await roll_back(stage, policy)
    await asyncio.sleep(31 * 60)
    await stage.come_by()

    assert 66 * DAY == stage.journal().current.lifetime


@IDS
@virtual
async def test_it_can_be_put_back_again_after_the_next_rotation(keeps_id):
    stage = Stage(refresh_keeps_id=keeps_id)
    policy, former = await rotated(stage)
    await roll_back(stage, policy)
    await asyncio.sleep(31 * 60)
    await stage.come_by()
    assert former != stage.held()

    key = (await roll_back(stage, policy)).key

    assert former == stage.held()
    was = next(one for one in stage.arize.keys if one.raw == former)
    told = stage.journal().current.put_back
    assert (was.id, Secret(former).redacted) == (key.id, key.redacted)
    assert (was.id, str(Secret(former).redacted)) == (told.key_id, told.redacted)
    await asyncio.sleep(20 * 60)
    assert "rotation.completed" in await stage.come_by()
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


@IDS
@virtual
async def test_should_nobody_come_by_in_time_the_next_who_does_mends_it(keeps_id):
    stage = Stage(refresh_keeps_id=keeps_id)
    policy, former = await rotated(stage)
    stage.universe.excused = lambda _: True
    await roll_back(stage, policy)
    await asyncio.sleep(3 * 3600)
    assert former not in stage.alive()

    assert "rotation.completed" in await stage.come_by()

    assert stage.held() in stage.alive()
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


@virtual
async def test_the_new_key_can_be_adopted_again():
    stage = Stage()
    policy, _ = await rotated(stage)
    new = stage.held()
    await roll_back(stage, policy)

    await by_hand(stage).adopt(policy, Secret(new))

    assert (new, None) == (stage.held(), stage.journal().current.put_back)
    await asyncio.sleep(120 * 60)
    assert "rotation.completed" not in await stage.come_by()
    assert [new] == stage.alive()


@virtual
async def test_to_put_it_back_twice_is_to_put_it_back_once():
    stage = Stage()
    policy, former = await rotated(stage)
    await roll_back(stage, policy)
    journal = stage.journal()

    placed = await by_hand(stage).roll_back(policy)

    assert ((), former, journal) == (placed.written, stage.held(), stage.journal())


@virtual
async def test_all_targets_get_it():
    stage = Stage()
    policy, former = await rotated(stage, targets=3)

    await roll_back(stage, policy)

    assert [former] * 3 == [stage.held(at=at) for at in range(3)]


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST, Fault.FOREIGN_WRITE])
@virtual
async def test_a_write_that_fails_is_tried_again(fault):
    stage = Stage()
    policy, former = await rotated(stage)
    stage.script = [("write", fault)]

    await roll_back(stage, policy)

    assert former == stage.held()


@virtual
async def test_what_a_crash_has_left_is_mended_by_the_same_again():
    stage = Stage()
    policy, former = await rotated(stage)
    new = stage.held()
    stage.script = [("write", Fault.KILLED_BEFORE)]
    work = asyncio.create_task(roll_back(stage, policy))
    await until(lambda: stage.script == [])
    await asyncio.sleep(31)
    assert new == stage.held()
    assert "policy.failed" in await stage.come_by(), "the store lags behind: an alarm"

    await by_hand(stage).roll_back(policy)

    assert former == stage.held()
    work.cancel()


@virtual
async def test_while_it_is_being_put_back_nobody_raises_an_alarm():
    stage = Stage()
    policy, _ = await rotated(stage)
    await asyncio.sleep(60)
    stage.script = [("write", Fault.REFUSED)] * 5
    work = asyncio.create_task(roll_back(stage, policy))
    await until(lambda: stage.journal().lease is not None)

    assert "policy.failed" not in said(await ended(stage))
    await work


@virtual
async def test_a_key_that_somebody_else_puts_there_meanwhile_stays():
    stage = Stage()
    policy, _ = await rotated(stage)
    _, other = stage.arize.seed_user_key("other")
    stage.script = [("write", Fault.REFUSED)] * 3
    work = asyncio.create_task(roll_back(stage, policy))
    await until(lambda: stage.journal().lease is not None)
    stage.shelf.put("apps/ci/0", api_key=other)

    assert "apps/ci/0#api_key was given another key meanwhile" == await refused(work)
    assert (other, None) == (stage.held(), stage.journal().lease)


async def ended(stage):
    process = stage.universe.once(stage.universe.policies)
    await process.ended()
    return process


# --- and when it is not ---


@virtual
async def test_no_rotation_no_rollback():
    stage = Stage()
    policy = stage.add()

    said = await refused(by_hand(stage).roll_back(policy))

    assert "no rotation of the policy's key is on record" == said


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (51, "the former key, {}, works for 9m9s more, and less than 10m is too short"),
        (61, "the former key, {}, does not work any more since 2026-11-23 01:00 UTC"),
    ],
)
@virtual
async def test_a_grace_that_is_almost_or_altogether_over_is_not_enough(minutes, words):
    stage = Stage()
    policy, former = await rotated(stage)
    await asyncio.sleep(60 * minutes - 10)

    said = await refused(by_hand(stage).roll_back(policy))

    assert words.format(Secret(former).redacted) == said
    assert former != stage.held()


@virtual
async def test_a_value_that_the_store_has_lost_cannot_be_put_back():
    stage = Stage()
    policy, former = await rotated(stage)
    stage.shelf.earlier.clear()

    said = await refused(by_hand(stage).roll_back(policy), NotFound)

    assert f"the store does not have the former key, {Secret(former).redacted} (any more)" == said


@virtual
async def test_a_key_that_somebody_revoked_is_not_put_back():
    stage = Stage()
    policy, former = await rotated(stage, bounded=True)
    key = next(key for key in stage.arize.keys if key.raw == former)
    key.revoked = True

    said = await refused(by_hand(stage).roll_back(policy))

    assert f"the provider does not accept {Secret(former).redacted}" == said
    assert former != stage.held()


@virtual
async def test_a_refreshed_key_that_may_not_be_reissued_is_not_put_back():
    stage = Stage()
    policy, _ = await rotated(stage, strategy=Choice.REFRESH)

    said = await refused(by_hand(stage).roll_back(policy))

    assert "it could not be replaced before its end: `strategy: refresh` allows no reissue" == said
    assert stage.journal().history[0].outcome == "completed"


# --- adopting ---


@virtual
async def test_a_key_is_adopted_without_a_mint():
    stage = Stage()
    policy = stage.add(bounded=True, delivered=False)
    raw = stage.universe.subjects[0].born.raw
    stage.shelf.put("apps/ci/0", sibling="theirs")

    placed = await by_hand(stage).adopt(policy, Secret(raw))

    assert (raw, "theirs") == (stage.held(), stage.shelf.read("apps/ci/0")[1]["sibling"])
    assert list(policy.targets) == list(placed.written)
    current = stage.journal().current
    assert (policy.selector.id, Secret(raw).fingerprint) == (current.key_id, current.fingerprint)
    assert stage.universe.subjects[0].born.created_at == current.since, "it is no younger for that"
    assert stage.journal().lease is None
    assert [] == stage.requests("create") + stage.requests("refresh")
    await stage.come_by()
    assert raw != stage.held(), "it was due, and is rotated as ever"


@virtual
async def test_to_adopt_twice_is_to_adopt_once():
    stage = Stage()
    policy = stage.add(delivered=False)
    secret = Secret(stage.universe.subjects[0].born.raw)
    await by_hand(stage).adopt(policy, secret)
    stage.trace.clear()

    placed = await by_hand(stage).adopt(policy, secret)

    assert () == placed.written
    assert ["load ci", "read apps/ci/0#api_key", "list"] == stage.requests()


@virtual
async def test_a_key_that_was_refreshed_by_hand_is_adopted_and_the_alarm_ends():
    stage = Stage(refresh_keeps_id=True)
    policy = stage.add(on_drift=OnDrift.ALARM)
    await stage.come_by()
    await asyncio.sleep(2 * 3600)
    caller = stage.arize.authenticate(stage.arize.management_key)
    new = stage.arize.refresh(caller, policy.selector.id, expires_at=None, grace=HOUR)
    assert "policy.failed" in await stage.come_by()

    await by_hand(stage).adopt(policy, Secret(new.raw))

    assert new.raw == stage.held()
    assert "policy.failed" not in await stage.come_by()


@virtual
async def test_another_key_is_refused_and_named_where_it_is_known():
    stage = Stage()
    policy = stage.add()
    key_id, other = stage.arize.seed_user_key("ci")

    said = await refused(by_hand(stage).adopt(policy, Secret(other)))

    born = Secret(stage.held()).redacted
    assert (
        f"this is not {born}, the key of the policy; it is {Secret(other).redacted}, key {key_id}"
        == said
    )
    assert [] == stage.requests("try"), "and it is not sent anywhere"


@virtual
async def test_a_stranger_is_refused_without_a_word_of_it():
    stage = Stage()
    policy = stage.add()

    said = await refused(by_hand(stage).adopt(policy, Secret("hvs.CANARY0123456789abcdefghij")))

    assert f"this is not {Secret(stage.held()).redacted}, the key of the policy" == said


@virtual
async def test_a_key_that_is_not_accepted_is_refused():
    stage = Stage()
    policy = stage.add(delivered=False)
    raw = stage.universe.subjects[0].born.raw
    shown = Secret(raw).redacted

    said = await refused(by_hand(stage).adopt(policy, Secret(f"{raw[:6]}x{raw[7:]}")))

    assert f"the provider does not accept {shown}" == said
    assert stage.held() is None


@pytest.mark.parametrize("command", ["adopt", "roll_back"])
@virtual
async def test_neither_begins_while_somebody_else_is_at_it(command):
    stage = Stage()
    policy, former = await rotated(stage)
    version, journal = stage.shelf.journals["ci"]
    now = journal.changed_at
    lease = Lease(owner="another", taken_at=now, until=now + 10 * MINUTE)
    stage.shelf.journals["ci"] = (version, journal.changed(now, lease=lease))

    said = await refused(do(stage, command, policy))

    assert said.startswith("another holds the lease until ")
    assert former != stage.held()


@pytest.mark.parametrize("command", ["adopt", "roll_back"])
@virtual
async def test_neither_begins_while_a_rotation_is_in_flight(command):
    stage = Stage()
    policy = stage.add()
    stage.script = [("create", Fault.KILLED_AFTER), ("refresh", Fault.KILLED_AFTER)]
    await stage.begin().ended()
    await asyncio.sleep(60)

    said = await refused(do(stage, command, policy))

    assert said.startswith("rotation ")
    assert said.endswith(" is not over")


@pytest.mark.parametrize("command", ["adopt", "roll_back"])
@virtual
async def test_neither_goes_on_when_the_store_says_no(command):
    stage = Stage()
    policy, former = await rotated(stage)
    before = stage.journal()
    stage.script = [("preflight", Fault.DENIED)]

    with pytest.raises(RotatorError):
        await do(stage, command, policy)

    assert (before, False) == (stage.journal(), stage.held() == former)


@virtual
async def test_of_two_who_write_at_once_one_is_told():
    stage = Stage()
    policy, _ = await rotated(stage)
    stage.script = [("save", Fault.FOREIGN_WRITE)]

    assert "another process wrote the journal meanwhile" == await refused(
        by_hand(stage).roll_back(policy), Temporary
    )


async def do(stage, command, policy):
    hand = by_hand(stage)
    if command == "roll_back":
        return await hand.roll_back(policy)
    raw = stage.held()
    # A field that is empty counts as none: nobody's access is lost by that.
    stage.shelf.secrets["apps/ci/0"][1].pop("api_key")
    return await hand.adopt(policy, Secret(raw))
