"""Hooks: told of every rotation that is done, by whoever comes by, and in nobody's way."""

import asyncio
from datetime import timedelta

import pytest
from sim_network import Fault
from sim_stage import DAY, HOUR, Stage, fields, said, until, virtual

from rotator.events import Event
from rotator.runner import Ending, Runner

SENT, FAILED, GIVEN_UP = Event.NOTIFY_SENT, Event.NOTIFY_FAILED, Event.NOTIFY_GIVEN_UP


def hooked(*hooks, **options):
    stage = Stage()
    stage.add(hooks=hooks or ("web",), **options)
    return stage


def told(process, name):
    return [fields for _, event, _, fields in process.actor.events if event == name]


class Hanging:
    """A hook that never comes back, and says so when it is ended."""

    kind = "command"
    timeout = timedelta(seconds=20)

    def __init__(self):
        self.began = self.ended = 0

    async def tell(self, _):
        self.began += 1
        try:
            await asyncio.sleep(1e9)
        finally:
            self.ended += 1


@virtual
async def test_hooks_hear_of_a_rotation_once_it_is_recorded():
    stage = hooked("web", "mail")

    events = await stage.come_by()

    assert ["rotation.completed", "notify.sent", "notify.sent"] == events[4:7]
    done = stage.journal().history[0].rotation
    assert {f"{done}:web", f"{done}:mail"} == stage.universe.judge.heard
    assert () == stage.journal().notices


@virtual
async def test_it_takes_two_writes_and_no_listing():
    stage = hooked("web", "mail")
    await stage.come_by()

    requests = stage.requests()
    done = stage.journal().history[0].rotation
    hooks = [f"hook {done}:web", f"hook {done}:mail"]
    assert ["save ci", "save ci", *hooks, "save ci"] == requests[-5:]
    assert 1 == len(stage.requests("list"))


@virtual
async def test_the_event_tells_which_rotation_and_which_hook():
    stage = hooked(bounded=True)
    process = stage.begin()
    await process.task

    record = stage.journal().history[0]
    sent = fields(process, SENT)
    assert 0 < sent.pop("duration_seconds") < 1
    assert {
        "policy": "ci",
        "reason": "key_near_expiry",
        "key_id": record.key_id,
        "redacted_key": record.redacted,
        "expires_at": record.expires_at,
        "rotation_id": record.rotation,
        "hook": "web",
        "kind": "http",
        "attempt": 1,
    } == sent


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST, Fault.DENIED, Fault.CRASH_INSIDE])
@virtual
async def test_one_that_fails_is_tried_again_and_the_rotation_stands(fault):
    stage = hooked()
    stage.script += [("hook", fault)] * 3

    process = stage.begin()
    (result,) = await process.task

    assert [1, 2, 3] == [one["attempt"] for one in told(process, FAILED)]
    assert [4] == [one["attempt"] for one in told(process, SENT)]
    assert (Ending.WELL, 1) == (result.ending, len(stage.journal().history))
    assert stage.held() in stage.alive()


@virtual
async def test_what_went_wrong_is_told_without_the_words_of_an_unknown_error():
    stage = hooked()
    stage.script += [("hook", Fault.DENIED), ("hook", Fault.CRASH_INSIDE)]
    process = stage.begin()
    await process.task

    assert [
        ("403", "notpermitted"),
        ("RuntimeError in the http hook", "temporary"),
    ] == [(one["error"], one["error_code"]) for one in told(process, FAILED)]


@virtual
async def test_a_service_that_asks_for_time_gets_it():
    stage = hooked()
    stage.script.append(("hook", Fault.THROTTLED))
    process = stage.begin()
    await process.task

    ((failed, retry_at),) = [
        (moment, one["retry_at"])
        for moment, event, _, one in process.actor.events
        if event == FAILED
    ]
    (sent,) = [moment for moment, event, _, _ in process.actor.events if event == SENT]
    assert retry_at - failed > timedelta(seconds=1)
    assert sent >= retry_at - timedelta(seconds=2)


@virtual
async def test_a_pass_that_runs_out_of_patience_is_behind_and_the_next_one_tells():
    stage = hooked()
    stage.script += [("hook", Fault.REFUSED)] * 100
    process = stage.begin()
    (result,) = await process.task

    assert (Ending.BEHIND, True) == (result.ending, result.rotated)
    assert 1 == fields(process, Event.PASS_COMPLETED)["behind"]
    assert "policy.failed" not in said(process)
    assert "notification_is_due" == fields(process, Event.POLICY_PLANNED)["reason"]
    stage.script.clear()
    await asyncio.sleep(600)
    assert "notify.sent" in await stage.come_by()


@virtual
async def test_a_process_that_dies_after_the_record_is_stood_in_for():
    stage = hooked()
    process = stage.begin()
    await until(lambda: stage.shelf.journals.get("ci") and stage.journal().history)
    process.actor.kill()

    assert set() == stage.universe.judge.heard
    assert "notify.sent" in await stage.come_by()


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
@virtual
async def test_one_that_dies_in_the_middle_counts_and_others_wait_for_its_booking(fault):
    stage = hooked()
    stage.script.append(("hook", fault))
    await stage.begin().ended()
    booked_until = stage.journal().notices[0].at

    process = stage.begin()
    await process.ended()

    ((moment, attempt),) = [
        (moment, one["attempt"]) for moment, event, _, one in process.actor.events if event == SENT
    ]
    assert 2 == attempt
    assert timedelta(seconds=-1) < moment - booked_until < timedelta(seconds=3)


