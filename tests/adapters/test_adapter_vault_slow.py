"""Answers of Vault that trickle, or have no end: no thread and no memory is lost to them."""

import socket
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rotator.adapters.vault_wire import Connection, Wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def answering(parts):
    """A server on loopback that gives every caller ``parts``, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            caller, _ = server.accept()
            with caller:
                caller.recv(65536)
                try:
                    for part in parts:
                        caller.sendall(part)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


def asked(address, seconds=0.5):
    wire = Wire(Connection(address, timeout=timedelta(seconds=seconds)))
    try:
        return wire.request("GET", f"{address}/v1/x", {}, None)
    finally:
        wire.close()


def trickle():
    yield HEAD + b"Content-Length: 1000\r\n\r\n"
    for _ in range(40):
        time.sleep(0.1)
        yield b" "


def endless():
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for _ in range(400):
        yield b"10000\r\n" + b" " * 65536 + b"\r\n"


def test_an_answer_is_read_whole():
    with answering([HEAD + b"Content-Length: 4\r\n\r\n", b"{}", b"\n\n"]) as address:
        answer = asked(address)

    assert (200, b"{}\n\n") == (answer.status, answer.data)


def test_one_that_trickles_is_given_up_in_time():
    began = time.monotonic()
    with answering(trickle()) as address:
        with pytest.raises(Exception, match="too slowly"):
            asked(address)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "parts",
    [endless(), [HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nPK..."]],
    ids=["endless", "packed"],
)
def test_one_that_is_larger_than_any_answer_is_not_kept(parts):
    with answering(parts) as address, pytest.raises(Exception, match="larger than any answer"):
        asked(address, seconds=5)
