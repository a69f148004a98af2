"""Two policies whose keys have one name, or that are about one key: neither harms the other's."""

import asyncio
from dataclasses import replace

import pytest
from sim_network import Fault
from sim_stage import DAY, Stage, virtual

from rotator.errors import NotPermitted, Unreadable
from rotator.model import Choice, Selector


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


NEWER = Unreadable("was written by a newer rotator", remedy="upgrade this one")
DENIED = NotPermitted("permission denied")


class Closed:
    """A store in which the journal of "two" cannot be read."""

    def __init__(self, store, error=NEWER):
        self._store, self._error = store, error

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def load(self, policy):
        if policy == "two":
            raise self._error
        return await self._store.load(policy)


@pytest.mark.parametrize("error", [NEWER, DENIED], ids=["newer", "denied"])
@pytest.mark.parametrize("strategy", [Choice.REFRESH, Choice.REISSUE])
@virtual
async def test_a_neighbour_whose_journal_cannot_be_read_keeps_no_key_waiting(strategy, error):
    """Nor does it lose one: what may be theirs is left alone, and what was lost is minted again."""
    stage = two_of_one_name(strategy)
    await stage.come_by()
    await asyncio.sleep(3700)
    theirs = stage.held("two")
    stage.universe.around = lambda world: replace(world, store=Closed(world.store, error))
    stage.script.append(("refresh" if strategy is Choice.REFRESH else "create", Fault.KILLED_AFTER))
    before = stage.held("one")

    one = stage.universe.subjects[0].policy
    process = stage.universe.once([one], demanded=True)
    stage.universe.subjects[0].demands += 1
    await process.ended()
    for _ in range(14):
        await asyncio.sleep(300)
        await stage.universe.come_by([one])
        assert stage.arize.accepts(stage.held("one"))

    assert before != stage.held("one")
    assert stage.arize.accepts(theirs)


# One key, named by its id and by its name.


def joined(stage, name="two"):
    """A second policy about the key of the first one, and what is in its store."""
    first = stage.universe.subjects[0]
    (target,) = first.policy.targets
    there = replace(target, path=f"apps/{name}/0")
    rules = replace(first.policy, name=name, selector=Selector(name="ci"), targets=(there,))
    stage.universe.add(rules, first.born, delivered=True)
    return stage.universe.subjects[-1]


@virtual
async def test_a_key_that_two_policies_are_about_is_not_rotated():
    stage = Stage(era="B")
    stage.add("one", key_name="ci")
    other = joined(stage)

    told = await stage.come_by()

    assert ["policy.failed", "policy.failed", "pass.completed"] == told
    assert [stage.held("one")] == stage.alive()
    stage.universe.subjects.remove(other)
    assert "rotation.completed" in await stage.come_by()


@virtual
async def test_an_old_key_that_another_policy_is_about_is_not_revoked():
    stage = Stage(era="C")
    stage.add("one", key_name="ci", strategy=Choice.REISSUE)
    await stage.come_by()
    other = joined(stage)
    other.policy = replace(other.policy, selector=Selector(id=other.born.id), suspend=True)
    await asyncio.sleep(3700)

    process = stage.begin()
    await process.ended()

    refused = [fields for _, event, _, fields in process.actor.events if event == "policy.failed"]
    assert [("one", "key_is_shared")] == [(one["policy"], one["error_code"]) for one in refused]
    assert "is the key of policy two too, whose consumers use it" in refused[0]["error"]
    assert stage.arize.accepts(stage.held("two"))
    stage.universe.subjects.remove(other)
    assert "rotation.retired" in await stage.come_by()


@pytest.mark.parametrize("named", [True, False], ids=["by its name", "by its id"])
@virtual
async def test_nor_is_one_that_another_policy_has_had_made(named):
    """Its configuration still gives the id of the key that is gone."""
    stage = Stage(era="C")
    stage.add("one", key_name="ci", strategy=Choice.REISSUE)
    await stage.come_by()
    await asyncio.sleep(3700)
    await stage.come_by()
    first, other = stage.universe.subjects[0], joined(stage)
    if not named:
        other.policy = replace(
            other.policy, selector=Selector(id=stage.journal("one").current.key_id)
        )
    stage.shelf.put("apps/two/0", api_key=stage.held("one"))
    await asyncio.sleep(31 * 86400)
    first.policy = replace(first.policy, max_age=90 * DAY)

    process = stage.begin()
    await process.ended()

    refused = [fields for _, event, _, fields in process.actor.events if event == "policy.failed"]
    assert [("two", "key_is_shared")] == [(one["policy"], one["error_code"]) for one in refused]
    assert stage.arize.accepts(stage.held("one"))


@virtual
async def test_the_keys_of_one_name_are_told_apart_by_their_journals():
    """Their first ids are listed no more, and a new process has seen neither."""
    stage = two_of_one_name(Choice.REISSUE)
    await stage.come_by()
    await asyncio.sleep(3700)
    await stage.come_by()
    await asyncio.sleep(60 * 86400)

    assert 2 == (await stage.come_by()).count("rotation.completed")


@virtual
async def test_whose_journal_cannot_be_read_has_the_key_that_it_gives_by_its_id():
    stage = Stage(era="B")
    stage.add("one", key_name="ci")
    other = joined(stage)
    other.policy = replace(other.policy, selector=Selector(id=other.born.id))
    stage.universe.around = lambda world: replace(world, store=Closed(world.store))

    assert "rotation.started" not in await stage.come_by()


@virtual
async def test_whose_journal_cannot_be_read_is_not_asked():
    stage = Stage(era="B")
    stage.add("one", key_name="ci")
    joined(stage)
    stage.universe.around = lambda world: replace(world, store=Closed(world.store))

    assert "rotation.completed" in await stage.come_by()
