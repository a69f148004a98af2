"""One key, from being due to being alone again."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sim_network import Fault
from sim_services import now
from sim_stage import DAY, HOUR, Stage, fields, said, virtual

from rotator.errors import Unavailable
from rotator.events import Event
from rotator.journal import Lease
from rotator.keys import Bindings, OrgBinding, Role, SpaceBinding
from rotator.model import Choice, OnDrift, Selector
from rotator.sandbox.arize_model import Refused
from rotator.secrets import Secret

ROTATED = [
    "rotation.started",
    "rotation.key_minted",
    "rotation.delivered",
    "rotation.verified",
    "rotation.completed",
    "policy.planned",
    "pass.completed",
]


@pytest.mark.parametrize("era", "ABC")
@pytest.mark.parametrize("keeps_id", [False, True], ids=["new id", "same id"])
@virtual
async def test_a_key_without_expiry_is_refreshed(era, keeps_id):
    stage = Stage(era=era, refresh_keeps_id=keeps_id)
    stage.add()
    old = stage.held()

    assert ROTATED == await stage.come_by()

    assert stage.held() != old
    assert ["refresh"] == [label.split()[0] for label in stage.requests() if mints(label)]
    assert stage.alive() == [old, stage.held()], "in the grace period both work"
    record = stage.journal().history[0]
    assert ("refresh", "completed") == (record.strategy, record.outcome)
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


@pytest.mark.parametrize("service", [False, True], ids=["user", "service"])
@virtual
async def test_a_bounded_key_near_its_expiry_is_reissued_and_lives_as_long_again(service):
    stage = Stage()
    stage.add(bounded=True, service=service)
    old = stage.held()

    assert ROTATED == await stage.come_by()

    current = stage.journal().current
    assert 66 * DAY == current.lifetime
    assert stage.alive() == [old, stage.held()]
    assert [HOUR] == [entry.at - current.since for entry in stage.journal().retiring]
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()
    assert () == stage.journal().retiring


@virtual
async def test_a_reissued_service_key_has_the_privileges_of_the_old_one():
    stage = Stage()
    stage.add(service=True, strategy=Choice.REISSUE)
    bindings = Bindings(
        (OrgBinding("o", Role(id="custom"), (SpaceBinding("s", Role(name="READ_ONLY")),)),),
        Role(name="MEMBER"),
    )
    stage.universe.subjects[0].born.bindings = bindings

    await stage.come_by()

    new = next(key for key in stage.arize.keys if key.raw == stage.held())
    assert bindings == new.bindings
    assert stage.universe.subjects[0].born is not new


@virtual
async def test_a_rotation_takes_no_more_requests_than_it_needs():
    stage = Stage()
    stage.add(bounded=True)

    await stage.come_by()

    assert [
        "load ci",
        "read apps/ci/0#api_key",
        "list",
        "preflight",
        "save ci",
        "create",
        "try",
        "write apps/ci/0#api_key",
        "save ci",
    ] == stage.requests()


@virtual
async def test_between_a_refresh_and_the_write_there_is_nothing():
    stage = Stage()
    stage.add()

    await stage.come_by()

    requests = stage.requests()
    at = next(i for i, label in enumerate(requests) if mints(label))
    assert "write apps/ci/0#api_key" == requests[at + 1]


@virtual
async def test_a_pass_with_nothing_due_writes_nothing():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    stage.trace.clear()

    assert ["policy.planned", "pass.completed"] == await stage.come_by()

    assert ["load ci", "read apps/ci/0#api_key", "list"] == stage.requests()


@virtual
async def test_every_target_gets_the_key_and_keeps_its_other_fields():
    stage = Stage()
    stage.add(targets=3)

    await stage.come_by()

    assert 1 == len({stage.held(at=at) for at in range(3)})
    assert ["theirs"] * 3 == [stage.shelf.read(f"apps/ci/{at}")[1]["sibling"] for at in range(3)]


@virtual
async def test_a_first_rotation_fills_an_empty_target():
    stage = Stage()
    stage.add(delivered=False)

    await stage.come_by()

    assert stage.held() in stage.alive()


@virtual
async def test_a_rotation_by_hand_does_not_ask_whether_it_is_due():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    first = stage.held()

    assert ROTATED == await stage.come_by(demanded=True)

    assert first != stage.held()
    assert "rotation_was_demanded" == stage.journal().history[0].reason


@virtual
async def test_the_events_of_a_rotation_share_its_id_and_tell_the_danger():
    stage = Stage()
    stage.add()
    process = stage.begin()
    await process.task

    ids = {f["rotation_id"] for _, e, _, f in process.actor.events if e.startswith("rotation.")}
    assert 1 == len(ids)
    assert 0 < fields(process, Event.KEY_DELIVERED)["danger_seconds"] < 0.5
    assert (
        fields(process, Event.KEY_DELIVERED)["danger_seconds"]
        == fields(process, Event.ROTATION_COMPLETED)["danger_seconds"]
        == stage.journal().history[0].danger_seconds
    )


@virtual
async def test_a_fault_in_the_store_is_met_again_and_again_until_the_key_is_delivered():
    stage = Stage()
    stage.add()
    stage.script += [("write", Fault.REFUSED), ("write", Fault.CRASH_INSIDE), ("write", Fault.LOST)]

    events = await stage.come_by()

    assert 3 == events.count("rotation.delivery_failed")
    assert "rotation.completed" in events
    assert stage.held() in stage.alive()


@virtual
async def test_a_reissued_key_that_the_provider_refuses_is_not_delivered_and_leaves():
    stage = Stage()
    stage.add(bounded=True)
    old = stage.held()
    accepts = stage.arize.accepts
    stage.arize.accepts = lambda raw: raw == old and accepts(raw)

    events = await stage.come_by()

    assert ["rotation.started", "rotation.key_refused", "policy.failed"] == events[:3]
    assert old == stage.held()
    stage.arize.accepts = accepts
    await stage.universe.rest()
    assert 1 == len(stage.alive())


@virtual
async def test_a_user_key_of_somebody_else_is_not_reissued_as_ours():
    stage = Stage()
    stage.add(bounded=True)
    other = stage.arize.add_user("other")
    stage.universe.subjects[0].born.creator = other
    stage.universe.subjects[0].born.actor = other
    old = stage.held()

    events = await stage.come_by()

    assert "policy.failed" in events
    assert old == stage.held()


@virtual
async def test_the_key_that_rotator_works_with_can_be_one_of_those_it_rotates():
    stage = Stage()
    stage.universe.add_management()
    old = stage.arize.management_key
    process = stage.begin()
    await process.task

    assert Event.MANAGEMENT_KEY_CHANGED in [event for _, event, _, _ in process.actor.events]
    new = stage.shelf.read("apps/management")[1]["api_key"]
    assert old != new
    assert process.world.issuer._current == Secret(new)
    await stage.universe.rest()
    assert not stage.arize.accepts(old)
    assert "policy.planned" in await stage.come_by()


def mints(label):
    return label.startswith(("refresh", "create"))


@virtual
async def test_a_mint_that_is_refused_after_one_that_left_no_trace_ends_the_rotation():
    stage = Stage()
    stage.add(bounded=True, strategy=Choice.REFRESH, lifetime=90 * DAY)
    stage.script = [("mint", Fault.DROPPED)]

    assert "rotation.mint_ambiguous" in await stage.come_by()

    journal = stage.journal()
    assert None is journal.rotation, "today's service never extends a key"
    assert ["failed"] == [record.outcome for record in journal.history]
    assert 2 == len(journal.doubted[0].mints), "the first may come true yet"


@virtual
async def test_a_replacement_that_is_refused_does_not_make_us_forget_the_grace_of_the_old_key():
    stage = Stage()
    stage.add(selector=Selector(name="ci"))
    stage.script = [("mint", Fault.LOST)]
    stage.universe.network.spreads = 12

    assert "rotation.key_refused" in await stage.come_by()

    stage.universe.network.spreads = 0
    assert "rotation.repaired" in await stage.come_by()
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


def forgets_to_take_back(stage, *, then=()):
    """The first refusal cannot be written down; ``then`` is what meets the mints after that."""
    stage.script = [("save", None), ("save", Fault.REFUSED), *(("mint", one) for one in then)]


@virtual
async def test_a_denied_mint_that_could_not_be_taken_back_ends_with_the_next_denial():
    stage = Stage()
    stage.add()
    forgets_to_take_back(stage, then=[Fault.DENIED] * 2)

    assert "rotation.failed" in await stage.come_by()
    assert 1 == len(stage.journal().rotation.mints), "the store did not take the failure"
    await stage.pause(120)
    assert "rotation.failed" in await stage.come_by()

    journal = stage.journal()
    assert None is journal.rotation
    assert ["failed"] == [record.outcome for record in journal.history]
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


@virtual
async def test_a_denied_mint_after_one_that_left_no_trace_ends_the_rotation():
    stage = Stage()
    stage.add()
    stage.script = [("mint", Fault.DROPPED), ("mint", Fault.DENIED)]

    assert "rotation.failed" in await stage.come_by()

    journal = stage.journal()
    assert None is journal.rotation
    assert 2 == len(journal.doubted[0].mints), "the first may come true yet"


@virtual
async def test_a_refused_key_whose_refusal_could_not_be_written_down_leaves_with_the_next():
    stage = Stage()
    stage.add(bounded=True)
    old = stage.held()
    accepts = stage.arize.accepts
    stage.arize.accepts = lambda raw: raw == old and accepts(raw)
    forgets_to_take_back(stage)

    assert "rotation.key_refused" in await stage.come_by()
    assert 1 == len(stage.journal().rotation.mints), "the store did not take the refusal"
    await stage.pause(120)
    assert "rotation.key_refused" in await stage.come_by()

    journal = stage.journal()
    assert None is journal.rotation
    assert ["failed"] == [record.outcome for record in journal.history]
    assert 2 == len(journal.retiring)
    stage.arize.accepts = accepts
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


@virtual
async def test_where_the_old_key_is_gone_before_a_new_one_came_a_person_can_name_another():
    stage = Stage(era="C")
    policy = stage.add(bounded=True, delivered=False)
    stage.script.append(("create", Fault.KILLED_BEFORE))
    await stage.come_by()
    await asyncio.sleep(7 * 86400)
    subject = stage.universe.subjects[0]

    assert ["rotation.failed", "policy.failed", "pass.completed"] == await stage.come_by()
    key_id, _ = stage.arize.seed_user_key("ci", created_at=now(), expires_at=now() + DAY)
    subject.policy = replace(policy, selector=Selector(id=key_id))

    assert "rotation.completed" in await stage.come_by(demanded=True)
    assert stage.arize.accepts(stage.held())


@virtual
async def test_the_key_that_rotator_works_with_stays_as_long_as_its_source_has_it():
    stage = Stage()
    stage.universe.add_management()
    old = stage.arize.management_key
    kept, stage.universe._management = stage.universe._management, lambda: Secret(old)
    await stage.come_by()
    await asyncio.sleep(3700)

    process = stage.begin()
    await process.ended()

    failed = fields(process, "rotation.retire_failed")
    assert failed["error"].endswith("is the key that rotator itself works with")
    assert stage.arize.accepts(old)
    stage.universe._management = kept
    await asyncio.sleep(3700)
    assert "rotation.retired" in await stage.come_by()
    assert not stage.arize.accepts(old)


@virtual
async def test_what_turns_up_of_a_rotation_that_was_given_up_leaves_when_nothing_else_is_there():
    stage = Stage(era="C")
    stage.add(bounded=True)
    subject = stage.universe.subjects[0]
    subject.acts.append("revoke")
    stage.script.append(("create", Fault.KILLED_BEFORE))
    await stage.come_by()
    [mint] = stage.journal().rotation.mints
    stage.arize.revoke(stage.arize.admin, subject.policy.selector.id)
    await asyncio.sleep(3700)
    assert "rotation.failed" in await stage.come_by()
    stage.arize.seed_user_key("ci", created_at=mint.at, expires_at=mint.expires_at)

    assert ["rotation.retired", "policy.failed"] == (await stage.come_by())[:2]
    assert [] == stage.alive()


@virtual
async def test_a_key_that_is_listed_and_cannot_be_found_is_not_taken_for_gone():
    stage = Stage()
    stage.add(bounded=True)
    await stage.come_by()
    await asyncio.sleep(3700)
    revoke = stage.arize.revoke

    def hidden(*_):
        raise Refused(404, "There is no such API key.")

    stage.arize.revoke = hidden
    told = await stage.come_by()
    stage.arize.revoke = revoke
    await asyncio.sleep(3700)

    assert "rotation.retire_failed" in told
    assert "rotation.retired" in await stage.come_by()
    assert [stage.held()] == stage.alive()


@virtual
async def test_a_refused_key_whose_answer_was_cut_off_is_found_and_revoked():
    stage = Stage()
    stage.universe.network.spreads = 30
    stage.add(bounded=True, selector=Selector(name="ci"))
    stage.script = [("create", Fault.TRUNCATED)]

    assert "rotation.key_refused" in await stage.come_by()
    assert 2 == len(stage.alive())

    stage.universe.network.spreads = 0
    await stage.universe.rest()
    stage.universe.assert_at_rest()
    assert [stage.held()] == stage.alive()


@virtual
async def test_of_a_key_whose_answer_was_cut_off_only_what_is_known_is_told():
    stage = Stage()
    stage.add()
    stage.script = [("refresh", Fault.TRUNCATED)]
    process = stage.begin()
    await process.ended()

    told = fields(process, Event.KEY_DELIVERED)
    assert Secret(stage.held()).redacted == told["redacted_key"]
    assert "key_id" not in told


class HalfClosed:
    """A store that takes nothing at the second target."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def write(self, held, secret, metadata):
        if held.target.path == "apps/ci/1":
            await asyncio.sleep(1)
            raise Unavailable("503")
        return await self._store.write(held, secret, metadata)


