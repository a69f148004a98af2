"""What is said while there is time: an old key still in use, and failures as the expiry nears."""

import asyncio

import pytest
from sim_network import Fault
from sim_services import now
from sim_stage import DAY, HOUR, MINUTE, Stage, fields, said, until, virtual

from rotator.model import Choice, RetireWhen
from rotator.sandbox.arize_model import Refused


def run(stage):
    stage.universe.settled()
    return stage.universe.daemon()


async def used_every(stage, raw, period, times):
    """A consumer that has not heard of the new key."""
    for _ in range(times):
        await asyncio.sleep(period.total_seconds())
        stage.arize.authenticate(raw)


def levels(process, event):
    return [level for _, name, level, _ in process.actor.events if name == event]


@virtual
async def test_an_old_key_that_is_used_late_in_its_grace_is_named_before_it_ends():
    stage = Stage()
    stage.add(bounded=True)
    old = stage.arize.keys[-1]
    process = run(stage)
    await used_every(stage, old.raw, 5 * MINUTE, 9)
    last_used = now()
    await asyncio.sleep(600)

    warned = fields(process, "rotation.old_key_in_use")
    assert (old.id, old.redacted) == (warned["key_id"], str(warned["redacted_key"]))
    assert last_used == warned["last_used_at"]
    [entry] = stage.journal().retiring
    assert entry.at == warned["old_valid_until"] > now()


@virtual
async def test_an_old_key_that_nobody_uses_is_not_mentioned():
    stage = Stage()
    stage.add(bounded=True)
    process = run(stage)
    await asyncio.sleep(7200)

    assert "rotation.retired" in said(process)
    assert "rotation.old_key_in_use" not in said(process)


@virtual
async def test_with_when_idle_the_old_key_works_until_it_has_been_idle_for_its_grace():
    stage = Stage()
    stage.add(bounded=True, retire=RetireWhen.WHEN_IDLE)
    old = stage.arize.keys[-1]
    process = run(stage)
    await used_every(stage, old.raw, 30 * MINUTE, 6)
    assert stage.arize.accepts(old.raw), "used for three hours"

    await asyncio.sleep(3500)
    assert stage.arize.accepts(old.raw)
    await asyncio.sleep(120)
    assert not stage.arize.accepts(old.raw)
    assert "rotation.retired" in said(process)


@virtual
async def test_with_when_idle_a_key_that_is_always_used_ends_a_week_after_its_grace():
    stage = Stage()
    stage.add(strategy=Choice.REISSUE, retire=RetireWhen.WHEN_IDLE)
    old = stage.arize.keys[-1]
    run(stage)

    await used_every(stage, old.raw, 30 * MINUTE, 2 * 24 * 7)
    assert stage.arize.accepts(old.raw)
    with pytest.raises(Refused):
        await used_every(stage, old.raw, 30 * MINUTE, 5)


@virtual
async def test_failures_are_said_louder_and_louder_while_the_key_can_still_be_saved():
    stage = Stage()
    stage.add(bounded=True)
    process = run(stage)
    network, calm = stage.universe.network, stage.universe.network._choose
    network._choose = lambda _, kind, __: Fault.REFUSED if kind == "mint" else None
    await asyncio.sleep((6 * DAY - HOUR).total_seconds())

    heard = levels(process, "policy.retrying")
    assert ["warning", "error", "critical"] == sorted(set(heard), key=heard.index)
    assert heard == sorted(heard, key=["warning", "error", "critical"].index)
    network._choose = calm
    await until(lambda: "rotation.completed" in said(process))
