"""Two policies whose keys have one name: neither takes the other's for what it lost itself."""

import asyncio
from dataclasses import replace

import pytest
from sim_network import Fault
from sim_stage import Stage, virtual

from rotator.errors import Unreadable
from rotator.model import Choice


def two_of_one_name(strategy):
    stage = Stage(era="B")
    for name in ("one", "two"):
        bounded = strategy is Choice.REISSUE
        stage.add(name, key_name="ci", bounded=bounded, strategy=strategy)
    return stage


@pytest.mark.parametrize("strategy", [Choice.REFRESH, Choice.REISSUE])
@pytest.mark.parametrize("fault", [Fault.DROPPED, Fault.LOST])
@virtual
async def test_a_neighbours_new_key_is_not_taken_for_a_lost_one(strategy, fault):
    stage = two_of_one_name(strategy)
    stage.script.append(("refresh" if strategy is Choice.REFRESH else "create", fault))

    for _ in range(3):
        await stage.come_by()
        await asyncio.sleep(3700)

    held = {stage.held("one"), stage.held("two")}
    assert 2 == len(held)
    assert held == set(stage.alive("ci"))


class Newer:
    """A store in which a newer rotator has written the journal of "two"."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def load(self, policy):
        if policy == "two":
            raise Unreadable("was written by a newer rotator", remedy="upgrade this one")
        return await self._store.load(policy)


@virtual
async def test_a_neighbour_whose_journal_cannot_be_read_keeps_no_key_waiting():
    stage = two_of_one_name(Choice.REISSUE)
    stage.universe.around = lambda world: replace(world, store=Newer(world.store))
    stage.script.append(("create", Fault.LOST))

    await stage.come_by()

    assert stage.held("one") != stage.universe.subjects[0].born.raw
    assert stage.arize.accepts(stage.held("one"))