@virtual
async def test_a_target_that_has_not_taken_the_key_is_not_said_to_have_it():
    stage = Stage()
    stage.add(targets=2)
    stage.universe.around = lambda world: replace(world, store=HalfClosed(world.store))
    process = stage.begin()
    await process.ended(300)

    said = [one["target"] for _, event, _, one in process.actor.events if event in DELIVERED]
    assert ["apps/ci/0#api_key"] == said


DELIVERED = {Event.KEY_DELIVERED, Event.KEY_RESTORED}


@virtual
async def test_a_target_that_is_new_gets_the_key_in_use_without_a_rotation():
    stage = Stage()
    policy = stage.add(strategy=Choice.REISSUE)
    await stage.come_by()
    (subject,) = stage.universe.subjects
    more = replace(policy.targets[0], path="apps/ci/more")
    stage.shelf.put(more.path, sibling="theirs")
    stage.universe.change(subject, targets=(*policy.targets, more))

    assert "rotation.delivered" in await stage.come_by()

    assert stage.held() == stage.shelf.value(more)
    assert "theirs" == stage.shelf.read(more.path)[1]["sibling"]
    assert 1 == len(stage.journal().history)
    await stage.universe.rest()
    assert [stage.held()] == stage.alive(), "the old key is revoked in its time"


