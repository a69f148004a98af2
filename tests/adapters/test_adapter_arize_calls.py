"""Everything but listings and mints: removing, trying a key, and the management key itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import pytest
from adapter_arize_stage import (
    HOUR,
    MANAGEMENT,
    NEVER,
    Body,
    Source,
    Stage,
    minted,
    ok,
    page,
    problem,
)

from rotator import traceparent
from rotator.errors import (
    NotPermitted,
    Rejected,
    Temporary,
    Unauthenticated,
    Unavailable,
)
from rotator.events import Event
from rotator.keys import Scope
from rotator.secrets import Secret

OTHER = "ak-Canary2Other2Management2Key2from2its2source2333"
GONE, NO_SUCH_WAY = problem(404), problem(405)
DONE = httpx.Response(204)
SECRET = Secret("ak-Canary3Some3Raw3Key3that3is3tried3out3here3333")


# Removing.


async def test_a_key_is_revoked_in_todays_way():
    stage = Stage(DONE)
    assert await stage.issuer.revoke("K=")
    assert stage.asked == ["PUT /v2/api-keys/K%3D/revoke"]


@pytest.mark.parametrize("refusal", [GONE, NO_SUCH_WAY])
async def test_where_keys_cannot_be_revoked_they_are_deleted_from_then_on(refusal):
    stage = Stage(refusal, DONE, DONE)
    await stage.issuer.revoke("K1")
    await stage.issuer.revoke("K2")
    assert stage.asked == [
        "PUT /v2/api-keys/K1/revoke",
        "DELETE /v2/api-keys/K1",
        "DELETE /v2/api-keys/K2",
    ]


async def test_a_service_that_was_upgraded_is_noticed():
    stage = Stage(GONE, DONE, NO_SUCH_WAY, DONE, DONE)
    for key in ("K1", "K2", "K3"):
        await stage.issuer.revoke(key)
    assert stage.asked[2:] == [
        "DELETE /v2/api-keys/K2",
        "PUT /v2/api-keys/K2/revoke",
        "PUT /v2/api-keys/K3/revoke",
    ]


@pytest.mark.parametrize("answers", [(GONE, GONE), (GONE, NO_SUCH_WAY), (NO_SUCH_WAY, GONE)])
async def test_a_key_that_is_gone_is_told_as_one_and_no_error(answers):
    stage = Stage(*answers)
    assert not await stage.issuer.revoke("K1")
    assert len(stage.requests) == 2


async def test_a_service_that_knows_no_way_to_remove_keys_is_no_success():
    with pytest.raises(Rejected, match="neither of the ways"):
        await Stage(NO_SUCH_WAY).issuer.revoke("K1")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(403), NotPermitted),
        (problem(409), Rejected),
        (problem(503), Unavailable),
        (httpx.ReadError("reset"), Unavailable),
    ],
)
async def test_a_key_that_may_still_be_active_is_an_error(answer, error):
    with pytest.raises(error, match="revoking key K1"):
        await Stage(answer).issuer.revoke("K1")


@pytest.mark.looptime
async def test_a_removal_is_bounded_in_time_as_a_whole(looptime):
    with pytest.raises(Unavailable):
        await Stage((6, GONE)).issuer.revoke("K1")
    assert looptime == 10


# Trying a key.


@pytest.mark.parametrize("status", [200, 204, 400, 403, 404, 409, 422])
async def test_any_answer_of_the_api_but_401_proves_a_key(status):
    assert await Stage(problem(status)).issuer.accepts(SECRET) is True


async def test_a_401_disproves_a_key():
    assert await Stage(problem(401)).issuer.accepts(SECRET) is False


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadError("reset"),
        httpx.ConnectError("refused"),
        *map(problem, (302, 407, 408, 425, 429, 499, 500, 502, 503)),
        *(httpx.Response(status, html="<p>sign in") for status in (200, 401, 403)),
        *(httpx.Response(status, text="default backend") for status in (404, 405)),
    ],
)
async def test_what_is_no_answer_of_the_api_proves_nothing(answer):
    with pytest.raises(Temporary, match="trying a key"):
        await Stage(answer).issuer.accepts(SECRET)


async def test_a_key_is_tried_with_itself_and_nothing_else():
    stage = Stage(problem(401))
    await stage.issuer.accepts(SECRET)
    assert (stage.bearers, stage.source.read) == ([SECRET.reveal()], 0)
    assert stage.asked == ["GET /v2/api-keys?limit=1"]


@pytest.mark.parametrize("odd", ["", "ak-line\n", "ak-schlüssel", "two words"])
async def test_what_cannot_be_a_key_is_not_tried(odd):
    stage = Stage(ok({}))
    assert await stage.issuer.accepts(Secret(odd)) is False
    assert stage.requests == []


async def test_a_proof_counts_even_if_its_body_is_cut():
    class Cut(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b'{"api'
            raise httpx.ReadError("reset")

    assert await Stage(httpx.Response(200, stream=Cut())).issuer.accepts(SECRET) is True


# The management key.


async def test_the_source_is_read_once_as_long_as_its_key_works():
    stage = Stage(page(), source=Source(MANAGEMENT, OTHER))
    await asyncio.gather(*(stage.issuer.keys(Scope()) for _ in range(5)))
    assert (stage.source.read, set(stage.bearers)) == (1, {MANAGEMENT})


async def test_a_refused_credential_is_read_again_and_a_new_one_used():
    stage = Stage(problem(401), page(), source=Source(MANAGEMENT, OTHER))
    await stage.issuer.keys(Scope())
    await stage.issuer.keys(Scope())
    assert stage.bearers == [MANAGEMENT, OTHER, OTHER]
    assert stage.events == [(Event.MANAGEMENT_KEY_CHANGED, {"source": "arize.api_key"})]


async def test_a_mint_goes_on_with_a_new_credential_for_a_401_did_nothing():
    stage = Stage(problem(401), minted(), source=Source(MANAGEMENT, OTHER))
    await stage.issuer.refresh("K1", expires_at=None, grace=HOUR)
    assert stage.bearers == [MANAGEMENT, OTHER]


async def test_a_refused_credential_that_did_not_change_needs_a_person():
    stage = Stage(problem(401, "expired"))
    with pytest.raises(Unauthenticated, match="401 on listing keys: expired") as error:
        await stage.issuer.keys(Scope())
    assert "ARIZE_API_KEY" in error.value.remedy
    assert "`arize.api_key`" in error.value.remedy
    assert len(stage.requests) == 1


async def test_two_credentials_refused_in_a_row_are_enough():
    stage = Stage(problem(401), source=Source(MANAGEMENT, OTHER, "ak-third"))
    with pytest.raises(Unauthenticated):
        await stage.issuer.keys(Scope())
    assert stage.bearers == [MANAGEMENT, OTHER]


async def test_many_refusals_at_once_read_the_source_once():
    def answer(request):
        new = request.headers["Authorization"].endswith(OTHER)
        return page() if new else problem(401)

    stage = Stage(answer, source=Source(MANAGEMENT, OTHER, "ak-third"))
    await asyncio.gather(*(stage.issuer.keys(Scope()) for _ in range(5)))
    assert stage.source.read == 2


async def test_an_adopted_credential_wins():
    stage = Stage(page())
    await stage.issuer.keys(Scope())
    stage.issuer.adopt(Secret(OTHER))
    await stage.issuer.keys(Scope())
    assert stage.bearers == [MANAGEMENT, OTHER]


async def test_an_adopted_credential_that_is_refused_gives_way_to_the_source():
    stage = Stage(problem(401), page())
    stage.issuer.adopt(Secret(OTHER))
    await stage.issuer.keys(Scope())
    assert stage.bearers == [OTHER, MANAGEMENT]


async def test_an_adopted_credential_comes_back_when_that_of_the_source_dies():
    stage = Stage(problem(401), page(), problem(401), page())
    stage.issuer.adopt(Secret(OTHER))
    await stage.issuer.keys(Scope())
    await stage.issuer.keys(Scope())
    assert stage.bearers == [OTHER, MANAGEMENT, MANAGEMENT, OTHER]


@pytest.mark.parametrize("odd", ["", "ak-key\n", "schlüssel"])
async def test_a_credential_that_cannot_be_sent_is_not(odd):
    stage = Stage(page(), source=Source(odd))
    with pytest.raises(Unauthenticated, match="empty, or has characters"):
        await stage.issuer.keys(Scope())
    assert stage.requests == []


async def test_the_credential_recognises_itself_by_its_head_and_tail():
    stage = Stage(page())
    shown = str(Secret(MANAGEMENT).redacted)
    assert stage.issuer.is_own(shown) is False
    await stage.issuer.keys(Scope())
    assert stage.issuer.is_own(shown) is True
    assert stage.issuer.is_own("ak-Can...xyz") is False
    stage.issuer.adopt(Secret(OTHER))
    assert stage.issuer.is_own(shown) is False


async def test_rotator_depends_on_a_key_that_its_source_has_and_no_other():
    source = Source(MANAGEMENT)
    stage = Stage(page(), source=source)
    shown = str(Secret(MANAGEMENT).redacted)
    assert await stage.issuer.depends_on(shown) is False
    await stage.issuer.keys(Scope())
    assert await stage.issuer.depends_on(shown) is True
    assert await stage.issuer.depends_on("ak-Can...xyz") is False
    assert stage.events == []
    source.keys = [Secret(OTHER)]
    assert await stage.issuer.depends_on(shown) is False
    assert stage.issuer.is_own(shown) is False
    assert stage.events == [(Event.MANAGEMENT_KEY_CHANGED, {"source": "arize.api_key"})]


async def test_the_next_start_depends_on_a_key_that_this_one_has_gone_over_from():
    source = Source(MANAGEMENT)
    stage = Stage(page(), source=source)
    old, new = str(Secret(MANAGEMENT).redacted), str(Secret(OTHER).redacted)
    await stage.issuer.keys(Scope())
    stage.issuer.adopt(Secret(OTHER))
    assert await stage.issuer.depends_on(old) is True
    source.keys = [Secret(OTHER)]
    assert await stage.issuer.depends_on(old) is False
    assert await stage.issuer.depends_on(new) is True
    assert stage.events == []


# Together.


@pytest.mark.looptime
async def test_no_more_requests_are_open_than_there_are_connections():
    open_now, most = 0, 0

    class Counting(httpx.AsyncByteStream):
        async def __aiter__(self):
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)
            await asyncio.sleep(1)
            open_now -= 1
            yield b"{}"

    stage = Stage(lambda _: httpx.Response(200, stream=Counting()), concurrency=3)
    await asyncio.gather(*(stage.issuer.revoke(f"K{number}") for number in range(12)))
    assert most == 3


async def test_the_request_names_us_and_asks_for_plain_json():
    stage = Stage(page(), user_agent="rotator/9")
    await stage.issuer.keys(Scope())
    headers = stage.requests[0].headers
    assert headers["User-Agent"] == "rotator/9"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Accept"].startswith("application/json")


@pytest.mark.looptime
async def test_a_request_that_ran_out_of_time_gives_its_connection_back():
    stage = Stage(NEVER, DONE, concurrency=1, timeout=timedelta(seconds=2))
    with pytest.raises(Unavailable):
        await stage.issuer.revoke("K1")
    await stage.issuer.revoke("K2")


# What is told of requests.


async def test_every_request_is_told_with_what_it_was_for_and_its_status():
    stage = Stage(page(), minted(), DONE, problem(503))
    await stage.issuer.keys(Scope())
    await stage.issuer.refresh("K1", expires_at=None, grace=HOUR)
    await stage.issuer.revoke("K1")
    with pytest.raises(Temporary):
        await stage.issuer.accepts(SECRET)
    assert [call[:3] for call in stage.calls] == [
        ("arize", "list", 200),
        ("arize", "mint", 201),
        ("arize", "revoke", 204),
        ("arize", "list", 503),
    ]
    assert all(0 <= seconds < 1 for *_, seconds in stage.calls)


CUT = httpx.Response(200, stream=Body(b"{", httpx.ReadError("cut")))


@pytest.mark.looptime
@pytest.mark.parametrize("answer", [NEVER, httpx.ConnectError("refused"), CUT])
async def test_a_request_without_an_answer_has_no_status(answer):
    stage = Stage(answer, timeout=timedelta(seconds=0.05))
    with pytest.raises(Unavailable):
        await stage.issuer.keys(Scope())
    assert [call[:3] for call in stage.calls] == [("arize", "list", None)]


# A source that is read at every use.


async def test_a_key_that_is_replaced_in_its_file_is_used_at_once():
    stage = Stage(page(), source=Source(MANAGEMENT, MANAGEMENT, OTHER), watched=True)
    for _ in range(4):
        await stage.issuer.keys(Scope())

    assert [MANAGEMENT, MANAGEMENT, OTHER, OTHER] == stage.bearers
    assert [(Event.MANAGEMENT_KEY_CHANGED, {"source": "arize.api_key"})] == stage.events


async def test_a_file_that_is_just_being_replaced_changes_nothing():
    async def source():
        read.append(None)
        if len(read) == 2:
            raise Unauthenticated("the file is empty")
        return Secret(("", MANAGEMENT, "", "two words", OTHER)[len(read)])

    read = []
    stage = Stage(page(), source=source, watched=True)
    for _ in range(4):
        await stage.issuer.keys(Scope())

    assert [MANAGEMENT, MANAGEMENT, MANAGEMENT, OTHER] == stage.bearers


async def test_a_file_that_still_has_the_old_key_does_not_undo_an_adoption():
    stage = Stage(page(), watched=True)
    await stage.issuer.keys(Scope())
    stage.issuer.adopt(Secret(OTHER))
    await stage.issuer.keys(Scope())

    assert [MANAGEMENT, OTHER] == stage.bearers
    assert [] == stage.events


async def test_a_file_that_is_brought_up_to_date_is_no_news():
    stage = Stage(page(), source=Source(MANAGEMENT, OTHER), watched=True)
    await stage.issuer.keys(Scope())
    stage.issuer.adopt(Secret(OTHER))
    await stage.issuer.keys(Scope())

    assert [MANAGEMENT, OTHER] == stage.bearers
    assert [] == stage.events


async def test_any_other_source_is_read_once():
    stage = Stage(page(), source=Source(MANAGEMENT, OTHER))
    for _ in range(3):
        await stage.issuer.keys(Scope())

    assert [MANAGEMENT] * 3 == stage.bearers
    assert 1 == stage.source.read


# Traces.


async def test_a_request_says_which_trace_it_belongs_to_if_any():
    stage = Stage(page())
    await stage.issuer.keys(Scope())
    token = traceparent.CURRENT.set({"traceparent": "00-trace-step-01"})
    await stage.issuer.keys(Scope())
    traceparent.CURRENT.reset(token)

    sent = [request.headers.get("traceparent") for request in stage.requests]
    assert [None, "00-trace-step-01"] == sent
