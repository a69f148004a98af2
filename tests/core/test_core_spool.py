"""The sealed spool: what a machine's disk saves when its process dies between answer and write."""

import asyncio

import pytest
from sim_network import Fault
from sim_stage import Stage, fields, said, virtual

from rotator.model import Spooled
from rotator.secrets import Secret


async def died_before_the_write(stage):
    """A process minted, wrote to its disk and was gone; the lease runs out."""
    stage.script = [("write", Fault.KILLED_BEFORE)]
    process = stage.begin()
    await process.ended()
    assert process.actor.dead
    await stage.pause(40)


def mints(stage):
    return [label for label in stage.requests() if label.startswith(("create", "refresh"))]


@pytest.mark.parametrize("bounded", [False, True], ids=["refresh", "reissue"])
@virtual
async def test_the_key_of_a_process_that_died_is_delivered_by_the_next_on_this_machine(bounded):
    stage = Stage(disks=1)
    stage.add(bounded=bounded)
    await died_before_the_write(stage)

    process = stage.begin()
    await process.ended()

    assert "rotation.restored" in said(process)
    assert "rotation.completed" in said(process)
    assert 1 == len(mints(stage)), "no second key"
    assert stage.held() == stage.alive()[-1]
    assert {} == stage.disk.entries
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


@virtual
async def test_another_machine_knows_nothing_of_the_disk_and_mints_again():
    stage = Stage(disks=1)
    stage.add()
    await died_before_the_write(stage)
    stage.universe.disks = []

    assert "rotation.repaired" in await stage.come_by()


@virtual
async def test_a_spooled_key_whose_rotation_was_finished_elsewhere_is_destroyed_unopened():
    stage = Stage(disks=1)
    stage.add()
    await died_before_the_write(stage)
    disks, stage.universe.disks = stage.universe.disks, []
    await stage.come_by()
    stage.universe.disks = disks
    stage.trace.clear()

    events = await stage.come_by()

    assert "rotation.spooled_key_destroyed" in events
    assert {} == stage.disk.entries
    assert [] == stage.requests("open")


@virtual
async def test_a_spooled_key_that_the_provider_refuses_is_destroyed_and_another_one_minted():
    stage = Stage(disks=1)
    stage.add(bounded=True)
    await died_before_the_write(stage)
    minted = stage.arize.keys[-1]
    minted.raw = f"{minted.raw[:20]}another{minted.raw[27:]}"

    process = stage.begin()
    await process.ended()

    destroyed = fields(process, "rotation.spooled_key_destroyed")
    assert "spooled_key_is_refused" == destroyed["reason"]
    assert "rotation.repaired" in said(process)
    assert {} == stage.disk.entries


@pytest.mark.parametrize("fault", [Fault.FULL, Fault.SLOW])
@virtual
async def test_a_disk_that_is_full_or_slow_costs_neither_the_key_nor_much_time(fault):
    stage = Stage(disks=1)
    stage.add()
    stage.script = [("spool", fault)]

    process = stage.begin()
    await process.ended()

    assert "rotation.completed" in said(process)
    failed = fields(process, "rotation.spool_failed")
    assert "temporary" == failed["error_code"]
    assert said(process).index("rotation.delivered") < said(process).index("rotation.spool_failed")
    await stage.pause(60)
    assert {} == stage.disk.entries, "a slow write does not come back after the end"


@virtual
async def test_a_disk_that_keeps_what_is_to_be_destroyed_stops_nobody():
    stage = Stage(disks=1)
    stage.add()
    stage.script = [("destroy", Fault.FULL)]

    assert "rotation.completed" in await stage.come_by()
    assert 1 == len(stage.disk.entries)
    assert "rotation.spooled_key_destroyed" in await stage.come_by()
    assert {} == stage.disk.entries


@virtual
async def test_a_seal_that_cannot_be_broken_for_want_of_a_permission_is_no_obstacle():
    stage = Stage(disks=1)
    stage.add()
    await died_before_the_write(stage)
    stage.script = [("open", Fault.DENIED)] * 9

    assert "rotation.repaired" in await stage.come_by()


@virtual
async def test_while_the_store_is_down_a_seal_is_not_given_up():
    stage = Stage(disks=1)
    stage.add()
    await died_before_the_write(stage)
    stage.script = [("open", Fault.REFUSED)]

    events = await stage.come_by()

    assert "policy.retrying" in events
    assert "rotation.restored" in events


@virtual
async def test_without_the_provider_a_spooled_key_waits():
    stage = Stage(disks=1)
    stage.add()
    await died_before_the_write(stage)
    stage.script = [("try", Fault.REFUSED)]

    events = await stage.come_by()

    assert ["policy.retrying", "rotation.restored"] == [
        event for event in events if event in {"policy.retrying", "rotation.restored"}
    ]


@virtual
async def test_a_spooled_key_yields_to_whoever_replaced_it_meanwhile():
    stage = Stage(disks=1, refresh_keeps_id=True)
    stage.add()
    await died_before_the_write(stage)
    stage.script = [("try", Fault.PAUSED_AFTER)]
    slow = stage.begin()
    await stage.pause(10)
    slow.actor.stop_until(asyncio.get_running_loop().time() + 300)
    await stage.pause(80)
    stage.universe.disks = []
    await stage.come_by()
    winner = stage.held()
    await slow.ended()

    assert winner == stage.held()
    await stage.universe.rest()
    assert [stage.held()] == stage.alive()


def test_an_entry_shows_nothing_of_its_key():
    assert "raw" not in repr(Spooled("ci", "0" * 16, 1, Secret("ak-raw-raw-raw-raw-raw")))
