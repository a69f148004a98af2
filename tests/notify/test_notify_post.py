"""The hook ``http``, over real sockets."""

import asyncio
import json
import time
from datetime import timedelta

import pytest
from notify_stage import AT, FACTS, NEWS, listening, reading

from rotator import traceparent
from rotator.errors import (
    ConfigError,
    NotFound,
    NotPermitted,
    Rejected,
    Temporary,
    Unauthenticated,
    Unavailable,
)
from rotator.notify import cloudevents
from rotator.notify.notifier import attempt
from rotator.notify.post import Post
from rotator.notify.wire import Way, shown
from rotator.secrets import Secret

TOKEN = "CANARYqwertzuiopasdfghjklyxcvbnm"


def post(url, *, layout=cloudevents.structured, secret=None, seconds=5.0, **way):
    return Post(
        way=Way("notify deployer", timedelta(seconds=seconds), **way),
        url=reading(url),
        layout=layout,
        secret=secret and reading(secret),
        now=lambda: AT,
    )


async def test_a_structured_event_is_all_in_the_body():
    async with listening() as server:
        await post(f"{server.url}/hooks/rotated?to=ci").tell(NEWS)

    (request,) = server.requests
    assert "POST /hooks/rotated?to=ci HTTP/1.1" == request.line
    assert "application/cloudevents+json; charset=UTF-8" == request.headers["content-type"]
    assert {
        "specversion": "1.0",
        "id": "9f4c2a7be1d05836:deployer",
        "source": "/rotator/policies/ci-pipeline",
        "type": "rotator.rotation.completed",
        "subject": "QXBpS2V5OjEwMDI=",
        "time": "2026-11-23T08:31:02Z",
        "datacontenttype": "application/json",
        "data": {"policy": "ci-pipeline", **FACTS, "targets": ["apps/ci/arize#api_key", "ci#key"]},
    } == json.loads(request.body)
    assert [] == [name for name in request.headers if name.startswith(("ce-", "webhook-"))]


async def test_a_binary_event_has_its_attributes_in_headers():
    async with listening() as server:
        await post(server.url, layout=cloudevents.binary).tell(NEWS)

    (request,) = server.requests
    assert {
        "ce-specversion": "1.0",
        "ce-id": "9f4c2a7be1d05836:deployer",
        "ce-source": "/rotator/policies/ci-pipeline",
        "ce-type": "rotator.rotation.completed",
        "ce-subject": "QXBpS2V5OjEwMDI=",
        "ce-time": "2026-11-23T08:31:02Z",
    } == {name: text for name, text in request.headers.items() if name.startswith("ce-")}
    assert "application/json" == request.headers["content-type"]
    assert {"policy", *FACTS} == set(json.loads(request.body))


async def test_a_signature_is_of_the_very_bytes():
    async with listening() as server:
        await post(server.url, secret="s3cr3t").tell(NEWS)

    (request,) = server.requests
    sent = {name: text for name, text in request.headers.items() if name.startswith("webhook-")}
    assert cloudevents.signed(Secret("s3cr3t"), NEWS, request.body, AT) == sent


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("400 Bad Request\r\n", Rejected, "answered 400"),
        ("401 Unauthorized\r\n", NotPermitted, "answered 401"),
        ("403 Forbidden\r\n", NotPermitted, "answered 403"),
        ("404 Not Found\r\n", NotFound, "answered 404"),
        ("410 Gone\r\n", NotFound, "answered 410"),
        ("408 Request Timeout\r\n", Temporary, "answered 408"),
        ("500 Internal Server Error\r\n", Unavailable, "answered 500"),
        ("503 Service Unavailable\r\n", Unavailable, "answered 503"),
    ],
)
async def test_a_refusal_is_told_by_its_status_and_nothing_else(answer, kind, words):
    async with listening(f"{answer}Content-Length: 5\r\n\r\nwords") as server:
        with pytest.raises(kind) as caught:
            await post(f"{server.url}/{TOKEN}").tell(NEWS)

    assert kind is type(caught.value)
    assert f"{server.url} {words}" == caught.value.message