@pytest.mark.parametrize(("minutes", "level"), [(10, "warning"), (35, "error"), (55, "critical")])
@virtual
async def test_a_rotation_that_is_resumed_is_said_louder_the_less_grace_is_left(minutes, level):
    stage = Stage()
    stage.add()
    stage.script = [("refresh", Fault.KILLED_AFTER), ("create", Fault.LOST)]
    await stage.begin().ended()
    await asyncio.sleep(60 * minutes)
    process = stage.begin()
    await process.ended()

    levels = {event: told for _, event, told, _ in process.actor.events if told}
    assert level == levels[Event.ROTATION_RESUMED] == levels[Event.MINT_AMBIGUOUS]
    assert 3600 - 60 * minutes == pytest.approx(
        fields(process, Event.MINT_AMBIGUOUS)["grace_seconds_left"], abs=60
    )


@pytest.mark.parametrize(("minutes", "level"), [(10, "info"), (35, "error"), (55, "critical")])
@virtual
async def test_who_finds_others_at_a_rotation_that_runs_out_of_time_says_so(minutes, level):
    """They may die at it, one after the other, and tell nobody."""
    stage = Stage()
    stage.add()
    stage.script = [("refresh", Fault.KILLED_AFTER)]
    await stage.begin().ended()
    await asyncio.sleep(60 * minutes)
    version, journal = stage.shelf.journals["ci"]
    theirs = Lease(owner="other", taken_at=now(), until=now() + timedelta(minutes=2))
    stage.shelf.journals["ci"] = version + 1, journal.model_copy(update={"lease": theirs})
    process = stage.begin()
    await asyncio.sleep(10)

    told = [said for _, event, said, _ in process.actor.events if event == "policy.skipped_locked"]
    assert level == told[0]


