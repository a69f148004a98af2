"""The port, over real sockets."""

import contextlib
import gc
import http.client
import json
import socket
import time

import pytest

from rotator.errors import ConfigError
from rotator.observe.health import Health
from rotator.observe.web.port import serving
from rotator.observe.web.site import Access, Site


@pytest.fixture(params=["127.0.0.1", "::1"])
def place(request):
    site = Site(
        Access(is_local=True), {"/livez": lambda: Health(good=True, facts={"alive": True})}, {}
    )
    with serving(site, request.param, 0) as port:
        yield request.param, port


def ask(place, path="/livez", method="GET"):
    connection = http.client.HTTPConnection(*place, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


async def test_it_answers_while_the_loop_of_the_daemon_is_blocked(place):
    # This test is a coroutine: its loop stands still until the answer is here.
    assert 200 == ask(place)[0]


def test_what_nobody_understands_is_refused_and_stops_nothing(place):
    with socket.create_connection(place, timeout=5) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")

    assert 200 == ask(place)[0]


def test_a_head_is_answered_with_the_headers_alone(place):
    assert (200, b"") == ask(place, method="HEAD")


def test_what_stands_behind_a_question_mark_is_not_looked_at(place):
    assert 200 == ask(place, "/livez?token=canary")[0]


def test_every_answer_ends_its_connection_and_says_when_it_was_given(place):
    with socket.create_connection(place, timeout=5) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert 1 == answer.count(b"HTTP/1.1 200")
    assert b"\r\nConnection: close" in head
    assert b"\r\nDate: " in head
    assert json.loads(body) == {"alive": True}


def test_one_who_hangs_up_at_once_is_no_trouble(place):
    for _ in range(3):
        socket.create_connection(place, timeout=5).close()

    assert 200 == ask(place)[0]


def test_whoever_asks_for_nothing_keeps_nobody_out(place):
    idle = [socket.create_connection(place, timeout=5) for _ in range(80)]
    for connection in idle:
        connection.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")

    started = time.monotonic()
    assert 200 == ask(place)[0]
    assert time.monotonic() - started < 2
    # Long before their time is over, the oldest had to give way.
    with contextlib.suppress(ConnectionResetError):
        assert b"" == idle[0].recv(100)
    assert time.monotonic() - started < 4
    for connection in idle:
        connection.close()


def test_a_head_without_end_is_cut_off(place):
    with socket.create_connection(place, timeout=5) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 100_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 4")


def test_when_the_block_ends_nobody_answers_any_more():
    site = Site(Access(is_local=True), {}, {})
    with serving(site, "127.0.0.1", 0) as port:
        assert 404 == ask(("127.0.0.1", port))[0]

    with pytest.raises(ConnectionRefusedError):
        ask(("127.0.0.1", port))


def test_a_port_that_is_taken_is_a_mistake_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught, serving(None, "127.0.0.1", port):
            pass

    words = f"http.listen: 127.0.0.1:{port}: Address already in use; choose another address or port"
    assert [words] == caught.value.problems


def test_an_address_that_is_not_ours_is_one_too():
    with pytest.raises(ConfigError) as caught, serving(None, "2001:db8::1", 9321):
        pass

    assert caught.value.problems[0].startswith("http.listen: [2001:db8::1]:9321: ")


def test_whoever_is_being_let_in_when_it_ends_is_hung_up_on():
    site = Site(Access(is_local=True), {}, {})
    for count in (1, 40, 80):
        with serving(site, "127.0.0.1", 0) as port:
            let_in = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
            let_in[0].sendall(b"GET / HTTP/1.1\r\n")
        for connection in let_in:
            connection.close()
        # What was left open says so when it is collected, and that is an error here.
        gc.collect()