@pytest.mark.parametrize("answer", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_a_server_that_asks_for_time_gets_it(answer):
    async with listening(f"{answer}\r\nRetry-After: 77\r\n") as server:
        with pytest.raises(Temporary) as caught:
            await post(server.url).tell(NEWS)

    assert timedelta(seconds=77) == caught.value.delay


async def test_a_redirect_is_not_followed():
    async with (
        listening() as other,
        listening(f"307 Moved\r\nLocation: {other.url}/\r\n") as server,
    ):
        with pytest.raises(Rejected) as caught:
            await post(server.url).tell(NEWS)

    assert ([], 1) == (other.requests, len(server.requests))
    assert "a redirect is never followed" in caught.value.remedy


async def test_one_that_never_answers_is_given_up_in_time():
    began = time.monotonic()
    async with listening(None) as server:
        error = await attempt(post(server.url, seconds=0.3), NEWS)

    assert "it took longer than 0.3 s and was ended" == error.message
    assert time.monotonic() - began < 3


async def test_one_that_answers_drop_by_drop_is_given_up_in_time():
    async def drip(writer):
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with listening(drip) as server:
        error = await attempt(post(server.url, seconds=0.3), NEWS)

    assert isinstance(error, Unavailable)


async def test_one_that_is_not_there_is_told_without_its_path():
    async with listening() as server:
        pass
    with pytest.raises(Unavailable) as caught:
        await post(f"{server.url}/{TOKEN}?key={TOKEN}").tell(NEWS)

    assert caught.value.message.startswith(f"{server.url} cannot be reached: ConnectError: ")
    assert TOKEN not in str(caught.value)
    assert None is caught.value.__cause__
    assert caught.value.__suppress_context__


async def test_a_way_through_a_proxy_is_taken():
    async with listening() as proxy:
        await post("http://hooks.example/x", proxy=proxy.url).tell(NEWS)

    assert "POST http://hooks.example/x HTTP/1.1" == proxy.requests[0].line


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("ftp://h/", {}),
        ("https://h/", {"ca_cert": "/nowhere"}),
        ("https://h/", {"proxy": "nonsense"}),
    ],
)
async def test_a_way_that_cannot_be_gone_is_named(url, way):
    with pytest.raises(ConfigError, match=r"^notify deployer"):
        await post(url, **way).tell(NEWS)


async def test_an_address_that_makes_httpx_complain_is_not_quoted():
    with pytest.raises(Unavailable) as caught:
        await post(f"http://h:99999/{TOKEN}").tell(NEWS)

    assert TOKEN not in str(caught.value)


async def test_a_secret_that_cannot_be_read_is_an_error_like_others():
    async def read():
        raise Unauthenticated("the file is gone")

    hook = Post(Way("x", timedelta(1)), read, cloudevents.structured, None, lambda: AT)

    assert "the file is gone" == (await attempt(hook, NEWS)).message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://hooks.example:8443/{TOKEN}?t={TOKEN}#{TOKEN}", "https://hooks.example:8443"),
        (f"https://u:{TOKEN}@hooks.example/", "https://hooks.example"),
        ("https://[::1]:1/x", "https://[::1]:1"),
        (f"{TOKEN}", "the address"),
        (f"https://h:{TOKEN}/", "the address"),
        (f"https://[{TOKEN}/", "the address"),
    ],
)
def test_of_an_address_no_more_is_shown_than_where_it_is(url, expected):
    assert expected == shown(Secret(url))


async def test_a_request_says_which_trace_it_belongs_to():
    token = traceparent.CURRENT.set({"traceparent": "00-trace-step-01"})
    async with listening() as server:
        await post(server.url).tell(NEWS)
    traceparent.CURRENT.reset(token)

    (request,) = server.requests
    assert "00-trace-step-01" == request.headers["traceparent"]
