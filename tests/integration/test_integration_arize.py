"""The adapter and the stand-in over loopback, in all eras; it is never told which one it meets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from rotator.adapters.arize import ArizeIssuer, ArizeOptions
from rotator.adapters.clock import SystemClock
from rotator.errors import (
    Ambiguous,
    NotFound,
    NotPermitted,
    Rejected,
    Temporary,
    Unauthenticated,
    Unavailable,
)
from rotator.events import Event
from rotator.keys import KeyStatus, KeyType, Order, Scope
from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.arize_faults import Fault
from rotator.sandbox.arize_model import ArizeOptions as Deployment
from rotator.sandbox.arize_state import SPACE
from rotator.sandbox.server import serving_in_thread
from rotator.secrets import Secret

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: The account is a live one; once read, this does not move between two lines of a case.
NOW = datetime.now(UTC).replace(microsecond=0)


class World:
    """An account of one era on a port, and an issuer that works with its management key."""

    def __init__(self, state, url, **options):
        self.state = state
        self.events = []
        self.clock = SystemClock(self._emit)
        settings = ArizeOptions(url, self._management_key, **options)
        self.issuer = ArizeIssuer(settings, clock=self.clock, emit=self._emit)

    def _emit(self, event, /, **fields):
        self.events.append((event, fields))

    async def _management_key(self):
        return Secret(self.state.management_key)

    async def names(self, scope=None):
        listing = await self.issuer.keys(scope or Scope())
        return sorted(key.name for key in listing.keys)

    async def listed(self, key_id, scope=None):
        listing = await self.issuer.keys(scope or Scope())
        return next((key for key in listing.keys if key.id == key_id), None)


@pytest.fixture(params=["A", "B", "C"])
def era(request):
    return request.param


class Port:
    """The one port that all tests share; each puts an account of its own there."""

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def served():
    """A port with nobody behind it yet, and its address."""
    port = Port()
    with serving_in_thread(port) as url:
        yield port, url


@pytest.fixture
async def open_account(served):
    """Puts an account on the port; answers the issuer and what is behind it."""
    port, url = served
    worlds = []

    def open_account(deployment, **options):
        state = live_state(deployment)
        port.app = arize_app(state)
        worlds.append(World(state, url, **options))
        return worlds[-1]

    yield open_account
    for world in worlds:
        await world.issuer.close()


@pytest.fixture
def world(open_account, era):
    return open_account(Deployment(era=era), timeout=timedelta(seconds=5))


async def test_a_key_is_listed_as_it_is(world):
    key_id, raw = world.state.seed_user_key("ci", expires_at=NOW + DAY, created_at=NOW - DAY)
    key = await world.listed(key_id)
    assert (key.name, key.type, key.status) == ("ci", KeyType.USER, KeyStatus.ACTIVE)
    assert (key.created_at, key.expires_at) == (NOW - DAY, NOW + DAY)
    assert key.redacted == Secret(raw).redacted


async def test_all_pages_are_read(world):
    names = sorted(f"key {number}" for number in range(250))
    for name in names:
        world.state.seed_user_key(name)
    assert await world.names() == sorted([*names, "management"])


async def test_service_keys_are_found_by_space_and_by_type(world):
    world.state.seed_service_key("bot")
    assert await world.names(Scope(space_id=SPACE)) == ["bot"]
    assert await world.names(Scope(space_id=SPACE, type=KeyType.SERVICE)) == ["bot"]


async def test_service_keys_are_found_by_type_before_anything_else_was_asked(world):
    world.state.seed_service_key("bot")
    assert await world.names(Scope(type=KeyType.SERVICE)) == ["bot"]


async def test_user_keys_are_found_by_type(world):
    assert await world.names(Scope(type=KeyType.USER)) == ["management"]


async def test_the_privileges_of_a_service_key_are_told_without_a_space_in_todays_era(world, era):
    key_id, _ = world.state.seed_service_key("bot")
    key = await world.listed(key_id, Scope(type=KeyType.SERVICE))
    in_space = await world.listed(key_id, Scope(space_id=SPACE))
    assert (key.bindings is not None) == (era == "C")
    assert in_space.bindings is None
    assert era != "C" or key.bindings == world.state.find(key_id).bindings


async def test_a_bot_user_that_cannot_be_looked_up_tells_no_privileges(world):
    key_id, _ = world.state.seed_service_key("bot")
    world.state.find(key_id).orphaned = True
    assert (await world.listed(key_id, Scope(type=KeyType.SERVICE))).bindings is None


async def test_a_refresh_gives_a_new_raw_key_and_the_old_one_its_grace(world):
    key_id, old = world.state.seed_user_key("ci")
    minted = await world.issuer.refresh(key_id, expires_at=None, grace=HOUR)
    assert await world.issuer.accepts(minted.secret) is True
    assert await world.issuer.accepts(Secret(old)) is True
    assert minted.key.name == "ci"
    assert minted.key.redacted.matches(minted.secret)


async def test_a_refresh_without_grace_ends_the_old_key(world):
    key_id, old = world.state.seed_user_key("ci")
    await world.issuer.refresh(key_id, expires_at=None, grace=timedelta(0))
    assert await world.issuer.accepts(Secret(old)) is False


@pytest.mark.parametrize("keeps_id", [True, False])
async def test_a_refresh_may_keep_the_id_or_not(open_account, era, keeps_id):
    world = open_account(Deployment(era=era, refresh_keeps_id=keeps_id))
    key_id, _ = world.state.seed_user_key("ci")
    minted = await world.issuer.refresh(key_id, expires_at=None, grace=HOUR)
    assert (minted.key.id == key_id) == keeps_id


async def test_a_refresh_to_the_very_expiry_is_allowed_everywhere(world):
    expires_at = datetime.now(UTC) + DAY
    key_id, _ = world.state.seed_user_key("ci", expires_at=expires_at)
    listed = await world.listed(key_id)
    minted = await world.issuer.refresh(key_id, expires_at=listed.expires_at, grace=HOUR)
    assert minted.key.expires_at == expires_at


async def test_only_todays_service_refuses_a_refresh_to_a_longer_life(world, era):
    key_id, old = world.state.seed_user_key("ci", expires_at=NOW + DAY)
    asked = world.issuer.refresh(key_id, expires_at=NOW + 30 * DAY, grace=HOUR)
    if era == "C":
        with pytest.raises(Rejected, match="must not be later"):
            await asked
    else:
        assert (await asked).key.expires_at == NOW + 30 * DAY
    assert await world.issuer.accepts(Secret(old)) is True


async def test_a_user_key_is_created_before_anything_is_known(world):
    order = Order("ci", KeyType.USER, description="for builds", expires_at=NOW + DAY)
    minted = await world.issuer.create(order)
    key = await world.listed(minted.key.id)
    assert (key.name, key.description, key.expires_at) == ("ci", "for builds", NOW + DAY)
    assert key.type is KeyType.USER


async def test_a_service_key_is_reissued_with_its_privileges(world):
    key_id, _ = world.state.seed_service_key("bot")
    bindings = world.state.find(key_id).bindings
    minted = await world.issuer.create(Order("bot", KeyType.SERVICE, bindings=bindings))
    assert world.state.find(minted.key.id).bindings == bindings
    assert minted.key.type is KeyType.SERVICE


async def test_a_removed_key_is_gone_and_may_be_removed_again(world):
    key_id, raw = world.state.seed_user_key("ci")
    for _ in range(3):
        await world.issuer.revoke(key_id)
    assert await world.issuer.accepts(Secret(raw)) is False
    assert await world.listed(key_id) is None


async def test_a_key_that_never_was_is_removed_but_not_refreshed(world):
    await world.issuer.revoke("QXBpS2V5Ojk5OTk=")
    with pytest.raises(NotFound):
        await world.issuer.refresh("QXBpS2V5Ojk5OTk=", expires_at=None, grace=HOUR)


async def test_a_key_without_the_right_to_list_is_still_accepted(world):
    _, raw = world.state.seed_service_key("bot")
    assert await world.issuer.accepts(Secret(raw)) is True
    assert await world.issuer.accepts(Secret("ak-nobody-ever-made-this-one")) is False


async def test_what_may_not_be_done_is_not_permitted(world):
    world.state.seed_service_key("theirs")
    stranger = world.state.add_user("stranger")
    _, raw = world.state.seed_user_key("mine", user=stranger)
    key = world.state.keys[1]
    world.issuer.adopt(Secret(raw))
    with pytest.raises(NotPermitted):
        await world.issuer.refresh(key.id, expires_at=None, grace=HOUR)


async def test_the_management_key_can_be_rotated_and_adopted(world):
    key = await world.listed(world.state.management_key_id)
    assert world.issuer.is_own(str(key.redacted)) is True
    minted = await world.issuer.refresh(key.id, expires_at=None, grace=timedelta(0))
    world.issuer.adopt(minted.secret)
    assert "management" in await world.names()
    assert world.issuer.is_own(str(key.redacted)) is False


async def test_a_management_key_that_a_person_replaced_is_picked_up(world):
    assert await world.names() == ["management"]
    _, world.state.management_key = world.state.seed_user_key("management 2")
    world.state.revoke(world.state.admin, world.state.management_key_id)
    assert await world.names() == ["management 2"]
    assert world.events == [(Event.MANAGEMENT_KEY_CHANGED, {"source": "arize.api_key"})]


async def test_a_management_key_that_is_revoked_needs_a_person(world):
    world.state.revoke(world.state.admin, world.state.management_key_id)
    with pytest.raises(Unauthenticated, match="missing, unknown, expired or revoked"):
        await world.names()


@pytest.mark.parametrize(
    ("fault", "error", "done"),
    [
        (Fault("refresh", "refused_before"), Ambiguous, 0),
        (Fault("refresh", "lost_after"), Ambiguous, 1),
        (Fault("refresh", "malformed"), Ambiguous, 1),
        (Fault("refresh", "truncated"), Ambiguous, 1),
        (Fault("refresh", "status_after", status=504), Ambiguous, 1),
        (Fault("refresh", "status", status=500), Ambiguous, 0),
        (Fault("refresh", "status", status=429, retry_after=7), Temporary, 0),
        (Fault("refresh", "status", status=422), Rejected, 0),
    ],
)
async def test_a_mint_that_went_wrong_is_as_certain_as_it_can_be(world, fault, error, done):
    key_id, _ = world.state.seed_user_key("ci")
    before = len(world.state.keys)
    world.state.faults.append(fault)
    with pytest.raises(error) as raised:
        await world.issuer.refresh(key_id, expires_at=None, grace=HOUR)
    assert len(world.state.keys) - before == done
    assert not isinstance(raised.value, Temporary) or raised.value.delay == timedelta(seconds=7)


async def test_a_mint_with_words_of_the_future_is_a_mint(world):
    key_id, _ = world.state.seed_user_key("ci")
    world.state.faults.append(Fault("refresh", "unknown_enum"))
    minted = await world.issuer.refresh(key_id, expires_at=None, grace=HOUR)
    assert await world.issuer.accepts(minted.secret) is True
    assert (minted.key.type, minted.key.status) == (KeyType.UNKNOWN, KeyStatus.UNKNOWN)


@pytest.mark.parametrize("kind", ["lost_after", "truncated", "malformed", "refused_before"])
async def test_a_listing_that_went_wrong_is_unavailable_and_works_the_next_time(world, kind):
    world.state.faults.append(Fault("list", kind))
    with pytest.raises(Unavailable):
        await world.names()
    assert await world.names() == ["management"]


async def test_a_service_that_is_too_slow_is_unavailable(open_account, era):
    slow = Deployment(era=era, latency=timedelta(seconds=2))
    world = open_account(slow, timeout=timedelta(seconds=0.5))
    with pytest.raises(Unavailable, match="nothing more within"):
        await world.names()


async def test_many_calls_share_few_connections(world):
    ids = [world.state.seed_user_key(f"key {number}")[0] for number in range(40)]
    refreshes = (world.issuer.refresh(one, expires_at=None, grace=HOUR) for one in ids)
    secrets = [minted.secret for minted in await asyncio.gather(*refreshes)]
    assert len(set(secrets)) == 40


async def test_the_clock_follows_an_account_that_is_ahead(world):
    ahead = timedelta(minutes=10)
    world.state.clock = lambda: datetime.now(UTC) + ahead
    listing = await world.issuer.keys(Scope())
    assert abs(listing.taken_at - datetime.now(UTC) - ahead) < timedelta(seconds=2)
    assert [event for event, _ in world.events] == [Event.CLOCK_SKEWED]
