"""The Arize stand-in as an ASGI application: reads requests, asks the state, writes answers."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rotator.sandbox.arize_model import ArizeOptions, Refused
from rotator.sandbox.arize_requests import read_create, read_refresh
from rotator.sandbox.arize_state import ArizeState
from rotator.sandbox.arize_wire import read_query, write_created, write_page, write_refreshed
from rotator.sandbox.server import DROP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from rotator.sandbox.arize_faults import Fault
    from rotator.sandbox.arize_model import Operation, User

_KEYS = "/v2/api-keys"
_ONE = "/v2/api-keys/{key_id}"


@dataclass(frozen=True, slots=True)
class _Call:
    caller: User
    key_id: str
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    document: dict[str, Any] | None = None


def live_state(options: ArizeOptions | None = None) -> ArizeState:
    """An account in real time, with raw keys that nobody can guess."""
    return ArizeState(
        options or ArizeOptions(), clock=lambda: datetime.now(UTC), random=SystemRandom()
    )


def arize_app(state: ArizeState) -> ASGIApp:
    """The API of the account ``state``, in the era of its options."""
    if state.options.era == "A":
        remove = Route(_ONE, _Endpoint(state, "revoke", _revoke), methods=["DELETE"])
    else:
        remove = Route(f"{_ONE}/revoke", _Endpoint(state, "revoke", _revoke), methods=["PUT"])

    async def not_routed(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return _problem(state, Refused(status, "There is nothing of this kind here."))

    return Starlette(
        routes=[
            Route(_KEYS, _Endpoint(state, "list", _list), methods=["GET"]),
            Route(_KEYS, _Endpoint(state, "create", _create), methods=["POST"]),
            Route(f"{_ONE}/refresh", _Endpoint(state, "refresh", _refresh), methods=["POST"]),
            remove,
        ],
        exception_handlers={HTTPException: not_routed},
    )


def _list(state: ArizeState, call: _Call) -> _Answer:
    query = read_query(call.query, state.options.era)
    page = state.list(call.caller, query)
    return _Answer(HTTPStatus.OK, write_page(page, query, state.options.era))


def _create(state: ArizeState, call: _Call) -> _Answer:
    key = state.create(call.caller, read_create(call.body, state.options.era))
    return _Answer(HTTPStatus.CREATED, write_created(key, state.options.era))


def _refresh(state: ArizeState, call: _Call) -> _Answer:
    wanted = read_refresh(call.body)
    grace = timedelta(seconds=wanted.grace_period_seconds)
    key = state.refresh(call.caller, call.key_id, expires_at=wanted.expires_at, grace=grace)
    return _Answer(HTTPStatus.OK, write_refreshed(key, state.options.era))


def _revoke(state: ArizeState, call: _Call) -> _Answer:
    state.revoke(call.caller, call.key_id)
    return _Answer(HTTPStatus.NO_CONTENT)


class _Endpoint:
    """One operation: latency, faults, authentication, the act, and how its answer gets lost."""

    def __init__(
        self, state: ArizeState, op: Operation, act: Callable[[ArizeState, _Call], _Answer]
    ) -> None:
        self._state, self._op, self._act = state, op, act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        await asyncio.sleep(self._state.options.latency.total_seconds())
        fault = self._state.next_fault(self._op)
        if fault and fault.kind == "refused_before":
            await _drop(scope)
            return
        if fault and fault.kind == "status":
            await _faulty(self._state, fault)(scope, receive, send)
            return
        response = self._respond(request, body)
        if fault:
            await _spoil(self._state, fault, response, (scope, receive, send))
        else:
            await response(scope, receive, send)

    def _respond(self, request: Request, body: bytes) -> Response:
        state = self._state
        try:
            caller = state.authenticate(_bearer(request))
            key_id = request.path_params.get("key_id", "")
            answer = self._act(state, _Call(caller, key_id, request.query_params, body))
        except Refused as refusal:
            return _problem(state, refusal)
        if answer.document is None:
            return Response(status_code=answer.status, headers=_headers(state))
        return _json(state, answer.status, answer.document)


async def _spoil(
    state: ArizeState, fault: Fault, response: Response, channel: tuple[Scope, Receive, Send]
) -> None:
    """Answer what was done in the way ``fault`` says."""
    body = bytes(response.body)
    match fault.kind:
        case "lost_after":
            await _drop(channel[0])
            return
        case "truncated":
            await _cut(response, channel)
            return
        case "status_after":
            response = _faulty(state, fault)
        case "malformed":
            response = Response("<html>Bad", response.status_code, _headers(state), "text/html")
        case "unknown_enum":
            response = _json(state, response.status_code, _futuristic(json.loads(body)))
        case _:
            await asyncio.sleep(fault.delay.total_seconds())
    await response(*channel)


def _futuristic(document: dict[str, Any]) -> dict[str, Any]:
    if "api_keys" in document:
        return document | {"api_keys": [_futuristic(key) for key in document["api_keys"]]}
    return document | {"status": "HIBERNATING", "key_type": "ROBOT"}


async def _cut(response: Response, channel: tuple[Scope, Receive, Send]) -> None:
    scope, _, send = channel
    start = {"status": response.status_code, "headers": response.raw_headers}
    await send({"type": "http.response.start", **start})
    half = bytes(response.body)[: len(response.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await _drop(scope)


async def _drop(scope: Scope) -> None:
    """Hang up. Behind something that is no network there is only an exception to say it with."""
    drop = scope.get("extensions", {}).get(DROP)
    if drop is None:
        raise ConnectionResetError("the stand-in hung up")
    await drop()


def _bearer(request: Request) -> str | None:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


def _faulty(state: ArizeState, fault: Fault) -> Response:
    detail = "The service cannot answer this now."
    return _problem(state, Refused(fault.status, detail, retry_after=fault.retry_after))


def _problem(state: ArizeState, refusal: Refused) -> Response:
    """RFC 9457. Its ``instance`` names this occurrence and nothing of the request."""
    title = HTTPStatus(refusal.status).phrase
    document = {
        "title": title,
        "status": refusal.status,
        "type": f"https://arize.invalid/problems/{title.lower().replace(' ', '-')}",
        "detail": refusal.detail,
        "instance": f"urn:occurrence:{state.clock().isoformat()}",
    }
    response = _json(state, refusal.status, document, "application/problem+json")
    if refusal.retry_after is not None:
        response.headers["retry-after"] = str(refusal.retry_after)
    return response


def _json(
    state: ArizeState, status: int, document: dict[str, Any], media: str = "application/json"
) -> Response:
    return Response(json.dumps(document), status, _headers(state), media)


def _headers(state: ArizeState) -> dict[str, str]:
    """The time of the account, so that clients can tell how far off their own is."""
    return {"date": format_datetime(state.clock(), usegmt=True), "cache-control": "no-store"}
