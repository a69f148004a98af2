"""Arize, the provider of keys, over HTTP.

Here is how one request is made: within its time, over a bounded number of connections, to no other
address, and so that whatever arrived of a mint is kept. The modules beside this one know no HTTP
library: ``arize_issuer`` has the calls, ``arize_listing`` adds up pages, ``arize_wire`` and
``arize_bindings`` know what bodies say, ``arize_errors`` what an answer means, and
``arize_credential`` which key to send.

httpx is used below its client, at the transport, which ``network`` makes.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator import traceparent
from rotator.adapters.answers import http_date, scrub
from rotator.adapters.arize_credential import Credential
from rotator.adapters.arize_errors import Answer, by_a_gateway
from rotator.adapters.arize_issuer import ArizeCalls
from rotator.adapters.arize_options import ArizeOptions
from rotator.adapters.network import Ways, network
from rotator.imports import without
from rotator.ports import unheard
from rotator.secrets import Masked

if TYPE_CHECKING:
    from rotator.adapters.arize_errors import Call
    from rotator.adapters.clock import ProviderClock
    from rotator.ports import Called, Emit
    from rotator.secrets import Secret

with without("click"):
    import httpx

__all__ = ["ArizeIssuer", "ArizeOptions"]

#: A listing of 100 keys takes some 100 KiB, a mint one.
_MOST, _MOST_OF_MINT = 8 * 2**20, 2**20
#: What a request is for, in a word.
_OPERATIONS = {"GET": "list", "POST": "mint", "PUT": "revoke", "DELETE": "revoke"}
#: Raised before a byte of the request itself leaves, whatever was said to a proxy.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
#: All that httpx lets out, with the plain errors that it does not translate everywhere.
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError, ValueError)


class ArizeIssuer(ArizeCalls):
    """Implements :class:`rotator.ports.KeyIssuer` for every era of the API, without being told.

    Args:
        options: See :class:`ArizeOptions`.
        clock: Told the provider's time by every answer but a mint's.
        emit: For what an operator should know and no caller can be told.
        called: Told of every request.
        transport: Carries the requests instead of the network.

    Raises:
        ConfigError: The address, the proxy or the certificates cannot be used.
    """

    def __init__(
        self,
        options: ArizeOptions,
        *,
        clock: ProviderClock,
        emit: Emit,
        called: Called = unheard,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._wire = _Wire(options, clock, called, transport)
        credential = Credential(options.credential, emit, watched=options.watched)
        super().__init__(self._wire.exchange, credential, clock, emit, options)

    async def close(self) -> None:
        """Let go of connections."""
        await self._wire.close()


@dataclass(slots=True)
class _Attempt:
    """What has happened so far; outlives the exception that ends a request."""

    deadline: float
    sent: bool = False
    response: httpx.Response | None = None
    body: bytearray = field(default_factory=bytearray, repr=False)
    whole: bool = False
    broken: str = ""

    def extensions(self) -> dict[str, object]:
        """What httpcore is asked for beside the request.

        Connecting and the handshake may each take half of the time left: then httpcore gives up
        by itself, and closes the socket, which it does not when it is cancelled there.
        """
        patience = (self.deadline - asyncio.get_running_loop().time()) / 2
        return {"trace": self._trace, "timeout": {"connect": max(patience, 0.0)}}

    async def _trace(self, event: str, _: object) -> None:
        """Told by httpcore about each of its steps."""
        self.sent = self.sent or event.endswith("send_request_headers.started")

    def answer(self, credential: Secret) -> Answer:
        body: Masked[bytes] = Masked(bytes(self.body))
        broken = "" if self.whole else self.broken
        if self.response is None:
            return Answer(credential, body, sent=self.sent, broken=broken)
        headers = self.response.headers
        return Answer(
            credential,
            body,
            status=self.response.status_code,
            content_type=headers.get("content-type", ""),
            retry_after=headers.get("retry-after", ""),
            date=headers.get("date", ""),
            broken=broken,
        )


class _Wire:
    """Makes one request at a time of each caller, and always answers: errors are data here.

    What httpx raises holds the request and, in the frames of its traceback, its headers. So none
    of it is ever chained to an error of ours: it ends here, as a line of text.
    """

    def __init__(
        self,
        options: ArizeOptions,
        clock: ProviderClock,
        called: Called,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._called = called
        self._base = options.base_url.rstrip("/")
        self._ways = Ways(
            (lambda: transport)
            if transport
            else network("arize", options.base_url, ca_cert=options.ca_cert, proxy=options.proxy)
        )
        #: Only httpcore tells when it begins to send; of others the worst is assumed.
        self._traced = transport is None
        self._slots = asyncio.Semaphore(options.concurrency)

    async def exchange(self, call: Call, credential: Secret, deadline: float) -> Answer:
        """Make the request, until ``deadline`` of the loop's clock at the latest."""
        attempt, began = _Attempt(deadline), self._clock.monotonic()
        try:
            async with asyncio.timeout_at(deadline), self._slots, self._ways.one() as transport:
                await self._send(transport, call, credential, attempt)
        except TimeoutError:
            attempt.broken = f"nothing more within {self._options.timeout.total_seconds():g} s"
        except _FAILURES as error:
            attempt.sent = attempt.sent and not isinstance(error, _NOT_SENT)
            attempt.broken = scrub(f"{type(error).__name__}: {error}", credential)
        except asyncio.CancelledError as error:
            # Goes on, without the frames of httpx and h11, whose locals hold the headers.
            raise error.with_traceback(None) from None
        answer = attempt.answer(credential)
        status = None if answer.broken else answer.status
        self._called("arize", _OPERATIONS[call.method], status, self._clock.monotonic() - began)
        return answer

    async def close(self) -> None:
        await self._ways.close()

    async def _send(
        self,
        transport: httpx.AsyncBaseTransport,
        call: Call,
        credential: Secret,
        attempt: _Attempt,
    ) -> None:
        most = _MOST_OF_MINT if call.mint else _MOST
        began = self._clock.monotonic()
        request = self._request(call, credential, attempt)
        attempt.sent = not self._traced
        response = await transport.handle_async_request(request)
        attempt.response = response
        try:
            if not call.mint:
                self._observe(response, timedelta(seconds=self._clock.monotonic() - began))
            async for chunk in response.aiter_bytes():
                attempt.body += chunk[: most - len(attempt.body)]
                if len(attempt.body) >= most:
                    attempt.broken = f"longer than {most} bytes"
                    return
            attempt.whole = True
        finally:
            await response.aclose()

    def _request(self, call: Call, credential: Secret, attempt: _Attempt) -> httpx.Request:
        content = None if call.body is None else json.dumps(call.body).encode()
        headers = {
            "Accept": "application/json, application/problem+json",
            # A compressed answer that is cut off may not give back what had arrived.
            "Accept-Encoding": "identity",
            "Authorization": f"Bearer {credential.reveal()}",
            "User-Agent": self._options.user_agent,
            **traceparent.headers(),
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        return httpx.Request(
            call.method,
            self._base + call.path,
            params=call.query or None,
            headers=headers,
            content=content,
            extensions=attempt.extensions() if self._traced else None,
        )

    def _observe(self, response: httpx.Response, round_trip: timedelta) -> None:
        # What a gateway says for itself, or a cache, is not the provider's time.
        headers = response.headers
        strange = by_a_gateway(response.status_code, headers.get("content-type", ""))
        date = None if strange or "age" in headers else http_date(headers.get("date", ""))
        if date is not None:
            self._clock.observe(date, round_trip)
