"""Mints: the raw key first, and never a guess about what may have happened."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
from adapter_arize_stage import (
    HOUR,
    MANAGEMENT,
    NEVER,
    NOW,
    RAW,
    Body,
    Stage,
    listed,
    minted,
    page,
    problem,
)

from rotator.errors import (
    Ambiguous,
    NotFound,
    NotPermitted,
    Rejected,
    Temporary,
    Unauthenticated,
    Unavailable,
)
from rotator.keys import (
    Bindings,
    Key,
    KeyStatus,
    KeyType,
    LegacyBindings,
    Minted,
    Order,
    OrgBinding,
    Role,
    Scope,
    SpaceBinding,
)
from rotator.secrets import Secret

USER = Order("ci", KeyType.USER)


def refresh(stage, *, expires_at=None, grace=HOUR):
    return stage.issuer.refresh("K1", expires_at=expires_at, grace=grace)


def service(bindings):
    return Order("bot", KeyType.SERVICE, description="d", expires_at=NOW, bindings=bindings)


async def test_a_refresh_asks_for_the_grace_and_the_expiry():
    stage = Stage(minted())
    await refresh(stage, expires_at=NOW + timedelta(microseconds=5), grace=HOUR)
    assert stage.asked == ["POST /v2/api-keys/K1/refresh"]
    body = {"grace_period_seconds": 3600, "expires_at": "2026-03-01T12:00:00.000005Z"}
    assert stage.sent == [body]


async def test_a_refresh_without_an_expiry_names_none():
    stage = Stage(minted())
    await refresh(stage, grace=timedelta(0))
    assert stage.sent == [{"grace_period_seconds": 0}]


async def test_an_id_cannot_lead_to_another_path():
    stage = Stage(minted())
    await stage.issuer.refresh("QXBp/../x?y=", expires_at=None, grace=HOUR)
    assert stage.asked == ["POST /v2/api-keys/QXBp%2F..%2Fx%3Fy%3D/refresh"]


async def test_a_mint_gives_the_raw_key_and_its_metadata():
    assert await refresh(Stage(minted("K2", name="ci"))) == Minted(
        Secret(RAW), Key("K2", "ci", type=KeyType.USER, status=KeyStatus.ACTIVE)
    )


@pytest.mark.parametrize("status", [200, 201, 202, 206])
async def test_any_success_is_a_success(status):
    assert (await refresh(Stage(minted(code=status)))).secret == Secret(RAW)


async def test_a_user_key_is_created_as_the_service_spells_it():
    stage = Stage(page(listed("A", key_type="user")), minted())
    await stage.issuer.keys(Scope())
    await stage.issuer.create(Order("ci", KeyType.USER, description="d", expires_at=NOW))
    expiry = "2026-03-01T12:00:00Z"
    body = {"name": "ci", "description": "d", "expires_at": expiry, "key_type": "user"}
    assert stage.sent == [body]


async def test_before_anything_is_known_a_user_key_is_tried_in_both_spellings():
    stage = Stage(problem(400), minted(key_type="user"), minted())
    await stage.issuer.create(USER)
    await stage.issuer.create(USER)
    assert [body["key_type"] for body in stage.sent] == ["USER", "user", "user"]


async def test_once_the_spelling_is_known_a_refused_mint_is_not_repeated():
    stage = Stage(page(listed("A")), problem(422, "beyond the maximum lifetime"))
    await stage.issuer.keys(Scope())
    with pytest.raises(Rejected, match="beyond the maximum lifetime") as caught:
        await stage.issuer.create(USER)
    assert "rotate.lifetime" in caught.value.remedy
    assert len(stage.requests) == 2


async def test_an_open_end_of_the_second_try_is_ambiguous():
    with pytest.raises(Ambiguous):
        await Stage(problem(422), problem(502)).issuer.create(USER)


async def test_todays_service_key_is_bound_by_organisations():
    space = SpaceBinding("S1", Role(id="R1"))
    organization = OrgBinding("O1", Role(name="read-only"), (space, SpaceBinding("S2")))
    stage = Stage(minted())
    bindings = Bindings((organization, OrgBinding("O2")), Role(name="MEMBER"))
    await stage.issuer.create(service(bindings))
    assert stage.sent == [
        {
            "name": "bot",
            "description": "d",
            "expires_at": "2026-03-01T12:00:00Z",
            "key_type": "SERVICE",
            "organizations": [
                {
                    "org_id": "O1",
                    "role": {"type": "PREDEFINED", "name": "READ_ONLY"},
                    "spaces": [
                        {"space_id": "S1", "role": {"type": "CUSTOM", "id": "R1"}},
                        {"space_id": "S2"},
                    ],
                },
                {"org_id": "O2", "spaces": []},
            ],
            "account_role": {"type": "PREDEFINED", "name": "MEMBER"},
        }
    ]


async def test_roles_that_the_policy_leaves_open_are_left_open():
    stage = Stage(minted())
    await stage.issuer.create(service(Bindings((OrgBinding("O1"),))))
    assert "account_role" not in stage.sent[0]


async def test_an_older_service_key_is_bound_by_its_space():
    stage = Stage(minted())
    await stage.issuer.create(service(LegacyBindings("S1", "admin", "READ_ONLY")))
    assert stage.sent[0]["key_type"] == "service"
    assert stage.sent[0]["space_id"] == "S1"
    assert stage.sent[0]["roles"] == {"space_role": "admin", "org_role": "read-only"}


async def test_an_older_service_key_without_roles_names_none():
    stage = Stage(minted())
    await stage.issuer.create(service(LegacyBindings("S1")))
    assert "roles" not in stage.sent[0]


@pytest.mark.parametrize(
    "order",
    [service(None), service(Bindings(())), Order("odd", KeyType.UNKNOWN)],
)
async def test_a_key_whose_privileges_are_not_known_is_not_created(order):
    stage = Stage(minted())
    with pytest.raises(Rejected, match="its type or its privileges are not known"):
        await stage.issuer.create(order)
    assert stage.requests == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, Rejected),
        (307, Rejected),
        (400, Rejected),
        (401, Unauthenticated),
        (403, NotPermitted),
        (404, NotFound),
        (405, Rejected),
        (407, Rejected),
        (408, Ambiguous),
        (409, Rejected),
        (413, Rejected),
        (422, Rejected),
        (425, Temporary),
        (429, Temporary),
        (499, Ambiguous),
        (500, Ambiguous),
        (502, Ambiguous),
        (503, Ambiguous),
        (504, Ambiguous),
        (599, Ambiguous),
    ],
)
async def test_a_refusal_says_whether_something_was_changed(status, error):
    with pytest.raises(error, match=f"Arize answered {status} on refreshing key K1: because") as it:
        await refresh(Stage(problem(status, "because")))
    assert type(it.value) is error


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("late"),
        httpx.PoolTimeout("late"),
        httpx.ProxyError("502 Bad Gateway"),
        httpx.UnsupportedProtocol("gopher"),
    ],
)
async def test_what_never_left_changed_nothing(failure):
    with pytest.raises(Unavailable, match="cannot be reached for refreshing key K1"):
        await refresh(Stage(failure))


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadError("reset"),
        httpx.WriteError("broken pipe"),
        httpx.ReadTimeout("late"),
        httpx.WriteTimeout("late"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        ConnectionResetError("reset"),
        TimeoutError(),
        RuntimeError("the transport is closed"),
        ValueError("what is this"),
    ],
)
async def test_what_may_have_left_may_have_been_done(failure):
    with pytest.raises(Ambiguous, match="no answer from Arize on refreshing key K1"):
        await refresh(Stage(failure))


@pytest.mark.looptime
async def test_an_answer_that_does_not_come_in_time_is_ambiguous(looptime):
    with pytest.raises(Ambiguous, match="nothing more within 10 s"):
        await refresh(Stage(NEVER))
    assert looptime == 10


@pytest.mark.looptime
async def test_a_mint_that_waits_too_long_for_a_connection_never_left():
    stage = Stage(NEVER, concurrency=1)
    first = asyncio.create_task(refresh(stage))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await refresh(stage)
    with pytest.raises(Ambiguous):
        await first


@pytest.mark.looptime
async def test_the_try_with_a_replaced_credential_is_within_the_same_timeout(looptime):
    async def slow_source():
        await asyncio.sleep(6)
        return Secret("ak-other-management-key")

    stage = Stage(problem(401), NEVER, source=slow_source)
    stage.issuer.adopt(Secret(MANAGEMENT))
    with pytest.raises(Ambiguous):
        await refresh(stage)
    assert looptime == 10


@pytest.mark.looptime
async def test_a_credential_that_cannot_be_read_in_time_means_that_nothing_left():
    async def stuck():
        await asyncio.sleep(60)

    stage = Stage(minted(), source=stuck)
    with pytest.raises(Unavailable, match="management key could not be read in time"):
        await refresh(stage)
    assert stage.requests == []


WHOLE = json.dumps({"key": RAW} | listed("K2")).encode()


@pytest.mark.parametrize(
    "end", [httpx.ReadError("reset"), httpx.RemoteProtocolError("incomplete"), OSError("gone")]
)
async def test_a_raw_key_that_arrived_before_the_cut_is_kept(end):
    answer = httpx.Response(201, stream=Body(WHOLE[:40], WHOLE[40:80], end))
    assert await refresh(Stage(answer)) == Minted(Secret(RAW), None)


@pytest.mark.looptime
async def test_a_raw_key_that_arrived_before_the_silence_is_kept():
    answer = httpx.Response(201, stream=Body(WHOLE[:100], 3600))
    assert (await refresh(Stage(answer))).secret == Secret(RAW)


async def test_a_raw_key_that_arrived_before_a_flood_is_kept():
    body = Body(WHOLE, *[b" " * 2**19] * 10)
    assert (await refresh(Stage(httpx.Response(201, stream=body)))).secret == Secret(RAW)
    assert body.closed


async def test_half_a_raw_key_is_none():
    cut = Body(WHOLE[:30], httpx.ReadError("reset"))
    with pytest.raises(Ambiguous, match="answered 201 on refreshing key K1, but not in full"):
        await refresh(Stage(httpx.Response(201, stream=cut)))


async def test_a_refusal_whose_body_is_cut_is_still_a_refusal():
    cut = Body(b'{"detail": "no', httpx.ReadError("reset"))
    with pytest.raises(Rejected, match="Arize answered 422 on refreshing key K1"):
        await refresh(Stage(httpx.Response(422, stream=cut)))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(204),
        httpx.Response(201, text="<html>Bad"),
        httpx.Response(201, json=listed("K2")),
        httpx.Response(201, json=listed("K2") | {"key": ""}),
        httpx.Response(201, json=listed("K2") | {"key": None}),
        httpx.Response(201, json=listed("K2") | {"key": "ak-abc...xyz"}),
        httpx.Response(201, json=listed("K2") | {"key": "ak-abc****xyz"}),
        httpx.Response(201, json=listed("K2") | {"key": "no key today"}),
        httpx.Response(201, text='{"key": "ak-\\ud800"}'),
    ],
)
async def test_a_success_without_a_raw_key_is_ambiguous(answer):
    with pytest.raises(Ambiguous, match="not with what was asked for"):
        await refresh(Stage(answer))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(201, json={"api_key": {"key": RAW}}),
        httpx.Response(201, json=[{"key": RAW}]),
        httpx.Response(201, text=f'{{"key" : "{RAW}", "id": 1,'),
        httpx.Response(201, text=f'"key":"{RAW}"'),
        httpx.Response(201, json={"key": None, "data": {"note": {"key": "colour"}, "key": RAW}}),
        httpx.Response(201, json={"key": RAW, "id": ["odd"]}),
        httpx.Response(201, json={"key": RAW, "id": "K2", "expires_at": "soon"}),
    ],
)
async def test_a_raw_key_in_an_odd_answer_is_kept_without_the_rest(answer):
    assert await refresh(Stage(answer)) == Minted(Secret(RAW), None)


async def test_an_enum_of_the_future_does_not_cost_the_key():
    answer = minted("K2", key_type="ROBOT", status="HIBERNATING")
    assert await refresh(Stage(answer)) == Minted(
        Secret(RAW), Key("K2", "key K2", type=KeyType.UNKNOWN, status=KeyStatus.UNKNOWN)
    )


async def test_a_mint_says_nothing_about_the_time():
    stage = Stage(minted(), minted())
    stage.answers[0].headers["date"] = "Sun, 01 Mar 2026 12:05:00 GMT"
    await refresh(stage)
    assert stage.clock.observed == []


@pytest.mark.looptime
async def test_a_mint_that_is_cancelled_stays_cancelled():
    stage = Stage(NEVER)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await refresh(stage)
    assert len(stage.requests) == 1
