"""Canaries: no raw key and no credential in anything that could be shown.

Whatever goes wrong, the error is printed as the most talkative of tracebacks would: with its whole
chain, and the locals of every frame.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from traceback import TracebackException
from urllib.parse import quote

import httpx
import pytest
from adapter_arize_stage import (
    HOUR,
    MANAGEMENT,
    NEVER,
    RAW,
    Body,
    Clock,
    Source,
    Stage,
    listed,
    minted,
    ok,
    page,
    problem,
)
from adapter_sockets import accepting

from rotator.adapters.arize import ArizeIssuer, ArizeOptions
from rotator.errors import ConfigError, RotatorError
from rotator.keys import KeyType, Order, Scope
from rotator.secrets import Secret

ECHO = f"{MANAGEMENT} {RAW}"
HALF = json.dumps({"key": RAW})[:-3].encode()
FAILURES = [
    problem(401, ECHO),
    problem(403, ECHO),
    problem(404, ECHO),
    problem(422, ECHO),
    problem(429, ECHO),
    problem(500, ECHO),
    httpx.Response(307, headers={"location": f"https://evil.test/?{RAW}"}, text=RAW),
    httpx.Response(500, text=RAW, headers={"x-echo": MANAGEMENT}),
    httpx.Response(200, text=f"<html>{ECHO}"),
    httpx.Response(200, stream=Body(HALF, httpx.ReadError(ECHO))),
    httpx.Response(200, stream=Body(HALF, 3600)),
    httpx.ConnectError(ECHO),
    httpx.LocalProtocolError(f"Illegal header value b'Bearer {MANAGEMENT}'"),
    httpx.ReadError(ECHO),
    OSError(5, ECHO),
    ok({"api_keys": [listed("K1", expires_at="soon", redacted_key=RAW, key=RAW)]}),
    ok({"api_keys": [listed("K1", key=RAW)], "pagination": {"has_more": True}}),
    NEVER,
]


def pieces(secret):
    """Every stretch of 8 characters of it but those of its shown head and tail, and encodings."""
    stretches = {secret[at : at + 8] for at in range(len(secret) - 7)}
    encoded = {base64.b64encode(secret.encode()).decode(), quote(secret), repr(secret.encode())}
    return stretches | encoded


CANARIES = pieces(MANAGEMENT) | pieces(RAW)


def leaks(text):
    return sorted(canary for canary in CANARIES if canary in text)


def shown(error):
    """All that a traceback can show of ``error``, also of the contexts that it is told to hide.

    The first frame is the test's own, which has the secrets by right.
    """
    text = [repr(error), str(error)]
    trace = error.__traceback__.tb_next
    while error is not None:
        frames = TracebackException(type(error), error, trace, capture_locals=True)
        text += frames.format(chain=False)
        error = error.__cause__ or error.__context__
        trace = error and error.__traceback__
    return "".join(text)


def calls(issuer):
    return [
        lambda: issuer.keys(Scope(type=KeyType.SERVICE)),
        lambda: issuer.create(Order("ci", KeyType.USER)),
        lambda: issuer.refresh("K1", expires_at=None, grace=HOUR),
        lambda: issuer.revoke("K1"),
        lambda: issuer.accepts(Secret(RAW)),
    ]


@pytest.mark.looptime
@pytest.mark.parametrize("failure", FAILURES, ids=range(len(FAILURES)))
@pytest.mark.parametrize("number", range(5))
async def test_no_error_holds_a_secret_in_its_words_or_in_its_frames(failure, number):
    error = await _error_of(calls(Stage(failure).issuer)[number])
    assert error is None or leaks(shown(error)) == []
    assert error is None or error.__context__ is None


async def _error_of(call):
    try:
        await call()
    except RotatorError as error:
        return error


@pytest.mark.looptime
async def test_a_cancelled_request_shows_no_frame_that_holds_a_secret():
    for number in range(5):
        stage = Stage(httpx.Response(200, stream=Body(HALF, 3600)))
        task = asyncio.create_task(calls(stage.issuer)[number]())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as error:
            await task
        assert leaks(shown(error.value)) == []


async def test_a_cancelled_request_on_a_socket_shows_no_frame_that_holds_a_secret():
    asked = asyncio.Event()

    async def silence(reader, _):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async with accepting(silence) as (host, port):
        options = ArizeOptions(f"http://{host}:{port}", Source())
        issuer = ArizeIssuer(options, clock=Clock(), emit=print)
        task = asyncio.create_task(issuer.keys(Scope()))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as error:
            await task
        await issuer.close()
    assert leaks(shown(error.value)) == []


async def test_a_credential_that_cannot_be_sent_is_not_shown():
    stage = Stage(page(), source=Source(MANAGEMENT + "\n"))
    with pytest.raises(RotatorError) as error:
        await stage.issuer.keys(Scope())
    assert leaks(shown(error.value)) == []


async def test_an_issuer_and_its_options_do_not_print_what_they_hold():
    stage = Stage(minted())
    got = await stage.issuer.refresh("K1", expires_at=None, grace=HOUR)
    held = [stage.options, stage.issuer, vars(stage.issuer), vars(stage.issuer._wire), got]
    held.append(vars(stage.issuer._credential))
    assert leaks(repr(held)) == []


def test_an_address_with_a_password_is_not_shown():
    with pytest.raises(ConfigError) as error:
        ArizeIssuer(ArizeOptions(RAW, Source()), clock=Clock(), emit=print)
    assert leaks(str(error.value)) == []


async def test_no_library_logs_a_secret(caplog):
    async def echo(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(listed("K2") | {"key": RAW}).encode()
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    caplog.set_level(logging.DEBUG)
    async with accepting(echo) as (host, port):
        options = ArizeOptions(f"http://{host}:{port}", Source())
        issuer = ArizeIssuer(options, clock=Clock(), emit=print)
        await issuer.refresh("K1", expires_at=None, grace=HOUR)
        await issuer.close()
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    assert leaks("".join(map(str, (vars(record) for record in caplog.records)))) == []


async def test_the_canaries_would_sing():
    with pytest.raises(ZeroDivisionError) as error:
        _careless(Secret(RAW))
    assert leaks(shown(error.value)) != []


def _careless(secret):
    raw = secret.reveal()
    return len(raw) / 0
