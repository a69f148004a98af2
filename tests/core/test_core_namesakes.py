"""Which policies have a key of which name: by what they give, by a look, by a listing."""

import asyncio
from dataclasses import replace

import pytest
from pure_builders import NOW, key, policy

from rotator.errors import Unavailable
from rotator.keys import Listing, Scope
from rotator.listings import Listings
from rotator.model import Selector
from rotator.namesakes import Namesakes

NAMED = policy(name="named", selector=Selector(name="ci"))
GIVEN = policy(name="given", selector=Selector(id="id-old"))
LOST = policy(name="lost", selector=Selector(id="id-gone"))
ALL = (NAMED, GIVEN, LOST)


class Clock:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0


class Issuer:
    """Counts listings, and shows one key."""

    def __init__(self, error=None):
        self.asked, self._error = 0, error

    async def keys(self, _):
        self.asked += 1
        if self._error:
            raise self._error
        return Listing((key(),), NOW)


def told(namesakes, *names, policies=ALL):
    found = asyncio.run(namesakes.bearing(policies, names))
    return {(policy.name, name) for policy, name in found}


@pytest.fixture
def issuer():
    return Issuer()


@pytest.fixture
def namesakes(issuer):
    return Namesakes(Listings(issuer, Clock()))


def test_without_a_look_only_a_name_that_is_given_is_known_and_nothing_is_asked(namesakes, issuer):
    assert {("named", "ci"), ("given", None), ("lost", None)} == told(namesakes, "ci")
    assert {("given", None), ("lost", None)} == told(namesakes, "another name")
    assert 0 == issuer.asked


def test_a_look_tells_and_so_does_the_next_one(namesakes):
    namesakes.note(GIVEN, "ci")
    assert {("named", "ci"), ("given", "ci"), ("lost", None)} == told(namesakes, "ci")

    namesakes.note(GIVEN, "renamed")
    assert {("named", "ci"), ("lost", None)} == told(namesakes, "ci")
    assert ("given", "renamed") in told(namesakes, "ci", "renamed")


def test_a_listing_that_is_here_tells(issuer):
    async def listed():
        listings = Listings(issuer, Clock())
        await listings.get(Scope())
        return await Namesakes(listings).bearing(ALL, ["ci"])

    assert [(NAMED, "ci"), (GIVEN, "ci"), (LOST, None)] == sorted(
        asyncio.run(listed()), key=lambda one: ALL.index(one[0])
    )
    assert 1 == issuer.asked


def test_one_that_failed_does_not():
    async def failing():
        listings = Listings(Issuer(Unavailable("503")), Clock())
        with pytest.raises(Unavailable):
            await listings.get(Scope())
        return await Namesakes(listings).bearing((GIVEN,), ["ci"])

    assert [(GIVEN, None)] == asyncio.run(failing())


def test_who_gives_another_id_is_not_known_any_more(namesakes):
    namesakes.note(GIVEN, "ci")
    told(namesakes, "ci")
    changed = replace(GIVEN, selector=Selector(id="id-two"))

    assert ("given", None) in told(namesakes, "another name", policies=(changed,))


def test_who_is_configured_no_more_is_not_told(namesakes):
    namesakes.note(GIVEN, "ci")

    assert {("named", "ci")} == told(namesakes, "ci", policies=(NAMED,))


def test_policies_are_found_by_the_id_that_they_give(namesakes):
    other = policy(name="other", selector=Selector(id="id-old"))

    assert [GIVEN, other] == list(namesakes.giving((*ALL, other), "id-old"))
    assert [] == list(namesakes.giving(ALL, "id-two"))
