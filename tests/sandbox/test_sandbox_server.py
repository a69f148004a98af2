"""An application on a loopback port: served, dropped, stopped."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from rotator.sandbox.server import DROP, serve, serving, serving_in_thread

if TYPE_CHECKING:
    from starlette.requests import Request


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


class _DropsAtOnce:
    async def __call__(self, scope, _receive, _send):
        await scope["extensions"][DROP]()


class _DropsInTheBody:
    async def __call__(self, scope, _receive, send):
        start = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"9")],
        }
        await send(start)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await scope["extensions"][DROP]()


def greeter() -> Starlette:
    return Starlette(routes=[Route("/", hello)])


async def test_it_answers_on_a_free_loopback_port():
    async with serving(greeter()) as served, httpx.AsyncClient() as client:
        answer = await client.get(served.url)

    assert "hello" == answer.text
    assert served.url.startswith("http://127.0.0.1:")
    assert "date" not in answer.headers


async def test_after_stop_nobody_is_at_the_port_and_a_second_stop_is_nothing():
    served = await serve(greeter())

    await served.stop()
    await served.stop()

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(served.url)


async def test_a_port_that_is_taken_is_an_os_error():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await serve(greeter(), taken.getsockname()[1])


def test_a_blocking_client_finds_it_in_a_thread():
    with serving_in_thread(greeter()) as url:
        assert "hello" == httpx.get(url).text


@pytest.mark.parametrize("app", [_DropsAtOnce(), _DropsInTheBody()])
async def test_an_application_can_drop_the_connection_and_nothing_is_logged(app, caplog):
    caplog.set_level(logging.DEBUG, "uvicorn")

    async with serving(app) as served, httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(served.url)

    assert [] == [record.message for record in caplog.records if "uvicorn" in record.name]
