"""The Arize stand-in where the official SDK cannot look: options, privileges, faults, odd input.

What the SDK can judge is in `tests/contract/test_contract_arize_sdk.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random

import httpx
import pytest

from rotator.keys import Bindings, KeyType, LegacyBindings, OrgBinding, Role, SpaceBinding
from rotator.sandbox.arize import arize_app, live_state
from rotator.sandbox.arize_faults import Fault, Faults
from rotator.sandbox.arize_model import ArizeOptions
from rotator.sandbox.arize_state import ORGANIZATION, SPACE, ArizeState, opaque_id
from rotator.sandbox.server import serving

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
KEYS = "/v2/api-keys"
PLACE = {"org_id": ORGANIZATION, "spaces": [{"space_id": SPACE}]}


def predefined(name: str) -> dict[str, str]:
    return {"type": "PREDEFINED", "name": name}


def chance() -> Random:
    return Random(7)


class _Arize:
    """An account, its clock, and a client without a network."""

    def __init__(self, **options) -> None:
        self.now = START
        self.state = ArizeState(ArizeOptions(**options), clock=lambda: self.now, random=chance())
        transport = httpx.ASGITransport(arize_app(self.state))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://arize")

    async def ask(self, method: str, path: str, *, key: str | None = None, **rest):
        credential = {"authorization": f"Bearer {key or self.state.management_key}"}
        return await self._client.request(method, path, headers=credential, **rest)

    async def listed(self, **query):
        return (await self.ask("GET", KEYS, params=query)).json()["api_keys"]

    async def create(self, **body):
        return await self.ask("POST", KEYS, json=body)

    async def refresh(self, key_id: str, **body):
        return await self.ask("POST", f"{KEYS}/{key_id}/refresh", json=body)

    def user(self, name: str):
        """A user who is no admin, and a key of theirs."""
        user = self.state.add_user(name)
        return user, self.state.seed_user_key(f"{name}'s", user=user)[1]


@pytest.fixture
def arize():
    return _Arize()


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer nobody"}, {"authorization": "x"}])
async def test_who_cannot_say_a_key_is_told_so_as_a_problem(arize, header):
    answer = await arize._client.get(KEYS, headers=header)

    assert 401 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]
    assert {"title", "status", "type", "detail", "instance"} == set(answer.json())


async def test_answers_carry_the_time_of_the_account(arize):
    answer = await arize.ask("GET", KEYS)

    assert START == parsedate_to_datetime(answer.headers["date"])


async def test_raw_keys_are_in_no_repr(arize):
    assert arize.state.management_key not in repr(arize.state.keys)


async def test_a_management_key_can_rotate_itself(arize):
    state = arize.state
    answer = await arize.refresh(state.management_key_id, grace_period_seconds=60)

    assert state.accepts(answer.json()["key"])
    assert state.accepts(state.management_key)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/spaces", 404),
        ("PATCH", KEYS, 405),
        ("DELETE", f"{KEYS}/QXBp", 404),
        ("GET", f"{KEYS}/QXBp/refresh", 405),
    ],
)
async def test_what_is_not_there_is_a_problem_too(arize, method, path, status):
    answer = await arize.ask(method, path)

    assert status == answer.status_code
    assert status == answer.json()["status"]


async def test_the_oldest_era_knows_no_revoke():
    arize = _Arize(era="A")
    key_id, _ = arize.state.seed_user_key("ci")

    assert 404 == (await arize.ask("PUT", f"{KEYS}/{key_id}/revoke")).status_code


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "many"},
        {"cursor": "made-up"},
        {"cursor": "bm90IG91cnM="},
        {"status": "active"},
        {"key_type": "user"},
        {"key_type": "USER", "space_id": SPACE},
    ],
)
async def test_a_query_that_makes_no_sense_is_a_bad_request(arize, query):
    assert 400 == (await arize.ask("GET", KEYS, params=query)).status_code


@pytest.mark.parametrize(
    "body",
    [
        {"name": "ci"},
        {"name": "ci", "key_type": "user"},
        {"name": "ci", "key_type": "USER", "colour": "vermilion"},
        {"name": "n" * 257, "key_type": "USER"},
        {"name": "ci", "key_type": "USER", "expires_at": "2027-01-01T00:00:00"},
        {"name": "ci", "key_type": "USER", "organizations": [PLACE]},
        {"name": "ci", "key_type": "SERVICE"},
        {"name": "ci", "key_type": "SERVICE", "organizations": []},
        {"name": "ci", "key_type": "SERVICE", "organizations": [PLACE | {"spaces": []}]},
        {"name": "ci", "key_type": "SERVICE", "space_id": SPACE},
    ],
)
async def test_a_body_that_makes_no_sense_is_a_bad_request(arize, body):
    answer = await arize.create(**body)

    assert 400 == answer.status_code
    assert "vermilion" not in answer.json()["detail"]
    assert 1 == len(arize.state.keys)


async def test_a_body_that_is_no_json_is_a_bad_request(arize):
    assert 400 == (await arize.ask("POST", KEYS, content=b"{")).status_code


@pytest.mark.parametrize("seconds", [-1, 86401, "60", 1.5])
async def test_a_grace_that_is_none_is_a_bad_request(arize, seconds):
    key_id, raw = arize.state.seed_user_key("ci")

    assert 400 == (await arize.refresh(key_id, grace_period_seconds=seconds)).status_code
    assert arize.state.accepts(raw)


async def test_a_refresh_needs_no_body(arize):
    key_id, raw = arize.state.seed_user_key("ci")
    answer = await arize.ask("POST", f"{KEYS}/{key_id}/refresh")

    assert 200 == answer.status_code
    assert not arize.state.accepts(raw)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key_type": "user", "space_id": SPACE}, 400),
        ({"roles": {"space_role": "member"}}, 400),
        ({"key_type": "service"}, 400),
        ({"key_type": "service", "space_id": SPACE, "roles": {"space_role": "ANNOTATOR"}}, 400),
        ({"key_type": "USER"}, 400),
        ({}, 201),
    ],
)
async def test_the_older_eras_want_older_words(body, status):
    arize = _Arize(era="B")

    assert status == (await arize.create(name="ci", **body)).status_code


async def test_the_older_eras_fill_in_the_least_roles():
    arize = _Arize(era="A")
    made = (await arize.create(name="ci", key_type="service", space_id=SPACE)).json()

    expected = LegacyBindings(SPACE, "member", "read-only", "member")
    assert expected == arize.state.find(made["id"]).bindings


async def test_todays_service_fills_in_the_least_roles_and_keeps_the_others_exactly(arize):
    spaces = [{"space_id": SPACE}, {"space_id": "s2", "role": {"type": "CUSTOM", "id": "r1"}}]
    body = {"organizations": [{"org_id": ORGANIZATION, "spaces": spaces}]}
    made = (await arize.create(name="ci", key_type="SERVICE", **body)).json()

    bindings = (SpaceBinding(SPACE, Role(name="MEMBER")), SpaceBinding("s2", Role(id="r1")))
    organization = OrgBinding(ORGANIZATION, Role(name="READ_ONLY"), bindings)
    expected = Bindings((organization,), Role(name="MEMBER"))
    assert expected == arize.state.find(made["id"]).bindings
    listed = (await arize.listed(key_type="SERVICE"))[0]
    assert made["bot_user"] == listed["bot_user"]
    assert [made["id"]] == [key["id"] for key in await arize.listed(space_id="s2")]
    assert [] == await arize.listed(space_id="elsewhere")


@pytest.mark.parametrize(
    ("place", "role", "status"),
    [
        ("account", predefined("ANNOTATOR"), 400),
        ("account", predefined("MEMBER_UI_ONLY"), 400),
        ("account", predefined("OWNER"), 400),
        ("account", {"type": "CUSTOM", "id": "r1"}, 422),
        ("organization", predefined("ANNOTATOR"), 422),
        ("organization", {"type": "CUSTOM", "id": "r1"}, 422),
        ("space", predefined("ANNOTATOR"), 422),
        ("space", {"type": "CUSTOM", "id": "r1"}, 201),
        ("space", predefined("ADMIN"), 201),
    ],
)
async def test_some_roles_are_not_for_service_keys(arize, place, role, status):
    inside = {"space_id": SPACE} | ({"role": role} if place == "space" else {})
    organization = {"org_id": ORGANIZATION, "spaces": [inside]}
    organization |= {"role": role} if place == "organization" else {}
    body = {"organizations": [organization]}
    body |= {"account_role": role} if place == "account" else {}

    answer = await arize.create(name="ci", key_type="SERVICE", **body)

    assert status == answer.status_code


@pytest.mark.parametrize("era", ["A", "C"])
async def test_nobody_grants_more_than_they_have(era):
    arize = _Arize(era=era)
    _, raw = arize.user("mia")
    body = {"name": "ci", "key_type": "service", "space_id": SPACE}
    body |= {"roles": {"org_role": "admin"}}
    if era == "C":
        organization = PLACE | {"role": predefined("ADMIN")}
        body = {"name": "ci", "key_type": "SERVICE", "organizations": [organization]}

    assert 422 == (await arize.ask("POST", KEYS, key=raw, json=body)).status_code
    assert 201 == (await arize.create(**body)).status_code


async def test_each_created_service_key_gets_a_bot_user_of_its_own(arize):
    order = {"name": "ci", "key_type": "SERVICE", "organizations": [PLACE]}
    first, second = (await arize.create(**order)).json(), (await arize.create(**order)).json()

    assert first["bot_user"]["id"] != second["bot_user"]["id"]


async def test_a_service_key_calls_as_its_bot_user(arize):
    _, raw = arize.state.seed_service_key("ci")
    answer = await arize.ask("GET", KEYS, key=raw)

    assert (200, []) == (answer.status_code, answer.json()["api_keys"])


async def test_a_bot_user_that_is_lost_is_a_nameless_placeholder(arize):
    key_id, _ = arize.state.seed_service_key("ci")
    arize.state.find(key_id).orphaned = True
    bot = (await arize.listed(key_type="SERVICE"))[0]["bot_user"]

    expected = {"name": "", "account_role": predefined("MEMBER"), "organizations": []}
    assert expected == {name: value for name, value in bot.items() if name != "id"}


async def test_others_see_neither_my_keys_nor_may_they_touch_them(arize):
    _, raw = arize.user("mia")
    user_key, _ = arize.state.seed_user_key("the admin's")
    service_key, _ = arize.state.seed_service_key("robot")
    revoke = f"{KEYS}/{{}}/revoke"
    answers = [
        await arize.ask("PUT", revoke.format(user_key), key=raw),
        await arize.ask("PUT", revoke.format(service_key), key=raw),
        await arize.ask("GET", KEYS, key=raw, params={"user_id": arize.state.admin.id}),
    ]
    mine = (await arize.ask("GET", KEYS, key=raw)).json()["api_keys"]

    assert [404, 403, 403] == [answer.status_code for answer in answers]
    assert ["mia's"] == [key["name"] for key in mine]


async def test_an_admin_sees_and_changes_the_keys_of_others(arize):
    mia, _ = arize.user("mia")
    listed = await arize.listed(user_id=mia.id)
    answer = await arize.ask("PUT", f"{KEYS}/{listed[0]['id']}/revoke")

    assert ["mia's"] == [key["name"] for key in listed]
    assert 204 == answer.status_code


async def test_the_creator_filters_service_keys(arize):
    mia, _ = arize.user("mia")
    arize.state.seed_service_key("hers", user=mia)
    arize.state.seed_service_key("ours")
    listed = await arize.listed(space_id=SPACE, user_id=mia.id)

    assert ["hers"] == [key["name"] for key in listed]


async def test_a_page_holds_fifty_unless_told(arize):
    for number in range(60):
        arize.state.seed_user_key(f"key {number}")

    assert 50 == len(await arize.listed())
    assert 61 == len(await arize.listed(limit=100))


@pytest.mark.parametrize("era", ["A", "B", "C"])
async def test_an_expiry_in_the_past_is_refused(era):
    arize = _Arize(era=era)
    kind = {"key_type": "USER"} if era == "C" else {}
    answer = await arize.create(name="ci", expires_at=START.isoformat(), **kind)

    assert 422 == answer.status_code


@pytest.mark.parametrize(
    ("asked", "status", "given"),
    [(None, 201, 30 * DAY), (30 * DAY, 201, 30 * DAY), (31 * DAY, 422, None)],
)
async def test_the_account_bounds_every_life(asked, status, given):
    arize = _Arize(max_lifetime=30 * DAY)
    body = {"expires_at": (START + asked).isoformat()} if asked else {}
    made = await arize.create(name="ci", key_type="USER", **body)

    assert status == made.status_code
    if given:
        assert START + given == arize.state.find(made.json()["id"]).expires_at


async def test_the_account_also_bounds_the_refresh_of_an_endless_key():
    arize = _Arize(max_lifetime=30 * DAY)
    key_id, _ = arize.state.seed_user_key("ci")
    too_long = await arize.refresh(key_id, expires_at=(START + 31 * DAY).isoformat())
    answer = await arize.refresh(key_id)

    assert 422 == too_long.status_code
    assert START + 30 * DAY == datetime.fromisoformat(answer.json()["expires_at"])


async def test_the_older_eras_know_no_maximum():
    arize = _Arize(era="B", max_lifetime=30 * DAY)
    made = await arize.create(name="ci")

    assert "expires_at" not in made.json()


async def test_a_grace_does_not_outlive_the_key(arize):
    key_id, raw = arize.state.seed_user_key("ci", expires_at=START + MINUTE)
    expires_at = (START + MINUTE).isoformat()
    await arize.refresh(key_id, expires_at=expires_at, grace_period_seconds=3600)
    arize.now += MINUTE

    assert not arize.state.accepts(raw)


async def test_in_its_grace_a_key_has_an_expiry_that_binds_a_second_refresh(arize):
    key_id, _ = arize.state.seed_user_key("ci")
    await arize.refresh(key_id, grace_period_seconds=60)

    assert 422 == (await arize.refresh(key_id)).status_code
    answer = await arize.refresh(key_id, expires_at=(START + MINUTE).isoformat())
    assert 200 == answer.status_code


@pytest.mark.parametrize("keeps_id", [False, True])
@pytest.mark.parametrize("cuts", [False, True])
async def test_a_second_refresh_cuts_the_first_window_or_does_not(keeps_id, cuts):
    arize = _Arize(refresh_keeps_id=keeps_id, second_refresh_cuts_window=cuts)
    key_id, first = arize.state.seed_user_key("ci")
    second = (await arize.refresh(key_id, grace_period_seconds=60)).json()
    third = (await arize.refresh(second["id"], grace_period_seconds=60)).json()

    assert cuts != arize.state.accepts(first)
    assert arize.state.accepts(second["key"])
    assert arize.state.accepts(third["key"])


async def test_a_key_that_keeps_its_id_is_listed_once_and_revoked_with_its_old_secret():
    arize = _Arize(refresh_keeps_id=True)
    key_id, old = arize.state.seed_user_key("ci", created_at=START - DAY)
    new = (await arize.refresh(key_id, grace_period_seconds=60)).json()
    listed = [key for key in await arize.listed() if key["name"] == "ci"]
    await arize.ask("PUT", f"{KEYS}/{key_id}/revoke")

    assert [new["redacted_key"]] == [key["redacted_key"] for key in listed]
    assert START - DAY == datetime.fromisoformat(listed[0]["created_at"])
    assert not arize.state.accepts(old)
    assert not arize.state.accepts(new["key"])


@pytest.mark.parametrize("shown", [False, True])
async def test_expired_keys_are_listed_as_active_or_not(shown):
    arize = _Arize(lists_expired=shown)
    arize.state.seed_user_key("ci", expires_at=START + MINUTE)
    arize.now += MINUTE

    assert shown == ("ci" in [key["name"] for key in await arize.listed()])
    assert ["management"] == [key.name for key in arize.state.active(arize.now)]


async def test_neither_an_expired_nor_a_revoked_key_is_refreshed(arize):
    expired, _ = arize.state.seed_user_key("expired", expires_at=START + MINUTE)
    revoked, _ = arize.state.seed_user_key("revoked")
    arize.now += MINUTE
    await arize.ask("PUT", f"{KEYS}/{revoked}/revoke")

    assert 422 == (await arize.refresh(expired)).status_code
    assert 404 == (await arize.refresh(revoked)).status_code


async def test_a_scripted_fault_meets_one_call_of_its_kind(arize):
    arize.state.faults.append(Fault("create", "status", status=429, retry_after=7))
    listing = await arize.ask("GET", KEYS)
    first = await arize.create(name="ci", key_type="USER")
    second = await arize.create(name="ci", key_type="USER")

    assert [200, 429, 201] == [one.status_code for one in (listing, first, second)]
    assert "7" == first.headers["retry-after"]


@pytest.mark.parametrize("kind", ["refused_before", "lost_after", "truncated"])
async def test_a_call_whose_answer_never_came_was_done_or_not(kind):
    arize = _Arize()
    arize.state.faults.append(Fault(None, kind))
    async with serving(arize_app(arize.state)) as served, httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(
                f"{served.url}{KEYS}",
                headers={"authorization": f"Bearer {arize.state.management_key}"},
                json={"name": "ci", "key_type": "USER"},
            )

    assert (kind != "refused_before") == ("ci" in [key.name for key in arize.state.keys])


async def test_without_a_network_a_dropped_connection_is_an_exception(arize):
    arize.state.faults.append(Fault("list", "refused_before"))

    with pytest.raises(ConnectionResetError):
        await arize.listed()


@pytest.mark.parametrize("kind", ["status_after", "malformed", "unknown_enum", "slow"])
async def test_an_answer_that_does_not_help_belongs_to_a_key_that_exists(arize, kind):
    fault = Fault("create", kind, status=504, delay=timedelta(0))
    arize.state.faults.append(fault)
    answer = await arize.create(name="ci", key_type="USER")

    assert (504 if kind == "status_after" else 201) == answer.status_code
    assert ("HIBERNATING" in answer.text) == (kind == "unknown_enum")
    assert ["management", "ci"] == [key.name for key in arize.state.keys]


async def test_a_listing_can_also_come_from_the_future(arize):
    arize.state.faults.append(Fault("list", "unknown_enum"))

    assert ["HIBERNATING"] == [key["status"] for key in await arize.listed()]


def test_chance_breaks_calls_at_its_rate_and_loses_answers_of_mints_only():
    always, never = Faults(rate=1, random=chance()), Faults(rate=0, random=chance())
    listings = {always.next("list").kind for _ in range(200)}
    mints = {always.next("refresh").kind for _ in range(200)}

    assert {"status", "refused_before"} == listings
    assert {"status", "refused_before", "lost_after", "status_after"} == mints
    assert never.next("create") is None


async def test_chance_makes_whole_accounts_unreliable():
    arize = _Arize(error_rate=1.0)
    arize.state.faults.append(Fault("list", "status", status=502))

    assert 502 == (await arize.ask("GET", KEYS)).status_code


def test_seeded_service_keys_are_members_unless_told():
    today, older = _Arize().state, _Arize(era="A").state
    told = LegacyBindings("elsewhere")

    space = SpaceBinding(SPACE, Role(name="MEMBER"))
    organization = OrgBinding(ORGANIZATION, Role(name="READ_ONLY"), (space,))
    plain = Bindings((organization,), Role(name="MEMBER"))
    assert plain == today.find(today.seed_service_key("ci")[0]).bindings
    plain = LegacyBindings(SPACE, "member", "read-only", "member")
    assert plain == older.find(older.seed_service_key("ci")[0]).bindings
    assert told == older.find(older.seed_service_key("ci", bindings=told)[0]).bindings


def test_a_live_account_has_keys_that_nobody_can_guess():
    state, other = live_state(), live_state(ArizeOptions(era="A"))

    assert state.management_key.startswith("ak-")
    assert 53 == len(state.management_key)
    assert state.management_key != other.management_key
    assert KeyType.USER is state.find(state.management_key_id).type
    assert opaque_id("ApiKey", 1002) == state.management_key_id