@pytest.mark.parametrize("hours", [-72, -1.5, 1.5, 72])
@virtual
async def test_a_machine_whose_clock_is_hours_off_begins_nothing_and_keeps_nobody_away(hours):
    stage = Stage()
    stage.add()
    lost = stage.begin()
    lost.actor.jump = timedelta(hours=hours)
    await lost.ended()
    assert "clock_is_astray" == fields(lost, Event.POLICY_FAILED)["error_code"]
    assert [stage.held()] == stage.alive()

    assert ROTATED == await stage.come_by()


@pytest.mark.parametrize("hours", [-72, 72])
@virtual
async def test_a_key_on_the_disk_of_such_a_machine_is_delivered_and_the_rest_is_for_others(hours):
    stage = Stage(disks=1)
    stage.add()
    stage.script = [("write", Fault.KILLED_BEFORE)]
    await stage.begin().ended()
    lost = stage.begin()
    lost.actor.jump = timedelta(hours=hours)
    await asyncio.sleep(60)
    await lost.ended()
    assert "rotation.restored" in said(lost)
    assert "clock_is_astray" == fields(lost, Event.POLICY_FAILED)["error_code"]

    assert "rotation.completed" in await stage.come_by(), "its lease binds nobody"
    assert stage.arize.accepts(stage.held())


