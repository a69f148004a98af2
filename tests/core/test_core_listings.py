"""One listing a scope and a pass, however many want it."""

import asyncio
import gc
from datetime import timedelta

import pytest
from sim_network import Fault
from sim_stage import HOUR, MINUTE, Stage, said, virtual

from rotator.errors import Unavailable
from rotator.keys import KeyType, Scope
from rotator.listings import Listings
from rotator.model import Selector
from rotator.sandbox.arize_state import SPACE

USERS = Scope()


def listings(stage):
    world = stage.universe.process("any").world
    return Listings(world.issuer, world.clock), world.clock


@virtual
async def test_all_policies_of_a_scope_share_one_listing():
    stage = Stage()
    for name in "abcdef":
        stage.add(name, bounded=True)
    await stage.come_by()
    # No listing is trusted that may be older than what a journal tells, by whosever clock.
    await asyncio.sleep(5)
    stage.trace.clear()

    await stage.come_by()

    assert ["list"] == stage.requests("list")


@virtual
async def test_a_listing_from_just_before_a_rotation_is_not_trusted_by_a_clock_that_is_ahead():
    """Else what the other has refreshed under its id looks as if a stranger had."""
    stage = Stage(refresh_keeps_id=True)
    policy = stage.add()
    other = stage.universe.process("other")
    other.actor.skew = timedelta(seconds=1)
    await other.reconciler.gatherer.gather(policy)
    process = stage.begin()
    process.actor.skew = timedelta(seconds=-1)
    await process.ended()
    assert "rotation.completed" in said(process)
    await asyncio.sleep(30)

    (key,) = (await other.reconciler.gatherer.gather(policy)).keys

    assert stage.journal().current.redacted == str(key.redacted)


@virtual
async def test_a_key_of_which_only_the_id_is_known_is_looked_for_among_both_types():
    stage = Stage()
    stage.add("user", bounded=True)
    key_id, _ = stage.arize.seed_service_key("service")
    stage.add("service", bounded=True, selector=Selector(id=key_id))
    stage.universe.subjects[1].born = None
    await stage.come_by()

    assert "policy.planned" in await stage.come_by()
    assert 2 <= len(stage.requests("list"))


@virtual
async def test_the_privileges_that_a_space_does_not_show_come_from_the_whole_account():
    stage = Stage()
    selector = Selector(name="ci", space_id=SPACE)
    stage.add(bounded=True, service=True, selector=selector)

    assert "rotation.completed" in await stage.come_by()

    new = next(key for key in stage.arize.keys if key.raw == stage.held())
    assert stage.universe.subjects[0].born.bindings == new.bindings


@virtual
async def test_who_asks_at_once_waits_for_the_same_answer():
    stage = Stage()
    shared, _ = listings(stage)

    both = await asyncio.gather(shared.get(USERS), shared.get(USERS))

    assert both[0] is both[1]
    assert 1 == len(stage.requests("list"))


@virtual
async def test_an_older_answer_is_not_taken_where_a_newer_one_is_wanted():
    stage = Stage()
    shared, clock = listings(stage)
    first = await shared.get(USERS)

    assert first is await shared.get(USERS)
    assert first is not await shared.get(USERS, since=clock.now())


@virtual
async def test_an_answer_that_failed_is_asked_for_again():
    stage = Stage()
    shared, _ = listings(stage)
    stage.script.append(("list", Fault.REFUSED))

    with pytest.raises(Unavailable):
        await shared.get(USERS)

    assert await shared.get(USERS)


@virtual
async def test_one_who_is_cancelled_takes_the_answer_from_nobody():
    stage = Stage()
    shared, _ = listings(stage)
    first = asyncio.create_task(shared.get(USERS))
    second = asyncio.create_task(shared.get(USERS))
    await asyncio.sleep(0)

    first.cancel()

    assert await second
    assert first.cancelled()


@virtual
async def test_an_answer_that_fails_when_nobody_waits_any_more_is_no_complaint():
    stage = Stage()
    shared, _ = listings(stage)
    stage.script.append(("list", Fault.REFUSED))
    first = asyncio.create_task(shared.get(USERS))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.sleep(MINUTE.total_seconds())

    assert first.cancelled()
    # An exception that nobody has looked at fails every test here: see sim_loop.run.
    del shared, first
    gc.collect()


@virtual
async def test_scopes_are_apart():
    stage = Stage()
    stage.arize.seed_service_key("service")
    shared, _ = listings(stage)

    users = await shared.get(USERS)
    services = await shared.get(Scope(type=KeyType.SERVICE))

    assert {"management"} == set(users.by_name)
    assert {"service"} == set(services.by_name)


@virtual
async def test_a_clock_that_had_jumped_ahead_does_not_make_a_listing_newer_than_it_is():
    stage = Stage()
    stage.add()
    process = stage.universe.process("any")
    shared, process.actor.jump = process.reconciler.gatherer._listings, HOUR
    first = await shared.get(USERS)
    process.actor.jump = timedelta(0)
    await asyncio.sleep(1)

    assert first is not await shared.get(USERS, since=process.world.clock.now())
