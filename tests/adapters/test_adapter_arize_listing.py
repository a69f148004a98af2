"""Listings: all pages or an error, in whatever era."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from adapter_arize_stage import NOW, Body, Stage, listed, ok, page, problem

from rotator.errors import NotFound, Rejected, Temporary, Unavailable
from rotator.events import Event
from rotator.keys import (
    Bindings,
    Key,
    KeyStatus,
    KeyType,
    OrgBinding,
    Role,
    Scope,
    SpaceBinding,
)
from rotator.secrets import Redacted


async def ids(stage, scope=None):
    listing = await stage.issuer.keys(scope or Scope())
    return [key.id for key in listing.keys]


async def the_key(**members):
    listing = await Stage(page(listed("K1", **members))).issuer.keys(Scope())
    return listing.keys[0]


async def test_a_listing_has_the_keys_of_all_its_pages():
    stage = Stage(page(listed("A"), cursor="c=1"), page(listed("B"), listed("C")))
    assert await ids(stage) == ["A", "B", "C"]
    assert stage.asked == [
        "GET /v2/api-keys?limit=100",
        "GET /v2/api-keys?limit=100&cursor=c%3D1",
    ]


async def test_a_key_that_slides_to_the_next_page_is_there_once_as_it_was_last_seen():
    stage = Stage(page(listed("A", name="old"), cursor="c"), page(listed("A", name="new")))
    listing = await stage.issuer.keys(Scope())
    assert [key.name for key in listing.keys] == ["new"]


async def test_a_page_without_a_word_on_further_ones_is_the_last():
    assert await ids(Stage(ok({"api_keys": [listed("A")]}))) == ["A"]


async def test_a_cursor_alone_means_that_there_is_more():
    first = ok({"api_keys": [listed("A")], "pagination": {"next_cursor": "c"}})
    assert await ids(Stage(first, page(listed("B")))) == ["A", "B"]


async def test_pages_that_go_round_in_a_circle_are_an_error():
    with pytest.raises(Temporary, match="in a circle"):
        await ids(Stage(page(listed("A"), cursor="c")))


async def test_pages_that_never_end_are_an_error():
    pages = (page(listed("A"), cursor=f"c{number}") for number in range(100))
    stage = Stage(lambda _: next(pages))
    with pytest.raises(Temporary, match="do not end"):
        await ids(stage)
    assert len(stage.requests) == 11


async def test_more_pages_without_a_cursor_are_an_error():
    half = ok({"api_keys": [listed("A")], "pagination": {"has_more": True}})
    with pytest.raises(Temporary, match="no cursor"):
        await ids(Stage(half))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>maintenance</html>"),
        httpx.Response(200, text='{"api_keys": [{"id": "A"'),
        httpx.Response(200, json={"detail": "something went wrong"}),
        httpx.Response(200, json={"api_keys": {"A": {}}}),
        httpx.Response(200, json=[]),
        httpx.Response(204),
        httpx.Response(200, content=b"[" * 100_000),
    ],
)
async def test_what_is_no_listing_never_looks_like_no_keys(answer):
    with pytest.raises(Unavailable, match="not with what was asked for"):
        await ids(Stage(answer))


async def test_a_listing_that_is_cut_off_is_unavailable():
    cut = Body(b'{"api_keys": []', httpx.RemoteProtocolError("peer closed connection"))
    with pytest.raises(Unavailable, match="not in full: RemoteProtocolError"):
        await ids(Stage(httpx.Response(200, stream=cut)))
    assert cut.closed


async def test_a_listing_without_measure_is_not_read_to_its_end():
    flood = Body(*[b" " * 2**20] * 20)
    with pytest.raises(Unavailable, match="longer than 8388608 bytes"):
        await ids(Stage(httpx.Response(200, stream=flood)))


@pytest.mark.parametrize(
    ("scope", "query"),
    [
        (Scope(), "limit=100"),
        (Scope(type=KeyType.USER), "limit=100"),
        (Scope(space_id="S="), "limit=100&space_id=S%3D"),
        (Scope(space_id="S", type=KeyType.SERVICE), "limit=100&space_id=S"),
        (Scope(space_id="S", type=KeyType.USER), "limit=100&space_id=S&key_type=USER"),
        (Scope(type=KeyType.SERVICE), "limit=100&key_type=SERVICE"),
    ],
)
async def test_a_scope_names_its_type_only_where_the_default_is_another(scope, query):
    stage = Stage(page())
    await stage.issuer.keys(scope)
    assert stage.asked == [f"GET /v2/api-keys?{query}"]


@pytest.mark.parametrize("status", [400, 422])
async def test_a_spelling_that_is_refused_is_replaced_and_the_better_one_remembered(status):
    stage = Stage(problem(status), page(), page())
    await stage.issuer.keys(Scope(type=KeyType.SERVICE))
    await stage.issuer.keys(Scope(type=KeyType.SERVICE))
    assert [one.rpartition("=")[2] for one in stage.asked] == ["SERVICE", "service", "service"]


async def test_the_spelling_is_learnt_from_any_listing():
    stage = Stage(page(listed("A", key_type="user", status="active")), page())
    await stage.issuer.keys(Scope())
    await stage.issuer.keys(Scope(type=KeyType.SERVICE))
    assert stage.asked[1] == "GET /v2/api-keys?limit=100&key_type=service"


async def test_a_word_from_the_future_teaches_no_spelling():
    stage = Stage(
        page(listed("A", key_type="ROBOT", status="HIBERNATING"), listed("B", key_type="user")),
        page(),
    )
    await stage.issuer.keys(Scope())
    await stage.issuer.keys(Scope(type=KeyType.SERVICE))
    assert stage.asked[1] == "GET /v2/api-keys?limit=100&key_type=service"


async def test_when_both_spellings_are_refused_the_first_refusal_is_told():
    stage = Stage(problem(422, "limit is too high"), problem(400, "no such type"))
    with pytest.raises(Rejected, match="limit is too high"):
        await ids(stage, Scope(type=KeyType.SERVICE))


async def test_a_space_that_cannot_be_read_is_not_found():
    with pytest.raises(NotFound, match="listing the keys of space S: no such space"):
        await ids(Stage(problem(404, "no such space")), Scope(space_id="S"))


async def test_a_key_is_read_whole():
    key = await the_key(
        name="ci",
        description="for builds",
        redacted_key="ak-abc...xyz",
        created_at="2026-01-02T03:04:05Z",
        expires_at="2026-06-01T00:00:00.123456789+02:00",
        created_by_user_id="U1",
        last_used_at="2026-02-03T04:05:06.5Z",
    )
    assert key == Key(
        id="K1",
        name="ci",
        redacted=Redacted("ak-abc", "xyz"),
        description="for builds",
        type=KeyType.USER,
        status=KeyStatus.ACTIVE,
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        expires_at=datetime(2026, 5, 31, 22, 0, 0, 123456, tzinfo=UTC),
        created_by="U1",
        last_used_at=datetime(2026, 2, 3, 4, 5, 6, 500000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("active", KeyStatus.ACTIVE),
        ("ACTIVE", KeyStatus.ACTIVE),
        ("deleted", KeyStatus.REVOKED),
        ("revoked", KeyStatus.REVOKED),
        ("REVOKED", KeyStatus.REVOKED),
        ("HIBERNATING", KeyStatus.UNKNOWN),
        (None, KeyStatus.UNKNOWN),
        (["ACTIVE"], KeyStatus.UNKNOWN),
    ],
)
async def test_a_status_of_any_era_is_read_and_a_new_one_is_unknown(told, status):
    assert (await the_key(status=told)).status is status


async def test_a_type_of_the_future_is_unknown():
    assert (await the_key(key_type="ROBOT")).type is KeyType.UNKNOWN


async def test_a_key_that_tells_nothing_but_its_id_is_a_key():
    listing = await Stage(page({"id": "K1"})).issuer.keys(Scope())
    assert listing.keys == (Key("K1", type=KeyType.UNKNOWN, status=KeyStatus.UNKNOWN),)


async def test_items_without_a_readable_id_are_left_out_and_reported():
    odd = [{"name": "x"}, {"id": 7}, {"id": ""}, {"id": ".."}, {"id": "a b"}, "text", None]
    stage = Stage(page(*odd, listed("A")))
    assert await ids(stage) == ["A"]
    message = "listing keys: 7 items without a readable id left out"
    assert stage.events == [(Event.LIBRARY, {"logger": "arize", "message": message})]


@pytest.mark.parametrize("told", ["soon", "", 1_800_000_000, {}, "0001-01-01T00:00:00Z"])
async def test_nothing_is_decided_from_a_listing_with_an_expiry_that_cannot_be_read(told):
    with pytest.raises(Temporary, match="the expiry of K1 cannot be read"):
        await the_key(expires_at=told)


async def test_the_expiry_of_a_revoked_key_does_not_matter():
    assert (await the_key(expires_at="soon", status="REVOKED")).expires_at is None


async def test_other_times_that_cannot_be_read_are_not_told():
    key = await the_key(created_at="yesterday", last_used_at=5, expires_at=None)
    assert (key.created_at, key.last_used_at, key.expires_at) == (None, None, None)


@pytest.mark.parametrize(
    "told",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01t12:00:00z",
        "2026-03-01 12:00:00+00:00",
        "2026-03-01T12:00:00",
        "2026-03-01T14:00:00+02:00",
        "2026-03-01T12:00:00.000000000Z",
        "2026-03-01T12:00:00-00:00",
    ],
)
async def test_every_spelling_of_a_time_is_read(told):
    assert (await the_key(expires_at=told)).expires_at == NOW


async def test_a_never_in_figures_leaves_room_to_reckon():
    expires_at = (await the_key(expires_at="9999-12-31T23:59:59-01:00")).expires_at
    assert expires_at + timedelta(days=100_000) > expires_at > NOW


MEMBER, READ_ONLY = (
    {"type": "PREDEFINED", "name": "MEMBER"},
    {"type": "PREDEFINED", "name": "READ_ONLY"},
)
CUSTOM = {"type": "CUSTOM", "id": "R1", "name": "deployers"}
SPACE = {"space_id": "S1", "role": CUSTOM}
ORGANIZATION = {"org_id": "O1", "role": READ_ONLY, "spaces": [SPACE]}
BOT = {"id": "B1", "name": "ci bot", "account_role": MEMBER, "organizations": [ORGANIZATION]}


async def test_the_privileges_of_a_service_key_are_read():
    key = await the_key(key_type="SERVICE", bot_user=BOT)
    space = SpaceBinding("S1", Role(id="R1"))
    organization = OrgBinding("O1", Role(name="READ_ONLY"), (space,))
    assert key.bindings == Bindings((organization,), Role(name="MEMBER"))


@pytest.mark.parametrize(
    "bot_user",
    [
        None,
        "B1",
        BOT | {"name": ""},
        BOT | {"organizations": []},
        BOT | {"organizations": None},
        BOT | {"account_role": None},
        BOT | {"account_role": {"type": "INHERITED", "name": "MEMBER"}},
        BOT | {"account_role": {"type": "CUSTOM"}},
        BOT | {"organizations": [ORGANIZATION, "O2"]},
        BOT | {"organizations": [ORGANIZATION | {"org_id": None}]},
        BOT | {"organizations": [ORGANIZATION | {"role": {}}]},
        BOT | {"organizations": [ORGANIZATION | {"spaces": None}]},
        BOT | {"organizations": [ORGANIZATION | {"spaces": [SPACE, {"space_id": "S2"}]}]},
    ],
)
async def test_privileges_that_are_not_told_in_full_are_not_told(bot_user):
    assert (await the_key(key_type="SERVICE", bot_user=bot_user)).bindings is None


@pytest.mark.looptime
async def test_a_listing_is_as_old_as_its_first_request():
    late = httpx.Response(200, stream=Body(3, b'{"api_keys": []}'))
    listing = await Stage(late).issuer.keys(Scope())
    assert listing.taken_at == NOW - timedelta(seconds=3)


async def test_the_first_answer_already_corrects_when_a_listing_was_taken():
    stage = Stage(ok({"api_keys": []}, date="Sun, 01 Mar 2026 12:05:00 GMT"))
    listing = await stage.issuer.keys(Scope())
    assert abs(listing.taken_at - NOW - timedelta(minutes=5)) < timedelta(seconds=1)


@pytest.mark.parametrize(
    "headers", [{}, {"date": "today"}, {"date": "Sun, 01 Mar 2026 12:05:00 GMT", "age": "60"}]
)
async def test_a_date_that_is_missing_unreadable_or_from_a_cache_is_no_time(headers):
    stage = Stage(ok({"api_keys": []}, **headers))
    await stage.issuer.keys(Scope())
    assert stage.clock.observed == []


@pytest.mark.looptime
async def test_each_page_has_the_timeout_to_itself():
    def slow(item, cursor):
        body = page(item, cursor=cursor).content
        return httpx.Response(200, stream=Body(9, body))

    stage = Stage(slow(listed("A"), "c"), slow(listed("B"), None))
    assert await ids(stage) == ["A", "B"]


@pytest.mark.looptime
async def test_a_listing_that_drips_is_given_up_as_a_whole():
    drip = httpx.Response(200, stream=Body(*[4, b" "] * 5))
    with pytest.raises(Unavailable, match="nothing more within 10 s"):
        await ids(Stage(drip))