class HeldUp:
    """A store whose first answer to a preflight comes when the process is awake again."""

    def __init__(self, store, *seconds):
        self._store, self._seconds = store, list(seconds)

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def preflight(self, *args, **options):
        await self._store.preflight(*args, **options)
        if self._seconds:
            await asyncio.sleep(self._seconds.pop())


@virtual
async def test_a_store_that_is_always_slow_keeps_no_rotation_from_being_begun():
    stage = Stage()
    stage.add()
    slow = lambda world: replace(world, store=HeldUp(world.store, *[31] * 9))  # noqa: E731
    stage.universe.around = slow

    assert "rotation.completed" in await stage.come_by()
    assert 2 == len(stage.requests("preflight"))


@pytest.mark.parametrize(("seconds", "looks"), [(29, 1), (31, 2)])
@virtual
async def test_who_was_held_up_between_a_look_and_its_intent_looks_again(seconds, looks):
    """A window may be over by then, or the key replaced."""
    stage = Stage()
    stage.add()
    stage.universe.around = lambda world: replace(world, store=HeldUp(world.store, seconds))

    assert "rotation.completed" in await stage.come_by()

    assert looks == len(stage.requests("preflight"))
    assert 1 == len(stage.journal().history)


@virtual
async def test_of_several_targets_that_are_empty_one_that_is_closed_keeps_no_other_waiting():
    stage = Stage()
    policy = stage.add()
    await stage.come_by()
    (subject,) = stage.universe.subjects
    more = [replace(policy.targets[0], path=f"apps/ci/{at}") for at in (1, 2)]
    stage.universe.change(subject, targets=(*policy.targets, *more))
    stage.universe.around = lambda world: replace(world, store=HalfClosed(world.store))

    assert "policy.failed" in await stage.come_by()

    assert [None, stage.held()] == [stage.held(at=1), stage.held(at=2)]
    assert stage.journal().lease is None


@virtual
async def test_a_key_that_arrives_when_its_rotation_has_ended_without_it_leaves_in_its_time():
    """Who delivered it was stopped for long: it is in the store, and perhaps in use."""
    stage = Stage()
    stage.add(strategy=Choice.REISSUE, on_drift=OnDrift.ROTATE)
    stage.script = [("create", Fault.ASLEEP)]
    late = stage.begin()
    await asyncio.sleep(60)
    stage.universe.network.spreads = 30
    stage.script += [("create", Fault.TRUNCATED)]
    assert "rotation.key_refused" in await stage.come_by()
    stage.universe.network.spreads = 0
    stage.universe.subjects[0].policy = replace(
        stage.universe.subjects[0].policy, max_age=300 * DAY
    )

    await late.ended()
    stage.arize.authenticate(stage.held())
    await stage.universe.rest()

    assert [stage.held()] == stage.alive()


@virtual
async def test_a_wait_for_a_moment_that_a_wrong_clock_has_written_is_not_slept_through():
    stage = Stage()
    stage.add()
    stage.script = [("refresh", Fault.KILLED_BEFORE)]
    await stage.begin().ended()
    _, journal = stage.shelf.journals["ci"]
    ahead = timedelta(minutes=55)
    (mint,) = journal.rotation.mints
    wrong = mint.model_copy(update={"at": mint.at + ahead})
    rotation = journal.rotation.model_copy(update={"mints": (wrong,)})
    stage.shelf.journals["ci"] = (1, journal.model_copy(update={"rotation": rotation}))

    await asyncio.sleep(60)
    process = stage.begin()
    await process.ended(2700)

    assert "policy.failed" in said(process), "and not after 55 minutes"


@virtual
async def test_once_a_rotation_is_over_the_rules_that_were_written_meanwhile_count():
    """An orphan may be in a target that only they name."""
    stage = Stage()
    policy = stage.add(strategy=Choice.REISSUE)
    (subject,) = stage.universe.subjects
    more = replace(policy.targets[0], path="apps/ci/more")

    def write(event, **_):
        if event == Event.KEY_VERIFIED:
            stage.universe.change(subject, targets=(*policy.targets, more))

    stage.universe.listeners.append(write)
    await stage.come_by()

    assert stage.held() == stage.shelf.value(more), "in the same look"