@virtual
async def test_of_three_processes_that_look_at_once_one_tells():
    stage = hooked()
    first = stage.begin()
    await until(lambda: stage.shelf.journals.get("ci") and stage.journal().history)
    first.actor.kill()

    processes = [stage.begin() for _ in range(3)]
    await asyncio.gather(*(process.task for process in processes))

    assert 1 == sum(len(told(process, SENT)) for process in processes)
    assert 1 == len(stage.requests("hook"))


@virtual
async def test_a_policy_that_needs_a_person_tells_its_hooks_first():
    stage = hooked()
    process = stage.begin()
    await until(lambda: stage.shelf.journals.get("ci") and stage.journal().history)
    process.actor.kill()
    stage.universe.excused = lambda _: True
    for key in stage.arize.keys:
        key.revoked = key.raw != stage.arize.management_key
    await asyncio.sleep(60)

    assert ["notify.sent", "policy.failed", "pass.completed"] == await stage.come_by()


@virtual
async def test_one_that_hangs_is_ended_in_its_time():
    stage = hooked()
    hook = Hanging()
    process = stage.universe.process("cron")
    process.world.hooks["ci"]["web"] = hook
    stage.universe.settled()
    runner = Runner(process.world, process.reconciler, concurrency=1)
    await runner.look(stage.universe.policies[0])

    (failed,) = told(process, FAILED)
    assert "it took longer than 20 s and was ended" == failed["error"]
    assert (20, 1, 1) == (round(failed["duration_seconds"]), hook.began, hook.ended)


@virtual
async def test_one_that_hangs_does_not_keep_another_policy_waiting():
    stage = hooked()
    stage.add("other")
    process = stage.universe.process("cron")
    process.world.hooks["ci"]["web"] = hook = Hanging()
    stage.universe.settled()
    runner = Runner(process.world, process.reconciler, concurrency=1)
    first = asyncio.create_task(runner.look(stage.universe.policies[0]))
    await until(lambda: hook.began)

    await asyncio.wait_for(runner.look(stage.universe.policies[1]), 5)

    assert 0 == hook.ended
    first.cancel()
    await asyncio.wait({first})
    assert 1 == hook.ended


@virtual
async def test_others_may_write_the_journal_while_a_hook_is_told():
    stage = hooked()
    stage.script += [("hook", Fault.REFUSED)]
    process = stage.begin()
    await until(lambda: stage.requests("hook"))
    stage.script.append(("save", Fault.FOREIGN_WRITE))
    await process.task

    assert [1, 2] == [one["attempt"] for one in [*told(process, FAILED), *told(process, SENT)]]
    assert () == stage.journal().notices


@virtual
async def test_an_outcome_that_cannot_be_written_down_is_told_once_more():
    stage = hooked()
    process = stage.begin()
    await until(lambda: stage.requests("hook"))
    stage.script.append(("save", Fault.REFUSED))
    await process.task

    assert [1, 2] == [one["attempt"] for one in told(process, SENT)]
    assert () == stage.journal().notices


@virtual
async def test_a_demand_that_was_met_is_not_made_again_when_a_hook_or_the_store_fails():
    stage = hooked()
    stage.script += [("hook", Fault.REFUSED)] * 2
    process = stage.begin(demanded=True)
    await until(lambda: stage.shelf.journals.get("ci") and stage.journal().history)
    stage.script.append(("save", Fault.REFUSED))
    (result,) = await process.task

    assert (Ending.WELL, True) == (result.ending, result.rotated)
    assert {"policy.retrying", "notify.failed", "notify.sent"} <= set(said(process))
    assert 1 == len(stage.journal().history)


@virtual
async def test_one_that_does_not_work_for_a_day_is_given_up():
    stage = hooked()
    stage.script += [("hook", Fault.DENIED)] * 10_000
    stage.universe.settled()
    process = stage.universe.daemon()
    await asyncio.sleep(26 * 3600)
    process.stop.set_result("SIGTERM")
    await process.task

    (given_up,) = told(process, GIVEN_UP)
    tries = len(told(process, FAILED))
    assert 250 < tries < 700
    assert (tries + 1, "403") == (given_up["attempt"], given_up["error"])
    assert () == stage.journal().notices
    moment = next(moment for moment, event, _, _ in process.actor.events if event == GIVEN_UP)
    assert DAY <= moment - stage.journal().history[0].finished_at < DAY + HOUR / 6


@virtual
async def test_one_that_nobody_has_any_more_is_given_up_and_says_what_it_may_be():
    stage = hooked()
    stage.script += [("hook", Fault.REFUSED)] * 100
    await stage.come_by()
    process = stage.universe.process("cron")
    process.world.hooks["ci"].clear()
    runner = Runner(process.world, process.reconciler, concurrency=1)
    await asyncio.sleep(25 * 3600)
    await runner.look(stage.universe.policies[0])

    (given_up,) = told(process, GIVEN_UP)
    assert ("notfound", None) == (given_up["error_code"], given_up["kind"])
    assert "renamed or removed" in given_up["remedy"]
    assert () == stage.journal().notices


@virtual
async def test_a_rotation_that_is_forgotten_is_not_told():
    stage = hooked()
    stage.script += [("hook", Fault.REFUSED)] * 100
    await stage.come_by()
    version, journal = stage.shelf.journals["ci"]
    stage.shelf.journals["ci"] = (version + 1, journal.model_copy(update={"history": ()}))
    await asyncio.sleep(600)
    process = stage.begin()
    await process.task

    assert (
        "the rotation is forgotten: there were too many since"
        == (told(process, GIVEN_UP)[0]["error"])
    )
    assert () == stage.journal().notices
