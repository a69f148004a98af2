"""The same over real sockets, where httpx tells how far a request got."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from adapter_arize_stage import HOUR, RAW, Clock, Source, listed
from adapter_sockets import accepting

from rotator.adapters.arize import ArizeIssuer, ArizeOptions
from rotator.errors import Ambiguous, ConfigError, Rejected, Unavailable
from rotator.keys import Scope
from rotator.secrets import Secret

MINTED = json.dumps({"key": RAW} | listed("K2")).encode()
EMPTY = b'{"api_keys": []}'


def made(url, **options):
    options = {"timeout": timedelta(seconds=5)} | options
    settings = ArizeOptions(url, Source(), **options)
    return ArizeIssuer(settings, clock=Clock(), emit=lambda *_, **__: None)


@pytest.fixture
async def issuer():
    """Makes issuers, and closes them in the end."""
    issuers = []

    def make(url, **options):
        issuers.append(made(url, **options))
        return issuers[-1]

    yield make
    for one in issuers:
        await one.close()


@asynccontextmanager
async def listening(answer):
    """A server that lets ``answer`` have each connection; yields its address."""
    async with accepting(answer) as (host, port):
        yield f"http://{host}:{port}"


def saying(*pieces, head=b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n"):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


async def silence(reader, _):
    await reader.read()


def refresh(one):
    return one.refresh("K1", expires_at=None, grace=HOUR)


async def test_a_port_where_nobody_listens_changes_nothing(issuer):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    one = issuer(f"http://127.0.0.1:{port}")
    with pytest.raises(Unavailable, match="ConnectError"):
        await refresh(one)


async def test_a_host_without_an_address_changes_nothing(issuer):
    one = issuer("http://nowhere.invalid")
    with pytest.raises(Unavailable, match="ConnectError"):
        await refresh(one)


async def test_a_handshake_that_never_ends_changes_nothing(issuer):
    async with listening(silence) as url:
        one = issuer(url.replace("http", "https"), timeout=timedelta(seconds=0.2))
        with pytest.raises(Unavailable, match="ConnectTimeout"):
            await refresh(one)


async def test_a_server_without_tls_changes_nothing(issuer):
    async def greet(reader, writer):
        await reader.read(1)
        writer.write(b"SSH-2.0-OpenSSH\r\n")

    async with listening(greet) as url:
        one = issuer(url.replace("http", "https"))
        with pytest.raises(Unavailable, match="ConnectError"):
            await refresh(one)


async def test_a_request_that_left_and_was_never_answered_is_ambiguous(issuer):
    async with listening(silence) as url:
        one = issuer(url, timeout=timedelta(seconds=0.2))
        with pytest.raises(Ambiguous, match=r"nothing more within 0\.2 s"):
            await refresh(one)


async def test_a_server_that_hangs_up_without_an_answer_is_ambiguous(issuer):
    async with listening(saying(head=b"")) as url:
        one = issuer(url)
        with pytest.raises(Ambiguous, match="RemoteProtocolError"):
            await refresh(one)


async def test_an_answer_that_is_no_http_is_ambiguous(issuer):
    async with listening(saying(head=b"220 smtp.test ESMTP\r\n\r\n")) as url:
        one = issuer(url)
        with pytest.raises(Ambiguous, match="RemoteProtocolError"):
            await refresh(one)


async def test_the_raw_key_of_an_answer_that_is_cut_is_kept(issuer):
    async with listening(saying(MINTED[:-10])) as url:
        one = issuer(url)
        assert (await refresh(one)).secret == Secret(RAW)


async def test_the_raw_key_of_an_answer_in_chunks_that_is_cut_is_kept(issuer):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (len(MINTED), MINTED)
    async with listening(saying(chunk, head=head)) as url:
        one = issuer(url)
        assert (await refresh(one)).secret == Secret(RAW)


async def test_a_redirect_is_not_followed(issuer):
    head = b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with listening(saying(head=head)) as url:
        one = issuer(url)
        with pytest.raises(Rejected, match="307"):
            await one.keys(Scope())


async def test_a_proxy_is_used_only_when_it_is_named(monkeypatch, issuer):
    seen = []

    async def proxy(reader, writer):
        seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(EMPTY), EMPTY))

    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(EMPTY)
    async with listening(proxy) as through, listening(saying(EMPTY, head=head)) as url:
        monkeypatch.setenv("HTTP_PROXY", through)
        monkeypatch.setenv("ALL_PROXY", through)
        for options in ({}, {"proxy": through}):
            one = issuer(url, **options)
            await one.keys(Scope())
    assert seen == [f"GET {url}/v2/api-keys?limit=100 HTTP/1.1\r\n".encode()]


async def test_a_proxy_that_refuses_to_connect_changes_nothing(issuer):
    async with listening(saying(head=b"HTTP/1.1 502 Bad Gateway\r\n\r\n")) as proxy:
        one = issuer("https://arize.test", proxy=proxy)
        with pytest.raises(Unavailable, match="ProxyError: 502 Bad Gateway"):
            await refresh(one)


async def test_connections_are_used_again(issuer):
    connections = 0

    async def answer(reader, writer):
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(EMPTY), EMPTY))

    async with listening(answer) as url:
        one = issuer(url)
        for _ in range(3):
            await one.keys(Scope())
    assert connections == 1


async def test_no_module_is_looked_for_while_a_request_is_made(monkeypatch, issuer):
    looked_for = []

    class Finder:
        def find_spec(self, name, *_):
            looked_for.append(name)

    async def answer(reader, writer):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(EMPTY), EMPTY))

    async with listening(answer) as url:
        one = issuer(url)
        await one.keys(Scope())
        monkeypatch.setattr("sys.meta_path", [Finder(), *sys.meta_path])
        await one.keys(Scope())
    assert looked_for == []


async def test_a_request_that_is_cancelled_gives_its_connection_back(issuer):
    asked = asyncio.Semaphore(0)

    async def never(reader, _):
        await reader.readuntil(b"\r\n\r\n")
        asked.release()
        await reader.read()

    async with listening(never) as url:
        one = issuer(url, concurrency=1)
        for _ in range(5):
            task = asyncio.create_task(one.keys(Scope()))
            await asked.acquire()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


def test_an_address_that_is_none_is_an_error_of_the_configuration():
    with pytest.raises(ConfigError, match="arize: no address"):
        made("arize.test")


def test_certificates_that_are_not_there_are_an_error_of_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"arize\.ca_cert: .*missing\.pem cannot be used"):
        made("https://arize.test", ca_cert=tmp_path / "missing.pem")


def test_certificates_that_are_none_are_an_error_of_the_configuration(tmp_path):
    (tmp_path / "odd.pem").write_text("hello")
    with pytest.raises(ConfigError, match=r"arize\.ca_cert: .*odd\.pem cannot be used"):
        made("https://arize.test", ca_cert=tmp_path / "odd.pem")


def test_a_proxy_that_is_none_is_an_error_of_the_configuration_and_not_shown():
    with pytest.raises(ConfigError) as error:
        made("https://arize.test", proxy="gopher://user:hunter2@proxy.test")
    assert str(error.value) == "arize.proxy: not the address of a proxy"
    assert "hunter2" not in repr(ArizeOptions("x", Source(), proxy="http://u:hunter2@proxy.test"))
