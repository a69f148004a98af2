"""An issuer whose answers a test writes, with what it asked and what it emitted."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx

from rotator.adapters.arize import ArizeIssuer, ArizeOptions
from rotator.secrets import Secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MANAGEMENT = "ak-Canary0Mgmt0Key0of0Rotator0Itself0X0123456789"
RAW = "ak-Canary1Fresh1Raw1Key1that1is1shown1once1987654321"
HOST = "https://arize.test"
HOUR = timedelta(hours=1)


class Clock:
    """Stands still at NOW, save for a correction; its durations are the loop's."""

    astray = None

    def __init__(self):
        self.correction = timedelta()
        self.observed = []

    def now(self):
        return NOW + self.correction

    def monotonic(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, delay):
        await asyncio.sleep(delay.total_seconds())

    def observe(self, server_time, round_trip):
        self.observed.append((server_time, round_trip))
        self.correction = server_time - NOW


class Source:
    """Where the management key comes from: the keys in turn, the last one for good."""

    def __init__(self, *keys):
        self.keys = [Secret(key) for key in keys or (MANAGEMENT,)]
        self.read = 0

    async def __call__(self):
        self.read += 1
        await asyncio.sleep(0)
        return self.keys[min(self.read, len(self.keys)) - 1]


class Body(httpx.AsyncByteStream):
    """A body in pieces: bytes arrive, a number is a pause in seconds, an exception is a cut."""

    def __init__(self, *pieces):
        self.pieces = pieces
        self.closed = False

    async def __aiter__(self):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                yield piece
            else:
                await asyncio.sleep(piece)

    async def aclose(self):
        self.closed = True


class Stage(httpx.AsyncBaseTransport):
    """Gives ``answers`` in turn, the last one for good, and keeps the requests.

    An answer is a response, an exception, a function of the request, or a pair of a pause in
    seconds and a response.
    """

    def __init__(self, *answers, source=None, timeout=timedelta(seconds=10), **options):
        self.answers = answers
        self.requests = []
        self.events = []
        self.calls = []
        self.clock = Clock()
        self.source = source or Source()
        self.options = ArizeOptions(HOST, self.source, timeout=timeout, **options)
        self.issuer = ArizeIssuer(
            self.options,
            clock=self.clock,
            emit=self._emit,
            called=lambda *call: self.calls.append(call),
            transport=self,
        )

    def _emit(self, event, /, **fields):
        self.events.append((event, fields))

    async def handle_async_request(self, request):
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(request)
        pause, answer = answer if isinstance(answer, tuple) else (0, answer)
        await asyncio.sleep(pause)
        return answer

    @property
    def asked(self):
        """Method and target of each request."""
        return [f"{one.method} {one.url.raw_path.decode()}" for one in self.requests]

    @property
    def sent(self):
        """The body of each request."""
        return [json.loads(one.content) for one in self.requests if one.content]

    @property
    def bearers(self):
        return [one.headers["Authorization"].removeprefix("Bearer ") for one in self.requests]


def ok(document, status=200, **headers):
    return httpx.Response(status, json=document, headers=headers)


def problem(status, detail="", **headers):
    media = {"content-type": "application/problem+json"}
    return httpx.Response(status, json={"detail": detail}, headers=media | headers)


def page(*items, cursor=None):
    pagination = {"has_more": cursor is not None, "next_cursor": cursor}
    return ok({"api_keys": list(items), "pagination": pagination})


def listed(key_id, **members):
    return {"id": key_id, "name": f"key {key_id}", "key_type": "USER", "status": "ACTIVE"} | members


NEVER = (3600, ok({}))


def minted(key_id="K2", *, code=201, **members):
    return ok(listed(key_id) | {"key": RAW} | members, status=code)
