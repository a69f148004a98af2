"""No runaway: whatever is done again and again, one rotation of a policy in ``min_interval``."""

import asyncio

import pytest
from sim_services import now
from sim_stage import HOUR, MINUTE, Stage, virtual

from rotator.events import Event
from rotator.model import Choice, OnDrift

EVERY, FOR = 10 * MINUTE, 12 * HOUR
#: The first one, which was due, and one an hour.
MOST = 1 + FOR // HOUR
STARTED, COMPLETED = Event.ROTATION_STARTED, Event.ROTATION_COMPLETED
#: By this a person knows what is wrong, and by its moment when it is repaired.
VERDICTS = {
    "store_holds_another_key",
    "store_holds_unknown_key",
    "store_holds_nothing",
    "key_was_refreshed_elsewhere",
}


def put_back(stage):
    """What the targets had before the last rotation, as `vault kv rollback` does."""
    former = stage.journal().history[0].old_redacted
    raw = next(key.raw for key in stage.arize.keys if key.redacted == former)
    write(stage, api_key=raw)


def scribble(stage):
    """Another text each time."""
    write(stage, api_key=f"ak-{now():%Y%m%d%H%M%S}{'x' * 36}")


def empty(stage):
    write(stage)


def refresh(stage, *, grace=HOUR):
    key = stage.arize.find(stage.journal().current.key_id)
    if key.usable(now()):
        stage.arize.refresh(stage.arize.admin, key.id, expires_at=key.expires_at, grace=grace)


def write(stage, **fields):
    """In the place of all that is there."""
    for target in stage.universe.policies[0].targets:
        stage.shelf.replace(target.path, fields)


async def pestered(act, *, bounded=False, strategy=Choice.AUTO, **options):
    """A daemon, and somebody who is at it every ten minutes for half a day."""
    stage = Stage(**options)
    stage.add(bounded=bounded, targets=2, strategy=strategy, on_drift=OnDrift.ROTATE)
    # What people do is not held against the program.
    stage.universe.subjects[0].acts.append(act.__name__)
    stage.universe.settled()
    process = stage.universe.daemon()
    await asyncio.sleep(300)
    for _ in range(FOR // EVERY):
        act(stage)
        await asyncio.sleep(EVERY.total_seconds())
    return stage, process.actor.events


def moments(events, name):
    return [at for at, event, _, _ in events if event == name]


def pauses(events):
    """From the end of each rotation to the beginning of the next."""
    started, completed = moments(events, STARTED), moments(events, COMPLETED)
    assert len(started) == len(completed)
    return [later - sooner for sooner, later in zip(completed, started[1:], strict=False)]


@pytest.mark.parametrize("strategy", Choice)
@pytest.mark.parametrize("act", [put_back, scribble, empty, refresh])
@virtual
async def test_what_is_done_every_ten_minutes_is_repaired_once_an_hour_and_told_until_then(
    act, strategy
):
    stage, events = await pestered(act, strategy=strategy, refresh_keeps_id=act is refresh)

    assert len(pauses(events)) == MOST - 1
    assert min(pauses(events)) >= HOUR
    told = [fields for _, event, _, fields in events if event == Event.POLICY_PLANNED]
    planned = {fields["next_at"] for fields in told if fields["reason"] in VERDICTS}
    last, *before = stage.journal().history
    assert last.reason in VERDICTS
    assert {one.finished_at + HOUR for one in before} <= planned


@pytest.mark.parametrize("grace", [10 * MINUTE, HOUR])
@virtual
async def test_one_that_would_end_of_it_is_replaced_sooner_when_half_of_its_rest_is_over(grace):
    """A refresh by hand under a new id leaves the policy's key a grace: that is all it has."""

    def refresh_anew(stage):
        refresh(stage, grace=grace)

    _, events = await pestered(refresh_anew, bounded=True)

    assert min(pauses(events)) >= grace / 2
    assert len(pauses(events)) <= FOR // EVERY, "no more often than somebody asked for it"
